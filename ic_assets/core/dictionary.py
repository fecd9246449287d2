"""What each table and column is, in words: the catalog of the database joined with what the rooms and flows say of their
own schemas (``core/parts.py`` lists them). A test holds that nothing there is left without words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg

from ic_assets.core import parts
from ic_assets.core.catalog import Catalog, Reference, Table, read_catalog


@dataclass(frozen=True)
class Words:
    """Of one room or flow: its schemas; table (``schema.name``) -> what one row is; table -> column -> what it holds; and
    what leads where by equal values, without a foreign key."""

    schemas: tuple[str, ...]
    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    references: tuple[Reference, ...] = ()


def all_words() -> tuple[Words, ...]:
    return tuple(parts.brought(parts.DICTIONARIES))


def described(connection: psycopg.Connection) -> Catalog:
    """The catalog of our schemas with everybody's words, and the references that no foreign key states. A comment that
    somebody has set in the database comes before ours."""
    words = all_words()
    catalog = read_catalog(connection, [schema for each in words for schema in each.schemas])
    tables = {name: text for each in words for name, text in each.tables.items()}
    columns = {name: text for each in words for name, text in each.columns.items()}
    return replace(
        catalog,
        tables=tuple(
            _described(table, tables.get(table.full_name, ""), columns.get(table.full_name, {}))
            for table in catalog.tables
        ),
    ).with_references([reference for each in words for reference in each.references])


def _described(table: Table, what: str, columns: Mapping[str, str]) -> Table:
    # The migration's own mark on reconciliation tables says who made them, not what they are.
    own = "" if table.comment == "Created by ic_assets." else table.comment
    return replace(
        table,
        comment=own or what,
        columns=tuple(replace(c, comment=c.comment or columns.get(c.name, "")) for c in table.columns),
    )
