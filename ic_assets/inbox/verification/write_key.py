"""A publishable key for browsers, which cannot keep a secret: it says which site an event is of and proves nothing more.
What it lets in is bounded by the topics of its endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ic_assets.inbox.verification.base import (
    NO_SIGNATURE,
    WRONG_SIGNATURE,
    Arrived,
    Verdict,
    any_equal,
    failed,
    passed,
)


class WriteKey:
    """``domains``: own ones; a page of one of them, or of a name below it, may send."""

    name = "write_key"

    def __init__(self, keys: Sequence[str], domains: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._domains = [domain.lower().strip(".") for domain in domains]

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may send here."""
        try:
            host = (urlsplit(origin).hostname or "").rstrip(".")
        except ValueError:
            return False
        return any(host == domain or host.endswith(f".{domain}") for domain in self._domains)

    def verify(self, request: Arrived) -> Verdict:
        key = request.headers.get("x-write-key")
        if key is None:
            return failed(NO_SIGNATURE)
        if any_equal(key.encode(), self._keys) and self.allows(request.headers.get("origin", "")):
            return passed(self.name)
        return failed(WRONG_SIGNATURE)
