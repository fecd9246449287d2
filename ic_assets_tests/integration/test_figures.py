"""Figures that are counted by month: adding up what stands gives what counting anew gives, and costs only what changed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities.engine import figures, rollback
from ic_assets.activities.engine.figures import Source
from ic_assets.activities.engine.rules import judge
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop

KINDS = ("Call", "Email", "Meeting", "Note", "Task", "SMS", "Letter", "Pigeon")


def verdicts(postgres_url: str, *, recount: bool) -> dict[tuple[str, str], tuple[int, int, str]]:
    with psycopg.connect(postgres_url) as connection:
        found = judge(connection, recount=recount)
        connection.rollback() if recount else connection.commit()
    return {(v.rule.on, v.rule.name): (v.failing, v.checked, str(v.sample)) for v in found}


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
