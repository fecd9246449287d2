"""The one maker of HTTP clients: what leaves goes where it is addressed, what comes back is bounded in size and time.

Neither kind of client looks at ``HTTP_PROXY`` and its like: a proxy of the environment would read names, addresses and
tokens that go over plain http. A proxy is a setting of ours (``IC_HTTPS_PROXY``) and is for https to other machines
alone. Redirects are not followed. Every exception is an ``httpx.HTTPError``.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from ic_assets.core.hosts import is_loopback

_SENDING = "http11.send_request_headers.started"


@dataclass(frozen=True)
class Bounds:
    """Of one request. ``seconds``: from its first byte to the last of the reply, however slowly that comes.
    ``reply_bytes``: of the reply's body, compressed and decompressed. ``held_bytes``: of all bodies that one client is
    reading at a time."""

    seconds: float = 60.0
    connect_seconds: float = 10.0
    reply_bytes: int = 1 << 20
    held_bytes: int = 128 << 20


class UnreadableReply(httpx.RemoteProtocolError):
    """A reply whose status and headers came, and whose body is too large, cut, or packed wrongly."""

    def __init__(self, why: str, response: httpx.Response) -> None:
        super().__init__(f"{response.status_code} with {why}")
        self.status = response.status_code
        self.headers = response.headers


def client(
    base_url: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    proxy: str | None = None,
    bounds: Bounds = Bounds(),
) -> httpx.Client:
    """For single requests of commands: each opens its own connection. Not inside a running event loop."""
    _keep_addresses_out_of_logs()
    return httpx.Client(
        base_url=base_url,
        headers=_headers(headers),
        timeout=_timeout(bounds),
        trust_env=False,
        follow_redirects=False,
        transport=_Blocking(proxy, bounds),
    )


def async_client(
    base_url: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    proxy: str | None = None,
    bounds: Bounds = Bounds(),
    connections: int = 16,
) -> httpx.AsyncClient:
    """Keeps up to ``connections`` open. The time of a request's own ``trace`` hook, where a sender waits for its turn, is
    not counted, and the hook is not called for the ``CONNECT`` to a proxy."""
    _keep_addresses_out_of_logs()
    return httpx.AsyncClient(
        base_url=base_url,
        headers=_headers(headers),
        timeout=_timeout(bounds),
        trust_env=False,
        follow_redirects=False,
        transport=_Bounded(proxy, bounds, connections),
    )


class _Bounded(httpx.AsyncBaseTransport):
    """Reads each reply whole, within the bounds, before it hands it on."""

    def __init__(self, proxy: str | None, bounds: Bounds, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._bounds = bounds
        self._held = 0
        self._direct = httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False, limits=limits)
        self._proxied = proxy and httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False, limits=limits, proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        loop, inner = asyncio.get_running_loop(), request.extensions.get("trace")
        try:
            async with asyncio.timeout(None) as limit:

                async def trace(event: str, info: Mapping[str, Any]) -> None:
                    if event == _SENDING:
                        limit.reschedule(None)
                    if inner is not None and not _is_to_proxy(info):
                        await inner(event, info)
                    if event == _SENDING:
                        limit.reschedule(loop.time() + self._bounds.seconds)

                request.extensions = {**request.extensions, "trace": trace}
                response = await self._way(request).handle_async_request(request)
                try:
                    content = await self._content(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole reply within {self._bounds.seconds:g} s", request=request) from error
        return httpx.Response(response.status_code, headers=_unpacked(response.headers), content=content)

    async def aclose(self) -> None:
        await self._direct.aclose()
        if self._proxied:
            await self._proxied.aclose()

    def _way(self, request: httpx.Request) -> httpx.AsyncHTTPTransport:
        if self._proxied and request.url.scheme == "https" and not is_loopback(request.url.host):
            return self._proxied
        return self._direct

    async def _content(self, response: httpx.Response) -> bytes:
        """The body, unpacked. Raises ``UnreadableReply``. What is held while it is read counts for the whole client."""
        unpack = _unpacker(response)
        content, packed, held = bytearray(), 0, 0
        try:
            async for chunk in response.aiter_raw():
                packed += len(chunk)
                room = self._bounds.reply_bytes - len(content)
                part = chunk if unpack is None else _part(unpack, chunk, room + 1, response)
                if len(part) > room or packed > self._bounds.reply_bytes:
                    raise UnreadableReply(f"a body of more than {self._bounds.reply_bytes:,} bytes", response)
                self._held += len(part)
                held += len(part)
                if self._held > self._bounds.held_bytes:
                    raise UnreadableReply("a body that is one too many at a time", response)
                content += part
        finally:
            self._held -= held
        if unpack is not None and packed and not unpack.eof:
            raise UnreadableReply("a body of gzip that is cut", response)
        return bytes(content)


class _Blocking(httpx.BaseTransport):
    """The same for code without an event loop. A blocking socket has no deadline for a reply as a whole: a byte now and
    then would renew its timeout for ever."""

    def __init__(self, proxy: str | None, bounds: Bounds) -> None:
        self._proxy = proxy
        self._bounds = bounds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = _Bounded(self._proxy, self._bounds, 1)
            try:
                return await transport.handle_async_request(request)
            finally:
                await transport.aclose()

        return asyncio.run(once())


def _is_to_proxy(info: Mapping[str, Any]) -> bool:
    request = info.get("request")
    return request is not None and request.method == b"CONNECT"


def _headers(given: Mapping[str, str] | None) -> dict[str, str]:
    # What else the installed packages could unpack is not asked for, since its size is not bounded here.
    return {"Accept-Encoding": "gzip", **(given or {})}


def _timeout(bounds: Bounds) -> httpx.Timeout:
    return httpx.Timeout(bounds.seconds, connect=bounds.connect_seconds, pool=None)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Certificates of the package certifi, or those that SSL_CERT_FILE or SSL_CERT_DIR name: a company's own."""
    return httpx.create_ssl_context()


def _unpacker(response: httpx.Response) -> Any:
    """None for a plain body."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("", "identity"):
        return None
    if packing in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=31)
    raise UnreadableReply("a packing that was not asked for", response)


def _part(unpack: Any, chunk: bytes, most: int, response: httpx.Response) -> bytes:
    try:
        part: bytes = unpack.decompress(chunk, most)
    except zlib.error as error:
        raise UnreadableReply("a body that is not the gzip it is said to be", response) from error
    return part


def _unpacked(headers: httpx.Headers) -> list[tuple[str, str]]:
    told = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in headers.multi_items() if name.lower() not in told]


def _keep_addresses_out_of_logs() -> None:
    # httpx logs the address of every request at INFO, and that of a webhook is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
