"""What the master and resolution stages do to a slice of months, as functions over a psycopg connection.

The rules themselves are in ``sql/activities``. Each function works in the caller's transaction, can be run again, and
records in ``staging.ic_month_stage`` up to which change it has brought its months.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.judging import figures
from ic_assets.activities.engine.staging import refill
from ic_assets.activities.engine.staging.slices import MASTER, RESOLVED, begin, finish
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.core.sql import assignments, column_list, statement
from ic_assets.resources.postgres import Database


@dataclass(frozen=True)
class Written:
    """Rows a stage wrote and removed, and the rows that stand in each month now."""

    written: int
    removed: int
    row_counts: Mapping[date, int]
    invalid: int = 0


# The columns of master/incoming.sql: those of the drop, and what the master adds to them.
MASTER_COLUMNS = (
    *(column.name for column in COLUMNS),
    "derived_activity_type",
    "is_task_eligible",
    "hubspot_contact_id",
    "hubspot_company_id",
    "hubspot_deal_id",
    "is_orphaned",
    "source_drop",
    "source_line",
)


def apply_master(
    connection: psycopg.Connection, window: Window, settings: Settings, feed: Database | None = None
) -> Written:
    """Brings the months' master rows to their current versions. A communication that left these months is moved
    to its new one, so that no stale row stays behind and its id stays what it was.

    With a ``feed`` a first load goes by ``refill`` where it can; the rows are the same."""
    changes = begin(connection, window)
    removed = connection.execute(statement("activities/master/remove_deleted"), window.parameters).rowcount
    in_window = sql.SQL("l.comm_datetime >= %(window_start)s AND l.comm_datetime < %(window_end)s")
    if feed and _landing_is_large(connection, window):
        with refill.refilled(connection, "ic_communication_master") as is_empty:
            if is_empty:
                written = _fill_master(connection, feed, in_window, window.parameters)
        if is_empty:
            _apply_parties(connection, in_window, _IN_WINDOW, window.parameters)
            return _finish_master(connection, window, settings, changes, written)
    departed = [
        row[0] for row in connection.execute(statement("activities/master/departed"), window.parameters).fetchall()
    ]
    written = _merge_master(connection, in_window, window.parameters)
    _apply_parties(connection, in_window, _IN_WINDOW, window.parameters)
    if departed:
        by_id = sql.SQL("l.comm_communicationid = ANY(%(departed)s)")
        written += _merge_master(connection, by_id, {"departed": departed})
        of_master = sql.SQL("m.comm_communicationid = ANY(%(departed)s)")
        _apply_parties(connection, by_id, of_master, {"departed": departed})
        connection.execute(statement("activities/master/unsettle"), {"departed": departed, **window.parameters})
    return _finish_master(connection, window, settings, changes, written, removed)


_IN_WINDOW = sql.SQL("m.comm_datetime >= %(window_start)s AND m.comm_datetime < %(window_end)s")


def _fill_master(
    connection: psycopg.Connection, feed: Database, in_window: sql.SQL, parameters: Mapping[str, Any]
) -> int:
    with feed.transaction() as source:
        incoming, values = _incoming(source, in_window, parameters)
        query = statement("activities/master/by_type", incoming=incoming)
        return refill.stream(source, query, values, connection, "ic_communication_master", MASTER_COLUMNS)


def _merge_master(connection: psycopg.Connection, condition: sql.SQL, parameters: Mapping[str, Any]) -> int:
    incoming, values = _incoming(connection, condition, parameters)
    return connection.execute(
        statement(
            "activities/master/apply",
            incoming=incoming,
            assignments=assignments(MASTER_COLUMNS),
            columns=column_list(MASTER_COLUMNS),
            values=column_list(MASTER_COLUMNS, "s"),
        ),
        values,
    ).rowcount


# Classified once each and not row by row; as many spellings of type, action and priority as people leave behind.
_MOST_KINDS = 20_000


def _incoming(
    connection: psycopg.Connection, condition: sql.SQL, parameters: Mapping[str, Any]
) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for the rows of the slice, and its parameters."""
    # The planner joins by merging and sorts every row for it, 177 MB on disk for 500,000 rows, to save a small hash.
    connection.execute("SET LOCAL enable_mergejoin = off")
    kinds = connection.execute(
        statement("activities/master/kinds", slice=condition), {**parameters, "row_limit": _MOST_KINDS}
    ).fetchall()
    names = ("types", "actions", "priorities", "cases", "activity_types")
    columns = zip(*kinds, strict=True) if kinds else ((),) * len(names)
    arrays = {name: list(column) for name, column in zip(names, columns, strict=True)}
    landed = column_list([column.name for column in COLUMNS], "l")
    return statement("activities/master/incoming", slice=condition, columns=landed), {**parameters, **arrays}


def _apply_parties(
    connection: psycopg.Connection, condition: sql.SQL, of_master: sql.SQL, parameters: Mapping[str, Any]
) -> None:
    """Brings the further people of the slice to those of its current versions. ``condition`` is on the landing, ``of_master``
    the same on the master."""
    if connection.execute("SELECT 1 FROM staging.ic_drop WHERE joined > 0 LIMIT 1").fetchone() is None:
        return
    parties = statement("activities/master/parties", slice=condition)
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE ic_party ON COMMIT DROP AS {}").format(parties), parameters)
    connection.execute(statement("activities/master/forget_parties", slice=condition), parameters)
    connection.execute(statement("activities/master/apply_parties"))
    connection.execute("DROP TABLE ic_party")
    connection.execute(statement("activities/resolution/orphans_of_parties", slice=of_master), parameters)


def _have_parties(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT 1 FROM staging.ic_communication_party LIMIT 1").fetchone() is not None


def _finish_master(
    connection: psycopg.Connection,
    window: Window,
    settings: Settings,
    changes: Mapping[date, int],
    written: int,
    removed: int = 0,
) -> Written:
    analyze(connection, "ic_communication_master", written)
    finish(connection, MASTER, changes, settings)
    months = figures.count(connection, figures.OF_MASTER, "required_fields_present", window)
    return Written(written, removed, {month: each.checked for month, each in months.items()})


def _landing_is_large(connection: psycopg.Connection, window: Window) -> bool:
    """Whether the window is all that has landed, and many rows: other runs may be at work on months outside it."""
    row = connection.execute(
        statement("activities/refill/landing_is_large"), {**window.parameters, "rows": refill.REFILL_FROM_ROWS}
    ).fetchone()
    return bool(row and row[0])


def apply_resolution(connection: psycopg.Connection, window: Window, settings: Settings) -> Written:
    """Looks the months' references up again, writes what changed and the log of misses."""
    changes = begin(connection, window)
    differing = statement("activities/resolution/differing")
    written = 0
    # Counted first: a plain query uses both cores, an UPDATE one, and after a first load there is nothing to update.
    found = connection.execute(
        sql.SQL("SELECT count(*) FROM ({}) AS found").format(differing), window.parameters
    ).fetchone()
    if found and found[0]:
        written = connection.execute(
            statement("activities/resolution/apply", differing=differing), window.parameters
        ).rowcount
    if _have_parties(connection):
        connection.execute(statement("activities/resolution/apply_parties"), window.parameters)
        orphans = statement("activities/resolution/orphans_of_parties", slice=_IN_WINDOW)
        written += connection.execute(orphans, window.parameters).rowcount
    connection.execute(statement("activities/resolution/forget_log"), window.parameters)
    # A table of its own, for the same reason: what an INSERT reads is read on one core.
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE ic_miss ON COMMIT DROP AS {}").format(
            statement("activities/resolution/misses")
        ),
        window.parameters,
    )
    connection.execute(statement("activities/resolution/log_misses"))
    connection.execute("DROP TABLE ic_miss")
    finish(connection, RESOLVED, changes, settings)
    months = figures.count(connection, figures.OF_RESOLUTION, "orphans", window)
    return Written(written, 0, {month: each.checked for month, each in months.items()})


# So many rows written at once change what the planner should know, and autovacuum comes minutes later. It knows nothing
# at all of a new drop, and compares each of its rows with each.
_ANALYZE_FROM = 10_000
_ANALYZE_LANDING_FROM = 500

# What statements look rows up by, join on and filter by; the wide columns would cost as much again.
_ANALYZED = {
    "ic_communication_landing": (
        "drop_id",
        "fate",
        "is_current",
        "comm_communicationid",
        "comm_type",
        "comm_action",
        "comm_priority",
        "comm_caseid",
        "comm_datetime",
        "comm_opportunityid",
        "person_id",
        "company_id",
    ),
    "ic_communication_master": (
        "id",
        "comm_communicationid",
        "comm_type",
        "comm_datetime",
        "comm_opportunityid",
        "person_id",
        "company_id",
        "derived_activity_type",
        "hubspot_contact_id",
        "hubspot_company_id",
        "hubspot_deal_id",
        "is_orphaned",
        "staging_status",
    ),
}
_ANALYZED_OF_DERIVATIVES = ("id", "ic_communication_master_id", "activity_date", "api_push_status")
# Enough for keys, dates and a status; the usual 100 reads 30,000 rows, half of a table of them, payloads included.
_STATISTICS_OF_DERIVATIVES = 20


def analyze(connection: psycopg.Connection, table: str, written: int) -> None:
    """Tells the planner what has become of a staging table, when many rows were written."""
    if written >= (_ANALYZE_LANDING_FROM if table == "ic_communication_landing" else _ANALYZE_FROM):
        columns = _ANALYZED.get(table, _ANALYZED_OF_DERIVATIVES)
        if table not in _ANALYZED:
            connection.execute(f"SET LOCAL default_statistics_target = {_STATISTICS_OF_DERIVATIVES}")
        connection.execute(sql.SQL("ANALYZE staging.{} ({})").format(sql.Identifier(table), column_list(columns)))
