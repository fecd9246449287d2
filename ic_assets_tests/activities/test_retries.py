"""What failed is tried again: by the state of the database, with a pause, a limited number of times, and anew when its
cause changes. Each run is executed; only the pauses are taken out, and what fails is made to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.events import EngineEventData
from tenacity import wait_none

from ic_assets.activities import landing as landing_asset
from ic_assets.activities.engine.judging import not_done
from ic_assets.activities.engine.reconciliation import matches
from ic_assets.activities.engine.staging import stages
from ic_assets.operations import sensors
from ic_assets.resources import postgres
from ic_assets.resources.dagster_home import PROCESS_TAG
from ic_assets.resources.services import process_name
from ic_assets_tests.drops import CONTACT, bring_up_to_date, land, opened, row, write_drop
from ic_assets_tests.graph_cases import Graph, Ticks


@pytest.fixture
def folder(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    graph.folder.mkdir(parents=True)
    monkeypatch.setenv("IC_DROP_DIR", str(graph.folder))
    return graph.folder


def drop(path: Path, *numbers: int) -> Path:
    write_drop(path, [row(number) for number in numbers])
    moment = time.time() - 60
    os.utime(path, (moment, moment))
    return path


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Has every landing, and every stage of the master, end in a deadlock, or not."""
    originals = (landing_asset.land, stages.apply_master)
    monkeypatch.setattr(postgres, "PAUSE", wait_none())

    def deadlock(*args: object, **named: object) -> None:
        raise psycopg.errors.DeadlockDetected("deadlock detected")

    def set_broken(is_broken: bool) -> None:
        monkeypatch.setattr(landing_asset, "land", deadlock if is_broken else originals[0])
        monkeypatch.setattr(stages, "apply_master", deadlock if is_broken else originals[1])

    return set_broken


def without_pause(graph: Graph) -> None:
    graph.query("UPDATE staging.ic_attempt SET tried_at = tried_at - interval '1 hour' RETURNING subject")


def attempts(graph: Graph) -> list[tuple[object, ...]]:
    return graph.query("SELECT subject, attempts, reason IS NOT NULL FROM staging.ic_attempt ORDER BY subject")


def fails_until_given_up(graph: Graph, ticks: Ticks) -> list[str]:
    """Runs what is asked for, without the pauses, and returns the tags of the attempts."""
    tags = []
    for _ in range(10):
        requests = ticks.tick()
        if not requests:
            return tags
        for request in requests:
            tags.append(request.tags[sensors.ATTEMPT_TAG])
            assert not ticks.run(request, must=False).success
        ticks.tick()  # sees how it ended, and waits
        without_pause(graph)
    raise AssertionError(tags)


def looked_into(ticks: Ticks) -> None:
    ticks.tick()
    (look,) = ticks.tick()
    assert ticks.run(look).success


def test_a_landing_that_failed_is_tried_again_after_a_pause_and_then_lands(
    graph: Graph, folder: Path, broken: Callable[[bool], None]
) -> None:
    drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    looked_into(ticks)
    broken(True)
    (first,) = ticks.tick()
    ticks.run(first, must=False)
    assert ticks.asked() == []
    assert "Tried again later: a.csv (attempt 2 of 5 from " in str(ticks.skipped)
    assert "DeadlockDetected; the run's log has the rest" in str(ticks.skipped)
    without_pause(graph)
    broken(False)
    (second,) = ticks.tick()
    assert second.run_key != first.run_key
    assert ticks.run(second).success
    assert ticks.asked() == []
    assert graph.query("SELECT rows_in FROM staging.ic_drop") == [(1,)]
    assert attempts(graph) == [], "what is done has no attempts"


def put_back(path: Path) -> None:
    aside = path.with_name("aside.csv.part")
    path.rename(aside)
    aside.rename(path)


def touch(path: Path) -> None:
    path.touch()
    os.utime(path, (time.time() - 30, time.time() - 30))


def replace(path: Path) -> None:
    drop(path, 1, 2)


@pytest.mark.parametrize("how", [put_back, touch, replace])
def test_a_file_is_given_up_after_five_attempts_and_begins_anew_when_it_is_put_back(
    graph: Graph, folder: Path, broken: Callable[[bool], None], how: Callable[[Path], None]
) -> None:
    """Within one pause of the sensor: it never sees the folder without the file."""
    path = drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    looked_into(ticks)
    broken(True)
    if how is put_back:
        assert fails_until_given_up(graph, ticks) == [f"{number} of 5" for number in range(1, 6)]
    else:
        ticks.run(ticks.tick()[0], must=False)
        ticks.tick()
        graph.query("UPDATE staging.ic_attempt SET attempts = 5 RETURNING subject")
        assert ticks.tick() == []
    assert "Given up: a.csv (given up after 5 attempts: DeadlockDetected" in str(ticks.skipped)
    with psycopg.connect(graph.postgres_url) as connection:
        found = not_done.files(connection, folder)
    assert [one["file"] for one in found["files_given_up"]] == ["a.csv"]
    assert "given up after 5 attempts" in found["files_given_up"][0]["why"]
    broken(False)
    how(path)
    assert ticks.asked() == [], "first look at it"
    assert ticks.settle()[-1] == "land a.csv"
    assert len(graph.query("SELECT 1 FROM staging.ic_drop WHERE state = 'landed'")) == 1


def test_a_file_that_cannot_be_loaded_is_not_tried_again_and_holds_up_no_other(graph: Graph, folder: Path) -> None:
    bad = folder / "bad.csv.gz"
    bad.write_bytes(b"\x1f\x8b\x08\x00 no gzip at all")
    os.utime(bad, (time.time() - 900, time.time() - 900))
    drop(folder / "good.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    assert ticks.settle() == ["look bad.csv.gz", "look good.csv", "land good.csv"]
    assert "Given up: bad.csv.gz (bad.csv.gz: the gzip data is" in str(ticks.skipped)
    with psycopg.connect(graph.postgres_url) as connection:
        found = not_done.files(connection, folder)
    assert [one["file"] for one in found["files_given_up"]] == ["bad.csv.gz"]
    assert found["files_waiting"] == []


def test_a_run_that_was_never_started_counts_as_an_attempt_that_failed(graph: Graph, folder: Path) -> None:
    """The daemon died between the tick and the launch."""
    drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    assert ticks.asked() == ["look a.csv"]
    assert ticks.asked() == []
    assert "attempt 2 of 5" in str(ticks.skipped)
    assert "its run was not started" in str(ticks.skipped)
    without_pause(graph)
    assert ticks.asked() == ["look a.csv"]


@pytest.mark.parametrize("how", ["command", "worker"])
def test_a_run_whose_process_was_killed_does_not_keep_the_others_waiting(
    graph: Graph, folder: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's launcher for local processes leaves it "started" for ever."""
    drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    looked_into(ticks)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = f"{process_name().rpartition('-')[0]}-{process.pid}"
    run = graph.instance.create_run_for_job(
        graph.definitions.resolve_job_def("land_drop"),
        status=dg.DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: name} if how == "command" else {},
    )
    if how == "worker":
        monkeypatch.setattr(sensors, "DefaultRunLauncher", type(graph.instance.run_launcher))
        graph.instance.report_engine_event(
            f"Started process for run (pid: {process.pid}).", run, EngineEventData.in_process(process.pid)
        )
    try:
        assert ticks.asked() == []
        assert ticks.skipped == "A drop is landing; the next one follows."
    finally:
        process.kill()
    # Not waited for: it is a zombie now, as a worker is whose parent has no eyes for it.
    deadline = time.monotonic() + 10
    while not (asked := ticks.asked()) and time.monotonic() < deadline:
        pass
    process.communicate()
    assert asked == ["land a.csv"]
    dead = graph.instance.get_run_by_id(run.run_id)
    assert dead is not None
    assert dead.status == dg.DagsterRunStatus.FAILURE


# -- months ------------------------------------------------------------------------------------------


def months(requests: list[dg.RunRequest]) -> list[str]:
    return [request.tags["months"] for request in requests]


def test_months_that_a_red_gate_stopped_start_when_another_drop_turns_it_green(graph: Graph) -> None:
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", [row(1, "2019-01-05"), row(2, Person_Id=777)]))
    ticks = Ticks(graph, "landed_months")
    (first,) = ticks.tick()
    assert months([first]) == ["2019-01 to 2019-03"]
    assert not ticks.run(first, must=False).success
    for _ in range(2):
        assert ticks.tick() == [], "a gate that stays red does not start its months for ever"
        assert str(ticks.skipped).startswith("No month may start now. 2 months wait for a gate: contacts_resolved")
    many = [row(number, "2020-06-05") for number in range(100, 140)]
    land(graph.postgres_url, write_drop(graph.folder / "b.csv", many))
    (second,) = ticks.tick()
    assert months([second]) == ["2020-06"]
    assert ticks.run(second).success, "the gate is green: 41 of 42 references"
    (third,) = ticks.tick()
    assert months([third]) == ["2019-01 to 2019-03"]
    assert ticks.run(third).success
    assert ticks.tick() == []
    assert graph.out_of_date() == []
    assert graph.query("SELECT count(*) FROM staging.ic_calls") == [(42,)]


def test_a_month_is_given_up_after_five_attempts_and_begins_anew_with_the_next_drop(
    graph: Graph, broken: Callable[[bool], None]
) -> None:
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", [row(1, "2019-01-05"), row(2, "2019-02-05")]))
    ticks = Ticks(graph, "landed_months")
    broken(True)
    assert fails_until_given_up(graph, ticks) == [f"{number} of 5" for number in range(1, 6)]
    assert "Given up: 2019-01 (given up after 5 attempts" in str(ticks.skipped)
    with psycopg.connect(graph.postgres_url) as connection:
        assert [(one["month"], one["given_up"]) for one in not_done.months(connection)] == [
            ("2019-01", True),
            ("2019-02", True),
        ]
    broken(False)
    land(graph.postgres_url, write_drop(graph.folder / "b.csv", [row(3, "2019-02-06"), row(4, "2019-03-06")]))
    (request,) = ticks.tick() + ticks.tick()
    assert months([request]) == ["2019-02 to 2019-03"], "what the drop has not touched stays given up"
    assert ticks.run(request).success
    assert [row[0] for row in attempts(graph)] == ["2019-01", "2019-02", "2019-03"]
    assert ticks.tick() == []
    assert [row[0] for row in attempts(graph)] == ["2019-01"]
    bring_up_to_date(graph.postgres_url)
    assert ticks.tick() == []
    assert attempts(graph) == []


def test_a_reconciliation_that_turns_the_gate_green_starts_the_months_behind_it(graph: Graph, tmp_path: Path) -> None:
    """Those that do not refer to it as well: no change of theirs would ever ask for them."""
    land(
        graph.postgres_url,
        write_drop(graph.folder / "a.csv", [row(1, "2019-01-05"), row(2, "2019-03-05", Person_Id=777)]),
    )
    landed, reconciled = Ticks(graph, "landed_months"), Ticks(graph, "reconciled_months")
    (request,) = landed.tick()
    assert not landed.run(request, must=False).success
    assert landed.tick() == []
    file = tmp_path / "contacts.csv"
    file.write_text(f"legacy_id,hubspot_id\n{CONTACT},9101\n777,9777\n", encoding="utf-8")
    with opened(graph.postgres_url) as database, database.transaction() as connection:
        matches.reconcile(connection, matches.ENTITIES["contacts"], file)
    (request,) = reconciled.tick()
    assert months([request]) == ["2019-03"]
    assert reconciled.run(request).success
    (request,) = landed.tick()
    assert months([request]) == ["2019-01"]
    assert landed.run(request).success
    assert graph.out_of_date() == []
