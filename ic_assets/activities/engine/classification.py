"""Which activity type each of the CRM's types becomes: data in a file, brought to the database when it differs."""

from __future__ import annotations

import csv
from functools import cache

import psycopg

from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.slices import mark_changed
from ic_assets.core.failures import Refused
from ic_assets.core.files import SQL_DIR

CLASSIFICATION_FILE = SQL_DIR / "activities" / "classification.csv"


@cache
def classification() -> tuple[tuple[str, str, str | None], ...]:
    """The rows of ``sql/activities/classification.csv``: type as written in the CRM, activity type, channel.

    Raises ``Refused`` naming the line of a value that stands twice, an unknown activity type, a channel where none
    belongs or none where one does."""
    known = {activity.name for activity in ACTIVITY_TYPES} | {"case"}
    rows: dict[str, tuple[str, str, str | None]] = {}
    with CLASSIFICATION_FILE.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            where = f"{CLASSIFICATION_FILE.name}, line {reader.line_num}"
            comm_type = (row.get("comm_type") or "").strip().lower()
            activity_type = (row.get("activity_type") or "").strip()
            channel = (row.get("channel_type") or "").strip() or None
            if not comm_type or comm_type in rows:
                raise Refused(f"{where}: comm_type {comm_type!r} is empty or stands twice; give each value one line")
            if activity_type not in known:
                raise Refused(f"{where}: activity_type {activity_type!r} is not one of {', '.join(sorted(known))}")
            if (activity_type == "communications") != (channel is not None):
                raise Refused(
                    f"{where}: a value mapped to communications names its channel_type"
                    " (SMS, LINKEDIN_MESSAGE or WHATS_APP), any other leaves it empty"
                )
            if channel not in (None, "SMS", "LINKEDIN_MESSAGE", "WHATS_APP"):
                raise Refused(f"{where}: channel_type {channel!r} is not SMS, LINKEDIN_MESSAGE or WHATS_APP")
            rows[comm_type] = (comm_type, activity_type, channel)
    return tuple(rows.values())


def sync_classification(connection: psycopg.Connection) -> list[str]:
    """Brings ``staging.ic_activity_classification`` in line with the file and puts the months out of date that hold a
    value whose mapping changed. Returns those values."""
    connection.execute("LOCK TABLE staging.ic_activity_classification IN SHARE ROW EXCLUSIVE MODE")
    standing = {
        row[0]: row
        for row in connection.execute(
            "SELECT comm_type, activity_type, channel_type FROM staging.ic_activity_classification"
        ).fetchall()
    }
    wanted = {row[0]: row for row in classification()}
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
