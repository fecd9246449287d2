"""The stages beside each other and interrupted: two at the same month, a drop in the middle of a run, a killed landing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.staging import classification, slices, stages
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.core.months import Window, windows
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import HEADER, bring_up_to_date, land, opened, reconcile_everything, row, write_drop

MARCH = Window(date(2019, 3, 1), date(2019, 4, 1))
APRIL = Window(date(2019, 4, 1), date(2019, 5, 1))


@pytest.fixture
def staging(database: str) -> str:
    reconcile_everything(database)
    return database


def query(postgres_url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres_url) as connection:
        return connection.execute(text.encode()).fetchall()


def out_of_date(postgres_url: str) -> list[str]:
    with psycopg.connect(postgres_url) as connection:
        return [f"{month:%Y-%m}" for month, _, _ in slices.out_of_date(connection)]


# -- side by side ------------------------------------------------------------------------------------


@contextmanager
def beside(work: Any) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)


def test_two_runs_of_one_month_wait_for_each_other_and_two_months_do_not(staging: str, tmp_path: Path) -> None:
    land(staging, write_drop(tmp_path / "a.csv", [row(1), row(2, "2019-04-05")]))
    settings = Settings.from_env()
    ended: list[str] = []

    def apply(window: Window, name: str) -> None:
        with psycopg.connect(staging) as connection:
            stages.apply_master(connection, window, settings)
        ended.append(name)

    with psycopg.connect(staging) as first:
        stages.apply_master(first, MARCH, settings)
        with beside(lambda: apply(MARCH, "march again")) as waiting:
            apply(APRIL, "april")
            wait_until_somebody_waits(staging)
            assert waiting.is_alive()
            assert ended == ["april"]
            first.commit()
    assert ended == ["april", "march again"]
    assert query(staging, "SELECT count(*) FROM staging.ic_communication_master") == [(2,)]


def wait_until_somebody_waits(postgres_url: str) -> None:
    deadline = time.monotonic() + 20
    while query(postgres_url, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'") == [(0,)]:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.05)


def test_a_drop_that_lands_during_a_run_leaves_its_month_out_of_date(staging: str, tmp_path: Path) -> None:
    land(staging, write_drop(tmp_path / "a.csv", [row(1)]))
    settings = Settings.from_env()
    with psycopg.connect(staging) as connection:
        classification.sync_classification(connection)
    with psycopg.connect(staging) as connection:
        stages.apply_master(connection, MARCH, settings)
        land(staging, write_drop(tmp_path / "b.csv", [row(2)]))
        connection.commit()
    assert query(staging, "SELECT comm_communicationid FROM staging.ic_communication_master") == [(1,)]
    assert out_of_date(staging) == ["2019-03"]
    bring_up_to_date(staging)
    assert out_of_date(staging) == []
    assert query(staging, "SELECT count(*) FROM staging.ic_calls") == [(2,)]


def test_a_kind_that_lands_while_the_master_is_made_gets_its_type(
    staging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question which kinds there are and that for the rows."""
    land(staging, write_drop(tmp_path / "a.csv", [row(1)]))
    made = stages.statement
    later = write_drop(
        tmp_path / "b.csv",
        [row(2, kind="Email"), row(3, kind="Case", Comm_CaseId=5, Comm_Priority="High"), row(4, kind="Unheard-of")],
    )

    def landing_first(name: str, /, **parts: Any) -> Any:
        if name == "activities/master/incoming" and later.exists():
            land(staging, later)
            later.unlink()
        return made(name, **parts)

    monkeypatch.setattr(stages, "statement", landing_first)
    bring_up_to_date(staging)
    types = "SELECT comm_communicationid, derived_activity_type FROM staging.ic_communication_master ORDER BY 1"
    assert query(staging, types) == [(1, "calls"), (2, "emails"), (3, "tasks"), (4, "notes")]
    assert out_of_date(staging) == ["2019-03"]


def test_two_landings_at_once_decide_one_after_the_other(staging: str, tmp_path: Path) -> None:
    """Of two drops with one id the later by its update date wins, whichever lands first."""
    paths = [
        write_drop(
            tmp_path / f"{number}.csv", [row(1, Comm_UpdatedDate=f"202{number}-01-01", Comm_Subject=str(number))]
        )
        for number in range(4)
    ]
    threads = [threading.Thread(target=land, args=(staging, path)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert query(staging, "SELECT comm_subject FROM staging.ic_communication_landing WHERE is_current") == [("3",)]
    counts = query(staging, "SELECT sum(rows_in), sum(inserted), sum(updated + rejected) FROM staging.ic_drop")
    assert counts == [(4, 1, 3)]


# -- corrections -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(MARCH, APRIL), (APRIL, MARCH)], ids=["old month first", "new month first"])
@pytest.mark.parametrize("kind", ["Call", "Email"], ids=["same type", "other type"])
def test_a_communication_that_changes_its_month_leaves_no_row_behind_and_keeps_its_id(
    staging: str, tmp_path: Path, order: tuple[Window, Window], kind: str
) -> None:
    land(staging, write_drop(tmp_path / "a.csv", [row(1, "2019-03-05"), row(2, "2019-03-06")]))
    bring_up_to_date(staging)
    master = query(staging, "SELECT id FROM staging.ic_communication_master ORDER BY comm_communicationid")
    call = query(staging, "SELECT id FROM staging.ic_calls ORDER BY activity_date")
    land(staging, write_drop(tmp_path / "b.csv", [row(1, "2019-04-05", kind, Comm_UpdatedDate="2021-01-01")]))
    settings = Settings.from_env()
    for window in order:
        with opened(staging) as database, database.transaction() as connection:
            stages.apply_master(connection, window, settings)
            stages.apply_resolution(connection, window, settings)
            for activity in BY_NAME.values():
                slice_derivatives.apply_derivative(connection, activity, window, settings)
        moment = "SELECT comm_datetime::date::text FROM staging.ic_communication_master WHERE comm_communicationid = 1"
        assert query(staging, moment) == [("2019-04-05",)], "whichever month ran"
    assert out_of_date(staging) == []
    assert query(staging, "SELECT id FROM staging.ic_communication_master ORDER BY comm_communicationid") == master
    standing = {
        table: query(staging, f"SELECT ic_communication_master_id, activity_date FROM staging.ic_{table} ORDER BY 2")
        for table in ("calls", "emails")
    }
    stayed, moved = (master[1][0], datetime(2019, 3, 6)), (master[0][0], datetime(2019, 4, 5))  # noqa: DTZ001
    assert standing == (
        {"calls": [stayed, moved], "emails": []} if kind == "Call" else {"calls": [stayed], "emails": [moved]}
    )
    if kind == "Call":
        assert query(staging, "SELECT id FROM staging.ic_calls ORDER BY ic_communication_master_id") == call


# -- time --------------------------------------------------------------------------------------------


def test_the_reference_time_of_a_run_decides_and_is_on_record(
    staging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planned meeting without a status: it lies ahead at one reference time and behind at the other."""
    meeting = row(1, "2019-03-15 12:00", "Meeting", Comm_Status="")
    monkeypatch.setenv("IC_SOURCE_TIMEZONE", "Europe/Berlin")  # noon there is eleven in UTC
    land(staging, write_drop(tmp_path / "a.csv", [meeting]))
    for reference, outcome in (("2019-03-15T10:59:59Z", "SCHEDULED"), ("2019-03-15T11:00:00Z", "COMPLETED")):
        monkeypatch.setenv("IC_REFERENCE_TIME", reference)
        with psycopg.connect(staging) as connection:
            slices.mark_changed(connection, [date(2019, 3, 1)], "landing")
        bring_up_to_date(staging)
        assert query(staging, "SELECT meeting_outcome FROM staging.ic_meetings") == [(outcome,)]
        recorded = query(staging, "SELECT DISTINCT reference_time FROM staging.ic_month_stage")
        assert recorded == [(datetime.fromisoformat(reference).astimezone(UTC),)]


def test_a_meeting_that_ended_before_it_began_is_warned_about_once(staging: str, tmp_path: Path) -> None:
    meeting = row(1, "2019-03-15 12:00", "Meeting", Comm_ToDateTime="2019-03-15 11:00")
    land(staging, write_drop(tmp_path / "a.csv", [meeting]))
    for _ in range(2):
        with psycopg.connect(staging) as connection:
            slices.mark_changed(connection, [date(2019, 3, 1)], "landing")
        bring_up_to_date(staging)
    assert query(
        staging, "SELECT line_number, comm_communicationid, column_name, reason FROM staging.ic_field_warning"
    ) == [(2, 1, "comm_todatetime", "end_before_start")]
    assert query(staging, "SELECT meeting_end_time::text FROM staging.ic_meetings") == [("2019-03-15 13:00:00",)]


# -- windows -----------------------------------------------------------------------------------------

months = st.builds(date, st.integers(2000, 2028), st.integers(1, 12), st.just(1))


def number(month: date) -> int:
    return month.year * 12 + month.month


@given(st.lists(months), st.integers(0, 6))
def test_windows_cover_every_month_once_and_no_longer_gap_than_allowed(wanted: list[date], bridge: int) -> None:
    found = windows(wanted, bridge)
    covered = [month for window in found for month in window.months]
    assert covered == sorted(set(covered)), "apart, in order, none twice"
    assert set(wanted) <= set(covered)
    for window in found:
        assert window.start in wanted
        assert window.months[-1] in wanted, "a window neither begins nor ends with a month that nobody asked for"
        numbers = sorted(number(month) for month in set(wanted) & set(window.months))
        assert all(later - earlier - 1 <= bridge for earlier, later in pairwise(numbers))
    for earlier, later in pairwise(found):
        assert number(later.start) - number(earlier.end) > bridge, "what is near shares a run"


def test_sixty_scattered_months_are_a_handful_of_runs() -> None:
    every_third = [date(2015 + n // 4, 1 + 3 * (n % 4), 1) for n in range(20)]
    assert len(windows(every_third)) == 1
    assert [window.start for window in windows([date(2015, 1, 1), date(2015, 6, 1)])] == [
        date(2015, 1, 1),
        date(2015, 6, 1),
    ]


# -- killed ------------------------------------------------------------------------------------------

LANDING = """
import sys
from pathlib import Path
from ic_assets.activities.engine.landing.drop_landing import land
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database

def said(progress):
    print(progress.rows, flush=True)
    sys.stdin.readline()  # so that the test decides when it goes on

settings = Settings.from_env()
land(Database(sys.argv[1], settings), settings, Path(sys.argv[2]), progress=said)
"""


def test_a_landing_that_is_killed_in_the_middle_leaves_nothing_and_the_next_one_works(
    staging: str, tmp_path: Path
) -> None:
    path = tmp_path / "big.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(HEADER) + "\n")
        line = ",,,Call,,,,2019-03-05,,{note},,,2019-03-05,,,,101,,,,,\n".replace("{note}", "x" * 1000)
        file.writelines(f"{n}{line}" for n in range(1, 6001))
    process = subprocess.Popen(
        [sys.executable, "-c", LANDING, staging, str(path)],
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        copied = int(process.stdout.readline())
        assert 0 < copied < 6000, "in the middle of the copy"
        assert query(staging, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY staging.%'") == [(1,)]
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    finally:
        process.kill()
        process.communicate()
    assert query(staging, "SELECT count(*) FROM staging.ic_communication_landing") == [(0,)]
    assert query(staging, "SELECT count(*) FROM staging.ic_drop") == [(0,)]
    landed = land(staging, path)
    assert (landed.rows_in, landed.inserted, landed.already_landed) == (6000, 6000, False)
    assert query(staging, "SELECT count(*) FROM staging.ic_communication_landing") == [(6000,)]
