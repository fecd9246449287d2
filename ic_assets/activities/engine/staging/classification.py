"""What the CRM's words mean: the activity type of a type and an action, directions, statuses and priorities, as files that
people edit, brought to the database when they differ. The same rules over single values, for who has no database, are in
``mapping``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import psycopg
from psycopg import sql

from ic_assets.activities.engine.staging.slices import mark_changed
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.core import rules_data
from ic_assets.core.rules_data import Line, Row, RuleFile
from ic_assets.core.sql import column_list, statement

ANY, BLANK = "*", "(blank)"
BY_DATE = "BY_DATE"
"""Of a meeting: COMPLETED when it starts no later than the run's reference time, else SCHEDULED."""

Classified = tuple[str, str, str, str | None]
"""Type and action as written in the CRM, trimmed and in lower case, or ``*``; activity type; channel."""
Directed = tuple[str, str]
"""Action, direction."""
Settled = tuple[str, str, str | None, str | None]
"""Activity type, status, the type's own value for it (None: none), the outcome of a call by its label."""
Ranked = tuple[str, str | None]
"""Priority, HubSpot's."""

_CHANNELS = ("SMS", "LINKEDIN_MESSAGE", "WHATS_APP")
_LONGEST = 200


def _values(activity_type: str, column: str) -> tuple[str, ...]:
    return next(each.values for each in DERIVATIVE_COLUMNS[activity_type] if each.name == column)


STATUS_VALUES = {
    "calls": _values("calls", "call_status"),
    "emails": _values("emails", "email_send_status"),
    "meetings": (*_values("meetings", "meeting_outcome"), BY_DATE),
    "tasks": _values("tasks", "task_status"),
}


def _word(line: Line, column: str) -> str:
    """A word of the CRM, as it is looked up."""
    word = line[column].lower()
    if not word:
        raise line.refused(
            column, f"empty; write the value as it stands in the CRM, {BLANK} for none, {ANY} for any other"
        )
    if len(word) > _LONGEST:
        raise line.refused(column, f"over {_LONGEST} characters; this is no value of a list")
    return word


def _classified(line: Line) -> Classified:
    activity_type = line.one_of("activity_type", sorted({activity.name for activity in ACTIVITY_TYPES} | {"case"}))
    if (activity_type == "communications") != bool(line["channel"]):
        raise line.refused(
            "channel",
            f"a value mapped to communications names its channel ({', '.join(_CHANNELS)}), any other leaves it empty",
        )
    channel = line.one_of("channel", _CHANNELS) if line["channel"] else None
    return _word(line, "comm_type"), _word(line, "comm_action"), activity_type, channel


def _directed(line: Line) -> Directed:
    return _word(line, "comm_action"), line.one_of("direction", ("INBOUND", "OUTBOUND"))


def _settled(line: Line) -> Settled:
    activity_type = line.one_of("activity_type", tuple(STATUS_VALUES))
    result = line.one_of("result", STATUS_VALUES[activity_type]) if line["result"] else None
    disposition = line["disposition"] or None
    if disposition and activity_type != "calls":
        raise line.refused("disposition", f"{activity_type} have none; it is the outcome of a call")
    return activity_type, _word(line, "comm_status"), result, disposition


def _ranked(line: Line) -> Ranked:
    result = line.one_of("result", ("LOW", "MEDIUM", "HIGH")) if line["result"] else None
    return _word(line, "comm_priority"), result


CLASSIFICATION = RuleFile(
    "activities/classification.csv",
    columns=("comm_type", "comm_action", "activity_type", "channel"),
    parse=_classified,
    key=lambda row: row[:2],
    key_columns=("comm_type", "comm_action"),
)
DIRECTIONS = RuleFile(
    "activities/directions.csv",
    columns=("comm_action", "direction"),
    parse=_directed,
    key=lambda row: row[0],
    key_columns=("comm_action",),
)
STATUSES = RuleFile(
    "activities/statuses.csv",
    columns=("activity_type", "comm_status", "result", "disposition"),
    parse=_settled,
    key=lambda row: row[:2],
    key_columns=("activity_type", "comm_status"),
)
PRIORITIES = RuleFile(
    "activities/priorities.csv",
    columns=("comm_priority", "result"),
    parse=_ranked,
    key=lambda row: row[0],
    key_columns=("comm_priority",),
)


@dataclass(frozen=True)
class _Applied(Generic[Row]):
    """Where the rows of a file go: a table, its columns in the order of the file's, as many of them its key; and which
    values of which activity types a changed key concerns."""

    file: RuleFile[Row]
    table: str
    columns: tuple[str, ...]
    keys: int
    written: str
    concerned: Callable[[tuple[Any, ...]], Sequence[tuple[str, str]]]


_APPLIED: tuple[_Applied[Any], ...] = (
    _Applied(
        CLASSIFICATION,
        "ic_activity_classification",
        ("comm_type", "comm_action", "activity_type", "channel_type"),
        2,
        "",
        lambda key: [(key[0], key[1])],
    ),
    _Applied(
        DIRECTIONS,
        "ic_direction_rule",
        ("comm_action", "direction"),
        1,
        "comm_action",
        lambda key: [("calls", key[0]), ("emails", key[0])],
    ),
    _Applied(
        STATUSES,
        "ic_status_rule",
        ("activity_type", "comm_status", "result", "disposition"),
        2,
        "comm_status",
        lambda key: [(key[0], key[1])],
    ),
    _Applied(
        PRIORITIES,
        "ic_priority_rule",
        ("comm_priority", "result"),
        1,
        "comm_priority",
        lambda key: [("tasks", key[0])],
    ),
)
FILES: tuple[RuleFile[Any], ...] = tuple(each.file for each in _APPLIED)


def sync_classification(connection: psycopg.Connection) -> list[str]:
    """Brings the four tables in line with their files, once for each state of a file, and puts the months out of date that
    hold a value whose line changed. Returns those values. Give it a transaction of its own."""
    changed: list[str] = []
    for each in _APPLIED:

        def write(rows: Sequence[tuple[Any, ...]], each: _Applied[Any] = each) -> None:
            changed.extend(_write(connection, each, rows))

        rules_data.apply(connection, each.file, write)
    return changed


def problem(connection: psycopg.Connection) -> str | None:
    """Why files as they are now are not going to be applied, in one line for people. Changes nothing."""
    return "; ".join(found for file in FILES if (found := rules_data.problem(connection, file))) or None


def _write(connection: psycopg.Connection, applied: _Applied[Any], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    table, columns = sql.Identifier("staging", applied.table), column_list(applied.columns)
    keys = applied.keys
    found = connection.execute(sql.SQL("SELECT {} FROM {}").format(columns, table)).fetchall()
    standing = {row[:keys]: row for row in found}
    wanted = {row[:keys]: row for row in rows}
    changed = sorted(key for key in standing.keys() | wanted.keys() if standing.get(key) != wanted.get(key))
    if not changed:
        return []
    with connection.cursor() as cursor:
        key_is = sql.SQL(" AND ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in applied.columns[:keys]
        )
        cursor.executemany(
            sql.SQL("DELETE FROM {} WHERE {}").format(table, key_is), [k for k in changed if k in standing]
        )
        places = sql.SQL(", ").join([sql.Placeholder()] * len(applied.columns))
        cursor.executemany(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, columns, places),
            [wanted[key] for key in changed if key in wanted],
        )
    # A few lines: the planner takes a table that it knows nothing of for a thousand.
    connection.execute(sql.SQL("ANALYZE {}").format(table))
    if standing:
        mark_changed(connection, _months(connection, applied, changed), "classification")
        return [", ".join(word for word in key if word != ANY) or ANY for key in changed]
    # Nothing was mapped before, and all that has landed waits for its first run anyway.
    return []


def _months(connection: psycopg.Connection, applied: _Applied[Any], changed: Sequence[tuple[str, ...]]) -> list[Any]:
    pairs = [pair for key in changed for pair in applied.concerned(key)]
    first, second = ([pair[at] for pair in pairs] for at in (0, 1))
    query = (
        statement("activities/mapping/months_of_values", written=sql.Identifier("m", applied.written))
        if applied.written
        else statement("activities/mapping/months_of_types")
    )
    return [row[0] for row in connection.execute(query, {"first": first, "second": second}).fetchall()]
