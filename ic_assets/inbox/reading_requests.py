"""A request's body as text, and its headers as verifiers take them. Whatever is wrong with one is a ``Turned`` with its
status; nothing of the body is in it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from ic_assets.core.receiving import Receiving
from ic_assets.inbox import glance
from ic_assets.inbox.exact_json import NotJson
from ic_assets.inbox.verification.base import Arrived

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF8 = ("utf-8", "utf8", "us-ascii", "ascii")
_GZIP = ("gzip", "x-gzip")
_GZIP_HEADER = 31
"""zlib's code for a window of 32 KiB within gzip's head and tail."""


class Turned(Exception):
    """The request is not taken. ``why``: a few words for the log and the answer; ``retry_after``: seconds."""

    def __init__(self, status: int, why: str, retry_after: int = 0) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.retry_after = retry_after


async def body_of(receive: Receive) -> bytes:
    """The body as it was sent; ``core/serving.py`` bounds it. Raises ``ClientDisconnect``."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name; of one that came twice the values joined by a comma."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def arrived(scope: Scope, headers: dict[str, str], body: bytes, at: float, base: str) -> Arrived:
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return Arrived(scope["method"], target, headers, body, at, base)


def base_of(scope: Scope, headers: dict[str, str], receiving: Receiving, own: str) -> str:
    """Scheme and host under which the sender knows us: as set; else what a proxy says that is to be believed; else the
    address on which we listen. Never the Host header, which the sender writes."""
    if receiving.public_url:
        return receiving.public_url
    peer = (scope.get("client") or ("",))[0]
    if peer in receiving.proxies:
        host, scheme = _last(headers, "x-forwarded-host"), _last(headers, "x-forwarded-proto") or "https"
        if host:
            return f"{scheme}://{host}"
    return own


def _last(headers: dict[str, str], name: str) -> str:
    """What the nearest proxy added; what stands before it came with the request."""
    return headers.get(name, "").rpartition(",")[2].strip()


def unpacked(headers: dict[str, str], body: bytes, most: int) -> bytes:
    """The body without its Content-Encoding, at most ``most`` bytes of it. Raises ``Turned``."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in _GZIP:
        raise Turned(415, "a content encoding other than gzip")
    inflater = zlib.decompressobj(_GZIP_HEADER)
    try:
        found = inflater.decompress(body, most + 1)
    except zlib.error:
        raise Turned(400, "not gzip") from None
    if len(found) > most:
        raise Turned(413, f"more than {most:,} bytes when unpacked")
    if not inflater.eof or inflater.unused_data:
        raise Turned(400, "gzip that is cut, or more behind its end")
    return found


def text_of(headers: dict[str, str], body: bytes) -> str:
    """Raises ``Turned`` for what is not UTF-8, or says that it is something else."""
    charset = _CHARSET.search(headers.get("content-type", ""))
    if charset and charset[1].lower() not in _UTF8:
        raise Turned(400, "a charset other than UTF-8")
    try:
        return glance.text_of(body)
    except NotJson as error:
        raise Turned(400, str(error)) from None


def same_bodies(raw: bytes, plain: bytes) -> Sequence[bytes]:
    """What a sender may have signed: the bytes as sent, or as they were before its HTTP library packed them."""
    return (raw,) if raw is plain else (raw, plain)
