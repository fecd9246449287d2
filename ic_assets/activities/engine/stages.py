"""What the master, resolution and derivative stages do to a slice of months, as functions over a psycopg connection.

The rules themselves are in ``sql/activities``. Each function works in the caller's transaction, can be run again, and
records in ``staging.ic_month_stage`` up to which change it has brought its months.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from ic_assets.activities.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.activities.contract import COLUMNS
from ic_assets.activities.engine import refill
from ic_assets.activities.engine.bodies import needs_python, render_body
from ic_assets.activities.engine.payloads import part_sql, payload_sql
from ic_assets.activities.hubspot_properties import MAX_LENGTH
from ic_assets.core.failures import Refused
from ic_assets.core.files import SQL_DIR
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.resources.postgres import Database

_Done = TypeVar("_Done")

MASTER, RESOLVED = "master", "resolved"
STAGES = (MASTER, RESOLVED, *(activity.name for activity in ACTIVITY_TYPES))
CLASSIFICATION_FILE = SQL_DIR / "activities" / "classification.csv"

# Types that are worked on at once: one core renders what the other writes, and the second fills the gaps.
_AT_A_TIME = 2

# First half of the advisory lock on one month, and after it those on one month of one activity type; the second is the
# month's number.
_MONTH_LOCK = 0x1CA55F0


@dataclass(frozen=True)
class Window:
    """Whole months, ``start`` included and ``end`` excluded, both first days of a month."""

    start: date
    end: date

    @property
    def months(self) -> list[date]:
        months, month = [], self.start
        while month < self.end:
            months.append(month)
            month = next_month(month)
        return months

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "window_start": datetime(self.start.year, self.start.month, 1),  # noqa: DTZ001 - legacy local time
            "window_end": datetime(self.end.year, self.end.month, 1),  # noqa: DTZ001
        }


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


@dataclass(frozen=True)
class Written:
    """Rows a stage wrote and removed, and the rows that stand in each month now."""

    written: int
    removed: int
    row_counts: Mapping[date, int]
    invalid: int = 0


def begin(connection: psycopg.Connection, window: Window, activity: ActivityType | None = None) -> dict[date, int]:
    """Locks the months against other runs and returns the change number of each that has one. With ``activity`` the other
    activity types of the months may be worked on beside it.

    The numbers are read before the work, so that a drop that lands meanwhile leaves its months out of date."""
    numbers = [month.year * 12 + month.month for month in window.months]
    locks = [("pg_advisory_xact_lock", _MONTH_LOCK)]
    if activity:
        locks = [
            ("pg_advisory_xact_lock_shared", _MONTH_LOCK),
            ("pg_advisory_xact_lock", _MONTH_LOCK + 1 + ACTIVITY_TYPES.index(activity)),
        ]
    for lock, key in locks:
        connection.execute(
            sql.SQL("SELECT {}(%s, number) FROM unnest(%s::int[]) AS number ORDER BY number").format(sql.SQL(lock)),
            (key, numbers),
        )
    rows = connection.execute(
        "SELECT comm_month, change_number FROM staging.ic_month WHERE comm_month >= %s AND comm_month < %s",
        (window.start, window.end),
    )
    return dict(rows.fetchall())


def finish(connection: psycopg.Connection, stage: str, changes: Mapping[date, int], settings: Settings) -> None:
    """Records the months as brought up to the change numbers that ``begin`` returned."""
    connection.execute(
        statement("activities/months/mark_applied"),
        {
            "stage": stage,
            "months": list(changes),
            "change_numbers": list(changes.values()),
            "reference_time": settings.reference_time,
        },
    )


def mark_changed(connection: psycopg.Connection, months: Iterable[date], cause: str) -> None:
    connection.execute(statement("activities/months/mark_changed"), {"months": sorted(set(months)), "cause": cause})


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
    "row_hash",
)


def apply_master(
    connection: psycopg.Connection, window: Window, settings: Settings, feed: Database | None = None
) -> Written:
    """Brings the months' master rows to their current versions. A communication that left these months is moved
    to its new one, so that no stale row stays behind and its id stays what it was.

    With a ``feed`` a first load goes by ``refill`` where it can; the rows are the same."""
    changes = begin(connection, window)
    in_window = sql.SQL("l.comm_datetime >= %(window_start)s AND l.comm_datetime < %(window_end)s")
    if feed and _landing_is_large(connection, window):
        with refill.refilled(connection, "ic_communication_master") as is_empty:
            if is_empty:
                written = _fill_master(connection, feed, in_window, window.parameters)
        if is_empty:
            return _finish_master(connection, window, settings, changes, written)
    departed = [
        row[0] for row in connection.execute(statement("activities/master/departed"), window.parameters).fetchall()
    ]
    written = _merge_master(connection, in_window, window.parameters)
    if departed:
        by_id = sql.SQL("l.comm_communicationid = ANY(%(departed)s)")
        written += _merge_master(connection, by_id, {"departed": departed})
        connection.execute(statement("activities/master/unsettle"), {"departed": departed, **window.parameters})
    return _finish_master(connection, window, settings, changes, written)


def _fill_master(
    connection: psycopg.Connection, feed: Database, in_window: sql.SQL, parameters: Mapping[str, Any]
) -> int:
    with feed.transaction() as source:
        _plan_hashes(source)
        incoming = statement("activities/master/incoming", slice=in_window)
        query = statement("activities/master/by_type", incoming=incoming)
        return refill.stream(source, query, parameters, connection, "ic_communication_master", MASTER_COLUMNS)


def _merge_master(connection: psycopg.Connection, condition: sql.SQL, parameters: Mapping[str, Any]) -> int:
    _plan_hashes(connection)
    return connection.execute(
        statement(
            "activities/master/apply",
            incoming=statement("activities/master/incoming", slice=condition),
            assignments=_assignments(MASTER_COLUMNS),
            columns=_column_list(MASTER_COLUMNS),
            values=_column_list(MASTER_COLUMNS, "s"),
        ),
        parameters,
    ).rowcount


def _plan_hashes(connection: psycopg.Connection) -> None:
    """The planner joins by merging and sorts every row for it, 177 MB on disk for 500,000 rows, to save a small hash."""
    connection.execute("SET LOCAL enable_mergejoin = off")


def _finish_master(
    connection: psycopg.Connection, window: Window, settings: Settings, changes: Mapping[date, int], written: int
) -> Written:
    analyze(connection, "ic_communication_master", written)
    finish(connection, MASTER, changes, settings)
    counts = connection.execute(statement("activities/master/counts"), window.parameters).fetchall()
    return Written(written, 0, dict(counts))


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
    counts = connection.execute(statement("activities/master/counts"), window.parameters).fetchall()
    return Written(written, 0, dict(counts))


@dataclass(frozen=True)
class _Refilled:
    """A derivative table that was filled at once, and the change numbers that it shows."""

    changes: Mapping[date, int]
    written: int


def apply_derivatives(
    database: Database, activities: Sequence[ActivityType], window: Window, settings: Settings
) -> Iterator[tuple[ActivityType, Written]]:
    """``apply_derivative`` of several types, each in transactions of its own and two at a time, the largest first. Gives
    each as it is done. When one fails the others are finished before its error is raised; when the caller is interrupted
    what is under way is cancelled."""
    with database.transaction() as connection:
        sizes = dict(connection.execute(statement("activities/derivatives/sizes"), window.parameters).fetchall())
    large = [activity for activity in activities if sizes.get(activity.name, 0) >= refill.REFILL_FROM_ROWS]
    if large:
        with database.transaction() as connection:
            _detach(connection, large, window)

    def fill(connection: psycopg.Connection, activity: ActivityType) -> tuple[ActivityType, Written | _Refilled]:
        if activity in large and (refilled := _refill_derivative(connection, database, activity, window, settings)):
            return activity, refilled
        return activity, apply_derivative(connection, activity, window, settings)

    def settle(
        connection: psycopg.Connection, activity: ActivityType, refilled: _Refilled
    ) -> tuple[ActivityType, Written]:
        return activity, _settle_derivative(connection, activity, window, settings, refilled.changes, refilled.written)

    by_size = sorted(activities, key=lambda activity: -sizes.get(activity.name, 0))
    refilled: list[tuple[ActivityType, _Refilled]] = []
    failure: Exception | None = None
    try:
        for activity, done in _two_at_a_time(database, fill, [(activity,) for activity in by_size]):
            if isinstance(done, Written):
                yield activity, done
            else:
                refilled.append((activity, done))
    except Exception as error:  # noqa: BLE001 - raised once the others are settled
        failure = error
    # Marking the master while a foreign key on it is built has to wait, hence only now.
    yield from _two_at_a_time(database, settle, refilled)
    if failure:
        raise failure


def _two_at_a_time(
    database: Database, work: Callable[..., _Done], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[_Done]:
    """What ``work(connection, *arguments)`` returns, in the order in which it is done; each in a transaction."""
    working: set[psycopg.Connection] = set()

    def in_transaction(each: tuple[Any, ...]) -> _Done:
        with database.transaction() as connection:
            working.add(connection)
            try:
                return work(connection, *each)
            finally:
                working.discard(connection)

    failure: BaseException | None = None
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        futures = [pool.submit(in_transaction, each) for each in arguments]
        try:
            for done in as_completed(futures):
                if error := done.exception():
                    failure = failure or error
                else:
                    yield done.result()
        except BaseException:
            # Interrupted: the threads sit in statements that may take minutes, or are about to begin one.
            pool.shutdown(wait=False, cancel_futures=True)
            while any(future.running() for future in futures):
                wait(futures, timeout=0.2)
                for connection in list(working):
                    with suppress(psycopg.Error):
                        connection.cancel_safe(timeout=1)
            raise
    if failure:
        raise failure


def apply_derivative(
    connection: psycopg.Connection, activity: ActivityType, window: Window, settings: Settings
) -> Written:
    """Brings one derivative table to what its view gives, payloads included, and marks the communications processed."""
    changes = begin(connection, window, activity)
    written, removed = _merge_derivative(connection, activity, _IN_WINDOW, _parameters(activity, window, settings))
    _attach(connection, activity)
    analyze(connection, activity.table, written)
    return _settle_derivative(connection, activity, window, settings, changes, written, removed)


_IN_WINDOW = sql.SQL("v.activity_date >= %(window_start)s AND v.activity_date < %(window_end)s")


def _parameters(activity: ActivityType, window: Window, settings: Settings) -> dict[str, Any]:
    return {
        **window.parameters,
        "activity_type": activity.name,
        "source_timezone": settings.source_timezone,
        "id_property": settings.hubspot_id_property,
    }


def _settle_derivative(
    connection: psycopg.Connection,
    activity: ActivityType,
    window: Window,
    settings: Settings,
    changes: Mapping[date, int],
    written: int,
    removed: int = 0,
) -> Written:
    table = sql.Identifier(activity.table)
    parameters = _parameters(activity, window, settings)
    connection.execute(statement("activities/derivatives/mark_processed", table=table), parameters)
    if activity.name == "meetings":
        connection.execute(statement("activities/derivatives/meeting_warnings"), window.parameters)
    connection.execute(
        statement("activities/push/adopt_from_ledger", table=sql.Identifier("staging", activity.table)),
        {**parameters, "object_type": activity.name},
    )
    finish(connection, activity.name, changes, settings)
    counts = connection.execute(statement("activities/derivatives/counts", table=table), window.parameters).fetchall()
    return Written(written, removed, {row[0]: row[1] for row in counts}, sum(row[2] for row in counts))


def _detach(connection: psycopg.Connection, activities: Sequence[ActivityType], window: Window) -> None:
    """Takes the foreign keys off the derivative tables that are empty and about to get many rows. In a transaction of its
    own: dropping one locks the master, which the feed has to read. ``_attach`` puts them back, after a crash as well."""
    row = connection.execute(statement("activities/refill/master_is_inside"), window.parameters).fetchone()
    if not (row and row[0]):
        return
    for activity in activities:
        if refill.may_refill(connection, activity.table):
            refill.drop_constraint(connection, activity.table, _foreign_key(activity))


def _attach(connection: psycopg.Connection, activity: ActivityType) -> None:
    if not _is_attached(connection, activity):
        names = {"table": activity.table, "name": _foreign_key(activity)}
        connection.execute(
            statement("activities/refill/foreign_key", **{key: sql.Identifier(name) for key, name in names.items()})
        )


def _is_attached(connection: psycopg.Connection, activity: ActivityType) -> bool:
    names = {"table": activity.table, "name": _foreign_key(activity)}
    return connection.execute(statement("activities/refill/has_constraint"), names).fetchone() is not None


def _foreign_key(activity: ActivityType) -> str:
    return f"{activity.table}_ic_communication_master_id_fkey"


def _refill_derivative(
    connection: psycopg.Connection, feed: Database, activity: ActivityType, window: Window, settings: Settings
) -> _Refilled | None:
    """Fills the table that ``_detach`` has made ready; None, and nothing done, where it is not, or cannot be."""
    changes = begin(connection, window, activity)
    if _is_attached(connection, activity):
        return None
    with refill.refilled(connection, activity.table) as is_empty:
        if not is_empty:
            return None
        columns = own_columns(connection, activity)
        parameters = _parameters(activity, window, settings)
        with feed.transaction() as source:
            rendered = _rendered(source, activity, _IN_WINDOW, parameters, as_type=sql.SQL("text"))
            query = sql.SQL(
                "SELECT {}, payload AS hubspot_api_payload, push_status AS api_push_status,"
                " payload_error AS error_message FROM ({}) AS s"
            ).format(_column_list(columns, "s"), rendered)
            into = (*columns, "hubspot_api_payload", "api_push_status", "error_message")
            written = refill.stream(source, query, parameters, connection, activity.table, into)
    _attach(connection, activity)
    analyze(connection, activity.table, written)
    return _Refilled(changes, written)


def _merge_derivative(
    connection: psycopg.Connection, activity: ActivityType, in_window: sql.SQL, parameters: Mapping[str, Any]
) -> tuple[int, int]:
    """Rows written and removed."""
    table = sql.Identifier(activity.table)
    moved = [
        row[0]
        for row in connection.execute(statement("activities/derivatives/moved", table=table), parameters).fetchall()
    ]
    removed = connection.execute(statement("activities/derivatives/remove_departed", table=table), parameters).rowcount
    written = _merge_slice(connection, activity, in_window, parameters)
    if moved:
        by_id = sql.SQL("v.ic_communication_master_id = ANY(%(moved)s)")
        written += _merge_slice(connection, activity, by_id, {**parameters, "moved": moved})
    return written, removed


def _merge_slice(
    connection: psycopg.Connection, activity: ActivityType, condition: sql.SQL, parameters: Mapping[str, Any]
) -> int:
    columns = own_columns(connection, activity)
    written = connection.execute(
        statement(
            "activities/derivatives/apply",
            table=sql.Identifier(activity.table),
            rendered=_rendered(connection, activity, condition, parameters, as_type=sql.SQL("jsonb")),
            columns=_column_list(columns),
            incoming=_column_list(columns, "s"),
            standing=_column_list(columns, "d"),
            assignments=_assignments(columns),
        ),
        parameters,
    ).rowcount
    connection.execute("DROP TABLE ic_rendered_body")
    return written


def _rendered(
    connection: psycopg.Connection,
    activity: ActivityType,
    condition: sql.SQL,
    parameters: Mapping[str, Any],
    *,
    as_type: sql.SQL,
) -> sql.Composed:
    """The query for the rows of the slice, good in this transaction of this connection: the bodies that it needs are in a
    temporary table there. Continuations of bodies are brought up to date here."""
    names = {"view": sql.Identifier(activity.view), "slice": condition}
    has_parts = _render_bodies(connection, activity, condition, parameters)
    connection.execute(statement("activities/derivatives/forget_parts", **names), parameters)
    if has_parts:
        connection.execute(
            statement("activities/derivatives/apply_parts", payload=part_sql().payload, **names), parameters
        )
    payload = payload_sql(activity)
    return statement(
        "activities/derivatives/rendered", payload=payload.payload, error=payload.error, as_type=as_type, **names
    )


def _render_bodies(
    connection: psycopg.Connection, activity: ActivityType, condition: sql.SQL, parameters: Mapping[str, Any]
) -> bool:
    """Fills the temporary table ic_rendered_body with the bodies of the slice that SQL cannot render. Returns whether
    any of them has continuations."""
    connection.execute(
        "CREATE TEMPORARY TABLE ic_rendered_body ("
        "ic_communication_master_id bigint, part integer, html text, text text,"
        " PRIMARY KEY (ic_communication_master_id, part)) ON COMMIT DROP"
    )
    query = statement(
        "activities/derivatives/bodies_for_python",
        view=sql.Identifier(activity.view),
        body=sql.Identifier(activity.body),
        title=sql.SQL("v.{}").format(sql.Identifier(activity.title)) if activity.title else sql.SQL("NULL"),
        slice=condition,
        needs_python=needs_python(sql.SQL("v.{}").format(sql.Identifier(activity.body))),
    )
    has_parts = False
    # A server-side cursor: the slice may be a whole load. COPY needs the connection for itself, hence the batches.
    with connection.cursor(name="bodies") as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(1000):
            with connection.cursor() as writer, writer.copy("COPY ic_rendered_body FROM STDIN") as copy:
                for master_id, body, title in rows:
                    parts = render_body(body, title=title or activity.singular)
                    has_parts = has_parts or len(parts) > 1
                    # Where the body fits as it was written, that is what goes along as plain text.
                    fits = len(body) <= MAX_LENGTH
                    for part in parts:
                        copy.write_row((master_id, part.part, part.html, None if fits else part.text))
    # Without statistics the planner takes it for a handful of rows: 362 s instead of 12 s on 141,000 e-mails.
    connection.execute("ANALYZE ic_rendered_body")
    return has_parts


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


def analyze(connection: psycopg.Connection, table: str, written: int) -> None:
    """Tells the planner what has become of a staging table, when many rows were written."""
    if written >= (_ANALYZE_LANDING_FROM if table == "ic_communication_landing" else _ANALYZE_FROM):
        columns = _ANALYZED.get(table, _ANALYZED_OF_DERIVATIVES)
        connection.execute(sql.SQL("ANALYZE staging.{} ({})").format(sql.Identifier(table), _column_list(columns)))


def own_columns(connection: psycopg.Connection, activity: ActivityType) -> list[str]:
    """The columns of a derivative table that its view fills, in the table's order."""
    rows = connection.execute(
        "SELECT t.column_name FROM information_schema.columns AS t"
        " INNER JOIN information_schema.columns AS v USING (table_schema, column_name)"
        " WHERE t.table_schema = 'staging' AND t.table_name = %s AND v.table_name = %s ORDER BY t.ordinal_position",
        (activity.table, activity.view),
    )
    return [row[0] for row in rows.fetchall()]


def _assignments(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(column)) for column in columns)


def _column_list(columns: Sequence[str], alias: str | None = None) -> sql.Composed:
    prefix = sql.SQL("{}.").format(sql.Identifier(alias)) if alias else sql.SQL("")
    return sql.SQL(", ").join(prefix + sql.Identifier(column) for column in columns)


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


def out_of_date(connection: psycopg.Connection, stages: Sequence[str] = STAGES) -> list[tuple[date, int, str]]:
    """Months that one of the stages has not brought up to date: month, change number, cause."""
    return connection.execute(statement("activities/months/out_of_date"), {"stages": list(stages)}).fetchall()


def windows(months: Iterable[date], bridge: int = 3) -> list[Window]:
    """Months as few windows: gaps of up to ``bridge`` months are bridged, since a run costs more than a month that
    turns out to be up to date."""
    result: list[Window] = []
    for month in sorted(set(months)):
        if result and _distance(result[-1].end, month) <= bridge:
            result[-1] = Window(result[-1].start, next_month(month))
        else:
            result.append(Window(month, next_month(month)))
    return result


def _distance(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month
