"""The way out of ``inbox.event``: what waits for a flow, in one transaction with what the flow does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from pydantic import BaseModel, ValidationError

from ic_assets.core import locks
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.inbox import exact_json
from ic_assets.inbox.registry import Flow

MOST = 20_000
"""Events of one transaction: enough that commits cost nothing beside the work, few enough to be done again."""
_BATCH = (
    "CREATE TEMPORARY TABLE ic_batch"
    " (id bigint PRIMARY KEY, state text NOT NULL DEFAULT 'done', reason text) ON COMMIT DROP"
)


@dataclass(frozen=True)
class Event:
    """One event of a batch. ``body`` is its JSON text with exact numbers, for ``exact_json.kept``."""

    id: int
    source: str
    topic: str
    event_id: str
    occurred_at: datetime | None
    received_at: datetime
    verified_by: str
    body: str


class Batch:
    """Events that a flow has in hand, in ``connection``'s transaction. They are done unless the flow says otherwise; what it
    says and what it writes is committed together.

    In SQL: ``{events}`` is a relation with id, source, topic, event_id, occurred_at, received_at, verified_by and body, for
    ``statement(…, events=batch.events)``; ``pg_temp.ic_batch`` has a row of each with its ``state`` and ``reason``, which a
    statement may set. ``is_replay``: the flow's tables are being built anew; nothing else may be written."""

    def __init__(
        self, connection: psycopg.Connection, flow: Flow, count: int, events: sql.Composable, *, is_replay: bool = False
    ) -> None:
        self.connection = connection
        self.flow = flow
        self.count = count
        self.events = events
        self.is_replay = is_replay

    def rows(self, page: int = 2000) -> Iterator[Event]:
        """The events in the order in which they came, a page of them in memory at a time."""
        query = sql.SQL(
            "SELECT id, source, topic, event_id, occurred_at, received_at, verified_by, body::text AS body"
            " FROM {} AS e ORDER BY id"
        ).format(self.events)
        with self.connection.cursor("ic_batch", row_factory=class_row(Event)) as cursor:
            cursor.itersize = page
            cursor.execute(query)
            yield from cursor

    def validated(self) -> Iterator[tuple[Event, BaseModel]]:
        """The events with the models of their topics; what does not fit is set aside as ``bad_field:<path>``. Raises
        ``LookupError`` for a topic without a model."""
        aside: list[tuple[int, str]] = []
        models = [one for one in self.flow.takes if one.model]
        for event in self.rows():
            model = next((one.model for one in models if one.source == event.source and one.has(event.topic)), None)
            if model is None:
                raise LookupError(f"{self.flow.name} has no model for {event.source} {event.topic}")
            try:
                value = model.model_validate(exact_json.kept(event.body))
            except ValidationError as error:
                path = ".".join(str(part) for part in error.errors()[0]["loc"]) or "body"
                aside.append((event.id, f"bad_field:{path}"))
            else:
                yield event, value
        self.set_aside(aside)

    def set_aside(self, found: Sequence[tuple[int, str]]) -> None:
        """Events by id that the flow cannot take, each with its reason. They stay, and can be tried again."""
        self.mark("set_aside", found)

    def unknown(self, found: Sequence[tuple[int, str]]) -> None:
        """Events of a topic that the flow does not know, each with where it looked: ``event_type.csv``."""
        self.mark("unknown_topic", found)

    def mark(self, state: str, found: Sequence[tuple[int, str | None]]) -> None:
        """Gives events of the batch a state and a reason: of one that is done, what was special about it (``stale``)."""
        if not found:
            return
        self.connection.execute(
            "UPDATE pg_temp.ic_batch AS b SET state = %s, reason = f.reason"
            " FROM unnest(%s::bigint[], %s::text[]) AS f (id, reason) WHERE b.id = f.id",
            (state, [event for event, _ in found], [reason for _, reason in found]),
        )


def take(connection: psycopg.Connection, flow: Flow, most: int = MOST) -> int:
    """Has the flow deal with at most ``most`` events that wait, in the caller's transaction, under the flow's lock: one at a
    time, since two would each see half. Returns how many there were; nothing waits any more when that is below ``most``.

    Raises what the flow's handler raises; then all of it waits as before once the transaction is rolled back."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.INBOX, flow.name))
    begin_batch(connection)
    count = 0
    for parameters in by_source(flow):
        connection.execute(statement("inbox/judge_duplicates"), parameters)
        taken = connection.execute(
            statement("inbox/take", ready=sql.SQL(flow.ready)),
            {**parameters, "most": most - count},
        )
        count += taken.rowcount
    if count:
        connection.execute("ANALYZE pg_temp.ic_batch")
        flow.handle(Batch(connection, flow, count, _TAKEN))
        connection.execute(statement("inbox/settle"))
    return count


def begin_batch(connection: psycopg.Connection) -> None:
    """An empty ``pg_temp.ic_batch``, which lives as long as the transaction."""
    connection.execute("DROP TABLE IF EXISTS pg_temp.ic_batch")
    connection.execute(_BATCH)


_TAKEN = sql.SQL("(SELECT event.* FROM inbox.event INNER JOIN pg_temp.ic_batch USING (id))")


def work(transaction: Callable[[], Any], flow: Flow, most: int = MOST) -> int:
    """Has the flow deal with all that waits, ``most`` events in a transaction of ``transaction()``. Returns how many it were.
    Killed anywhere, it has lost and doubled nothing; whoever calls it again goes on."""
    with transaction() as connection:
        for parameters in by_source(flow):
            recalled = connection.execute(statement("inbox/recall"), parameters).rowcount
            if recalled:
                log.info("events_recalled", flow=flow.name, source=parameters["source"], events=recalled)
    total = 0
    while True:
        with transaction() as connection:
            count = take(connection, flow, most)
        total += count
        if count < most:
            return total


def oldest(connection: psycopg.Connection, flow: Flow) -> int | None:
    """The number of the first event that ``work`` would find; None where nothing waits."""
    query = statement("inbox/oldest", ready=sql.SQL(flow.ready))
    rows = [connection.execute(query, parameters).fetchone() for parameters in by_source(flow)]
    return min((row[0] for row in rows if row and row[0] is not None), default=None)


def waits(connection: psycopg.Connection, flow: Flow) -> bool:
    """Whether ``work`` would find something."""
    return oldest(connection, flow) is not None


def by_source(flow: Flow) -> list[dict[str, Any]]:
    """``source`` and ``topics``, a regular expression, of what the flow takes: parameters of the statements here."""
    patterns = {source: "|".join(one.pattern for one in flow.takes if one.source == source) for source in flow.sources}
    return [{"source": source, "topics": f"^({pattern})$"} for source, pattern in patterns.items()]
