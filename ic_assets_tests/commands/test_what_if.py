"""What a reconciliation would do to the gates: the same as doing it does, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities.engine.judging.rules import judge, resolution_rules
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, reconcile, what_if
from ic_assets.core.failures import DropRefused
from ic_assets_tests.drops import (
    COMPANY,
    CONTACT,
    HUBSPOT_CONTACT,
    bring_up_to_date,
    land,
    reconcile_everything,
    row,
    write_drop,
)

GATES = ("contacts_resolved", "companies_resolved", "deals_resolved", "orphans")


@pytest.fixture
def staging(database: str, tmp_path: Path) -> str:
    """Contacts: 101 (HubSpot has it) in four rows, 501 (nobody knows it) in two. One row also has a company."""
    reconcile_everything(database)
    rows = [row(number) for number in (1, 2, 3)] + [row(4, "2019-04-05")]
    rows += [row(5, Person_Id=501), row(6, "2019-05-05", Person_Id=501, Company_Id=COMPANY)]
    land(database, write_drop(tmp_path / "some.csv", rows))
    bring_up_to_date(database)
    return database


def file(folder: Path, *lines: str) -> Path:
    path = folder / "contacts.csv"
    path.write_text("legacy_id,hubspot_id\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def everything(database: str) -> dict[str, Any]:
    """Every row of every table of ours, and where every sequence is."""
    with psycopg.connect(database) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('staging', 'hubspot') ORDER BY 1, 2"
        ).fetchall()
        found: dict[str, Any] = {}
        for schema, table in names:
            query = sql.SQL("SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {} AS t")
            found[table] = connection.execute(query.format(sql.Identifier(schema, table))).fetchone()
        sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1, 2").fetchall()
    assert len(found) > 20
    return {**found, "sequences": sequences}


def figures(database: str) -> dict[str, tuple[int, int, bool]]:
    """The four gates as the rules judge them."""
    with psycopg.connect(database) as connection:
        verdicts = judge(connection, resolution_rules())
    return {v.rule.name: (v.checked, v.failing, v.passed) for v in verdicts if v.rule.name in GATES}


@pytest.mark.parametrize(
    ("lines", "contacts", "orphans"),
    [
        (["501,9501"], 0, 0),
        (["501,"], 2, 1),
        ([f"{CONTACT},"], 6, 5),
        ([f"{CONTACT},9999", "501,9501", "777,9777"], 0, 0),
        ([], 2, 1),
    ],
    ids=["a match", "known, not in HubSpot", "a match taken back", "a match moved", "an empty file"],
)
def test_the_gates_are_foretold_as_they_come_true_and_nothing_is_written(
    staging: str, tmp_path: Path, lines: list[str], contacts: int, orphans: int
) -> None:
    path = file(tmp_path, *lines)
    before, standing = figures(staging), everything(staging)
    with psycopg.connect(staging) as connection:
        found = what_if(connection, ENTITIES["contacts"], path)
    assert everything(staging) == standing
    assert {gate.now.rule.name: (gate.now.checked, gate.now.failing, gate.now.passed) for gate in found.gates} == before
    foretold = {gate.then.rule.name: (gate.then.checked, gate.then.failing, gate.then.passed) for gate in found.gates}
    assert foretold["contacts_resolved"][:2] == (6, contacts)
    assert foretold["orphans"][:2] == (6, orphans)
    with psycopg.connect(staging) as connection:
        done = reconcile(connection, ENTITIES["contacts"], path)
    assert done == found.reconciled
    bring_up_to_date(staging)
    assert figures(staging) == foretold


def test_it_says_what_would_change_and_which_months_that_concerns(staging: str, tmp_path: Path) -> None:
    path = file(tmp_path, f"{CONTACT},9999", "501,9501", "777,", "778,9778")
    with psycopg.connect(staging) as connection:
        found = what_if(connection, ENTITIES["contacts"], path).reconciled
    assert (found.rows_in, found.changed, found.unchanged) == (4, 4, 0)
    assert (found.matched, found.moved, found.withdrawn, found.without_hubspot_id) == (2, 1, 0, 1)
    assert [f"{month:%Y-%m}" for month in found.months] == ["2019-03", "2019-04", "2019-05"]
    same = file(tmp_path, f"{CONTACT},{HUBSPOT_CONTACT}")
    with psycopg.connect(staging) as connection:
        assert what_if(connection, ENTITIES["contacts"], same).reconciled.months == ()


def test_a_file_that_would_be_refused_is_refused_here_too(staging: str, tmp_path: Path) -> None:
    path = file(tmp_path, "501,9501", "501,9502")
    with (
        psycopg.connect(staging) as connection,
        pytest.raises(DropRefused, match="two different HubSpot ids, lines 2 and 3"),
    ):
        what_if(connection, ENTITIES["contacts"], path)
