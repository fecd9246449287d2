"""HubSpot's three signatures (its page "Validating requests"): v3, and for endpoints that say so v1 and v2, which sign no
time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Sequence
from urllib.parse import unquote

from ic_assets.inbox.verification.base import (
    NO_SIGNATURE,
    WINDOW_SECONDS,
    WRONG_SIGNATURE,
    Arrived,
    Verdict,
    any_equal,
    failed,
    passed,
    signed_time,
)

# The escapes that HubSpot decodes in a URI before it signs it; all others stay as they are.
_DECODED = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


class HubSpot:
    """``legacy``: which of v1 and v2 pass beside v3. Where a v3 signature is there it is judged alone: whoever took it off
    would fall back to what signs no time."""

    name = "hubspot"

    def __init__(self, secrets: Sequence[str], legacy: Collection[str] = ()) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._legacy = frozenset(legacy)

    def verify(self, request: Arrived) -> Verdict:
        given = request.headers.get("x-hubspot-signature-v3")
        if given is not None:
            return self._verify_v3(request, given)
        given = request.headers.get("x-hubspot-signature")
        version = request.headers.get("x-hubspot-signature-version", "v1").lower()
        if given is None or version not in self._legacy:
            return failed(NO_SIGNATURE)
        heads = [b""] if version == "v1" else [f"{request.method}{uri}".encode() for uri in _uris(request)]
        wanted = [
            hashlib.sha256(secret + head + request.body).hexdigest().encode()
            for secret in self._secrets
            for head in heads
        ]
        if any_equal(given.lower().encode(), wanted):
            return passed(f"{self.name}_{version}", future_seconds=WINDOW_SECONDS)
        return failed(WRONG_SIGNATURE)

    def _verify_v3(self, request: Arrived, given: str) -> Verdict:
        time = request.headers.get("x-hubspot-request-timestamp")
        if time is None:
            return failed(NO_SIGNATURE)
        messages = [f"{request.method}{uri}".encode() + request.body + time.encode() for uri in _uris(request)]
        wanted = [
            base64.b64encode(hmac.digest(secret, message, hashlib.sha256))
            for secret in self._secrets
            for message in messages
        ]
        if not any_equal(given.encode(), wanted):
            return failed(WRONG_SIGNATURE)
        wrong = signed_time(time, now=request.at, unit=0.001)
        return failed(wrong) if wrong else passed(f"{self.name}_v3")


def _uris(request: Arrived) -> list[str]:
    """The URI with HubSpot's escapes decoded, and as it came where that is another."""
    path, mark, query = request.target.partition("?")
    decoded = f"{_decoded(path)}{mark}{_decoded(query)}"
    return [request.base + target for target in dict.fromkeys((decoded, request.target))]


def _decoded(part: str) -> str:
    return _DECODED.sub(lambda found: unquote(found[0]), part)
