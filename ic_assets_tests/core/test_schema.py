"""The schema migrations on real databases: upgrades in place, downgrades that take only what is ours, and the declared
contracts beside the catalog."""

from __future__ import annotations

import gzip
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from psycopg import sql

from ic_assets.activities.engine.judging.schema_check import schema_problems
from ic_assets.activities.engine.reconciliation import matches
from ic_assets.activities.engine.staging import classification
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.core import schema
from ic_assets.core import sql as sql_files
from ic_assets.core.failures import Refused

VIEWS = [
    "v_ic_activities_summary",
    "v_ic_calls_outgoing",
    "v_ic_calls_staging",
    "v_ic_communications_staging",
    "v_ic_derivative_coverage",
    "v_ic_emails_staging",
    "v_ic_meetings_staging",
    "v_ic_notes_outgoing",
    "v_ic_notes_staging",
    "v_ic_outgoing_deleted",
    "v_ic_outgoing_source",
    "v_ic_postal_mail_staging",
    "v_ic_push_status",
    "v_ic_tasks_staging",
]


@pytest.fixture
def empty_database(superuser_url: str, postgres_url: str) -> Iterator[str]:
    name = f"schema_{secrets.token_hex(6)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER ic_assets STRATEGY file_copy").format(sql.Identifier(name))
        )
        yield postgres_url.replace("/ic_assets?", f"/{name}?")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def objects(postgres_url: str) -> set[str]:
    """Everything in our schemas: relations, functions and constraints, by name."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT 'relation ' || oid::regclass FROM pg_class"
            " WHERE relnamespace::regnamespace::text IN ('staging', 'hubspot', 'inbox', 'ic_replay', 'crm')"
            " AND relkind <> 't'"
            " UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc"
            " WHERE pronamespace::regnamespace::text IN ('staging', 'hubspot', 'inbox', 'ic_replay', 'crm')"
            " UNION ALL SELECT 'constraint ' || conname FROM pg_constraint"
            " WHERE connamespace::regnamespace::text IN ('staging', 'hubspot', 'inbox', 'ic_replay', 'crm')"
        ).fetchall()
    return {row[0] for row in rows}


def upgrade_to(postgres_url: str, revision: str) -> None:
    with schema._locked(postgres_url) as connection:
        command.upgrade(schema._config(connection), revision)


def test_upgrading_twice_changes_nothing(empty_database: str) -> None:
    schema.upgrade(empty_database)
    once = objects(empty_database)
    assert "relation staging.ic_communication_master" in once
    schema.upgrade(empty_database)
    schema.ensure(empty_database)
    assert objects(empty_database) == once
    revision, newest = schema.current(empty_database)
    assert revision == newest is not None


def test_two_commands_that_upgrade_at_once_both_succeed(empty_database: str) -> None:
    barrier = threading.Barrier(2)
    failures: list[BaseException] = []

    def upgrade() -> None:
        barrier.wait()
        try:
            schema.upgrade(empty_database)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with psycopg.connect(empty_database) as connection:
        assert schema_problems(connection) == []


def test_a_database_of_the_first_revision_is_upgraded_in_place_with_its_data(empty_database: str) -> None:
    upgrade_to(empty_database, "0001")
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('hubspot.push_ledger')").fetchone() == (None,)
        connection.execute(
            "INSERT INTO staging.ic_communication_master (comm_communicationid, comm_type, comm_datetime,"
            " comm_createddate, derived_activity_type, is_task_eligible, is_orphaned, source_drop, source_line, row_hash)"
            " VALUES (7, 'Call', '2019-03-05', '2019-03-05', 'calls', false, true, 'x', 2, 1)"
        )
    schema.ensure(empty_database)
    with psycopg.connect(empty_database) as connection:
        assert schema_problems(connection) == []
        assert connection.execute("SELECT comm_communicationid FROM staging.v_ic_calls_staging").fetchall() == [(7,)]
        assert connection.execute("SELECT count(*) FROM hubspot.push_ledger").fetchone() == (0,)


@pytest.fixture
def older_database(empty_database: str) -> str:
    """A database of revision 0004 with a drop brought to the derivatives."""
    dump = gzip.decompress((Path(__file__).parent / "data" / "revision_0004.sql.gz").read_bytes())
    with psycopg.connect(empty_database) as connection:
        connection.execute(dump)
    return empty_database


def test_a_database_of_an_earlier_version_keeps_all_that_is_in_it(older_database: str, database: str) -> None:
    tables = (
        "ic_communication_landing",
        "ic_communication_master",
        "ic_calls",
        "ic_tasks",
        "ic_figure",
        "ic_month_stage",
    )
    with psycopg.connect(older_database) as connection:
        before = {table: contents(connection, table) for table in tables}
    assert all(before.values())
    schema.ensure(older_database)
    assert objects(older_database) == objects(database)
    assert schema.is_current(older_database)
    with psycopg.connect(older_database) as connection:
        assert schema_problems(connection) == []
        after = {table: contents(connection, table) for table in tables}
        # A later revision may add columns, and took away one that nothing read.
        for table in tables:
            wanted = [{name: value for name, value in old.items() if name != "row_hash"} for old in before[table]]
            kept = [{name: row[name] for name in old} for row, old in zip(after[table], wanted, strict=True)]
            assert kept == wanted, table


def contents(connection: psycopg.Connection, table: str) -> list[dict[str, object]]:
    rows = connection.execute(f"SELECT to_jsonb(t) FROM staging.{table} AS t ORDER BY to_jsonb(t)::text".encode())
    return [row[0] for row in rows.fetchall()]


def other_text(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """The next upgrade finds another views.sql: ``new`` where ``old`` was."""
    text = sql_files.read("schema/views")
    assert old in text
    changed = text.replace(old, new)
    monkeypatch.setattr(schema, "read", lambda name: changed if name == "schema/views" else sql_files.read(name))


NOTES = " AS note_body,\n"
MINE = "CREATE VIEW public.mine AS SELECT note_body FROM staging.v_ic_notes_staging"


def test_another_text_of_a_view_reaches_the_database_without_a_revision(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute(MINE)
    other_text(monkeypatch, "'Note (no content)'", "'Nothing'")
    assert not schema.is_current(empty_database)
    schema.ensure(empty_database)
    assert schema.is_current(empty_database)
    with psycopg.connect(empty_database) as connection:
        row = connection.execute("SELECT pg_get_viewdef('staging.v_ic_notes_staging'::regclass)").fetchone()
        assert row is not None
        assert "'Nothing'" in row[0]
        assert connection.execute("SELECT count(*) FROM public.mine").fetchone() == (0,)


def test_a_view_with_other_columns_is_made_anew_and_keeps_the_rights_on_it(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("GRANT SELECT ON staging.v_ic_notes_staging TO PUBLIC")
    other_text(monkeypatch, NOTES, f"{NOTES}    1 AS one,\n")
    schema.ensure(empty_database)
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT one FROM staging.v_ic_notes_staging").fetchall() == []
        assert connection.execute(
            "SELECT has_table_privilege('public', 'staging.v_ic_notes_staging', 'SELECT'),"
            " has_table_privilege('public', 'staging.v_ic_calls_staging', 'SELECT')"
        ).fetchone() == (True, False)


def test_a_view_of_somebody_else_in_the_way_is_named_in_one_line_and_nothing_is_changed(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute(MINE)
    before = objects(empty_database)
    other_text(monkeypatch, NOTES, f"{NOTES}    1 AS one,\n")
    with pytest.raises(Refused, match=r"view mine depends on view staging\.v_ic_notes_staging.*Drop it"):
        schema.ensure(empty_database)
    with pytest.raises(Refused, match=r"cannot be removed: view mine depends on"):
        schema.downgrade(empty_database)
    assert objects(empty_database) == before
    with psycopg.connect(empty_database) as connection:
        connection.execute("DROP VIEW public.mine")
    schema.ensure(empty_database)
    assert schema.is_current(empty_database)


LEDGERS = ("push_ledger", "push_plan", "push_preview", "push_rollback_record")


def test_the_ledger_keeps_what_it_holds_when_its_key_becomes_text_and_a_number_again(empty_database: str) -> None:
    upgrade_to(empty_database, "0025")
    with psycopg.connect(empty_database) as connection:
        connection.execute("INSERT INTO hubspot.portal (portal_id, base_url) VALUES (1, 'x')")
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, communication_id, object_type, part, activity_type, activity_month,"
            " state, action) SELECT 1, id, 'calls', 1, 'calls', '2019-03-01', 'pending', 'create'"
            " FROM unnest(ARRAY[9, 10, 9007199254740993]) AS id"
        )
        connection.execute(
            "INSERT INTO hubspot.push_plan VALUES (1, 'calls', 9, 1, 'calls', '2019-03-01', false, NULL)"
        )
        connection.execute("INSERT INTO hubspot.push_preview VALUES (1, 9, 'calls', 1, 'create')")
        connection.execute(
            "INSERT INTO hubspot.push_rollback_record (push_id, portal_id, communication_id, object_type, part, hubspot_id,"
            " outcome, before, recorded_at) VALUES (1, 1, 9, 'calls', 1, 7, 'archived', '{}', now())"
        )
        before = {name: rows_of(connection, name, "communication_id") for name in LEDGERS}
    schema.ensure(empty_database)
    with psycopg.connect(empty_database) as connection:
        keys = connection.execute("SELECT record_key FROM hubspot.push_ledger ORDER BY record_key").fetchall()
        assert keys == [("10",), ("9",), ("9007199254740993",)]  # as bytes, whatever the database's collation
        assert {name: rows_of(connection, name, "record_key") for name in LEDGERS} == {
            name: [[str(key), rest] for key, rest in rows] for name, rows in before.items()
        }
    with schema._locked(empty_database) as connection:
        schema._drop_repeatable(schema._driver(connection))
        command.downgrade(schema._config(connection), "0025")
    with psycopg.connect(empty_database) as connection:
        assert {name: rows_of(connection, name, "communication_id") for name in LEDGERS} == before


def rows_of(connection: psycopg.Connection, table: str, key: str) -> list[list[object]]:
    """The key of each row, and the rest of it."""
    found = connection.execute(
        f"SELECT {key}, to_jsonb(t) - '{key}' FROM hubspot.{table} AS t ORDER BY {key}::bigint".encode()
    )
    return [list(row) for row in found.fetchall()]


def test_a_downgrade_leaves_nothing_of_ours_and_the_schema_can_be_made_again(empty_database: str) -> None:
    schema.upgrade(empty_database)
    before = objects(empty_database)
    schema.downgrade(empty_database)
    assert objects(empty_database) == set()
    with psycopg.connect(empty_database) as connection:
        left = "SELECT nspname FROM pg_namespace WHERE nspname IN ('staging', 'hubspot', 'crm')"
        assert connection.execute(left).fetchall() == []
    schema.upgrade(empty_database)
    assert objects(empty_database) == before


def test_a_downgrade_leaves_what_is_not_ours(empty_database: str) -> None:
    """A table of somebody else's, and a reconciliation table that stood before us, with its rows."""
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute("CREATE TABLE staging.theirs (id integer)")
        connection.execute(
            "CREATE TABLE staging.contacts_reconciliation"
            " (legacy_contact_id bigint UNIQUE, hubspot_contact_id bigint, note text)"
        )
        connection.execute("INSERT INTO staging.contacts_reconciliation VALUES (1, 2, 'by hand')")
    schema.upgrade(empty_database)
    schema.downgrade(empty_database)
    assert {name for name in objects(empty_database) if name.startswith("relation")} == {
        "relation staging.theirs",
        "relation staging.contacts_reconciliation",
        "relation staging.contacts_reconciliation_legacy_contact_id_key",
    }
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT * FROM staging.contacts_reconciliation").fetchall() == [(1, 2, "by hand")]


def test_a_reconciliation_table_without_the_columns_for_people_works(
    empty_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute(
            "CREATE TABLE staging.contacts_reconciliation (legacy_contact_id bigint UNIQUE, hubspot_contact_id bigint)"
        )
        connection.execute("INSERT INTO staging.contacts_reconciliation VALUES (1, 91), (2, 92)")
    schema.upgrade(empty_database)
    file = tmp_path_factory.mktemp("reconciliation") / "contacts.csv"
    file.write_text("legacy_id,hubspot_id,name,email\n2,,Ada,ada@example.com\n3,93,Bo,bo@example.com\n")
    with psycopg.connect(empty_database) as connection:
        assert schema_problems(connection) == []
        done = matches.reconcile(connection, matches.ENTITIES["contacts"], file)
        assert (done.changed, done.unchanged, done.without_hubspot_id) == (2, 0, 1)
        rows = connection.execute("SELECT * FROM staging.contacts_reconciliation ORDER BY 1").fetchall()
    assert rows == [(1, 91), (2, None), (3, 93)]


# -- contracts beside the catalog --------------------------------------------------------------------

KINDS = {"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz"}


def catalog(connection: psycopg.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Name, type, whether it is NOT NULL, in the table's order."""
    rows = connection.execute(
        "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
        " WHERE table_schema = 'staging' AND table_name = %s ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    return [(name, KINDS.get(kind, kind), required) for name, kind, required in rows]


@pytest.mark.parametrize("name", DERIVATIVE_COLUMNS)
def test_each_derivative_table_is_as_its_contract_declares_it(database: str, name: str) -> None:
    declared = DERIVATIVE_COLUMNS[name]
    with psycopg.connect(database) as connection:
        # In any order: a column that a later revision adds stands last in the table, and where it belongs in the contract.
        assert sorted(catalog(connection, f"ic_{name}")) == sorted((c.name, c.kind, c.required) for c in declared)
        checks = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            (f"staging.ic_{name}",),
        ).fetchall()
    values: dict[str, set[str]] = {}
    for (text,) in checks:
        found = re.match(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)$", text)
        if found:
            values[found[1]] = set(re.findall(r"'([^']+)'::text", found[2]))
    assert values == {column.name: set(column.values) for column in declared if column.values}


@pytest.mark.parametrize("table", ["ic_communication_landing", "ic_communication_master"])
def test_the_22_columns_of_a_drop_stand_in_the_landing_and_the_master(database: str, table: str) -> None:
    with psycopg.connect(database) as connection:
        names = {column.name for column in COLUMNS}
        found = [column for column in catalog(connection, table) if column[0] in names]
    assert found == [(column.name, column.kind, column.required) for column in COLUMNS]


def test_the_master_has_the_columns_of_the_data_dictionary(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = [name for name, _, _ in catalog(connection, "ic_communication_master")]
    assert len(COLUMNS) == 22
    own = [name for name in found if name not in {column.name for column in COLUMNS}]
    assert own == [
        "id",
        "derived_activity_type",
        "is_task_eligible",
        "hubspot_contact_id",
        "hubspot_company_id",
        "hubspot_deal_id",
        "is_orphaned",
        "staging_status",
        "error_message",
        "created_at",
        "processed_at",
        "last_updated",
        "source_drop",
        "source_line",
    ]


def test_every_documented_view_can_be_read_and_nothing_is_wrong_with_a_fresh_schema(database: str) -> None:
    with psycopg.connect(database) as connection:
        for view in VIEWS:
            connection.execute(sql.SQL("SELECT * FROM staging.{}").format(sql.Identifier(view))).fetchall()
        assert schema_problems(connection) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DROP VIEW staging.v_ic_activities_summary", "v_ic_activities_summary is missing"),
        ("ALTER TABLE staging.ic_calls RENAME call_notes TO notes", "ic_calls lacks call_notes"),
        (
            "ALTER TABLE staging.ic_communication_master DROP CONSTRAINT"
            " ic_communication_master_comm_communicationid_key",
            "no unique key on comm_communicationid",
        ),
        (
            "ALTER TABLE staging.ic_notes ADD CONSTRAINT never CHECK (id > 0) NOT VALID",
            "never",
        ),
    ],
)
def test_a_damaged_schema_is_described(database: str, damage: str, words: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(f"SET LOCAL client_min_messages = error; {damage} ".encode())
        problems = schema_problems(connection)
        connection.rollback()
    assert any(words in problem for problem in problems), problems


# The examples of the data dictionary, section 3: type, priority, has a case id, result.
CLASSIFIED = [
    *((kind, None, False, "calls") for kind in ("call", "phone", "voip", "zoom", "telephone", "phonecall")),
    *((kind, None, False, "emails") for kind in ("email", "e-mail")),
    *((kind, None, False, "meetings") for kind in ("meeting", "appointment", "visit", "demo", "presentation")),
    *((kind, None, False, "notes") for kind in ("note", "comment", "annotation", "memo")),
    *((kind, None, False, "tasks") for kind in ("task", "todo", "to-do", "follow-up", "followup", "action")),
    *((kind, None, False, "communications") for kind in ("sms", "text", "linkedin", "whatsapp", "wa", "message")),
    *((kind, None, False, "postal_mail") for kind in ("postal", "letter")),
    *(("case", priority, True, "tasks") for priority in ("high", "urgent", "critical", " High ", "URGENT")),
    *(("case", priority, True, "notes") for priority in ("low", "normal", "", None, "very high", "1")),
    ("case", "high", False, "notes"),
    ("call", "high", True, "calls"),
    *((kind, None, False, "notes") for kind in ("mail", "phone call", "sales meeting", "fax", "", None)),
    (" CALL ", None, False, "calls"),
    ("\u00a0Zoom\t\n", None, False, "calls"),
    ("E-Mail", None, False, "emails"),
    ("to do", None, False, "notes"),
]


def test_the_function_classifies_the_documented_examples(database: str) -> None:
    with psycopg.connect(database) as connection:
        classification.sync_classification(connection)
        wrong = []
        for kind, priority, has_case, expected in CLASSIFIED:
            found = connection.execute(
                "SELECT staging.classify_activity_type(%s, %s, %s)", (kind, priority, 17 if has_case else None)
            ).fetchone()
            if found != (expected,):
                wrong.append((kind, priority, has_case, found))
    assert wrong == []


def test_a_value_of_the_classification_names_its_channel_exactly_when_it_is_a_message(database: str) -> None:
    with psycopg.connect(database) as connection:
        classification.sync_classification(connection)
        rows = connection.execute(
            "SELECT comm_type, channel_type FROM staging.ic_activity_classification"
            " WHERE channel_type IS NOT NULL AND comm_action = '*'"
        ).fetchall()
    assert dict(rows) == {
        "sms": "SMS",
        "text": "SMS",
        "message": "SMS",
        "linkedin": "LINKEDIN_MESSAGE",
        "whatsapp": "WHATS_APP",
        "wa": "WHATS_APP",
    }
