"""Standard Webhooks (standard-webhooks/standard-webhooks): HMAC-SHA256 over id, time and raw body, ``v1`` signatures.
The asymmetric ``v1a`` is not read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from ic_assets.core.failures import Refused
from ic_assets.inbox.verification.base import (
    NO_SIGNATURE,
    WRONG_SIGNATURE,
    Arrived,
    Verdict,
    any_equal,
    failed,
    passed,
    signed_time,
)

_PREFIX = "whsec_"
# A sender that rotates signs with a few secrets; a list without an end would have each of ours computed against it.
_MOST_SIGNATURES = 10


class StandardWebhooks:
    """``secrets``: base64, with or without ``whsec_``. One signature that fits one secret is enough."""

    name = "hmac"

    def __init__(self, secrets: Sequence[str], variable: str) -> None:
        self._keys = [_key(secret, variable) for secret in secrets]

    def verify(self, request: Arrived) -> Verdict:
        parts = [request.headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature")]
        if any(part is None for part in parts):
            return failed(NO_SIGNATURE)
        number, time, signatures = (str(part) for part in parts)
        # A dot in the id would let time and body be cut elsewhere under the same signature.
        if not number or "." in number or not number.isascii():
            return failed(WRONG_SIGNATURE)
        given = [one.removeprefix("v1,") for one in signatures.split(" ") if one.startswith("v1,")]
        message = f"{number}.{time}.".encode("ascii", "replace") + request.body
        wanted = [base64.b64encode(hmac.digest(key, message, hashlib.sha256)) for key in self._keys]
        is_signed = False
        for one in given[:_MOST_SIGNATURES]:
            is_signed |= any_equal(one.encode("utf-8", "replace"), wanted)
        if not is_signed:
            return failed(WRONG_SIGNATURE)
        wrong = signed_time(time, now=request.at)
        return failed(wrong) if wrong else passed(self.name)


def _key(secret: str, variable: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        # The specification's own example lacks the padding.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Refused(f"{variable} holds a secret that is not base64; copy it again")
    return key
