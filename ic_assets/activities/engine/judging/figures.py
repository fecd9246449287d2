"""What the rules judge by, counted by month and kept in ``staging.ic_figure``: a stage counts the months that it wrote,
and the rules add the months up. ``recount`` counts every month anew, also those that were changed outside this project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.staging.slices import MASTER, RESOLVED
from ic_assets.activities.facts.activity_types import ActivityType
from ic_assets.core import locks
from ic_assets.core.months import Window, windows
from ic_assets.core.sql import statement

_ALWAYS = {"window_start": "-infinity", "window_end": "infinity"}
_NEVER = {"window_start": "infinity", "window_end": "-infinity"}


# Figure, item, month, failing, checked.
_Row = tuple[str, str, date, int, int]


@dataclass(frozen=True)
class Source:
    """A query that counts the months of a window; ``stage`` is what writes what it counts."""

    name: str
    stage: str
    query: sql.Composed
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)


OF_MASTER = Source("master", MASTER, statement("activities/figures/master"))
OF_RESOLUTION = Source("resolution", RESOLVED, statement("activities/figures/resolution"))

_REQUIRED_FIELDS = {
    "calls": ("call_title", "activity_date"),
    "emails": ("email_subject", "activity_date"),
    "meetings": ("meeting_name", "meeting_start_time"),
    "notes": ("note_body", "activity_date"),
    "tasks": ("task_title", "activity_date"),
    "communications": ("communication_body", "activity_date"),
    "postal_mail": ("postal_mail_body", "activity_date"),
}


def _instant(column: str) -> str:
    return f"(d.{column} AT TIME ZONE (SELECT staging.ic_source_timezone()))"


def _out_of_time(*columns: str) -> dict[str, str]:
    """A moment before 1970 or more than 24 months after the reference time."""
    return {
        f"{column} is before 1970 or more than 24 months ahead": (
            # The bounds as local times, worked out once.
            f"coalesce(d.{column} < (SELECT timestamptz 'epoch' AT TIME ZONE staging.ic_source_timezone())"
            f" OR d.{column} > (SELECT staging.ic_reference_time() + interval '24 months'), FALSE)"
        )
        for column in columns
    }


def _no_address(*columns: str) -> dict[str, str]:
    return {
        f"{column} is no address": f"coalesce(d.{column} !~ '^{_ADDRESS}(; {_ADDRESS})*$', FALSE)" for column in columns
    }


_ADDRESS = r"[^@\s<>(),;:]+@[^@\s<>(),;:.]+([.][^@\s<>(),;:.]+)+"
# What HubSpot would take and nobody would believe: item -> condition on a derivative's row, in UTC (DATA section 6).
_IMPLAUSIBLE: Mapping[str, Mapping[str, str]] = {
    "calls": {
        **_out_of_time("activity_date"),
        "call_duration_ms is not within 24 hours": "coalesce(d.call_duration_ms NOT BETWEEN 0 AND 86400000, FALSE)",
    },
    "emails": {**_out_of_time("activity_date"), **_no_address("email_from_address", "email_to_address")},
    "meetings": {
        **_out_of_time("meeting_start_time", "meeting_end_time"),
        "meeting_end_time is before meeting_start_time": f"{_instant('meeting_end_time')} < {_instant('meeting_start_time')}",
    },
    "notes": _out_of_time("activity_date"),
    "tasks": _out_of_time("due_date", "reminder_date"),
    "communications": _out_of_time("activity_date"),
    "postal_mail": _out_of_time("activity_date"),
}


def of_derivative(activity: ActivityType) -> Source:
    flaws = [("required", column, f"d.{column} IS NULL") for column in _REQUIRED_FIELDS[activity.name]]
    if activity.name == "meetings":
        flaws.append(("order", "", f"{_instant('meeting_end_time')} < {_instant('meeting_start_time')}"))
    flaws += [("plausible", item, condition) for item, condition in _IMPLAUSIBLE[activity.name].items()]
    named = [(f"flaw_{number}", *flaw) for number, flaw in enumerate(flaws)]
    query = statement(
        "activities/figures/derivative",
        table=sql.Identifier(activity.table),
        found=sql.SQL(", ".join(f"{condition} AS {name}" for name, _, _, condition in named)),
        counts=sql.SQL(", ".join(f"count(*) FILTER (WHERE d.{name}) AS {name}" for name, *_ in named)),
        flaws=sql.SQL(", ".join(f"('{figure}', '{item}', counted.{name})" for name, figure, item, _ in named)),
    )
    return Source(activity.name, activity.name, query, {"activity_type": activity.name})


@dataclass(frozen=True)
class Count:
    """One item of a figure over all months, or all items of one month."""

    item: str
    failing: int
    checked: int


def count(connection: psycopg.Connection, source: Source, figure: str, window: Window) -> dict[date, Count]:
    """Counts the months that a stage has written, and gives ``figure`` by month, its items together. Last in the stage's
    transaction, until whose end ``bring_up_to_date`` waits.

    The lock is shared: ``slices`` keeps stages apart that work on the same months, and no others need to wait. While
    somebody counts the source nothing is kept, which leaves the months to be counted by the next check. The stage must not
    wait for them: they may be waiting for a table that it has locked."""
    parameters = {"source": source.name, "stage": source.stage, **window.parameters}
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock_shared(%s, hashtext(%s))", (locks.FIGURES, source.name)
    ).fetchone()
    rows = _count(connection, source, parameters) if row and row[0] else _counted(connection, source, parameters)
    found: dict[date, Count] = {}
    for name, _, month, failing, checked in rows:
        if name == figure:
            before = found.get(month, Count("", 0, 0))
            found[month] = Count("", before.failing + failing, before.checked + checked)
    return found


def bring_up_to_date(connection: psycopg.Connection, sources: Iterable[Source], *, recount: bool) -> None:
    """Counts the months that were written since they were counted; all of them with ``recount``."""
    for source in sources:
        names = {"source": source.name, "stage": source.stage}
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.FIGURES, source.name))
        if recount:
            _count(connection, source, {**names, **_ALWAYS})
            continue
        # Months that were rolled back.
        connection.execute(statement("activities/figures/forget"), {**names, **_NEVER})
        stale: list[date] = [row[0] for row in connection.execute(statement("activities/figures/stale"), names)]
        for window in windows(stale):
            _count(connection, source, {**names, **window.parameters})


@dataclass(frozen=True)
class Fresh:
    """What a look counted by itself of a source, instead of keeping it: the months, and their rows."""

    months: tuple[date, ...] = ()
    rows: tuple[_Row, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        names = ("figures", "items", "months", "failing", "checked")
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(names)
        found = {name: list(column) for name, column in zip(names, columns, strict=True)}
        return {**found, "fresh": list(self.months)}


NOTHING_FRESH = Fresh()


def looked_at(connection: psycopg.Connection, sources: Iterable[Source]) -> dict[str, Fresh]:
    """By source the months that were written since they were counted, counted now. Writes and locks nothing."""
    found = {}
    for source in sources:
        names = {"source": source.name, "stage": source.stage}
        stale = {row[0] for row in connection.execute(statement("activities/figures/stale"), names)}
        rows = [
            row
            for window in windows(stale)
            for row in _counted(connection, source, {**names, **window.parameters})
            if row[2] in stale
        ]
        found[source.name] = Fresh(tuple(stale), tuple(rows))
    return found


def _count(connection: psycopg.Connection, source: Source, parameters: Mapping[str, Any]) -> list[_Row]:
    # Noted first: a stage that writes a month while it is counted leaves it to be counted again.
    connection.execute(statement("activities/figures/mark_counted"), parameters)
    rows = _counted(connection, source, parameters)
    connection.execute(statement("activities/figures/forget"), parameters)
    names = ("figures", "items", "months", "failing", "checked")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    connection.execute(
        statement("activities/figures/keep"),
        {**parameters, **{name: list(column) for name, column in zip(names, columns, strict=True)}},
    )
    return rows


def _counted(connection: psycopg.Connection, source: Source, parameters: Mapping[str, Any]) -> list[_Row]:
    # A query of its own and no INSERT ... SELECT: PostgreSQL uses its second core for a plain query only.
    return connection.execute(source.query, {**source.parameters, **parameters}).fetchall()


def total(
    connection: psycopg.Connection, source: Source, figure: str, ready: str | None, fresh: Fresh = NOTHING_FRESH
) -> list[Count]:
    """The items of a figure over all months, those with most failing first. ``ready`` names the stage whose months alone
    count, ``landing`` those in which the master shows what has landed. ``fresh`` stands in for what is kept."""
    rows = connection.execute(
        statement("activities/figures/total"),
        {**fresh.parameters, "source": source.name, "stage": source.stage, "figure": figure, "ready": ready},
    )
    return [Count(*row) for row in rows]
