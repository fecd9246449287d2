"""What the CRM's words mean: the activity type of a type and an action, directions, statuses and priorities, as files that
people edit, brought to the database when they differ. The same rules over single values, for who has no database, are in
``mapping``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.staging.slices import mark_changed
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.core import rules_data
from ic_assets.core.rules_data import Line, Mirror, RuleFile
from ic_assets.core.sql import statement

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


def _mirror(
    file: RuleFile[Any],
    table: str,
    columns: tuple[str, ...],
    keys: int,
    concerned: Callable[[tuple[Any, ...]], Sequence[tuple[str, str]]],
    written: str = "",
) -> Mirror[Any]:
    """``concerned``: which values of which activity types a changed key is about, types and actions, or with ``written``
    activity types and values of that column."""

    def affected(connection: psycopg.Connection, changed: Sequence[tuple[Any, ...]]) -> None:
        pairs = [pair for key in changed for pair in concerned(key)]
        first, second = ([pair[at] for pair in pairs] for at in (0, 1))
        query = (
            statement("activities/mapping/months_of_values", written=sql.Identifier("m", written))
            if written
            else statement("activities/mapping/months_of_types")
        )
        months = [row[0] for row in connection.execute(query, {"first": first, "second": second}).fetchall()]
        mark_changed(connection, months, "classification")

    return Mirror(file, f"staging.{table}", columns, keys, affected)


_MIRRORS = (
    _mirror(
        CLASSIFICATION,
        "ic_activity_classification",
        ("comm_type", "comm_action", "activity_type", "channel_type"),
        2,
        lambda key: [(key[0], key[1])],
    ),
    _mirror(
        DIRECTIONS,
        "ic_direction_rule",
        ("comm_action", "direction"),
        1,
        lambda key: [("calls", key[0]), ("emails", key[0])],
        "comm_action",
    ),
    _mirror(
        STATUSES,
        "ic_status_rule",
        ("activity_type", "comm_status", "result", "disposition"),
        2,
        lambda key: [(key[0], key[1])],
        "comm_status",
    ),
    _mirror(
        PRIORITIES,
        "ic_priority_rule",
        ("comm_priority", "result"),
        1,
        lambda key: [("tasks", key[0])],
        "comm_priority",
    ),
)
FILES: tuple[RuleFile[Any], ...] = tuple(each.file for each in _MIRRORS)


def sync_classification(connection: psycopg.Connection) -> list[str]:
    """Brings the four tables in line with their files, once for each state of a file, and puts the months out of date that
    hold a value whose line changed. Returns those values. Give it a transaction of its own."""
    changed = [key for mirror in _MIRRORS for key in mirror.sync(connection)]
    return [", ".join(word for word in key if word != ANY) or ANY for key in changed]


def problem(connection: psycopg.Connection) -> str | None:
    """Why files as they are now are not going to be applied, in one line for people. Changes nothing."""
    return "; ".join(found for file in FILES if (found := rules_data.problem(connection, file))) or None
