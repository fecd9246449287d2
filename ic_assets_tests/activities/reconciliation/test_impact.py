"""Which missing records matter most: the figures are counted by hand from a few dozen rows."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.reconciliation.impact import EntityImpact, impact
from ic_assets_tests.drops import CONTACT, bring_up_to_date, land, reconcile_everything, row, write_drop


def unresolved(database: str, folder: Path, people: dict[int, int], resolved: int, **values: object) -> None:
    """``resolved`` communications of the known contact, and of each unknown person as many as it says."""
    rows = [row(number, **values) for number in range(1, resolved + 1)]
    for person, count in people.items():
        rows += [row(10_000 * person + number, Person_Id=person, **values) for number in range(count)]
    land(database, write_drop(folder / "some.csv", rows))
    bring_up_to_date(database)


def contacts(database: str, limit: int | None = 20) -> EntityImpact:
    with psycopg.connect(database) as connection:
        (found,) = impact(connection, limit=limit, entities=["contacts"]).entities
    return found


@pytest.fixture
def staging(database: str) -> str:
    reconcile_everything(database)
    return database


def test_the_ids_that_bring_most_come_first_and_the_sentence_says_how_many_the_gate_wants(
    staging: str, tmp_path: Path
) -> None:
    unresolved(staging, tmp_path, {501: 1, 502: 3, 503: 2}, resolved=34)
    found = contacts(staging)
    assert [(one.legacy_id, one.communications, one.cumulative_resolved) for one in found.rows] == [
        (502, 3, 3),
        (503, 2, 5),
        (501, 1, 6),
    ]
    assert [round(one.rate_after, 4) for one in found.rows] == [0.925, 0.975, 1.0]
    assert (found.references, found.unresolved, found.ids, found.rate) == (40, 6, 3, 0.85)
    assert (found.needed, found.needed_references) == (2, 5)
    assert found.sentence == (
        "2 contacts would resolve 5 references and bring the rate from 85.00 % to 97.50 % (more than 95 % must); "
        "3 are missing in all."
    )


def test_exactly_95_percent_is_not_enough(staging: str, tmp_path: Path) -> None:
    unresolved(staging, tmp_path, {501: 1, 502: 1}, resolved=18)
    assert contacts(staging).needed == 2


def test_the_figures_count_all_ids_whatever_the_limit(staging: str, tmp_path: Path) -> None:
    unresolved(staging, tmp_path, {501: 1, 502: 3, 503: 2}, resolved=34)
    found = contacts(staging, limit=1)
    assert [one.legacy_id for one in found.rows] == [502]
    assert (found.ids, found.needed, found.needed_references) == (3, 2, 5)


def test_a_green_gate_says_what_the_first_ones_would_bring(staging: str, tmp_path: Path) -> None:
    unresolved(staging, tmp_path, {501: 1, 502: 3}, resolved=96)
    assert contacts(staging, limit=1).sentence == (
        "The gate for contacts is met with 96.00 %. The 1 contact that weighs most, of 2 missing, would resolve 3 more "
        "references and bring the rate to 99.00 %."
    )


def test_what_nothing_refers_to_and_what_is_complete_are_said_so(staging: str, tmp_path: Path) -> None:
    unresolved(staging, tmp_path, {}, resolved=3)
    with psycopg.connect(staging) as connection:
        assert impact(connection).sentences == [
            "All 3 references to contacts lead to HubSpot.",
            "No communication refers to companies yet.",
            "No communication refers to deals yet.",
        ]


def test_months_of_one_id_add_up_and_a_month_that_is_not_resolved_yet_does_not_count(
    staging: str, tmp_path: Path
) -> None:
    land(staging, write_drop(tmp_path / "a.csv", [row(1, Person_Id=501), row(2, "2019-04-05", Person_Id=501), row(3)]))
    bring_up_to_date(staging)
    land(staging, write_drop(tmp_path / "b.csv", [row(4, "2019-06-05", Person_Id=501)]))
    found = contacts(staging)
    assert [(one.legacy_id, one.communications) for one in found.rows] == [(501, 2)]
    assert found.references == 3


def test_companies_and_deals_are_named_and_persons_are_not(staging: str, tmp_path: Path) -> None:
    with psycopg.connect(staging) as connection:
        connection.execute(
            "INSERT INTO staging.companies_reconciliation (legacy_company_id, company_name) VALUES (601, 'From the table')"
        )
        connection.execute(
            "INSERT INTO staging.contacts_reconciliation (legacy_contact_id, contact_name, contact_email)"
            " VALUES (501, 'A Person', 'person@example.com')"
        )
        connection.execute(
            "INSERT INTO staging.deals_reconciliation (legacy_deal_id, deal_name) VALUES (701, 'A deal')"
        )
    rows = [
        row(1, Person_Id=501, Company_Id=601, Company_Name="From the CRM"),
        row(2, Person_Id=502, Company_Id=602, Company_Name="Only in the CRM", Comm_OpportunityId=701),
        row(3, Person_Id=502, Company_Id=603, Comm_OpportunityId=702),
    ]
    land(staging, write_drop(tmp_path / "named.csv", rows))
    bring_up_to_date(staging)
    with psycopg.connect(staging) as connection:
        found = {(one.entity, one.legacy_id): (one.name, one.reason) for one in impact(connection).rows}
    assert found == {
        ("contacts", 501): (None, "not_in_hubspot"),
        ("contacts", 502): (None, "unknown"),
        ("companies", 601): ("From the table", "not_in_hubspot"),
        ("companies", 602): ("Only in the CRM", "unknown"),
        ("companies", 603): (None, "unknown"),
        ("deals", 701): ("A deal", "not_in_hubspot"),
        ("deals", 702): (None, "unknown"),
    }


def test_an_id_that_was_matched_since_says_that_a_load_brings_it_in(staging: str, tmp_path: Path) -> None:
    unresolved(staging, tmp_path, {501: 1}, resolved=1)
    with psycopg.connect(staging) as connection:
        connection.execute("INSERT INTO staging.contacts_reconciliation VALUES (501, 9501)")
    (one,) = contacts(staging).rows
    assert (one.reason, one.hubspot_id) == ("matched", 9501)
    assert "ic-assets load" in one.why


def test_a_reconciliation_table_that_stood_before_us_needs_no_names(staging: str, tmp_path: Path) -> None:
    with psycopg.connect(staging) as connection:
        connection.execute("ALTER TABLE staging.companies_reconciliation DROP COLUMN company_name")
    unresolved(staging, tmp_path, {CONTACT: 1}, resolved=1, Company_Id=602, Company_Name="Only in the CRM")
    with psycopg.connect(staging) as connection:
        (one,) = impact(connection, entities=["companies"]).rows
    assert one.name == "Only in the CRM"
