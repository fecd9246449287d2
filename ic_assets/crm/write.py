"""The one way in which a flow writes ``crm.company_profile_meta_data``: its own columns and no others, nothing that a person
has locked, a row of the change log for each field that changed, and whoever depends on the company is woken (by triggers)
in the same transaction. ``person_edit`` and ``field_lock`` are the other two writers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from ic_assets.core.sql import statement
from ic_assets.crm.owners import Column, owned


@dataclass(frozen=True)
class Desired:
    """What a flow wants. ``relation`` stands after FROM and is read up to three times: a table (a temporary one for what is
    costly), or a SELECT in brackets. It has one row per company, with ``company``, ``cause`` (the event's id, or
    ``clock:<what>``) and the columns.

    ``rules`` says for each column to write by which rule, as an expression over the relation's row ``d``:
    ``{"cs_stage": SQL("'stage-' || d.rule")}``, or a constant, ``Literal("movement")``."""

    relation: sql.Composable
    rules: Mapping[str, sql.Composable]


@dataclass(frozen=True)
class Written:
    """``held``: fields that a person's lock kept at another value."""

    added: int
    companies: int
    fields: int
    held: int


def write(
    connection: psycopg.Connection,
    flow: str,
    desired: Desired,
    *,
    now: datetime | None = None,
    adds_companies: bool = False,
) -> Written:
    """Brings the columns to ``desired``, in the caller's transaction. Companies without a row are passed over, or get one
    with ``adds_companies``. ``now``: IC_REFERENCE_TIME where it is set, else the database's clock counts.

    Raises ``ValueError`` for a column of another flow, and psycopg's errors for a value that the table refuses."""
    columns = owned(flow, list(desired.rules))
    added = 0
    if adds_companies:
        lock(connection, desired.relation, flow)
        added = connection.execute(statement("crm/write/add", desired=desired.relation)).rowcount
    lock(connection, desired.relation, flow)
    row = connection.execute(
        statement(
            "crm/write/write",
            desired=desired.relation,
            wanted=_joined(_wanted(column, desired.rules[column.name]) for column in columns),
            judged=_joined(map(_judged, columns)),
            assigned=sql.SQL("").join(sql.SQL(", {0} = j.{0}").format(column.identifier) for column in columns),
            differs=sql.SQL(" OR ").join(map(_differs, columns)),
            changes=sql.SQL("(VALUES {})").format(_joined(_change(place, c) for place, c in enumerate(columns))),
            held=sql.SQL(" + ").join(sql.SQL("j.{}::integer").format(_named("held", column)) for column in columns),
        ),
        {"flow": flow, "fields": [column.name for column in columns if column.person == "take"], "now": now},
    ).fetchone()
    end(connection)
    assert row is not None  # noqa: S101 - it always answers
    return Written(added, *row)


def lock(connection: psycopg.Connection, relation: sql.Composable, writer: str = "") -> None:
    """Locks the rows of the relation's companies, and has what follows count as ``writer``'s until ``end``."""
    connection.execute(statement("crm/write/lock", desired=relation), {"writer": writer})


def end(connection: psycopg.Connection) -> None:
    """What follows is nobody's in particular again."""
    connection.execute(statement("crm/write/end"))


def _joined(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _named(what: str, column: Column) -> sql.Identifier:
    return sql.Identifier(f"{what}_{column.name}")


def _wanted(column: Column, rule: sql.Composable) -> sql.Composed:
    # Cast here: a figure with more decimals than the column would differ from it for ever.
    return sql.SQL("CAST(d.{} AS {}) AS {}, {} AS {}").format(
        column.identifier, column.sql_type, column.identifier, rule, _named("rule", column)
    )


def _judged(column: Column) -> sql.Composed:
    """The value to stand, the present one, and whether a lock kept another away."""
    return sql.SQL(
        "CASE WHEN {locked} THEN p.{name} ELSE d.{name} END AS {name}, p.{name} AS {old}, d.{rule},"
        " ({locked} AND d.{name} IS DISTINCT FROM p.{name}) AS {held}"
    ).format(
        locked=_locked(column),
        name=column.identifier,
        old=_named("old", column),
        rule=_named("rule", column),
        held=_named("held", column),
    )


def _locked(column: Column) -> sql.Composable:
    if column.person != "take":
        return sql.SQL("FALSE")
    parts = [sql.SQL("coalesce({} = ANY(l.fields), FALSE)").format(sql.Literal(column.name))]
    if column.lock_column:
        expiration = sql.Identifier(column.lock_column)
        parts.append(sql.SQL("coalesce(p.{} > clock.instant, FALSE)").format(expiration))
    locked = sql.SQL("({})").format(sql.SQL(" OR ").join(parts))
    # Where a person cannot clear the field, nothing in it is nobody's word.
    return locked if column.may_be_empty else sql.SQL("({} AND p.{} IS NOT NULL)").format(locked, column.identifier)


def _differs(column: Column) -> sql.Composed:
    return sql.SQL("j.{} IS DISTINCT FROM j.{}").format(column.identifier, _named("old", column))


def _change(place: int, column: Column) -> sql.Composed:
    return sql.SQL("({}, {}, crm.canonical(j.{}), crm.canonical(j.{}), j.{}::text, {})").format(
        sql.Literal(place),
        sql.Literal(column.name),
        _named("old", column),
        column.identifier,
        _named("rule", column),
        _differs(column),
    )
