"""Rows of Python values into a table, by COPY."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql


def copy(
    connection: psycopg.Connection, table: sql.Composable, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """COPYs rows of Python values into a table."""
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(table, sql.SQL(", ").join(map(sql.Identifier, columns)))
    with connection.cursor().copy(into) as to:
        for row in rows:
            to.write_row(row)
