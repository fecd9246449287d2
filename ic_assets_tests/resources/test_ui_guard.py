"""The guard in front of Dagster's UI, with Dagster's own application behind it: who is let in, and what is refused whoever
sends it. A browser tries the same in ``e2e/test_ui.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ic_assets.resources import ui_guard
from ic_assets.resources.ui_guard import Guard, Keys

OURS = "http://127.0.0.1:3000"
# Changes something that can be looked up, and wants no code of ours to be loaded.
ADD = "mutation M {setNuxSeen} mutation N {setNuxSeen} query Q {version}"
JSON = {"content-type": "application/json", "origin": OURS}


class Ui:
    def __init__(self, home: Path, app: Any) -> None:
        self.keys = Keys(home)
        self.app = app
        self.guard = Guard(app, self.keys, "https://ui.example.com:443/")

    def client(self, *, session: bool = True, base: str = OURS) -> TestClient:
        client = TestClient(self.guard, base_url=base, follow_redirects=False)
        if session:
            client.headers["cookie"] = f"other=1; {self.keys.cookie}={self.keys.token('session')}"
        return client


class Seen:
    """Whether the mutation ran."""

    def __init__(self) -> None:
        self.times = 0


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    found = Seen()
    with pytest.MonkeyPatch.context() as patch:

        def set_nux_seen() -> None:
            found.times += 1

        patch.setattr("dagster_graphql.schema.roots.mutation.set_nux_seen", set_nux_seen)
        yield found


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, seen: Seen) -> Iterator[Ui]:
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, workspace_load_target=EmptyWorkspaceTarget()) as context,
    ):
        yield Ui(tmp_path_factory.mktemp("home"), create_app_from_workspace_process_context(context))


def test_dagster_itself_runs_a_mutation_that_comes_by_get(ui: Ui, seen: Seen) -> None:
    """The reason for all of this. When it no longer holds, some of it may go."""
    bare = TestClient(ui.app, base_url="http://attacker.example")
    before = seen.times
    answer = bare.get(
        "/graphql", params={"query": ADD, "operationName": "M"}, headers={"origin": "http://evil.example"}
    )
    assert (answer.status_code, seen.times) == (200, before + 1)
    simple = {"content-type": "text/plain; application/json"}  # a page may send it without asking first
    assert bare.post("/graphql", content='{"query": "{version}"}', headers=simple).status_code == 200


def test_the_ui_reads_and_changes_with_a_session(ui: Ui, seen: Seen) -> None:
    before = seen.times
    with ui.client() as client:
        assert client.get("/runs", headers={"accept": "text/html"}).status_code == 200
        for operation in ("M", "Q"):
            body = {"query": ADD, "operationName": operation}
            assert client.post("/graphql", json=body, headers={"origin": OURS}).status_code == 200
    assert seen.times == before + 1


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        # By GET, in every dress.
        ("GET", "/graphql?query=mutation{setNuxSeen}", {}, 405),
        ("GET", "/graphql?query=query+Q{version}mutation+M{setNuxSeen}&operationName=M", {}, 405),
        ("GET", "/graphql?query=mutation{a:setNuxSeen+b:setNuxSeen}", {"origin": OURS}, 405),
        ("GET", "/graphql%0a?query=mutation{setNuxSeen}", {}, 400),
        ("GET", "/graphql/?query=mutation{setNuxSeen}", {}, 405),
        ("GET", "/%67raphql?query=mutation{setNuxSeen}", {}, 405),
        ("HEAD", "/graphql?query=mutation{setNuxSeen}", {}, 405),
        ("PUT", "/graphql", JSON, 405),
        ("OPTIONS", "/graphql", {"origin": "http://evil.example", "access-control-request-method": "POST"}, 405),
        # By POST, as forms and scripts elsewhere can make one.
        ("POST", "/graphql?query=mutation{setNuxSeen}", {"origin": OURS}, 415),
        ("POST", "/graphql", {"origin": OURS, "content-type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", {"origin": OURS, "content-type": "application/graphql"}, 415),
        ("POST", "/graphql", {"origin": OURS, "content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/graphql", {"content-type": "application/json"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "null"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://127.0.0.1:3001"}, 403),
        ("POST", "/graphql", {**JSON, "origin": f"{OURS}.evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "https://127.0.0.1:3000"}, 403),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "cross-site"}, 403),
        ("POST", "/report_asset_materialization/staging/ic_calls", {"origin": "http://evil.example"}, 403),
        # An image, a script, a frame of another page; a page on another port of this machine.
        ("GET", "/runs", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
        ("GET", "/runs", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 403),
        (
            "GET",
            "/runs",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
            403,
        ),
        # A name that somebody has pointed at this machine.
        ("GET", "/runs", {"host": "attacker.example"}, 421),
        ("GET", "/runs", {"host": "attacker.example:3000"}, 421),
        ("GET", "/runs", {"host": "127.0.0.1.attacker.example:3000"}, 421),
        ("GET", "/runs", {"host": "127.0.0.1:3000@attacker.example"}, 421),
        ("GET", "/runs", {"host": "ui.example.com.attacker.example"}, 421),
        ("GET", "/runs", {"host": ""}, 421),
        ("GET", "/server_info", {"host": "attacker.example"}, 421),
        ("POST", "/graphql", {"host": "attacker.example", **JSON, "origin": "http://attacker.example"}, 421),
    ],
)
def test_what_another_page_can_send_is_refused_even_with_a_session(
    ui: Ui, seen: Seen, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    before = seen.times
    with ui.client() as client:
        assert client.request(method, path, headers=headers).status_code == status
    assert seen.times == before


def test_headers_that_stand_twice_are_refused(ui: Ui) -> None:
    with ui.client() as client:
        for name, values in (("host", ["127.0.0.1:3000", "evil.example"]), ("origin", [OURS, "http://evil.example"])):
            twice = [(name, value) for value in values]
            assert client.request("GET", "/runs", headers=twice).status_code == 400, name


@pytest.mark.parametrize("base", ["http://localhost:8080", "http://[::1]:3000", "https://ui.example.com"])
def test_the_names_of_this_machine_and_the_one_of_ic_ui_url_are_served(ui: Ui, base: str) -> None:
    with ui.client(base=base) as client:
        body = {"query": "{version}"}
        assert client.post("/graphql", json=body, headers={"origin": base}).status_code == 200


def test_a_server_in_front_may_hand_on_under_a_loopback_name(ui: Ui) -> None:
    with ui.client() as client:
        body = {"query": "{version}"}
        assert client.post("/graphql", json=body, headers={"origin": "https://ui.example.com"}).status_code == 200


# -- sessions ----------------------------------------------------------------------------------------


def test_without_a_session_nothing_is_read_or_changed_and_a_page_says_what_to_do(ui: Ui, seen: Seen) -> None:
    before = seen.times
    with ui.client(session=False) as client:
        assert client.get("/server_info").status_code == 200
        page = client.get("/assets", headers={"accept": "text/html"})
        assert page.status_code == 401
        assert "ic-assets up --link" in page.text
        assert client.get("/logs/a/b.err").status_code == 401
        assert client.post("/graphql", json={"query": ADD, "operationName": "M"}, headers=JSON).status_code == 401
        for cookie in ("", "x", "1.2.3", f"{ui.keys.token('link')}", f"{ui.keys.token('session')}0"):
            answer = client.get("/runs", headers={"cookie": f"{ui.keys.cookie}={cookie}"})
            assert answer.status_code == 401, cookie
    assert seen.times == before


def test_a_link_lets_one_browser_in_once_for_thirty_days(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    link = ui.keys.link(OURS)
    with ui.client(session=False) as client:
        assert client.head(link).status_code == 403, "a look at it does not use it up"
        entered = client.get(link)
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/runs", headers={"accept": "text/html"}).status_code == 200
        assert client.get(link).status_code == 403, "it works once"
        later = ui_guard.time.time() + 31 * 24 * 3600
        monkeypatch.setattr(ui_guard.time, "time", lambda: later)
        assert client.get("/runs").status_code == 401


def test_a_link_ends_after_twelve_hours_and_with_a_new_start(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    link = ui.keys.link(OURS)
    now = ui_guard.time.time()
    monkeypatch.setattr(ui_guard.time, "time", lambda: now + 13 * 3600)
    with ui.client(session=False) as client:
        assert client.get(link).status_code == 403
    started_later = Guard(ui.app, ui.keys)
    monkeypatch.setattr(ui_guard.time, "time", lambda: now)
    with TestClient(started_later, base_url=OURS, follow_redirects=False) as client:
        assert client.get(link).status_code == 403


def test_a_link_to_a_page_from_elsewhere_comes_back_for_the_cookie_once(ui: Ui) -> None:
    """The browser sends no Strict cookie with it."""
    navigation = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    with ui.client(session=False) as client:
        first = client.get("/runs/1", headers={**navigation, "sec-fetch-site": "cross-site"})
        assert 'http-equiv="refresh" content="0"' in first.text
        second = client.get("/runs/1", headers={**navigation, "sec-fetch-site": "same-origin"})
        assert second.status_code == 401


def test_two_homes_have_two_cookies_and_whoever_comes_first_makes_the_key(tmp_path: Path) -> None:
    first, again, other = Keys(tmp_path / "a"), Keys(tmp_path / "a"), Keys(tmp_path / "b")
    assert first.cookie == again.cookie != other.cookie
    assert again.made_at("session", first.token("session")) is not None
    assert other.made_at("session", first.token("session")) is None
    assert (tmp_path / "a" / "run" / "ui-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "a" / "run").iterdir()] == ["ui-key"]


def test_no_page_may_frame_what_is_served(ui: Ui) -> None:
    with ui.client() as client:
        for path in ("/runs", "/graphql?query={version}", "/favicon.png"):
            headers = client.get(path).headers
            assert headers["x-frame-options"] == "DENY", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path


# -- websockets --------------------------------------------------------------------------------------


def test_a_websocket_wants_the_uis_own_origin_and_a_session(ui: Ui) -> None:
    def talks(client: TestClient, **headers: str) -> bool:
        try:
            with client.websocket_connect("/graphql", subprotocols=["graphql-ws"], headers=headers) as socket:
                socket.send_json({"type": "connection_init"})
                return bool(socket.receive_json()["type"] == "connection_ack")
        except WebSocketDisconnect as refused:
            return refused.code != 1008

    with ui.client() as client, ui.client(session=False) as stranger:
        host = {"host": "127.0.0.1:3000"}
        assert talks(client, origin=OURS, **host)
        assert not talks(client, origin="http://evil.example", **host)
        assert not talks(client, origin="http://127.0.0.1:3001", **host)
        assert not talks(client, **host)
        assert not talks(client, origin="http://attacker.example", host="attacker.example")
        assert not talks(stranger, origin=OURS, **host)


def test_a_websocket_runs_no_mutation(ui: Ui, seen: Seen) -> None:
    before = seen.times
    with (
        ui.client() as client,
        client.websocket_connect(
            "/graphql", subprotocols=["graphql-ws"], headers={"origin": OURS, "host": "127.0.0.1:3000"}
        ) as socket,
    ):
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json()["type"] == "connection_ack"
        socket.send_json({"type": "start", "id": "1", "payload": {"query": "mutation {setNuxSeen}"}})
        assert socket.receive_json()["type"] == "error"
    assert seen.times == before
