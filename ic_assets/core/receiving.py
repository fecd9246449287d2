"""The environment variables of the receiver of webhooks (README lists them): where it listens, what it believes, how much
it takes, and what senders prove their secrets against. Knows no endpoint; ``inbox/endpoints.py`` says who uses what.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from ic_assets.core.failures import Refused
from ic_assets.core.hosts import is_loopback
from ic_assets.core.masking import SECRET_LISTS, words_of

PORT = 3100
BODY_BYTES = 1 << 20
HUBSPOT_RPS = 100.0
"""HubSpot delivers ten at a time; more than this is somebody else, or a loop."""
OTHER_RPS = 5000.0
"""More than one receiver can commit: against a sender that ran wild, where the backlog alone would hold others up."""
LEGACY_SIGNATURES = ("v1", "v2")
_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class Receiving:
    """The environment, checked. ``secrets``: by variable, the words of its list. ``rps``: by source; ``other_rps`` for the
    sources that it does not name. ``proxies``: peers whose X-Forwarded-* headers are believed."""

    host: str = "127.0.0.1"
    port: int = PORT
    body_bytes: int = BODY_BYTES
    sources: frozenset[str] | None = None
    unverified: frozenset[str] = frozenset()
    proxies: frozenset[str] = frozenset()
    public_url: str | None = None
    hubspot_legacy: frozenset[str] = frozenset()
    own_domains: tuple[str, ...] = ()
    rps: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"hubspot": HUBSPOT_RPS}))
    other_rps: float = OTHER_RPS
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @classmethod
    def from_env(cls, *, host: str | None = None) -> Receiving:
        """``host`` goes before IC_RECEIVE_HOST. Raises ``Refused`` naming the variable and what it may be."""
        sources = frozenset(_words("IC_RECEIVE_SOURCES"))
        return cls(
            host=_host("IC_RECEIVE_HOST", host),
            port=_whole("IC_RECEIVE_PORT", PORT, 0, 65_535),
            body_bytes=_whole("IC_RECEIVE_MAX_BYTES", BODY_BYTES, 1024, _MOST_BYTES),
            sources=sources or None,
            unverified=frozenset(_words("IC_RECEIVE_UNVERIFIED")),
            proxies=frozenset(_addresses("IC_RECEIVE_PROXIES")),
            public_url=_public_url("IC_PUBLIC_URL"),
            hubspot_legacy=frozenset(_legacy("IC_HUBSPOT_LEGACY_SIGNATURES")),
            own_domains=_domains("IC_OWN_DOMAINS"),
            rps=MappingProxyType({"hubspot": _rate("IC_RECEIVE_HUBSPOT_RPS", HUBSPOT_RPS)}),
            other_rps=_rate("IC_RECEIVE_RPS", OTHER_RPS),
            secrets=MappingProxyType({name: _secrets(name) for name in SECRET_LISTS}),
        )

    def budget(self, source: str) -> float:
        """Requests a second that are taken from it."""
        return self.rps.get(source, self.other_rps)


def _get(name: str) -> str:
    return os.environ.get(name, "").strip()


def _words(name: str) -> tuple[str, ...]:
    """A list: words separated by blanks or commas, in small letters."""
    return tuple(_get(name).lower().replace(",", " ").split())


def _secrets(name: str) -> tuple[str, ...]:
    found = tuple(words_of(name, _get(name)))
    if any(not re.fullmatch(r"[^\x00-\x20\x7f]+", one) for one in found):
        raise Refused(f"{name} holds a character that cannot be in a secret; copy it again")
    return found


def _host(name: str, given: str | None) -> str:
    host = given or _get(name) or "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError as error:
        if host == "localhost":
            return "127.0.0.1"
        raise Refused(f"{name}={host!r} is not an address to listen on; use 127.0.0.1, 0.0.0.0 or ::") from error


def _whole(name: str, default: int, least: int, most: int) -> int:
    text = _get(name)
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1 if text else default
    if not least <= value <= most:
        raise Refused(f"{name}={text!r} is not a whole number from {least:,} to {most:,}")
    return value


def _rate(name: str, default: float) -> float:
    text = _get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 0 < value <= 100_000:
        raise Refused(f"{name}={text!r} is not a number of requests a second above 0 and up to 100,000")
    return value


def _addresses(name: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(word)) for word in _words(name))
    except ValueError as error:
        raise Refused(f"{name}={_get(name)!r} is not a list of addresses such as 127.0.0.1,10.0.0.7") from error


def _legacy(name: str) -> tuple[str, ...]:
    found = tuple(word for word in _words(name) if word != "none")
    if wrong := [word for word in found if word not in LEGACY_SIGNATURES]:
        raise Refused(f"{name}={wrong[0]!r} is none of none, {', '.join(LEGACY_SIGNATURES)}")
    return found


def _domains(name: str) -> tuple[str, ...]:
    found = tuple(word.removeprefix(".") for word in _words(name))
    if wrong := [word for word in found if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", word)]:
        raise Refused(f"{name} holds {wrong[0]!r}, which is no domain such as example.com")
    return found


def _public_url(name: str) -> str | None:
    url = _get(name)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"[!-~]+", url) or parts.query or parts.fragment or parts.username:
        raise Refused(
            f"{name} is not the address under which senders reach the receiver, such as https://in.example.com"
        )
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise Refused(f"{name} is http:// to another machine: what is signed would go in clear; use https://")
    return url.rstrip("/")
