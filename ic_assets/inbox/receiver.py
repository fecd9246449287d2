"""The receiver of webhooks: a Starlette application that answers 2xx only for events that are committed. Who may post where
is data (``endpoints.py``), how a secret is proved is a verifier's, how events get into the table ``group_commit``'s.

Nothing of a request that is refused is kept, and its one log line holds no part of the body.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ic_assets.core.logs import log
from ic_assets.core.receiving import Receiving
from ic_assets.core.serving import tell_refusal
from ic_assets.inbox import exact_json, glance
from ic_assets.inbox.budgets import Budgets
from ic_assets.inbox.endpoints import Endpoint, Opened
from ic_assets.inbox.envelope import Arrival, Envelope, enveloped
from ic_assets.inbox.events import Outcome
from ic_assets.inbox.exact_json import NotJson
from ic_assets.inbox.group_commit import Away, Behind, GroupCommit, Unfit
from ic_assets.inbox.reading_requests import (
    Turned,
    arrived,
    base_of,
    body_of,
    headers_of,
    same_bodies,
    text_of,
    unpacked,
)
from ic_assets.inbox.registry import Registry
from ic_assets.inbox.verification.base import FROM_THE_FUTURE, Verdict, judge, passed
from ic_assets.inbox.verification.write_key import WriteKey
from ic_assets.inbox.watch import Watch

UNVERIFIED = "unverified"
_ALLOWED_HEADERS = b"content-type, content-encoding, x-write-key"
_AWAY_SECONDS = 5


class Receiver:
    """``address``: where the database is; ``own``: scheme and host on which it listens."""

    def __init__(
        self,
        address: Callable[[], str],
        registry: Registry,
        receiving: Receiving,
        endpoints: Sequence[Opened],
        own: str,
    ) -> None:
        bounds = {one.endpoint.source: one.endpoint.most_new for one in endpoints if one.endpoint.most_new is not None}
        self.receiving = receiving
        self.own = own
        self.commits = GroupCommit(address, registry)
        self.watch = Watch(address, bounds)
        self.budgets = Budgets(receiving.budget, time.monotonic)
        self.sources = {path: one.endpoint.source for one in endpoints for path in _paths(one.endpoint)}
        self.app = Starlette(
            routes=[
                *(
                    Route(path, _Door(self, one, registry), methods=_methods(one))
                    for one in endpoints
                    for path in _paths(one.endpoint)
                ),
                Route("/health", self._health),
                Route("/ready", self._ready),
            ],
            exception_handlers={HTTPException: _unknown},
            lifespan=self._lifespan,
        )
        self.app.router.redirect_slashes = False

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        commits = asyncio.create_task(self.commits.run())
        watch = asyncio.create_task(self.watch.run())
        yield
        # Requests have been answered by now: uvicorn waits for them before it ends this.
        self.commits.stop()
        await commits
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await self.watch.close()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Names each request, and tells and counts what is refused, by whomever."""

        async def named(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            number = secrets.token_hex(8)
            source = self.sources.get(scope["path"], "none")

            def told(status: int, why: str) -> None:
                log.info("request_refused", status=status, why=why, source=source, request=number)
                self.watch.refused(source, status, why)

            async def send_named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), (b"x-request-id", number.encode())]
                await send(message)

            scope["told"], scope["number"] = told, number
            await app(scope, receive, send_named)

        return named

    async def _health(self, _: Request) -> Response:
        return _json(200, {"alive": True})

    async def _ready(self, _: Request) -> Response:
        is_reachable = await self.watch.is_reachable()
        return _json(
            200 if is_reachable else 503,
            {
                "ready": is_reachable,
                "database": "reachable" if is_reachable else "away",
                "waiting_requests": self.commits.backlog,
                "oldest_seconds": round(self.commits.oldest_seconds, 3),
                "waiting_events": dict(self.watch.new),
            },
        )


class _Door:
    """One endpoint as an ASGI application. A flow that brings a door of the source reads its events here too."""

    def __init__(self, receiver: Receiver, one: Opened, registry: Registry) -> None:
        self._receiver = receiver
        self._endpoint = one.endpoint
        theirs = (door for flow in registry.flows for door in flow.doors if door.name == one.endpoint.source)
        self._read = next((door.read for door in theirs), one.endpoint.read)
        self._verifiers = one.verifiers
        self._is_unverified = one.is_unverified
        self._browsers = next((each for each in one.verifiers if isinstance(each, WriteKey)), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        shared = self._shared(headers) if self._endpoint.for_browsers else []
        try:
            if scope["method"] == "OPTIONS":
                await _send(send, 204, b"", shared)
                return
            counts = await self._take(scope, headers, receive)
            await _send(send, 200, orjson.dumps(counts), shared)
        except Turned as turned:
            tell_refusal(scope, turned.status, turned.why)
            if turned.retry_after:
                shared = [*shared, (b"retry-after", str(turned.retry_after).encode())]
            if turned.status == 401 and self._endpoint.source == "chargebee":
                shared = [*shared, (b"www-authenticate", b'Basic realm="events"')]
            await _send(send, turned.status, orjson.dumps({"error": turned.why}), shared)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - its text may hold a part of the body
            log.error(
                "receiver_failed", error=type(error).__name__, source=self._endpoint.source, request=scope["number"]
            )
            await _send(send, 500, orjson.dumps({"error": "a defect of the receiver"}), shared)

    def _shared(self, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
        """What lets a page of an own domain send and read the answer."""
        origin = headers.get("origin", "")
        if not (origin and self._browsers and self._browsers.allows(origin)):
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ]

    async def _take(self, scope: Scope, headers: dict[str, str], receive: Receive) -> dict[str, int]:
        """Reads, judges and stores one request. Raises ``Turned``."""
        receiver, source = self._receiver, self._endpoint.source
        raw = await body_of(receive)
        body = unpacked(headers, raw, receiver.receiving.body_bytes)
        verdict = self._judge(scope, headers, same_bodies(raw, body))
        if verdict.by is None:
            raise Turned(401, verdict.reason)
        if wait := receiver.budgets.take(source):
            raise Turned(429, "over the source's budget", wait)
        if receiver.watch.is_full(source):
            raise Turned(429, "too many events of the source wait", _AWAY_SECONDS)
        events = self._events(text_of(headers, body), verdict, scope["number"])
        if not events:
            return {"stored": 0, "known": 0}
        try:
            outcomes = await receiver.commits.store(events, len(body))
        except Behind as behind:
            raise Turned(429, "the database is behind", behind.retry_after) from None
        except Away:
            raise Turned(503, "the database is away", _AWAY_SECONDS) from None
        except Unfit:
            raise Turned(400, "values that no database can hold") from None
        known = outcomes.count(Outcome.duplicate)
        receiver.watch.stored(source, len(outcomes) - known)
        return {"stored": len(outcomes) - known, "known": known}

    def _judge(self, scope: Scope, headers: dict[str, str], bodies: Sequence[bytes]) -> Verdict:
        base = base_of(scope, headers, self._receiver.receiving, self._receiver.own)
        request = arrived(scope, headers, bodies[0], time.time(), base)
        verdict = judge(request, self._verifiers)
        if verdict.by is None and len(bodies) > 1:
            verdict = judge(replace(request, body=bodies[1]), self._verifiers)
        return passed(UNVERIFIED) if verdict.by is None and self._is_unverified else verdict

    def _events(self, text: str, verdict: Verdict, number: str) -> list[Envelope]:
        """Raises ``Turned``."""
        arrival = Arrival(verdict.by or UNVERIFIED)
        try:
            if self._endpoint.takes_lists:
                found = [self._enveloped(value, own, arrival) for value, own in glance.elements_of(text)]
            else:
                value, fits = glance.value_of(text)
                found = [self._enveloped(value, text, arrival, fits=fits)]
        except NotJson as error:
            raise Turned(400, str(error)) from None
        return [self._ruled(event, verdict, number) for event in found]

    def _enveloped(self, value: Any, text: str, arrival: Arrival, *, fits: bool = False) -> Envelope:
        endpoint = self._endpoint
        try:
            event = enveloped(endpoint.source, text, value, self._read, arrival, fits=fits)
        except TypeError:  # an id made of the content wants its numbers as they are written
            event = enveloped(endpoint.source, text, exact_json.loads(text), self._read, arrival)
        if endpoint.takes_lists and event.reason == "not_an_object":
            return event.model_copy(update={"reason": None})  # of a type that nobody knows
        return event

    def _ruled(self, event: Envelope, verdict: Verdict, number: str) -> Envelope:
        """The event under the rules of its endpoint."""
        endpoint = self._endpoint
        if endpoint.own_topics and not endpoint.own_topics(event.topic or ""):
            log.info("wrong_endpoint", source=endpoint.source, request=number)
            self._receiver.watch.refused(endpoint.source, 200, "wrong_endpoint")
        if event.reason is not None:
            return event
        if endpoint.takes and not endpoint.takes(event.topic or ""):
            return event.model_copy(update={"reason": "needs_signature"})
        ahead = verdict.future_seconds
        if ahead is not None and event.occurred_at and event.occurred_at > datetime.now(UTC) + timedelta(seconds=ahead):
            if endpoint.refuses_future:
                raise Turned(401, FROM_THE_FUTURE)
            return event.model_copy(update={"reason": FROM_THE_FUTURE})
        return event


def _paths(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.path, f"{endpoint.path}/"


def _methods(one: Opened) -> list[str]:
    return ["POST", "OPTIONS"] if one.endpoint.for_browsers else ["POST"]


async def _unknown(request: Request, error: Exception) -> Response:
    """Paths and methods that there are not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    tell_refusal(request.scope, status, "no such endpoint" if status == 404 else "a method other than POST")
    return _json(status, {"error": "no such endpoint" if status == 404 else "POST only"})


def _json(status: int, value: Any) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _send(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
