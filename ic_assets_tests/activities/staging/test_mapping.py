"""What the CRM's words mean: two keys, directions, statuses and priorities as data, durations in UTC, and what no line
names. Values are those of DATA sections 3 and 4, written by hand."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.activities.engine.staging import classification, slices
from ic_assets.activities.engine.staging.mapping import Mapping
from ic_assets.activities.engine.staging.unrecognised import unrecognised
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core import rules_data
from ic_assets.core.failures import Refused
from ic_assets.core.files import SQL_DIR
from ic_assets.hubspot.portal.spellings import Options, spelled_for
from ic_assets_tests import processes
from ic_assets_tests.drops import bring_up_to_date, land, opened, reconcile_everything, row, write_drop

# Number: type, action, status, values of the row; activity type, expected columns of the derivative's row.
ROWS: dict[int, tuple[str, str, str, dict[str, Any], str, dict[str, Any]]] = {
    1: ("Task", "PhoneOut", "Complete", {}, "calls", {"call_direction": "OUTBOUND", "call_status": "COMPLETED"}),
    2: ("Task", " phonein ", "Complete", {}, "calls", {"call_direction": "INBOUND", "call_outcome": "Complete"}),
    3: ("Email", "EmailIn", "Complete", {}, "emails", {"email_direction": "INCOMING", "email_send_status": "SENT"}),
    4: ("Appointment", "Vacation", "Pending", {}, "notes", {}),
    5: ("Appointment", "Demo", "InProgress", {}, "meetings", {"meeting_outcome": "SCHEDULED"}),
    6: ("Task", "LetterOut", "", {}, "postal_mail", {}),
    7: ("Task", "SMSOut", "", {}, "communications", {"channel_type": "SMS"}),
    8: ("WhatsApp", "SMSOut", "", {}, "communications", {"channel_type": "WHATS_APP"}),
    9: ("Vorgang", "SMSIn", "", {}, "communications", {"channel_type": "SMS"}),
    10: ("Call", "ToDo", "Draft", {}, "calls", {"call_status": None, "call_outcome": "Draft", "call_direction": "OUTBOUND"}),
    11: ("Call", "", "", {}, "calls", {"call_status": "COMPLETED", "call_outcome": None}),
    12: ("Call", "", "Left Voicemail", {}, "calls", {"call_status": "NO_ANSWER"}),
    13: ("Call", "", "Pending", {}, "calls", {"call_status": "QUEUED"}),
    14: ("Meeting", "", "Postponed", {}, "meetings", {"meeting_outcome": "RESCHEDULED"}),
    15: ("Meeting", "", "whatever", {}, "meetings", {"meeting_outcome": "COMPLETED"}),
    16: ("Task", "ToDo", "Cancelled", {}, "tasks", {"task_status": "DEFERRED", "is_overdue": False}),
    17: ("Task", "", "", {"Comm_Priority": "P9"}, "tasks", {"task_status": "NOT_STARTED", "task_priority": "MEDIUM"}),
    18: ("Case", "PhoneOut", "", {"Comm_CaseId": 5, "Comm_Priority": "Urgent"}, "tasks", {"task_priority": "HIGH"}),
    19: ("Case", "PhoneOut", "", {"Comm_CaseId": 5}, "notes", {}),
    20: ("Mail", "", "", {}, "notes", {}),
    21: ("Mail", "EmailOut", "Bounced", {}, "emails", {"email_send_status": "BOUNCED"}),
    # Durations, between instants: 2019-03-31 02:00 to 03:00 is skipped in Paris, 2019-10-27 02:00 to 03:00 is shown twice.
    30: ("Call", "", "", {"Comm_DateTime": "2019-03-31 01:30:00", "Comm_ToDateTime": "2019-03-31 03:30:00"}, "calls",
         {"call_duration_ms": 3_600_000}),
    31: ("Call", "", "", {"Comm_DateTime": "2019-10-27 01:30:00", "Comm_ToDateTime": "2019-10-27 03:30:00"}, "calls",
         {"call_duration_ms": 10_800_000}),
    32: ("Call", "", "", {"Comm_ToDateTime": "2019-03-06 10:00:00.001"}, "calls", {"call_duration_ms": None}),
    33: ("Call", "", "", {"Comm_ToDateTime": "2019-03-06 10:00:00"}, "calls", {"call_duration_ms": 86_400_000}),
}  # fmt: skip
DISPOSITIONS = {
    1: "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    10: None,
    11: None,
    12: "b2cf5968-551e-4856-9783-52b3da59a7d0",
    13: None,
}
# Start, end, and the start and end of the payload.
MEETINGS = {
    40: ("2019-03-31 02:30:00", "2019-03-31 03:15:00", "2019-03-31T01:30:00.000Z", "2019-03-31T02:30:00.000Z"),
    41: ("2019-03-31 01:30:00", "2019-03-31 02:15:00", "2019-03-31T00:30:00.000Z", "2019-03-31T01:15:00.000Z"),
    42: ("2019-03-31 03:15:00", "2019-03-31 02:30:00", "2019-03-31T01:15:00.000Z", "2019-03-31T01:30:00.000Z"),
    43: ("2019-10-27 02:50:00", "2019-10-27 02:10:00", "2019-10-27T01:50:00.000Z", "2019-10-27T02:50:00.000Z"),
    # Half past two of summer time, which no local time names.
    44: ("2019-10-27 01:30:00", "", "2019-10-26T23:30:00.000Z", "2019-10-27T00:30:00.000Z"),
}


@pytest.fixture(scope="module")
def loaded(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("mapping")
    reconcile_everything(module_database)
    rows = [
        row(number, kind=kind, Comm_Action=action, Comm_Status=status, **values)
        for number, (kind, action, status, values, *_) in ROWS.items()
    ] + [row(number, start, "Meeting", Comm_ToDateTime=end) for number, (start, end, *_) in MEETINGS.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IC_SOURCE_TIMEZONE", "Europe/Paris")
        patch.setenv("IC_HOME", str(folder / "home"))
        land(module_database, write_drop(folder / "a.csv", rows))
        bring_up_to_date(module_database)
    return module_database


def derivative(connection: psycopg.Connection[Any], number: int) -> tuple[str, dict[str, Any]]:
    master = connection.execute(
        "SELECT id, derived_activity_type AS kind FROM staging.ic_communication_master WHERE comm_communicationid = %s",
        (number,),
    ).fetchone()
    assert master is not None
    table = sql.Identifier("staging", f"ic_{master['kind']}")
    query = sql.SQL("SELECT * FROM {} WHERE ic_communication_master_id = %s").format(table)
    found = connection.execute(query, (master["id"],)).fetchone()
    return master["kind"], found


def test_type_and_action_status_and_priority_become_what_the_contract_says(loaded: str) -> None:
    with psycopg.connect(loaded, row_factory=dict_row) as connection:
        for number, (*_, kind, expected) in ROWS.items():
            found_kind, found = derivative(connection, number)
            assert (found_kind, {name: found[name] for name in expected}) == (kind, expected), number
        for number, disposition in DISPOSITIONS.items():
            payload = derivative(connection, number)[1]["hubspot_api_payload"]
            assert payload["properties"].get("hs_call_disposition") == disposition, number


def test_meetings_begin_and_end_at_their_instants_where_the_clocks_change(loaded: str) -> None:
    with psycopg.connect(loaded, row_factory=dict_row) as connection:
        for number, (*_, start, end) in MEETINGS.items():
            properties = derivative(connection, number)[1]["hubspot_api_payload"]["properties"]
            assert (properties["hs_meeting_start_time"], properties["hs_meeting_end_time"]) == (start, end), number
        warned = connection.execute(
            "SELECT comm_communicationid AS id, reason FROM staging.ic_field_warning ORDER BY 1"
        ).fetchall()
    assert [tuple(each.values()) for each in warned] == [
        (32, "over_24_hours"),
        (40, "end_before_start"),
        (43, "end_before_start"),
    ]


def test_what_no_line_names_is_listed_with_what_became_of_it(loaded: str) -> None:
    with psycopg.connect(loaded) as connection:
        found = {(u.kind, u.activity_type, u.value): (u.communications, u.became) for u in unrecognised(connection)}
    assert found == {
        ("types", "communications", "vorgang"): (1, "communications"),
        ("types", "notes", "mail"): (1, "notes"),
        ("types", "emails", "mail"): (1, "emails"),
        ("actions", "calls", "todo"): (1, "OUTBOUND"),
        ("statuses", "calls", "draft"): (1, ""),
        ("statuses", "meetings", "whatever"): (1, "BY_DATE"),
        ("priorities", "tasks", "p9"): (1, "MEDIUM"),
    }


def test_single_values_become_the_same_without_a_database(loaded: str) -> None:
    mapping = Mapping()
    with psycopg.connect(loaded, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM staging.ic_communication_master").fetchall()
        for each in rows:
            words = [each[name] or "" for name in ("comm_type", "comm_action", "comm_status", "comm_priority")]
            becomes = mapping.becomes(*words, has_case=each["comm_caseid"] is not None)
            assert becomes.activity_type == each["derived_activity_type"], words
            _, found = derivative(connection, each["comm_communicationid"])
            for column in ("call_status", "email_send_status", "task_status"):
                assert column not in found or found[column] == becomes.status, words
            assert found.get("task_priority") == becomes.priority, words
            assert found.get("call_direction", becomes.direction) == becomes.direction, words


# -- the files ---------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """$IC_HOME of this test."""
    home = Path(os.environ["IC_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    return home


def sync(postgres_url: str) -> list[str]:
    with opened(postgres_url) as database, database.transaction() as connection:
        return classification.sync_classification(connection)


@pytest.mark.parametrize(
    ("file", "old", "new", "refusal"),
    [
        ("classification.csv", "sms,*,communications,SMS", "sms,*,communications,", "line 25, column channel: a value mapp"),
        ("classification.csv", "call,*,calls,", "call,*,call,", "line 2, column activity_type: 'call' is not one of"),
        ("classification.csv", "call,*,calls,", "call,,calls,", "line 2, column comm_action: empty"),
        ("classification.csv", "phone,*,calls,", "Call,*,calls,", "line 3, column comm_type and comm_action: 'Call'"),
        ("directions.csv", "inbound,INBOUND", "inbound,IN", "line 2, column direction: 'IN' is not one of INBOUND, OUTBOUND"),
        ("statuses.csv", "calls,busy,BUSY,Busy", "calls,busy,Busy,Busy", "line 10, column result: 'Busy' is not one of"),
        ("statuses.csv", "emails,sent,SENT,", "emails,sent,SENT,Busy", "line 30, column disposition: emails have none"),
        ("priorities.csv", "low,LOW", "low,LOWEST", "column result: 'LOWEST' is not one of LOW, MEDIUM, HIGH"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_stand_is_refused_with_file_line_and_column(
    own: Path, file: str, old: str, new: str, refusal: str
) -> None:
    rules = next(each for each in classification.FILES if each.packaged.name == file)
    text = rules.packaged.read_text(encoding="utf-8")
    assert f"{old}\n" in text
    (own / file).write_text(text.replace(f"{old}\n", f"{new}\n", 1), encoding="utf-8")
    with pytest.raises(Refused) as refused:
        rules.load()
    assert str(refused.value).startswith(f"{file}, line ")
    assert refusal in str(refused.value)


def test_a_file_of_the_home_folder_goes_before_the_packaged_one_and_marks_what_it_changes(
    database: str, own: Path, tmp_path: Path
) -> None:
    reconcile_everything(database)
    rows = [
        row(1, "2019-01-05", "Call", Comm_Status="Draft"),
        row(2, "2019-02-05", "Call", Comm_Status="Completed"),
        row(3, "2019-03-05", "Vorgang", Comm_Action="Rundruf"),
    ]
    land(database, write_drop(tmp_path / "a.csv", rows))
    bring_up_to_date(database)
    for file, line in (
        ("statuses.csv", "calls,draft,QUEUED,Not interested\n"),
        ("classification.csv", "*,rundruf,calls,\n"),
    ):
        rules = next(each for each in classification.FILES if each.packaged.name == file)
        (own / file).write_text(rules.packaged.read_text(encoding="utf-8") + line, encoding="utf-8")
        os.utime(own / file, (1, 1))  # written long before the package was installed
    assert sync(database) == ["rundruf", "calls, draft"]
    with opened(database) as opened_database, opened_database.transaction() as connection:
        late = [month.isoformat()[:7] for month, _, _ in slices.out_of_date(connection)]
        assert late == ["2019-01", "2019-03"]
        assert rules_data.in_force(connection, classification.STATUSES) == "statuses.csv: one of your own"
        assert rules_data.in_force(connection, classification.DIRECTIONS) == "directions.csv: the packaged one"
    bring_up_to_date(database)
    with psycopg.connect(database, row_factory=dict_row) as check:
        first = derivative(check, 1)[1]
        assert first["call_status"] == "QUEUED"
        assert first["hubspot_api_payload"]["properties"]["hs_call_disposition"] == "Not interested"
        assert derivative(check, 3)[0] == "calls"

    # Taken away again: another machine may have it, so the packaged one does not come back by itself.
    (own / "statuses.csv").unlink()
    assert sync(database) == []
    with psycopg.connect(database) as check:
        assert "copy it to" in str(rules_data.problem(check, classification.STATUSES))


# File: lines added to it, each of a word that the packaged one does not name.
FOUR = {
    "classification.csv": "brieftaube,*,calls,\nhausaufgabe,*,tasks,\n",
    "directions.csv": "anflug,INBOUND\n",
    "statuses.csv": "calls,gelandet,BUSY,Busy\n",
    "priorities.csv": "dringlichst,HIGH\n",
}
WORDS_OF_FOUR = (("Brieftaube", "Anflug", "Gelandet", ""), ("Hausaufgabe", "", "", "Dringlichst"))


@pytest.mark.parametrize("variable", [None, "IC_ACTIVITIES_RULES"])
def test_each_of_the_four_files_goes_before_the_packaged_one(
    database: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    """In IC_HOME itself, or in the folder that the variable names, where those of IC_HOME do not count."""
    rows = [
        row(number, kind=kind, Comm_Action=action, Comm_Status=status, Comm_Priority=priority)
        for number, (kind, action, status, priority) in enumerate(WORDS_OF_FOUR, 1)
    ]
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", rows))
    bring_up_to_date(database)
    assert [become(*words) for words in WORDS_OF_FOUR] == [("notes", None, None, None)] * 2

    folder = own
    if variable:
        folder = tmp_path / "named"
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
        for name in FOUR:
            (own / name).write_text("no file of rules\n", encoding="utf-8")
    for name, lines in FOUR.items():
        packaged = SQL_DIR / "activities" / name
        (folder / name).write_text(packaged.read_text(encoding="utf-8") + lines, encoding="utf-8")
    assert sync(database) == ["brieftaube", "hausaufgabe", "anflug", "calls, gelandet", "dringlichst"]
    bring_up_to_date(database)
    with psycopg.connect(database, row_factory=dict_row) as connection:
        kinds, found = zip(*(derivative(connection, number) for number in (1, 2)), strict=True)
    with psycopg.connect(database) as plain:
        versions = [rules_data.in_force(plain, file) for file in classification.FILES]
    assert kinds == ("calls", "tasks")
    assert (found[0]["call_direction"], found[0]["call_status"], found[1]["task_priority"]) == (
        "INBOUND",
        "BUSY",
        "HIGH",
    )
    assert (
        found[0]["hubspot_api_payload"]["properties"]["hs_call_disposition"] == "9d9162e7-6cf3-4944-bf63-4dff82258764"
    )
    assert versions == [f"{name}: one of your own" for name in FOUR]
    # Without a database, as classify and load --what-if read them.
    assert [become(*words) for words in WORDS_OF_FOUR] == [
        ("calls", "INBOUND", "BUSY", None),
        ("tasks", None, "NOT_STARTED", "HIGH"),
    ]


def become(*words: str) -> tuple[str, str | None, str | None, str | None]:
    found = Mapping().becomes(*words, has_case=False)
    return found.activity_type, found.direction, found.status, found.priority


def test_a_task_is_due_at_its_time_where_the_setting_says_so(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_TASK_DUE", "datetime")
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1, kind="Task", Comm_ToDateTime="2019-03-09 10:00:00")]))
    bring_up_to_date(database)
    with psycopg.connect(database, row_factory=dict_row) as connection:
        found = derivative(connection, 1)[1]
    assert found["due_date"].isoformat() == "2019-03-05T10:00:00"
    assert found["hubspot_api_payload"]["properties"]["hs_timestamp"] == "2019-03-05T10:00:00.000Z"


# -- ic-assets classify ------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run(*arguments)


def test_classify_shows_each_combination_with_what_it_would_become_and_makes_nothing(tmp_path: Path) -> None:
    rows = [
        # One that is read row by row, and plain ones.
        row(1, kind=' "Task"\t', Comm_Action="PhoneOut", Comm_Status="Complete", Comm_Note='a "b"\nc\\d'),
        *(row(number, kind="Task", Comm_Action="PhoneOut", Comm_Status="Complete") for number in range(2, 5)),
        row(5, kind="Call", Comm_Status="Draft"),
        row(6, "never", kind="Call"),
    ]
    drop = write_drop(tmp_path / "a.csv", rows)
    done = command("classify", str(drop), "--csv")
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [tuple(each.values()) for each in found] == [
        ("1", '"task"', "phoneout", "complete", "calls", "OUTBOUND", "COMPLETED", "Connected", "", "type"),
        ("1", "call", "(blank)", "draft", "calls", "OUTBOUND", "", "", "", "status"),
        ("3", "task", "phoneout", "complete", "calls", "OUTBOUND", "COMPLETED", "Connected", "", ""),
    ]
    assert "1 row would be rejected (1 unreadable_required)" in done.stderr
    assert not Path(os.environ["IC_HOME"]).exists()

    shown = json.loads(command("classify", str(drop), "--json").stdout.splitlines()[-1])
    assert (shown["rows"], len(shown["combinations"])) == (6, 3)
    refused = command("classify", str(tmp_path / "none.csv"))
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


def test_the_outcome_of_a_call_is_the_portals_own_by_its_label() -> None:
    connected, own = "f240bbac-87c9-4f6e-bf70-924b57d47db7", "11111111-aaaa"
    calls = OUTGOING.of("calls")
    portal = Options({"hs_call_disposition": frozenset({connected, own, "22222222-bbbb"})})
    portal.labels["hs_call_disposition"] = {"reached": connected, "not interested": own, "busy": "22222222-bbbb"}
    sent = {
        connected: connected,
        "Not Interested": own,
        "9d9162e7-6cf3-4944-bf63-4dff82258764": "22222222-bbbb",  # Busy, under an id of the portal's own
        "No such outcome": None,
    }
    for value, expected in sent.items():
        properties, fault = spelled_for(calls, portal, {"hs_call_disposition": value})
        assert (properties.get("hs_call_disposition"), fault) == (expected, None), value
    # A portal that lists none: HubSpot's own ids stand, a label is no id.
    unknown = Options()
    assert spelled_for(calls, unknown, {"hs_call_disposition": connected})[0] == {"hs_call_disposition": connected}
    assert spelled_for(calls, unknown, {"hs_call_disposition": "Not interested"}) == ({}, None)
