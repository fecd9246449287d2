"""The oracle's own reading, held against examples worked out by hand from the data contract."""

# Legacy timestamps have no zone.
# ruff: noqa: DTZ001

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic_assets_tests.e2e.hostile_drops import scenario
from ic_assets_tests.e2e.oracle import (
    CALL_STATUS_WORDS,
    EMAIL_STATUS_WORDS,
    INBOUND_WORDS,
    INTEGERS,
    MEETING_OUTCOME_WORDS,
    OUTBOUND_WORDS,
    REQUIRED,
    TASK_PRIORITY_WORDS,
    TASK_STATUS_WORDS,
    TIMESTAMPS,
    TYPE_WORDS,
    DropRefusedError,
    Html,
    Oracle,
    OracleSettings,
    Text,
    as_html,
    decode,
    read_integer,
    read_timestamp,
    records,
    to_utc,
)
from ic_assets_tests.e2e.test_oracle import Differences, compare_parts

HEADER = "Comm_CommunicationId,Comm_Type,Comm_DateTime,Comm_CreatedDate,Comm_UpdatedDate,Comm_Note\n"
BERLIN = ZoneInfo("Europe/Berlin")


def settings(**changes: object) -> OracleSettings:
    return OracleSettings(**{"today": date(2026, 1, 20), **changes})  # type: ignore[arg-type]


def load(*texts: str) -> Oracle:
    oracle = Oracle(settings())
    for number, text in enumerate(texts):
        oracle.load(f"{number}.csv", (HEADER + text).encode())
    return oracle


@pytest.mark.parametrize(("raw", "value"), [("123.0", 123), ("+5", 5), ("007", 7), ("\u00a042\t", 42)])
def test_an_integer_is_read_in_every_listed_form(raw: str, value: int) -> None:
    assert read_integer(raw) == value


@pytest.mark.parametrize("raw", ["1e5", "1_000", "٣", "1.5", "0x1F", "9223372036854775808", "1,234", "- 5"])
def test_an_integer_in_any_other_form_is_unreadable(raw: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_integer(raw)


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2019-03-01", datetime(2019, 3, 1)),
        ("2019-03-01 10:05", datetime(2019, 3, 1, 10, 5)),
        ("2019-03-01T10:05:06.1234567", datetime(2019, 3, 1, 10, 5, 6, 123457)),
        ("2019-12-31T23:59:59.9999999", datetime(2020, 1, 1)),
        ("2019-03-01T23:30:00Z", datetime(2019, 3, 2, 0, 30)),
        ("2019-07-01 12:00:00-0500", datetime(2019, 7, 1, 19, 0)),
        ("31/12/2019", datetime(2019, 12, 31)),
        ("1/3/2019 12:05 AM", datetime(2019, 3, 1, 0, 5)),
        ("01/03/2019 14:05:06", datetime(2019, 3, 1, 14, 5, 6)),
    ],
)
def test_a_timestamp_is_read_in_every_listed_form(raw: str, moment: datetime) -> None:
    assert read_timestamp(raw, settings(timezone="Europe/Berlin", date_order="DMY")) == moment


@pytest.mark.parametrize(
    "raw",
    ["now", "epoch", "Mar 1 2019", "2019-02-30", "2019-3-1", "31/12/2019", "1551434400", "2019-03-01 25:00"],
)
def test_a_timestamp_in_any_other_form_is_unreadable(raw: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_timestamp(raw, settings())


def test_a_repeated_local_time_is_standard_time_and_a_skipped_one_moves_forward() -> None:
    assert to_utc(datetime(2019, 10, 27, 2, 30), BERLIN) == datetime(2019, 10, 27, 1, 30, tzinfo=UTC)
    assert to_utc(datetime(2019, 3, 31, 2, 30), BERLIN) == datetime(2019, 3, 31, 1, 30, tzinfo=UTC)


def test_the_partition_range_ends_with_the_twenty_fourth_month_past_the_current_one() -> None:
    assert settings().range_end == datetime(2028, 2, 1)
    assert settings(today=date(2026, 12, 31)).range_end == datetime(2029, 1, 1)


def test_a_record_is_named_by_the_line_on_which_it_starts() -> None:
    text = 'a,b\n1,"x\ny\n""z"""\n\n \t\n2,w'
    assert [(record.line, record.fields) for record in records(text, ",")] == [
        (1, ["a", "b"]),
        (2, ["1", 'x\ny\n"z"']),
        (7, ["2", "w"]),
    ]


def test_a_quote_that_never_closes_refuses_the_drop_and_names_its_line() -> None:
    with pytest.raises(DropRefusedError, match="line 3:"):
        list(records('a,b\n1,"closed\n","open\n2,x\n', ","))


@given(st.text(alphabet='a,"\n', max_size=20))
def test_records_are_what_pythons_csv_reads(text: str) -> None:
    try:
        found = [record.fields for record in records(text, ",")]
    except DropRefusedError:
        text += '"'
        found = [record.fields for record in records(text, ",")]
    assert found == [fields for fields in csv.reader(io.StringIO(text, newline="\n")) if fields]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('5" pipe,"abc"x\r\n', ['5" pipe', "abcx"]),
        ('a\rb,"c\r\nd"\r\n', ["a\rb", "c\r\nd"]),
        ('"a"\rb,"c""d"e"f"\n', ["a\rb", 'c"de"f"']),
        (' "a",\r\r\n', [' "a"', "\r"]),
    ],
)
def test_stray_quotes_and_carriage_returns_are_data(text: str, fields: list[str]) -> None:
    assert [record.fields for record in records(text, ",")] == [fields]


def test_one_bad_byte_in_utf8_is_refused_while_windows_1252_is_read() -> None:
    assert decode("Grüße — ok".encode("cp1252")) == "Grüße — ok"
    with pytest.raises(DropRefusedError, match="byte 8"):
        decode("äöüß".encode() + b"\xe9" + "äöüß".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n \n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)),
        b"Comm_CommunicationId,Comm_Type,Comm_CreatedDate\n1,Call,2019-03-01\n",
        HEADER.encode() + b'1,Call,2019-03-01,2019-03-01,,"open\n',
    ],
)
def test_what_is_no_drop_is_refused_and_leaves_nothing(data: bytes) -> None:
    oracle = Oracle(settings())
    with pytest.raises(DropRefusedError):
        oracle.load("x.csv", data)
    assert not oracle.master
    assert not oracle.outcomes


def test_versions_of_one_id_meet_the_fate_the_contract_gives_them() -> None:
    oracle = load(
        "1,Call,2019-03-01,2019-03-01,2019-03-05,a\n"  # kept: the newest
        "1,Call,2019-03-01,2019-03-01,2019-03-04,b\n"
        "2,Call,2019-03-01,2019-03-01,,a\n"
        "2,Call,2019-03-01,2019-03-01,,b\n"  # kept: the later of equals
        "3,Call,2019-03-01,2019-03-01,2019-03-05,a\n",
        "1,Call,2019-04-01,2019-03-01,2019-03-05,a\n"  # equal date, other content: updated
        "2,Call,2019-03-01,2019-03-01,,b\n"  # unchanged
        "3,Call,2019-03-01,2019-03-01,2019-03-01,a\n"  # superseded
        "3,Call,2019-03-01,2019-03-01,2019-03-04,a\n"  # winner, stale
        "3,Call,2019-03-01,2019-03-01,,a\n",  # superseded: missing is older than any
    )
    first, second = (outcome.accounting() for outcome in oracle.outcomes)
    assert first == {
        "rows_in": 5,
        "inserted": 3,
        "updated": 0,
        "unchanged": 0,
        "joined": 0,
        "taken_out": 0,
        "rejected": 2,
        "rejected_by_reason": {"superseded_in_drop": 2},
        "months": ["2019-03-01"],
    }
    assert second == {
        "rows_in": 5,
        "inserted": 0,
        "updated": 1,
        "unchanged": 1,
        "joined": 0,
        "taken_out": 0,
        "rejected": 3,
        "rejected_by_reason": {"superseded_in_drop": 2, "stale": 1},
        "months": ["2019-03-01", "2019-04-01"],
    }
    assert oracle.master[1].line == 2
    assert oracle.master[2].line == 5


def test_a_drop_without_updateddate_is_never_stale_and_leaves_the_old_value() -> None:
    oracle = load("1,Call,2019-03-01,2019-03-01,2019-03-05,a\n")
    oracle.load(
        "x.csv",
        b"Comm_Type;Comm_CommunicationId;Comm_DateTime;Comm_CreatedDate\nVisit;1;2019-03-01;2019-03-01\n",
    )
    assert oracle.outcomes[1].updated == 1
    assert oracle.master[1].values["comm_updateddate"] == datetime(2019, 3, 5)
    assert oracle.master[1].values["comm_note"] == "a"
    assert oracle.derivative(1)[0] == "meetings"


def test_the_first_reason_that_applies_counts() -> None:
    oracle = load(
        "1,,soon,2019-03-01,,\n"
        "x,Call,2019-03-01,2019-03-01,,\n"
        "2,Call,1999-12-31,2019-03-01,,\n"
        "3,Call,2019-03-01,2019-03-01,,a\0b\n"
        "4,Call\n"
        "5,NaN,2019-03-01,2019-03-01,,\n"
        "6,NULL,2019-03-01,2019-03-01,,\n"
    )
    rejected = [(row.line, row.reason, row.columns, row.id) for row in oracle.outcomes[0].rejected]
    assert rejected == [
        (2, "missing_required", ("comm_type",), 1),
        (3, "unreadable_required", ("comm_communicationid",), None),
        (4, "out_of_range", ("comm_datetime",), 2),
        (5, "nul_byte", (), 3),
        (6, "field_count", (), 4),
        (7, "missing_required", ("comm_type",), 5),
        (8, "missing_required", ("comm_type",), 6),
    ]
    assert oracle.outcomes[0].rejected[3].raw.endswith(r"a\x00b")


def test_the_same_content_compressed_and_renamed_loads_nothing() -> None:
    oracle = load("1,Call,2019-03-01,2019-03-01,,a\n")
    content = (HEADER + "1,Call,2019-03-01,2019-03-01,,a\n").encode()
    assert oracle.load("other.csv.gz", gzip.compress(content)).already_loaded


def test_an_urgent_case_becomes_a_task_and_any_other_case_a_note() -> None:
    oracle = Oracle(settings())
    values = {"comm_type": " CASE\u00a0", "comm_caseid": 7, "comm_priority": "Urgent"}
    assert oracle.activity_type(values) == "tasks"
    assert oracle.activity_type(values | {"comm_caseid": None}) == "notes"
    assert oracle.activity_type(values | {"comm_priority": "1"}) == "notes"
    assert oracle.activity_type({"comm_type": "mail"}) == "notes"


def test_text_is_escaped_and_html_passes() -> None:
    body = as_html("1 < 2 & <ann@example.com>\r\n\nbye")
    assert isinstance(body, Text)
    assert body == "1 &lt; 2 &amp; &lt;ann@example.com&gt;<br><br>bye"
    assert isinstance(as_html("<p>Hello</p>"), Html)


@pytest.fixture(scope="module")
def played() -> list[Oracle]:
    """The three default scenarios, carried through the oracle."""
    oracles = []
    for seed in range(3):
        plan = scenario(seed, 700, today=date(2026, 1, 20))
        oracle = Oracle(plan.settings)
        for entity, data in plan.reconciliations.items():
            oracle.reconcile(entity, data)
        for drop in (drop for command in plan.commands for drop in command):
            oracle.load(drop.name, drop.data)
            rates = oracle.gate()
            assert min(rates["contact"], rates["company"], rates["deal"]) > 95
            assert rates["orphaned"] < 5
        oracles.append(oracle)
    return oracles


def test_the_scenarios_hold_every_fate_a_row_can_meet(played: list[Oracle]) -> None:
    for oracle in played:
        first, second, again, _ = oracle.outcomes
        reasons = {row.reason for outcome in (first, second) for row in outcome.rejected}
        expected = {
            "nul_byte",
            "field_count",
            "missing_required",
            "unreadable_required",
            "out_of_range",
            "superseded_in_drop",
        }
        assert expected | {"deleted_in_source"} <= reasons
        assert min(first.joined, second.joined, second.taken_out) > 0
        assert min(first.inserted, second.inserted, second.updated, second.unchanged) > 0
        assert again.already_loaded
        optional = {*INTEGERS, *TIMESTAMPS} - {*REQUIRED}
        assert {warning.column for warning in first.warnings} >= optional - {"comm_originaltodatetime"}
        for outcome in (first, second):
            accounting = outcome.accounting()
            parts = ("inserted", "updated", "unchanged", "joined", "rejected")
            assert accounting["rows_in"] == sum(accounting[part] for part in parts)
    assert "stale" in {row.reason for row in played[0].outcomes[1].rejected}
    assert "stale" not in {row.reason for row in played[1].outcomes[1].rejected}  # no such column there


def test_the_scenarios_hold_every_word_of_every_mapping(played: list[Oracle]) -> None:
    statuses = {
        "calls": CALL_STATUS_WORDS,
        "emails": EMAIL_STATUS_WORDS,
        "meetings": MEETING_OUTCOME_WORDS,
        "tasks": TASK_STATUS_WORDS,
    }
    for oracle in played:
        rows = [(oracle.activity_type(row.values), row.values) for row in oracle.master.values()]
        assert {word(values["comm_type"]) for _, values in rows} >= {*TYPE_WORDS, "case", "mail"}
        for kind, words in statuses.items():
            assert {word(values["comm_status"]) for own, values in rows if own == kind} >= {*words, ""}
        for kind in ("calls", "emails"):
            used = {word(values["comm_action"]) for own, values in rows if own == kind}
            assert used >= {*INBOUND_WORDS, *OUTBOUND_WORDS, ""}
        assert {word(v["comm_priority"]) for own, v in rows if own == "tasks"} >= {*TASK_PRIORITY_WORDS, ""}
        assert any(oracle.meeting_ends_too_early(comm_id) for comm_id in oracle.master)


def test_a_scenario_is_the_same_every_time() -> None:
    assert scenario(5, today=date(2026, 1, 20)) == scenario(5, today=date(2026, 1, 20))


def over_long() -> tuple[dict[str, Any], list[str], list[dict[str, Any]]]:
    """An over-long note as the contract wants it sent: the expectation, the first body, the parts."""
    oracle = load("1,Note,2019-03-01,2019-03-01,," + "0123456789" * 14_000 + "\n")
    body = oracle.payload(1)["properties"]["hs_note_body"]
    parts = [
        {
            "properties": {
                "ic_communication_id": f"1/{n}",
                "hs_note_body": f"Part {n} of 3: " + body[at : at + 60_000],
            },
            "associations": [],
        }
        for n, at in ((2, 60_000), (3, 120_000))
    ]
    return oracle.payload(1), [body[:60_000]], parts


def test_parts_that_continue_a_body_without_loss_agree_with_the_contract() -> None:
    differences = Differences()
    compare_parts("notes", 1, *over_long(), differences)
    assert not differences.found, differences


@pytest.mark.parametrize(
    ("property_name", "broken"),
    [
        ("hs_note_body", lambda body: body[:200] + body[201:]),
        ("hs_note_body", lambda body: body[:-1]),
        ("hs_note_body", lambda body: body + "9" * 10_000),
        ("hs_note_body", lambda body: body.removeprefix("Part 3 of 3: ")),
        ("ic_communication_id", lambda _: "1"),
    ],
)
def test_a_part_that_loses_or_repeats_something_is_reported(property_name: str, broken: Callable[[str], str]) -> None:
    expected, first, parts = over_long()
    parts[1]["properties"][property_name] = broken(parts[1]["properties"][property_name])
    differences = Differences()
    compare_parts("notes", 1, expected, first, parts, differences)
    assert differences.found


def word(text: str | None) -> str:
    return (text or "").strip().lower()
