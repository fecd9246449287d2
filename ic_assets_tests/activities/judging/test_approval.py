"""Approvals: of exactly the data that would be sent, after a test push of the same payloads, for one portal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.judging.approval import (
    approval_of,
    approve,
    fingerprint,
    orphans_by_reason,
    payload_version,
    require,
)
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.hubspot.push.scope import Scope
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import CONTACTS, NAMES, Activity, HubSpot

SETTINGS = Settings(home=Path(), postgres_url=None, drop_dir=Path())
EVERYTHING = OUTGOING.scope()
WITH_ORPHANS = replace(EVERYTHING, include_orphans=True)
PORTAL = 4711
ROWS = [
    *cases.some(14),
    Activity(100, "calls", parts=("more",)),
    Activity(101, "notes", contact=None),
    Activity(102, "calls", month="2019-05"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("hubspot")) as one:
        yield one


def digest(database: str, scope: Scope = EVERYTHING) -> str:
    with psycopg.connect(database) as connection:
        return fingerprint(connection, scope).digest


def test_the_fingerprint_counts_records_and_orphans_and_stays_while_a_push_makes_its_way(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, ROWS)
    with psycopg.connect(database) as connection:
        found = fingerprint(connection, EVERYTHING)
        assert orphans_by_reason(connection, NAMES) == [("carries no reference", "notes", 1)]
    assert (found.records, found.orphans) == (16, 1)
    for options in ({"mode": "test", "limit": 5}, {"mode": "production"}):
        cases.run(database, hub, **options)
        assert digest(database) == found.digest


CHANGES = {
    "a payload changes": [replace(ROWS[3], text="corrected")],
    "an association changes": [replace(ROWS[3], contact=CONTACTS[9])],
    "a communication joins": [Activity(500, "emails")],
    "a communication becomes another type": [replace(ROWS[3], type="tasks")],
    "a continuation changes": [replace(ROWS[14], parts=("other",))],
    "a communication loses its last record": [replace(ROWS[3], contact=None)],
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_when(database: str, change: str) -> None:
    cases.stage(database, ROWS)
    before = digest(database), digest(database, WITH_ORPHANS)
    cases.stage(database, CHANGES[change])
    after = digest(database), digest(database, WITH_ORPHANS)
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert after[0] != after[1]


def test_the_fingerprint_changes_when_a_communication_leaves(database: str) -> None:
    cases.stage(database, ROWS)
    before = digest(database)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_communication_master WHERE comm_communicationid = 5")
    assert digest(database) != before


def test_two_payloads_that_change_places_are_not_what_was_approved(database: str) -> None:
    """The digest is a sum: it must tell whose payload is whose."""
    cases.stage(database, [Activity(1, "calls"), Activity(2, "calls")])
    before = digest(database)
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE staging.ic_calls AS d SET hubspot_api_payload = o.hubspot_api_payload FROM staging.ic_calls AS o"
            " WHERE o.id <> d.id"
        )
    assert digest(database) != before


def test_only_what_the_scope_holds_counts(database: str) -> None:
    cases.stage(database, ROWS)
    march = OUTGOING.scope(NAMES, (date(2019, 3, 1), date(2019, 3, 1))).months
    scopes = [EVERYTHING, WITH_ORPHANS, replace(EVERYTHING, months=march), replace(EVERYTHING, types=("calls",))]
    before = [digest(database, scope) for scope in scopes]
    assert len(set(before)) == 4
    cases.stage(database, [replace(ROWS[16], text="a call of May")])
    after = [digest(database, scope) for scope in scopes]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, True, False, True]
    cases.stage(database, [replace(ROWS[15], text="an orphan")])
    orphan = [digest(database, scope) for scope in scopes]
    assert [a != b for a, b in zip(orphan, after, strict=True)] == [False, True, False, False]


def test_production_needs_a_test_push_then_an_approval_of_the_data_as_it_stands(database: str, hub: HubSpot) -> None:
    hub.reset()
    cases.stage(database, ROWS)
    with psycopg.connect(database) as connection:

        def refusal(portal_id: int, by: str | None = None, settings: Settings = SETTINGS) -> str:
            with pytest.raises(Refused) as refused:
                require(connection, portal_id, EVERYTHING, settings, by)
            connection.rollback()
            return str(refused.value)

        assert "no successful test push" in refusal(PORTAL, "Ada")
        # A test push that found nothing, and one of other payloads, prove nothing.
        options = {"mode": "test", "payload_version": payload_version(SETTINGS)}
        portal_id = cases.run(database, hub, months=(date(2018, 1, 1), date(2018, 1, 1)), **options).portal_id
        cases.run(database, hub, mode="test", limit=2, payload_version="other templates")
        assert "no successful test push" in refusal(portal_id, "Ada")

        cases.run(database, hub, limit=3, **options)
        assert "no successful test push" in refusal(PORTAL, "Ada"), "another portal was not tested"
        assert "no successful test push" in refusal(
            portal_id, settings=SETTINGS.model_copy(update={"source_timezone": "Asia/Tokyo"})
        )
        assert "nobody approved this data" in refusal(portal_id)
        approve(connection, PORTAL, "Ada", EVERYTHING)
        assert "nobody approved this data" in refusal(portal_id), "the approval is for another portal"

        approve(connection, portal_id, "Ada", EVERYTHING)
        assert require(connection, portal_id, EVERYTHING, SETTINGS, None).approved_by == "Ada"
        assert approval_of(connection, portal_id, WITH_ORPHANS) is None, "orphans were not approved along"
        connection.commit()
        cases.run(database, hub)
        assert require(connection, portal_id, EVERYTHING, SETTINGS, None).approved_by == "Ada"
        connection.commit()

        cases.stage(database, [replace(ROWS[0], text="corrected")])
        assert "nobody approved this data" in refusal(portal_id)
        assert require(connection, portal_id, EVERYTHING, SETTINGS, "Grace").approved_by == "Grace"


def test_a_test_push_with_a_refused_record_does_not_open_production(database: str, hub: HubSpot) -> None:
    hub.reset()
    cases.stage(database, [Activity(1, "calls"), Activity(2, "tasks", extra={"hs_task_status": "ASLEEP"})])
    result = cases.run(database, hub, mode="test", payload_version=payload_version(SETTINGS))
    assert (result.created, result.rejected) == (1, 1)
    with psycopg.connect(database) as connection, pytest.raises(Refused, match="no successful test push"):
        require(connection, result.portal_id, EVERYTHING, SETTINGS, "Ada")
