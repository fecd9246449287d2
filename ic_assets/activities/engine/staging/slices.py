"""Months as the stages take them: slices of whole months, their locks, and up to which change a stage has brought each
(``staging.ic_month``, ``staging.ic_month_stage``)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import psycopg
from psycopg import sql

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.core import kept_settings, locks
from ic_assets.core.logs import log
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement

# A wait that a person would notice.
_WORTH_A_LINE = 1.0

MASTER, RESOLVED = "master", "resolved"
STAGES = (MASTER, RESOLVED, *(activity.name for activity in ACTIVITY_TYPES))


def wait_for_turn(connection: psycopg.Connection) -> None:
    """The lock of the landing, held until the transaction ends. Says so in the log where another has it."""
    free = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (locks.LANDING,)).fetchone()
    if free == (True,):
        return
    log.info("waits", what="landing", holder="another landing, or a roll-back")
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (locks.LANDING,))


def begin(connection: psycopg.Connection, window: Window, activity: ActivityType | None = None) -> dict[date, int]:
    """Locks the months against other runs and returns the change number of each that has one. With ``activity`` the other
    activity types of the months may be worked on beside it.

    The numbers are read before the work, so that a drop that lands meanwhile leaves its months out of date."""
    numbers = [month.year * 12 + month.month for month in window.months]
    wanted = [("pg_advisory_xact_lock", locks.MONTH)]
    if activity:
        wanted = [
            ("pg_advisory_xact_lock_shared", locks.MONTH),
            ("pg_advisory_xact_lock", locks.MONTH + 1 + ACTIVITY_TYPES.index(activity)),
        ]
    began = time.monotonic()
    for lock, key in wanted:
        connection.execute(
            sql.SQL("SELECT {}(%s, number) FROM unnest(%s::int[]) AS number ORDER BY number").format(sql.SQL(lock)),
            (key, numbers),
        )
    if (seconds := time.monotonic() - began) > _WORTH_A_LINE:
        log.info("waited", what="months", holder="another run of the same months", seconds=round(seconds, 1))
    rows = connection.execute(
        "SELECT comm_month, change_number FROM staging.ic_month WHERE comm_month >= %s AND comm_month < %s",
        (window.start, window.end),
    )
    return dict(rows.fetchall())


def hold_all(connection: psycopg.Connection, window: Window | None) -> None:
    """For whoever takes rows away: waits for the landing and the stages at work on the months of the window (None: on any)
    and keeps others away until the transaction ends. In the order in which they lock, so that nobody waits in a circle."""
    wait_for_turn(connection)
    # Known only now: a landing may have brought months meanwhile.
    connection.execute(statement("activities/months/hold_all"), {"key": locks.MONTH, **_bounds(window)})


def _bounds(window: Window | None) -> dict[str, date | None]:
    return {"first": window.start if window else None, "beyond": window.end if window else None}


def finish(
    connection: psycopg.Connection,
    stage: str,
    changes: Mapping[date, int],
    settings: Settings,
    payload_version: str | None = None,
) -> None:
    """Records the months as brought up to the change numbers that ``begin`` returned, and what their payloads were made
    with. Raises ``Refused`` where somebody changed a setting that shapes the data meanwhile."""
    kept_settings.keep(connection, settings)
    connection.execute(
        statement("activities/months/mark_applied"),
        {
            "stage": stage,
            "months": list(changes),
            "change_numbers": list(changes.values()),
            "reference_time": settings.reference_time,
            "payload_version": payload_version,
        },
    )


def mark_changed(connection: psycopg.Connection, months: Iterable[date], cause: str) -> None:
    connection.execute(statement("activities/months/mark_changed"), {"months": sorted(set(months)), "cause": cause})


def out_of_date(
    connection: psycopg.Connection,
    stages: Sequence[str] = STAGES,
    *,
    first_month: date | None = None,
    before: date | None = None,
) -> list[tuple[date, int, str]]:
    """Months that one of the stages has not brought up to date: month, change number, cause. ``first_month`` included and
    ``before`` excluded bound them; who acts on one activity type names ``MASTER``, ``RESOLVED`` and that type as stages."""
    return connection.execute(
        statement("activities/months/out_of_date"),
        {"stages": list(stages), "first_month": first_month, "before": before},
    ).fetchall()
