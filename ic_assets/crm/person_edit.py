"""``apply_person_edit``: a person's edit in HubSpot of a field that a flow owns is taken over and locks the field. The one
exception to "one writer per column" (FLOWS: people win over machines). Of two edits the one that was made later stands,
in whatever order they come; ``crm.field_edit`` keeps how far the edits of a field have come.

Whether a change in HubSpot is a person's edit is not judged here, nor what HubSpot calls the field: that is the sync's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ic_assets.core.sql import statement
from ic_assets.crm import write
from ic_assets.crm.edit_values import Reader, SetAside, instant_text, reading
from ic_assets.crm.owners import columns, taken_over

# Whose columns no flow computes: only people fill them.
_NO_FLOWS = "hubspot_sync"

TAKEN, OLDER, OVER = "taken", "older", "over"
"""What became of an edit: taken over; a later one stands already, or this one; its lock is over or released, and a flow
computes the field. Anything else that ``apply_person_edit`` returns is a reason to set the event aside."""


@dataclass(frozen=True)
class Edit:
    """``field``: the column of ``crm.company_profile_meta_data``. ``value``: as HubSpot gives it; ``""`` clears.
    ``changed_by``: ``hubspot:<user id>``. ``cause``: the event's id. ``occurred_at``: when it was made. ``turn``: what
    decides between edits of one instant, the greatest in C order; then the greatest cause."""

    company: str
    field: str
    value: str
    changed_by: str
    cause: str
    occurred_at: datetime
    turn: str = ""

    @property
    def order(self) -> tuple[str, str, str]:
        """Greater for the later one. Code points and UTF-8 bytes, as in C order, come to the same."""
        return instant_text(self.occurred_at), self.turn, self.cause


def apply_person_edit(
    connection: psycopg.Connection, edits: Sequence[Edit], *, lock_days: int, now: datetime | None = None
) -> list[str]:
    """Takes the edits over as far as they count, in the order given and in the caller's transaction: column, change log,
    ``crm.field_lock`` until ``occurred_at`` + ``lock_days``, lock column. Returns what became of each.

    An edit whose lock is over, or that was made before the field was released, changes a column only where no flow
    computes it. Raises ``ValueError`` for a field that is not taken over: a defect of the caller."""
    if foreign := sorted({edit.field for edit in edits} - {column.name for column in taken_over()}):
        raise ValueError(f"edits of {', '.join(foreign)} are not taken over (sql/crm/owners.csv)")
    lock_companies(connection, {edit.company for edit in edits})
    centre = _Centre.read(connection, edits, now)
    read = reading(connection, {edit.field for edit in edits})
    outcomes = [centre.judge(edit, read, timedelta(days=lock_days)) for edit in edits]
    centre.write(connection)
    write.end(connection)
    return outcomes


def lock_companies(connection: psycopg.Connection, companies: Collection[str]) -> None:
    """Locks the rows of companies, as every writer does before it reads; what follows until ``write.end`` is nobody's."""
    relation = sql.SQL("(SELECT unnest({}::text[]) AS company)").format(sql.Literal(sorted(companies)))
    write.lock(connection, relation)


@dataclass
class _Field:
    """What stands in a field of a company, and the newest edit of it: its order (None: none was seen) and whether it was
    taken over; ``released_at``: edits made until then lock nothing. The rest is what the edits at hand change."""

    value: str | None
    newest: tuple[str, str, str] | None = None
    is_taken: bool = False
    released_at: datetime | None = None
    is_changed: bool = False
    locked_until: datetime | None = None
    edit: Edit | None = None


@dataclass
class _Centre:
    """The fields that edits are about, as they stand and as the edits leave them, and the rows that tell it."""

    instant: datetime
    fields: dict[tuple[str, str], _Field]
    log: list[dict[str, Any]]

    @classmethod
    def read(cls, connection: psycopg.Connection, edits: Sequence[Edit], now: datetime | None) -> _Centre:
        """After the companies' rows were locked. A company without a row has no fields."""
        standing = sql.SQL(", ").join(
            sql.SQL("{}, crm.canonical(p.{})").format(sql.Literal(column.name), column.identifier)
            for column in taken_over()
        )
        row = connection.execute("SELECT coalesce(%s::timestamptz, statement_timestamp())", (now,)).fetchone()
        assert row is not None  # noqa: S101 - it always answers
        found = cls(row[0], {}, [])
        rows = connection.execute(
            statement("crm/edits/state", fields=standing), {"companies": sorted({edit.company for edit in edits})}
        ).fetchall()
        for company, values, seen in rows:
            for name, value in values.items():
                found.fields[company, name] = one = _Field(value)
                if name in (seen or {}):
                    at, turn, cause, one.is_taken, released_at = seen[name]
                    one.newest = None if at is None else (at, turn, cause)
                    one.released_at = None if released_at is None else datetime.fromisoformat(released_at)
        return found

    def judge(self, edit: Edit, read: Reader, lock_time: timedelta) -> str:
        """What becomes of the edit, taken over here when it counts."""
        one = self.fields.get((edit.company, edit.field))
        if one is None:
            return "unknown_company"
        column = columns()[edit.field]
        try:
            value = read(column, edit.value)
        except SetAside as aside:
            return aside.reason
        if one.newest is not None and edit.order <= one.newest:
            return OLDER
        one.newest, one.edit = edit.order, edit
        locked_until = edit.occurred_at + lock_time
        is_released = one.released_at is not None and edit.occurred_at <= one.released_at
        if is_released or locked_until <= self.instant:
            # No lock comes of it. A field that no flow computes is filled, and an earlier edit in it gives way.
            one.is_taken = column.flow == _NO_FLOWS and (one.value is None or one.is_taken)
            if not one.is_taken:
                return OVER
        else:
            one.is_taken, one.locked_until = True, locked_until
        self._set(edit, one, value)
        return TAKEN

    def _set(self, edit: Edit, one: _Field, value: str | None) -> None:
        if value == one.value:
            return
        self.log.append(
            {
                "place": len(self.log),
                "company": edit.company,
                "field": edit.field,
                "old_value": one.value,
                "new_value": value,
                "changed_by": edit.changed_by,
                "cause": edit.cause,
            }
        )
        one.value, one.is_changed = value, True

    def write(self, connection: psycopg.Connection) -> None:
        edited = {key: one for key, one in self.fields.items() if one.edit is not None}
        if not edited:
            return
        connection.execute(
            statement("crm/edits/apply", assigned=_assigned()),
            {
                "now": self.instant,
                "fields": Jsonb(self._by_company()),
                "log": Jsonb(self.log),
                "locks": Jsonb(
                    [
                        {
                            "company": company,
                            "field": name,
                            "locked_until": one.locked_until.isoformat(),
                            "changed_by": one.edit.changed_by,
                            "cause": one.edit.cause,
                        }
                        for (company, name), one in edited.items()
                        if one.locked_until is not None and one.edit is not None
                    ]
                ),
                "edits": Jsonb(
                    [
                        {
                            "company": company,
                            "field": name,
                            "occurred_at": at,
                            "turn": turn,
                            "cause": cause,
                            "is_taken": one.is_taken,
                        }
                        for (company, name), one in edited.items()
                        if one.newest is not None
                        for at, turn, cause in [one.newest]
                    ]
                ),
            },
        )

    def _by_company(self) -> list[dict[str, Any]]:
        """Of each company with a new value or lock: the values and the ends of locks, by field."""
        found: dict[str, dict[str, Any]] = {}
        for (company, name), one in self.fields.items():
            if one.is_changed or one.locked_until is not None:
                row = found.setdefault(company, {"company": company, "fields": {}, "locks": {}})
                if one.is_changed:
                    row["fields"][name] = one.value
                if one.locked_until is not None:
                    row["locks"][name] = one.locked_until.isoformat()
        return list(found.values())


def _assigned() -> sql.Composed:
    parts = []
    for column in taken_over():
        name = sql.Literal(column.name)
        parts.append(
            sql.SQL(", {0} = CASE WHEN e.fields ? {1} THEN (e.fields ->> {1})::{2} ELSE p.{0} END").format(
                column.identifier, name, column.sql_type
            )
        )
        if column.lock_column:
            parts.append(
                # greatest passes over NULL.
                sql.SQL(", {0} = greatest(p.{0}, (e.locks ->> {1})::timestamptz)").format(
                    sql.Identifier(column.lock_column), name
                )
            )
    return sql.SQL("").join(parts)
