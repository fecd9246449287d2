"""The roll-backs of staging: each removes what it counted and nothing else, keeps the ledger, and can be undone by a load."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.activities.engine.rollback import counts, records_in_hubspot, rollback
from ic_assets.activities.engine.rules import judge
from ic_assets.activities.engine.slices import Window, out_of_date
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop

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
            "INSERT INTO hubspot.push_ledger (portal_id, communication_id, object_type, activity_type, activity_month,"
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
        "ic_figure": 31,
        "ic_figure_month": 18,
        "ic_month": 2,
        "ic_drop": 1,
    }
    assert standing(database) == {}
    assert query(database, "SELECT count(*) FROM staging.contacts_reconciliation") == [(1,)], "not brought by a drop"
    landed = land(database, drop)
    assert (landed.already_landed, landed.inserted, landed.rejected) == (False, 4, 1)
    bring_up_to_date(database)
    assert standing(database)["ic_calls"] == 3


@pytest.mark.parametrize("scope", ["activities", "resolution", "master"])
def test_the_ledger_of_what_stands_in_hubspot_survives(database: str, drop: Path, scope: str) -> None:
    before = query(database, "SELECT * FROM hubspot.push_ledger ORDER BY communication_id")
    with psycopg.connect(database) as connection:
        assert records_in_hubspot(connection) == 1, "neither the pending nor the removed one"
    roll_back(database, scope)
    assert query(database, "SELECT * FROM hubspot.push_ledger ORDER BY communication_id") == before
