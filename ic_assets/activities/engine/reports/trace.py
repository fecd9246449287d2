"""Where one row of a drop went: from its line to the record in HubSpot, or to where it stopped and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.activities.engine.reconciliation.matches import ENTITIES
from ic_assets.activities.engine.reports.masked_values import mask_raw, mask_value
from ic_assets.activities.engine.reports.trace_story import Reference, tell
from ic_assets.activities.engine.staging.slices import STAGES
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.core.failures import Refused
from ic_assets.core.hosts import local_link
from ic_assets.core.sql import statement

_NOT_SHOWN = ("id", "ic_communication_master_id", "hubspot_api_payload", "created_at", "pushed_at", "last_updated")


@dataclass(frozen=True)
class Trace:
    """What is known of one row. ``row`` holds the values of the line as they landed, ``raw_row`` its text where it was
    rejected, ``record`` the derivative's columns; values are masked unless asked for in full. ``sentences`` say where it
    went, ``next_step`` what to do about it (empty: nothing)."""

    drop: str | None
    line: int | None
    communication: int | None
    fate: str | None
    reason: str | None = None
    column: str | None = None
    raw_row: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    master: Mapping[str, Any] | None = None
    references: list[Reference] = field(default_factory=list)
    table: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    hubspot: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    next_step: str = ""
    notes: list[str] = field(default_factory=list)


def by_line(connection: psycopg.Connection, name: str | None, line: int, *, full: bool = False) -> Trace:
    """The row on a line of a drop. ``name`` is the drop's key or file name; None: the newest drop.

    A line inside a row stands for that row. Raises ``Refused`` when there is no such drop or line."""
    drop, notes = drop_named(connection, name)
    start, following = _fetch(
        connection, "trace_line", {"drop_id": drop["drop_id"], "drop_key": drop["drop_key"], "line": line}
    )[0].values()
    where = f"line {line:,} of {drop['drop_key']}"
    if start is None:
        first = f"; its first row starts on line {following:,}" if following else ", which has no rows"
        raise Refused(f"no row starts on {where}{first}")
    found = _row(connection, drop, start)
    last = start + _line_breaks(found)
    if line > last:
        after = f", the next on line {following:,}" if following else " and is its last"
        other = "" if name else "; name the file if you mean another drop"
        raise Refused(f"no row stands on {where}: the row before it starts on line {start:,}{after}{other}")
    if line != start:
        notes.append(f"Line {line:,} lies inside the row that starts on line {start:,}.")
    return _follow(connection, drop, start, found, notes, full)


def by_row(connection: psycopg.Connection, name: str | None, number: int, *, full: bool = False) -> Trace:
    """The row that a spreadsheet shows under this number: the header is row 1, the first record row 2; blank lines of the
    file, which no drop counts, are left out.

    Raises ``Refused`` when there is no such drop or row."""
    drop, _ = drop_named(connection, name)
    if number == 1:
        raise Refused(f"row 1 of {drop['drop_key']} is the header; its first record is row 2")
    values = {"drop_id": drop["drop_id"], "drop_key": drop["drop_key"], "nth": number - 1}
    line, rows = _fetch(connection, "trace_nth", values)[0].values()
    if line is None:
        raise Refused(f"{drop['drop_key']} has no row {number:,}; its last is row {rows + 1:,}, the header counted")
    found = by_line(connection, drop["drop_key"], line, full=full)
    return replace(found, notes=[f"Row {number:,}, the header counted, starts on line {line:,}.", *found.notes])


def by_id(connection: psycopg.Connection, communication: int, *, full: bool = False) -> Trace:
    """A communication by its legacy id: the row that the master shows, else the newest one that carried it.

    Raises ``Refused`` when no drop carried it."""
    history = _fetch(connection, "trace_history", {"communication": communication})
    if not history:
        raise Refused(
            f"communication {communication} is in no drop; a row whose id could not be read is found by its line"
        )
    master = _fetch(connection, "trace_master", {"communication": communication, "stages": list(STAGES)})
    shown = (master[0]["source_drop"], master[0]["source_line"]) if master else None
    carried = [(one["drop"], one["line"]) for one in history]
    drop_key, line = shown if shown in carried else carried[-1]
    drop, _ = drop_named(connection, drop_key)
    return _follow(connection, drop, line, _row(connection, drop, line), [], full)


def drop_named(connection: psycopg.Connection, name: str | None) -> tuple[dict[str, Any], list[str]]:
    """The landed drop with this key or file name, or the newest one, and notes that it is one of several.

    Raises ``Refused`` when there is none or it was refused as a whole."""
    base = (name or "").replace("\\", "/").rpartition("/")[2]
    found = _fetch(connection, "trace_drops", {"name": name, "file_name": base})
    if not found:
        known = [one["drop_key"] for one in _fetch(connection, "trace_drops", {"name": None, "file_name": None})]
        if not known:
            raise Refused("no drop has landed yet; see `ic-assets load`")
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        raise Refused(f"no drop is named {name!r}; there are {', '.join(known[:5])}{more}")
    drop = found[0]
    if drop["state"] != "landed":
        raise Refused(f"{drop['drop_key']} was refused as a whole, nothing of it is loaded: {drop['error_message']}")
    others = [one["drop_key"] for one in found[1:] if one["state"] == "landed"]
    if not others:
        return drop, []
    what = "drops have that name" if name else "drops have landed"
    return drop, [
        f"{len(others) + 1} {what}; this is the newest. Name one by its key for another: {', '.join(others[:5])}."
    ]


def _row(connection: psycopg.Connection, drop: Mapping[str, Any], line: int) -> dict[str, Any]:
    columns = sql.SQL(", ").join(sql.SQL("l.{}").format(sql.Identifier(column.name)) for column in COLUMNS)
    parameters = {"drop_id": drop["drop_id"], "drop_key": drop["drop_key"], "line": line}
    return _fetch(connection, "trace_row", parameters, columns=columns)[0]


def _line_breaks(row: Mapping[str, Any]) -> int:
    texts = [row["raw_row"]] if row["raw_row"] is not None else [row[c.name] for c in COLUMNS if c.kind == "text"]
    return sum(text.count("\n") for text in texts if text)


def _follow(
    connection: psycopg.Connection,
    drop: Mapping[str, Any],
    line: int,
    row: Mapping[str, Any],
    notes: list[str],
    full: bool,
) -> Trace:
    communication = row["communication"]
    history = _fetch(connection, "trace_history", {"communication": communication}) if communication is not None else []
    masters = (
        _fetch(connection, "trace_master", {"communication": communication, "stages": list(STAGES)})
        if communication is not None
        else []
    )
    master = masters[0] if masters else None
    activity = BY_NAME[master["activity_type"]] if master else None
    record: dict[str, Any] = {}
    if master and activity:
        rows = _rows(
            connection,
            sql.SQL("SELECT {} FROM staging.{} WHERE ic_communication_master_id = %(id)s").format(
                sql.SQL(", ").join(sql.Identifier(c.name) for c in DERIVATIVE_COLUMNS[activity.name]),
                sql.Identifier(activity.table),
            ),
            {"id": master["id"]},
        )
        record = rows[0] if rows else {}
    ledger = _fetch(connection, "trace_ledger", {"communication": communication}) if communication is not None else []
    for place in ledger:
        place["link"] = local_link(place.pop("base_url"), place["object_type"], place["hubspot_id"])
    references = _references(connection, master) if master else []
    warnings = _rows(
        connection,
        sql.SQL(
            "SELECT column_name AS column, reason, raw_value FROM staging.ic_field_warning"
            " WHERE drop_key = %(drop_key)s AND line_number = %(line)s ORDER BY column_name, reason"
        ),
        {"drop_key": drop["drop_key"], "line": line},
    )
    sentences, next_step = tell(drop, line, row, master, record, references, ledger)
    return Trace(
        drop=drop["drop_key"],
        line=line,
        communication=communication,
        fate=row["fate"] or "rejected",
        reason=row["reason"],
        column=row["column_name"],
        raw_row=_raw(row["raw_row"], full),
        row={c.name: _value(c.name, row[c.name], full) for c in COLUMNS if row[c.name] is not None},
        warnings=[{**one, "raw_value": _raw(one["raw_value"], full)} for one in warnings],
        history=history,
        master=master and {k: _value(k, v, full) for k, v in master.items() if v is not None},
        references=references,
        table=f"staging.{activity.table}" if activity and record else None,
        record={k: _value(k, v, full) for k, v in record.items() if v is not None and k not in _NOT_SHOWN},
        hubspot=ledger,
        sentences=sentences,
        next_step=next_step,
        notes=notes,
    )


def _references(connection: psycopg.Connection, master: Mapping[str, Any]) -> list[Reference]:
    result = []
    carried = [(entity, master[entity.reference], master[entity.hubspot_id]) for entity in ENTITIES.values()]
    # Those of the people and companies beyond the first.
    further = connection.execute(
        "SELECT entity_type, legacy_id, hubspot_id FROM staging.v_ic_party_reference"
        " WHERE ic_communication_master_id = %s ORDER BY 1 DESC, 2",
        (master["id"],),
    ).fetchall()
    by_name = {entity.singular: entity for entity in ENTITIES.values()}
    carried += [(by_name[kind], legacy_id, resolved) for kind, legacy_id, resolved in further]
    for entity, legacy_id, resolved in carried:
        if legacy_id is None:
            continue
        why = ""
        if resolved is None:
            known = connection.execute(
                sql.SQL("SELECT {} FROM staging.{} WHERE {} = %s").format(
                    *map(sql.Identifier, (entity.hubspot_id, entity.table, entity.legacy_id))
                ),
                (legacy_id,),
            ).fetchone()
            if known is None:
                why = "not in the reconciliation table"
            else:
                why = (
                    "known, without a HubSpot id"
                    if known[0] is None
                    else "matched by now; `ic-assets load` brings it in"
                )
        result.append(Reference(entity.name, legacy_id, resolved, why))
    return result


def _raw(text: str | None, full: bool) -> str | None:
    return text if text is None or full else mask_raw(text)


def _value(column: str, value: Any, full: bool) -> Any:
    return value if full else mask_value(column, value)


def _fetch(
    connection: psycopg.Connection, name: str, parameters: Mapping[str, Any], **parts: sql.Composable
) -> list[dict[str, Any]]:
    return _rows(connection, statement(f"activities/reports/{name}", **parts), parameters)


def _rows(
    connection: psycopg.Connection, query: sql.SQL | sql.Composed, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()
