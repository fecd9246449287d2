"""Rows that wait for the landing's connection to be free."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

import orjson
import psycopg
from psycopg import sql

_SPOOL_BYTES = 8 * 1024 * 1024


class Spool:
    """Rows that wait for the connection to be free for their COPY, on disk once they are many."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed with its landing

    def add(self, *row: Any) -> None:
        self._file.write(orjson.dumps(row) + b"\n")

    def rows(self) -> Iterator[list[Any]]:
        self._file.seek(0)
        return (orjson.loads(line) for line in self._file)

    def copy_into(self, connection: psycopg.Connection, target: sql.Composable) -> None:
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy:
            for row in self.rows():
                copy.write_row(row)
        self._file.close()
