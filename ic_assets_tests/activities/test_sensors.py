"""What starts by itself: complete new files, oldest first, and exactly the months that something put out of date."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.types.json import Jsonb

from ic_assets.activities.engine.judging import approval
from ic_assets.activities.engine.landing.first_look import drop_key
from ic_assets.activities.engine.reconciliation import matches
from ic_assets.activities.engine.staging import classification
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.commands.runs import _raise as raise_for
from ic_assets.core import locks, rules_data
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets_tests.drops import bring_up_to_date, land, opened, row, write_drop
from ic_assets_tests.graph_cases import Graph, Ticks, asked_for, digest


@pytest.fixture
def folder(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    graph.folder.mkdir(parents=True)
    monkeypatch.setenv("IC_DROP_DIR", str(graph.folder))
    return graph.folder


def drop(path: Path, *numbers: int, age: float = 60) -> Path:
    """A complete file to which nobody wrote for ``age`` seconds."""
    write_drop(path, [row(number) for number in numbers])
    return aged(path, age)


def aged(path: Path, age: float) -> Path:
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def unfinished(graph: Graph, job: str, status: dg.DagsterRunStatus) -> None:
    """A run of ``job`` that has not ended."""
    run = graph.instance.create_run_for_job(graph.definitions.resolve_job_def(job), status=status)
    assert graph.instance.get_runs_count(dg.RunsFilter(run_ids=[run.run_id], statuses=[status])) == 1


# -- files -------------------------------------------------------------------------------------------


def test_a_new_file_lands_when_two_looks_found_it_the_same(graph: Graph, folder: Path) -> None:
    path = drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    assert ticks.asked() == []
    (look,) = ticks.tick()
    assert look.run_config == {"ops": {"look_into_file": {"config": {"name": "a.csv"}}}}
    assert ticks.run(look).success
    (request,) = ticks.tick()
    assert request.run_config == {}, "the partition names the file"
    assert request.partition_key == drop_key(path, digest(path))
    assert graph.instance.has_dynamic_partition("csv_drop", str(request.partition_key))
    assert ticks.run(request).success
    assert graph.query("SELECT file_name, rows_in FROM staging.ic_drop") == [("a.csv", 1)]
    assert ticks.asked() == [], "dealt with"
    ticks.cursor = None
    assert [ticks.asked(), ticks.asked()] == [[], []], "the database knows it, not the cursor"


def test_a_run_of_the_ui_lands_the_file_of_the_drop_folder_and_none_beside_it(graph: Graph, folder: Path) -> None:
    """Anybody who reaches the UI may add a partition of any name."""
    inside = drop(folder / "a...b.csv", 1)
    outside = drop(folder.parent / "secret.csv", 2)
    (folder / "link.csv").symlink_to(outside)
    (folder / "a").mkdir()
    drop(folder / "a" / "deep.csv", 3)
    content = digest(outside)[:8]
    for key in (f"../secret.csv@{content}", f"{outside}@{content}", f"link.csv@{content}", f"a/deep.csv@{content}"):
        landed = graph.land_by_key(key)
        assert not landed.success
        assert "no such file in" in str(landed.all_events), key
    assert graph.query("SELECT file_name FROM staging.ic_drop") == []
    assert graph.land_by_key(drop_key(inside, digest(inside))).success
    assert graph.query("SELECT file_name FROM staging.ic_drop") == [("a...b.csv",)]


def test_a_file_that_is_still_being_written_waits(graph: Graph, folder: Path) -> None:
    path = drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    drop(path, 1, 2, age=50)
    assert ticks.asked() == [], "it grew between two looks"
    drop(path, 1, 2, 3, age=0)
    ticks.tick()
    assert ticks.asked() == [], "somebody wrote to it just now"
    assert "Waiting: a.csv (it was written to just now)." in str(ticks.skipped)
    aged(path, 60)
    assert ticks.asked() == [], "first look at this state"
    assert ticks.asked() == ["look a.csv"]


def test_a_file_dated_ahead_lands_when_two_looks_are_equal_and_is_named_before(graph: Graph, folder: Path) -> None:
    """Another machine's clock, or a copy that kept a time."""
    drop(folder / "a.csv", 1, age=-86_400)
    ticks = Ticks(graph, "csv_drop")
    assert ticks.asked() == []
    assert "Waiting: a.csv (seen first just now)." in str(ticks.skipped)
    assert ticks.settle() == ["look a.csv", "land a.csv"]
    assert graph.query("SELECT rows_in FROM staging.ic_drop") == [(1,)]


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.tmp", ".a.csv", ".a.csv.swp"])
def test_unfinished_and_hidden_files_and_folders_are_left_alone(graph: Graph, folder: Path, name: str) -> None:
    drop(folder / name, 1)
    (folder / "archive").mkdir()
    drop(folder / "archive" / "old.csv", 2)
    ticks = Ticks(graph, "csv_drop")
    assert [ticks.asked() for _ in range(3)] == [[], [], []]


def test_what_is_no_regular_file_is_left_alone_and_named(graph: Graph, folder: Path) -> None:
    """A link would read files from outside, a pipe would be waited for."""
    outside = drop(folder.parent / "secret.csv", 1)
    (folder / "link.csv").symlink_to(outside)
    (folder / "archive.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    ticks = Ticks(graph, "csv_drop")
    assert ticks.settle() == []
    assert str(ticks.skipped).endswith(
        "Left alone: archive.csv (a folder), link.csv (a symbolic link, not followed), pipe.csv (a pipe)."
    )
    look = dg.RunRequest(
        run_key="x", job_name="inspect_drop", run_config={"ops": {"look_into_file": {"config": {"name": "link.csv"}}}}
    )
    assert not ticks.run(look, must=False).success
    assert graph.query("SELECT count(*) FROM staging.ic_drop_file") == [(0,)]


def test_files_land_oldest_first_then_by_name_one_after_the_other(graph: Graph, folder: Path) -> None:
    moment = time.time() - 100
    for number, (name, age) in enumerate((("a.csv", 10), ("c.csv", 50), ("b.csv", 50), ("z.csv", 90))):
        path = drop(folder / name, number)
        os.utime(path, (moment - age, moment - age))
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    landed = [name for name in ticks.settle() if name.startswith("land")]
    assert landed == ["land z.csv", "land b.csv", "land c.csv", "land a.csv"]


def test_a_file_waits_for_an_older_one_that_is_looked_into_but_not_for_long(graph: Graph, folder: Path) -> None:
    """Of rows with equal dates the later drop wins; a file of gigabytes must not keep the others waiting."""
    drop(folder / "old.csv", 1, age=100)
    new = drop(folder / "new.csv", 2, age=50)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    looks = {asked_for(request): request for request in ticks.tick()}
    assert set(looks) == {"look old.csv", "look new.csv"}
    graph.instance.create_run_for_job(
        graph.definitions.resolve_job_def("inspect_drop"),
        run_config=dict(looks["look old.csv"].run_config),
        status=dg.DagsterRunStatus.STARTING,
        tags={"dagster/run_key": str(looks["look old.csv"].run_key)},
    )
    ticks.run(looks["look new.csv"])
    assert ticks.asked() == []
    graph.query("UPDATE staging.ic_attempt SET tried_at = now() - interval '61 s' RETURNING subject")
    assert ticks.asked() == ["land new.csv"]
    assert graph.query("SELECT drop_key FROM staging.ic_drop_file") == [(drop_key(new, digest(new)),)]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_drop_lands_the_next_one_waits(graph: Graph, folder: Path, status: dg.DagsterRunStatus) -> None:
    drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    (look,) = ticks.tick()
    ticks.run(look)
    unfinished(graph, "land_drop", status)
    assert ticks.asked() == []
    assert ticks.skipped == "A drop is landing; the next one follows."


def test_the_same_content_under_another_name_is_not_loaded_again(graph: Graph, folder: Path) -> None:
    land(graph.postgres_url, drop(folder / "first.csv", 1))
    (folder / "first.csv").unlink()
    drop(folder / "second.csv", 1)
    drop(folder / "third.csv", 3, age=30)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    assert ticks.settle() == ["look second.csv", "look third.csv", "land third.csv"]


def test_a_file_that_vanishes_between_two_looks_is_forgotten_and_lands_when_it_is_back(
    graph: Graph, folder: Path
) -> None:
    path = drop(folder / "a.csv", 1)
    ticks = Ticks(graph, "csv_drop")
    ticks.tick()
    path.unlink()
    assert ticks.asked() == []
    drop(path, 1)
    assert ticks.asked() == [], "first look again"
    assert ticks.asked() == ["look a.csv"]


def test_a_file_that_vanishes_before_its_run_starts_refuses_the_run_in_one_line(graph: Graph, folder: Path) -> None:
    path = drop(folder / "a.csv", 1)
    key = drop_key(path, digest(path))
    path.unlink()
    result = graph.land_file(path, key=key, must=False)
    assert not result.success
    failure = next(event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    refusal = failure.event_specific_data.error.cause  # type: ignore[union-attr]
    assert refusal.cls_name == "DropRefused"  # type: ignore[union-attr]
    assert "a.csv" in refusal.message  # type: ignore[union-attr]
    with pytest.raises(
        Refused, match=r"a\.csv"
    ):  # and not what it was raised from: the command line shows no traceback
        raise_for(result)
    assert graph.query("SELECT count(*) FROM staging.ic_communication_landing") == [(0,)]


def test_a_drop_folder_that_does_not_exist_yet_is_no_error(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_DROP_DIR", str(graph.folder / "later"))
    ticks = Ticks(graph, "csv_drop")
    assert ticks.asked() == []
    assert ticks.skipped == "No new complete file in the drop folder."


# -- months ------------------------------------------------------------------------------------------


def ranges(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [
        (request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"])
        for request in requests
    ]


def rows_in(*months: str) -> list[dict[str, Any]]:
    return [row(number, f"{month}-15") for number, month in enumerate(months, 1)]


def test_touched_months_are_asked_for_in_few_runs(graph: Graph) -> None:
    """Gaps of up to three months share a run; four months apart do not."""
    drops = rows_in("2018-01", "2018-02", "2018-06", "2018-11", "2019-12", "2020-01")
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", drops))
    ticks = Ticks(graph, "landed_months")
    first = ticks.tick()
    assert ranges(first) == [
        ("2018-01-01", "2018-06-01"),
        ("2018-11-01", "2018-11-01"),
        ("2019-12-01", "2020-01-01"),
    ]
    assert len({request.run_key for request in first}) == 3
    bring_up_to_date(graph.postgres_url)
    assert ticks.tick() == []
    assert ticks.skipped == "Every month is up to date."


def test_a_correction_asks_for_its_old_and_new_month_and_no_other(graph: Graph) -> None:
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", rows_in("2018-01", "2018-09", "2019-06")))
    bring_up_to_date(graph.postgres_url)
    correction = row(1, "2019-01-15", Comm_UpdatedDate="2021-01-01")
    land(graph.postgres_url, write_drop(graph.folder / "b.csv", [correction, row(2, "2018-09-15")]))
    ticks = Ticks(graph, "landed_months")
    before = ticks.tick()
    assert ranges(before) == [("2018-01-01", "2018-01-01"), ("2019-01-01", "2019-01-01")]
    land(graph.postgres_url, write_drop(graph.folder / "c.csv", [row(1, "2019-01-16", Comm_UpdatedDate="2022-01-01")]))
    after = ticks.tick()
    assert ranges(after) == [("2019-01-01", "2019-01-01")], (
        "January 2019 has changed again; January 2018 waits as before"
    )
    assert after[0].run_key != before[1].run_key


@pytest.mark.parametrize("name", ["landed_months", "reconciled_months"])
def test_months_sensors_hold_still_while_a_load_or_another_run_brings_months_up_to_date(
    graph: Graph, name: str
) -> None:
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", rows_in("2018-01")))
    ticks = Ticks(graph, name)
    with psycopg.connect(graph.postgres_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (locks.LOAD,))
        assert ticks.tick() == []
        assert "ic-assets load" in str(ticks.skipped)
    unfinished(graph, "bring_months_up_to_date", dg.DagsterRunStatus.STARTED)
    assert ticks.tick() == []
    assert ticks.skipped == "Months are being brought up to date."


def test_the_command_line_holds_the_lock_that_the_sensors_look_at(graph: Graph) -> None:
    """By the context manager that `ic-assets load` works in."""
    from types import SimpleNamespace

    from ic_assets.commands.load import _sensors_hold_still

    land(graph.postgres_url, write_drop(graph.folder / "a.csv", rows_in("2018-01")))
    ticks = Ticks(graph, "landed_months")
    with opened(graph.postgres_url) as database:
        with _sensors_hold_still(SimpleNamespace(database=database)):  # type: ignore[arg-type]
            assert ticks.tick() == []
        assert ranges(ticks.tick()) == [("2018-01-01", "2018-01-01")]


def test_a_changed_reconciliation_asks_for_the_months_that_refer_to_it(graph: Graph, tmp_path: Path) -> None:
    drops = [row(1, "2018-01-15"), row(2, "2018-07-15", Person_Id=55), row(3, "2019-03-15", Company_Id=55)]
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", drops))
    bring_up_to_date(graph.postgres_url)
    file = tmp_path / "contacts.csv"
    file.write_text("legacy_id,hubspot_id\n101,9101\n55,9055\n", encoding="utf-8")
    with opened(graph.postgres_url) as database, database.transaction() as connection:
        matches.reconcile(connection, matches.ENTITIES["contacts"], file)
    assert ranges(Ticks(graph, "reconciled_months").tick()) == [("2018-07-01", "2018-07-01")]
    assert Ticks(graph, "landed_months").tick() == [], "one sensor asks, not two"


def test_an_edited_classification_asks_for_its_months_without_anyone_running_anything(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", [row(1, "2018-01-15", "Zoom"), row(2, "2018-07-15")]))
    bring_up_to_date(graph.postgres_url)
    copy = tmp_path / classification.CLASSIFICATION.name
    copy.parent.mkdir()
    for file in classification.FILES:
        shutil.copy(file.packaged, tmp_path / file.name)
    text = classification.CLASSIFICATION.path.read_text(encoding="utf-8")
    copy.write_text(text.replace("zoom,*,calls,", "zoom,*,meetings,"), encoding="utf-8")
    monkeypatch.setattr(rules_data, "FOLDER", tmp_path)
    assert ranges(Ticks(graph, "landed_months").tick()) == [("2018-01-01", "2018-01-01")]


def test_an_edit_of_a_template_shows_in_the_checks_without_anyone_running_anything(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a template makes changes with the id property, too."""
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", [row(1), row(2)]))
    bring_up_to_date(graph.postgres_url)
    ticks = Ticks(graph, "payload_versions")
    assert ticks.told() == []
    assert ticks.skipped == "Every payload was made with the templates and settings that are in force."
    monkeypatch.setenv("IC_HUBSPOT_ID_PROPERTY", "crm_id")
    (check,) = ticks.told()
    assert (check.asset_key.path[-1], check.check_name, check.passed) == ("ic_calls", "payloads_are_current", False)
    assert check.description == (
        "2 of 2 payloads were made with other templates or settings than those in force. `ic-assets load --renew` makes "
        "them again."
    )
    assert ticks.skipped == "2 payloads are older than their templates or settings."
    assert ticks.told() == [], "said once"
    monkeypatch.delenv("IC_HUBSPOT_ID_PROPERTY")
    (check,) = ticks.told()
    assert check.passed


def test_the_night_push_asks_for_the_months_that_hubspot_has_not_got_once_somebody_approved_them(graph: Graph) -> None:
    schedule = graph.definitions.resolve_schedule_def("nightly_push")

    class Portal(HubSpotResource):
        def portal_id(self) -> int:
            return 7

    def tick() -> tuple[list[dg.RunRequest], str | None]:
        with dg.build_schedule_context(
            instance=graph.instance, resources={"postgres": graph.postgres, "hubspot": Portal()}
        ) as context:
            found = schedule.evaluate_tick(context)
            return list(found.run_requests or []), found.skip_message

    assert tick() == ([], "Nothing to push.")
    land(graph.postgres_url, write_drop(graph.folder / "a.csv", rows_in("2018-01", "2018-03")))
    bring_up_to_date(graph.postgres_url)
    assert tick()[0] == []
    with psycopg.connect(graph.postgres_url) as connection:
        connection.execute("INSERT INTO hubspot.portal (portal_id, base_url) VALUES (7, 'http://127.0.0.1')")
        connection.execute(
            "INSERT INTO hubspot.push_run (portal_id, mode, result, options, counts)"
            " VALUES (7, 'test', 'done', %s, %s)",
            (
                Jsonb({"payload_version": approval.payload_version(Settings.from_env())}),
                Jsonb({"rejected": 0, "unknown": 0, "sent": 2, "identical": 0}),
            ),
        )
    requests, why = tick()
    assert requests == []
    assert "run `ic-assets approve --by NAME`" in str(why)
    everything = OUTGOING.scope()
    with psycopg.connect(graph.postgres_url) as connection:
        approval.approve(connection, 7, "Ada", everything)
    (request,) = tick()[0]
    assert ranges([request]) == [("2018-01-01", "2018-03-01")]
    assert request.run_config["ops"]["hubspot_engagements"]["config"] == {"mode": "production", "all_months": True}
