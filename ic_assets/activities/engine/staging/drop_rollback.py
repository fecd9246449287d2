"""One drop taken back: its rows go, and what stood before it stands again. Only while no later drop has rows of its
communications: what became of those was decided beside this one. Called by ``ic-assets rollback drop``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ic_assets.activities.engine.reports.trace import drop_named
from ic_assets.activities.engine.staging.slices import hold_all, mark_changed
from ic_assets.core.failures import Refused
from ic_assets.core.sql import statement

_NAMED = 5


@dataclass(frozen=True)
class DropTakenBack:
    """``brought_back`` communications stand as they did before, ``gone`` ones had come with the drop. ``in_hubspot`` are
    those of the latter whose records stand there, by portal: no push removes them."""

    drop_key: str
    removed: Mapping[str, int]
    brought_back: int
    gone: int
    deleted_again: int
    months: tuple[date, ...]
    in_hubspot: Mapping[str, list[int]]


def named(connection: psycopg.Connection, name: str) -> dict[str, Any]:
    """The landed drop with this key, file name or number. Raises ``Refused`` where several have the name."""
    if name.isascii() and name.isdigit():
        row = connection.execute("SELECT drop_key FROM staging.ic_drop WHERE drop_id = %s", (int(name),)).fetchone()
        name = row[0] if row else name
    drop, notes = drop_named(connection, name)
    if notes:
        raise Refused(f"{name}: {notes[0].replace('; this is the newest', '')}")
    return drop


def take_back(connection: psycopg.Connection, name: str) -> DropTakenBack:
    """Removes what the drop brought, and puts it on record. Waits for whoever lands or stages. Raises ``Refused`` beside
    later drops that build on it."""
    hold_all(connection, None)
    drop = named(connection, name)
    key = {"drop_id": drop["drop_id"], "drop_key": drop["drop_key"]}
    if later := [row[0] for row in connection.execute(_statement("later"), key).fetchall()]:
        more = f" and {len(later) - _NAMED} more" if len(later) > _NAMED else ""
        raise Refused(
            f"{drop['drop_key']} cannot be rolled back alone: later drops have versions of its communications; roll these "
            f"back first, the last one first: {', '.join(later[-_NAMED:])}{more}. Or `ic-assets rollback master`"
        )
    touched = sql.SQL("CREATE TEMPORARY TABLE ic_taken_back ON COMMIT DROP AS {}").format(_statement("touched"))
    connection.execute(touched, key)
    months = _months(connection, key)
    removed = _remove(connection, key)
    brought_back = connection.execute(_statement("bring_back")).rowcount
    deleted_again = connection.execute(_statement("delete_again")).rowcount
    gone = connection.execute(_statement("forget_master")).rowcount
    left: dict[str, list[int]] = {}
    for portal, communication in connection.execute(_statement("in_hubspot")).fetchall():
        left.setdefault(str(portal), []).append(communication)
    mark_changed(connection, months, "landing")
    connection.execute("DROP TABLE ic_taken_back")
    removed["staging.ic_communication_master"] = gone
    connection.execute(
        "INSERT INTO staging.ic_rollback (scope, removed) VALUES (%s, %s)", (f"drop {drop['drop_key']}", Jsonb(removed))
    )
    return DropTakenBack(drop["drop_key"], removed, brought_back, gone, deleted_again, months, left)


def _statement(name: str) -> sql.Composed:
    return statement(f"activities/drop_rollback/{name}")


def _months(connection: psycopg.Connection, key: Mapping[str, Any]) -> tuple[date, ...]:
    """Those that the drop touched, and those of what stands again."""
    rows = connection.execute(
        "SELECT unnest(months) FROM staging.ic_drop WHERE drop_id = %(drop_id)s UNION"
        " SELECT comm_month FROM ic_taken_back WHERE comm_month IS NOT NULL ORDER BY 1",
        key,
    )
    return tuple(row[0] for row in rows.fetchall())


def _remove(connection: psycopg.Connection, key: Mapping[str, Any]) -> dict[str, int]:
    removed = {}
    for table, column, value in (
        ("ic_communication_landing", "drop_id", "drop_id"),
        ("ic_rejected_row", "drop_key", "drop_key"),
        ("ic_field_warning", "drop_key", "drop_key"),
        ("ic_deleted_communication", "source_drop", "drop_key"),
        ("ic_drop", "drop_id", "drop_id"),
    ):
        delete = sql.SQL("DELETE FROM staging.{} WHERE {} = {}").format(
            sql.Identifier(table), sql.Identifier(column), sql.Placeholder(value)
        )
        done = connection.execute(delete, key)
        removed[f"staging.{table}"] = done.rowcount
    return removed
