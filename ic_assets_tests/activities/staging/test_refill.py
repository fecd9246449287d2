"""A first load that fills empty tables at once, beside the ordinary way: the same rows, the same keys, whatever happens."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, reconcile
from ic_assets.activities.engine.staging import classification, refill, slices, stages
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core import schema
from ic_assets.core.failures import Unavailable
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.resources import postgres
from ic_assets_tests import processes
from ic_assets_tests.drops import bring_up_to_date, land, opened, reconcile_everything, row, write_drop
from ic_assets_tests.e2e.hostile_drops import Scenario, scenario

TABLES = (
    "ic_drop",
    "ic_communication_landing",
    "ic_rejected_row",
    "ic_field_warning",
    "ic_month_stage",
    "reconciliation_log",
    "ic_communication_master",
    "ic_payload_part",
    *(activity.table for activity in ACTIVITY_TYPES),
)
# Given by sequences and clocks. A communication's own id stands for the id of its row.
INCIDENTAL = {"id", "ic_communication_master_id", "change_number"}
EVERYTHING = Window(date(2000, 1, 1), date(2030, 1, 1))
SIX_TYPES = ("Call", "Email", "Meeting", "Note", "Task", "SMS")


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every first load goes by refill; the tables that were filled that way, the landing aside."""
    filled: list[str] = []
    refilled = refill.refilled

    @contextmanager
    def noted(connection: psycopg.Connection, table: str, *how: Any, **ways: Any) -> Iterator[bool]:
        with refilled(connection, table, *how, **ways) as is_empty:
            if is_empty and table != "ic_communication_landing":
                filled.append(table)
            yield is_empty

    monkeypatch.setattr(refill, "REFILL_FROM_ROWS", 1)
    monkeypatch.setattr(drop_landing, "_REFILL_FROM_BYTES", 0)
    monkeypatch.setattr(refill, "refilled", noted)
    return filled


def refill_everything(postgres_url: str) -> None:
    settings = Settings.from_env()
    with opened(postgres_url) as database:
        with database.transaction() as connection:
            classification.sync_classification(connection)
        with database.transaction() as connection:
            stages.apply_master(connection, EVERYTHING, settings, database)
        with database.transaction() as connection:
            stages.apply_resolution(connection, EVERYTHING, settings)
        done = [
            activity
            for activity, _ in slice_derivatives.apply_derivatives(database, ACTIVITY_TYPES, EVERYTHING, settings)
        ]
    assert sorted(done, key=str) == sorted(ACTIVITY_TYPES, key=str)


def contents(postgres_url: str) -> dict[str, list[str]]:
    """The rows of every table, and the keys and indexes of the schema."""
    with psycopg.connect(postgres_url) as connection:
        found = {table: rows(connection, table) for table in TABLES}
        found["keys"] = keys(connection)
    return found


def rows(connection: psycopg.Connection, table: str) -> list[str]:
    columns = {
        name: f"t.{name}"
        for name, kind in connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'staging' AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        if name not in INCIDENTAL and kind != "timestamp with time zone"
    }
    derived = table in {activity.table for activity in ACTIVITY_TYPES}
    if derived:
        columns["of"] = "m.comm_communicationid"
    listed = ", ".join(columns.values())
    joined = " JOIN staging.ic_communication_master AS m ON m.id = t.ic_communication_master_id" if derived else ""
    query = f"SELECT ROW({listed})::text FROM staging.{table} AS t{joined} ORDER BY 1"
    return [text for (text,) in connection.execute(query.encode())]


def keys(connection: psycopg.Connection) -> list[str]:
    return [
        text
        for (text,) in connection.execute(
            "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'staging'::regnamespace AND contype <> 'n'"
            " UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index INNER JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = 'staging'::regnamespace ORDER BY 1"
        )
    ]


def load(postgres_url: str, plan: Scenario, folder: Path) -> None:
    with opened(postgres_url) as database:
        for entity, data in plan.reconciliations.items():
            file = folder / f"{entity}.csv"
            file.write_bytes(data)
            with database.transaction() as connection:
                reconcile(connection, ENTITIES[entity], file)
    for drop in plan.commands[0]:
        file = folder / drop.name
        file.write_bytes(drop.data)
        land(postgres_url, file)


def test_a_refilled_database_is_the_one_that_the_ordinary_way_makes(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    plan = scenario(7, 500)
    for name, value in plan.environment.items():
        monkeypatch.setenv(name, value)
    load(database, plan, tmp_path)
    bring_up_to_date(database)
    expected = contents(database)
    assert all(expected[table] for table in TABLES), "each table has something to compare"

    schema.downgrade(database)
    schema.upgrade(database)
    filled = request.getfixturevalue("small_is_large")
    load(database, plan, tmp_path)
    refill_everything(database)
    assert sorted(filled) == sorted(["ic_communication_master", *(activity.table for activity in ACTIVITY_TYPES)])
    found = contents(database)
    for part, wanted in expected.items():
        assert found[part] == wanted, part


def test_a_second_drop_after_a_refill_goes_the_ordinary_way(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", (row(n, kind=SIX_TYPES[n % 6]) for n in range(1, 31))))
    refill_everything(database)
    small_is_large.clear()
    land(database, write_drop(tmp_path / "b.csv", [row(31, kind="Call"), row(7, kind="Call")]))
    refill_everything(database)
    # Nothing was ever postal mail: its table is still empty, and there is nothing to fill it with.
    assert small_is_large == []
    with psycopg.connect(database) as connection:
        counted = connection.execute("SELECT count(*) FROM staging.ic_calls").fetchone()
        assert counted == (5 + 2,)


def test_an_index_on_what_a_first_load_leaves_empty_is_not_made_again(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    made = "SELECT relname::text, oid::int FROM pg_class WHERE relname IN ('ic_calls_engagement', 'ic_calls_contact')"
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", (row(n) for n in range(1, 31))))
    with psycopg.connect(database, autocommit=True) as connection:
        before = dict(connection.execute(made).fetchall())
        refill_everything(database)
        after = dict(connection.execute(made).fetchall())
        assert after["ic_calls_engagement"] == before["ic_calls_engagement"]
        assert after["ic_calls_contact"] != before["ic_calls_contact"]
        # It follows what comes later, as the others do.
        connection.execute("UPDATE staging.ic_calls SET hubspot_engagement_id = 7000 + id")
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        found = "SELECT count(*) FROM staging.ic_calls WHERE hubspot_engagement_id > 7000"
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {found}".encode()))
        assert "ic_calls_engagement" in plan
        assert connection.execute(found.encode()).fetchone() == (30,)


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from datetime import date
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.staging import refill, stages
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database

refill.REFILL_FROM_ROWS = 1
refilled = refill.refilled

@contextmanager
def killed(connection, table, *how, **ways):
    with refilled(connection, table, *how, **ways) as is_empty:
        yield is_empty
        if table == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)

def killed_between(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

refill.refilled = killed
if sys.argv[2] == "none":
    slice_derivatives._settle_derivative = killed_between
settings = Settings.from_env()
database = Database(sys.argv[1], settings)
window = Window(date(2000, 1, 1), date(2030, 1, 1))
with database.transaction() as connection:
    stages.apply_master(connection, window, settings, database)
list(slice_derivatives.apply_derivatives(database, ACTIVITY_TYPES, window, settings))
"""


@pytest.mark.parametrize("table", ["ic_communication_master", "ic_emails"])
def test_a_refill_that_is_killed_leaves_nothing_and_the_next_run_makes_it_whole(
    database: str, tmp_path: Path, table: str, small_is_large: list[str]
) -> None:
    with psycopg.connect(database) as connection:
        sound = keys(connection)
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", (row(n, kind=SIX_TYPES[n % 6]) for n in range(1, 31))))
    with opened(database) as opened_database, opened_database.transaction() as connection:
        classification.sync_classification(connection)
    done = processes.run(database, table, code=KILLED)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with psycopg.connect(database) as connection:
        left = connection.execute(sql.SQL("SELECT count(*) FROM staging.{}").format(sql.Identifier(table))).fetchone()
        assert left == (0,)
        assert slices.out_of_date(connection) != []
    refill_everything(database)
    with psycopg.connect(database) as connection:
        assert slices.out_of_date(connection) == []
        assert keys(connection) == sound
        counted = connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone()
    assert counted == (5,)


def test_a_run_that_is_killed_when_all_is_filled_and_nothing_is_marked_goes_on_from_there(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", (row(n, kind=SIX_TYPES[n % 6]) for n in range(1, 31))))
    with opened(database) as opened_database, opened_database.transaction() as connection:
        classification.sync_classification(connection)
    done = processes.run(database, "none", code=KILLED)
    assert done.returncode == -signal.SIGKILL, done.stderr
    statuses = "SELECT staging_status, count(*) FROM staging.ic_communication_master GROUP BY 1 ORDER BY 1"
    with psycopg.connect(database) as connection:
        assert connection.execute(statuses).fetchall() == [("pending", 30)]
        assert connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone() == (5,)
        assert slices.out_of_date(connection) != []
    refill_everything(database)
    with psycopg.connect(database) as connection:
        assert connection.execute(statuses).fetchall() == [("processed", 30)]
        assert slices.out_of_date(connection) == []


def test_a_table_that_somebody_reads_is_filled_the_ordinary_way(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, kind="Email")]))
    with psycopg.connect(database) as reader:
        reader.execute("SELECT * FROM staging.ic_communication_master, staging.ic_emails")
        refill_everything(database)
    assert small_is_large == []
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone() == (1,)


def test_an_autovacuum_is_waited_for_until_it_gives_way(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    """It holds this lock, and gives way to who has waited for a second (deadlock_timeout)."""
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, kind="Email")]))
    with psycopg.connect(database) as vacuum:
        vacuum.execute("LOCK TABLE staging.ic_communication_master, staging.ic_emails IN SHARE UPDATE EXCLUSIVE MODE")
        release = threading.Timer(1.5, vacuum.rollback)
        release.start()
        refill_everything(database)
        release.join()
    assert sorted(small_is_large) == ["ic_calls", "ic_communication_master", "ic_emails"]


def test_a_role_that_does_not_own_the_tables_fills_them_the_ordinary_way(
    database: str, superuser_url: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    reconcile_everything(database)
    with psycopg.connect(superuser_url.replace("/postgres?", f"/{_name(database)}?")) as admin:
        for table in TABLES:
            name = sql.Identifier("staging", table)
            admin.execute(sql.SQL("ALTER TABLE {} OWNER TO postgres").format(name))
            admin.execute(sql.SQL("GRANT ALL ON {} TO ic_assets").format(name))
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, kind="Email")]))
    refill_everything(database)
    assert small_is_large == []
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM staging.ic_communication_landing").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone() == (1,)


def _name(postgres_url: str) -> str:
    name = make_url(postgres_url).database
    assert name
    return name


def test_a_run_of_some_months_leaves_the_tables_to_the_runs_of_others(
    database: str, tmp_path: Path, small_is_large: list[str]
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, "2019-04-05")]))
    march = Window(date(2019, 3, 1), date(2019, 4, 1))
    settings = Settings.from_env()
    with opened(database) as opened_database:
        with opened_database.transaction() as connection:
            classification.sync_classification(connection)
            stages.apply_master(connection, march, settings, opened_database)
        list(slice_derivatives.apply_derivatives(opened_database, ACTIVITY_TYPES, march, settings))
    assert small_is_large == ["ic_calls"], "all of the master lies in March"


def test_a_type_that_fails_leaves_the_others_done_and_its_own_table_as_it_was(
    database: str, tmp_path: Path, small_is_large: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", (row(n, kind=SIX_TYPES[n % 6]) for n in range(1, 31))))
    noted = refill.stream

    def faulty(*arguments: Any) -> int:
        if arguments[4] == "ic_emails":
            raise psycopg.errors.DiskFull("no space left")
        return noted(*arguments)

    monkeypatch.setattr(refill, "stream", faulty)
    with pytest.raises(Unavailable, match="no disk space left"):
        refill_everything(database)
    with psycopg.connect(database) as connection:
        done = connection.execute("SELECT stage FROM staging.ic_month_stage ORDER BY 1").fetchall()
        assert {stage for (stage,) in done} == {"master", "resolved", *(a.name for a in ACTIVITY_TYPES)} - {"emails"}
        assert connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone() == (0,)
    monkeypatch.setattr(refill, "stream", noted)
    refill_everything(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM staging.ic_emails").fetchone() == (5,)


SLOW = """
import signal, sys
from datetime import date
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database

signal.signal(signal.SIGINT, signal.default_int_handler)
apply = slice_derivatives.apply_derivative

def slow(connection, activity, *arguments):
    if activity.name == "calls":
        connection.execute("SELECT pg_sleep(120)")
    return apply(connection, activity, *arguments)

slice_derivatives.apply_derivative = slow
settings = Settings.from_env()
window = Window(date(2000, 1, 1), date(2030, 1, 1))
list(slice_derivatives.apply_derivatives(Database(sys.argv[1], settings), ACTIVITY_TYPES, window, settings))
"""


def test_an_interrupted_run_does_not_wait_for_the_statements_under_way(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, kind="Email")]))
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    with (
        psycopg.connect(database, autocommit=True) as connection,
        processes.start(database, code=SLOW, stderr=subprocess.PIPE) as child,
    ):
        try:
            for _ in range(600):
                if connection.execute(asleep).fetchone() == (1,):
                    break
                assert child.poll() is None
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            assert child.wait(30) != 0
        finally:
            child.kill()
        assert connection.execute(asleep).fetchone() == (0,)
        assert "KeyboardInterrupt" in (child.stderr.read() if child.stderr else "")


def test_a_look_at_a_table_that_is_being_filled_says_so_and_does_not_wait_for_the_end(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_LOOK_TIMEOUT", "100ms")
    with psycopg.connect(database) as load:
        load.execute("LOCK TABLE staging.ic_communication_master IN ACCESS EXCLUSIVE MODE")
        with (
            pytest.raises(Unavailable, match="a load is filling the tables"),
            postgres.connected(database, Settings.from_env()) as connection,
        ):
            connection.execute("SELECT * FROM staging.v_ic_activities_summary")


OBSTACLES = {
    "what rests on the key ic_communication_master_pkey: rule _RETURN on view company.by_key": [
        "CREATE VIEW company.by_key AS SELECT id, comm_subject, count(*) FROM staging.ic_communication_master GROUP BY id"
    ],
    "the foreign key remark_master_id_fkey of company.remark": [
        "CREATE TABLE company.remark (master_id bigint REFERENCES staging.ic_communication_master (id))"
    ],
    "the trigger audited": [
        "CREATE FUNCTION company.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER audited BEFORE INSERT ON staging.ic_communication_master FOR EACH ROW"
        " EXECUTE FUNCTION company.noted()",
    ],
    "row level security": ["ALTER TABLE staging.ic_communication_master ENABLE ROW LEVEL SECURITY"],
    "what was set for the index staging.ic_communication_master_comm_communicationid_key": [
        "ALTER TABLE staging.ic_communication_master REPLICA IDENTITY USING INDEX"
        " ic_communication_master_comm_communicationid_key"
    ],
    "a table that inherits": ["CREATE TABLE company.copied () INHERITS (staging.ic_communication_master)"],
    "the publication published": ["CREATE PUBLICATION published FOR TABLE staging.ic_communication_master"],
}


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda words: words.partition(" ic")[0].replace(" ", "_")[:30])
def test_what_somebody_put_on_our_tables_stays_and_the_rows_go_the_ordinary_way(
    database: str, superuser_url: str, tmp_path: Path, small_is_large: list[str], obstacle: str, caplog: Any
) -> None:
    reconcile_everything(database)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA company")
    superuser = make_url(superuser_url).set(database=_name(database)).render_as_string(hide_password=False)
    with psycopg.connect(superuser if "published" in obstacle else database) as connection:
        for each in OBSTACLES[obstacle]:
            connection.execute(each.encode())
    expected = contents(database)["keys"]
    land(database, write_drop(tmp_path / "a.csv", (row(n, kind=SIX_TYPES[n % 6]) for n in range(1, 13))))
    with caplog.at_level("INFO", logger="ic_assets"):
        refill_everything(database)
    assert "ic_communication_master" not in small_is_large
    assert any(obstacle in record.message and "fell_back" in record.message for record in caplog.records), caplog.text
    found = contents(database)
    assert len(found["ic_communication_master"]) == 12
    assert found["keys"] == expected


def test_a_key_that_something_unforeseen_rests_on_is_left_and_logged(
    database: str, tmp_path: Path, small_is_large: list[str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    reconcile_everything(database)
    with psycopg.connect(database) as connection:
        connection.execute(OBSTACLES[next(iter(OBSTACLES))][0].replace("company.", "public.").encode())
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2)]))
    monkeypatch.setattr(refill, "may_refill", refill._is_empty)
    with caplog.at_level("INFO", logger="ic_assets"):
        refill_everything(database)
    assert "ic_communication_master" not in small_is_large
    assert "reason='DependentObjectsStillExist'" in caplog.text
    assert len(contents(database)["ic_communication_master"]) == 2


@pytest.mark.parametrize("before", ["0", "5s"])
def test_the_limit_for_locks_ends_with_what_it_was_for(database: str, before: str) -> None:
    with psycopg.connect(database) as connection, psycopg.connect(database) as other:
        connection.execute(f"SET lock_timeout = '{before}'")
        refill.drop_constraint(connection, "ic_calls", "ic_calls_ic_communication_master_id_fkey")
        assert connection.execute("SHOW lock_timeout").fetchone() == (before,)
        with refill.refilled(connection, "ic_notes") as is_empty:
            assert is_empty
            assert connection.execute("SHOW lock_timeout").fetchone() == (before,)
        other.execute("LOCK TABLE staging.ic_emails IN ACCESS SHARE MODE")
        refill.drop_constraint(connection, "ic_emails", "ic_emails_ic_communication_master_id_fkey")
        with refill.refilled(connection, "ic_emails") as is_empty:
            assert not is_empty
        assert connection.execute("SHOW lock_timeout").fetchone() == (before,)
        connection.rollback()
