"""The way into ``inbox.event``: a batch of envelopes, whatever the door. What takes them out is ``taking``'s business."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.types.array import ListBinaryDumper

from ic_assets.core.sql import statement
from ic_assets.inbox.envelope import Envelope
from ic_assets.inbox.registry import Registry

_COLUMNS = ("source", "topic", "event_id", "occurred_at", "received_at", "verified_by", "body", "reason")


class Outcome(StrEnum):
    """What became of one envelope. ``differs``: its id is known with another content; both are kept, and the greater one
    stands once the flow takes events next (``sql/inbox/judge_duplicates.sql``)."""

    stored = "stored"
    duplicate = "duplicate"
    differs = "differs"


def store(connection: psycopg.Connection, batch: Sequence[Envelope], registry: Registry) -> list[Outcome]:
    """Keeps the events of the batch in the caller's transaction; the result stands beside the batch. An event is new, or
    set aside where its envelope has a reason, or of an unknown topic where no flow of the registry takes it.

    A batch that is stored a second time changes nothing, so whoever does not know whether a commit went through stores it
    again. It never waits for a flow that has events in hand. Raises as psycopg does; ``deadlock_detected`` and the like
    pass (``resources.postgres.again``)."""
    if not batch:
        return []
    rows = _rows(batch, registry)
    known = _known(batch, connection.execute(statement("inbox/store"), _beside(rows)).fetchall())
    compared = _compared(batch, known)
    if not compared:
        return _outcomes(batch, known, compared, [])
    # A statement of its own: another transaction may have brought these just now, which the first one cannot see.
    found = connection.execute(statement("inbox/store_duplicates"), _beside([rows[place] for place in compared]))
    return _outcomes(batch, known, compared, found.fetchall())


async def store_async(
    connection: psycopg.AsyncConnection[Any], batch: Sequence[Envelope], registry: Registry
) -> list[Outcome]:
    """``store`` for an event loop."""
    if not batch:
        return []
    rows = _rows(batch, registry)
    stored = await connection.execute(statement("inbox/store"), _beside(rows))
    known = _known(batch, await stored.fetchall())
    compared = _compared(batch, known)
    if not compared:
        return _outcomes(batch, known, compared, [])
    found = await connection.execute(statement("inbox/store_duplicates"), _beside([rows[place] for place in compared]))
    return _outcomes(batch, known, compared, await found.fetchall())


def _rows(batch: Sequence[Envelope], registry: Registry) -> list[dict[str, Any]]:
    return [{**{name: getattr(one, name) for name in _COLUMNS}, "state": state_of(one, registry)} for one in batch]


def state_of(envelope: Envelope, registry: Registry) -> str:
    """The state in which an event begins."""
    if envelope.reason is not None:
        return "set_aside"
    return "new" if registry.owner(envelope.source, envelope.topic) else "unknown_topic"


class _Texts(list[str]):
    """Texts that go to PostgreSQL as a binary array: reading the text of an array of bodies takes it 2 ms a body of 8 KB."""


psycopg.adapters.register_dumper(_Texts, ListBinaryDumper)


def _beside(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    found = {name: [row[name] for row in rows] for name in (*_COLUMNS, "state")}
    return {**found, "body": _Texts(found["body"])}


def _known(batch: Sequence[Envelope], stored: Sequence[tuple[str, str]]) -> list[int]:
    """The places, from 0, of those that were known, to the database or by an earlier one of the batch."""
    new = set(stored)
    known = []
    for place, one in enumerate(batch):
        key = (one.source, one.event_id)
        if key in new:
            new.discard(key)
        else:
            known.append(place)
    return known


def _compared(batch: Sequence[Envelope], known: Sequence[int]) -> list[int]:
    """Of the known ones those that may have another content."""
    return [place for place in known if not batch[place].id_is_content]


def _outcomes(
    batch: Sequence[Envelope], known: Sequence[int], compared: Sequence[int], differing: Sequence[tuple[int]]
) -> list[Outcome]:
    outcomes = [Outcome.stored] * len(batch)
    for place in known:
        outcomes[place] = Outcome.duplicate
    for (number,) in differing:
        outcomes[compared[number - 1]] = Outcome.differs
    return outcomes
