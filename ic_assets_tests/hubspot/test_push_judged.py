"""What was judged is what is sent: payloads that change while a push begins, workers that lose their lock, edits by people,
and portals that do not know of each other's refusals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.judging.approval import Approval, approve, checked_name, payload_version
from ic_assets.activities.engine.judging.judgement import in_snapshot, judge
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core import locks
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.hubspot.portal.setup import setup
from ic_assets.hubspot.push.run import PushOptions, PushResult, push
from ic_assets.resources.postgres import Database
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import Activity, HubSpot

SETTINGS = Settings(home=Path(), postgres_url=None, drop_dir=Path())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("hubspot")) as one:
        yield one


@pytest.fixture
def hub(served: HubSpot) -> HubSpot:
    served.reset()
    return served


def judged(database: str, hub: HubSpot, judge: object, **options: object) -> PushResult:
    chosen = PushOptions(**{"mode": "production", "recheck_seconds": 0.3, **options})  # type: ignore[arg-type]
    return push(database, SETTINGS, cases.target(hub), OUTGOING, chosen, judge=judge)  # type: ignore[arg-type]


def states(database: str) -> dict[tuple[str, int, int], tuple[str, str | None]]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT object_type, record_key::bigint, part, state, action FROM hubspot.push_ledger"
        ).fetchall()
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def test_what_changes_after_it_was_judged_stays_pending_and_is_named(database: str, hub: HubSpot) -> None:
    """A payload, a continuation, a communication that goes, and a removal that is no longer wanted."""
    moves = Activity(4, "emails", month="2019-05")
    cases.stage(database, [moves])
    cases.run(database, hub)
    before = [
        Activity(1, "calls"),
        Activity(2, "calls", month="2019-01", parts=("more",)),
        Activity(3, "notes"),
        replace(moves, type="meetings"),
        *cases.some(7, first=10),
    ]
    cases.stage(database, before)

    def judge_and_be_overtaken(_snapshot: str, _portal_id: int) -> Approval | None:
        cases.stage(database, [replace(before[0], text="unapproved"), replace(before[1], parts=("unapproved",)), moves])
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM staging.ic_payload_part WHERE payload::text LIKE '%more%'")
            connection.execute("DELETE FROM staging.ic_notes WHERE hubspot_api_payload ->> 'objectWriteTraceId' = '3'")
        return None

    result = judged(database, hub, judge_and_be_overtaken)
    assert result.left == {"calls 2019-01": 1, "calls 2019-03": 1, "meetings 2019-05": 2, "notes 2019-03": 1}
    assert (result.left_pending, result.succeeded) == (5, False)
    assert result.to_json()["by_type"]["calls"]["left_pending"] == 2
    contents = hub.contents()
    assert {key for key in contents if key[1] in ("1", "2", "2/2", "3", "4")} == {("calls", "2"), ("emails", "4")}
    assert "unapproved" not in str(contents)
    assert states(database)["calls", 1, 1] == ("pending", "create")
    assert states(database)["emails", 4, 1][0] != "removed"

    assert cases.run(database, hub).left == {}
    assert hub.contents()["calls", "1"][0][1] == "unapproved"


def test_an_approval_counts_only_for_the_data_of_the_plans_own_snapshot(
    database: str, hub: HubSpot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic_assets.activities.engine.judging.judgement.gates", lambda _connection: [])
    cases.stage(database, [Activity(1, "calls"), Activity(2, "notes")])
    tested = cases.run(database, hub, mode="test", limit=1, payload_version=payload_version(SETTINGS))
    with psycopg.connect(database) as connection:
        approve(connection, tested.portal_id, " Ada Lovelace ", OUTGOING.scope())
    cases.stage(database, [Activity(2, "notes", text="unapproved")])
    one = Database(database, SETTINGS)
    options = PushOptions(mode="production")

    def judge_in_the_plan(snapshot: str, portal_id: int) -> Approval | None:
        with in_snapshot(one, snapshot) as connection:
            return judge(connection, SETTINGS, options, portal_id)

    try:
        with pytest.raises(Refused, match="nobody approved this data as it stands now"):
            judged(database, hub, judge_in_the_plan)
        assert "unapproved" not in str(hub.contents())

        cases.stage(database, [Activity(2, "notes")])
        result = judged(database, hub, judge_in_the_plan)
        assert result.created == 1
        assert (result.approval or "").startswith("Ada Lovelace, 20")
        with psycopg.connect(database) as connection:
            used = connection.execute(
                "SELECT r.approved_by, a.approved_by FROM hubspot.push_run AS r JOIN hubspot.approval AS a"
                " USING (approval_id) WHERE r.push_id = %s",
                (result.push_id,),
            ).fetchone()
            assert used == ("Ada Lovelace", "Ada Lovelace")
            # A month in the scope that some stage has not brought up to its last change.
            connection.execute(
                "INSERT INTO staging.ic_month (comm_month, change_number, cause) VALUES ('2019-07-01', 1, 'landing')"
            )
            connection.commit()
        with pytest.raises(Refused, match=r"1 month is out of date \(2019-07\)"):
            judged(database, hub, judge_in_the_plan)
    finally:
        one.close()


@pytest.mark.parametrize("name", ["", "   ", "7", "a", "x\ty\n", "\u200b\u200b", "a\u202eda", "a" * 201])
def test_nobody_approves_under_a_name_that_is_none(name: str) -> None:
    with pytest.raises(Refused, match="is not the name of a person"):
        checked_name(name)
    assert checked_name("  Ada Lovelace (Sales, R2) ") == "Ada Lovelace (Sales, R2)"


def terminate_holder(database: str) -> int:
    """Ends the session that says that the worker at work lives. Returns its push."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid, objid::int FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s AND granted",
            (locks.WORKER,),
        ).fetchone()
        assert row is not None, "no worker is at work"
        connection.execute("SELECT pg_terminate_backend(%s)", (row[0],))
    return int(row[1])


def test_a_worker_that_lost_its_lock_stops_and_no_record_stands_twice(database: str, tmp_path: Path) -> None:
    """In a portal that would take a second record: nothing but the lock keeps two workers apart."""
    activities = cases.some(600, ["calls", "notes"])
    with cases.hubspot(tmp_path, unique_on_activities="refused") as plain:
        cases.stage(database, activities)
        setup(database, cases.target(plain), OUTGOING)
        plain.chaos(latency=100)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(cases.run, database, plain, rps=2.0, recheck_seconds=0.3)
            began = time.time()
            while not any(r["path"].endswith("batch/create") and r["at"] > began for r in plain.requests(began)):
                assert not first.done()
                time.sleep(0.02)
            push_id = terminate_holder(database)
            second = cases.run(database, plain, rps=200.0, recheck_seconds=0.3)
            stopped = first.result()
        assert f"push {push_id} lost the PostgreSQL session" in (stopped.stopped_reason or "")
        assert (second.unknown, second.stopped_reason) == (0, None)
        plain.chaos()
        cases.assert_stands(plain, activities)
        assert cases.run(database, plain).sent == 0


def edit(hub: HubSpot, record: str, **properties: str) -> None:
    hub.http.patch(f"/crm/v3/objects/calls/{record}", json={"properties": properties}).raise_for_status()


def test_what_people_changed_is_held_and_named_until_it_may_be_overwritten(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(n, "calls", contact=cases.CONTACTS[0]) for n in range(1, 6)])
    cases.run(database, hub)
    ids = {key[1]: found[0][0] for key, found in hub.contents().items()}
    edit(hub, ids["1"], hs_call_title="mine now")
    hub.http.put(
        f"/crm/v4/objects/calls/{ids['2']}/associations/default/contacts/{cases.CONTACTS[8]}"
    ).raise_for_status()
    # The third is edited, and has no update to come.
    edit(hub, ids["3"], hs_call_title="mine too")
    changed = [
        Activity(1, "calls", text="ours"),
        Activity(2, "calls", contact=cases.CONTACTS[5]),
        Activity(4, "calls", text="ours"),
    ]
    cases.stage(database, changed)
    dry = cases.run(database, hub, mode="dry-run")
    assert (dry.updated, dry.edited, dry.held) == (1, 2, 2)
    result = cases.run(database, hub)
    assert (result.updated, result.edited, result.held, result.rejected, result.succeeded) == (1, 2, 2, 0, True)
    assert abs(result.requests - dry.requests) <= 1
    named = [
        {
            "type": "calls",
            "communication": 1,
            "hubspot_id": int(ids["1"]),
            "reason": "hs_call_title was changed in HubSpot",
        },
        {
            "type": "calls",
            "communication": 2,
            "hubspot_id": int(ids["2"]),
            "reason": "associated with contacts by someone else",
        },
    ]
    assert sorted(result.edits, key=lambda one: one["communication"]) == named
    assert sorted(dry.edits, key=lambda one: one["communication"]) == named
    texts = {key[1]: found[0][1] for key, found in hub.contents().items()}
    assert texts == {"1": "mine now", "2": "T", "3": "mine too", "4": "ours", "5": "T"}

    assert cases.run(database, hub).edited == 2, "they are looked at again with each push"
    dry = cases.run(database, hub, mode="dry-run", overwrite_edits=True)
    assert (dry.updated, dry.held) == (2, 0)
    result = cases.run(database, hub, overwrite_edits=True)
    assert (result.updated, result.edited, result.held) == (2, 0, 0)
    assert hub.contents()["calls", "1"][0][1] == "ours"


def test_an_update_of_ours_that_was_never_confirmed_is_nobodys_edit(database: str, hub: HubSpot) -> None:
    """The worker dies after its update came through: what HubSpot holds then is ours."""
    cases.stage(database, [Activity(1, "calls"), Activity(2, "calls")])
    cases.run(database, hub)
    cases.stage(database, [Activity(1, "calls", text="new"), Activity(2, "calls", text="new")])
    hub.chaos(script=[{"match": "POST .*batch/update", "fault": "lost_reply", "times": 20}])

    async def no_sleep(_seconds: float) -> None:
        return None

    stopped = push(
        database,
        SETTINGS,
        cases.target(hub),
        OUTGOING,
        PushOptions(mode="production", recheck_seconds=0.2),
        sleep=no_sleep,
    )
    assert stopped.stopped_reason
    hub.chaos()
    result = cases.run(database, hub)
    assert (result.edited, result.updated, result.unknown) == (0, 2, 0)


def test_the_scope_of_an_approval_says_whether_edits_may_be_overwritten(database: str) -> None:
    cases.stage(database, [Activity(1, "calls")])
    march = (date(2019, 3, 1), date(2019, 3, 1))
    plain, bold = (OUTGOING.scope(["calls"], march, overwrite_edits=bold) for bold in (False, True))
    with psycopg.connect(database) as connection:
        approve(connection, 1, "Ada Lovelace", plain)
        approve(connection, 2, "Ada Lovelace", bold)
        rows = connection.execute(
            "SELECT overwrite_edits, first_month, last_month, fingerprint FROM hubspot.approval ORDER BY approval_id"
        ).fetchall()
    assert [row[:3] for row in rows] == [(False, march[0], march[0]), (True, march[0], march[0])]
    assert rows[0][3] != rows[1][3]


def test_a_row_that_one_portal_refused_is_sent_to_another(database: str, hub: HubSpot, tmp_path: Path) -> None:
    activities = [Activity(1, "calls", contact="123456789"), Activity(2, "calls")]
    cases.stage(database, activities)
    assert cases.run(database, hub).rejected == 1
    with cases.hubspot(tmp_path) as production:
        production.http.post("/_sandbox/seed", json={"contacts": [{"id": "123456789", "properties": {}}]})
        assert cases.run(database, production, mode="dry-run").created == 2
        result = cases.run(database, production)
        assert (result.created, result.rejected) == (2, 0)
        cases.assert_stands(production, activities)


def test_the_lock_is_asked_for_before_each_request_and_costs_no_place_in_the_budget(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, cases.some(700, ["calls"]))
    setup(database, cases.target(hub), OUTGOING)
    asked = threading.Event()
    from ic_assets.hubspot.ledger.ledger import Ledger

    original, count = Ledger.assert_alive, 0

    async def counted(self: Ledger) -> None:
        nonlocal count
        count += 1
        asked.set()
        await original(self)

    Ledger.assert_alive = counted  # type: ignore[method-assign]
    try:
        result = cases.run(database, hub, rps=200.0)
    finally:
        Ledger.assert_alive = original  # type: ignore[method-assign]
    # All but the request that asks which portal this is, which comes before the lock is taken.
    assert count == result.requests - 1
