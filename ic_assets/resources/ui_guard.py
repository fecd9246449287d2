"""What stands between Dagster's UI and everything that can reach its port: an ASGI middleware, and the keys that let a
browser in. It knows no Dagster beyond the path ``/graphql``; ``resources/webserver.py`` puts it in front.

Dagster's own server runs mutations that come by GET, and asks neither for a name nor for an origin: any page in the user's
browser could push with one ``<img>``, and so could any other user of the machine. Here

- the Host is this machine's loopback or the name in ``IC_UI_URL``, so that a name which a page had pointed at 127.0.0.1
  (DNS rebinding) leads nowhere;
- what a script or a page of another origin sends is refused, another port of this machine included, and no page may
  frame the UI;
- whatever changes something is a POST of JSON from the UI's own origin: a form cannot make one, and a script of another
  origin would have to ask first;
- every request but ``/server_info`` wants a session: a cookie that a link gives, which works once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ic_assets.resources import http

ENTRANCE = "/enter/"
_LINK_SECONDS = 12 * 3600
_SESSION_SECONDS = 30 * 24 * 3600
_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d{1,5})?")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OPEN = frozenset({"/server_info"})  # versions; whether the UI answers
_HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Keys:
    """Makes and knows the links and sessions of one ``IC_HOME``. Its secret is a file for the owner alone; who can read
    that can read the data as well. Remove the file to end all sessions."""

    def __init__(self, home: Path) -> None:
        self._secret = _secret(home / "run" / "ui-key")
        # Browsers send the cookies of one host to all of its ports: two homes' must not have one name.
        self.cookie = f"ic_assets_{hashlib.sha256(self._secret).hexdigest()[:8]}"

    def link(self, address: str) -> str:
        """An address that lets one browser in, once, within twelve hours."""
        return f"{address}{ENTRANCE}{self.token('link')}"

    def token(self, kind: str) -> str:
        text = f"{int(time.time())}.{secrets.token_urlsafe(16)}"
        return f"{text}.{self._mac(kind, text)}"

    def made_at(self, kind: str, token: str) -> int | None:
        """When a token of that kind was made; None when it is none of ours."""
        text, _, mac = token.rpartition(".")
        moment = text.partition(".")[0]
        if not (
            text.isascii() and moment.isdigit() and hmac.compare_digest(mac.encode(), self._mac(kind, text).encode())
        ):
            return None
        return int(moment)

    def _mac(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind}.{text}".encode(), hashlib.sha256).hexdigest()


def _secret(path: Path) -> bytes:
    """Whoever comes first makes it, whole; the others take the same."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            path.hardlink_to(name)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
    return path.read_bytes()


def answers(address: str) -> bool:
    """Whether a UI is served there."""
    try:
        with http.client(bounds=http.Bounds(seconds=5.0)) as client:
            return client.get(f"{address}/server_info").is_success
    except httpx.HTTPError:
        return False


class Guard:
    """``outside`` is ``IC_UI_URL``, where people reach the UI through a server of theirs; None without one."""

    def __init__(self, app: ASGIApp, keys: Keys, outside: str | None = None) -> None:
        self._app = app
        self._keys = keys
        self._started = int(time.time())
        self._used: set[str] = set()
        place = urlsplit(outside or "")
        # As a browser says it, which leaves a scheme's own port out.
        usual = ":443" if place.scheme == "https" else ":80"
        self._outside_host = place.netloc.rpartition("@")[2].lower().removesuffix(usual)
        self._outside_origin = f"{place.scheme}://{self._outside_host}" if self._outside_host else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is None and scope["type"] == "http":
            if scope["path"].startswith(ENTRANCE):
                answer = self._let_in(scope, headers)
            elif scope["path"] not in _OPEN and not self._has_session(headers):
                answer = _without_session(headers)
        elif answer is None and not self._has_session(headers):
            answer = _refused(401, "no session")
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        else:
            await answer(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is refused whoever sends it."""
        single = {name: headers.getlist(name) for name in ("host", "origin", "content-type", "sec-fetch-site")}
        # Two of a kind: whoever reads the request next might look at the other one.
        if any(len(values) > 1 for values in single.values()) or not scope["path"].isprintable():
            return _refused(400, "a header that stands twice, or a path that cannot be")
        host, origin, content_type, site = ((values or [""])[0] for values in single.values())
        if not self._is_ours(host.lower()):
            return _refused(421, f"not served under the name {host!r}: set IC_UI_URL to the address that people use")
        method = scope.get("method", "GET")
        if method not in ("GET", "HEAD", "POST"):
            return _refused(405, "GET and POST only")
        # Browsers name the origin of every POST and of every websocket.
        changes = method == "POST" or scope["type"] == "websocket"
        if (origin or changes) and origin not in (f"http://{host.lower()}", self._outside_origin):
            return _refused(403, "from another origin than the UI's own")
        navigates = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site in ("cross-site", "same-site") and not (navigates and headers.get("sec-fetch-dest") == "document"):
            return _refused(403, "from another origin than the UI's own")
        if method == "POST" and content_type.partition(";")[0].strip().lower() != "application/json":
            return _refused(415, "application/json only")
        if method != "POST" and scope["type"] == "http" and _is_graphql(scope["path"]) and not _wants_page(headers):
            return _refused(405, "GraphQL is asked by POST")
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        return found is not None and (found[1] in _LOOPBACK or host == self._outside_host)

    def _has_session(self, headers: Headers) -> bool:
        made = self._keys.made_at("session", _cookie(headers, self._keys.cookie))
        return made is not None and time.time() < made + _SESSION_SECONDS

    def _let_in(self, scope: Scope, headers: Headers) -> Response:
        code = scope["path"].removeprefix(ENTRANCE)
        made = self._keys.made_at("link", code)
        # One of before this server started may have been used then.
        if scope["method"] != "GET" or made is None or code in self._used or not self._started <= made:
            return _page(403, "This link has been used, or is of an earlier start.")
        if time.time() > made + _LINK_SECONDS:
            return _page(403, "This link is older than twelve hours.")
        self._used.add(code)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            self._keys.cookie,
            self._keys.token("session"),
            max_age=_SESSION_SECONDS,
            secure=headers["host"].lower() == self._outside_host and str(self._outside_origin).startswith("https:"),
            httponly=True,
            samesite="strict",
        )
        return answer


def _is_graphql(path: str) -> bool:
    return path.rstrip("/").lower() == "/graphql"


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _cookie(headers: Headers, name: str) -> str:
    for part in "; ".join(headers.getlist("cookie")).split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _without_session(headers: Headers) -> Response:
    if not _wants_page(headers):
        return _refused(401, "no session; open the link that `ic-assets up` printed")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link of a chat or an alert leads here, and the browser keeps a Strict cookie back. It sends it along when this
        # page asks for the same address.
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0"><title>Dagster</title>')
    return _page(401, "This browser has not been let in yet.")


def _page(status: int, why: str) -> Response:
    return HTMLResponse(
        "<!doctype html><meta charset=utf-8><title>ic_assets</title>"
        "<body style='font:16px/1.5 sans-serif;max-width:40em;margin:4em auto;padding:0 1em'>"
        f"<h1>Dagster's UI of ic_assets</h1><p>{why}</p>"
        "<p>Open the link that <code>ic-assets up</code> printed. It works once; then this browser is known for 30 days.</p>"
        "<p>For another link run <code>ic-assets up --link</code>, with the same <code>IC_HOME</code> "
        "and <code>--port</code>.",
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": f"ic_assets: {why}"}, status_code=status, headers={"Cache-Control": "no-store"})


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.append(name, value)
        await send(message)

    return sent
