"""Which activity type each of the CRM's types becomes: data in a file, brought to the database when it differs."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.slices import mark_changed
from ic_assets.core import rules_data
from ic_assets.core.rules_data import Line, RuleFile

_CHANNELS = ("SMS", "LINKEDIN_MESSAGE", "WHATS_APP")

Classified = tuple[str, str, str | None]
"""Type as written in the CRM, trimmed and in lower case; activity type; channel."""


def _parse(line: Line) -> Classified:
    known = {activity.name for activity in ACTIVITY_TYPES} | {"case"}
    comm_type, activity_type, channel = line["comm_type"].lower(), line["activity_type"], line["channel_type"]
    if not comm_type:
        raise line.refused("comm_type", "empty; write the value as it stands in the CRM")
    if activity_type not in known:
        raise line.refused("activity_type", f"{activity_type!r} is not one of {', '.join(sorted(known))}")
    if (activity_type == "communications") != bool(channel):
        raise line.refused(
            "channel_type",
            f"a value mapped to communications names its channel ({', '.join(_CHANNELS)}), any other leaves it empty",
        )
    if channel and channel not in _CHANNELS:
        raise line.refused("channel_type", f"{channel!r} is not one of {', '.join(_CHANNELS)}")
    return comm_type, activity_type, channel or None


CLASSIFICATION = RuleFile(
    "activities/classification.csv",
    columns=("comm_type", "activity_type", "channel_type"),
    parse=_parse,
    key=lambda row: row[0],
    key_columns=("comm_type",),
)


def sync_classification(connection: psycopg.Connection) -> list[str]:
    """Brings ``staging.ic_activity_classification`` in line with the file, once for each state of it, and puts the months
    out of date that hold a value whose mapping changed. Returns those values. Give it a transaction of its own."""
    changed: list[str] = []
    rules_data.apply(connection, CLASSIFICATION, lambda rows: changed.extend(_write(connection, rows)))
    return changed


def problem(connection: psycopg.Connection) -> str | None:
    """Why the file as it is now is not going to be applied, in one line for people. Changes nothing."""
    return rules_data.problem(connection, CLASSIFICATION)


def _write(connection: psycopg.Connection, rows: Sequence[Classified]) -> list[str]:
    standing = {
        row[0]: row
        for row in connection.execute(
            "SELECT comm_type, activity_type, channel_type FROM staging.ic_activity_classification"
        ).fetchall()
    }
    wanted = {row[0]: row for row in rows}
    changed = sorted(key for key in standing.keys() | wanted.keys() if standing.get(key) != wanted.get(key))
    if not changed:
        return []
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM staging.ic_activity_classification WHERE comm_type = ANY(%s)", (changed,))
        cursor.executemany(
            "INSERT INTO staging.ic_activity_classification VALUES (%s, %s, %s)",
            [wanted[key] for key in changed if key in wanted],
        )
        if not standing:
            # Nothing was classified before, and all that has landed waits for its first run anyway.
            return []
        months = cursor.execute(
            "SELECT DISTINCT date_trunc('month', comm_datetime)::date FROM staging.ic_communication_landing"
            " WHERE is_current AND staging.ic_norm(comm_type) = ANY(%s)",
            (changed,),
        ).fetchall()
    mark_changed(connection, (row[0] for row in months), "classification")
    return changed
