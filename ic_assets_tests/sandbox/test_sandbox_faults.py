"""The local HubSpot's limits, scripted and seeded misbehaviour, and what survives a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from ic_assets.core.failures import Unavailable
from ic_assets.sandbox.http.chaos import Chaos
from ic_assets.sandbox.http.limits import Limits, RateLimiter
from ic_assets.sandbox.hubspot.store import seed_records
from ic_assets.sandbox.process import RunningSandbox, running

TIME = "2019-03-04T05:06:07.000Z"
CREATE = "/crm/v3/objects/notes/batch/create"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "hubspot.db"


@pytest.fixture(scope="module")
def sandbox(database: Path) -> Iterator[RunningSandbox]:
    with running(database, requests_per_10s=1_000_000) as started:
        yield started


@pytest.fixture
def http(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """The shared portal, emptied."""
    with client_of(sandbox) as client:
        client.post("/_sandbox/reset").raise_for_status()
        yield client


def client_of(sandbox: RunningSandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url, headers={"Authorization": f"Bearer {sandbox.token}"})


def create_notes(client: httpx.Client, count: int = 4) -> httpx.Response:
    inputs = [
        {"properties": {"hs_timestamp": TIME, "hs_note_body": f"note {n}"}, "objectWriteTraceId": str(n)}
        for n in range(count)
    ]
    return client.post(CREATE, json={"inputs": inputs})


def chaos(client: httpx.Client, **values: Any) -> None:
    client.post("/_sandbox/chaos", json=values).raise_for_status()


def script(client: httpx.Client, fault: str, **more: Any) -> None:
    chaos(client, script=[{"match": "POST .*/notes/batch/create", "fault": fault, **more}])


def live(client: httpx.Client, slug: str = "notes") -> int:
    return int(client.get("/_sandbox/state").json()["objects"][slug]["live"])


@pytest.mark.parametrize(("fault", "written"), [("lost_before", 0), ("lost_reply", 4), ("cut_reply", 4)])
def test_a_connection_can_break_before_or_after_the_commit(http: httpx.Client, fault: str, written: int) -> None:
    script(http, fault)
    with pytest.raises(httpx.RemoteProtocolError):
        create_notes(http)
    assert live(http) == written
    assert create_notes(http).status_code == 201
    (faulty, fine) = http.get("/_sandbox/requests").json()["requests"]
    assert (faulty["fault"], faulty["inputs"], fine["fault"]) == (fault, 4, None)
    assert (faulty["status"] == 0) == (fault != "cut_reply")


@pytest.mark.parametrize(
    ("fault", "status", "written"),
    [
        ("http_500", 500, 0),
        ("http_502", 502, 0),
        ("http_503", 503, 0),
        ("http_504", 504, 0),
        ("http_524", 524, 0),
        ("http_423", 423, 0),
        ("http_429", 429, 0),
        ("http_502_after", 502, 4),
        ("http_504_after", 504, 4),
        ("http_524_after", 524, 4),
        ("empty", 201, 4),
    ],
)
def test_a_status_can_lie_about_what_was_written(http: httpx.Client, fault: str, status: int, written: int) -> None:
    script(http, fault, times=2)
    answer = create_notes(http)
    assert answer.status_code == status
    assert live(http) == written
    assert (answer.content == b"") == (fault == "empty")


def test_a_commit_can_come_after_the_answer(http: httpx.Client) -> None:
    chaos(http, late=150, script=[{"match": CREATE, "fault": "late_commit"}])
    assert create_notes(http).status_code == 504
    assert live(http) == 0
    deadline = time.monotonic() + 5
    while live(http) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live(http) == 4


def test_results_can_be_short_repeated_or_shuffled(http: httpx.Client) -> None:
    def traces(answer: httpx.Response) -> list[str]:
        return [r["objectWriteTraceId"] for r in answer.json()["results"]]

    script(http, "short")
    assert traces(create_notes(http)) == ["0", "1"]
    script(http, "repeat")
    assert traces(create_notes(http)) == ["0", "1", "2", "3", "0", "1"]
    chaos(http, shuffle=1, seed=3)
    shuffled = traces(create_notes(http, 50))
    assert shuffled != sorted(shuffled, key=int)
    assert sorted(shuffled, key=int) == [str(n) for n in range(50)]
    assert live(http) == 58


def test_the_bad_record_is_the_same_one_however_the_batch_is_cut(http: httpx.Client) -> None:
    chaos(http, script=[{"match": CREATE, "fault": "bad_record", "contains": "note 2", "times": 99}])
    answer = create_notes(http)
    assert answer.status_code == 207
    assert [e["context"]["objectWriteTraceId"] for e in answer.json()["errors"]] == [["2"]]
    untraced = {"inputs": [{"properties": {"hs_timestamp": TIME, "hs_note_body": f"note {n}"}} for n in range(4)]}
    assert http.post(CREATE, json=untraced).status_code == 400
    assert live(http) == 3


def test_skip_and_times_pick_single_requests(http: httpx.Client) -> None:
    script(http, "http_503", skip=1, times=1)
    assert [create_notes(http).status_code for _ in range(3)] == [201, 503, 201]


def test_the_same_seed_fails_the_same_requests(http: httpx.Client) -> None:
    outcomes = []
    for _ in range(2):
        chaos(http, seed=11, http_503=0.3, http_429=0.2)
        outcomes.append([create_notes(http, 1).status_code for _ in range(30)])
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {201, 429, 503}


def test_retry_after_is_sent_when_told(http: httpx.Client) -> None:
    script(http, "http_429")
    assert "retry-after" not in create_notes(http).headers
    chaos(http, retry_after=7, script=[{"match": CREATE, "fault": "http_429"}])
    answer = create_notes(http)
    assert (answer.headers["retry-after"], answer.json()["policyName"]) == ("7", "TEN_SECONDLY_ROLLING")


def test_latency_is_spent_and_requests_wait_side_by_side(sandbox: RunningSandbox, http: httpx.Client) -> None:
    chaos(http, latency=200)

    async def ten_at_once() -> float:
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        async with httpx.AsyncClient(base_url=sandbox.base_url, headers=headers) as client:
            begun = time.perf_counter()
            answers = await asyncio.gather(*(client.get("/account-info/v3/details") for _ in range(10)))
            assert {a.status_code for a in answers} == {200}
            return time.perf_counter() - begun

    assert 0.2 <= asyncio.run(ten_at_once()) < 1.0


def test_search_does_not_see_new_records_until_the_index_has_caught_up(http: httpx.Client) -> None:
    def found() -> int:
        return int(http.post("/crm/v3/objects/notes/search", json={}).json()["total"])

    chaos(http, index_lag=60_000)
    create_notes(http)
    assert found() == 0
    chaos(http)
    assert found() == 4


@pytest.mark.parametrize("spec", ["lost=0.1", "http_503=2", "latency=soon", "http_503=0.6,lost_reply=0.6"])
def test_a_chaos_that_makes_no_sense_is_refused(spec: str, http: httpx.Client) -> None:
    with pytest.raises(ValueError, match=r"."):
        Chaos.parse(spec)
    values = dict(part.split("=") for part in spec.split(","))
    assert http.post("/_sandbox/chaos", json=values).status_code == 400


def test_the_burst_limit_is_a_rolling_window_and_the_headers_tell_what_is_left(tmp_path: Path) -> None:
    with running(tmp_path / "hubspot.db", requests_per_10s=5) as sandbox, client_of(sandbox) as client:
        answers = [client.get("/account-info/v3/details") for _ in range(6)]
        assert [a.status_code for a in answers] == [200] * 5 + [429]
        assert [a.headers["X-HubSpot-RateLimit-Remaining"] for a in answers] == ["4", "3", "2", "1", "0", "0"]
        assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "5"
        assert answers[0].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        body = answers[-1].json()
        assert (body["errorType"], body["policyName"]) == ("RATE_LIMIT", "TEN_SECONDLY_ROLLING")
        by_status = client.get("/_sandbox/state").json()["requests"]["by_status"]
        assert by_status == {"200": 5, "429": 1}


def test_the_daily_limit_outlives_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "hubspot.db", requests_per_day=3) as sandbox, client_of(sandbox) as client:
        assert client.get("/crm/v3/owners").headers["X-HubSpot-RateLimit-Daily-Remaining"] == "2"
        assert client.get("/crm/v3/owners").status_code == 200
    with running(tmp_path / "hubspot.db", requests_per_day=3) as sandbox, client_of(sandbox) as client:
        assert client.get("/crm/v3/owners").status_code == 200
        refused = client.get("/crm/v3/owners")
        assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")


def test_a_window_opens_again_ten_seconds_after_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("ic_assets.sandbox.http.limits.time.monotonic", lambda: now)
    limiter = RateLimiter(Limits(per_10_seconds=2))
    assert limiter.admit(is_search=False) is None
    now = 1009.0
    assert limiter.admit(is_search=False) is None
    assert limiter.admit(is_search=False) == "TEN_SECONDLY_ROLLING"
    now = 1010.0
    assert limiter.admit(is_search=False) is None
    assert limiter.admit(is_search=False) == "TEN_SECONDLY_ROLLING"


def test_search_has_a_limit_of_its_own_and_shows_no_headers(tmp_path: Path) -> None:
    with running(tmp_path / "hubspot.db") as sandbox, client_of(sandbox) as client:
        answers = [client.post("/crm/v3/objects/calls/search", json={}) for _ in range(6)]
        assert [a.status_code for a in answers] == [200] * 5 + [429]
        assert answers[-1].json()["policyName"] == "SECONDLY"
        assert not [name for name in answers[0].headers if "ratelimit" in name]


def test_a_killed_server_keeps_what_it_answered_and_its_file_is_whole(tmp_path: Path) -> None:
    database = tmp_path / "hubspot.db"
    with running(database) as sandbox, client_of(sandbox) as client:
        made = create_notes(client, 20).json()["results"]
        os.kill(sandbox.pid, signal.SIGKILL)
    with running(database) as sandbox, client_of(sandbox) as client:
        assert live(client) == 20
        assert client.get(f"/crm/v3/objects/notes/{made[7]['id']}").status_code == 200
        more = create_notes(client, 1).json()["results"]
        assert int(more[0]["id"]) > max(int(r["id"]) for r in made)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def post_forever(client: httpx.Client, body: dict[str, Any]) -> None:
    while True:
        client.post(CREATE, json=body)


def test_a_kill_in_the_middle_of_a_batch_leaves_whole_batches(tmp_path: Path) -> None:
    """Whatever the moment, a batch is there with all its associations or not at all."""
    database = tmp_path / "hubspot.db"
    seed_records(database, contacts=[(1, {})])
    contact = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}
    item = {
        "properties": {"hs_timestamp": TIME, "hs_note_body": "x" * 2000},
        "associations": [{"to": {"id": "1"}, "types": [contact]}],
    }
    for delay in (0.15, 0.2, 0.25):
        with running(database) as sandbox, client_of(sandbox) as client:
            client.get("/crm/v3/owners")
            timer = threading.Timer(delay, os.kill, (sandbox.pid, signal.SIGKILL))
            timer.start()
            with pytest.raises(httpx.HTTPError):
                post_forever(client, {"inputs": [item] * 100})
        with closing(sqlite3.connect(database)) as connection:
            (notes,) = connection.execute("select count(*) from record where type = 'notes'").fetchone()
            (associations,) = connection.execute("select count(*) from association").fetchone()
        assert notes > 0
        assert (notes % 100, associations) == (0, 2 * notes)


def test_terminating_the_server_is_quick_even_with_a_connection_open(tmp_path: Path) -> None:
    with running(tmp_path / "hubspot.db") as sandbox, client_of(sandbox) as client:
        client.get("/_sandbox/state")
        begun = time.monotonic()
        os.kill(sandbox.pid, signal.SIGTERM)
        while time.monotonic() - begun < 10:
            try:
                httpx.get(f"{sandbox.base_url}/_sandbox/state")
            except httpx.HTTPError:
                break
        assert time.monotonic() - begun < 3


def test_another_process_can_seed_while_the_server_runs(database: Path, http: httpx.Client) -> None:
    contacts = [(n, {"email": f"c{n}@example.com", "lastname": None}) for n in range(1, 5001)]
    assert seed_records(database, contacts=contacts, deals=[("7", {"dealname": "D"})])["contacts"] == 5000
    first = http.get("/crm/v3/objects/contacts/77").json()
    assert first["properties"]["email"] == "c77@example.com"
    seed_records(database, contacts=contacts)
    assert http.get("/crm/v3/objects/contacts/77").json()["updatedAt"] == first["updatedAt"]
    assert live(http, "contacts") == 5000
    with pytest.raises(ValueError, match="full_name"):
        seed_records(database, contacts=[(1, {"full_name": "x"})])


def test_a_server_that_cannot_start_says_why(tmp_path: Path, sandbox: RunningSandbox) -> None:
    port = int(sandbox.base_url.rpartition(":")[2])
    with (
        pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}"),
        running(tmp_path / "hubspot.db", port=port),
    ):
        pass
    with pytest.raises(Unavailable, match="--chaos"), running(tmp_path / "hubspot.db", chaos="nonsense=1"):
        pass
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(Unavailable, match=r"letter\.txt cannot be opened"), running(tmp_path / "letter.txt"):
        pass


def test_the_ready_file_is_for_its_owner_alone_and_holds_no_token(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "ic_assets.sandbox", "--database", str(tmp_path / "h.db"), "--ready-file", str(ready)],
        env={**os.environ, "IC_SANDBOX_TOKEN": "a-secret"},
    )
    try:
        deadline = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stat.S_IMODE(ready.stat().st_mode) == 0o600
        assert "a-secret" not in ready.read_text()
        assert stat.S_IMODE((tmp_path / "h.db").stat().st_mode) == 0o600
        assert [p.name for p in tmp_path.glob(".ready*")] == []
    finally:
        process.terminate()
        process.wait(10)
