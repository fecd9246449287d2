"""A made-up flow and its events, for the tests of the inbox: `counter` adds up what its events say, by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict

from ic_assets.inbox import exact_json
from ic_assets.inbox.envelope import Arrival, Envelope, enveloped, read_plain
from ic_assets.inbox.registry import Flow, Registry, Takes
from ic_assets.inbox.taking import Batch

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLES = (
    "CREATE SCHEMA counter",
    # The flow's own events: its archive, and what its sums follow from.
    "CREATE TABLE counter.added (event_id text PRIMARY KEY, source text NOT NULL, topic text NOT NULL,"
    " occurred_at timestamptz, received_at timestamptz NOT NULL, verified_by text NOT NULL, body jsonb NOT NULL)",
    "CREATE TABLE counter.total (id bigint GENERATED ALWAYS AS IDENTITY, name text PRIMARY KEY, amount numeric NOT NULL)",
)


class Added(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    amount: Decimal


def add(batch: Batch) -> None:
    """What the flow does: keeps the readable events and brings the totals of their names up to date."""
    rows = [(event, value) for event, value in batch.validated()]
    with batch.connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO counter.added VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb) ON CONFLICT (event_id) DO UPDATE"
            " SET body = excluded.body, occurred_at = excluded.occurred_at",
            [(e.event_id, e.source, e.topic, e.occurred_at, e.received_at, e.verified_by, e.body) for e, _ in rows],
        )
    batch.connection.execute(
        "INSERT INTO counter.total (name, amount) SELECT body ->> 'name', sum((body ->> 'amount')::numeric)"
        " FROM counter.added GROUP BY 1 ON CONFLICT (name) DO UPDATE SET amount = excluded.amount"
    )


COUNTER = Flow("counter", [Takes("shop", "added", Added), Takes("shop", "added.*", Added)], add)
REGISTRY = Registry(flows=[COUNTER])


def prepared(postgres_url: str, more: Sequence[str] = ()) -> psycopg.Connection[Any]:
    """A connection to a database with the flow's tables, ``more`` beside them, and nothing in them or in the inbox: made
    once, and emptied from the second time on."""
    connection = psycopg.connect(postgres_url)
    if connection.execute("SELECT to_regnamespace('counter')").fetchone() == (None,):
        for statement in (*TABLES, *more):
            connection.execute(statement.encode())
    found = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('inbox', 'counter')"
    )
    connection.execute(f"TRUNCATE staging.ic_attempt, {', '.join(row[0] for row in found)}".encode())
    connection.commit()
    return connection


def envelope(text: str, source: str = "shop", arrival: Arrival | None = None) -> Envelope:
    """One event as it comes in as JSON."""
    return enveloped(source, text, exact_json.loads(text), read_plain, arrival or Arrival("test"))


def added(event_id: str, amount: str = "1", name: str = "a", topic: str = "added") -> Envelope:
    """An event of the flow; ``amount`` is JSON."""
    return envelope(
        f'{{"topic":"{topic}","event_id":"{event_id}","occurred_at":"2026-03-01T12:00:00Z","name":"{name}","amount":{amount}}}'
    )


def states(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, str | None]]:
    """State and reason of every event, by its id."""
    rows: Sequence[tuple[str, str, str | None]] = connection.execute(
        "SELECT event_id, state, reason FROM inbox.event"
    ).fetchall()
    return {event_id: (state, reason) for event_id, state, reason in rows}


def totals(connection: psycopg.Connection[Any]) -> dict[str, Decimal]:
    return dict(connection.execute("SELECT name, amount FROM counter.total").fetchall())
