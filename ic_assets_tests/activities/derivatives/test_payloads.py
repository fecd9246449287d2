"""The compiled templates in PostgreSQL: against expectations written by hand from the mapping rules."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.activities.engine.derivatives.bodies import needs_python, render_body
from ic_assets.activities.engine.derivatives.payloads import COLUMNS, part_sql, payload_sql, template_fingerprint
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME, ActivityType
from ic_assets.activities.facts.hubspot_properties import PROPERTIES
from ic_assets.core.failures import Refused
from ic_assets.core.files import TEMPLATES_DIR

Row = dict[str, Any]
local = datetime  # legacy local time has no zone
SQL_TYPES = {
    "text": "text",
    "number": "bigint",
    "timestamp": "timestamp",
    "instant": "timestamptz",
    "numbers": "bigint[]",
}


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Row]]:
    with psycopg.connect(postgres_url, row_factory=dict_row) as connection:
        yield connection


def rendered(
    connection: psycopg.Connection[Row], activity: ActivityType, rows: Sequence[Row], zone: str = "Europe/Berlin"
) -> list[Row]:
    """Payload and error of each row, as the derivatives are written: bodies that need it rendered in Python."""
    columns = COLUMNS[activity.name]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.v, pg_temp.b")
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE v ({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(SQL_TYPES[kind]))
                    for name, kind in columns.items()
                )
            )
        )
        cursor.execute("CREATE TEMP TABLE b (id bigint, html text, text text)")
        with cursor.copy(sql.SQL("COPY v ({}) FROM STDIN").format(names)) as copy:
            for row in rows:
                copy.write_row([row.get(name) for name in columns])
        body = sql.Identifier("v", activity.body)
        cursor.execute(
            sql.SQL("SELECT ic_communication_master_id AS id, {body} AS body FROM v WHERE {needs}").format(
                body=body, needs=needs_python(body)
            )
        )
        for found in cursor.fetchall():
            body_as_shown = render_body(found["body"], title="T")
            first = body_as_shown.parts[0]
            text = body_as_shown.readable if len(body_as_shown.readable) <= 65_536 else first.text
            cursor.execute("INSERT INTO b VALUES (%s, %s, %s)", (found["id"], first.html, text))
        compiled = payload_sql(activity)
        cursor.execute(
            sql.SQL(
                "SELECT ({payload})::jsonb AS payload, {error} AS error FROM v LEFT JOIN b ON b.id ="
                " v.ic_communication_master_id ORDER BY v.ic_communication_master_id"
            ).format(payload=compiled.payload, error=compiled.error),
            {"source_timezone": zone, "id_property": "ic_communication_id"},
        )
        return cursor.fetchall()


def common(**own: object) -> Row:
    return {
        "ic_communication_master_id": 1,
        "comm_communicationid": 4711,
        "activity_date": local(2019, 7, 1, 14, 30, 15, 123987),
        **own,
    }


def association(record: str, type_id: int) -> Row:
    return {
        "to": {"id": record},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}],
    }


EXPECTED: list[tuple[str, Row, Row, list[Row]]] = [
    (
        "calls",
        {
            "call_title": 'Call 100% "done"',
            "call_notes": "a & b < c\r\nnext\rand\nlast",
            "call_direction": "INBOUND",
            "call_duration_ms": 90000,
            "call_status": "NO_ANSWER",
            "call_outcome": "missed",
            "call_disposition": "No answer",
            "call_source": "Integration",
            "associated_contact_id": 11,
            "associated_deal_id": 33,
        },
        {
            "hs_call_title": 'Call 100% "done"',
            "hs_call_body": "a &amp; b &lt; c<br>next<br>and<br>last",
            "hs_call_direction": "INBOUND",
            "hs_call_duration": "90000",
            "hs_call_status": "NO_ANSWER",
            "hs_call_disposition": "73a0d17f-1163-4015-bdd5-ec830791da20",
            "hs_call_source": "INTEGRATIONS_PLATFORM",
        },
        [association("11", 194), association("33", 206)],
    ),
    (
        "calls",
        {"call_direction": "OUTBOUND", "call_status": "RINGING"},
        {"hs_call_direction": "OUTBOUND", "hs_call_status": "RINGING", "hs_call_source": "INTEGRATIONS_PLATFORM"},
        [],
    ),
    (
        "calls",
        # An outcome of the portal's own goes by its label until the push knows the portal.
        {"call_status": "COMPLETED", "call_disposition": "Not interested"},
        {
            "hs_call_status": "COMPLETED",
            "hs_call_disposition": "Not interested",
            "hs_call_source": "INTEGRATIONS_PLATFORM",
        },
        [],
    ),
    (
        "emails",
        {
            "email_subject": "Offer",
            "email_body": "<p>Dear <b>Ann</b><script>x()</script></p>",
            "email_direction": "INCOMING",
            "email_from_address": 'o"brien@example.com; bob@example.com',
            "email_send_status": "SENT",
            "associated_company_id": 22,
        },
        {
            "hs_email_subject": "Offer",
            "hs_email_html": "<p>Dear <b>Ann</b></p>",
            "hs_email_text": "<p>Dear <b>Ann</b><script>x()</script></p>",
            "hs_email_direction": "INCOMING_EMAIL",
            "hs_email_status": "SENT",
            "hs_email_headers": '{"from":{"email":"o\\"brien@example.com"}}',
        },
        [association("22", 186)],
    ),
    (
        "emails",
        {
            "email_subject": "Offer",
            "email_body": "from <bob@example.com>\n1 < 2",
            "email_direction": "OUTGOING",
            "email_from_address": "us@example.org",
            "email_to_address": "ann@example.com",
            "email_send_status": "BOUNCED",
        },
        {
            "hs_email_subject": "Offer",
            "hs_email_html": "from &lt;bob@example.com&gt;<br>1 &lt; 2",
            "hs_email_text": "from <bob@example.com>\n1 < 2",
            "hs_email_direction": "EMAIL",
            "hs_email_status": "BOUNCED",
            "hs_email_headers": '{"from":{"email":"us@example.org"},"to":[{"email":"ann@example.com"}]}',
        },
        [],
    ),
    (
        "meetings",
        {
            "meeting_name": "Visit",
            "meeting_description": "Tom & Ann",
            "internal_meeting_notes": "Tom & Ann",
            "meeting_start_time": local(2019, 12, 1, 9, 0),
            "meeting_end_time": local(2019, 12, 1, 10, 0, 0, 5000),
            "meeting_end_at": datetime(2019, 12, 1, 9, 0, 0, 5000, tzinfo=UTC),
            "meeting_outcome": "NO_SHOW",
            "meeting_source": "Import",
        },
        {
            "hs_meeting_title": "Visit",
            "hs_meeting_body": "Tom &amp; Ann",
            "hs_internal_meeting_notes": "Tom &amp; Ann",
            "hs_meeting_start_time": "2019-12-01T08:00:00.000Z",
            "hs_meeting_end_time": "2019-12-01T09:00:00.005Z",
            "hs_meeting_outcome": "NO_SHOW",
        },
        [],
    ),
    (
        "meetings",
        {
            "meeting_description": "<p>shown</p>",
            "internal_meeting_notes": "other & own",
            "meeting_start_time": local(2019, 12, 1, 9, 0),
        },
        {
            "hs_meeting_body": "<p>shown</p>",
            "hs_internal_meeting_notes": "other &amp; own",
            "hs_meeting_start_time": "2019-12-01T08:00:00.000Z",
        },
        [],
    ),
    ("notes", {"note_body": "x", "associated_contact_id": 1}, {"hs_note_body": "x"}, [association("1", 202)]),
    (
        "tasks",
        {
            "task_title": "Send",
            "task_notes": "now",
            "due_date": local(2019, 10, 27, 2, 30),
            "task_status": "WAITING",
            "task_priority": "HIGH",
            "task_type": "TODO",
            "reminder_date": local(2019, 3, 31, 2, 30),
        },
        {
            # A repeated time is standard time; a skipped one moves forward (03:30 summer time is 01:30 UTC).
            "hs_timestamp": "2019-10-27T01:30:00.000Z",
            "hs_task_subject": "Send",
            "hs_task_body": "now",
            "hs_task_status": "WAITING",
            "hs_task_priority": "HIGH",
            "hs_task_type": "TODO",
            "hs_task_reminders": "1553995800000",
        },
        [],
    ),
    (
        "communications",
        {"communication_body": "hi", "channel_type": "WHATS_APP", "logged_from": "CRM", "associated_deal_id": 7},
        {
            "hs_communication_channel_type": "WHATS_APP",
            "hs_communication_logged_from": "CRM",
            "hs_communication_body": "hi",
        },
        [association("7", 85)],
    ),
    (
        "postal_mail",
        {"postal_mail_body": "Dear\n\nBob", "body_preview": "Dear", "associated_company_id": 9},
        {"hs_postal_mail_body": "Dear<br><br>Bob"},
        [association("9", 459)],
    ),
]


@pytest.mark.parametrize(("name", "own", "properties", "associations"), EXPECTED)
def test_a_row_becomes_the_payload_that_the_mapping_rules_give(
    connection: psycopg.Connection[Row], name: str, own: Row, properties: Row, associations: list[Row]
) -> None:
    [found] = rendered(connection, BY_NAME[name], [common(**own)])
    assert found == {
        "payload": {
            # 14:30 in Berlin's summer; the unique value and the trace id are the communication's id.
            "properties": {
                "hs_timestamp": "2019-07-01T12:30:15.123Z",
                "ic_communication_id": "4711",
                **properties,
            },
            "associations": associations,
            "objectWriteTraceId": "4711",
        },
        "error": None,
    }


ODD_TEXTS = [
    None,
    "",
    "plain",
    "100% & more",
    "'quoted' \"twice\" \\back\\slash",
    "tab\tbell\x07escape\x1bdelete\x7f",
    "é ü 漢字 😀 👩‍👩‍👧 \u2028 \u00a0",
    "CR\rLF\nCRLF\r\nLFCR\n\rend\n",
    "a < b > c &amp; <bob@example.com> <here>",
    "<p>HTML <b>bold</b></p><o:p></o:p><customer>",
    "<div onclick=x>hi<script>1</script><img src=x onerror=y></div>",
    "\ue0000\ue001",  # how the compiler marks an expression
    "%(id_property)s %s {} {{ x }}",
    "word " * 4000,
]
LONG_TEXTS = ["&" * 14000, "😀" * 33000, "long line\n" * 9000, "<p>" + "cell &lt; " * 8000 + "</p>"]
TIMES = [
    local(2019, 3, 31, 2, 30),
    local(2019, 10, 27, 2, 30),
    local(2019, 11, 3, 1, 59, 59, 999999),
    local(2019, 4, 7, 1, 45),
    local(2000, 1, 1),
    local(2026, 12, 31, 23, 59, 59, 999500),
    local(1969, 12, 31, 23, 59, 59, 1),
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Europe/Dublin"]


def random_row(random: random.Random, activity: ActivityType, number: int) -> Row:
    row: Row = {}
    for name, kind in COLUMNS[activity.name].items():
        options = [
            option
            for each in PROPERTIES[activity.name].values()
            for option in each.options
            if name.endswith(("_direction", "_status", "_outcome", "_priority", "_type"))
        ]
        if kind == "text":
            row[name] = random.choice([*options, None] if options else ODD_TEXTS)
        elif kind == "instant":
            row[name] = random.choice([None, datetime.fromtimestamp(random.randrange(2 * 10**9), UTC)])
        elif kind == "numbers":
            row[name] = random.choice([None, [7], [2**62, 1, 3]])
        elif kind == "number":
            row[name] = random.choice([None, 0, 1, 2**62, random.randrange(10**9)])
        else:
            moment = local(2015, 1, 1) + timedelta(microseconds=random.randrange(12 * 365 * 86400 * 10**6))
            row[name] = random.choice([None, moment, random.choice(TIMES)])
    if number < len(LONG_TEXTS):
        row[activity.body] = LONG_TEXTS[number]
    if activity.name == "meetings":  # both are the note
        row["internal_meeting_notes"] = row["meeting_description"]
    row["ic_communication_master_id"] = number
    row["comm_communicationid"] = random.randrange(2**62)
    return row


def in_utc(moment: datetime, zone: str) -> datetime:
    """Of a local time that the clocks repeat the later instant, one that they skip moved forward: the smaller offset."""
    offsets = [moment.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() or timedelta() for fold in (0, 1)]
    return (moment - min(offsets)).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_times_are_sent_as_the_instants_that_they_were(connection: psycopg.Connection[Row], zone: str) -> None:
    rows = [
        common(ic_communication_master_id=number, due_date=moment, reminder_date=moment, task_title="x")
        for number, moment in enumerate(TIMES)
    ]
    for moment, found in zip(TIMES, rendered(connection, BY_NAME["tasks"], rows, zone), strict=True):
        sent, instant = found["payload"]["properties"], in_utc(moment, zone)
        assert sent["hs_timestamp"] == f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"
        assert int(sent["hs_task_reminders"]) == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            milliseconds=1
        )


def test_postgresql_shows_a_text_as_python_does(connection: psycopg.Connection[Row]) -> None:
    texts = [text for text in (*ODD_TEXTS, *LONG_TEXTS) if text and text.strip()]
    rows = [common(ic_communication_master_id=number, note_body=text) for number, text in enumerate(texts)]
    for text, found in zip(texts, rendered(connection, BY_NAME["notes"], rows), strict=True):
        assert found["payload"]["properties"]["hs_note_body"] == render_body(text, title="T").parts[0].html


@pytest.mark.parametrize(
    ("name", "own", "error"),
    [
        ("calls", {"call_title": "x" * 65_537}, "hs_call_title is 65,537 characters, HubSpot takes 65,536"),
        ("calls", {"call_title": "é" * 65_536}, None),
        ("calls", {"call_direction": "SIDEWAYS"}, 'hs_call_direction is "SIDEWAYS", HubSpot takes INBOUND, OUTBOUND'),
        ("calls", {"activity_date": None}, "hs_timestamp is missing"),
        ("emails", {}, "hs_email_direction is missing"),
        ("emails", {"email_direction": "BOTH"}, "hs_email_direction is missing"),
        ("tasks", {"task_title": "x", "due_date": None}, "hs_timestamp is missing"),
        ("communications", {"communication_body": "x"}, "hs_communication_channel_type is missing"),
        ("notes", {"note_body": "<" * 65_536}, None),
        ("notes", {"note_body": "x\n" * 60_000}, None),
    ],
)
def test_what_hubspot_would_refuse_is_named_and_a_body_is_never_too_long(
    connection: psycopg.Connection[Row], name: str, own: Row, error: str | None
) -> None:
    [found] = rendered(connection, BY_NAME[name], [common(**own)])
    assert found["error"] == error


def test_a_body_that_was_not_rendered_in_parts_is_refused_as_too_long(
    connection: psycopg.Connection[Row],
) -> None:
    [found] = connection.execute(
        sql.SQL(
            "SELECT {} AS error FROM (VALUES (now()::timestamp, repeat('&', 20000))) AS v (activity_date, note_body),"
            " (VALUES (NULL::text)) AS b (html)"
        ).format(payload_sql(BY_NAME["notes"]).error),
        {"source_timezone": "UTC", "id_property": "x"},
    ).fetchall()
    assert found["error"] == "hs_note_body is 100,000 characters, HubSpot takes 65,536"


def test_a_continuation_is_a_note_on_the_same_records_with_an_id_of_its_own(
    connection: psycopg.Connection[Row],
) -> None:
    compiled = part_sql()
    [found] = connection.execute(
        sql.SQL(
            "SELECT ({payload})::jsonb AS payload, {error} AS error"
            " FROM (VALUES (4711, timestamp '2019-01-01', 11::bigint, NULL::bigint, 33::bigint,"
            " ARRAY[13, 12], NULL::bigint[]))"
            " AS v (comm_communicationid, activity_date, associated_contact_id, associated_company_id,"
            " associated_deal_id, further_contact_ids, further_company_ids),"
            " (VALUES (2, '<p>Part 2 of 2 of “T”</p>end')) AS b (part, html)"
        ).format(payload=compiled.payload, error=compiled.error),
        {"source_timezone": "UTC", "id_property": "legacy_key"},
    ).fetchall()
    assert found == {
        "payload": {
            "properties": {
                "hs_timestamp": "2019-01-01T00:00:00.000Z",
                "hs_note_body": "<p>Part 2 of 2 of “T”</p>end",
                "legacy_key": "4711/2",
            },
            "associations": [
                association("11", 202),
                association("33", 214),
                association("13", 202),
                association("12", 202),
            ],
            "objectWriteTraceId": "4711/2",
        },
        "error": None,
    }


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("plain & <3 < b", False),
        ("<b>x</b>", True),
        ("</p>", True),
        ("<!DOCTYPE html>", True),
        ("<bob@example.com>", True),
        ("x" * 65_536, False),
        ("x" * 65_537, True),
        ("&" * 13_107, False),
        ("&" * 13_108, True),
        ("😀" * 32_768, True),
        (None, None),
    ],
)
def test_python_renders_what_may_be_html_or_too_long(
    connection: psycopg.Connection[Row], text: str | None, needs: bool | None
) -> None:
    [found] = connection.execute(
        sql.SQL("SELECT {} AS needs FROM (SELECT %(text)s::text AS body) AS v").format(
            needs_python(sql.Identifier("v", "body"))
        ),
        {"text": text},
    ).fetchall()
    assert found["needs"] is needs


def test_templates_name_columns_that_the_staging_views_have_with_these_types(database: str) -> None:
    with psycopg.connect(database) as connection:
        for activity in ACTIVITY_TYPES:
            found = dict(
                connection.execute(
                    "SELECT column_name, data_type FROM information_schema.columns"
                    " WHERE table_schema = 'staging' AND table_name = %s",
                    (activity.view,),
                ).fetchall()
            )
            kinds = {
                "text": "text",
                "timestamp without time zone": "timestamp",
                "timestamp with time zone": "instant",
                "ARRAY": "numbers",
            }
            # What rendered.sql adds: the records of further people.
            found |= {"further_contact_ids": "ARRAY", "further_company_ids": "ARRAY"}
            for name, kind in COLUMNS[activity.name].items():
                assert kinds.get(found[name], "number") == kind, name


# --- Templates that a person got wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("calls", "{{ call_title }}", "{{ call_titel }}", "line 5: there is no column 'call_titel'; there are"),
        ("calls", "hs_call_title", "hs_call_name", "calls have no property 'hs_call_name'; they have"),
        ("calls", "call_notes | html", "call_notes", "hs_call_body takes a html, made by | html, not call_notes"),
        ("calls", "activity_date | utc", "call_title | utc", "line 4: utc takes a timestamp column, not call_title"),
        ("calls", "activity_date | utc", "activity_date", "hs_timestamp takes a datetime, made by | utc"),
        ("calls", "{{ call_duration_ms }}", "{{ call_title }}", "hs_call_duration takes a number"),
        ("calls", '"INTEGRATIONS_PLATFORM"', '"IMPORT"', "hs_call_source is 'IMPORT', HubSpot takes INTEGRATIONS"),
        ("calls", '"INTEGRATIONS_PLATFORM"', "1", "hs_call_source is 1, HubSpot takes text"),
        ("emails", '"INCOMING_EMAIL"', '"INCOMING"', "hs_email_direction may become INCOMING,"),
        ("calls", "{{ call_direction }}", "{{ call_direction | upper }}", "No filter named 'upper'"),
        ("calls", "hs_call_status", "hs_call_direction", "hs_call_direction is set twice"),
        ("calls", '"hs_call_title": ', '"hs_call_title" ', "does not render to JSON: Expecting ':'"),
        ("calls", "{{ id_property }}: {{ comm", '"hs_call_from_number": {{ comm', "{{ id_property }} is not set"),
        ("calls", "{{ call_title }}", "{{ call_title ~ '!' }}", "line 5: call_title is a column of all rows"),
        ("calls", "{{ call_title }}", "{{ call_title if call_notes }}", "line 5: call_notes is a column of all rows"),
        ("calls", "{{ call_title }}", "{{ 'x' if call_title == 'y' }}", "line 5: call_title is a column of all rows"),
        ("calls", "{{ call_title }}", '"{{ call_title }}"', "does not render to JSON"),
        ("calls", "{{ call_title }}", "{{ call_title.first }}", "line 5: '"),
        ("calls", "{{ call_title }}", "{{ call_title.text }}", "line 5: only columns and constants can be printed"),
        ("calls", "(associated_contact_id, ", "(", "line 22: "),
        ("calls", "associations(", "associated(", "there is no column 'associated'"),
        ("calls", '"objectWriteTraceId"', '"traceId"', "is not the input of a batch create"),
        ("emails", "hs_email_subject", "hs_email_to_email", "hs_email_to_email is read-only"),
        ("emails", "hs_email_direction", "hs_email_text2", "no property 'hs_email_text2'"),
        ("notes", "hs_timestamp", "hubspot_owner_id", "hubspot_owner_id takes a number"),
        ("communications", '"hs_timestamp": {{ activity_date | utc }},', "", "HubSpot requires hs_timestamp"),
    ],
)
def test_a_template_that_is_wrong_for_every_row_is_refused_with_what_and_where(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    activity = BY_NAME[name]
    source = (TEMPLATES_DIR / activity.template).read_text(encoding="utf-8")
    assert old in source
    (tmp_path / "hubspot").mkdir()
    (tmp_path / activity.template).write_text(source.replace(old, new), encoding="utf-8")
    with pytest.raises(Refused) as refused:
        payload_sql(activity, templates=tmp_path)
    assert message in str(refused.value)
    assert f"templates/hubspot/{name}.json.j2" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"templates/hubspot/notes\.json\.j2 does not exist"):
        payload_sql(BY_NAME["notes"], templates=tmp_path)


def test_the_fingerprint_follows_the_template_and_nothing_else(tmp_path: Path) -> None:
    notes = BY_NAME["notes"]
    source = (TEMPLATES_DIR / notes.template).read_text(encoding="utf-8")
    (tmp_path / "hubspot").mkdir()
    copy = tmp_path / notes.template
    copy.write_text("{# A remark. #}\n" + source, encoding="utf-8")
    before = template_fingerprint(notes)
    assert template_fingerprint(notes, templates=tmp_path) == before
    copy.write_text(source.replace('"hs_note_body"', '"hubspot_owner_id": "7", "hs_note_body"'), encoding="utf-8")
    assert template_fingerprint(notes, templates=tmp_path) != before


def test_every_property_value_of_every_type_is_text(connection: psycopg.Connection[Row]) -> None:
    def texts(value: Mapping[str, object]) -> bool:
        return all(isinstance(each, str) for each in value.values())

    for activity in ACTIVITY_TYPES:
        generator = random.Random(1)
        for found in rendered(connection, activity, [random_row(generator, activity, n) for n in range(20)]):
            assert texts(found["payload"]["properties"]), json.dumps(found["payload"])
