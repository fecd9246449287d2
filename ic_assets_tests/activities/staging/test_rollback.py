"""The roll-backs of staging: each removes what it counted and nothing else, keeps the ledger, and can be undone by a load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.judging.rules import judge
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.activities.engine.staging import classification, refill, stages
from ic_assets.activities.engine.staging.rollback import counts, records_in_hubspot, refuse_schema, rollback
from ic_assets.activities.engine.staging.slices import out_of_date
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core import locks, schema
from ic_assets.core.failures import Refused
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import bring_up_to_date, land, opened, reconcile_everything, row, write_drop

MARCH = Window(date(2019, 3, 1), date(2019, 4, 1))
DERIVATIVES = ("ic_calls", "ic_emails", "ic_meetings", "ic_notes", "ic_tasks", "ic_communications", "ic_postal_mail")
LONG = "word " * 20_000  # over HubSpot's limit: continued in a further note


@pytest.fixture
def drop(database: str, tmp_path: Path) -> Path:
    """March: two calls, one of an unknown contact, and a long note; April: a call. One rejected row, one warning."""
    reconcile_everything(database)
    rows = [
        row(1, "2019-03-05"),
        row(2, "2019-03-06", Person_Id=777, Company_Id=201),
        row(3, "2019-03-07", "Note", Comm_Note=LONG),
        row(4, "2019-04-05", Company_Id="x"),
        row(5, "never"),
    ]
    path = write_drop(tmp_path / "a.csv", rows)
    land(database, path)
    bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, record_key, object_type, activity_type, activity_month,"
            " state, action, hubspot_id) VALUES (1, 1, 'calls', 'calls', '2019-03-01', 'pushed', NULL, 11),"
            " (1, 2, 'calls', 'calls', '2019-03-01', 'pending', 'create', NULL),"
            " (1, 3, 'notes', 'notes', '2019-03-01', 'removed', NULL, 13)"
        )
    return path


def query(postgres_url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres_url) as connection:
        return connection.execute(text.encode()).fetchall()


def roll_back(postgres_url: str, scope: str, window: Window | None = None) -> dict[str, int]:
    """The tables that lost or changed rows, after looking that the count said the same before."""
    with psycopg.connect(postgres_url) as connection:
        before = counts(connection, scope, window)
        removed = rollback(connection, scope, window)
        assert removed == before
        assert set(counts(connection, scope, window).values()) == {0}, "a second time there is nothing left to do"
    return {table.removeprefix("staging."): count for table, count in removed.items() if count}


def standing(postgres_url: str) -> dict[str, int]:
    tables = (*DERIVATIVES, "ic_payload_part", "ic_communication_master", "ic_communication_landing", "ic_drop")
    found = {table: query(postgres_url, f"SELECT count(*) FROM staging.{table}")[0][0] for table in tables}
    return {table: count for table, count in found.items() if count}


def months_out_of_date(postgres_url: str) -> list[str]:
    with psycopg.connect(postgres_url) as connection:
        return [f"{month:%Y-%m}" for month, _, _ in out_of_date(connection)]


def test_activities_are_emptied_and_come_back_as_they_were(database: str, drop: Path) -> None:
    payloads = query(database, "SELECT hubspot_api_payload::text FROM staging.ic_calls ORDER BY activity_date")
    removed = roll_back(database, "activities")
    assert removed == {"ic_calls": 3, "ic_notes": 1, "ic_payload_part": 1, "ic_month_stage": 14}
    assert standing(database) == {"ic_communication_master": 4, "ic_communication_landing": 4, "ic_drop": 1}
    assert query(database, "SELECT DISTINCT staging_status FROM staging.ic_communication_master") == [("pending",)]
    assert months_out_of_date(database) == ["2019-03", "2019-04"]
    bring_up_to_date(database)
    assert query(database, "SELECT hubspot_api_payload::text FROM staging.ic_calls ORDER BY activity_date") == payloads
    assert query(database, "SELECT DISTINCT staging_status FROM staging.ic_communication_master") == [("processed",)]


def test_one_month_of_the_activities_leaves_the_others_alone(database: str, drop: Path) -> None:
    removed = roll_back(database, "activities", MARCH)
    assert removed == {"ic_calls": 2, "ic_notes": 1, "ic_payload_part": 1, "ic_month_stage": 7}
    assert query(database, "SELECT activity_date::date::text FROM staging.ic_calls") == [("2019-04-05",)]
    assert months_out_of_date(database) == ["2019-03"]
    assert query(
        database, "SELECT comm_communicationid FROM staging.ic_communication_master WHERE staging_status = 'processed'"
    ) == [(4,)]


def test_resolution_forgets_the_ids_and_the_log_and_the_communications_stay(database: str, drop: Path) -> None:
    ids = "SELECT comm_communicationid, hubspot_contact_id, hubspot_company_id FROM staging.ic_communication_master"
    before = query(database, f"{ids} ORDER BY 1")
    assert before == [(1, 9101, None), (2, None, 9201), (3, 9101, None), (4, 9101, None)]
    removed = roll_back(database, "resolution", MARCH)
    assert removed == {"reconciliation_log": 1, "ic_communication_master": 3, "ic_month_stage": 1}
    assert query(database, f"{ids} ORDER BY 1") == [(n, 9101 if n == 4 else None, None) for n in (1, 2, 3, 4)]
    assert query(database, "SELECT count(*) FROM staging.ic_communication_master WHERE is_orphaned") == [(3,)]
    assert months_out_of_date(database) == ["2019-03"]
    with psycopg.connect(database) as connection:
        (orphans,) = judge(connection, want=lambda rule: rule.name == "orphans")
    assert orphans.checked == 1, "months that are not resolved are not judged"
    bring_up_to_date(database)
    assert query(database, f"{ids} ORDER BY 1") == before
    assert query(database, "SELECT legacy_id FROM staging.reconciliation_log") == [(777,)]


def test_the_master_is_emptied_with_all_that_drops_brought_and_the_same_file_loads_again(
    database: str, drop: Path
) -> None:
    [(figures,)] = query(database, "SELECT count(*) FROM staging.ic_figure")
    removed = roll_back(database, "master")
    assert removed == {
        "ic_calls": 3,
        "ic_notes": 1,
        "ic_payload_part": 1,
        "reconciliation_log": 1,
        "ic_communication_master": 4,
        "ic_communication_landing": 4,
        "ic_rejected_row": 1,
        "ic_field_warning": 1,
        "ic_month_stage": 18,
        "ic_figure": figures,
        "ic_figure_month": 18,
        "ic_month": 2,
        "ic_drop": 1,
    }
    assert figures > 0
    assert standing(database) == {}
    assert query(database, "SELECT count(*) FROM staging.contacts_reconciliation") == [(1,)], "not brought by a drop"
    landed = land(database, drop)
    assert (landed.already_landed, landed.inserted, landed.rejected) == (False, 4, 1)
    bring_up_to_date(database)
    assert standing(database)["ic_calls"] == 3


@pytest.mark.parametrize("scope", ["activities", "resolution", "master"])
def test_the_ledger_of_what_stands_in_hubspot_survives(database: str, drop: Path, scope: str) -> None:
    before = query(database, "SELECT * FROM hubspot.push_ledger ORDER BY record_key")
    with psycopg.connect(database) as connection:
        assert records_in_hubspot(connection) == 1, "neither the pending nor the removed one"
    roll_back(database, scope)
    assert query(database, "SELECT * FROM hubspot.push_ledger ORDER BY record_key") == before


def waits_for(postgres_url: str, key: int, is_done: Callable[[], bool]) -> bool:
    """Whether somebody comes to wait for an advisory lock of that number before it ``is_done``."""
    waiting = (
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND (objid = %s OR classid = %s)"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        while not is_done():
            if connection.execute(waiting, (key, key)).fetchone():
                return True
            time.sleep(0.02)
    return False


def test_a_roll_back_of_the_master_waits_for_the_landing_that_is_under_way(
    database: str, drop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = write_drop(tmp_path / "more.csv", [row(number, "2019-05-05") for number in range(10, 20)])
    is_half_way, go_on = threading.Event(), threading.Event()
    decide = drop_landing._Landing._decide

    def slow(self: Any) -> Any:
        is_half_way.set()
        assert go_on.wait(30)
        return decide(self)

    monkeypatch.setattr(drop_landing._Landing, "_decide", slow)
    with ThreadPoolExecutor(2) as pool:
        landed = pool.submit(land, database, more)
        assert is_half_way.wait(30)
        removed = pool.submit(_roll_back, database, "master")
        assert waits_for(database, locks.LANDING, removed.done)
        go_on.set()
        assert landed.result(30).inserted == 10
        assert removed.result(30)["staging.ic_communication_landing"] == 14
    assert standing(database) == {}
    for path in (drop, more):
        assert not land(database, path).already_landed
    bring_up_to_date(database)
    assert months_out_of_date(database) == []
    assert standing(database)["ic_calls"] == 13


@pytest.mark.parametrize("scope", ["activities", "resolution", "master"])
def test_a_roll_back_waits_for_the_stage_that_is_under_way(database: str, drop: Path, scope: str) -> None:
    settings = Settings.from_env()
    with psycopg.connect(database) as stage, ThreadPoolExecutor(1) as pool:
        stages.apply_resolution(stage, MARCH, settings)
        removed = pool.submit(_roll_back, database, scope)
        assert waits_for(database, locks.MONTH, removed.done)
        stage.commit()
        assert sum(removed.result(30).values())
    # What is not done is named as such: no month passes for up to date whose rows are gone.
    if scope != "master":
        assert months_out_of_date(database) == ["2019-03", "2019-04"]
        bring_up_to_date(database)
        assert not [verdict for verdict in _judged(database) if not verdict.passed and verdict.rule.name == "coverage"]


def test_a_roll_back_between_the_rows_and_the_marks_of_a_first_load_leaves_its_months_out_of_date(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(n, kind="Email" if n % 2 else "Call") for n in range(1, 9)]))
    monkeypatch.setattr(refill, "REFILL_FROM_ROWS", 1)
    settings, at_a_time = Settings.from_env(), slice_derivatives._two_at_a_time
    calls = []

    def interrupted(database_: Any, work: Any, arguments: Any) -> Any:
        calls.append(work.__name__)
        if len(calls) == 2:
            _roll_back(database, "activities")
        return at_a_time(database_, work, arguments)

    with opened(database) as opened_database:
        with opened_database.transaction() as connection:
            classification.sync_classification(connection)
            stages.apply_master(connection, MARCH, settings, opened_database)
            stages.apply_resolution(connection, MARCH, settings)
        monkeypatch.setattr(slice_derivatives, "_two_at_a_time", interrupted)
        list(slice_derivatives.apply_derivatives(opened_database, ACTIVITY_TYPES, MARCH, settings))
    assert calls == ["fill", "settle"]
    assert "ic_calls" not in standing(database)
    assert months_out_of_date(database) == ["2019-03"], "no month passes for done whose rows are gone"
    monkeypatch.setattr(slice_derivatives, "_two_at_a_time", at_a_time)
    bring_up_to_date(database)
    assert (standing(database)["ic_calls"], standing(database)["ic_emails"]) == (4, 4)


def test_the_schema_is_kept_when_records_came_to_hubspot_after_the_question(database: str, drop: Path) -> None:
    with psycopg.connect(database) as connection:
        with pytest.raises(Refused, match="1 records stand in HubSpot"):
            refuse_schema(connection)
        connection.execute("DELETE FROM hubspot.push_ledger")
        refuse_schema(connection)
        connection.rollback()
    with pytest.raises(Refused, match="records stand in HubSpot"):
        schema.downgrade(database, refuse_schema)
    assert schema.is_current(database)


def _roll_back(postgres_url: str, scope: str) -> dict[str, int]:
    with psycopg.connect(postgres_url) as connection:
        return rollback(connection, scope, None)


def _judged(postgres_url: str) -> list[Any]:
    with psycopg.connect(postgres_url) as connection:
        return judge(connection)
