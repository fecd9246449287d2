"""What the company centre says in `ic-assets explain`: of each field of a company whose value it is, since when, because of
what, and until when a person has locked it; of a contact, what stands. From the change log and the locks; changes nothing.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.core.explaining import Asked, Explainer, Section, shown
from ic_assets.core.settings import fixed_time
from ic_assets.core.sql import statement
from ic_assets.crm.owners import columns

# Free text that people wrote of people.
_NOTES = frozenset({"cs_notes", "cs_what_was_done", "churn_notes", "sales_next_action"})
_PERSONAL = frozenset({"email", "email_normalised", "phone_number", "first_name", "last_name"})
_LONGEST = 100
HIDDEN = "… (--full shows it)"


def company(connection: psycopg.Connection, asked: Asked) -> Section | None:
    rows = (
        connection.cursor(row_factory=dict_row)
        .execute(
            statement("crm/explain/company", fields=_fields()),
            {"company": asked.key, "at": asked.at, "now": fixed_time()},
        )
        .fetchall()
    )
    if not rows:
        return None
    fields = {row.pop("field"): row for row in rows}
    for name, row in fields.items():
        row["flow"] = columns()[name].flow
        if name in _NOTES and not asked.full and row["value"] is not None:
            row["value"] = HIDDEN
    told = {
        name: row for name, row in fields.items() if any(row[key] for key in ("value", "changed_by", "locked_until"))
    }
    lines = [_line(name, row) for name, row in told.items()] or ["nothing is known of it but its id"]
    return Section("crm", lines, {"fields": fields})


def contact(connection: psycopg.Connection, asked: Asked) -> Section | None:
    """As it stands, whatever ``at`` is: changes of contacts are not logged."""
    row = (
        connection.cursor(row_factory=dict_row)
        .execute(statement("crm/explain/contact"), {"contact_id": asked.key})
        .fetchone()
    )
    if row is None:
        return None
    if not asked.full:
        row |= {name: HIDDEN for name in _PERSONAL if row[name] is not None}
    lines = [
        f"{name} {shown(value) if name == 'created_at' else value}" for name, value in row.items() if value is not None
    ]
    return Section("crm", lines or ["nothing is known of it but its id"], row)


EXPLAINERS: dict[str, Explainer] = {"company": company, "contact": contact}


def _fields() -> sql.Composed:
    """Of each column: place, name, text, and the end of the lock that its lock column shows."""
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {}, crm.canonical(p.{}), {})").format(
            sql.Literal(place),
            sql.Literal(column.name),
            column.identifier,
            sql.SQL("CASE WHEN p.{0} > coalesce(%(now)s::timestamptz, now()) THEN p.{0} END").format(
                sql.Identifier(column.lock_column)
            )
            if column.lock_column
            else sql.SQL("NULL::timestamptz"),
        )
        for place, column in enumerate(columns().values())
    )
    return sql.SQL("(VALUES {})").format(rows)


def _line(name: str, row: dict[str, Any]) -> str:
    """``plan_id pro: payments:plan since 2026-03-02 10:00 (event-1); locked until 2026-05-31 10:05 by hubspot:8801``."""
    value = "–" if row["value"] is None else " ".join(row["value"].split())
    value = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    if row["changed_by"]:
        whose = f"{row['changed_by']} since {shown(row['changed_at'])} ({row['cause']})"
    else:
        whose = f"{row['flow']}'s; the change log does not say since when"
    if row["locked_until"] is None:
        return f"{name} {value}: {whose}"
    by = f" by {row['locked_by']} ({row['locked_for']})" if row["locked_by"] else ""
    return f"{name} {value}: {whose}; locked until {shown(row['locked_until'])}{by}, then {row['flow']} decides again"
