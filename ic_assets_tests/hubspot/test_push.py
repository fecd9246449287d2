"""The push against the local HubSpot: creates, changes, moves, refusals, lost answers. Contents are compared record by
record through HubSpot's API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Refused
from ic_assets.hubspot.portal.setup import setup
from ic_assets.hubspot.push.rollback import RollbackSelection, rollback
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import CONTACTS, Activity, HubSpot


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubSpot]:
    with cases.hubspot(tmp_path_factory.mktemp("hubspot")) as one:
        yield one


@pytest.fixture
def hub(served: HubSpot) -> HubSpot:
    served.reset()
    return served


def test_every_activity_is_created_once_with_its_associations_and_a_second_push_costs_one_request(
    database: str, hub: HubSpot
) -> None:
    activities = cases.some(350)
    cases.stage(database, activities)
    result = cases.run(database, hub)
    assert (result.sent, result.created, result.unknown) == (350, 350, 0)
    assert {name: figures["created"] for name, figures in result.by_type.items()} == dict.fromkeys(cases.NAMES, 50)
    cases.assert_stands(hub, activities)
    cases.assert_ledger_agrees(database, hub)

    again = cases.run(database, hub)
    # The one request asks which portal the token belongs to.
    assert (again.sent, again.identical, again.requests) == (0, 350, 1)


def test_a_changed_activity_is_updated_with_its_associations_and_the_others_cost_nothing(
    database: str, hub: HubSpot
) -> None:
    before = [
        Activity(1, "calls", CONTACTS[0], extra={"hs_call_status": "BUSY"}),
        Activity(2, "calls", CONTACTS[0]),
        Activity(3, "notes", CONTACTS[0], company=cases.COMPANY),
        Activity(4, "notes", CONTACTS[0]),
    ]
    cases.stage(database, before)
    cases.run(database, hub)
    records = {key: found[0][0] for key, found in hub.contents().items()}

    after = [replace(before[0], extra={}, text="changed"), replace(before[2], contact=CONTACTS[5], company=None)]
    cases.stage(database, after)
    result = cases.run(database, hub)
    assert (result.sent, result.updated, result.identical) == (2, 2, 2)
    cases.assert_stands(hub, [after[0], before[1], after[1], before[3]])
    assert {key: found[0][0] for key, found in hub.contents().items()} == records
    cleared = hub.http.get(f"/crm/v3/objects/calls/{records['calls', '1']}", params={"properties": "hs_call_status"})
    assert not cleared.json()["properties"].get("hs_call_status")


def test_a_communication_that_became_another_type_is_archived_there_and_stands_once(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, [Activity(1, "calls"), Activity(2, "calls")])
    cases.run(database, hub)
    moved = Activity(1, "meetings", text="moved")
    cases.stage(database, [moved])
    result = cases.run(database, hub)
    assert (result.created, result.removed, result.sent) == (1, 1, 2)
    cases.assert_stands(hub, [moved, Activity(2, "calls")])
    # And back: whether the archived record keeps its unique value or not, the call stands again.
    cases.stage(database, [Activity(1, "calls", text="back")])
    assert cases.run(database, hub).removed == 1
    contents = hub.contents()
    assert [found[0][1] for key, found in contents.items() if key[0] == "calls"].count("back") == 1
    assert not [key for key in contents if key[0] == "meetings"]


def test_the_old_record_stays_while_the_new_one_is_refused(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(1, "calls")])
    cases.run(database, hub)
    cases.stage(database, [Activity(1, "tasks", extra={"hs_task_status": "NO_SUCH_STATUS"})])
    result = cases.run(database, hub)
    assert (result.rejected, result.removed) == (1, 0)
    cases.assert_stands(hub, [Activity(1, "calls")])


def test_rolling_staging_back_removes_nothing_from_hubspot(database: str, hub: HubSpot) -> None:
    activities = [Activity(1, "calls"), Activity(2, "notes", parts=("more",))]
    cases.stage(database, activities)
    cases.run(database, hub)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_communication_master WHERE comm_communicationid = 1")
        connection.execute("DELETE FROM staging.ic_notes")
        connection.execute("DELETE FROM staging.ic_payload_part")
    result = cases.run(database, hub)
    assert (result.sent, result.removed) == (0, 0)
    assert len(hub.contents()) == 3


def test_continuation_notes_stand_beside_their_activity_and_go_when_the_body_shrinks(
    database: str, hub: HubSpot
) -> None:
    cases.stage(database, [Activity(7, "calls", parts=("second", "third")), Activity(8, "notes", parts=("next",))])
    assert cases.run(database, hub).created == 5
    assert {key[1] for key in hub.contents()} == {"7", "7/2", "7/3", "8", "8/2"}
    cases.assert_ledger_agrees(database, hub)
    cases.stage(database, [Activity(7, "calls", parts=("second",)), Activity(8, "notes")])
    result = cases.run(database, hub)
    assert (result.removed, result.created, result.updated) == (2, 0, 0)
    assert {key[1] for key in hub.contents()} == {"7", "7/2", "8"}


@pytest.mark.parametrize("api", ["v3", "2026-03", "2026-09"])
def test_one_bad_record_costs_only_itself_and_keeps_hubspots_words(database: str, hub: HubSpot, api: str) -> None:
    activities = cases.some(120, ["calls"])
    bad = replace(activities[60], contact="123456789")
    cases.stage(database, [*activities[:60], bad, *activities[61:]])
    result = cases.run(database, hub, api=api)
    assert (result.sent, result.created, result.rejected) == (120, 119, 1)
    (reason,) = result.rejects_by_reason
    assert "CONTACT=123456789" in reason
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT state, error_category FROM hubspot.push_ledger WHERE record_key = %s::text", (bad.id,)
        ).fetchone()
        derivative = connection.execute(
            "SELECT api_push_status, error_message FROM staging.ic_calls WHERE api_push_status <> 'pushed'"
        ).fetchall()
    assert row == ("failed", "VALIDATION_ERROR")
    assert derivative == [("failed", reason)]
    cases.assert_stands(hub, [one for one in activities if one.id != bad.id])


def test_an_association_to_a_missing_record_is_left_out_only_where_that_is_configured(
    database: str, hub: HubSpot
) -> None:
    activities = [replace(one, company=cases.COMPANY) for one in cases.some(20, ["calls"])]
    lost = replace(activities[6], contact="123456789")
    cases.stage(database, [*activities[:6], lost, *activities[7:]])
    assert cases.run(database, hub).rejected == 1

    result = cases.run(database, hub, missing_association="drop")
    assert (result.created, result.rejected) == (1, 0)
    (warning,) = result.warnings
    assert warning.startswith("pushed without an association")
    assert ": 1 (" in warning
    left = replace(lost, contact=None)
    cases.assert_stands(hub, [*activities[:6], left, *activities[7:]])
    with psycopg.connect(database) as connection:
        dropped = connection.execute(
            "SELECT record_key::bigint, pushed -> 'dropped' FROM hubspot.push_ledger WHERE pushed ? 'dropped'"
        ).fetchall()
    assert dropped == [(lost.id, [["contacts", "123456789", cases.TO_CONTACT["calls"]]])]
    assert cases.run(database, hub, missing_association="drop").requests == 1

    # The contact comes to HubSpot: the next change of the activity brings the association along.
    hub.http.post("/_sandbox/seed", json={"contacts": [{"id": "123456789", "properties": {}}]}).raise_for_status()
    found = replace(lost, text="changed")
    cases.stage(database, [found])
    assert cases.run(database, hub).updated == 1
    cases.assert_stands(hub, [*activities[:6], found, *activities[7:]])


def test_an_update_to_a_missing_record_keeps_the_rest_of_the_change(database: str, hub: HubSpot) -> None:
    before = [replace(one, company=None) for one in cases.some(6, ["notes"])]
    cases.stage(database, before)
    cases.run(database, hub)
    after = [replace(one, text="new", company=cases.COMPANY) for one in before]
    after[2] = replace(after[2], company="987654321")
    cases.stage(database, after)
    result = cases.run(database, hub, missing_association="drop")
    assert (result.updated, result.rejected) == (6, 0)
    cases.assert_stands(hub, [*after[:2], replace(after[2], company=None), *after[3:]])


def test_a_lost_answer_about_a_record_without_its_association_leaves_no_doubt(database: str, hub: HubSpot) -> None:
    one = Activity(1, "calls", contact="123456789", company=cases.COMPANY)
    cases.stage(database, [one])
    setup(database, cases.target(hub), OUTGOING)
    hub.chaos(script=[{"match": "POST .*/calls/batch/create", "fault": "lost_reply", "skip": 1}])
    result = cases.run(database, hub, missing_association="drop")
    assert (result.rejected, result.unknown) == (0, 0)
    cases.assert_stands(hub, [replace(one, contact=None)])
    with psycopg.connect(database) as connection:
        assert connection.execute(
            "SELECT state, jsonb_array_length(pushed -> 'associations'), jsonb_array_length(pushed -> 'dropped')"
            " FROM hubspot.push_ledger"
        ).fetchall() == [("pushed", 1, 1)]


def test_an_enumeration_that_the_portal_does_not_list_is_caught_before_it_is_sent(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(1, "tasks", extra={"hs_task_status": "ASLEEP"}), Activity(2, "tasks")])
    result = cases.run(database, hub)
    (reason,) = result.rejects_by_reason
    assert "hs_task_status" in reason
    assert "ASLEEP" in reason
    cases.assert_stands(hub, [Activity(2, "tasks")])


def test_orphans_are_held_until_they_are_included(database: str, hub: HubSpot) -> None:
    activities = [Activity(1, "calls"), Activity(2, "calls", contact=None)]
    cases.stage(database, activities)
    result = cases.run(database, hub)
    assert (result.created, result.held) == (1, 1)
    cases.assert_stands(hub, activities[:1])
    result = cases.run(database, hub, include_orphans=True)
    assert (result.created, result.held, result.identical) == (1, 0, 1)
    cases.assert_stands(hub, activities)


def test_an_invalid_payload_is_never_sent(database: str, hub: HubSpot) -> None:
    cases.stage(database, [Activity(1, "calls", status="failed"), Activity(2, "calls")])
    assert cases.run(database, hub).created == 1
    cases.assert_stands(hub, [Activity(2, "calls")])


def test_types_months_and_limit_restrict_what_is_pushed(database: str, hub: HubSpot) -> None:
    early, late = cases.some(14, month="2018-12"), cases.some(14, first=100, month="2019-02")
    cases.stage(database, [*early, *late])
    months = (date(2019, 1, 1), date(2019, 2, 1))
    assert cases.run(database, hub, types=["calls"], months=months).created == 2
    assert cases.run(database, hub, limit=5).created == 5
    assert cases.run(database, hub).created == 21
    cases.assert_stands(hub, [*early, *late])


def test_the_test_mode_pushes_a_spread_of_a_hundred(database: str, hub: HubSpot) -> None:
    cases.stage(database, [*cases.some(300, ["calls"]), *cases.some(70, first=1000), Activity(5000, "postal_mail")])
    result = cases.run(database, hub, mode="test")
    assert result.created == 100
    created = {name: figures["created"] for name, figures in result.by_type.items()}
    assert created["calls"] > 10
    assert all(count >= 10 for count in created.values())


def test_a_dry_run_writes_nothing_and_its_figures_are_those_of_the_push(database: str, hub: HubSpot) -> None:
    activities = cases.some(250)
    cases.stage(database, activities)
    dry = cases.run(database, hub, mode="dry-run")
    assert not hub.contents()
    assert [r["method"] for r in hub.requests() if r["method"] in ("PATCH", "DELETE", "PUT")] == []
    assert not [r for r in hub.requests() if r["path"].endswith(("create", "update", "archive"))]
    real = cases.run(database, hub)
    assert (dry.sent, dry.created, dry.requests) == (0, real.created, real.requests)

    changed = [replace(one, text="new") for one in activities[:60]]
    moved = [replace(activities[100], type="notes" if activities[100].type != "notes" else "tasks")]
    cases.stage(database, [*changed, *moved, *cases.some(20, first=900)])
    dry, real = cases.run(database, hub, mode="dry-run"), cases.run(database, hub)
    for name in ("created", "updated", "removed", "identical", "held", "rejected"):
        assert getattr(dry, name) == getattr(real, name), name
    assert (real.created, real.updated, real.removed) == (21, 60, 1)
    assert abs(dry.requests - real.requests) <= 1


def test_derivatives_that_were_made_anew_take_their_push_columns_back(database: str, hub: HubSpot) -> None:
    activities = cases.some(6, ["calls"])
    cases.stage(database, activities)
    cases.run(database, hub)
    with psycopg.connect(database) as connection:
        before = connection.execute(
            "SELECT ic_communication_master_id, api_push_status, hubspot_engagement_id, pushed_at FROM staging.ic_calls"
        ).fetchall()
        connection.execute("DELETE FROM staging.ic_calls")
    changed = replace(activities[0], text="changed")
    cases.stage(database, [changed, *activities[1:]])
    with psycopg.connect(database) as connection:
        connection.execute(
            OUTGOING.of("calls").adopt(),
            {"object_type": "calls", "window_start": date(2019, 3, 1), "window_end": date(2019, 4, 1)},
        )
        after = connection.execute(
            "SELECT ic_communication_master_id, api_push_status, hubspot_engagement_id, pushed_at FROM staging.ic_calls"
        ).fetchall()
    assert sorted(after)[1:] == sorted(before)[1:]
    assert sorted(after)[0] == (*sorted(before)[0][:1], "pending", *sorted(before)[0][2:])


def test_two_portals_never_mix_and_the_derivatives_speak_of_the_last(
    database: str, hub: HubSpot, tmp_path_factory: pytest.TempPathFactory
) -> None:
    activities = cases.some(14)
    cases.stage(database, activities)
    cases.run(database, hub)
    with cases.hubspot(tmp_path_factory.mktemp("other")) as other:
        result = cases.run(database, other, limit=7)
        assert (result.created, result.portal_id != cases.run(database, hub, mode="dry-run").portal_id) == (7, True)
        with psycopg.connect(database) as connection:
            pushed = connection.execute("SELECT count(*) FROM staging.v_ic_push_status WHERE push_status = 'pushed'")
            assert pushed.fetchone() == (7,)
            columns = connection.execute(
                "SELECT count(*) FROM staging.ic_calls WHERE api_push_status = 'pending'"
                " AND (hubspot_engagement_id IS NOT NULL OR pushed_at IS NOT NULL)"
            )
            assert columns.fetchone() == (0,)
    cases.assert_stands(hub, activities)


def test_a_record_that_people_deleted_is_held_for_a_person(database: str, hub: HubSpot) -> None:
    activities = cases.some(3, ["notes"])
    cases.stage(database, activities)
    cases.run(database, hub)
    record = hub.contents()["notes", "2"][0][0]
    hub.http.delete(f"/crm/v3/objects/notes/{record}").raise_for_status()
    cases.stage(database, [replace(one, text="new") for one in activities])
    result = cases.run(database, hub)
    assert (result.updated, result.rejected) == (2, 1)
    assert "no longer exists" in next(iter(result.rejects_by_reason))


def test_a_wrong_token_is_refused_in_one_line_without_the_token(database: str, hub: HubSpot) -> None:
    cases.stage(database, cases.some(1))
    stranger = HubSpot(replace(hub.sandbox, token="pat-wrong-token"))
    with pytest.raises(Refused, match="check HUBSPOT_TOKEN") as refused:
        cases.run(database, stranger)
    assert "pat-wrong-token" not in str(refused.value)
    assert "\n" not in str(refused.value)


# -- several people, and what the source deleted -----------------------------------------------------


def test_a_meeting_of_several_people_stands_at_each_and_follows_a_change_of_them(database: str, hub: HubSpot) -> None:
    meeting = Activity(1, "meetings", CONTACTS[0], further=(CONTACTS[1], CONTACTS[2]))
    others = [Activity(2, "notes", CONTACTS[3], further=(CONTACTS[4],), parts=("more",)), Activity(3, "calls")]
    cases.stage(database, [meeting, *others])
    assert cases.run(database, hub).created == 4
    record = hub.contents()["meetings", "1"]
    assert record[0][2] == (CONTACTS[0], CONTACTS[1], CONTACTS[2])
    assert [each[2] for each in hub.contents()["notes", "2/2"]] == [(CONTACTS[3], CONTACTS[4])]

    changed = replace(meeting, further=(CONTACTS[2], CONTACTS[5]))
    cases.stage(database, [changed])
    foreseen = cases.run(database, hub, mode="dry-run")
    assert (foreseen.created, foreseen.updated, foreseen.identical) == (0, 1, 3)
    result = cases.run(database, hub)
    assert (result.sent, result.updated, result.identical) == (1, 1, 3)
    found = hub.contents()["meetings", "1"]
    assert [each[2] for each in found] == [(CONTACTS[0], CONTACTS[2], CONTACTS[5])]
    assert found[0][0] == record[0][0]
    assert cases.run(database, hub).sent == 0

    # All of them are ours: nothing is held back.
    undone = rollback(database, cases.target(hub), OUTGOING, RollbackSelection(), dry_run=False)
    assert (undone.archived, undone.held_back) == (4, 0)
    assert hub.contents() == {}


def test_what_the_source_deleted_is_archived_with_its_continuations_and_comes_back_anew(
    database: str, hub: HubSpot
) -> None:
    gone = [Activity(1, "calls", parts=("more",)), Activity(2, "notes", contact=None)]
    left = Activity(3, "calls")
    cases.stage(database, [*gone, left])
    cases.run(database, hub)
    cases.delete_in_source(database, 1, 2)
    foreseen = cases.run(database, hub, mode="dry-run")
    assert (foreseen.removed, foreseen.identical) == (2, 1)
    result = cases.run(database, hub)
    assert (result.removed, result.sent) == (2, 2)
    cases.assert_stands(hub, [left])
    cases.assert_ledger_agrees(database, hub)
    assert cases.run(database, hub).sent == 0

    cases.bring_back(database)
    again = replace(gone[0], parts=(), text="again")
    cases.stage(database, [again])
    assert cases.run(database, hub).created == 1
    cases.assert_stands(hub, [again, left])


def test_a_deletion_that_was_taken_back_before_the_push_changes_nothing(database: str, hub: HubSpot) -> None:
    one = Activity(1, "calls")
    cases.stage(database, [one])
    cases.run(database, hub)
    cases.delete_in_source(database, 1)
    cases.bring_back(database)
    assert cases.run(database, hub).sent == 0
    cases.stage(database, [one])
    assert cases.run(database, hub).sent == 0
    cases.assert_stands(hub, [one])
