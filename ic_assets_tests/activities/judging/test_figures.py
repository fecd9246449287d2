"""Figures that are counted by month: adding up what stands gives what counting anew gives, and costs only what changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.judging import figures
from ic_assets.activities.engine.judging.figures import Source
from ic_assets.activities.engine.judging.rules import judge
from ic_assets.activities.engine.staging import classification, refill, rollback, stages
from ic_assets.activities.engine.staging.stages import Written
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import bring_up_to_date, land, opened, reconcile_everything, row, write_drop

KINDS = ("Call", "Email", "Meeting", "Note", "Task", "SMS", "Letter", "Pigeon")
MARCH, APRIL = Window(date(2019, 3, 1), date(2019, 4, 1)), Window(date(2019, 4, 1), date(2019, 5, 1))
BOTH = Window(MARCH.start, APRIL.end)
COUNTED_BY_STAGES = {"master", "resolution", *(activity.name for activity in ACTIVITY_TYPES)}


def verdicts(postgres_url: str, *, recount: bool) -> dict[tuple[str, str], tuple[int, int, str]]:
    with psycopg.connect(postgres_url) as connection:
        found = judge(connection, recount=recount)
        connection.rollback() if recount else connection.commit()
    return {(v.rule.on, v.rule.name): (v.failing, v.checked, str(v.sample)) for v in found}


def run_stages(postgres_url: str, window: Window) -> dict[str, Written]:
    """The stages as Dagster's steps run them, each in transactions of its own."""
    settings = Settings.from_env()
    with opened(postgres_url) as database:
        with database.transaction() as connection:
            classification.sync_classification(connection)
        with database.transaction() as connection:
            written = {"master": stages.apply_master(connection, window, settings, database)}
        with database.transaction() as connection:
            written["resolved"] = stages.apply_resolution(connection, window, settings)
        done = slice_derivatives.apply_derivatives(database, ACTIVITY_TYPES, window, settings)
        return written | {activity.name: each for activity, each in done}


def standing(postgres_url: str, window: Window) -> dict[str, tuple[dict[date, int], int]]:
    """Rows by month and payloads that HubSpot would refuse, counted in the tables."""
    master = ("ic_communication_master", "comm_datetime", "false")
    tables = {"master": master, "resolved": master} | {
        activity.name: (activity.table, "activity_date", "hubspot_api_payload IS NULL") for activity in ACTIVITY_TYPES
    }
    found = {}
    with psycopg.connect(postgres_url) as connection:
        for stage, (table, dated, refused) in tables.items():
            rows = connection.execute(
                f"SELECT date_trunc('month', {dated})::date, count(*), count(*) FILTER (WHERE {refused})"
                f" FROM staging.{table} WHERE {dated} >= %(window_start)s AND {dated} < %(window_end)s"
                " GROUP BY 1".encode(),
                window.parameters,
            ).fetchall()
            found[stage] = {month: count for month, count, _ in rows}, sum(refused for *_, refused in rows)
    return found


def told(written: dict[str, Written]) -> dict[str, tuple[dict[date, int], int]]:
    return {stage: (dict(each.row_counts), each.invalid) for stage, each in written.items()}


def counts_as_stored(postgres_url: str) -> dict[tuple[str, date], str]:
    """The version of each row that says that a source counted a month: another one when it counts again."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT source, comm_month, xmin::text FROM staging.ic_figure_month").fetchall()
    return {(source, month): version for source, month, version in rows}


def counted_months(postgres_url: str) -> dict[str, str]:
    """The month of each source with the moment of the state that was counted."""
    with psycopg.connect(postgres_url) as connection:
        return {
            f"{source} {month}": str(applied)
            for source, month, applied in connection.execute(
                "SELECT source, comm_month, applied_at FROM staging.ic_figure_month"
            )
        }


@pytest.mark.parametrize("seed", range(3))
def test_after_any_corrections_the_kept_figures_are_those_of_a_new_count(
    database: str, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    reconcile_everything(database)
    for drop in range(4):
        rows = [
            row(
                number,
                f"20{rng.randint(18, 20)}-{rng.randint(1, 12):02}-05",
                rng.choice(KINDS),
                Comm_UpdatedDate=f"2021-01-{drop + 1:02}",
                Person_Id=rng.choice(["", "1", "999"]),
            )
            for number in rng.sample(range(1, 60), 30)
        ]
        land(database, write_drop(tmp_path / f"{drop}.csv", rows))
        bring_up_to_date(database)
        kept = verdicts(database, recount=False)
        assert kept == verdicts(database, recount=True)
        assert kept["master", "required_fields_present"][1] > 0


def test_a_month_that_was_not_written_is_not_counted_again(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, "2019-04-05")]))
    bring_up_to_date(database)
    verdicts(database, recount=False)
    before = counted_months(database)
    land(database, write_drop(tmp_path / "b.csv", [row(3, "2019-04-06")]))
    bring_up_to_date(database)
    verdicts(database, recount=False)
    after = counted_months(database)
    assert {month[-10:] for month in after if after[month] != before[month]} == {"2019-04-01"}


def test_a_change_from_outside_shows_in_a_new_count(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2)]))
    bring_up_to_date(database)
    verdicts(database, recount=False)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_calls")
    assert verdicts(database, recount=False)["calls", "coverage"][:2] == (0, 2)
    assert verdicts(database, recount=True)["calls", "coverage"][:2] == (2, 2)


def test_what_was_rolled_back_counts_no_more(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2)]))
    bring_up_to_date(database)
    assert verdicts(database, recount=False)["calls", "required_fields"][1] == 2
    with psycopg.connect(database) as connection:
        rollback.rollback(connection, "activities", None)
    kept = verdicts(database, recount=False)
    assert kept["calls", "required_fields"][1] == 0
    assert kept == verdicts(database, recount=True)


def test_a_month_that_is_written_while_it_is_counted_is_counted_again(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1)]))
    bring_up_to_date(database)
    slow = Source(
        "slow",
        "master",
        sql.SQL(
            "SELECT 'rows', '', '2019-03-01'::date, 0, count(*)"
            " FROM staging.ic_communication_master CROSS JOIN (SELECT pg_sleep(%(seconds)s)) AS slept"
            " WHERE comm_datetime >= %(window_start)s AND comm_datetime < %(window_end)s"
        ).format(),
        {"seconds": 3},
    )

    def count(source: Source) -> int:
        with psycopg.connect(database) as connection:
            figures.bring_up_to_date(connection, [source], recount=False)
            (counted,) = figures.total(connection, source, "rows", None)
        return counted.checked

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database, autocommit=True) as connection:
        first = pool.submit(count, slow)
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while connection.execute(sleeping).fetchone() is None:
            assert not first.done()
        land(database, write_drop(tmp_path / "b.csv", [row(2)]))
        bring_up_to_date(database)
        assert not first.done(), "the month was written after it was counted: this proves nothing"
        assert first.result() == 1
    assert count(replace(slow, parameters={"seconds": 0})) == 2


@pytest.mark.parametrize("refills", [False, True], ids=["merged", "refilled"])
def test_what_a_stage_tells_is_what_stands_in_its_months(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refills: bool
) -> None:
    monkeypatch.setattr(refill, "REFILL_FROM_ROWS", 1 if refills else 1_000)
    reconcile_everything(database)
    rows = [row(n, f"2019-0{3 + n % 2}-05", KINDS[n % 7]) for n in range(1, 29)]
    too_long = row(40, "2019-04-06", Comm_Subject="x" * 70_000)
    land(database, write_drop(tmp_path / "a.csv", [*rows, too_long]))
    first = told(run_stages(database, BOTH))
    assert first == standing(database, BOTH)
    assert (first["calls"][1], first["master"][0]) == (1, {MARCH.start: 14, APRIL.start: 15})
    corrections = [
        row(40, "2019-04-06", Comm_UpdatedDate="2021-01-01"),  # no longer too long
        row(7, "2019-04-05", "Email", Comm_UpdatedDate="2021-01-01"),  # was a call
        row(41, "2019-04-05", Comm_Subject="x" * 70_000),
        row(42, "2019-04-05", "Email", Comm_Subject="x" * 70_000),
    ]
    land(database, write_drop(tmp_path / "b.csv", corrections))
    corrected = told(run_stages(database, APRIL))
    assert corrected == standing(database, APRIL)
    assert corrected["master"][0] == {APRIL.start: 17}
    assert (corrected["calls"][1], corrected["emails"][1]) == (1, 1)


def test_the_checks_read_what_the_stages_counted(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    rows = [row(n, f"2019-0{3 + n % 2}-05", KINDS[n % 8], Person_Id=[101, 999][n % 3 == 0]) for n in range(1, 33)]
    land(database, write_drop(tmp_path / "a.csv", rows))
    run_stages(database, BOTH)
    for window in (BOTH, APRIL):
        by_stages = counts_as_stored(database)
        of_window = {source for source, month in by_stages if month in window.months}
        assert of_window - {"landed", "misses"} == COUNTED_BY_STAGES
        kept = verdicts(database, recount=False)
        after = counts_as_stored(database)
        anew = {key for key, version in after.items() if by_stages.get(key) != version}
        assert anew == {(source, month) for source in ("landed", "misses") for month in window.months}
        assert kept == verdicts(database, recount=True)
        land(database, write_drop(tmp_path / "b.csv", [row(99, "2019-04-06", "Email")]))
        run_stages(database, APRIL)


def test_two_workers_count_their_months_beside_each_other(database: str, tmp_path: Path) -> None:
    """Neither commits before the other has counted, and both months' figures are kept."""
    reconcile_everything(database)
    land(
        database, write_drop(tmp_path / "a.csv", [row(n, f"2019-0{3 + n % 2}-05", KINDS[n % 7]) for n in range(1, 29)])
    )
    settings, together = Settings.from_env(), Barrier(2, timeout=20)
    with psycopg.connect(database) as connection:
        classification.sync_classification(connection)
    works: list[Callable[[psycopg.Connection, Window], Written]] = [
        lambda connection, window: stages.apply_master(connection, window, settings),
        lambda connection, window: stages.apply_resolution(connection, window, settings),
        *(
            lambda connection, window, activity=activity: slice_derivatives.apply_derivative(
                connection, activity, window, settings
            )
            for activity in ACTIVITY_TYPES
        ),
    ]

    def worker(window: Window) -> None:
        for work in works:
            with opened(database) as opened_database, opened_database.transaction() as connection:
                work(connection, window)
                together.wait()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(worker, window) for window in (MARCH, APRIL)]:
            each.result()
    counted = counts_as_stored(database)
    assert set(counted) == {(source, month) for source in COUNTED_BY_STAGES for month in BOTH.months}
    kept = verdicts(database, recount=False)
    assert kept == verdicts(database, recount=True)
    assert (kept["master", "required_fields_present"][1], kept["calls", "coverage"][:2]) == (28, (0, 4))


@pytest.mark.parametrize("refills", [False, True], ids=["merged", "refilled"])
def test_a_stage_that_ends_while_everything_is_counted_anew_waits_for_nobody_and_is_counted_later(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refills: bool
) -> None:
    """A refill locks the table that the other one waits to read."""
    monkeypatch.setattr(refill, "REFILL_FROM_ROWS", 1 if refills else 1_000)
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1)]))
    # It sees nothing of the stage, and removes what is kept when the stage has ended.
    early = sql.SQL("SELECT 'rows', '', '2019-02-01'::date, 0, 0 FROM (SELECT pg_sleep(4)) AS slept").format()

    def count() -> None:
        with psycopg.connect(database) as connection:
            figures.bring_up_to_date(connection, [replace(figures.OF_MASTER, query=early)], recount=True)

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database, autocommit=True) as connection:
        counting = pool.submit(count)
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while connection.execute(sleeping).fetchone() is None:
            assert not counting.done()
        written = run_stages(database, MARCH)
        assert not counting.done(), "the stages waited, or were too slow: this proves nothing"
        counting.result()
    assert told(written) == standing(database, MARCH)
    assert written["master"].row_counts == {MARCH.start: 1}
    assert verdicts(database, recount=False)["master", "required_fields_present"][:2] == (0, 1)
