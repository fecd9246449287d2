"""What it costs to take events out of the inbox, beside a plain UPDATE of their state."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from ic_assets.core import schema, session
from ic_assets.inbox.registry import Flow, Takes
from ic_assets.inbox.taking import work
from ic_assets_tests.bench.server import Server

EVENTS = 200_000
_NOBODY = Flow("bench", [Takes("bench", "measured")], lambda batch: None)
_FILL = """
INSERT INTO inbox.event (source, topic, event_id, occurred_at, verified_by, body)
SELECT 'bench', 'measured', 'ev_' || n, timestamptz '2026-01-01' + n * interval '1 second', 'file',
    jsonb_build_object('id', n, 'amount', n * 0.01, 'text', repeat(md5(n::text), 25))
FROM generate_series(1, %s) AS n
"""


@dataclass
class Inbox:
    """Seconds of each round, by turns: a plain UPDATE of all, and a flow that takes all and does nothing with them."""

    events: int
    updates: list[float] = field(default_factory=list)
    takes: list[float] = field(default_factory=list)

    @property
    def times(self) -> float:
        """How many times the UPDATE: the medians."""
        return statistics.median(self.takes) / statistics.median(self.updates)


def inbox(server: Server, events: int = EVENTS, rounds: int = 3) -> Inbox:
    """Measures on a database with the newest schema; its inbox is empty afterwards."""
    url = server.url("ic_assets")
    schema.ensure(url)
    found = Inbox(events)
    for _ in range(rounds):
        _fill(url, events)
        found.updates.append(_seconds(lambda: _update(url)))
        _fill(url, events)
        found.takes.append(_seconds(lambda: work(lambda: session.connect(url), _NOBODY)))
    _fill(url, 0)
    return found


def _fill(url: str, events: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE inbox.event CASCADE")
        connection.execute(_FILL, (events,))
        connection.execute("VACUUM (ANALYZE) inbox.event")


def _update(url: str) -> None:
    with session.connect(url) as connection:
        connection.execute("UPDATE inbox.event SET state = 'done', done_at = clock_timestamp() WHERE state = 'new'")


def _seconds(measured: Callable[[], object]) -> float:
    began = time.perf_counter()
    measured()
    return time.perf_counter() - began
