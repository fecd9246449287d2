"""Limits of the HTTP servers of this project: what a peer may send, how slowly, and how many may do so at a time.

uvicorn bounds neither the time that a request takes to arrive nor a body, and with its quicker parser no header either:
half-sent requests would hold their connections for ever. Knows no routes and no tokens; the local vendors serve with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ic_assets.core.logs import log

# A refused body is read on for so long, and thrown away: closed at once, the peer's machine would drop our refusal.
_READ_ON_SECONDS = 2.0


@dataclass(frozen=True)
class ServerLimits:
    """Times in seconds: ``head`` and ``body`` from their first byte (of a connection: from its start) to their last,
    ``idle`` between requests, ``write`` for a peer that does not take our answer. ``held_bytes``: of all bodies together.
    Beyond ``connections``, the oldest one that has not sent a whole request makes room."""

    head_seconds: float = 5.0
    body_seconds: float = 30.0
    idle_seconds: int = 75
    write_seconds: float = 30.0
    head_bytes: int = 64 << 10
    headers: int = 100
    body_bytes: int = 32 << 20
    held_bytes: int = 256 << 20
    connections: int = 512


def configuration(
    app: ASGIApp, limits: ServerLimits, *, around: Callable[[ASGIApp], ASGIApp] = lambda inner: inner, **more: Any
) -> uvicorn.Config:
    """uvicorn's settings to serve ``app`` within the limits. HTTP/1.1 alone: no web sockets. No header of a proxy is
    believed: whoever is told to believe one reads it. ``around`` puts something outside of the bounds on bodies."""
    protocol = type("_Protocol", (_BoundedProtocol,), {"limits": limits, "everyone": {}})
    return uvicorn.Config(
        around(_BoundedBodies(app, limits)),
        http=protocol,
        ws="none",
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_keep_alive=limits.idle_seconds,
        server_header=False,
        access_log=False,
        **more,
    )


class _BoundedProtocol(H11Protocol):
    """One connection. uvicorn's own timer covers the time between requests; the others are kept here."""

    limits: ClassVar[ServerLimits]
    everyone: ClassVar[dict[_BoundedProtocol, None]]
    """The server's connections, the oldest first."""

    _waits_for: str | None = None
    _arriving: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.everyone) >= self.limits.connections:
            oldest = next((one for one in self.everyone if one.is_waiting), self)
            oldest.drop("connections")
        if not transport.is_closing():
            self.everyone[self] = None
            self._wait_for("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self.everyone.pop(self, None)
        self._wait_for(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look(has_begun=True)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._time_answer()
        self._look(has_begun=bool(self.conn.trailing_data[0]))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._time_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def send_400_response(self, msg: str) -> None:
        # What is no HTTP, or has a head without an end, never becomes a request.
        _tell(400, "no HTTP, or a head that is too long")
        super().send_400_response(msg)

    @property
    def is_waiting(self) -> bool:
        """Whether no whole request is being answered."""
        return self.cycle is None or self.cycle.response_complete or self.conn.their_state is h11.SEND_BODY

    def _look(self, *, has_begun: bool) -> None:
        state = self.conn.their_state
        if state is h11.IDLE:
            self._wait_for("head" if has_begun else None)
        else:
            self._wait_for("body" if state is h11.SEND_BODY else None)

    def _wait_for(self, what: str | None) -> None:
        """Starts the time of what is arriving, unless that is running already."""
        if what == self._waits_for:
            return
        self._waits_for = what
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
        if what is not None:
            seconds = self.limits.head_seconds if what == "head" else self.limits.body_seconds
            self._arriving = self.loop.call_later(seconds, self.drop, what)

    def _time_answer(self) -> None:
        if self._leaving is None:
            self._leaving = self.loop.call_later(self.limits.write_seconds, self._look_at_buffer)

    def _look_at_buffer(self) -> None:
        self._leaving = None
        if self.transport.get_write_buffer_size():
            self.drop("answer")

    def drop(self, why: str) -> None:
        log.info("connection_dropped", why=why)
        self.everyone.pop(self, None)
        self.transport.abort()


class _BoundedBodies:
    """Refuses what has too many headers (431) or too long a body (413), however that is announced, and bodies that are
    too many at a time (503). A body is read when the application asks for it, not before."""

    def __init__(self, app: ASGIApp, limits: ServerLimits) -> None:
        self._app = app
        self._limits = limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        announced = next((value for name, value in headers if name == b"content-length"), b"0")
        if len(headers) > self._limits.headers:
            await _refuse(431, f"more than {self._limits.headers} headers", scope, receive, send)
        elif not announced.isdigit() or len(announced) > 18 or int(announced) > self._limits.body_bytes:
            await _refuse(413, f"a body of more than {self._limits.body_bytes:,} bytes", scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        length, is_refused = 0, False

        async def bounded_receive() -> Message:
            nonlocal length, is_refused
            message = await receive()
            part = len(message.get("body", b""))
            length += part
            self._held += part
            if length > self._limits.body_bytes:
                is_refused = True
                await _refuse(413, f"a body of more than {self._limits.body_bytes:,} bytes", scope, receive, send)
            elif self._held > self._limits.held_bytes and message["type"] == "http.request":
                is_refused = True
                await _refuse(503, "too many bodies at a time", scope, receive, send)
            return {"type": "http.disconnect"} if is_refused else message

        async def bounded_send(message: Message) -> None:
            if not is_refused:
                await send(message)

        try:
            # A peer that went away is no error of the application's.
            with suppress(ClientDisconnect):
                await self._app(scope, bounded_receive, bounded_send)
        finally:
            self._held -= length


def tell_refusal(scope: Scope, status: int, why: str) -> None:
    """The one log line of a refused request, without anything that it held, and what else the server does of one: an
    application that names its requests puts ``told`` into the scope, a function of status and reason."""
    told: Callable[[int, str], None] = scope.get("told") or _tell
    told(status, why)


def _tell(status: int, why: str) -> None:
    log.info("request_refused", status=status, why=why)


async def _refuse(status: int, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    async def send_late(message: Message) -> None:
        if message["type"] == "http.response.body":
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(_READ_ON_SECONDS):
                    while (left := await receive())["type"] == "http.request" and left.get("more_body"):
                        pass
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    tell_refusal(scope, status, why)
    await PlainTextResponse(f"{why}\n", status, {"Connection": "close"})(scope, receive, send_late)
