"""Which flow writes which column of ``crm.company_profile_meta_data``, from ``sql/crm/owners.csv``: the list that the writers
compose their statements from, the data dictionary takes its words from, and a test holds against the table.

Four columns are in no list: ``company`` (the key; who writes a company makes its row), ``status`` (generated),
``updated_at`` and the two lock columns, which only ``person_edit`` and ``field_lock`` write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from ic_assets.core.rules_data import Line, RuleFile

FLOWS = ("payments", "attribution", "funnel", "conversions", "hubspot_sync", "sinks")
# take: a person's edit in HubSpot is taken over and locks the field. hold: a flow computes it, the person's value stays in
# HubSpot. pulled: HubSpot's newest value is ours. none: no property of HubSpot leads here.
_PERSON = ("take", "hold", "pulled", "none")


@dataclass(frozen=True)
class Column:
    """``type`` is PostgreSQL's; ``may_be_empty``: a person may clear it; ``lock_column`` shows a lock beside
    ``crm.field_lock``."""

    name: str
    type: str
    flow: str
    person: str
    may_be_empty: bool
    lock_column: str | None
    holds: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.name)

    @property
    def sql_type(self) -> sql.SQL:
        return sql.SQL(self.type)  # of our own file; a test compares it with the catalog


def _column(line: Line) -> Column:
    return Column(
        name=line["column"],
        type=line["type"],
        flow=line.one_of("flow", FLOWS),
        person=line.one_of("person", _PERSON),
        may_be_empty=line["empty"] != "no",
        lock_column=line["lock"] or None,
        holds=line["holds"],
    )


_FILE = RuleFile(
    "crm/owners.csv",
    columns=("column", "type", "flow", "person", "empty", "lock", "holds"),
    parse=_column,
    key=lambda row: row.name,
    key_columns=("column",),
)


@cache
def columns() -> dict[str, Column]:
    """By name. The file is part of the program and not a rule that a company changes: it is read once, and one in
    ``$IC_HOME`` does not count."""
    return {column.name: column for column in _FILE.read(_FILE.packaged).rows}


def owned(flow: str, names: Sequence[str]) -> list[Column]:
    """The columns, all of them the flow's. Raises ``ValueError`` naming those that are not: a defect of the caller."""
    known = columns()
    if foreign := [name for name in names if name not in known or known[name].flow != flow]:
        raise ValueError(f"{flow} does not own {', '.join(foreign)} of crm.company_profile_meta_data (owners.csv)")
    return [known[name] for name in names]


def taken_over() -> list[Column]:
    """The columns into which a person's edit is taken over."""
    return [column for column in columns().values() if column.person == "take"]
