"""Builds and serves the local HubSpot: the API, the ``/_sandbox`` controls, and the pages for people."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ic_assets.core.failures import Refused
from ic_assets.core.hosts import is_loopback
from ic_assets.core.serving import ServerLimits, configuration
from ic_assets.sandbox.http.chaos import Chaos
from ic_assets.sandbox.http.limits import Limits
from ic_assets.sandbox.hubspot.api import Sandbox
from ic_assets.sandbox.hubspot.errors import ApiError
from ic_assets.sandbox.hubspot.objects import OBJECT_TYPES, RECORD_TYPES
from ic_assets.sandbox.hubspot.pages.pages import page_routes
from ic_assets.sandbox.hubspot.portal import Modes, Portal
from ic_assets.sandbox.hubspot.store import Store

SHUTDOWN_SECONDS = 1


def create_app(
    database: Path,
    *,
    token: str,
    chaos: Chaos | None = None,
    modes: Modes | None = None,
    limits: Limits | None = None,
) -> Starlette:
    """The application on the SQLite file ``database``, which is made when it is not there.

    API requests need ``Authorization: Bearer <token>``. ``app.state.sandbox`` is the running ``Sandbox``.
    """
    portal = Portal(Store(database), modes or Modes(), chaos or Chaos())
    sandbox = Sandbox(portal, token, limits or Limits())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        yield
        portal.store.close()

    app = Starlette(
        routes=[*sandbox.routes(), *_control_routes(sandbox), *page_routes(portal)],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.add_middleware(LoopbackOnly)
    app.state.sandbox = sandbox
    return app


def serve(
    database: Path,
    *,
    token: str,
    host: str = "127.0.0.1",
    port: int = 0,
    or_any: bool = False,
    chaos: Chaos | None = None,
    modes: Modes | None = None,
    limits: Limits | None = None,
    ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serves until SIGTERM or SIGINT; ``ready`` is called with the port once requests are answered. ``or_any``: on another
    port where this one is taken.

    Raises ``Refused`` for an address that is not this machine's own, or a port that is taken.
    """
    try:
        listener = _listen(host, port)
    except Refused:
        if not or_any:
            raise
        listener = _listen(host, 0)
    with listener:
        app = create_app(database, token=token, chaos=chaos, modes=modes, limits=limits)
        server = _Server(
            configuration(
                app,
                ServerLimits(),
                log_level="warning",
                lifespan="on",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ),
            lambda: ready(listener.getsockname()[1]),
        )
        app.state.sandbox.connections = server.server_state.connections
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


class LoopbackOnly:
    """Refuses what a web page in the user's browser could send here: foreign host names, and foreign origins.

    The pages ask for no token, so a page elsewhere must not be able to reach them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            if not is_loopback(_host_name(headers.get(b"host", b""))) or b"origin" in headers:
                refusal = Response("The local HubSpot answers to this machine's own programs only.", 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _listen(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        raise Refused(f"the local HubSpot listens on this machine only: {host!r} is no loopback address")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise Refused(
            f"the local HubSpot cannot listen on {host}:{port}: {error.strerror}; choose another port"
        ) from error


def _host_name(host: bytes) -> str:
    try:
        return urlsplit("//" + host.decode("latin-1")).hostname or ""
    except ValueError:
        return ""


def _control_routes(sandbox: Sandbox) -> Iterator[Route]:
    """``/_sandbox``: what tests and tools use to look inside and to cause trouble, with the API's token."""

    async def state(_: Request) -> Response:
        return _json(_state(sandbox))

    async def requests(request: Request) -> Response:
        try:
            since = float(request.query_params.get("since", "0"))
        except ValueError:
            return _json({"message": "since must be a number: Unix seconds"}, 400)
        columns = ("id", "at", "method", "path", "status", "inputs", "milliseconds", "fault")
        found = sandbox.portal.store.rows(
            f"select {', '.join(columns)} from request where at > ? order by id",  # noqa: S608 - the names above
            (since,),
        )
        return _json({"requests": [dict(zip(columns, row, strict=True)) for row in found]})

    async def chaos(request: Request) -> Response:
        sandbox.portal.chaos = Chaos.from_json(await _body(request))
        return _json(_state(sandbox)["chaos"])

    async def reset(_: Request) -> Response:
        sandbox.reset()
        return _json(_state(sandbox))

    async def seed(request: Request) -> Response:
        body = dict(await _body(request))
        if zone := body.pop("zone", None):
            sandbox.portal.zone = ZoneInfo(zone)
        slugs = {kind.slug for kind in RECORD_TYPES}
        if wrong := set(body) - slugs:
            raise ValueError(f"seed takes {', '.join(sorted(slugs))}, not {', '.join(sorted(wrong))}")
        seeded = {
            slug: sandbox.portal.store.seed(slug, ((item["id"], item.get("properties") or {}) for item in items))
            for slug, items in body.items()
        }
        return _json({"seeded": seeded})

    for path, method, handler in (
        ("state", "GET", state),
        ("requests", "GET", requests),
        ("chaos", "POST", chaos),
        ("reset", "POST", reset),
        ("seed", "POST", seed),
    ):
        yield Route(f"/_sandbox/{path}", _guarded(sandbox, handler), methods=[method])


def _guarded(
    sandbox: Sandbox, handler: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        if not sandbox.knows(request):
            return _json({"message": "the controls ask for the token of the local HubSpot"}, 401)
        try:
            return await handler(request)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _json({"message": f"{type(error).__name__}: {error}"}, 400)

    return guarded


def _state(sandbox: Sandbox) -> dict[str, Any]:
    store, chaos = sandbox.portal.store, sandbox.portal.chaos
    counts = store.counts()
    by_status = store.rows("select status, count(*), sum(inputs) from request group by status order by status")
    return {
        "portal_id": store.portal_id,
        "objects": {kind.slug: counts.get(kind.slug, {"live": 0, "archived": 0}) for kind in OBJECT_TYPES},
        "associations": store.rows("select count(*) from association")[0][0] // 2,
        "requests": {
            "total": sum(count for _, count, _ in by_status),
            "by_status": {str(status): count for status, count, _ in by_status},
        },
        "chaos": {
            **{
                name: getattr(chaos, name) for name in ("seed", "latency", "jitter", "index_lag", "late", "retry_after")
            },
            **chaos.rates,
            "script": [
                {name: getattr(r, name) for name in ("match", "fault", "times", "skip", "contains")}
                for r in chaos.script
            ],
        },
    }


async def _body(request: Request) -> Mapping[str, Any]:
    body = orjson.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise TypeError("the body must be an object")
    return body


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json(ApiError(status, "resource not found" if status == 404 else str(error), None).rendered(), status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json;charset=utf-8")
