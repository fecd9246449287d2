"""Requests that come through late, runs that overlap, setup under lost answers: what the schedules of ``soak`` found,
each as the shortest story that shows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.hubspot.portal.setup import setup
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import Activity, HubSpot


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("hubspot")) as one:
        yield one


@pytest.fixture
def hub(served: HubSpot) -> HubSpot:
    served.reset()
    return served


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    """A portal that refuses unique properties on activities."""
    with cases.hubspot(tmp_path_factory.mktemp("plain"), unique_on_activities="refused") as one:
        yield one


_AS_CLAIMED = {
    "create": "hubspot_id = NULL, pushed_hash = NULL, pushed = NULL",
    "update": "attempts = 1",
    "remove": "desired_hash = NULL",
}


def _die(database: str, action: str, communication_id: int = 1) -> None:
    """Puts a pushed row back to where a kill right after the sending leaves it: in the hands of a worker that is gone.
    The claim is an hour old, since a worker may wait long for the budget before it sends."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE hubspot.push_ledger SET state = 'in_flight', worker = 999, claimed_at = now() - interval '1 hour',"
            f" action = %s, {_AS_CLAIMED[action]} WHERE record_key = %s::text",
            (action, communication_id),
        )


def test_a_change_that_comes_through_late_does_not_undo_a_newer_one(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, hub)
    hub.chaos(late=600, script=[{"match": "POST .*batch/update", "fault": "late_commit"}])
    cases.stage(database, [Activity(1, "calls", text="older")])
    assert cases.run(database, hub, recheck_seconds=1.0).updated == 1
    newer = Activity(1, "calls", text="newer")
    cases.stage(database, [newer])
    assert cases.run(database, hub, recheck_seconds=1.0).updated == 1
    time.sleep(0.7)
    cases.assert_stands(hub, [newer])


def test_what_a_dead_worker_changed_is_changed_again_only_when_its_request_can_no_longer_come_through(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, hub)
    _die(database, "update")
    cases.stage(database, [Activity(1, "calls", text="newer")])
    began = time.time()
    assert cases.run(database, hub, recheck_seconds=0.8).updated == 1
    (update,) = [r for r in hub.requests() if r["path"].endswith("batch/update")]
    assert update["at"] - began >= 0.8
    cases.assert_stands(hub, [Activity(1, "calls", text="newer")])


def test_what_waited_for_the_budget_before_it_was_sent_gets_its_pause_from_the_take_over_on(
    database: str, plain: HubSpot
) -> None:
    """The claim is an hour old, the request is not: its record appears after the first look."""
    plain.reset()
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, plain)
    (record,) = plain.contents()["calls", "1"]
    plain.http.delete(f"/crm/v3/objects/calls/{record[0]}").raise_for_status()
    _die(database, "create")
    plain.chaos(late=500, script=[{"match": "POST .*calls/batch/create", "fault": "late_commit"}])
    dead = cases.Activity(1, "calls").payload
    assert plain.http.post("/crm/v3/objects/calls/batch/create", json={"inputs": [dead]}).status_code == 504
    result = cases.run(database, plain, recheck_seconds=1.0)
    assert (result.sent, result.unknown) == (1, 0)
    cases.assert_stands(plain, [Activity(1, "calls")])


def test_a_record_that_came_through_with_older_contents_loses_what_the_newer_ones_do_not_have(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, [Activity(1, "calls", extra={"hs_call_status": "BUSY"})])
    cases.run(database, hub)
    _die(database, "create")
    cases.stage(database, [Activity(1, "calls", text="newer")])
    assert cases.run(database, hub).updated == 1
    ((identifier, text, *_),) = hub.contents()["calls", "1"]
    shown = hub.http.get(f"/crm/v3/objects/calls/{identifier}", params={"properties": "hs_call_status"}).json()
    assert (text, shown["properties"].get("hs_call_status")) == ("newer", None)


@pytest.mark.parametrize("came_through", [True, False])
def test_a_create_of_unknown_outcome_whose_communication_became_another_type_leaves_one_record(
    database: str, hub: HubSpot, came_through: bool
) -> None:
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, hub)
    if not came_through:
        (record,) = hub.contents()["calls", "1"]
        hub.http.delete(f"/crm/v3/objects/calls/{record[0]}").raise_for_status()
    _die(database, "create")
    moved = Activity(1, "meetings")
    cases.stage(database, [moved])
    result = cases.run(database, hub)
    assert (result.created, result.removed, result.unknown) == (1, int(came_through), 0)
    cases.assert_stands(hub, [moved])
    with psycopg.connect(database) as connection:
        states = connection.execute("SELECT object_type, state FROM hubspot.push_ledger ORDER BY 1").fetchall()
    assert states == [("calls", "removed"), ("meetings", "pushed")]


def test_a_removal_that_came_through_late_is_made_good_by_the_same_run(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, hub)
    (record,) = hub.contents()["calls", "1"]
    _die(database, "remove")
    hub.chaos(late=400, script=[{"match": "POST .*batch/archive", "fault": "late_commit"}])
    archive = {"inputs": [{"id": record[0]}]}
    assert hub.http.post("/crm/v3/objects/calls/batch/archive", json=archive).status_code == 504
    # Meanwhile the communication is a call again.
    assert cases.run(database, hub, recheck_seconds=0.8).created == 1
    cases.assert_stands_by_text(hub, [Activity(1, "calls")])


def test_the_request_that_asks_for_the_portal_draws_on_the_budget(database: str, hub: HubSpot) -> None:
    setup(database, cases.target(hub), OUTGOING)
    before = len(hub.requests())
    with ThreadPoolExecutor(3) as pool:  # nothing is staged: each asks just that
        list(pool.map(lambda _: cases.run(database, hub, rps=2.0), range(3)))
    arrived = sorted(request["at"] for request in hub.requests()[before:])
    assert len(arrived) == 3
    assert arrived[2] - arrived[0] >= 0.9


def test_searches_draw_on_the_budget_as_well(database: str, plain: HubSpot) -> None:
    plain.reset()
    cases.stage(database, cases.some(6, ["calls", "notes"]))
    setup(database, cases.target(plain), OUTGOING)
    before = len(plain.requests())
    plain.chaos(script=[{"match": "POST .*batch/create", "fault": "lost_reply", "times": 2}])
    assert cases.run(database, plain, rps=4.0).created == 6
    requests = plain.requests()[before:]
    assert any(request["path"].endswith("search") for request in requests)
    arrived = [request["at"] for request in requests]
    # A tenth of a second for the way: the budget counts at sending.
    assert max(sum(1 for a in arrived if t <= a < t + 0.9) for t in arrived) <= 4


def test_an_empty_answer_to_a_look_up_does_not_say_that_nothing_is_there(database: str, plain: HubSpot) -> None:
    plain.reset()
    cases.stage(database, [Activity(1, "calls")])
    setup(database, cases.target(plain), OUTGOING)
    plain.chaos(
        script=[
            {"match": "POST .*calls/batch/create", "fault": "lost_reply"},
            {"match": ".* /crm/v3/objects/calls(/search)?$", "fault": "empty", "times": 4},
        ]
    )
    assert cases.run(database, plain).created == 1
    cases.assert_stands(plain, [Activity(1, "calls")])


def test_setup_leaves_no_probe_behind_where_answers_were_lost(database: str, hub: HubSpot) -> None:
    for fault in ("lost_reply", "empty", "http_500_after"):
        hub.chaos(script=[{"match": "POST .*batch/create", "fault": fault, "times": 14}])
        setup(database, cases.target(hub), OUTGOING)
        hub.chaos()
        assert hub.contents() == {}, fault
    assert setup(database, cases.target(hub), OUTGOING).guarantee.startswith("exactly once")


def test_setups_that_run_at_once_probe_each_type_once(database: str, hub: HubSpot) -> None:
    """They would archive each other's probes, and take the portal for one that allows doubles."""
    hub.chaos(latency=30)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: setup(database, cases.target(hub), OUTGOING), range(3)))
    assert all(one.is_enforced for report in reports for one in report.types.values())
    assert sum(1 for r in hub.requests() if r["path"].endswith("batch/create")) == 2 * len(cases.NAMES)


def test_a_row_that_is_corrected_while_its_refusal_is_under_way_is_pushed_next(database: str, hub: HubSpot) -> None:
    """Otherwise the refusal would mark the corrected row as one without a valid payload, which no push takes up."""
    cases.stage(database, [Activity(1, "calls", contact="123456789")])
    setup(database, cases.target(hub), OUTGOING)
    hub.chaos(latency=600)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cases.run, database, hub)
        with psycopg.connect(database, autocommit=True) as connection:
            while connection.execute("SELECT 1 FROM hubspot.push_ledger WHERE state = 'in_flight'").fetchone() is None:
                assert not first.done()
                time.sleep(0.01)
        cases.stage(database, [Activity(1, "calls")])
        assert first.result().rejected == 1
    hub.chaos()
    assert cases.run(database, hub).created == 1
    cases.assert_stands(hub, [Activity(1, "calls")])


def test_activities_that_were_refused_are_not_sent_twice_by_a_run_that_plans_twice(database: str, hub: HubSpot) -> None:
    bad = replace(Activity(2, "calls"), contact="123456789")
    cases.stage(database, [Activity(1, "calls"), bad])
    cases.run(database, hub)
    _die(database, "create")
    cases.stage(database, [Activity(1, "meetings"), bad])
    result = cases.run(database, hub)
    assert (result.created, result.removed, result.rejected) == (1, 1, 1)
