"""Rows of Python values into a table, by COPY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.core.sql import column_list, placed


def table(name: str) -> sql.Composable:
    """A table of ours by its full name, where it is at the moment (``core.sql.elsewhere``)."""
    return sql.SQL(placed(name))


def copy(connection: psycopg.Connection, name: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """COPYs rows into the table of that name."""
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(table(name), column_list(list(columns)))
    with connection.cursor().copy(into) as to:
        for row in rows:
            to.write_row(row)
