"""A person's edit against the machines: taken over, locked, in any order of arrival, given back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ic_assets.core.failures import Refused
from ic_assets.crm import field_lock
from ic_assets.crm.countries import sync_aliases
from ic_assets.crm.person_edit import OLDER, OVER, TAKEN, Edit, apply_person_edit
from ic_assets_tests.crm.centre import DAY, NOW, company, edit, locks, log, stands, wants


@pytest.fixture
def connection(module_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is taken back."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()


def apply(connection: psycopg.Connection, *edits: Edit) -> list[str]:
    return apply_person_edit(connection, edits, lock_days=90, now=NOW)


# SYNC section 9: T0, and an edit made five minutes later, or as many as are given.
T0 = datetime(2026, 3, 2, 10, tzinfo=UTC)


def at(minutes: int, value: str, user: int = 8801, field: str = "cs_stage") -> Edit:
    return Edit("C-1", field, value, f"hubspot:{user}", f"e{minutes}", T0 + timedelta(minutes=minutes))


def applied_then(connection: psycopg.Connection, *edits: Edit) -> list[str]:
    """Each in a call of its own, ten minutes after T0."""
    return [apply_person_edit(connection, [one], lock_days=90, now=T0 + timedelta(minutes=10))[0] for one in edits]


def test_a_person_edits_a_stage(connection: psycopg.Connection) -> None:
    company(connection, cs_stage="cs_onboarding")
    assert applied_then(connection, at(5, "cs_success")) == [TAKEN]
    until = datetime(2026, 5, 31, 10, 5, tzinfo=UTC)
    assert stands(connection, "cs_stage", "cs_stage_lock_expiration") == ("cs_success", until)
    assert locks(connection) == {"cs_stage": until}
    assert log(connection) == [("cs_stage", "cs_onboarding", "cs_success", "hubspot:8801", "e5")]
    assert wants(connection, "funnel", "('C-1', 'e', 'cs_error')", "cs_stage", now=T0).held == 1


def test_of_two_edits_that_come_reversed_the_later_stands_with_one_row_in_the_log(
    connection: psycopg.Connection,
) -> None:
    company(connection, cs_stage="cs_onboarding")
    assert applied_then(connection, at(10, "cs_error", 8802), at(5, "cs_success")) == [TAKEN, OLDER]
    until = datetime(2026, 5, 31, 10, 10, tzinfo=UTC)
    assert stands(connection, "cs_stage", "cs_stage_lock_expiration") == ("cs_error", until)
    assert log(connection) == [("cs_stage", "cs_onboarding", "cs_error", "hubspot:8802", "e10")]


@pytest.mark.parametrize("together", [False, True])
def test_an_edit_back_to_what_stood_is_an_edit(connection: psycopg.Connection, together: bool) -> None:
    company(connection, cs_stage="cs_onboarding")
    edits = [at(5, "cs_success"), at(10, "cs_onboarding")]
    if together:
        assert apply_person_edit(connection, edits, lock_days=90, now=T0 + timedelta(minutes=10)) == [TAKEN, TAKEN]
    else:
        applied_then(connection, *edits)
    assert stands(connection, "cs_stage") == "cs_onboarding"
    assert [row[1:3] for row in log(connection)] == [("cs_onboarding", "cs_success"), ("cs_success", "cs_onboarding")]
    assert locks(connection) == {"cs_stage": datetime(2026, 5, 31, 10, 10, tzinfo=UTC)}


def test_the_same_edit_again_changes_nothing(connection: psycopg.Connection) -> None:
    company(connection, cs_stage="cs_onboarding")
    assert applied_then(connection, at(5, "cs_success"), at(5, "cs_success")) == [TAKEN, OLDER]
    assert len(log(connection)) == 1


@pytest.mark.parametrize(
    ("field", "value", "becomes"),
    [
        ("country", " great britain ", "GB"),
        ("country", "Atlantis", "unknown_country"),
        ("cs_stage", "cs_great", "not_an_option"),
        ("cs_stage", " ", "empty_value"),
        ("signup_timestamp", "", "empty_value"),
        ("signup_timestamp", "1772445600000", T0),
        ("signup_timestamp", "2026-03-02T12:00:00.0009+02:00", T0),
        ("paying_since", "2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("paying_since", "tomorrow", "type_mismatch"),
        ("paying_since", "99999999999999", "type_mismatch"),
        ("num_of_employees_range", "50+", "50+"),
        ("num_of_employees_range", "11-50", "11-50"),
        ("num_of_employees_range", "eleven", "type_mismatch"),
        ("plan_id", "  pro ", "pro"),
        ("plan_id", "", None),
        ("plan_id", "a\0b", "type_mismatch"),
        ("customer_success_manager", "dana ", "dana"),
        pytest.param("customer_success_manager", "zoe", "unknown_manager", marks=pytest.mark.gap("CF2")),
        ("account_manager", "", None),
    ],
)
def test_a_value_is_read_or_set_aside_with_its_reason(
    connection: psycopg.Connection, field: str, value: str, becomes: Any
) -> None:
    sync_aliases(connection)
    connection.execute("CREATE SCHEMA funnel")
    connection.execute("CREATE VIEW funnel.v_manager AS SELECT 'dana'::text AS username")
    company(connection, plan_id="max", account_manager="dana")
    before = stands(connection, field)
    (outcome,) = apply(connection, edit(field, value, 1))
    if outcome == TAKEN:
        assert stands(connection, field) == becomes
        assert locks(connection) == {field: NOW + 89 * DAY}
    else:
        assert outcome == becomes
        assert (stands(connection, field), locks(connection), log(connection)) == (before, {}, [])


def test_without_a_funnel_every_username_is_taken(connection: psycopg.Connection) -> None:
    company(connection)
    assert apply(connection, edit("customer_success_manager", "zoe", 1)) == [TAKEN]
    assert stands(connection, "cs_manager_lock_expiration") == NOW + 89 * DAY


def test_the_newest_edit_that_can_be_taken_stands_also_when_a_newer_one_was_set_aside(
    connection: psycopg.Connection,
) -> None:
    company(connection)
    assert apply(connection, edit("cs_stage", "nonsense", 1), edit("cs_stage", "cs_sbp", 2)) == ["not_an_option", TAKEN]
    assert stands(connection, "cs_stage") == "cs_sbp"


def test_an_unknown_company_changes_nothing(connection: psycopg.Connection) -> None:
    assert apply(connection, edit("plan_id", "pro", 1)) == ["unknown_company"]
    assert locks(connection) == {}


def test_a_figure_that_a_flow_computes_is_not_taken_over(connection: psycopg.Connection) -> None:
    company(connection)
    for field in ("current_mrr", "payment_status", "site_status", "hubspot_company_id", "sales_status", "company"):
        with pytest.raises(ValueError, match="are not taken over"):
            apply(connection, edit(field, "9", 1))


def test_an_edit_whose_lock_is_over_fills_only_what_no_flow_computes_and_nobody_filled(
    connection: psycopg.Connection,
) -> None:
    company(connection)
    company(connection, "C-2", sales_account_manager="sam")
    late = [edit("plan_id", "pro", 90), edit("sales_account_manager", "dana", 90)]
    assert apply(connection, *late) == [OVER, TAKEN]
    assert stands(connection, "plan_id", "sales_account_manager") == (None, "dana")
    assert apply(connection, edit("sales_account_manager", "eve", 100, company="C-2")) == [OVER]
    assert stands(connection, "sales_account_manager", name="C-2") == "sam"
    assert (locks(connection), locks(connection, "C-2")) == ({}, {})
    # One microsecond of it left is a lock.
    assert apply(connection, edit("plan_id", "pro", 90 - 1 / 86_400_000_000)) == [TAKEN]


def test_a_released_field_is_its_flows_again_and_edits_made_before_lock_nothing(
    connection: psycopg.Connection,
) -> None:
    company(connection, cs_stage="cs_onboarding")
    apply(connection, edit("cs_stage", "cs_success", 5))
    assert field_lock.release(connection, "C-1", "cs_stage", now=NOW - 3 * DAY) is True
    assert field_lock.release(connection, "C-1", "cs_stage", now=NOW - 3 * DAY) is False
    assert (locks(connection), stands(connection, "cs_stage_lock_expiration")) == ({}, None)
    assert apply(connection, edit("cs_stage", "cs_sbp", 4)) == [OVER]
    assert wants(connection, "funnel", "('C-1', 'e', 'cs_error')", "cs_stage").fields == 1
    assert apply(connection, edit("cs_stage", "cs_sbp", 2)) == [TAKEN]
    assert stands(connection, "cs_stage", "cs_stage_lock_expiration") == ("cs_sbp", NOW + 88 * DAY)


def test_a_lock_by_hand_keeps_what_stands_and_a_shorter_edit_does_not_end_it(connection: psycopg.Connection) -> None:
    company(connection, cs_stage="cs_onboarding")

    def lock(field: str, days: int, name: str = "C-1") -> None:
        field_lock.lock(connection, name, field, NOW + days * DAY, changed_by="command:lock", cause="command", now=NOW)

    lock("cs_stage", 365)
    apply(connection, edit("cs_stage", "cs_success", 1))
    assert stands(connection, "cs_stage", "cs_stage_lock_expiration") == ("cs_success", NOW + 365 * DAY)
    assert locks(connection) == {"cs_stage": NOW + 365 * DAY}
    with pytest.raises(Refused, match="would be over when it is made"):
        lock("cs_stage", 0)
    with pytest.raises(Refused, match="'current_mrr' is no field that a person can lock; one of account_manager, "):
        lock("current_mrr", 5)
    with pytest.raises(Refused, match="no company C-9 is known"):
        lock("cs_stage", 5, "C-9")


def test_locks_that_are_over_are_cleared_away(connection: psycopg.Connection) -> None:
    company(connection)
    apply(connection, edit("plan_id", "pro", 1), edit("country", "DE", 2))
    assert field_lock.clear_ended(connection, now=NOW + 88 * DAY) == 1
    assert locks(connection) == {"plan_id": NOW + 89 * DAY}
    assert stands(connection, "country") == "DE"


VALUES = {
    "plan_id": ["pro", "max", ""],
    "cs_stage": ["cs_sbp", "cs_error", "", "nonsense"],
    "sales_account_manager": ["sam", "eve", ""],
    "paying_since": ["2026-03-02", "1772445600000", "never"],
}
UNREADABLE = {("cs_stage", ""), ("cs_stage", "nonsense"), ("paying_since", "never")}


@st.composite
def edits(draw: st.DrawFn) -> list[Edit]:
    """Of two companies, some older than a lock lasts, several at one instant."""
    found = []
    for number in range(draw(st.integers(1, 9))):
        field = draw(st.sampled_from(sorted(VALUES)))
        found.append(
            edit(
                field,
                draw(st.sampled_from(VALUES[field])),
                draw(st.sampled_from([1, 2, 3, 89, 90, 91, 200])),
                company=draw(st.sampled_from(["C-1", "C-2"])),
                turn=draw(st.sampled_from(["", "0", "1"])),
                cause=f"e{number}",
            )
        )
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_edits=edits(), data=st.data())
def test_edits_in_any_order_and_any_batches_end_in_one_state(
    connection: psycopg.Connection, given_edits: list[Edit], data: st.DataObject
) -> None:
    """The expectation is made from the edits alone: of each field the newest that can be read, while its lock lasts."""
    connection.rollback()
    company(connection, "C-1", plan_id="trial")
    company(connection, "C-2", sales_account_manager="old")
    arriving = data.draw(st.permutations(given_edits + given_edits[: len(given_edits) // 2]))
    while arriving:
        size = data.draw(st.integers(1, len(arriving)))
        apply(connection, *arriving[:size])
        arriving = arriving[size:]
    for name, initial in (("C-1", {"plan_id": "trial"}), ("C-2", {"sales_account_manager": "old"})):
        expected: dict[str, Any] = {}
        expected_locks = {}
        for field in VALUES:
            readable = [
                one
                for one in given_edits
                if (one.company, one.field) == (name, field) and (field, one.value) not in UNREADABLE
            ]
            newest = max(readable, key=lambda one: (one.occurred_at, one.turn, one.cause), default=None)
            expected[field] = initial.get(field)
            if newest is None:
                continue
            is_locked = newest.occurred_at + 90 * DAY > NOW
            if is_locked or (field == "sales_account_manager" and field not in initial):
                expected[field] = _value(field, newest.value)
            if is_locked:
                expected_locks[field] = newest.occurred_at + 90 * DAY
        assert stands(connection, *expected, name=name) == tuple(expected.values())
        assert locks(connection, name) == expected_locks


def _value(field: str, text: str) -> Any:
    if field == "paying_since":
        return {"2026-03-02": datetime(2026, 3, 2, tzinfo=UTC), "1772445600000": T0}[text] if text else None
    return text or None
