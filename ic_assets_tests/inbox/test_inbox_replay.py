"""Replay: a flow's tables built anew beside the present ones, compared, put in place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ic_assets.commands import replay as command
from ic_assets.core import session
from ic_assets.core.failures import Refused
from ic_assets.core.sql import placed
from ic_assets.inbox.envelope import Envelope
from ic_assets.inbox.events import store
from ic_assets.inbox.registry import Flow, Rebuilt, Registry, Replay, Takes
from ic_assets.inbox.replay import Replayed, replay
from ic_assets.inbox.taking import Batch, take
from ic_assets_tests.inbox_cases import Added, envelope, prepared, states, totals

MORE = (
    "CREATE TABLE counter.choice (name text PRIMARY KEY, who text NOT NULL)",
    "ALTER TABLE counter.total ADD COLUMN changed_at timestamptz NOT NULL DEFAULT clock_timestamp()",
    "CREATE TABLE counter.note (name text REFERENCES counter.total (name), place int, text text, PRIMARY KEY (name, place))",
    "CREATE TABLE counter.woken (name text)",
    "CREATE FUNCTION counter.wake() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO counter.woken VALUES (new.name); RETURN new; END'",
    "CREATE TRIGGER wake AFTER INSERT OR UPDATE ON counter.total FOR EACH ROW EXECUTE FUNCTION counter.wake()",
)


def count(batch: Batch) -> None:
    """Keeps the events, adds them up by name, and notes each amount of a name in its place."""
    batch.connection.execute(
        placed(
            "UPDATE pg_temp.ic_batch AS b SET state = 'set_aside', reason = 'too_much' FROM inbox.event AS e"
            " WHERE e.id = b.id AND (e.body ->> 'amount')::numeric > 100"
        ).encode()
    )
    keep = placed(
        "INSERT INTO counter.added SELECT e.event_id, e.source, e.topic, e.occurred_at, e.received_at, e.verified_by, e.body"
        " FROM {events} AS e INNER JOIN pg_temp.ic_batch AS b ON b.id = e.id WHERE b.state = 'done'"
        " ON CONFLICT (event_id) DO UPDATE SET body = excluded.body"
    )
    batch.connection.execute(psycopg.sql.SQL(keep).format(events=batch.events))
    for statement in (
        "INSERT INTO counter.total (name, amount) SELECT a.body ->> 'name', sum((a.body ->> 'amount')::numeric)"
        " FROM counter.added AS a GROUP BY 1 ON CONFLICT (name) DO UPDATE SET amount = excluded.amount,"
        " changed_at = clock_timestamp() WHERE total.amount <> excluded.amount",
        "DELETE FROM counter.note",
        "INSERT INTO counter.note SELECT a.body ->> 'name', row_number() OVER (PARTITION BY a.body ->> 'name'"
        " ORDER BY a.occurred_at, a.event_id), a.body ->> 'amount' FROM counter.added AS a",
    ):
        batch.connection.execute(placed(statement).encode())


TABLES = (
    Rebuilt("added", ["event_id"], since="occurred_at"),
    Rebuilt("total", ["name"], ignored=["id", "changed_at"]),
    Rebuilt("note", ["name", "place"]),
)
FLOW = Flow(
    "counter",
    [Takes("shop", "added", Added)],
    count,
    archive="counter.added",
    replay=Replay("counter", TABLES, given=["choice"]),
)
REGISTRY = Registry(flows=[FLOW])


@pytest.fixture
def database(module_database: str) -> str:
    """One for all tests: each begins with an empty inbox."""
    return module_database


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with prepared(database, MORE) as connection:
        yield connection


def day(event_id: str, number: int, amount: str = "1", name: str = "a") -> Envelope:
    return envelope(
        f'{{"topic":"added","event_id":"{event_id}","occurred_at":"2026-03-{number:02}T12:00:00Z",'
        f'"name":"{name}","amount":{amount}}}'
    )


def fill(connection: psycopg.Connection[Any]) -> None:
    events = [day("1", 1, "0.10"), day("2", 2, "2"), day("3", 3, "3", "b"), day("4", 4, "1000")]
    store(connection, events, REGISTRY)
    take(connection, FLOW)
    connection.execute("INSERT INTO counter.choice VALUES ('a', 'Ada')")
    connection.execute("TRUNCATE counter.woken")
    connection.commit()


def looked(database: str, since: datetime | None = None, flow: Flow = FLOW) -> Replayed:
    """A replay of which nothing is kept, on a connection of its own."""
    with session.connect(database) as other, other.transaction(force_rollback=True):
        return replay(other, flow, since)


def applied(database: str, since: datetime | None = None) -> Replayed:
    with session.connect(database) as other:
        return replay(other, FLOW, since, apply=True)


def told(found: Replayed) -> list[tuple[str, int, int, int, dict[str, int]]]:
    return [(one.table, one.gone, one.new, one.changed, one.columns) for one in found.tables if one.differs]


def everything(connection: psycopg.Connection[Any]) -> list[Any]:
    tables = ("added", "total", "note", "choice", "woken")
    return [
        sorted(connection.execute(f"SELECT * FROM counter.{table}".encode()).fetchall(), key=str) for table in tables
    ]


def test_a_replay_of_what_stands_differs_in_nothing_twice(connection: psycopg.Connection[Any], database: str) -> None:
    fill(connection)
    before = everything(connection)
    connection.commit()
    found = looked(database)
    assert (found.events, found.not_taken, told(found)) == (3, {}, [])
    assert [one.rows for one in found.tables] == [3, 2, 3]
    assert not applied(database).differs
    assert not applied(database).differs
    assert everything(connection) == before
    left = connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'ic_replay'::regnamespace")
    assert left.fetchone() == (0,)


def break_it(connection: psycopg.Connection[Any]) -> None:
    for statement in (
        "UPDATE counter.total SET amount = 7 WHERE name = 'a'",
        "DELETE FROM counter.note WHERE name = 'b'",
        "DELETE FROM counter.added WHERE event_id = '3'",
        "INSERT INTO counter.total (name, amount) VALUES ('nobody', 1)",
        "TRUNCATE counter.woken",
    ):
        connection.execute(statement.encode())
    connection.commit()


BROKEN = [
    ("counter.added", 0, 1, 0, {}),
    ("counter.total", 1, 0, 1, {"amount": 1}),
    ("counter.note", 0, 1, 0, {}),
]


def test_what_differs_is_told_and_nothing_changed_until_it_is_applied(
    connection: psycopg.Connection[Any], database: str
) -> None:
    fill(connection)
    break_it(connection)
    before = everything(connection)
    connection.commit()
    found = looked(database)
    assert told(found) == BROKEN
    assert [one.first for one in found.tables] == [[["3"]], [["a"], ["nobody"]], [["b", "1"]]]
    assert everything(connection) == before
    connection.commit()
    ids = dict(connection.execute("SELECT name, id FROM counter.total").fetchall())
    connection.commit()
    assert told(applied(database)) == BROKEN
    assert totals(connection) == {"a": Decimal("2.10"), "b": Decimal(3)}
    # Rows that stay keep their surrogate ids; what was changed wakes who depends on it, and nothing else.
    assert dict(connection.execute("SELECT name, id FROM counter.total").fetchall()) == {
        name: ids[name] for name in ("a", "b")
    }
    assert connection.execute("SELECT name FROM counter.woken").fetchall() == [("a",)]
    assert connection.execute("SELECT * FROM counter.choice").fetchall() == [("a", "Ada")]
    connection.commit()
    assert not looked(database).differs


def test_what_the_inbox_no_longer_holds_is_read_from_the_archive(
    connection: psycopg.Connection[Any], database: str
) -> None:
    fill(connection)
    connection.execute("DELETE FROM inbox.event WHERE event_id IN ('1', '3')")
    connection.execute("UPDATE counter.total SET amount = 7")
    connection.commit()
    assert told(looked(database)) == [("counter.total", 0, 0, 2, {"amount": 2})]
    assert looked(database).events == 3


def test_since_a_date_rows_before_it_stay_as_they_are(connection: psycopg.Connection[Any], database: str) -> None:
    fill(connection)
    connection.execute("UPDATE counter.added SET verified_by = 'hand' WHERE event_id IN ('1', '3')")
    connection.commit()
    found = looked(database, datetime(2026, 3, 2, tzinfo=UTC))
    assert (found.events, told(found)) == (2, [("counter.added", 0, 0, 1, {"verified_by": 1})])
    applied(database, datetime(2026, 3, 2, tzinfo=UTC))
    hands = connection.execute("SELECT event_id FROM counter.added WHERE verified_by = 'hand'").fetchall()
    assert hands == [("1",)]
    assert totals(connection) == {"a": Decimal("2.10"), "b": Decimal(3)}


def test_events_that_the_flow_would_not_take_any_more_are_told_and_set_aside_when_applied(
    connection: psycopg.Connection[Any], database: str
) -> None:
    fill(connection)
    connection.execute("UPDATE inbox.event SET body = jsonb_set(body, '{amount}', '500') WHERE event_id = '2'")
    connection.commit()
    found = looked(database)
    assert found.not_taken == {"too_much": 1}
    assert states(connection)["2"] == ("done", None)
    connection.commit()
    applied(database)
    assert states(connection)["2"] == ("set_aside", "too_much")
    assert totals(connection) == {"a": Decimal("0.10"), "b": Decimal(3)}


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO counter.choice VALUES ('b', 'Bo')", "UPDATE inbox.event SET reason = 'x' WHERE state = 'done'"],
)
def test_a_flow_that_writes_past_the_replay_is_refused(
    connection: psycopg.Connection[Any], database: str, statement: str
) -> None:
    def careless(batch: Batch) -> None:
        count(batch)
        batch.connection.execute(statement.encode())

    fill(connection)
    other = Flow(FLOW.name, FLOW.takes, careless, archive=FLOW.archive, replay=FLOW.replay)
    with pytest.raises(
        Refused, match=r"counter wrote to (counter\.choice|inbox\.event) while its tables were built anew"
    ):
        looked(database, flow=other)


def test_a_look_locks_nothing_that_others_need(connection: psycopg.Connection[Any], database: str) -> None:
    fill(connection)
    with session.connect(database) as other, other.transaction(force_rollback=True):
        replay(other, FLOW)
        connection.execute("SET lock_timeout = '1s'")
        store(connection, [day("5", 5)], REGISTRY)
        take(connection, FLOW)
        connection.execute("UPDATE counter.total SET amount = 0")
        connection.commit()
        with pytest.raises(Refused, match="another replay is at work"):
            looked(database)


def test_two_replays_one_after_the_other_and_a_flow_without_one(
    connection: psycopg.Connection[Any], database: str
) -> None:
    fill(connection)
    assert looked(database).events == looked(database).events == 3
    plain = Flow("plain", FLOW.takes, count)
    with pytest.raises(Refused, match="plain has no tables that can be built anew"):
        looked(database, flow=plain)


def test_the_command(
    connection: psycopg.Connection[Any],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    monkeypatch.setattr("ic_assets.commands.replay.registry", lambda: REGISTRY)
    fill(connection)
    run: Callable[..., int] = command.replay
    assert run("counter", None, apply=False, full=False, as_json=True) == 0
    break_it(connection)
    assert run("counter", None, apply=False, full=True, as_json=True) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["differs"], found["applied"], found["tables"][0]["first"]) == (True, False, [["3"]])
    assert run("counter", "2026-03-01", apply=True, full=False, as_json=False) == 0
    assert "The tables are those of the replay now." in capsys.readouterr().out
    assert run("counter", None, apply=False, full=False, as_json=True) == 0
    with pytest.raises(Refused, match="there is no flow 'count' that takes events; there are: counter"):
        run("count", None, apply=False, full=False, as_json=True)
    with pytest.raises(Refused, match="--since 'March' is not a date"):
        run("counter", "March", apply=False, full=False, as_json=True)
