"""The routes of the API in all three versions, and what happens to every request on its way: token, rate limit,
misbehaviour, transaction, log."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ic_assets.sandbox.http import limits
from ic_assets.sandbox.http.chaos import BEFORE, Chaos, Verdict
from ic_assets.sandbox.http.limits import Limits, RateLimiter
from ic_assets.sandbox.hubspot import associations, definitions, reading, search, writing
from ic_assets.sandbox.hubspot.calls import Call, Reply
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request
from ic_assets.sandbox.hubspot.portal import Portal

Handler = Callable[[Call], Reply]
VERSIONS = ("v3", "2026-03", "2026-09")


@dataclass(frozen=True)
class Endpoint:
    """One operation: its method, its path below the version's prefix, and whether it can change anything."""

    method: str
    path: str
    handler: Handler
    writes: bool = True


_OBJECTS = (
    Endpoint("POST", "/{kind}/batch/create", writing.batch_create),
    Endpoint("POST", "/{kind}/batch/read", reading.batch_read, writes=False),
    Endpoint("POST", "/{kind}/batch/update", writing.batch_update),
    Endpoint("POST", "/{kind}/batch/upsert", writing.batch_upsert),
    Endpoint("POST", "/{kind}/batch/archive", reading.batch_archive),
    Endpoint("POST", "/{kind}/search", search.search, writes=False),
    Endpoint("GET", "/{kind}", reading.list_records, writes=False),
    Endpoint("POST", "/{kind}", writing.create),
    Endpoint("GET", "/{kind}/{id}", reading.read, writes=False),
    Endpoint("PATCH", "/{kind}/{id}", writing.update),
    Endpoint("DELETE", "/{kind}/{id}", reading.archive),
)
_PROPERTIES = (
    Endpoint("POST", "/{kind}/batch/create", definitions.batch_create_properties),
    Endpoint("POST", "/{kind}/batch/read", definitions.batch_read_properties, writes=False),
    Endpoint("GET", "/{kind}/groups", definitions.list_groups, writes=False),
    Endpoint("POST", "/{kind}/groups", definitions.create_group),
    Endpoint("GET", "/{kind}", definitions.list_properties, writes=False),
    Endpoint("POST", "/{kind}", definitions.create_property),
    Endpoint("GET", "/{kind}/{name}", definitions.read_property, writes=False),
    Endpoint("PATCH", "/{kind}/{name}", definitions.change_property),
    Endpoint("DELETE", "/{kind}/{name}", definitions.archive_property),
)
_ASSOCIATIONS = (
    Endpoint("POST", "/{kind}/{to_kind}/batch/create", associations.batch_create),
    Endpoint("POST", "/{kind}/{to_kind}/batch/associate/default", associations.batch_associate_default),
    Endpoint("POST", "/{kind}/{to_kind}/batch/read", associations.batch_read, writes=False),
    Endpoint("POST", "/{kind}/{to_kind}/batch/archive", associations.batch_archive),
    Endpoint("GET", "/{kind}/{to_kind}/labels", associations.labels, writes=False),
)
_ONE_ASSOCIATION = (
    Endpoint("PUT", "/{kind}/{id}/associations/default/{to_kind}/{to_id}", associations.associate_default),
    Endpoint("GET", "/{kind}/{id}/associations/{to_kind}", associations.list_associations, writes=False),
    Endpoint("PUT", "/{kind}/{id}/associations/{to_kind}/{to_id}", associations.associate),
    Endpoint("DELETE", "/{kind}/{id}/associations/{to_kind}/{to_id}", associations.dissociate),
)
_ACCOUNT = (Endpoint("GET", "/details", definitions.account_details, writes=False),)
_OWNERS = (Endpoint("GET", "", definitions.owners, writes=False),)


def _prefixes(version: str) -> Iterable[tuple[str, tuple[Endpoint, ...]]]:
    if version == "v3":
        return (
            ("/crm/v3/objects", _OBJECTS),
            ("/crm/v3/properties", _PROPERTIES),
            ("/crm/v4/associations", _ASSOCIATIONS),
            ("/crm/v4/objects", _ONE_ASSOCIATION),
            ("/account-info/v3", _ACCOUNT),
            ("/crm/v3/owners", _OWNERS),
        )
    return (
        (f"/crm/objects/{version}", _OBJECTS + _ONE_ASSOCIATION),
        (f"/crm/properties/{version}", _PROPERTIES),
        (f"/crm/associations/{version}", _ASSOCIATIONS),
        (f"/account-info/{version}", _ACCOUNT),
        (f"/crm/owners/{version}", _OWNERS),
    )


class Sandbox:
    """The running local HubSpot: the portal and what stands between it and the wire."""

    def __init__(self, portal: Portal, token: str, rate_limits: Limits) -> None:
        self.portal = portal
        self._token = f"Bearer {token}".encode()
        self._limits = rate_limits
        self.limiter = RateLimiter(rate_limits, self._answered_today())
        self.connections: Iterable[Any] = ()
        """uvicorn's open connections, for closing one without an answer; ``serve`` fills it."""
        self._late: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        return [
            Route(prefix + endpoint.path, self._respond(endpoint, version), methods=[endpoint.method])
            for version in VERSIONS
            for prefix, endpoints in _prefixes(version)
            for endpoint in endpoints
        ]

    def knows(self, request: Request) -> bool:
        """Whether the request carries the token."""
        return secrets.compare_digest(request.headers.get("authorization", "").encode(), self._token)

    def reset(self) -> None:
        self.portal.store.reset()
        self.portal.chaos = Chaos()
        self.portal.reload()
        self.limiter = RateLimiter(self._limits)

    def _answered_today(self) -> int:
        found = self.portal.store.rows(
            "select count(*) from request where at >= ? and status not in (401, 429)", (limits.midnight().timestamp(),)
        )
        return int(found[0][0])

    def _respond(self, endpoint: Endpoint, version: str) -> Callable[[Request], Awaitable[Response]]:
        is_search = endpoint.handler is search.search

        async def respond(request: Request) -> Response:
            arrived, begun = time.time(), time.perf_counter()
            # The body of somebody without the token is not read.
            body, unreadable = _decoded(await request.body() if self.knows(request) else b"")
            call = Call(self.portal, version, request.path_params, request.query_params, body)
            label = f"{request.method} {request.url.path}"
            answer, fault = await self._answer(request, endpoint, call, label, unreadable, is_search=is_search)
            if not is_search and answer.status_code != 401 and answer.media_type != "text/html":
                answer.headers.update(self.limiter.headers())
            status = 0 if isinstance(answer, Dropped) and answer.share == 0 else answer.status_code
            took = (time.perf_counter() - begun) * 1000
            self.portal.store.log(
                arrived, request.method, request.url.path, status, _input_count(request.method, body), took, fault
            )
            return answer

        return respond

    async def _answer(
        self,
        request: Request,
        endpoint: Endpoint,
        call: Call,
        label: str,
        unreadable: ApiError | None,
        *,
        is_search: bool,
    ) -> tuple[Response, str | None]:
        """The response, and the fault that was shown, if any."""
        if not self.knows(request):
            return _response(_unauthorized()), None
        if policy := self.limiter.admit(is_search=is_search):
            return _too_many(policy, self.portal.chaos), None
        chaos = self.portal.chaos
        verdict, wait = chaos.judge(label), chaos.wait()
        call = replace(call, verdict=verdict)
        fault = verdict.fault
        if wait:
            await asyncio.sleep(wait / 2)
        if fault in BEFORE:
            if wait:
                await asyncio.sleep(wait / 2)
            return self._before(request, fault), fault
        if fault == "late_commit":
            self._commit_late(endpoint, call, unreadable)
            return _fault_status(504, chaos), fault
        reply = self._run(endpoint, call, unreadable)
        if wait:
            await asyncio.sleep(wait / 2)
        return self._after(request, call, reply), fault or ("shuffle" if verdict.shuffle else None)

    def _run(self, endpoint: Endpoint, call: Call, unreadable: ApiError | None) -> Reply:
        try:
            if unreadable is not None:
                raise unreadable
            if not endpoint.writes:
                return endpoint.handler(call)
            with self.portal.store.transaction():
                reply = endpoint.handler(call)
            self.portal.unsaved = False
        except ApiError as error:
            self.portal.forget_unsaved()
            return Reply(error.status, error.rendered())
        return reply

    def _before(self, request: Request, fault: str) -> Response:
        if fault == "lost_before":
            return Dropped(self, request, b"", 0)
        return _fault_status(int(fault.removeprefix("http_")), self.portal.chaos)

    def _after(self, request: Request, call: Call, reply: Reply) -> Response:
        verdict = call.verdict
        if reply.status < 300:
            if verdict.fault and verdict.fault.endswith("_after"):
                return _fault_status(int(verdict.fault.split("_")[1]), self.portal.chaos)
            _disarrange(reply, verdict, self.portal.chaos)
        content = b"" if reply.body is None else orjson.dumps(reply.body)
        if verdict.fault in ("lost_reply", "cut_reply"):
            share = 0 if verdict.fault == "lost_reply" else len(content) // 2
            return Dropped(self, request, content, share, reply.status)
        return _response(reply)

    def _commit_late(self, endpoint: Endpoint, call: Call, unreadable: ApiError | None) -> None:
        async def commit() -> None:
            await asyncio.sleep(self.portal.chaos.late / 1000)
            self._run(endpoint, call, unreadable)

        task = asyncio.create_task(commit())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


class Dropped(Response):
    """An answer that ends with the connection: after ``share`` bytes of the body, or without a byte (0)."""

    def __init__(self, sandbox: Sandbox, request: Request, content: bytes, share: int, status: int = 200) -> None:
        super().__init__(content, status, media_type="application/json;charset=utf-8")
        self.share = share
        self._sandbox, self._client = sandbox, request.scope.get("client")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.share:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            part = bytes(self.body[: self.share])
            await send({"type": "http.response.body", "body": part, "more_body": True})
        for connection in list(self._sandbox.connections):
            if connection.client == self._client:
                connection.transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def _decoded(raw: bytes) -> tuple[Any, ApiError | None]:
    if not raw:
        return None, None
    try:
        return orjson.loads(raw), None
    except orjson.JSONDecodeError as error:
        return None, bad_request(f"{error.msg} at line {error.lineno}, column {error.colno}")


def _input_count(method: str, body: Any) -> int:
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if isinstance(inputs, list):
        return len(inputs)
    return 0 if method == "GET" else 1


def _disarrange(reply: Reply, verdict: Verdict, chaos: Chaos) -> None:
    results = reply.body.get("results") if reply.body else None
    if verdict.fault == "empty":
        reply.body = None
    elif isinstance(results, list) and reply.body is not None:
        if verdict.shuffle:
            results = chaos.shuffled(results)
        if verdict.fault == "short":
            results = results[: len(results) // 2]
        elif verdict.fault == "repeat":
            results = results + results[: max(1, len(results) // 2)]
        reply.body = {**reply.body, "results": results}


def _fault_status(status: int, chaos: Chaos) -> Response:
    """An error of HubSpot's (JSON), of its front or of Cloudflare (neither JSON nor rate-limit headers)."""
    if status == 429:
        return _too_many("TEN_SECONDLY_ROLLING", chaos)
    headers = _retry_after(chaos) if status in (477, 503) else {}
    if status in (423, 477, 500):
        return _json(status, ApiError(status, "The sandbox was told to fail.", None).rendered(), headers)
    return Response(f"<html><body><h1>{status}</h1></body></html>", status, headers, media_type="text/html")


def _too_many(policy: str, chaos: Chaos) -> Response:
    return _json(429, limits.refusal(policy), _retry_after(chaos))


def _retry_after(chaos: Chaos) -> dict[str, str]:
    return {} if chaos.retry_after is None else {"Retry-After": f"{chaos.retry_after:g}"}


def _unauthorized() -> Reply:
    error = ApiError(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more"
        " details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )
    return Reply(401, error.rendered())


def _response(reply: Reply) -> Response:
    return Response(status_code=reply.status) if reply.body is None else _json(reply.status, reply.body)


def _json(status: int, body: Json, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json;charset=utf-8")
