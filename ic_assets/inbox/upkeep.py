"""What people do with the inbox: see what is not done, look at an event, let what was set aside be tried again, and remove
what is done and archived. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.core.sql import statement
from ic_assets.inbox import exact_json
from ic_assets.inbox.envelope import Arrival, enveloped
from ic_assets.inbox.registry import Registry
from ic_assets.inbox.taking import by_source

_PAGE = 2000
_PRUNED_AT_A_TIME = 20_000


@dataclass(frozen=True)
class Source:
    """What is not done of one source. ``reasons``: how many were set aside for each; ``differing``: contents that came under
    a known id; ``oldest``: since when the first one waits."""

    source: str
    new: int
    set_aside: int
    unknown_topic: int
    differing: int
    oldest: datetime | None
    reasons: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def sources(connection: psycopg.Connection) -> list[Source]:
    """Of every source with something that is not done, or that came differently under one id."""
    rows = connection.execute(statement("inbox/counts")).fetchall()
    found = []
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == name]
        counts = {state: sum(row[3] for row in mine if row[1] == state) for state in {row[1] for row in mine}}
        found.append(
            Source(
                name,
                counts.get("new", 0),
                counts.get("set_aside", 0),
                counts.get("unknown_topic", 0),
                counts.get("differing", 0),
                min((row[4] for row in mine if row[1] == "new"), default=None),
                {row[2]: row[3] for row in mine if row[1] == "set_aside"},
            )
        )
    return found


def files(connection: psycopg.Connection, most: int = 20) -> list[dict[str, Any]]:
    """Files with lines that are no event, or whose load was broken off."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement("inbox/files_with_trouble"), {"most": most}).fetchall()


def show(connection: psycopg.Connection, wanted: str, source: str | None) -> list[dict[str, Any]]:
    """The event with this number, and those with this event id; at most 20. ``body`` is its JSON text."""
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    with connection.cursor(row_factory=dict_row) as cursor:
        parameters = {"id": number, "event_id": wanted, "source": source}
        return cursor.execute(statement("inbox/show"), parameters).fetchall()


@dataclass(frozen=True)
class Wanted:
    """Which events: all that were set aside or are of unknown topics, or those of a source, a reason (``bad_field`` is any
    ``bad_field:…``), a number."""

    source: str | None = None
    reason: str | None = None
    id: int | None = None


def retry(connection: psycopg.Connection, registry: Registry, wanted: Wanted) -> int:
    """Lets events be taken again, in the caller's transaction. An event whose envelope could not be read is read again by
    its source's door. Those of topics that still no flow takes stay. Returns how many wait now."""
    filters = asdict(wanted)
    unreadable: list[int] = []
    after = 0
    while True:
        with connection.cursor(row_factory=dict_row) as cursor:
            page = cursor.execute(
                statement("inbox/retry_unread"), {**filters, "after": after, "most": _PAGE}
            ).fetchall()
        for row in page:
            after = row["id"]
            if not _reads_now(connection, registry, row):
                unreadable.append(after)
        if len(page) < _PAGE:
            break
    tried = connection.execute(
        statement("inbox/retry"), {**filters, "known": registry.known, "unreadable": unreadable}
    ).fetchone()
    return tried[0] if tried else 0


def _reads_now(connection: psycopg.Connection, registry: Registry, row: dict[str, Any]) -> bool:
    door = registry.by_door.get(row["source"])
    if door is None:
        return False
    value = exact_json.kept(row["body"])
    arrival = Arrival(row["verified_by"], is_file=row["verified_by"] == "file", topic=door.topic)
    found = enveloped(door.source, exact_json.dumps(value), value, door.read, arrival)
    parameters = found.model_dump(include={"source", "topic", "event_id", "occurred_at", "body", "reason"})
    read = connection.execute(statement("inbox/retry_read"), {**parameters, "id": row["id"]}).fetchone()
    return found.reason is None and read == (False,)


def prune(
    transaction: Callable[[], Any], registry: Registry, before: datetime, source: str | None = None
) -> dict[str, int]:
    """Removes, in transactions of ``transaction()``, what came and was done before a moment and stands in its flow's archive.
    Returns how many by source; a source whose flow has no archive is not among them."""
    removed: dict[str, int] = {}
    for flow in registry.flows:
        if flow.archive is None:
            continue
        archive = sql.Identifier(*flow.archive.split("."))
        for parameters in by_source(flow):
            if source not in (None, parameters["source"]):
                continue
            count, after = 0, 0
            while after is not None:
                with transaction() as connection:
                    gone, after = connection.execute(
                        statement("inbox/prune", archive=archive),
                        {**parameters, "before": before, "after": after, "most": _PRUNED_AT_A_TIME},
                    ).fetchone()
                count += gone
            removed[parameters["source"]] = removed.get(parameters["source"], 0) + count
    return removed
