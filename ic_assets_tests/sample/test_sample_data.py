"""The sample data is what its generator writes, and holds the mix that the demo and the other tests count on.

Read here with the csv module and rules written out again from the data dictionary, so that a mistake in the
product's reader cannot hide one in the sample.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from ic_assets.sample import COMMUNICATIONS, COMMUNICATIONS_DELTA, COMPANIES, CONTACTS, DEALS, SAMPLE_DIR
from ic_assets.sample.generate import main

FILES = (COMMUNICATIONS, COMMUNICATIONS_DELTA, CONTACTS, COMPANIES, DEALS)
MISSING = ("", "NULL", "NaN")
REQUIRED = ("Comm_CommunicationId", "Comm_Type", "Comm_DateTime", "Comm_CreatedDate")
INTEGERS = ("Comm_CommunicationId", "Comm_OpportunityId", "Comm_CaseId", "Person_Id", "Company_Id")
TIMESTAMPS = (
    "Comm_DateTime",
    "Comm_ToDateTime",
    "Comm_CreatedDate",
    "Comm_UpdatedDate",
    "Comm_OriginalDateTime",
    "Comm_OriginalToDateTime",
)
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII)
TYPES = {
    "calls": "call phone voip zoom telephone phonecall",
    "emails": "email e-mail",
    "meetings": "meeting appointment visit demo presentation",
    "notes": "note comment annotation memo",
    "tasks": "task todo to-do follow-up followup action",
    "communications": "sms text linkedin whatsapp wa message",
    "postal_mail": "postal letter",
}
ACTIVITY_OF = {value: name for name, values in TYPES.items() for value in values.split()}
# By the action, where the type is only a screen, or one that is not known.
ACTIONS = {
    "calls": "phone phonein phoneout",
    "emails": "email emailin emailout",
    "meetings": "meeting demo",
    "notes": "fax faxin faxout vacation",
    "tasks": "todo to-do",
    "communications": "sms smsin smsout",
    "postal_mail": "letter letterin letterout",
}
ACTIVITY_OF_ACTION = {value: name for name, values in ACTIONS.items() for value in values.split()}
SCREENS = ("task", "appointment", "email", "letter")
PEOPLE = ("Person_Id", "Person_FirstName", "Person_LastName", "Person_EmailAddress", "Company_Id", "Company_Name")
NO_DATES = ("0001-01-01", "1753-01-01", "1899-12-30", "1900-01-01", "9999-12-31")


@dataclass(frozen=True)
class Drop:
    """A drop read by the rules of the data dictionary: kept rows by id, their further people, reason counts, rows in the
    file, optional values that cannot be read, and those that stand for no date."""

    kept: dict[int, dict[str, str]]
    joined: dict[int, list[dict[str, str]]]
    rejected: Counter[str]
    rows: int
    unreadable_optional: Counter[str]
    no_dates: Counter[str]


def missing(value: str) -> bool:
    return value.strip() in MISSING


def integer(value: str) -> int | None:
    match = re.fullmatch(r"\+?(\d+)(?:\.0)?", value.strip(), re.ASCII)
    return int(match[1]) if match else None


def moment(value: str) -> datetime | None:
    """The local part of a timestamp: good enough for months and order, offsets are not applied."""
    match = TIMESTAMP.fullmatch(value.strip())
    if not match:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]} {match[2] or '00:00'}")
    except ValueError:
        return None


def stands_for_no_date(column: str, value: str) -> bool:
    return column in TIMESTAMPS and column not in REQUIRED and value.strip()[:10] in NO_DATES


def reference(value: str) -> int | None:
    """An optional id, of which 0 is none."""
    return integer(value) or None


def readable(column: str, value: str) -> bool:
    if column in INTEGERS:
        return integer(value) is not None
    return column not in TIMESTAMPS or moment(value) is not None


def reason_of(header: list[str], fields: list[str]) -> str | None:
    if any("\0" in value for value in fields):
        return "nul_byte"
    if len(fields) > len(header) or set(REQUIRED) & set(header[len(fields) :]):
        return "field_count"
    fields = filled_up(header, fields)
    row = dict(zip(header, fields, strict=True))
    if any(missing(row[column]) for column in REQUIRED):
        return "missing_required"
    if not all(readable(column, row[column]) for column in REQUIRED):
        return "unreadable_required"
    happened = moment(row["Comm_DateTime"])
    assert happened is not None
    if not 2000 <= happened.year <= 2028:
        return "out_of_range"
    return "deleted_in_source" if row.get("Comm_Deleted") == "Y" else None


def filled_up(header: list[str], fields: list[str]) -> list[str]:
    """A row that lacks only its last, optional fields has them empty."""
    return [*fields, *[""] * (len(header) - len(fields))]


def read_drop(path: Path, **form: str) -> Drop:
    encoding = form.pop("encoding", "utf-8")
    with path.open(encoding=encoding, newline="") as file:
        header, *records = csv.reader(file, **form)
    kept: dict[int, dict[str, str]] = {}
    joined: dict[int, list[dict[str, str]]] = {}
    rejected: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    no_dates: Counter[str] = Counter()
    for fields in records:
        reason = reason_of(header, fields)
        if reason:
            rejected[reason] += 1
            continue
        row = dict(zip(header, filled_up(header, fields), strict=True))
        number = integer(row["Comm_CommunicationId"])
        assert number is not None
        differing = {column for column in row if number in kept and row[column] != kept[number][column]}
        if differing and differing <= {*PEOPLE}:
            joined.setdefault(number, []).append(row)
            continue
        if number in kept:
            rejected["superseded_in_drop"] += 1
            if updated(row) < updated(kept[number]):
                continue
        kept[number] = row
    for row in kept.values():
        no_dates.update(column for column, value in row.items() if stands_for_no_date(column, value))
        unreadable.update(column for column, value in row.items() if not missing(value) and not readable(column, value))
    return Drop(kept, joined, rejected, len(records), unreadable, no_dates)


def updated(row: dict[str, str]) -> datetime:
    return moment(row["Comm_UpdatedDate"]) or datetime(1, 1, 1)  # noqa: DTZ001


@pytest.fixture(scope="module")
def drop() -> Drop:
    return read_drop(COMMUNICATIONS)


@pytest.fixture(scope="module")
def delta() -> Drop:
    return read_drop(COMMUNICATIONS_DELTA, encoding="utf-8-sig", delimiter=";")


def activity(row: dict[str, str]) -> str:
    kind = row["Comm_Type"].strip().lower()
    if kind == "case":
        urgent = row["Comm_Priority"].strip().lower() in ("high", "urgent", "critical")
        return "tasks" if urgent and reference(row["Comm_CaseId"]) is not None else "notes"
    if kind in SCREENS or kind not in ACTIVITY_OF:
        action = row["Comm_Action"].strip().lower()
        return ACTIVITY_OF_ACTION.get(action, ACTIVITY_OF.get(kind, "notes"))
    return ACTIVITY_OF[kind]


def hubspot_ids(path: Path) -> dict[int, int | None]:
    with path.open(encoding="utf-8", newline="") as file:
        return {int(row["legacy_id"]): int(row["hubspot_id"] or 0) or None for row in csv.DictReader(file)}


def values(drop: Drop, column: str, *activities: str) -> set[str]:
    return {row[column].strip().lower() for row in drop.kept.values() if not activities or activity(row) in activities}


def test_the_generator_writes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    """In a process of its own with another hash seed: no order may come from a set."""
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    command = [sys.executable, "-m", "ic_assets.sample.generate", "--out", str(tmp_path)]
    subprocess.run(command, check=True, env=environment)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in FILES)
    for path in FILES:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), f"regenerate {path.name}"


def test_another_seed_writes_other_rows_of_the_same_mix(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--rows", "2000", "--seed", "7"]) == 0
    other = read_drop(tmp_path / COMMUNICATIONS.name)
    assert other.rows == 2_000
    assert sum(other.rejected.values()) == 40
    assert (tmp_path / CONTACTS.name).read_bytes() != CONTACTS.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rows", "10000"], "add --out"),
        (["--seed", "1"], "add --out"),
        (["--rows", "10", "--out", "anywhere"], "at least 1000"),
        (["--out", str(COMMUNICATIONS)], "cannot write"),
    ],
)
def test_a_request_that_would_spoil_the_sample_is_refused_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


def test_the_drop_has_five_thousand_rows_of_22_columns_below_two_and_a_half_megabytes(drop: Drop) -> None:
    assert drop.rows == 5_000
    assert len(drop.kept) + sum(map(len, drop.joined.values())) + sum(drop.rejected.values()) == drop.rows
    assert {len(row) for row in drop.kept.values()} == {22}
    assert COMMUNICATIONS.stat().st_size < 2_500_000


def test_two_percent_are_rejected_and_each_reason_of_a_first_drop_occurs(drop: Drop) -> None:
    assert sum(drop.rejected.values()) == 100
    assert {reason for reason, count in drop.rejected.items() if count >= 5} == {
        "nul_byte",
        "field_count",
        "missing_required",
        "unreadable_required",
        "out_of_range",
        "superseded_in_drop",
    }


def test_each_kind_of_field_warning_occurs(drop: Drop) -> None:
    assert set(drop.unreadable_optional) == {
        "Person_Id",
        "Comm_OpportunityId",
        "Comm_CaseId",
        "Comm_ToDateTime",
        "Comm_UpdatedDate",
        "Comm_OriginalDateTime",
    }
    before_start = [
        row
        for row in drop.kept.values()
        if activity(row) == "meetings"
        and (end := moment(row["Comm_ToDateTime"])) is not None
        and (start := moment(row["Comm_DateTime"])) is not None
        and end < start
    ]
    assert len(before_start) >= 5


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ("Comm_CommunicationId", r"\d+\.0"),
        ("Person_Id", r"\d+\.0"),
        ("Company_Id", r"\+\d+"),
        ("Comm_CommunicationId", r"0\d+"),
        ("Comm_DateTime", r".*\+02:00"),
        ("Comm_CreatedDate", r".*Z"),
        ("Comm_DateTime", r"\d{4}-\d\d-\d\d"),
        ("Comm_DateTime", r"[-\d]{10}T\d\d:\d\d"),
        ("Comm_DateTime", r".*\.\d{7}"),
        ("Comm_Subject", r"NULL"),
        ("Comm_Priority", r"NaN"),
        ("Comm_Type", r" .*\t"),
        ("Person_LastName", r"\u00a0.*"),
        ("Comm_Note", r"(?s).*\r\n.*\".*"),
        ("Comm_Note", r"(?s).*<ask> Tom; a<b.*"),
        ("Comm_Note", r"(?s)<html>.*</html>"),
        ("Comm_Note", r"(?s)👍.*"),
    ],
)
def test_each_tolerated_oddity_occurs_in_a_row_that_loads(drop: Drop, column: str, form: str) -> None:
    assert any(re.fullmatch(form, row[column]) for row in drop.kept.values())


def test_every_type_of_the_classification_table_occurs_in_several_spellings(drop: Drop) -> None:
    seen = values(drop, "Comm_Type")
    assert set(ACTIVITY_OF) | {"case", "mail", "fax", "site visit"} <= seen
    assert {"Email", "EMAIL", "email"} <= {row["Comm_Type"] for row in drop.kept.values()}
    unknown = sum(row["Comm_Type"].strip().lower() not in {*ACTIVITY_OF, "case"} for row in drop.kept.values())
    assert 20 <= unknown <= 100


@pytest.mark.parametrize(
    ("comm_type", "action", "becomes"),
    [
        ("task", "phoneout", "calls"),
        ("task", "phonein", "calls"),
        ("task", "emailout", "emails"),
        ("email", "emailin", "emails"),
        ("appointment", "meeting", "meetings"),
        ("task", "meeting", "meetings"),
        ("task", "todo", "tasks"),
        ("task", "letterout", "postal_mail"),
        ("task", "smsout", "communications"),
        ("task", "faxin", "notes"),
        ("appointment", "vacation", "notes"),
        ("activity", "phoneout", "calls"),
    ],
)
def test_types_that_are_only_screens_occur_a_few_times_with_the_action_that_decides(
    drop: Drop, comm_type: str, action: str, becomes: str
) -> None:
    found = [
        activity(row)
        for row in drop.kept.values()
        if (row["Comm_Type"].strip().lower(), row["Comm_Action"].strip().lower()) == (comm_type, action)
    ]
    assert 5 <= len(found) <= 150
    assert set(found) == {becomes}


def test_meetings_of_three_people_stand_in_three_rows(drop: Drop) -> None:
    assert len(drop.joined) == 10
    for number, others in drop.joined.items():
        assert activity(drop.kept[number]) == "meetings"
        assert len(others) == 2
        assert len({row["Person_Id"] for row in [drop.kept[number], *others]}) == 3


def test_addresses_are_as_people_write_them(drop: Drop) -> None:
    written = [row["Comm_Email_Clean"] for row in drop.kept.values() if row["Comm_Email_Clean"]]
    assert sum(bool(re.fullmatch(r"\S+@\S+[;,] ?\S+@\S+", text)) for text in written) == 5
    assert sum(bool(re.fullmatch(r"[^<>]+ <\S+@\S+>", text)) for text in written) == 5
    assert {"N/A", "none", "see note"} <= {text for text in written if "@" not in text and "<" not in text}
    texts = [row for row in drop.kept.values() if len(row["Comm_Email_Clean"]) > 320 or "</" in row["Comm_Email_Clean"]]
    assert len(texts) == 5
    assert not any(row["Comm_Note"] for row in texts)


def test_dates_that_stand_for_none_and_zero_ids_occur(drop: Drop) -> None:
    assert drop.no_dates == {"Comm_ToDateTime": 5, "Comm_OriginalDateTime": 5}
    for column in ("Comm_OpportunityId", "Comm_CaseId", "Person_Id"):
        assert sum(integer(row[column]) == 0 for row in drop.kept.values()) == 5, column


@pytest.mark.parametrize(
    "body",
    [
        r"(?s)\{\\rtf1.*\\par\}",
        r"(?s)Price &amp; delivery, 5 &lt; 6.*",
        r"(?s)(?!<html).*\n<br>Sent from the road",
        r'(?s)<p>.*<img src="data:image/png;base64,.*',
    ],
)
def test_bodies_come_as_rtf_with_entities_with_a_stray_break_and_with_an_image_inside(drop: Drop, body: str) -> None:
    assert sum(bool(re.fullmatch(body, row["Comm_Note"])) for row in drop.kept.values()) == 5


def test_rows_without_their_last_optional_fields_load(drop: Drop) -> None:
    with COMMUNICATIONS.open(encoding="utf-8", newline="") as file:
        short = [fields[0] for fields in csv.reader(file) if len(fields) == 20]
    assert len(short) == 5
    assert {int(number) for number in short} <= drop.kept.keys()


def test_no_activity_type_is_rare_or_dominates(drop: Drop) -> None:
    counts = Counter(activity(row) for row in drop.kept.values())
    assert set(counts) == set(TYPES)
    assert min(counts.values()) >= 60
    assert max(counts.values()) < 0.4 * len(drop.kept)


def test_case_rows_become_both_tasks_and_notes_and_some_have_no_case_id(drop: Drop) -> None:
    cases = [row for row in drop.kept.values() if row["Comm_Type"].strip().lower() == "case"]
    assert Counter(activity(row) for row in cases).keys() == {"tasks", "notes"}
    assert any(not row["Comm_CaseId"] for row in cases)
    assert any(row["Comm_CaseId"] and activity(row) == "notes" for row in cases)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        (
            "calls",
            "completed,done,finished,successful,missed,no answer,noanswer,unanswered,busy,cancelled,canceled,"
            "failed,error,in progress,ongoing,active,ringing,calling,pending,voicemail,left voicemail,left message,"
            "wrong number,complete,inprogress,draft,",
        ),
        (
            "emails",
            "sent,delivered,completed,successful,bounced,failed,error,scheduled,pending,sending,in progress,complete,draft,",
        ),
        (
            "meetings",
            "scheduled,planned,upcoming,pending,completed,done,finished,attended,cancelled,canceled,no show,"
            "noshow,missed,rescheduled,postponed,complete,inprogress,held,",
        ),
        (
            "tasks",
            "completed,done,finished,closed,in progress,ongoing,active,started,waiting,on hold,blocked,deferred,"
            "postponed,cancelled,complete,pending,inprogress,not started,draft,",
        ),
    ],
)
def test_every_status_of_the_mapping_table_and_a_blank_one_occur(drop: Drop, name: str, statuses: str) -> None:
    assert set(statuses.split(",")) <= values(drop, "Comm_Status", name)


def test_every_direction_and_priority_of_the_mapping_table_occurs(drop: Drop) -> None:
    directions = {"inbound", "incoming", "received", "in", "outbound", "outgoing", "sent", "out", ""}
    assert directions <= values(drop, "Comm_Action", "calls", "emails")
    priorities = {"high", "urgent", "critical", "1", "medium", "normal", "2", "low", "3", ""}
    assert priorities <= values(drop, "Comm_Priority", "tasks")


def test_the_rows_run_from_january_2019_to_planned_ones_after_november_2026(drop: Drop) -> None:
    planned = {activity(row) for row in drop.kept.values() if row["Comm_DateTime"][:10] >= "2026-12-01"}
    months = {row["Comm_DateTime"][:7] for row in drop.kept.values()}
    assert min(months) == "2019-01"
    assert "2026-12" < max(months) <= "2027-06"
    assert len(months) >= 96
    assert planned == {"meetings", "tasks"}


def test_notes_have_accents_line_breaks_quotes_commas_and_one_is_too_long_for_hubspot(drop: Drop) -> None:
    notes = [row["Comm_Note"] for row in drop.kept.values()]
    assert sum("\n" in note for note in notes) > 0.25 * len(notes)
    assert sum("," in note for note in notes) > 0.25 * len(notes)
    assert sum('"' in note for note in notes) > 50
    assert sum(not note.isascii() for note in notes) > 0.15 * len(notes)
    assert sum(len(note) > 65_536 for note in notes) == 1
    assert len(set(notes)) > 0.85 * len(notes)
    people = "".join(row["Person_LastName"] for row in drop.kept.values())
    assert set("ößéñłŹ") <= set(people)


def resolution(communications: list[list[dict[str, str]]]) -> dict[str, float]:
    """Rates over the references, those of further people too, and the share of orphans, in percent. Each communication is
    its rows, of which a deal counts once."""
    tables = {
        "Person_Id": hubspot_ids(CONTACTS),
        "Company_Id": hubspot_ids(COMPANIES),
        "Comm_OpportunityId": hubspot_ids(DEALS),
    }
    resolved: Counter[str] = Counter()
    referring: Counter[str] = Counter()
    orphans = 0
    for rows in communications:
        found = 0
        for column, table in tables.items():
            for number in {reference(row[column]) for row in rows} - {None}:
                referring[column] += 1
                resolved[column] += bool(table.get(number))
                found += bool(table.get(number))
        orphans += not found
    rates = {column: 100 * resolved[column] / referring[column] for column in tables}
    return {**rates, "orphans": 100 * orphans / len(communications)}


def with_others(drop: Drop) -> dict[int, list[dict[str, str]]]:
    return {number: [row, *drop.joined.get(number, [])] for number, row in drop.kept.items()}


def test_references_resolve_at_97_to_98_5_percent_and_two_to_three_percent_are_orphans(drop: Drop) -> None:
    rates = resolution(list(with_others(drop).values()))
    orphans = rates.pop("orphans")
    assert all(97 <= rate <= 98.5 for rate in rates.values()), rates
    assert 2 <= orphans <= 3


def test_the_quality_gate_still_holds_after_the_delta(drop: Drop, delta: Drop) -> None:
    rates = resolution(list({**with_others(drop), **with_others(delta)}.values()))
    assert rates.pop("orphans") < 5
    assert min(rates.values()) > 95


@pytest.mark.parametrize(
    ("path", "header"),
    [
        (CONTACTS, "legacy_id,hubspot_id,name,email"),
        (COMPANIES, "legacy_id,hubspot_id,name"),
        (DEALS, "legacy_id,hubspot_id,name"),
    ],
)
def test_reconciliation_files_name_each_legacy_id_once_and_hubspot_ids_of_11_digits(path: Path, header: str) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        assert file.readline() == header + "\n"
        rows = list(csv.reader(file))
    assert len({row[0] for row in rows}) == len(rows)
    known = [row[1] for row in rows if row[1]]
    assert all(re.fullmatch(r"[1-9]\d{10}", number) for number in known)
    assert len(set(known)) == len(known)
    assert 0 < len(rows) - len(known) < 0.2 * len(rows)


def test_every_address_is_reserved_and_every_telephone_number_is_fictional() -> None:
    reserved = re.compile(r"(?:[\w-]+\.)*(?:example\.(?:com|org|net)|test)")
    for path in FILES:
        text = path.read_text("utf-8-sig")
        hosts = re.findall(r"@([\w.-]+\w)", text) + re.findall(r"(?:https?://|www\.)([\w.-]+\w)", text)
        assert [host for host in hosts if not reserved.fullmatch(host)] == []
        numbers = re.findall(r"(?:Phone|Tel\.?) (\+?[\d -]+\d)", text)
        assert [number for number in numbers if not re.fullmatch(r"\+1 312-555-01\d\d", number)] == []


def test_the_delta_holds_new_corrected_stale_unchanged_and_undated_changes(drop: Drop, delta: Drop) -> None:
    known = {number: row for number, row in delta.kept.items() if number in drop.kept}
    new = [row for number, row in delta.kept.items() if number not in drop.kept]
    fates: Counter[str] = Counter()
    for number, row in known.items():
        before = drop.kept[number]
        changed = {column for column in before if row[column] != before[column]}
        if not changed:
            fates["unchanged"] += 1
        elif updated(row) < updated(before):
            fates["stale"] += 1
        elif updated(row) == updated(before):
            fates["same date, other content"] += 1
        elif changed == {"Comm_Note", "Comm_UpdatedDate"}:
            fates["note"] += 1
        elif row["Comm_DateTime"][:7] != before["Comm_DateTime"][:7]:
            fates["month"] += 1
        elif activity(row) != activity(before):
            fates["type"] += 1
        else:
            fates["other"] += 1
    assert delta.rows == 120
    assert delta.rejected == {"unreadable_required": 1, "deleted_in_source": 2}
    assert len(new) == 57
    assert {row["Comm_DateTime"][:7] for row in new} == {"2026-10", "2026-11"}
    assert fates == {
        "type": 18,
        "month": 12,
        "note": 12,
        "stale": 8,
        "unchanged": 9,
        "same date, other content": 1,
    }


def test_the_delta_comes_as_a_spreadsheet_saves_it(delta: Drop) -> None:
    content = COMMUNICATIONS_DELTA.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfComm_CommunicationId;")
    assert content.endswith(b"\r\n")


def test_nothing_but_the_five_files_is_data() -> None:
    assert sorted(SAMPLE_DIR.glob("*.csv")) == sorted(FILES)
