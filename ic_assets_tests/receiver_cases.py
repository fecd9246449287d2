"""A receiver in a process of its own, as a user starts it, and senders that sign by themselves: nothing here uses the
verifiers under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ic_assets.core import processes

USER = "chargebee:pass:word"
OTHER_USER = "old:secret-of-last-year"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqTwjUPD8ILPZIo2LaLaSw0"
OTHER_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
HUBSPOT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
JIRA_SECRET = "jira-secret-0123456789"
WRITE_KEY = "wk_live_0123456789"
ORIGIN = "https://www.example.com"
PUBLIC_URL = "https://in.example.com"
SECRETS = {
    "IC_CHARGEBEE_BASIC_AUTH": f"{OTHER_USER} {USER}",
    "IC_CHARGEBEE_WEBHOOK_SECRETS": f"{OTHER_WEBHOOK_SECRET} {WEBHOOK_SECRET}",
    "IC_HUBSPOT_CLIENT_SECRET": f"old-client-secret {HUBSPOT_SECRET}",
    "IC_HUBSPOT_LEGACY_SIGNATURES": "v1,v2",
    "IC_JIRA_WEBHOOK_SECRET": JIRA_SECRET,
    "IC_SITE_WRITE_KEYS": f"wk_old {WRITE_KEY}",
    "IC_OWN_DOMAINS": "example.com",
    "IC_SITE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "IC_FORMS_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "IC_MOBILE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "IC_CALLS_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "IC_PRODUCT_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "IC_PUBLIC_URL": PUBLIC_URL,
}
PAYMENTS = "/bi/api/PaymentEvents/"


@dataclass
class Running:
    """One process of ``ic-assets receive``. ``log``: what it said on standard error so far."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path
    client: httpx.Client = field(repr=False)

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    @property
    def told(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    def post(self, path: str, content: bytes | str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.client.post(self.url + path, content=content, headers=dict(headers or {}))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def lines(self, request: str) -> list[str]:
        """The log lines about one request."""
        return [line for line in self.log.splitlines() if request in line]


@contextmanager
def receiving(folder: Path, postgres_url: str | None, *, port: int = 0, **environment: str) -> Iterator[Running]:
    """Up for as long as the block lasts. ``postgres_url`` None: with the embedded server of ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"IC_HOME": str(folder / "home"), **environment}
    if postgres_url:
        given["IC_POSTGRES_URL"] = postgres_url
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IC_")}
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            processes.python("ic_assets", "receive", "--port", str(port)),
            cwd=folder,
            env={**kept, **given},
            stdout=out,
            stderr=err,
        )
    try:
        with httpx.Client(trust_env=False, timeout=30) as client:
            running = Running(process, "", folder, client)
            running.url = _address(running)
            yield running
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(running: Running) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(r"^Receiver: +(http://\S+)", running.told, re.MULTILINE):
            return found[1]
        if running.process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the receiver did not start: {running.log[-2000:]}")


def basic(pair: str = USER) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def payment(number: int | str, **more: Any) -> dict[str, Any]:
    """A Chargebee event."""
    return {
        "id": f"ev_{number}",
        "occurred_at": int(time.time()) - 60,
        "source": "api",
        "object": "event",
        "api_version": "v2",
        "event_type": "subscription_changed",
        "content": {"subscription": {"id": f"sub_{number}", "customer_id": "cus_1", "mrr": 4900}},
        **more,
    }


def hubspot_event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventId": number,
        "subscriptionId": 12345,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": int(time.time() * 1000) - 1000,
        "subscriptionType": "company.propertyChange",
        "attemptNumber": 0,
        "objectId": 1000 + number,
        "propertyName": "plan_id",
        "propertyValue": "pro",
        "changeSource": "CRM_UI",
        "sourceId": "userId:1",
        **more,
    }


def standard(
    body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None, id: str = "msg_1"
) -> dict[str, str]:
    """The three headers of Standard Webhooks, by its specification."""
    seconds = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def hubspot_v3(
    path: str, body: bytes, *, secret: str = HUBSPOT_SECRET, at: float | None = None, base: str = PUBLIC_URL
) -> dict[str, str]:
    time_ms = str(int((time.time() if at is None else at) * 1000))
    message = f"POST{base}{path}".encode() + body + time_ms.encode()
    signed = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return {"X-HubSpot-Signature-v3": base64.b64encode(signed).decode(), "X-HubSpot-Request-Timestamp": time_ms}


def hubspot_old(version: str, path: str, body: bytes, *, secret: str = HUBSPOT_SECRET) -> dict[str, str]:
    head = f"POST{PUBLIC_URL}{path}" if version == "v2" else ""
    signed = hashlib.sha256(secret.encode() + head.encode() + body).hexdigest()
    return {"X-HubSpot-Signature": signed, "X-HubSpot-Signature-Version": version}


def github(body: bytes, *, secret: str = JIRA_SECRET) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def text(value: Any) -> bytes:
    return json.dumps(value).encode()
