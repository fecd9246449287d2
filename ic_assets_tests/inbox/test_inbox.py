"""The inbox: what a batch becomes, what a flow takes, and that a commit carries both or neither."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ic_assets.core import session
from ic_assets.inbox import events, exact_json
from ic_assets.inbox.events import Outcome, store
from ic_assets.inbox.registry import Flow, Registry, Takes
from ic_assets.inbox.taking import Batch, take, waits, work
from ic_assets_tests.inbox_cases import COUNTER, REGISTRY, added, envelope, prepared, states, totals

STORED, DUPLICATE, DIFFERS = Outcome.stored, Outcome.duplicate, Outcome.differs


@pytest.fixture
def database(module_database: str) -> str:
    """One for all tests: each begins with an empty inbox."""
    return module_database


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with prepared(database) as connection:
        yield connection


def test_numbers_and_text_survive_exactly(connection: psycopg.Connection[Any]) -> None:
    text = (
        '{"topic":"added","event_id":"1","occurred_at":"2026-03-01T12:00:00Z",'
        '"amount":12345678901234567890.123456789012345678901,"small":0.10,"name":"é\\ud83d\\ude00"}'
    )
    store(connection, [envelope(text)], REGISTRY)
    row = connection.execute("SELECT body ->> 'amount', body ->> 'small', body ->> 'name' FROM inbox.event").fetchone()
    assert row == ("12345678901234567890.123456789012345678901", "0.10", "é😀")
    seen: list[Any] = []
    flow = Flow("counter", COUNTER.takes, lambda batch: seen.extend(value for _, value in batch.validated()))
    take(connection, flow)
    assert seen[0].amount == Decimal("12345678901234567890.123456789012345678901")


def test_what_jsonb_cannot_hold_is_kept_and_read_again(connection: psycopg.Connection[Any]) -> None:
    texts = ['"a\\u0000b"', '"\\ud800"', "1e99999", "1" * 2000]
    batch = [
        envelope(f'{{"topic":"added","event_id":"{n}","occurred_at":"2026-03-01T12:00:00Z","name":{text}}}')
        for n, text in enumerate(texts)
    ]
    assert store(connection, batch, REGISTRY) == [STORED] * 4
    bodies = connection.execute("SELECT body::text FROM inbox.event ORDER BY event_id").fetchall()
    assert [exact_json.kept(body)["name"] for (body,) in bodies] == [exact_json.loads(text) for text in texts]
    kinds = connection.execute("SELECT jsonb_typeof(body) FROM inbox.event ORDER BY event_id").fetchall()
    assert kinds == [("string",), ("string",), ("string",), ("object",)]


def test_a_known_event_is_not_stored_again(connection: psycopg.Connection[Any]) -> None:
    assert store(connection, [added("1"), added("2"), added("1")], REGISTRY) == [STORED, STORED, DUPLICATE]
    assert store(connection, [added("2"), added("3")], REGISTRY) == [DUPLICATE, STORED]
    same = envelope(
        '{"name": "a", "amount": 1, "event_id": "3", "topic": "added", "occurred_at": "2026-03-01T12:00:00Z"}'
    )
    assert store(connection, [same], REGISTRY) == [DUPLICATE]
    assert states(connection) == dict.fromkeys("123", ("new", None))


def test_another_source_may_use_the_same_id(connection: psycopg.Connection[Any]) -> None:
    other = envelope('{"topic":"x","event_id":"1","occurred_at":"2026-03-01T12:00:00Z"}', source="site")
    assert store(connection, [added("1"), other], REGISTRY) == [STORED, STORED]


def test_another_content_under_a_known_id_is_kept_once(connection: psycopg.Connection[Any]) -> None:
    batch = [added("1", "1"), added("1", "2"), added("1", "2"), added("1", "3")]
    assert store(connection, batch, REGISTRY) == [STORED, DIFFERS, DUPLICATE, DIFFERS]
    assert store(connection, batch, REGISTRY) == [DUPLICATE] * 4
    assert connection.execute("SELECT count(*) FROM inbox.duplicate").fetchone() == (2,)


def test_store_for_an_event_loop(connection: psycopg.Connection[Any], database: str) -> None:
    connection.close()

    async def stored() -> list[list[Outcome]]:
        async with await session.connect_async(database) as connection:
            first = await events.store_async(connection, [added("1"), added("2")], REGISTRY)
            return [first, await events.store_async(connection, [added("1"), added("2", "7"), added("3")], REGISTRY)]

    assert asyncio.run(stored()) == [[STORED, STORED], [DUPLICATE, DIFFERS, STORED]]


def test_what_begins_set_aside_and_what_nobody_knows(connection: psycopg.Connection[Any]) -> None:
    store(connection, [added("1"), added("2", topic="lost"), envelope('{"topic":"added","event_id":"3"}')], REGISTRY)
    assert states(connection) == {
        "1": ("new", None),
        "2": ("unknown_topic", None),
        "3": ("set_aside", "missing_time"),
    }


def test_taking_marks_and_works_in_one_transaction(connection: psycopg.Connection[Any]) -> None:
    store(connection, [added("1", "0.1"), added("2", "0.2"), added("3", "5", "b", topic="added.later")], REGISTRY)
    connection.commit()
    assert waits(connection, COUNTER)
    assert take(connection, COUNTER) == 3
    connection.rollback()
    assert states(connection) == dict.fromkeys("123", ("new", None))
    assert take(connection, COUNTER) == 3
    connection.commit()
    assert states(connection) == dict.fromkeys("123", ("done", None))
    assert totals(connection) == {"a": Decimal("0.3"), "b": Decimal(5)}
    assert not waits(connection, COUNTER)
    assert take(connection, COUNTER) == 0


def test_a_flow_that_fails_leaves_everything_as_it_was(connection: psycopg.Connection[Any]) -> None:
    def broken(batch: Batch) -> None:
        batch.connection.execute("INSERT INTO counter.total (name, amount) VALUES ('x', 1)")
        raise RuntimeError("broken")

    store(connection, [added("1")], REGISTRY)
    connection.commit()
    with pytest.raises(RuntimeError, match="broken"):
        take(connection, Flow("counter", COUNTER.takes, broken))
    connection.rollback()
    assert (states(connection), totals(connection)) == ({"1": ("new", None)}, {})


def test_bad_events_are_set_aside_and_stop_no_other(connection: psycopg.Connection[Any]) -> None:
    store(connection, [added("1"), added("2", '"much"'), added("3", "null"), added("4")], REGISTRY)
    take(connection, COUNTER)
    assert states(connection) == {
        "1": ("done", None),
        "2": ("set_aside", "bad_field:amount"),
        "3": ("set_aside", "bad_field:amount"),
        "4": ("done", None),
    }
    assert totals(connection) == {"a": Decimal(2)}


def test_a_flow_may_judge_in_sql(connection: psycopg.Connection[Any]) -> None:
    def judged(batch: Batch) -> None:
        assert batch.count == 3
        batch.connection.execute(
            "UPDATE pg_temp.ic_batch AS b SET state = 'set_aside', reason = 'too_much' FROM inbox.event AS e"
            " WHERE e.id = b.id AND (e.body ->> 'amount')::numeric > 5"
        )
        found = {event.event_id: event.id for event in batch.rows(page=1)}
        batch.mark("done", [(found["2"], "stale")])
        batch.unknown([(found["3"], "types.csv")])

    store(connection, [added("1", "6"), added("2"), added("3")], REGISTRY)
    take(connection, Flow("counter", COUNTER.takes, judged))
    assert states(connection) == {
        "1": ("set_aside", "too_much"),
        "2": ("done", "stale"),
        "3": ("unknown_topic", "types.csv"),
    }
    assert not waits(connection, COUNTER)


def test_only_what_is_ready_is_taken(connection: psycopg.Connection[Any]) -> None:
    flow = Flow("counter", COUNTER.takes, COUNTER.handle, ready="e.event_id <> '1'")
    store(connection, [added("1"), added("2")], REGISTRY)
    assert take(connection, flow) == 1
    assert states(connection) == {"1": ("new", None), "2": ("done", None)}
    assert not waits(connection, flow)


@pytest.mark.parametrize("order", list(itertools.permutations(["1", "9", "[]"])))
@pytest.mark.parametrize("takes_between", [False, True])
def test_of_several_contents_the_greatest_readable_one_stands_in_any_order(
    connection: psycopg.Connection[Any], order: tuple[str, ...], takes_between: bool
) -> None:
    for amount in order:
        store(connection, [added("1", amount)], REGISTRY)
        if takes_between:
            take(connection, COUNTER)
    for _ in order:  # each take may find that what it was given cannot be read
        take(connection, COUNTER)
    assert not waits(connection, COUNTER)
    assert totals(connection) == {"a": Decimal(9)}
    assert states(connection) == {"1": ("done", None)}
    kept = connection.execute("SELECT body -> 'amount', state, reason FROM inbox.duplicate").fetchall()
    assert sorted(kept, key=str) == [(1, "kept", None), ([], "set_aside", "bad_field:amount")]


def test_a_flow_that_comes_later_gets_what_nobody_knew(connection: psycopg.Connection[Any], database: str) -> None:
    store(connection, [added("1"), added("2", topic="other")], Registry())
    connection.commit()
    assert states(connection) == {"1": ("unknown_topic", None), "2": ("unknown_topic", None)}
    assert waits(connection, COUNTER)
    connection.commit()
    assert work(lambda: session.connect(database), COUNTER) == 1
    assert states(connection) == {"1": ("done", None), "2": ("unknown_topic", None)}
    assert not waits(connection, COUNTER)


def test_work_takes_all_that_waits_in_transactions_of_a_size(
    connection: psycopg.Connection[Any], database: str
) -> None:
    store(connection, [added(str(n)) for n in range(25)], REGISTRY)
    connection.commit()
    sizes: list[int] = []

    def counting(batch: Batch) -> None:
        sizes.append(batch.count)
        COUNTER.handle(batch)

    assert work(lambda: session.connect(database), Flow("counter", COUNTER.takes, counting), most=10) == 25
    assert sizes == [10, 10, 5]
    assert totals(connection) == {"a": Decimal(25)}


def test_an_event_that_arrives_while_a_flow_works_does_not_wait_for_it(
    connection: psycopg.Connection[Any], database: str
) -> None:
    store(connection, [added("1", "1")], REGISTRY)
    connection.commit()
    take(connection, COUNTER)
    with session.connect(database) as other:
        other.execute("SET lock_timeout = '2s'")
        assert store(other, [added("1", "2"), added("2")], REGISTRY) == [DIFFERS, STORED]
    connection.commit()
    assert work(lambda: session.connect(database), COUNTER) == 2
    assert totals(connection) == {"a": Decimal(3)}


def test_two_flows_of_one_topic_and_two_doors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"counter and other both take shop added\.x"):
        Registry(flows=[COUNTER, Flow("other", [Takes("shop", "added.x")], COUNTER.handle)])
    Registry(flows=[COUNTER, Flow("other", [Takes("site", "added.x")], COUNTER.handle)])


TAKER = """
import sys
from ic_assets.core import session
from ic_assets.inbox.taking import work
from ic_assets_tests.inbox_cases import COUNTER
work(lambda: session.connect(sys.argv[1]), COUNTER, most=20)
"""


def test_a_flow_that_is_killed_while_it_takes_loses_and_doubles_nothing(
    connection: psycopg.Connection[Any], database: str
) -> None:
    store(connection, [added(str(n), str(n)) for n in range(300)], REGISTRY)
    connection.commit()
    connection.autocommit = True

    def done() -> int:
        row = connection.execute("SELECT count(*) FROM inbox.event WHERE state = 'done'").fetchone()
        return row[0] if row else 0

    for kill in range(2):
        process = subprocess.Popen([sys.executable, "-c", TAKER, database])
        before, end = done(), time.monotonic() + 60
        while done() < before + 40:
            assert time.monotonic() < end, "it takes nothing"
            time.sleep(0.005 * kill)
        process.kill()
        process.wait(30)
        # What was added and what is marked went together.
        counted = connection.execute("SELECT count(*) FROM counter.added").fetchone()
        assert counted == (done(),)
    assert done() < 300
    work(lambda: session.connect(database), COUNTER)
    assert totals(connection) == {"a": Decimal(sum(range(300)))}
