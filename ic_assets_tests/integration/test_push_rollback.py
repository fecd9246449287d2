"""Taking a push back: precisely what it created, without what people touched since, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from ic_assets.activities.engine.push_rollback import RollbackResult, RollbackSelection, rollback, verify_chain
from ic_assets.core.failures import Refused
from ic_assets_tests.integration import push_cases as cases
from ic_assets_tests.integration.push_cases import CONTACTS, Activity, HubSpot


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    # The harder kind of portal: what was archived keeps its unique value.
    with cases.hubspot(tmp_path_factory.mktemp("hubspot"), archive_frees_unique="false") as one:
        yield one


@pytest.fixture
def hub(served: HubSpot) -> HubSpot:
    served.reset()
    return served


def take_back(database: str, hub: HubSpot, *, dry_run: bool = False, **selection: object) -> RollbackResult:
    return rollback(database, cases.target(hub), RollbackSelection(**selection), dry_run=dry_run)  # type: ignore[arg-type]


def test_a_run_is_taken_back_without_what_others_created_and_a_push_restores_it(database: str, hub: HubSpot) -> None:
    first, second = cases.some(70), cases.some(70, first=1000)
    cases.stage(database, first)
    cases.run(database, hub, run_id="one")
    updated = [replace(one, text="updated") for one in first[:7]]
    cases.stage(database, [*updated, *second])
    cases.run(database, hub, run_id="two")

    dry = take_back(database, hub, dry_run=True, run_id="two")
    assert (dry.found, dry.archived) == (70, 70)
    cases.assert_stands(hub, [*updated, *first[7:], *second])

    result = take_back(database, hub, run_id="two")
    assert (result.found, result.archived, result.held_back) == (70, 70, 0)
    cases.assert_stands(hub, [*updated, *first[7:]])
    again = take_back(database, hub, run_id="two")
    assert again.found == 0
    with psycopg.connect(database) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM staging.ic_calls WHERE api_push_status = 'removed' AND hubspot_engagement_id IS NULL"
        ).fetchone()
    assert counted == (10,)

    assert cases.run(database, hub).created == 70
    assert sum(len(records) for records in hub.contents().values()) == 140


def test_what_people_changed_or_associated_since_is_held_back_and_named(database: str, hub: HubSpot) -> None:
    activities = [Activity(n, "meetings") for n in range(1, 5)]
    cases.stage(database, activities)
    cases.run(database, hub)
    records = {key[1]: found[0][0] for key, found in hub.contents().items()}
    hub.http.patch(
        f"/crm/v3/objects/meetings/{records['1']}", json={"properties": {"hs_meeting_title": "mine now"}}
    ).raise_for_status()
    hub.http.put(
        f"/crm/v4/objects/meetings/{records['2']}/associations/default/contacts/{CONTACTS[8]}"
    ).raise_for_status()
    hub.http.delete(f"/crm/v3/objects/meetings/{records['3']}").raise_for_status()
    result = take_back(database, hub)
    assert (result.archived, result.held_back, result.already_gone) == (1, 2, 1)
    assert sorted(result.held_back_by_reason) == [
        "associated with contacts by someone else",
        "hs_meeting_title was changed in HubSpot",
    ]
    assert {key[1] for key in hub.contents()} == {"1", "2"}
    again = take_back(database, hub)
    assert (again.archived, again.held_back) == (0, 2)
    with psycopg.connect(database) as connection:
        outcomes = connection.execute(
            "SELECT outcome, count(*) FROM hubspot.push_rollback_record GROUP BY outcome ORDER BY outcome"
        ).fetchall()
    assert outcomes == [("already_gone", 1), ("archived", 1), ("held_back", 2)]


def test_types_months_and_ids_select(database: str, hub: HubSpot) -> None:
    early, late = cases.some(14, month="2018-12"), cases.some(14, first=100, month="2019-02")
    cases.stage(database, [*early, *late])
    cases.run(database, hub)
    assert take_back(database, hub, types=["calls"], months=(date(2018, 12, 1), date(2018, 12, 1))).archived == 2
    assert take_back(database, hub, ids=[2, 103]).archived == 2
    assert len(hub.contents()) == 24
    with pytest.raises(Refused, match="no push 'never' went to portal"):
        take_back(database, hub, run_id="never")


def test_a_record_that_was_altered_breaks_the_chain(database: str, hub: HubSpot) -> None:
    cases.stage(database, cases.some(21))
    cases.run(database, hub)
    take_back(database, hub)
    assert verify_chain(database) is None
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE hubspot.push_rollback_record SET outcome = 'held_back' WHERE record_id = 5")
    assert verify_chain(database) == 5


ROLLBACK = """
import sys
from ic_assets.activities.engine.push_rollback import RollbackSelection, rollback
from ic_assets.resources.hubspot import HubSpotTarget
rollback(sys.argv[1], HubSpotTarget(sys.argv[2], sys.argv[3], rps=15.0), RollbackSelection(), dry_run=False)
"""


def test_a_killed_roll_back_is_resumed_or_given_up_without_a_record_lost(database: str, hub: HubSpot) -> None:
    activities = cases.some(1000)
    cases.stage(database, activities)
    cases.run(database, hub)
    hub.chaos(latency=150)
    process = subprocess.Popen([sys.executable, "-c", ROLLBACK, database, hub.sandbox.base_url, hub.sandbox.token])
    hub.wait_for(3, "batch/archive", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    hub.chaos()
    # Given up: the push finds out what still stands, and restores the rest.
    result = cases.run(database, hub)
    assert result.unknown == 0
    assert result.created > 0
    cases.assert_stands_by_text(hub, activities)
    # Resumed: to the end.
    assert take_back(database, hub).archived == 1000
    assert hub.contents() == {}
