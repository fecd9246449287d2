"""HMAC-SHA256 over the raw body in a header, ``sha256=<hex>``: GitHub's way, which Jira's webhooks took over."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from ic_assets.inbox.verification.base import (
    NO_SIGNATURE,
    WRONG_SIGNATURE,
    Arrived,
    Verdict,
    any_equal,
    failed,
    passed,
)
from ic_assets.inbox.verification.basic import FUTURE_SECONDS

# GitHub's own, and the older name that Jira kept, where GitHub sends SHA-1 (which never fits).
_HEADERS = ("x-hub-signature-256", "x-hub-signature")


class BodySignature:
    """No time is signed: only what claims to come from the future is refused."""

    name = "sha256"

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]

    def verify(self, request: Arrived) -> Verdict:
        given = next((request.headers[name] for name in _HEADERS if name in request.headers), None)
        if given is None:
            return failed(NO_SIGNATURE)
        wanted = [
            b"sha256=" + hmac.new(secret, request.body, hashlib.sha256).hexdigest().encode() for secret in self._secrets
        ]
        if any_equal(given.lower().encode(), wanted):
            return passed(self.name, future_seconds=FUTURE_SECONDS)
        return failed(WRONG_SIGNATURE)
