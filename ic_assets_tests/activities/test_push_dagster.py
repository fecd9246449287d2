"""The push as Dagster runs it: a test push of the definitions with its checks, then `ic-assets push` killed in the middle
and run again, under lost answers. HubSpot's contents are compared with the drop.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from ic_assets.activities import keys
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.failures import Unavailable
from ic_assets.definitions import build_defs
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets.resources.dagster_resources import PostgresResource
from ic_assets_tests import processes
from ic_assets_tests.drops import (
    HUBSPOT_COMPANY,
    HUBSPOT_CONTACT,
    HUBSPOT_DEAL,
    bring_up_to_date,
    land,
    reconcile_everything,
    row,
    write_drop,
)
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import HubSpot

pytestmark = pytest.mark.server

# Legacy type: HubSpot's object type, and the property that shows which communication it was.
KINDS = {
    "Call": ("calls", "hs_call_title"),
    "Email": ("emails", "hs_email_subject"),
    "Meeting": ("meetings", "hs_meeting_title"),
    "Note": ("notes", "hs_note_body"),
    "Task": ("tasks", "hs_task_subject"),
    "SMS": ("communications", "hs_communication_body"),
    "Letter": ("postal_mail", "hs_postal_mail_body"),
}
ROWS = 560


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path / "hubspot") as one:
        records = {"contacts": HUBSPOT_CONTACT, "companies": HUBSPOT_COMPANY, "deals": HUBSPOT_DEAL}
        seed = {name: [{"id": str(identifier), "properties": {}}] for name, identifier in records.items()}
        one.http.post("/_sandbox/seed", json=seed).raise_for_status()
        yield one


def kind(number: int) -> str:
    return list(KINDS)[number % len(KINDS)]


def standing(hub: HubSpot) -> dict[int, list[tuple[str, str, list[str]]]]:
    """Communication id -> (type, text, contacts) of each live record."""
    found: dict[int, list[tuple[str, str, list[str]]]] = {}
    for name, text in KINDS.values():
        after: str | None = ""
        while after is not None:
            page = hub.http.get(
                f"/crm/v3/objects/{name}",
                params={
                    "limit": 100,
                    "properties": f"ic_communication_id,{text}",
                    "associations": "contacts",
                    **({"after": after} if after else {}),
                },
            ).json()
            for record in page["results"]:
                linked = record.get("associations", {}).get("contacts", {}).get("results", [])
                number = int(record["properties"]["ic_communication_id"])
                contacts = sorted({link["id"] for link in linked})
                found.setdefault(number, []).append((name, record["properties"][text], contacts))
            after = page.get("paging", {}).get("next", {}).get("after")
    return found


def run_test_push(database: str) -> dg.ExecuteInProcessResult:
    job = build_defs({"postgres": PostgresResource.at(database)}).resolve_job_def("push_to_hubspot")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": "2019-03-01",
                "dagster/asset_partition_range_end": "2019-04-01",
            },
            run_config={
                "ops": {"hubspot_engagements": {"config": {"mode": "test"}}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    assert result.success
    return result


def test_a_dry_run_judges_the_checks_of_what_stands_and_its_run_says_that_it_was_one(
    database: str, hub: HubSpot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster shows a check that a run plans and does not judge as skipped, whatever it was before."""
    cases.stage(database, cases.some(6, ["calls"]))
    monkeypatch.setenv("HUBSPOT_BASE_URL", hub.sandbox.base_url)
    monkeypatch.setenv("HUBSPOT_TOKEN", hub.sandbox.token)
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    assert cases.run(database, hub).created == 6
    job = build_defs({"postgres": PostgresResource.at(database)}).resolve_job_def("push_to_hubspot")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[keys.engagement(ACTIVITY_TYPES[0])],
            partition_key="2019-03-01",
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        run = instance.get_run_by_id(result.run_id)
    assert run
    assert run.tags["push"] == "dry-run"
    assert result.get_asset_materialization_events() == []
    judged = {check.check_name: check.description for check in result.get_asset_check_evaluations()}
    assert set(judged) == {"success_rate", "hubspot_ids_set", "counts_agree", "refusals_have_reasons"}
    assert judged["success_rate"] == "100.00 % of 6 records are in HubSpot (more than 98 % must)."


def observed(result: dg.ExecuteInProcessResult) -> set[tuple[str, str | None]]:
    events = [
        event.asset_observation_data for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"
    ]
    return {(e.asset_observation.asset_key.path[-1], e.asset_observation.partition) for e in events}


def months_of(found: dict[int, list[tuple[str, str, list[str]]]]) -> set[tuple[str, str | None]]:
    """Type and month of what stands, by the rows of the drop: every second communication is of April."""
    return {(records[0][0], f"2019-0{3 + number % 2}-01") for number, records in found.items()}


@pytest.mark.parametrize(("lost", "found"), [(3, True), (4, False)])
def test_replies_that_are_lost_do_not_end_a_push_before_it_began(
    hub: HubSpot, monkeypatch: pytest.MonkeyPatch, lost: int, found: bool
) -> None:
    monkeypatch.setenv("HUBSPOT_BASE_URL", hub.sandbox.base_url)
    monkeypatch.setenv("HUBSPOT_TOKEN", hub.sandbox.token)
    monkeypatch.setenv("IC_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    hub.chaos(script=[{"match": "GET .*account", "fault": "lost_reply", "times": lost}])
    if found:
        assert HubSpotResource().portal_id() > 0
    else:
        with pytest.raises(Unavailable, match="does not answer"):
            HubSpotResource().portal_id()


def test_a_push_of_dagster_that_is_killed_goes_on_and_every_communication_stands_once(
    database: str, hub: HubSpot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    rows = [row(n, f"2019-0{3 + n % 2}-05 10:00:00", kind(n)) for n in range(1, ROWS + 1)]
    land(database, write_drop(tmp_path / "drop.csv", rows))
    bring_up_to_date(database)
    for name, value in {
        "IC_POSTGRES_URL": database,
        "HUBSPOT_BASE_URL": hub.sandbox.base_url,
        "HUBSPOT_TOKEN": hub.sandbox.token,
        "IC_HUBSPOT_RPS": "20",
        "IC_HUBSPOT_RECHECK_SECONDS": "0.5",
    }.items():
        monkeypatch.setenv(name, value)

    tested = run_test_push(database)
    assert len(standing(hub)) == 100
    evaluations = tested.get_asset_check_evaluations()
    assert {(e.asset_key, e.check_name) for e in evaluations} == {
        (keys.engagement(activity), check)
        for activity in ACTIVITY_TYPES
        for check in ("success_rate", "hubspot_ids_set", "counts_agree", "refusals_have_reasons")
    }
    assert [e.description for e in evaluations if not e.passed] == []
    # A test push is no proof that a month is there: it is observed, in the months that it sent something of.
    assert tested.get_asset_materialization_events() == []
    assert observed(tested) == months_of(standing(hub))

    hub.chaos(seed=5, latency=150, jitter=100, lost_reply=0.15)
    command = ("push", "--mode", "production", "--json")
    killed = processes.start(*command, "--approved-by", "Ada", stdout=subprocess.DEVNULL)
    hub.wait_for(3, "batch/create", killed)
    cases.kill_with_records_in_flight(database, killed)

    # `ic-assets up` keeps its connections: it must not make the killed run look alive and hold its place in the pool.
    with psycopg.connect(database, application_name="ic-assets-0"):
        done = processes.run(*command)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.rstrip("\n").split("\n")[-1])
    assert (result["unknown"], result["rejected"]) == (0, 0)
    hub.chaos()
    texts = {n: f"Subject {n}" for n in range(1, ROWS + 1)}
    found = standing(hub)
    # The body of a note, a message or a letter is its subject and its text.
    shown = {n: [(name, text.partition("<")[0], contacts) for name, text, contacts in f] for n, f in found.items()}
    assert shown == {n: [(KINDS[kind(n)][0], texts[n], [str(HUBSPOT_CONTACT)])] for n in texts}


def test_a_push_that_stops_early_fails_its_run_and_materializes_only_what_is_wholly_there(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ids of one length: those of March come first in the order of the keys.
    march = cases.some(100, ["calls"], first=1001)
    april = cases.some(900, ["calls"], first=1101, month="2019-04")
    cases.stage(database, [*march, *april])
    monkeypatch.setattr("ic_assets.activities.push._prepare_production", lambda *_: None)
    monkeypatch.setattr("ic_assets.activities.push.judge", lambda *_: None)
    monkeypatch.setenv("IC_HUBSPOT_RPS", "20")
    with cases.hubspot(tmp_path, requests_per_day=24) as short:
        monkeypatch.setenv("HUBSPOT_BASE_URL", short.sandbox.base_url)
        monkeypatch.setenv("HUBSPOT_TOKEN", short.sandbox.token)
        monkeypatch.setenv("IC_POSTGRES_URL", database)
        job = build_defs({"postgres": PostgresResource(postgres_url=database)}).resolve_job_def("push_to_hubspot")
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[keys.engagement(ACTIVITY_TYPES[0])],
                tags={
                    "dagster/asset_partition_range_start": "2019-03-01",
                    "dagster/asset_partition_range_end": "2019-04-01",
                },
                run_config={
                    "ops": {"hubspot_engagements": {"config": {"mode": "production"}}},
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
                raise_on_error=False,
            )
    with psycopg.connect(database) as connection:
        pushed = connection.execute(
            "SELECT count(*) FILTER (WHERE activity_month = '2019-03-01'), count(*) < 1000 FROM hubspot.push_ledger"
            " WHERE state = 'pushed'"
        ).fetchone()
    assert pushed == (100, True)
    assert not result.success
    (failed,) = [e.event_specific_data for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    assert failed.user_failure_data.description.startswith("the push stopped early: HubSpot's daily limit is used up")
    assert "daily limit" in failed.user_failure_data.metadata["stopped_reason"].value
    materialized = [e.materialization for e in result.get_asset_materialization_events()]
    assert [(m.asset_key, m.partition) for m in materialized] == [(keys.engagement(ACTIVITY_TYPES[0]), "2019-03-01")]
    assert materialized[0].metadata["months_left"].value == "2019-04"
