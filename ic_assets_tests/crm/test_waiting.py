"""How a change wakes who depends on it: one row per key, whatever commits late, and removed only when nothing came since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from ic_assets.crm import field_lock, waiting
from ic_assets.crm.person_edit import apply_person_edit
from ic_assets_tests.crm.centre import NOW, company, edit, wants

WAITING = sql.Identifier("funnel", "waiting")
CENTRE, LOCKS = "table:crm.company_profile_meta_data", "table:crm.field_lock"


@pytest.fixture(scope="module")
def watched(module_database: str) -> str:
    """A database with a consumer that depends on plan and country of companies, on locks of plans, and on ARR ranges."""
    with psycopg.connect(module_database) as connection:
        for statement in (
            "CREATE SCHEMA funnel",
            "CREATE TABLE funnel.waiting (company text PRIMARY KEY, version bigint NOT NULL, causes text[] NOT NULL,"
            " since timestamptz NOT NULL)",
            "SELECT crm.make_wake('funnel.wake', 'funnel.waiting', 'company')",
            "SELECT crm.watch('funnel', 'funnel.wake', 'crm.company_profile_meta_data', 'company',"
            " '{plan_id,country,cs_stage}')",
            "SELECT crm.watch('funnel', 'funnel.wake', 'crm.field_lock', 'company', '{locked_until}',"
            " $$r.field IN ('plan_id', 'cs_stage')$$)",
            "SELECT crm.watch('funnel', 'funnel.wake', 'crm.company_profile_arr_range', 'company', '{arr_range}')",
        ):
            connection.execute(statement.encode())
    return module_database


@pytest.fixture
def connection(watched: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(watched) as opened:
        clear(opened)
        for name in ("C-1", "C-2", "C-3"):
            company(opened, name)
        rest(opened)
        opened.commit()
        yield opened


def clear(connection: psycopg.Connection) -> None:
    for table in ("company_profile_meta_data", "company_change_log", "company_profile_arr_range", "field_lock"):
        connection.execute(f"DELETE FROM crm.{table}".encode())
    rest(connection)


def rest(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM funnel.waiting")


def woken(connection: psycopg.Connection) -> dict[str, list[str]]:
    rows = connection.execute("SELECT company, causes FROM funnel.waiting ORDER BY company").fetchall()
    return dict(rows)


def test_a_row_that_comes_differs_or_goes_wakes_its_company_and_nothing_else_does(
    connection: psycopg.Connection,
) -> None:
    connection.execute("UPDATE crm.company_profile_meta_data SET plan_id = 'pro' WHERE company <> 'C-3'")
    assert woken(connection) == {"C-1": [CENTRE], "C-2": [CENTRE]}
    rest(connection)
    connection.execute("UPDATE crm.company_profile_meta_data SET current_mrr = 1, plan_id = plan_id")
    connection.execute("INSERT INTO crm.field_lock VALUES ('C-1', 'country', now(), 'hubspot:1', 'e', now())")
    assert woken(connection) == {}
    connection.execute("INSERT INTO crm.field_lock VALUES ('C-2', 'plan_id', now(), 'hubspot:1', 'e', now())")
    connection.execute("DELETE FROM crm.company_profile_meta_data WHERE company = 'C-3'")
    assert woken(connection) == {"C-2": [LOCKS], "C-3": [CENTRE]}
    rest(connection)
    connection.execute("DELETE FROM crm.field_lock")
    assert woken(connection) == {"C-2": [LOCKS]}


def test_a_row_that_changes_its_company_wakes_both(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO crm.company_profile_arr_range (company) VALUES ('C-1')")
    rest(connection)
    connection.execute("UPDATE crm.company_profile_arr_range SET company = 'C-2'")
    assert sorted(woken(connection)) == ["C-1", "C-2"]


def test_the_cause_is_the_events_and_a_consumers_own_writes_wake_nothing(connection: psycopg.Connection) -> None:
    wants(connection, "payments", "('C-1', 'event-1', 'pro'), ('C-2', 'event-2', 'pro')", "plan_id")
    assert woken(connection) == {"C-1": ["event-1"], "C-2": ["event-2"]}
    rest(connection)
    wants(connection, "funnel", "('C-1', 'event-1', 'cs_error')", "cs_stage")
    assert woken(connection) == {}
    apply_person_edit(connection, [edit("cs_stage", "cs_sbp", 1, cause="event-3")], lock_days=90, now=NOW)
    assert woken(connection) == {"C-1": ["event-3"]}
    rest(connection)
    field_lock.release(connection, "C-1", "cs_stage", now=NOW)
    assert woken(connection) == {"C-1": [LOCKS]}
    connection.execute("UPDATE crm.company_profile_meta_data SET country = 'DE' WHERE company = 'C-2'")
    assert woken(connection)["C-2"] == [CENTRE]


def test_what_commits_late_is_not_lost(connection: psycopg.Connection, watched: str) -> None:
    """The first writes, the second writes after it and commits before it: who keeps the last id he saw loses the first."""
    with psycopg.connect(watched) as slow:
        wants(slow, "payments", "('C-1', 'event-1', 'pro')", "plan_id")
        wants(connection, "payments", "('C-2', 'event-2', 'pro')", "plan_id")
        connection.commit()
        taken = waiting.take(connection, WAITING)
        assert [one.key for one in taken] == ["C-2"]
        assert waiting.remove(connection, WAITING, taken) == 1
        connection.commit()
        slow.commit()
    assert [(one.key, one.causes) for one in waiting.take(connection, WAITING)] == [("C-1", ("event-1",))]


def test_what_was_woken_since_it_was_seen_stays(connection: psycopg.Connection) -> None:
    wants(connection, "payments", "('C-1', 'event-1', 'pro'), ('C-2', 'event-1', 'pro')", "plan_id")
    taken = waiting.take(connection, WAITING)
    wants(connection, "payments", "('C-1', 'event-2', 'max')", "plan_id")
    assert waiting.remove(connection, WAITING, taken) == 1
    assert woken(connection) == {"C-1": ["event-1", "event-2"]}


def test_a_row_that_was_removed_and_came_again_is_another(connection: psycopg.Connection) -> None:
    wants(connection, "payments", "('C-1', 'event-1', 'pro')", "plan_id")
    seen = waiting.take(connection, WAITING)
    rest(connection)
    wants(connection, "payments", "('C-1', 'event-2', 'max')", "plan_id")
    assert waiting.remove(connection, WAITING, seen) == 0


def test_two_consumers_never_take_one_company(connection: psycopg.Connection, watched: str) -> None:
    connection.execute("UPDATE crm.company_profile_meta_data SET plan_id = 'pro'")
    connection.commit()
    with psycopg.connect(watched) as other:
        assert [one.key for one in waiting.take(connection, WAITING, most=2)] == ["C-1", "C-2"]
        assert [one.key for one in waiting.take(other, WAITING)] == ["C-3"]


NAMES = [f"C-{number}" for number in range(8)]


def write_plans(watched: str, start: int) -> None:
    with psycopg.connect(watched) as connection:
        for turn in range(30):
            mine = [NAMES[(start + turn + n) % len(NAMES)] for n in range(4)]
            rows = ", ".join(f"('{name}', 'e{start}-{turn}', 'p{start}-{turn}')" for name in mine)
            wants(connection, "payments", rows, "plan_id")
            connection.commit()


def write_ranges(watched: str) -> None:
    """Without the companies' rows: it wakes companies that the consumer holds."""
    with psycopg.connect(watched) as connection:
        for turn in range(60):
            connection.execute(
                "INSERT INTO crm.company_profile_arr_range (company, arr_range) SELECT name, %s || '+'"
                " FROM unnest(%s::text[]) AS name ORDER BY name"
                " ON CONFLICT (company) DO UPDATE SET arr_range = excluded.arr_range",
                (turn, NAMES),
            )
            connection.commit()


def consume(watched: str, over: threading.Event, judged: dict[str, str | None]) -> None:
    with psycopg.connect(watched) as connection:
        taken: list[waiting.Waiting] = []
        while taken or not over.is_set() or woken(connection):
            taken = waiting.take(connection, WAITING, most=5)
            rows = connection.execute(
                "SELECT company, plan_id FROM crm.company_profile_meta_data WHERE company = ANY(%s)",
                ([one.key for one in taken],),
            )
            judged.update(rows.fetchall())
            waiting.remove(connection, WAITING, taken)
            connection.commit()


def test_writers_and_a_consumer_at_work_on_the_same_companies_never_wait_in_a_circle(watched: str) -> None:
    """A deadlock would end one of them with an error; and in the end nothing that changed was left undone."""
    with psycopg.connect(watched) as connection:
        clear(connection)
        for name in NAMES:
            company(connection, name)
    over = threading.Event()
    judged: dict[str, str | None] = {}
    with ThreadPoolExecutor(4) as pool:
        consumer = pool.submit(consume, watched, over, judged)
        writers = [pool.submit(write_plans, watched, start) for start in (0, 3)] + [pool.submit(write_ranges, watched)]
        try:
            for writer in writers:
                writer.result(60)
        finally:
            over.set()
        consumer.result(60)
    with psycopg.connect(watched) as connection:
        assert woken(connection) == {}
        standing = connection.execute("SELECT company, plan_id FROM crm.company_profile_meta_data").fetchall()
    assert judged == dict(standing)


def test_a_waiting_table_with_more_columns_of_its_own_and_another_key(watched: str) -> None:
    """As a sink has it: a row per sink and company."""
    with psycopg.connect(watched) as connection:
        clear(connection)
        connection.execute("CREATE SCHEMA sinks")
        connection.execute(
            "CREATE TABLE sinks.waiting (sink text, who text, version bigint NOT NULL, causes text[] NOT NULL,"
            " since timestamptz NOT NULL, PRIMARY KEY (sink, who))"
        )
        for sink in ("canny", "intercom"):
            connection.execute(
                "SELECT crm.make_wake(%s, 'sinks.waiting', 'who', jsonb_build_object('sink', %s::text))",
                (f"sinks.wake_{sink}", sink),
            )
            connection.execute(
                "SELECT crm.watch(%s, %s, 'crm.company_profile_meta_data', 'company', '{plan_id}')",
                (f"sink_{sink}", f"sinks.wake_{sink}"),
            )
        company(connection)
        found = connection.execute("SELECT sink, who FROM sinks.waiting ORDER BY sink").fetchall()
        assert found == [("canny", "C-1"), ("intercom", "C-1")]
        connection.execute("DELETE FROM sinks.waiting")
        connection.execute("SELECT crm.unwatch('sink_canny')")
        company(connection, "C-2")
        assert connection.execute("SELECT sink, who FROM sinks.waiting").fetchall() == [("intercom", "C-2")]
        connection.rollback()
