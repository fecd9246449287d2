"""What starts because something came in: files of events are loaded, and one run takes all that waits for a flow."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from ic_assets.commands import inbox
from ic_assets.core import session
from ic_assets.inbox.events import store
from ic_assets.inbox.registry import Flow
from ic_assets.inbox.taking import Batch, work
from ic_assets.inbox.upkeep import Wanted
from ic_assets.operations.inbox import inbox_sensor
from ic_assets.operations.sensors import ATTEMPT_TAG
from ic_assets.resources.dagster_resources import PostgresResource
from ic_assets_tests.graph_cases import Graph, Ticks
from ic_assets_tests.inbox_cases import COUNTER, REGISTRY, added, prepared, totals

LINE = '{"topic":"t","event_id":"%d","occurred_at":"2026-03-01T12:00:00Z"}\n'


def put(home: Path, name: str, text: str, door: str = "site") -> Path:
    path = home / "events" / door / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    moment = time.time() - 60
    os.utime(path, (moment, moment))
    return path


def asked(ticks: Ticks) -> list[str]:
    return [str(request.tags["file"]) for request in ticks.tick()]


def test_a_file_of_a_door_is_loaded_when_two_looks_found_it_the_same(graph: Graph) -> None:
    home = Path(os.environ["IC_HOME"])
    put(home, "a.jsonl", LINE % 1 + "broken\n" + LINE % 2)
    put(home, "b.jsonl", LINE % 2, door="shops")
    ticks = Ticks(graph, "event_files")
    assert asked(ticks) == []
    (request,) = ticks.tick()
    assert request.run_config == {"ops": {"load_event_file": {"config": {"door": "site", "name": "a.jsonl"}}}}
    result = ticks.run(request)
    assert result.success
    assert graph.query("SELECT source, event_id, verified_by FROM inbox.event ORDER BY event_id") == [
        ("site", "1", "file"),
        ("site", "2", "file"),
    ]
    assert graph.query("SELECT file_name, lines, rejected FROM inbox.event_file") == [("a.jsonl", 3, 1)]
    assert asked(ticks) == [], "loaded; and there is no door shops"
    put(home, "a.jsonl", LINE % 1 + LINE % 3)
    assert [asked(ticks), asked(ticks)] == [[], ["a.jsonl"]]


def test_a_file_that_cannot_be_read_is_tried_again_and_does_not_hold_up_others(graph: Graph) -> None:
    home = Path(os.environ["IC_HOME"])
    put(home, "a.jsonl", "PK\x03\x04")
    put(home, "b.jsonl", LINE % 1)
    ticks = Ticks(graph, "event_files")
    ticks.tick()
    (first,) = ticks.tick()
    assert not ticks.run(first, must=False).success
    (second,) = ticks.tick()
    assert ticks.run(second).success
    assert asked(ticks) == []
    assert "site/a.jsonl: attempt 2 of 5 from" in str(ticks.skipped)


@pytest.fixture
def shop(database: str) -> Iterator[psycopg.Connection[Any]]:
    with prepared(database) as connection:
        connection.autocommit = True
        yield connection


def test_one_run_takes_all_that_waits_and_a_failure_is_tried_again_after_a_pause(
    shop: psycopg.Connection[Any],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = True

    def handle(batch: Batch) -> None:
        if broken:
            raise RuntimeError("broken")
        COUNTER.handle(batch)

    flow = Flow("counter", COUNTER.takes, handle)

    @dg.op
    def take_all() -> None:
        work(lambda: session.connect(database), flow)

    @dg.job
    def counting() -> None:
        take_all()

    sensor = inbox_sensor("counter_waiting", flow, counting)
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> dg.RunRequest | str:
            with dg.build_sensor_context(
                instance=instance, resources={"postgres": PostgresResource.at(database)}
            ) as context:
                found = sensor(context)
                assert isinstance(found, dg.RunRequest | dg.SkipReason)
                return found if isinstance(found, dg.RunRequest) else str(found.skip_message)

        def run(request: dg.RunRequest | str) -> bool:
            assert isinstance(request, dg.RunRequest)
            tags = {**request.tags, "dagster/run_key": str(request.run_key)}
            return counting.execute_in_process(instance=instance, tags=tags, raise_on_error=False).success

        assert tick() == "Nothing waits."
        store(shop, [added(str(n)) for n in range(5)], REGISTRY)
        first = tick()
        assert isinstance(first, dg.RunRequest)
        assert first.tags[ATTEMPT_TAG] == "1 of 5"
        assert not run(first)
        store(shop, [added("later")], REGISTRY)
        assert "inbox of counter: attempt 2 of 5 from" in str(tick()), "a new event does not begin the count anew"
        monkeypatch.setenv("IC_POSTGRES_URL", database)
        inbox.status(as_json=True)
        (failed,) = json.loads(capsys.readouterr().out.splitlines()[-1])["failed"]
        assert (failed["what"], failed["given_up"]) == ("inbox of counter", False)
        shop.execute("UPDATE staging.ic_attempt SET tried_at = tried_at - interval '1 hour'")
        again = tick()
        assert isinstance(again, dg.RunRequest)
        assert again.tags[ATTEMPT_TAG] == "2 of 5"
        broken = True
        assert not run(again)
        assert "inbox of counter: attempt 3 of 5 from" in str(tick())
        assert inbox.retry(Wanted(), as_json=True) == 0
        broken = False
        anew = tick()
        assert isinstance(anew, dg.RunRequest)
        assert anew.tags[ATTEMPT_TAG] == "1 of 5"
        assert run(anew)
        assert totals(shop) == {"a": 6}
        assert tick() == "Nothing waits."
