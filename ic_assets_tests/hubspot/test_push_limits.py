"""Where HubSpot stops us or refuses a whole batch: the daily limit, a moving account, a lower rate than ours, and one bad
record among a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ic_assets.core.failures import Unavailable
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import HubSpot


def statuses(hub: HubSpot) -> set[int]:
    return {request["status"] for request in hub.requests()}


def runs(database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT result, stopped_reason FROM hubspot.push_run ORDER BY push_id").fetchall()


def test_a_push_stops_before_the_daily_limit_and_the_next_day_goes_on_from_there(database: str, tmp_path: Path) -> None:
    activities = cases.some(1200, ["calls"])
    cases.stage(database, activities)
    # Seven requests make the portal ready; ten are left to people and other programs.
    with cases.hubspot(tmp_path, requests_per_day=25) as hub:
        result = cases.run(database, hub)
        assert result.stopped_reason is not None
        assert result.stopped_reason.startswith("HubSpot's daily limit is used up; push again after ")
        assert (result.unknown, result.succeeded) == (0, False)
        assert 0 < result.created < 1200
        assert 429 not in statuses(hub)
        # However many are under way at once.
        assert len(hub.requests()) == 25 - 10
    assert runs(database) == [("stopped", result.stopped_reason)]
    with cases.hubspot(tmp_path) as hub:
        assert cases.run(database, hub, limit=1200).created == 1200 - result.created
        cases.assert_stands(hub, activities)


def test_a_daily_limit_that_others_used_up_is_said_in_one_line(database: str, tmp_path: Path) -> None:
    cases.stage(database, cases.some(1))
    with cases.hubspot(tmp_path, requests_per_day=3) as hub:
        for _ in range(3):
            hub.http.get("/crm/v3/objects/calls").raise_for_status()
        with pytest.raises(Unavailable, match="nothing was sent: HubSpot's daily limit is used up; push again after"):
            cases.run(database, hub)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("moving")) as one:
        yield one


def test_an_account_that_moves_for_hours_ends_the_push_and_the_next_one_sends_the_rest(
    database: str, moving: HubSpot
) -> None:
    activities = cases.some(140)
    cases.stage(database, activities)
    moving.chaos(
        retry_after=7200, script=[{"match": "POST .*/(notes|tasks)/batch/create", "fault": "http_477", "times": 9}]
    )
    result = cases.run(database, moving)
    assert result.stopped_reason is not None
    assert result.stopped_reason.startswith("HubSpot asks for a long pause; push again after ")
    assert (result.unknown, result.by_type["notes"]["created"]) == (0, 0)
    assert runs(database)[0][0] == "stopped"
    moving.chaos()
    again = cases.run(database, moving)
    assert result.created + again.created == 140
    cases.assert_stands(moving, activities)
    cases.assert_ledger_agrees(database, moving)


def test_the_rate_follows_what_hubspots_headers_allow(database: str, tmp_path: Path) -> None:
    activities = cases.some(1500, ["calls"])
    cases.stage(database, activities)
    with cases.hubspot(tmp_path, requests_per_10s=100) as hub:
        assert cases.run(database, hub, rps=200.0).created == 1500
        assert 429 not in statuses(hub)
    with psycopg.connect(database) as connection:
        sent = [
            row[0].timestamp()
            for row in connection.execute(
                "SELECT sent_at FROM hubspot.push_request WHERE operation = 'batch/create' ORDER BY sent_at"
            ).fetchall()
        ]
    assert len(sent) == 15
    assert max(sum(1 for s in sent if t <= s < t + 1.0) for t in sent) <= 10


@pytest.fixture(scope="module")
def whole_batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    """A HubSpot that refuses a batch for one record, trace ids or not."""
    options = {"multi_status_on_create": False, "multi_status_on_update": False}
    with cases.hubspot(tmp_path_factory.mktemp("whole_batches"), **options) as one:
        yield one


def test_an_association_that_is_left_out_costs_the_batch_nothing_else(database: str, whole_batches: HubSpot) -> None:
    whole_batches.reset()
    activities = cases.some(40, ["notes"], company=cases.COMPANY)
    activities[20].contact = "123456789"
    cases.stage(database, activities)
    result = cases.run(database, whole_batches, missing_association="drop")
    assert (result.created, result.rejected) == (40, 0)
    activities[20].contact = None
    cases.assert_stands(whole_batches, activities)


@pytest.mark.parametrize("position", [1, 37, 100])
def test_a_refused_batch_is_halved_until_the_culprit_stands_alone(
    database: str, whole_batches: HubSpot, position: int
) -> None:
    whole_batches.reset()
    activities = cases.some(100, ["notes"])
    culprit = activities[position - 1]
    culprit.contact = "123456789"
    cases.stage(database, activities)
    result = cases.run(database, whole_batches)
    assert (result.created, result.rejected) == (99, 1)
    (reason,) = result.rejects_by_reason
    assert "CONTACT=123456789" in reason
    cases.assert_stands(whole_batches, [one for one in activities if one is not culprit])
    # The first two are the probe of the portal's unique property.
    sent = [r for r in whole_batches.requests() if r["path"].endswith("notes/batch/create")][2:]
    refused = [r["inputs"] for r in sent if r["status"] == 400]
    # The whole batch and at most ⌈log2 100⌉ = 7 rounds of halves, each with its good half beside the bad one.
    assert (refused[0], refused[-1]) == (100, 1)
    assert len(refused) <= 1 + 7
    assert len(sent) <= 1 + 2 * 7
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT error_category, correlation_id FROM hubspot.push_ledger WHERE state = 'failed'"
        ).fetchone()
    assert row is not None
    assert row[0] == "VALIDATION_ERROR"
    assert len(row[1]) == 36, "HubSpot's correlation id is a UUID"
