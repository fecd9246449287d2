"""Files of events: the second door of the inbox, for history and back-fills. A file goes in by batches, each committed with
its count, so that a load that was killed is simply loaded again: what it had stored is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg

from ic_assets.core import folders
from ic_assets.core.folders import File
from ic_assets.core.input_file import InputFile
from ic_assets.core.sql import statement
from ic_assets.inbox.envelope import Arrival, Envelope, enveloped
from ic_assets.inbox.events import Outcome, state_of, store
from ic_assets.inbox.lines import Record, Rejected, records
from ic_assets.inbox.registry import Door, Registry

FOLDER = "events"
"""Under ``$IC_HOME``: a folder of each door."""
VERIFIED_BY = "file"
_MOST_EVENTS, _MOST_CHARACTERS = 2000, 8_000_000
_LISTED = 20


class _Database(Protocol):
    def repeated(self, what: str, work: Callable[[psycopg.Connection], Any]) -> Any: ...


@dataclass
class Loaded:
    """What a file held. ``set_aside`` and ``unknown_topic`` are among ``stored``, by reason and by topic; ``first_rejected``
    are the first lines that are no event, with why."""

    door: str
    file: str
    lines: int = 0
    stored: int = 0
    duplicates: int = 0
    differing: int = 0
    rejected: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    unknown_topic: Counter[str] = field(default_factory=Counter)
    first_rejected: list[Rejected] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "door": self.door,
            "file": self.file,
            "lines": self.lines,
            "stored": self.stored,
            "duplicates": self.duplicates,
            "differing": self.differing,
            "set_aside": dict(self.set_aside),
            "unknown_topic": dict(self.unknown_topic),
            "rejected": self.rejected,
            "rejected_lines": [{"line": one.line, "reason": one.reason} for one in self.first_rejected],
        }


def load(
    database: _Database,
    registry: Registry,
    door: Door,
    path: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> Loaded:
    """Brings the events of a file into the inbox. A line that is no event is kept in ``inbox.rejected_line`` with its number
    and stops no other. Loaded again, a file changes nothing. ``progress`` is told the bytes read, unpacked.

    Raises ``DropRefused`` for a file that cannot be read as a whole, or that changes while it is read; what was stored
    until then stays."""
    found = Loaded(door.name, folders.file_name(path))
    with InputFile(path) as file:
        identity = file.identity
        begin = {"door": door.name, "file_name": found.file, "identity": folders.identity_text(identity)}
        with file.unchanged(identity):
            parts = _batches(records(file))
            # Nothing is written of a file that is refused at its first line.
            first = next(parts, [])
            file_id = database.repeated("begin of a file", lambda c: _one(c, "inbox/files_begin", begin))
            for part in _chained(first, parts):
                outcomes = _stored(database, registry, door, file_id, part)
                _count(found, registry, part, outcomes, door)
                _keep_count(database, file_id, found, None)
                progress(file.bytes_read)
        _keep_count(database, file_id, found, file.content_sha256)
    return found


def _chained(
    first: list[Record | Rejected], rest: Iterator[list[Record | Rejected]]
) -> Iterator[list[Record | Rejected]]:
    if first:
        yield first
    yield from rest


def _batches(found: Iterator[Record | Rejected]) -> Iterator[list[Record | Rejected]]:
    """Some thousand records, or some megabytes of them, at a time."""
    batch: list[Record | Rejected] = []
    size = 0
    for one in found:
        batch.append(one)
        size += len(one.text if isinstance(one, Record) else one.raw)
        if len(batch) >= _MOST_EVENTS or size >= _MOST_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _stored(
    database: _Database, registry: Registry, door: Door, file_id: int, part: Sequence[Record | Rejected]
) -> list[tuple[Envelope, Outcome]]:
    batch = [_envelope(door, one) for one in part if isinstance(one, Record)]
    rejected = [one for one in part if isinstance(one, Rejected)]

    def work(connection: psycopg.Connection) -> list[Outcome]:
        outcomes = store(connection, batch, registry)
        if rejected:
            connection.execute(
                statement("inbox/files_reject"),
                {
                    "file_id": file_id,
                    "line_numbers": [one.line for one in rejected],
                    "reasons": [one.reason for one in rejected],
                    "raw_lines": [one.raw for one in rejected],
                },
            )
        return outcomes

    return list(zip(batch, database.repeated("events of a file", work), strict=True))


def _envelope(door: Door, one: Record) -> Envelope:
    arrival = Arrival(VERIFIED_BY, is_file=True, is_row=one.is_row, topic=door.topic)
    return enveloped(door.source, one.text, one.value, door.read, arrival)


def _count(
    found: Loaded,
    registry: Registry,
    part: Sequence[Record | Rejected],
    outcomes: Sequence[tuple[Envelope, Outcome]],
    door: Door,
) -> None:
    found.lines += len(part)
    rejected = [one for one in part if isinstance(one, Rejected)]
    found.rejected += len(rejected)
    found.first_rejected += rejected[: _LISTED - len(found.first_rejected)]
    for envelope, outcome in outcomes:
        if outcome is Outcome.duplicate:
            found.duplicates += 1
        elif outcome is Outcome.differs:
            found.differing += 1
        else:
            found.stored += 1
            state = state_of(envelope, registry)
            if state == "set_aside":
                found.set_aside[envelope.reason or ""] += 1
            elif state == "unknown_topic":
                found.unknown_topic[envelope.topic or ""] += 1


def _keep_count(database: _Database, file_id: int, found: Loaded, digest: str | None) -> None:
    parameters = {
        "file_id": file_id,
        "digest": digest,
        "lines": found.lines,
        "stored": found.stored,
        "duplicates": found.duplicates,
        "differing": found.differing,
        "set_aside": found.set_aside.total(),
        "rejected": found.rejected,
    }
    database.repeated("count of a file", lambda c: c.execute(statement("inbox/files_count"), parameters).rowcount)


def _one(connection: psycopg.Connection, name: str, parameters: Mapping[str, Any]) -> Any:
    row = connection.execute(statement(name), parameters).fetchone()
    assert row is not None  # noqa: S101 - RETURNING
    return row[0]


def waiting(connection: psycopg.Connection, registry: Registry, home: Path) -> list[tuple[Door, File]]:
    """The files of the doors' folders that are not loaded as they are now, oldest first within a door. Whether one is
    complete is the caller's to ask (``File.unready``, two equal looks)."""
    found = [
        (door, file) for door in registry.by_door.values() for file in folders.listing(home / FOLDER / door.name).files
    ]
    if not found:
        return []
    rows = connection.execute(
        "SELECT door, file_name, identity FROM inbox.event_file WHERE loaded_at IS NOT NULL AND door = ANY(%s)",
        (sorted({door.name for door, _ in found}),),
    ).fetchall()
    loaded = set(rows)
    return [(door, file) for door, file in found if (door.name, file.name, file.identity_text) not in loaded]
