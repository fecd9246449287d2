"""HTTP Basic authentication: a user and a password that the sender was given. All that Chargebee offers."""

from __future__ import annotations

import base64
import binascii
import hashlib
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
)

# No time is signed, and old events are resent by hand: no bound on the past.
FUTURE_SECONDS = 600.0


class Basic:
    """``pairs``: ``user:password`` each. A password may hold colons, a user none (RFC 7617): whole pairs are compared."""

    name = "basic"

    def __init__(self, pairs: Sequence[str], variable: str) -> None:
        for pair in pairs:
            user, colon, password = pair.partition(":")
            if not (user and colon and password):
                # Not repeated: it may be half a password.
                raise Refused(f"{variable} holds a part that is not user:password; separate several by blanks")
        self._pairs = [_digest(pair.encode()) for pair in pairs]

    def verify(self, request: Arrived) -> Verdict:
        header = request.headers.get("authorization")
        if header is None:
            return failed(NO_SIGNATURE)
        scheme, _, given = header.partition(" ")
        try:
            pair = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            return failed(WRONG_SIGNATURE)
        if any_equal(_digest(pair), self._pairs):
            return passed(self.name, future_seconds=FUTURE_SECONDS)
        return failed(WRONG_SIGNATURE)


def _digest(pair: bytes) -> bytes:
    """Of one length whatever the pair's is: comparing tells that neither."""
    return hashlib.sha256(pair).digest()
