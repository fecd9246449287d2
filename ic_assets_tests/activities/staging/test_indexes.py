"""Every index of the master and the derivatives answers a documented question, and costs a push and a load no more than it
has to."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.lookups import Lookup, lookups
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop

VALUES = {
    "id": "7",
    "key": "'7'",
    "since": "timestamp '2019-03-01'",
    "until": "timestamp '2019-04-01'",
    "type": "'calls'",
    "drop": "'a.csv@01234567'",
}
# The plan's own figures, table by table; of the master's 13 those by HubSpot's ids are on the derivatives.
WANTED = {
    "ic_communication_master": 10,
    "ic_calls": 7,
    "ic_emails": 8,
    "ic_meetings": 8,
    "ic_notes": 6,
    "ic_tasks": 10,
    "ic_communications": 7,
    "ic_postal_mail": 6,
}


@pytest.fixture(scope="module")
def looked_up(module_database: str) -> str:
    """The schema as it is, with nothing in it: the planner must be told not to read the whole table."""
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return module_database


def indexes(postgres_url: str) -> dict[str, list[str]]:
    with psycopg.connect(postgres_url) as connection:
        return dict(
            connection.execute(
                "SELECT tablename, array_agg(indexname::text ORDER BY indexname) FROM pg_indexes"
                " WHERE schemaname = 'staging' AND tablename = ANY(%s) GROUP BY 1",
                (list(WANTED),),
            ).fetchall()
        )


def test_each_table_has_the_plans_number_of_indexes_and_each_index_its_question(looked_up: str) -> None:
    found = indexes(looked_up)
    assert {table: len(names) >= WANTED[table] for table, names in found.items()} == dict.fromkeys(WANTED, True)
    assert sum(map(len, found.values())) >= 65
    documented = sorted(lookup.index for lookup in lookups())
    assert documented == sorted(name for names in found.values() for name in names)
    assert max(Counter(lookup.asks for lookup in lookups() if lookup.table == "ic_calls").values()) == 1


@pytest.mark.parametrize("lookup", lookups(), ids=lambda lookup: lookup.index)
def test_the_documented_query_uses_its_index(looked_up: str, lookup: Lookup) -> None:
    query = re.sub(r":(\w+)", lambda match: VALUES[match[1]], lookup.query)
    with psycopg.connect(looked_up) as connection:
        # A table of no rows is read as a whole unless that is ruled out; an index scan is what a large one gets.
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {query}".encode()))
    assert re.search(rf"\bon {lookup.index}\b|using {lookup.index}\b", plan), plan


def test_the_marks_of_a_load_touch_no_index_of_the_master(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    rows = [row(number, kind="Call" if number % 2 else "Email", Company_Id=201) for number in range(1, 201)]
    land(database, write_drop(tmp_path / "a.csv", rows))
    bring_up_to_date(database)
    updated = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'ic_communication_master'"
    with psycopg.connect(database, autocommit=True) as connection:
        all_updates, in_place = connection.execute(updated).fetchone() or (0, 0)
    assert all_updates >= 200
    assert in_place == all_updates


def test_indexes_hold_no_more_than_what_they_are_for(looked_up: str) -> None:
    """An update that changes the status of a record that is sent must not change an index that it was not in."""
    with psycopg.connect(looked_up) as connection:
        defined = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'staging' AND indexdef LIKE '%%_status%%'"
            " AND tablename NOT LIKE '%%_rule'"
        ).fetchall()
    expected = {f"{activity.table}_attention" for activity in ACTIVITY_TYPES} | {"ic_tasks_open"}
    assert {name for name, _ in defined} == expected
    assert all(" WHERE " in text and "_status" not in text.partition(" WHERE ")[0] for _, text in defined)
