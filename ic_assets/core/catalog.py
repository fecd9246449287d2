"""What a database says of its own tables: columns, types, keys, references, allowed values, comments."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import dict_row

from ic_assets.core.sql import statement

# What format_type writes out in full.
_SHORT_TYPES = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "character varying": "varchar",
}
_ONE_OF = re.compile(r"= ANY \(+ARRAY\[(.*)\]", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class Column:
    """``key_position`` is the place in the primary key, from 1 (None: not part of it); ``is_unique``: alone a key;
    ``values``: the only ones that a CHECK allows (empty: any)."""

    name: str
    type: str
    is_nullable: bool
    key_position: int | None
    is_unique: bool
    comment: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """``checks``: PostgreSQL's words for the CHECKs that are not a list of values."""

    schema: str
    name: str
    is_view: bool
    comment: str
    columns: tuple[Column, ...]
    checks: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Reference:
    """Columns that lead to another table's: a foreign key, or (``is_declared`` False) equal values without one."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    is_declared: bool = True


@dataclass(frozen=True)
class Catalog:
    tables: tuple[Table, ...]
    references: tuple[Reference, ...]

    def table(self, full_name: str) -> Table | None:
        return next((table for table in self.tables if table.full_name == full_name), None)

    def with_references(self, more: Sequence[Reference]) -> Catalog:
        """Also those of ``more`` whose columns are there on both sides and that no foreign key states."""
        stated = {(r.table, r.columns) for r in self.references}
        found = [r for r in more if (r.table, r.columns) not in stated and self._has(r)]
        return replace(self, references=(*self.references, *found))

    def _has(self, reference: Reference) -> bool:
        ends = ((reference.table, reference.columns), (reference.target, reference.target_columns))
        return all(
            (table := self.table(name)) is not None and all(table.column(column) for column in columns)
            for name, columns in ends
        )


def read_catalog(connection: psycopg.Connection, schemas: Sequence[str]) -> Catalog:
    """Tables and views of the schemas, in the order given by schema and then by name. Needs no rights but to connect."""
    cursor = connection.cursor(row_factory=dict_row)
    columns = cursor.execute(statement("catalog/columns"), {"schemas": list(schemas)}).fetchall()
    constraints = cursor.execute(statement("catalog/constraints"), {"schemas": list(schemas)}).fetchall()
    values: dict[tuple[str, str, str], tuple[str, ...]] = {}
    checks: dict[tuple[str, str], list[str]] = defaultdict(list)
    references = []
    for row in constraints:
        schema, name, own = row["schema_name"], row["table_name"], row["columns"]
        if row["is_reference"]:
            target = f"{row['target_schema']}.{row['target_table']}"
            references.append(Reference(f"{schema}.{name}", tuple(own), target, tuple(row["target_columns"])))
        elif (one_of := _ONE_OF.search(row["definition"])) and len(own) == 1:
            literals = tuple(found.replace("''", "'") for found in _LITERAL.findall(one_of[1]))
            values[schema, name, own[0]] = literals
        else:
            checks[schema, name].append(row["definition"])
    tables: dict[tuple[str, str], Table] = {}
    for row in columns:
        key = (row["schema_name"], row["table_name"])
        column = Column(
            name=row["column_name"],
            type=_short(row["column_type"]),
            is_nullable=row["is_nullable"],
            key_position=row["key_position"],
            is_unique=row["is_unique"],
            comment=row["column_comment"] or "",
            values=values.get((*key, row["column_name"]), ()),
        )
        before = tables.get(key)
        tables[key] = Table(
            *key,
            is_view=row["is_view"],
            comment=row["table_comment"] or "",
            columns=(*(before.columns if before else ()), column),
            checks=tuple(checks[key]),
        )
    in_order = sorted(tables.values(), key=lambda table: (schemas.index(table.schema), table.is_view, table.name))
    return Catalog(tuple(in_order), tuple(references))


def _short(type_name: str) -> str:
    for long, short in _SHORT_TYPES.items():
        type_name = type_name.replace(long, short)
    return type_name
