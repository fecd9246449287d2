"""Taking a push back: precisely what it created, without what people touched since, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.commands.doctor.database import pushes
from ic_assets.commands.rollback import rollback_push
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.hubspot.push.rollback import RollbackResult, RollbackSelection, rollback
from ic_assets.resources.services import Services
from ic_assets_tests import processes
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import CONTACTS, Activity, HubSpot


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
    chosen = RollbackSelection(**selection)  # type: ignore[arg-type]
    return rollback(database, cases.target(hub), OUTGOING, chosen, dry_run=dry_run, recheck_seconds=0.3)


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
    assert {(one["type"], one["communication"], one["hubspot_id"], one["reason"]) for one in result.held} == {
        ("meetings", "1", int(records["1"]), "hs_meeting_title was changed in HubSpot"),
        ("meetings", "2", int(records["2"]), "associated with contacts by someone else"),
    }
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


def test_what_hubspot_associated_by_itself_is_nobodys_work(database: str, tmp_path: Path) -> None:
    """It logs an activity on the companies of its contacts as well. A company that is none of the contact's, and a label
    on one that is, are a person's."""
    activities = [Activity(n, "calls", contact=CONTACTS[n]) for n in range(1, 4)]
    cases.stage(database, activities)
    with cases.hubspot(tmp_path, associates_companies="true") as hub:
        other = {"id": "7002", "properties": {"name": "D"}}
        hub.http.post("/_sandbox/seed", json={"companies": [other]}).raise_for_status()
        for contact in CONTACTS[1:3]:
            hub.http.put(
                f"/crm/v4/objects/contacts/{contact}/associations/default/companies/{cases.COMPANY}"
            ).raise_for_status()
        cases.run(database, hub)
        records = {key[1]: found[0] for key, found in hub.contents().items()}
        assert [records[n][3] for n in ("1", "2", "3")] == [(cases.COMPANY,), (cases.COMPANY,), ()]
        hub.http.put(f"/crm/v4/objects/calls/{records['2'][0]}/associations/default/companies/7002").raise_for_status()
        # An update that adds a company looks at the companies: what HubSpot added holds nothing up either.
        cases.stage(database, [replace(activities[0], text="new", company="7002")])
        assert (cases.run(database, hub).updated, cases.run(database, hub).edited) == (1, 0)
        result = take_back(database, hub)
        assert (result.archived, result.held_back) == (2, 1)
        assert result.held_back_by_reason == {"associated with companies by someone else": 1}
        with psycopg.connect(database) as connection:
            kept = connection.execute(
                "SELECT before -> 'associations' FROM hubspot.push_rollback_record WHERE record_key = '1'"
            ).fetchone()
        assert kept == ([["companies", "7001"], ["companies", "7002"], ["contacts", CONTACTS[1]]],)


ROLLBACK = """
import sys
import time
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.hubspot.push.rollback import RollbackSelection, rollback
from ic_assets.hubspot.client.client import HubSpotTarget
from ic_assets_tests.soak.worker import die_at
point = int(sys.argv[4])
if point:
    die_at(point)
target = HubSpotTarget(sys.argv[2], sys.argv[3], rps=float(sys.argv[5]))
rollback(sys.argv[1], target, OUTGOING, RollbackSelection(), dry_run=False, recheck_seconds=0.3)
"""


def killed_roll_back(database: str, hub: HubSpot, point: int = 0, rps: float = 200.0) -> processes.Process:
    """With ``point`` it kills itself at its n-th exchange with PostgreSQL or HubSpot."""
    arguments = [database, hub.sandbox.base_url, hub.sandbox.token, str(point), str(rps)]
    return processes.start(*arguments, code=ROLLBACK)


def in_hand_of(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM hubspot.push_ledger WHERE state = 'in_flight' AND action = 'remove'"
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_killed_roll_back_that_is_run_again_takes_back_what_its_forerunner_had_in_hand(
    database: str, hub: HubSpot
) -> None:
    activities = cases.some(260, ["calls"])
    cases.stage(database, activities)
    cases.run(database, hub)
    # An archival takes long enough that what is in hand when it is looked at is in hand when the kill comes.
    hub.chaos(latency=800)
    process = killed_roll_back(database, hub)
    hub.wait_for(1, "batch/archive", process)
    with psycopg.connect(database, autocommit=True) as connection:
        while not in_hand_of(connection):
            assert process.poll() is None, "the process ended before it could be killed"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        in_hand = in_hand_of(connection)
    hub.chaos()
    assert in_hand, "the kill came when nothing was in hand: it proves nothing"
    (finding,) = [text for state, text in doctor_on(database) if state == "WRONG"]
    assert "left by roll-back" in finding
    assert "run `ic-assets rollback push --all` again" in finding

    dry = take_back(database, hub, dry_run=True)
    assert dry.taken_over == in_hand
    settled = 260 - in_hand - dry.found
    result = take_back(database, hub)
    assert (result.taken_over, result.stopped_reason, result.held_back) == (in_hand, None, 0)
    assert result.found == result.archived + result.already_gone == 260 - settled
    assert hub.contents() == {}
    with psycopg.connect(database) as connection:
        recorded = connection.execute(
            "SELECT outcome, count(DISTINCT record_key) FROM hubspot.push_rollback_record"
            " WHERE outcome <> 'failed' GROUP BY outcome"
        ).fetchall()
        before = connection.execute(
            "SELECT count(*) FROM hubspot.push_rollback_record WHERE before -> 'properties' ->> 'hs_call_title' = 'T'"
        ).fetchone()
    assert recorded == [("archived", 260)], "what the forerunner archived has its record, with what HubSpot held"
    assert before is not None
    assert before[0] >= 260


@pytest.mark.parametrize("points", [range(26, 62, 12), range(62, 120, 24)])
def test_a_roll_back_that_is_killed_at_each_step_ends_when_it_is_run_again_by_itself(
    database: str, hub: HubSpot, points: range
) -> None:
    activities = cases.some(12, ["calls", "notes"])
    for point in points:
        cases.stage(database, activities)
        cases.run(database, hub)
        process = killed_roll_back(database, hub, point)
        assert process.wait() in (-signal.SIGKILL, 0)
        result = take_back(database, hub)
        assert (result.stopped_reason, result.held_back, result.failed) == (None, 0, 0)
        assert hub.contents() == {}, f"killed at point {point}"
        with psycopg.connect(database) as connection:
            left = connection.execute(
                "SELECT count(*) FROM hubspot.push_ledger WHERE state <> 'removed'"
                " UNION ALL SELECT count(*) FROM hubspot.push_rollback_record WHERE outcome = 'intended'"
            ).fetchall()
        assert left == [(0,), (0,)]


def test_hubspot_away_in_the_middle_of_a_batch_leaves_nothing_uncounted(database: str, hub: HubSpot) -> None:
    cases.stage(database, cases.some(150, ["calls"]))
    cases.run(database, hub)
    # The first batch goes through, the second's answers are lost until the roll-back gives up.
    hub.chaos(script=[{"match": "POST .*batch/archive", "fault": "lost_reply", "skip": 1, "times": 50}])

    async def no_sleep(_seconds: float) -> None:
        return None

    stopped = rollback(
        database,
        cases.target(hub),
        OUTGOING,
        RollbackSelection(),
        dry_run=False,
        recheck_seconds=0.3,
        sleep=no_sleep,
    )
    assert "did not take a request" in (stopped.stopped_reason or "")
    assert stopped.archived == 100
    hub.chaos()
    result = take_back(database, hub)
    assert (result.taken_over, result.found, result.archived, result.stopped_reason) == (50, 50, 50, None)
    assert hub.contents() == {}


def test_a_killed_roll_back_is_given_up_without_a_record_lost(database: str, hub: HubSpot) -> None:
    activities = cases.some(1000)
    cases.stage(database, activities)
    cases.run(database, hub)
    hub.chaos(latency=150)
    process = killed_roll_back(database, hub, rps=15.0)
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


def doctor_on(database: str) -> list[tuple[str, str]]:
    settings = Settings(home=Path(), postgres_url=None, drop_dir=Path())
    found: list[tuple[str, str]] = []
    try:
        found += pushes(Services(database, database, None, None, hubspot_is_local=False), settings)
    except Refused as refused:
        found.append(("WRONG", str(refused)))
    return found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "say what to take back"),
        ({"everything": True, "run_id": "3"}, "--all is everything"),
        ({"everything": True, "types": ["calls"]}, "leave it out to take back types calls"),
    ],
)
def test_a_roll_back_without_a_scope_is_refused_before_anything_is_asked(
    arguments: dict[str, object], says: str
) -> None:
    given = {"run_id": None, "types": [], "months": None, "ids": [], "everything": False, **arguments}
    with pytest.raises(Refused, match=says):
        rollback_push(**given, yes=True, as_json=False)  # type: ignore[arg-type]
