"""A reconciliation table from the records of HubSpot, against the local one: paging, doubtful values, what stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ic_assets.activities.engine.reconciliation.hubspot_matches import Listing, list_matches, refresh
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, Reconciled, WhatIf
from ic_assets.core.failures import Refused
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import HubSpot

CONTACTS = ENTITIES["contacts"]
PROPERTY = "legacy_contact_id"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("hubspot")) as one:
        yield one


@pytest.fixture
def hub(served: HubSpot) -> HubSpot:
    served.reset()
    return served


def seed(hub: HubSpot, records: dict[int, str | None], kind: str = "contacts", name: str = PROPERTY) -> None:
    items = [{"id": str(record), "properties": {name: value}} for record, value in records.items()]
    hub.http.post("/_sandbox/seed", json={kind: items}).raise_for_status()


def listed(database: str, hub: HubSpot, name: str = PROPERTY, **more: Any) -> Listing:
    return list_matches(database, cases.target(hub), CONTACTS, name, **more)


def table(database: str) -> dict[int, int | None]:
    with psycopg.connect(database) as connection:
        query = "SELECT legacy_contact_id, hubspot_contact_id FROM staging.contacts_reconciliation"
        return dict(connection.execute(query).fetchall())


def test_every_page_is_read_and_what_search_does_not_show_yet_is_there(database: str, hub: HubSpot) -> None:
    """Search would end at 10,000 records and miss the newest."""
    seed(hub, {20_000 + number: str(number) for number in range(1, 251)})
    hub.chaos(index_lag=3_600_000)
    seen: list[tuple[int, int]] = []
    listing = listed(database, hub, progress=lambda done, total: seen.append((done, total)))
    assert listing.certain == {number: 20_000 + number for number in range(1, 251)}
    assert listing.records == 250 + len(cases.CONTACTS)
    assert [done for done, _ in seen] == [100, 200, 260]
    requests = [one["path"] for one in hub.requests() if one["path"] == "/crm/v3/objects/contacts"]
    assert len(requests) == 3


def test_matches_are_merged_and_what_hubspot_does_not_name_stays(database: str, hub: HubSpot) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO staging.contacts_reconciliation (legacy_contact_id, hubspot_contact_id, contact_name)"
            " VALUES (1, 20001, 'kept'), (2, 777, 'moved'), (3, NULL, 'matched'), (4, 20004, 'no record'), (5, NULL, 'no')"
        )
    seed(hub, {20_001: "1", 20_002: "2", 20_003: "3", 20_006: "6.0", 20_007: None, 20_008: " "})
    with psycopg.connect(database) as connection:
        found = refresh(connection, CONTACTS, listed(database, hub))
    assert table(database) == {1: 20_001, 2: 20_002, 3: 20_003, 4: 20_004, 5: None, 6: 20_006}
    assert isinstance(found.outcome, Reconciled)
    assert (found.outcome.matched, found.outcome.moved, found.outcome.unchanged, found.kept) == (2, 1, 1, 1)
    with psycopg.connect(database) as connection:
        names = connection.execute("SELECT contact_name FROM staging.contacts_reconciliation ORDER BY 1").fetchall()
    assert [name for (name,) in names if name] == ["kept", "matched", "moved", "no", "no record"]


def test_an_id_that_two_records_carry_and_a_value_that_is_no_number_are_left_alone_and_listed(
    database: str, hub: HubSpot
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO staging.contacts_reconciliation VALUES (1, 555)")
    seed(hub, {20_001: "1", 20_002: "1", 20_003: "2", 20_004: "1e5", 20_005: "12;13"})
    with psycopg.connect(database) as connection:
        found = refresh(connection, CONTACTS, listed(database, hub))
    assert table(database) == {1: 555, 2: 20_003}
    told = found.to_json()
    assert told["ambiguous"] == {"1": [20_001, 20_002]}
    assert told["unreadable"] == [20_004, 20_005]
    assert (told["records_with_legacy_id"], told["kept_without_record"], told["changed"]) == (3, 0, 1)


def test_archived_records_do_not_count(database: str, hub: HubSpot) -> None:
    seed(hub, {20_001: "1", 20_002: "1"})
    hub.http.delete("/crm/v3/objects/contacts/20001").raise_for_status()
    assert listed(database, hub).certain == {1: 20_002}


def test_a_what_if_from_hubspot_changes_no_row(database: str, hub: HubSpot) -> None:
    seed(hub, {20_001: "1"})
    with psycopg.connect(database) as connection:
        found = refresh(connection, CONTACTS, listed(database, hub), dry=True)
    assert isinstance(found.outcome, WhatIf)
    assert found.outcome.reconciled.matched == 1
    assert table(database) == {}


def test_companies_and_deals_have_properties_of_their_own(database: str, hub: HubSpot) -> None:
    seed(hub, {30_001: "8"}, "companies", "legacy_company_id")
    listing = list_matches(database, cases.target(hub), ENTITIES["companies"], "legacy_company_id")
    assert listing.certain == {8: 30_001}


def test_a_property_that_the_portal_does_not_have_is_refused_and_not_taken_for_no_match(
    database: str, hub: HubSpot
) -> None:
    with pytest.raises(Refused, match=r"have no property old_id; name the one .* with --property"):
        listed(database, hub, "old_id")


def test_a_lost_answer_is_asked_again(database: str, hub: HubSpot) -> None:
    async def no_sleep(_seconds: float) -> None:
        return

    seed(hub, {20_000 + number: str(number) for number in range(1, 151)})
    hub.chaos(script=[{"match": "GET /crm/v3/objects/contacts", "fault": "lost_reply", "times": 2}])
    assert len(listed(database, hub, sleep=no_sleep).certain) == 150
