"""The checkpoints as rules: each fails for its own fault and for no other, and the gates are strict at their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities.engine.judging.rules import gates, judge, resolution_rules
from ic_assets.activities.engine.judging.verdicts import Rule, Verdict
from ic_assets.activities.engine.staging import slices, stages
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop

KINDS = ("Call", "Email", "Meeting", "Note", "Task", "SMS", "Letter")
# (on, name) of the rules that only warn.
WARNINGS = {
    ("master", name)
    for name in (
        "no_type_dominates",
        "every_type_occurs",
        "types_are_recognised",
        "actions_are_recognised",
        "statuses_are_recognised",
        "priorities_are_recognised",
    )
}


@pytest.fixture(scope="module")
def loaded(
    superuser_url: str, postgres_url: str, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """42 good rows, six of each type, the first of them with an unknown deal, and a rejected one: every rule is green."""
    name = sql.Identifier("rules")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER ic_assets TEMPLATE {} STRATEGY file_copy").format(
                name, sql.Identifier(_template)
            )
        )
    url = postgres_url.replace("/ic_assets?", "/rules?")
    reconcile_everything(url)
    rows = [row(number, kind=KINDS[number % 7], Company_Id=201, Comm_OpportunityId=301) for number in range(42)]
    rows[0]["Comm_OpportunityId"] = 999
    land(url, write_drop(tmp_path_factory.mktemp("rules") / "a.csv", [*rows, row(43, "never")]))
    bring_up_to_date(url)
    yield url
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def connection(loaded: str) -> Iterator[psycopg.Connection]:
    """What a test corrupts is rolled back after it."""
    with psycopg.connect(loaded) as connection:
        yield connection
        connection.rollback()


def failed(connection: psycopg.Connection) -> set[tuple[str, str]]:
    return {(verdict.rule.on, verdict.rule.name) for verdict in judge(connection) if not verdict.passed}


def test_a_sound_load_passes_every_rule(connection: psycopg.Connection) -> None:
    assert failed(connection) == set()
    assert all(verdict.checked > 0 for verdict in judge(connection)), "each rule has something to judge"


FIRST_CALL = "(SELECT min(id) FROM staging.ic_calls)"
CORRUPTIONS = {
    "a reject is gone": ("DELETE FROM staging.ic_rejected_row", {("landing", "drop_identity")}),
    "a count was changed": (
        "UPDATE staging.ic_drop SET inserted = inserted - 1, unchanged = unchanged + 1",
        {("landing", "drop_identity")},
    ),
    "a communication has no creation date": (
        "ALTER TABLE staging.ic_communication_master ALTER comm_createddate DROP NOT NULL;"
        "UPDATE staging.ic_communication_master SET comm_createddate = NULL WHERE comm_communicationid = 5",
        {("master", "required_fields_present")},
    ),
    "a communication is lost": (
        "DELETE FROM staging.ic_communication_master WHERE comm_communicationid = 5",
        {("master", "every_landed_row_is_here")},
    ),
    "a communication stands in an older version": (
        "UPDATE staging.ic_communication_master SET source_line = source_line + 100 WHERE comm_communicationid = 5",
        {("master", "every_landed_row_is_here")},
    ),
    "nothing landed this communication": (
        "INSERT INTO staging.ic_communication_master (comm_communicationid, comm_type, comm_datetime, comm_createddate,"
        " derived_activity_type, is_task_eligible, is_orphaned, hubspot_contact_id, source_drop, source_line)"
        " VALUES (999, 'Call', '2019-03-05', '2019-03-05', 'calls', false, false, 1, 'x', 1)",
        {("master", "every_landed_row_is_here"), ("calls", "coverage")},
    ),
    "a type is unknown": (
        "UPDATE staging.ic_communication_master SET comm_type = 'Pigeon' WHERE comm_communicationid = 5",
        {("master", "types_are_recognised")},
    ),
    "an unresolved reference is not logged": (
        "DELETE FROM staging.reconciliation_log",
        {("resolved", "every_miss_is_logged")},
    ),
    "a communication has no derivative": (
        f"DELETE FROM staging.ic_calls WHERE id = {FIRST_CALL}",
        {("calls", "coverage")},
    ),
    "a communication has a second derivative": (
        "INSERT INTO staging.ic_notes (ic_communication_master_id, activity_date, note_body, hubspot_api_payload)"
        f" SELECT ic_communication_master_id, activity_date, 'x', '{{}}' FROM staging.ic_calls WHERE id = {FIRST_CALL}",
        {("notes", "coverage")},
    ),
    "a call has no title": (
        f"UPDATE staging.ic_calls SET call_title = NULL WHERE id = {FIRST_CALL}",
        {("calls", "required_fields")},
    ),
    "a meeting has no name": (
        "UPDATE staging.ic_meetings SET meeting_name = NULL",
        {("meetings", "required_fields")},
    ),
    "a payload is not one that HubSpot takes": (
        "UPDATE staging.ic_emails SET hubspot_api_payload = NULL, error_message = 'too long'",
        {("emails", "payloads_valid")},
    ),
    "a meeting ends before it begins": (
        "ALTER TABLE staging.ic_meetings DROP CONSTRAINT ic_meetings_check;"
        "UPDATE staging.ic_meetings SET meeting_end_time = meeting_start_time - interval '1 second'",
        {("meetings", "end_is_not_before_start"), ("meetings", "payloads_plausible")},
    ),
}


@pytest.mark.parametrize("fault", CORRUPTIONS)
def test_each_fault_fails_its_own_rule_and_no_other(connection: psycopg.Connection, fault: str) -> None:
    corruption, expected = CORRUPTIONS[fault]
    connection.execute(corruption.encode())
    assert failed(connection) == expected
    for verdict in judge(connection):
        if not verdict.passed:
            assert verdict.rule.next_step in verdict.figure
            assert "example.com" not in str(verdict.sample), "no personal data"


ENTITIES = {
    "contacts_resolved": ("hubspot_contact_id", "contact", "person_id"),
    "companies_resolved": ("hubspot_company_id", "company", "company_id"),
    "deals_resolved": ("hubspot_deal_id", "deal", "comm_opportunityid"),
}


def keep(connection: psycopg.Connection, count: int) -> None:
    """Only so many communications are left, each resolved in all three ways."""
    connection.execute(
        "DELETE FROM staging.ic_communication_master WHERE comm_communicationid NOT BETWEEN 1 AND %s", (count,)
    )
    connection.execute("DELETE FROM staging.reconciliation_log")


def verdict_of(connection: psycopg.Connection, name: str) -> Verdict:
    (verdict,) = judge(connection, want=lambda rule: rule.name == name)
    return verdict


@pytest.mark.parametrize("name", ENTITIES)
@pytest.mark.parametrize(("references", "passes"), [(20, False), (21, True)])
def test_exactly_95_percent_of_references_is_not_enough(
    connection: psycopg.Connection, name: str, references: int, passes: bool
) -> None:
    """19 of 20 are 95 %, 20 of 21 are 95.2 %; a row without a reference of the kind does not count."""
    column, entity, reference = ENTITIES[name]
    keep(connection, references + 10)
    connection.execute(
        sql.SQL(
            "UPDATE staging.ic_communication_master SET {} = NULL, {} = NULL WHERE comm_communicationid > %s"
        ).format(sql.Identifier(reference), sql.Identifier(column)),
        (references,),
    )
    connection.execute(
        sql.SQL("UPDATE staging.ic_communication_master SET {} = NULL WHERE comm_communicationid = 1").format(
            sql.Identifier(column)
        )
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO staging.reconciliation_log (entity_type, legacy_id, month, status, communications_affected)"
            " SELECT %s, {}, '2019-03-01', 'x', 1 FROM staging.ic_communication_master WHERE comm_communicationid = 1"
        ).format(sql.Identifier(reference)),
        (entity,),
    )
    verdict = verdict_of(connection, name)
    assert (verdict.failing, verdict.checked, verdict.passed) == (1, references, passes)
    on_resolution = {rule for on, rule in failed(connection) if on == "resolved"}
    assert on_resolution == (set() if passes else {name})
    assert (verdict.rule in [red.rule for red in gates(connection) if not red.passed]) is not passes


@pytest.mark.parametrize(("communications", "passes"), [(20, False), (21, True)])
def test_exactly_5_percent_of_orphans_is_too_many(
    connection: psycopg.Connection, communications: int, passes: bool
) -> None:
    keep(connection, communications)
    connection.execute("UPDATE staging.ic_communication_master SET is_orphaned = true WHERE comm_communicationid = 1")
    verdict = verdict_of(connection, "orphans")
    assert (verdict.failing, verdict.checked, verdict.passed) == (1, communications, passes)


@pytest.mark.parametrize(("filled", "passes"), [(99, False), (100, True)])
def test_exactly_99_percent_of_required_fields_is_not_enough(
    connection: psycopg.Connection, filled: int, passes: bool
) -> None:
    connection.execute("DELETE FROM staging.ic_calls")
    connection.execute("ALTER TABLE staging.ic_calls DROP CONSTRAINT ic_calls_ic_communication_master_id_fkey")
    connection.execute(
        "INSERT INTO staging.ic_calls (ic_communication_master_id, activity_date, call_title)"
        " SELECT n, '2019-03-05', CASE WHEN n > 1000 THEN 'T' END FROM generate_series(1000, 1000 + %s) AS n",
        (filled,),
    )
    (verdict,) = judge(connection, want=lambda rule: (rule.on, rule.name) == ("calls", "required_fields"))
    assert (verdict.failing, verdict.checked, verdict.passed) == (1, filled + 1, passes)
    assert verdict.sample == [{"column": "call_title", "missing": 1}]


@pytest.mark.parametrize(("calls", "passes"), [(36, True), (37, False)])
def test_a_type_may_hold_90_percent_and_no_more(connection: psycopg.Connection, calls: int, passes: bool) -> None:
    """36 of 40 are 90 %."""
    keep(connection, 40)
    connection.execute(
        "UPDATE staging.ic_communication_master SET derived_activity_type ="
        " CASE WHEN comm_communicationid <= %s THEN 'calls' ELSE 'notes' END",
        (calls,),
    )
    assert verdict_of(connection, "no_type_dominates").passed is passes


def test_a_type_that_never_occurs_is_named(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM staging.ic_communication_master WHERE derived_activity_type = 'postal_mail'")
    verdict = verdict_of(connection, "every_type_occurs")
    assert (verdict.passed, verdict.sample) == (False, ["postal_mail"])


def test_nothing_to_judge_passes_and_says_so(database: str) -> None:
    with psycopg.connect(database) as connection:
        verdicts = judge(connection)
    assert [verdict for verdict in verdicts if not verdict.passed and verdict.rule.gate] == []
    silent = [
        verdict for verdict in verdicts if verdict.rule.name in (*ENTITIES, "orphans", "coverage", "drop_identity")
    ]
    assert {verdict.figure for verdict in silent} == {"Nothing to judge yet."}


def test_months_that_are_not_resolved_yet_are_not_judged(loaded: str, connection: psycopg.Connection) -> None:
    """Half of a new month leads nowhere: the gate turns red with its resolution and not before."""
    connection.execute(
        "INSERT INTO staging.ic_communication_master (comm_communicationid, comm_type, comm_datetime, comm_createddate,"
        " derived_activity_type, is_task_eligible, is_orphaned, person_id, source_drop, source_line)"
        " SELECT 1000 + n, 'Call', '2019-05-05', '2019-05-05', 'calls', false, true, 555, 'x', n"
        " FROM generate_series(1, 20) AS n"
    )
    assert {rule for on, rule in failed(connection) if on == "resolved"} == set()
    may = Window(date(2019, 5, 1), date(2019, 6, 1))
    slices.mark_changed(connection, may.months, "landing")
    stages.apply_resolution(connection, may, Settings.from_env())
    assert {rule for on, rule in failed(connection) if on == "resolved"} == {"contacts_resolved", "orphans"}
    assert verdict_of(connection, "contacts_resolved").sample == [{"legacy_id": 555, "communications": 20}]


@pytest.mark.parametrize(
    ("failing", "checked", "words"),
    [
        (50_001, 1_000_000, "94.99 % of 1,000,000 references"),  # 94.9999 % is not shown as the 95 % that it misses
        (1, 20, "95.00 % of 20 references"),
        (43, 100, "57.00 % of 100 references"),  # 0.57 * 100 is 56.99999999999999
        (0, 7, "100.00 % of 7 references"),
    ],
)
def test_a_share_is_shown_with_two_decimals_and_never_rounded_up(failing: int, checked: int, words: str) -> None:
    rule: Rule = resolution_rules()[0]
    assert words in Verdict(rule, failing, checked, None).figure


def test_warnings_are_no_gates_and_everything_else_is(connection: psycopg.Connection) -> None:
    soft = {(v.rule.on, v.rule.name) for v in judge(connection) if not v.rule.gate}
    # A drop that hardly loads ends its command with 1, and holds back nothing that is loaded.
    of_a_drop = {("landing", "rows_load")}
    per_row = ("payloads_valid", "payloads_plausible", "payloads_are_current")
    assert {name for name in soft if name[1] not in per_row} == WARNINGS | of_a_drop
    assert {(v.rule.on, v.rule.name) for v in judge(connection) if not v.rule.blocking} == soft - of_a_drop
