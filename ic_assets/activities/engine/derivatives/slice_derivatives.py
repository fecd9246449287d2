"""What the derivative stage does to a slice of months: HubSpot-shaped rows with their payloads, and the communications
marked as processed. The rules are in ``sql/activities/derivatives``. Can be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from ic_assets.activities.engine.derivatives import addresses, slice_bodies
from ic_assets.activities.engine.derivatives.payload_versions import version
from ic_assets.activities.engine.derivatives.payloads import part_sql, payload_sql
from ic_assets.activities.engine.judging import figures
from ic_assets.activities.engine.staging import refill
from ic_assets.activities.engine.staging.slices import begin, finish
from ic_assets.activities.engine.staging.stages import Written, analyze
from ic_assets.activities.facts.activity_types import ActivityType
from ic_assets.core.logs import log
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.core.sql import assignments, column_list, statement
from ic_assets.resources.postgres import Database

_Done = TypeVar("_Done")

# Types that are worked on at once: one core renders what the other writes, and the second fills the gaps.
_AT_A_TIME = 2


@dataclass(frozen=True)
class _Begun:
    """What is recorded of the months once their rows stand: the change numbers that they show, and the version of their
    payloads. Both are taken before the work, so that what changes meanwhile leaves the months as they were."""

    changes: Mapping[date, int]
    payload_version: str


@dataclass(frozen=True)
class _Refilled:
    """A derivative table that was filled at once."""

    begun: _Begun
    written: int


def apply_derivatives(
    database: Database, activities: Sequence[ActivityType], window: Window, settings: Settings
) -> Iterator[tuple[ActivityType, Written]]:
    """``apply_derivative`` of several types, each in transactions of its own and two at a time, the largest first. Gives
    each as it is done. When one fails the others are finished before its error is raised; when the caller is interrupted
    what is under way is cancelled."""
    parameters = {"source": figures.OF_MASTER.name, **window.parameters}
    sizes: dict[str, int] = database.repeated(
        "sizes", lambda c: dict(c.execute(statement("activities/derivatives/sizes"), parameters).fetchall())
    )
    large = [activity for activity in activities if sizes.get(activity.name, 0) >= refill.REFILL_FROM_ROWS]
    if large:
        database.repeated("detach", lambda connection: _detach(connection, large, window))

    def fill(connection: psycopg.Connection, activity: ActivityType) -> tuple[ActivityType, Written | _Refilled]:
        if activity in large and (refilled := _refill_derivative(connection, database, activity, window, settings)):
            return activity, refilled
        return activity, apply_derivative(connection, activity, window, settings)

    def settle(
        connection: psycopg.Connection, activity: ActivityType, refilled: _Refilled
    ) -> tuple[ActivityType, Written]:
        begin(connection, window, activity)
        if not _still_holds(connection, activity, refilled.written):
            # A roll-back came between: its months are out of date, and stay so.
            log.warning(
                "passed_over", what="marks of a first load", table=activity.table, reason="rolled back meanwhile"
            )
            return activity, Written(0, 0, {})
        return activity, _settle_derivative(connection, activity, window, settings, refilled.begun, refilled.written)

    by_size = sorted(activities, key=lambda activity: -sizes.get(activity.name, 0))
    filled: list[tuple[ActivityType, _Refilled]] = []
    failure: Exception | None = None
    try:
        for activity, done in _two_at_a_time(database, fill, [(activity,) for activity in by_size]):
            if isinstance(done, Written):
                yield activity, done
            else:
                filled.append((activity, done))
    except Exception as error:  # noqa: BLE001 - raised once the others are settled
        failure = error
    # Marking the master while a foreign key on it is built has to wait, hence only now.
    yield from _two_at_a_time(database, settle, filled)
    if failure:
        raise failure


def _two_at_a_time(
    database: Database, work: Callable[..., _Done], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[_Done]:
    """What ``work(connection, *arguments)`` returns, in the order in which it is done; each in a transaction."""
    working: set[psycopg.Connection] = set()

    def in_transaction(each: tuple[Any, ...]) -> _Done:
        def noted(connection: psycopg.Connection) -> _Done:
            working.add(connection)
            try:
                return work(connection, *each)
            finally:
                working.discard(connection)

        return database.repeated(f"{work.__name__} {each[0].name}", noted)

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
    begun = _begin(connection, activity, window, settings)
    written, removed = _merge_derivative(connection, activity, _IN_WINDOW, _parameters(activity, window, settings))
    _attach(connection, activity)
    analyze(connection, activity.table, written)
    return _settle_derivative(connection, activity, window, settings, begun, written, removed)


def _begin(connection: psycopg.Connection, activity: ActivityType, window: Window, settings: Settings) -> _Begun:
    return _Begun(begin(connection, window, activity), version(activity, settings))


_IN_WINDOW = sql.SQL("v.activity_date >= %(window_start)s AND v.activity_date < %(window_end)s")


def _parameters(activity: ActivityType, window: Window, settings: Settings) -> dict[str, Any]:
    return {
        **window.parameters,
        "activity_type": activity.name,
        "source_timezone": settings.source_timezone,
        "id_property": settings.hubspot_id_property,
    }


def _still_holds(connection: psycopg.Connection, activity: ActivityType, written: int) -> bool:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM staging.{}").format(sql.Identifier(activity.table))
    ).fetchone()
    return row is not None and row[0] == written


def _settle_derivative(
    connection: psycopg.Connection,
    activity: ActivityType,
    window: Window,
    settings: Settings,
    begun: _Begun,
    written: int,
    removed: int = 0,
) -> Written:
    table = sql.Identifier(activity.table)
    parameters = _parameters(activity, window, settings)
    # A merge join follows the master's key through the rows of every other type.
    connection.execute("SET LOCAL enable_mergejoin = off")
    connection.execute(statement("activities/derivatives/mark_processed", table=table), parameters)
    if activity.name in ("calls", "meetings"):
        connection.execute(statement("activities/derivatives/time_warnings"), parameters)
    if activity.name == "emails":
        connection.execute(statement("activities/derivatives/address_warnings"), window.parameters)
    connection.execute(
        statement("activities/push/adopt_from_ledger", table=sql.Identifier("staging", activity.table)),
        {**parameters, "object_type": activity.name},
    )
    finish(connection, activity.name, begun.changes, settings, begun.payload_version)
    months = figures.count(connection, figures.of_derivative(activity), "payloads", window)
    row_counts = {month: each.checked for month, each in months.items()}
    return Written(written, removed, row_counts, sum(each.failing for each in months.values()))


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
    begun = _begin(connection, activity, window, settings)
    if _is_attached(connection, activity):
        return None
    with refill.refilled(connection, activity.table, ["hubspot_engagement_id"], is_alone=False) as is_empty:
        if not is_empty:
            return None
        columns = own_columns(connection, activity)
        parameters = _parameters(activity, window, settings)
        with feed.transaction() as source:
            rendered = _rendered(source, activity, _IN_WINDOW, parameters, as_type=sql.SQL("text"))
            query = sql.SQL(
                "SELECT {}, payload AS hubspot_api_payload, push_status AS api_push_status,"
                " payload_error AS error_message FROM ({}) AS s"
            ).format(column_list(columns, "s"), rendered)
            into = (*columns, "hubspot_api_payload", "api_push_status", "error_message")
            written = refill.stream(source, query, parameters, connection, activity.table, into)
    _attach(connection, activity)
    analyze(connection, activity.table, written)
    return _Refilled(begun, written)


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
            columns=column_list(columns),
            incoming=column_list(columns, "s"),
            standing=column_list(columns, "d"),
            assignments=assignments(columns),
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
    if activity.name == "emails":
        addresses.read_unknown(connection, condition, dict(parameters))
    has_parts = slice_bodies.render(connection, activity, condition, parameters)
    connection.execute(statement("activities/derivatives/forget_parts", **names), parameters)
    if has_parts:
        connection.execute(
            statement("activities/derivatives/apply_parts", payload=part_sql().payload, **names), parameters
        )
    payload = payload_sql(activity)
    return statement(
        "activities/derivatives/rendered", payload=payload.payload, error=payload.error, as_type=as_type, **names
    )


def own_columns(connection: psycopg.Connection, activity: ActivityType) -> list[str]:
    """The columns of a derivative table that its view fills, in the table's order."""
    rows = connection.execute(
        "SELECT t.column_name FROM information_schema.columns AS t"
        " INNER JOIN information_schema.columns AS v USING (table_schema, column_name)"
        " WHERE t.table_schema = 'staging' AND t.table_name = %s AND v.table_name = %s ORDER BY t.ordinal_position",
        (activity.table, activity.view),
    )
    return [row[0] for row in rows.fetchall()]
