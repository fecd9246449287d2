"""Fills an empty table with many rows at once.

A table that is truncated in the transaction that fills it is written without a log where ``wal_level`` is minimal (the
embedded server), and builds its indexes once at the end: on 500,000 master rows 1 MB of log instead of 360, and a quarter
less processor time (``docs/performance.md``). ``stream`` copies a query's rows into it from a second connection, so that
one core renders while the other writes, and the rows are frozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.core.logs import log
from ic_assets.core.sql import statement

# Below this the constraints cost more to build than the rows to insert.
REFILL_FROM_ROWS = 20_000
# Shorter than PostgreSQL's deadlock_timeout, a second: whoever reads the table is let be, and the rows go the ordinary way.
_LOCK_TIMEOUT = "800ms"
# Longer: autovacuum gives way to who has waited for a second, and comes to every table that has just been filled.
_LOCK_TIMEOUT_OF_VACUUM = "3s"
# Why a table is left alone: it is in use, or something rests on a key that no look ahead has seen.
_IN_THE_WAY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DependentObjectsStillExist,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ObjectInUse,
    psycopg.errors.FeatureNotSupported,
)
# What goes to the server at once: row by row it would wake up for 8 kB.
_ROWS_AT_A_TIME = 256


@contextmanager
def refilled(
    connection: psycopg.Connection, table: str, unfilled: Sequence[str] = (), *, is_alone: bool = True
) -> Iterator[bool]:
    """Gives True with ``staging.table`` locked, truncated and bare of indexes and keys, which come back at the end;
    False, and nothing done, where it holds rows, is in use, or somebody has put something on it (``obstacles.sql``).
    Partial indexes on ``unfilled`` columns, which stay empty, stay. Who is not alone at work has no cores for helpers."""
    secondary = _prepare(connection, table, unfilled)
    if secondary is None:
        yield False
        return
    # Not in the savepoint of _prepare: COPY … FREEZE wants the truncation in its own.
    connection.execute(sql.SQL("TRUNCATE staging.{}").format(sql.Identifier(table)))
    yield True
    if not is_alone:
        connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
    for _, create in reversed(secondary):
        connection.execute(create)


def may_refill(connection: psycopg.Connection, table: str) -> bool:
    """Whether ``staging.table`` is empty, and its keys may be taken off."""
    if not _is_empty(connection, table):
        return False
    obstacle = connection.execute(statement("activities/refill/obstacles"), {"table": table}).fetchone()
    if obstacle:
        _note(table, obstacle[0])
    return obstacle is None


def drop_constraint(connection: psycopg.Connection, table: str, name: str) -> None:
    """Drops a constraint where it stands; leaves it where its tables are in use, or something rests on it."""
    try:
        with _impatient(connection):
            connection.execute(
                sql.SQL("ALTER TABLE staging.{} DROP CONSTRAINT IF EXISTS {}").format(
                    sql.Identifier(table), sql.Identifier(name)
                )
            )
    except _IN_THE_WAY as error:
        _note(table, type(error).__name__)


def _prepare(connection: psycopg.Connection, table: str, unfilled: Sequence[str]) -> list[tuple[bytes, bytes]] | None:
    """Locks the table and those that refer to it, and takes the keys and indexes off, if it is to be refilled: the
    statements that dropped each and that make it again."""
    if not may_refill(connection, table):
        return None
    try:
        with _impatient(connection):
            for (each,) in connection.execute(statement("activities/refill/referencing"), {"table": table}).fetchall():
                connection.execute(f"LOCK TABLE {each} IN ACCESS EXCLUSIVE MODE")
            if not _is_empty(connection, table):
                raise psycopg.Rollback
            secondary = connection.execute(
                statement("activities/refill/secondary"), {"table": table, "unfilled": list(unfilled)}
            ).fetchall()
            for drop, _ in secondary:
                connection.execute(drop)
            return secondary
    except _IN_THE_WAY as error:
        _note(table, type(error).__name__)
    return None


def _note(table: str, reason: str) -> None:
    log.info("fell_back", what="first load", table=table, to="the ordinary way", reason=reason)


@contextmanager
def _impatient(connection: psycopg.Connection) -> Iterator[None]:
    """A savepoint that waits for no lock for long. The limit that held before holds again after it, however it ends:
    what follows may have to wait for its turn."""
    with connection.transaction():
        row = connection.execute(statement("activities/refill/is_vacuumed")).fetchone()
        timeout = _LOCK_TIMEOUT_OF_VACUUM if row and row[0] else _LOCK_TIMEOUT
        before = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
        connection.execute(f"SET LOCAL lock_timeout = '{timeout}'")
        yield
        connection.execute("SELECT set_config('lock_timeout', %s, true)", before)


def _is_empty(connection: psycopg.Connection, table: str) -> bool:
    query = sql.SQL("SELECT 1 FROM staging.{} LIMIT 1").format(sql.Identifier(table))
    return connection.execute(query).fetchone() is None


def stream(
    source: psycopg.Connection,
    query: sql.Composable,
    parameters: Mapping[str, Any],
    target: psycopg.Connection,
    table: str,
    columns: Sequence[str],
) -> int:
    """Copies the rows of ``query`` on ``source`` into a refilled ``staging.table`` on ``target``. The query's columns have
    the table's names and order; what goes into a ``jsonb`` column is text. Returns how many rows there were."""
    types: dict[str, str] = dict(target.execute(statement("activities/refill/types"), {"table": table}).fetchall())
    # Binary, a third of the time of text; it wants each column in the table's own type. A jsonb value is its text after
    # the number of the format, 1 (jsonb_recv in PostgreSQL's source).
    values = sql.SQL(", ").join(
        sql.SQL("chr(1) || q.{}" if types[column] == "jsonb" else "q.{}::{}").format(
            sql.Identifier(column), sql.SQL(types[column])
        )
        for column in columns
    )
    copy_in = sql.SQL("COPY staging.{} ({}) FROM STDIN (FORMAT binary, FREEZE)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    # COPY takes no parameters; this cursor puts them in as literals.
    with psycopg.ClientCursor(source) as reader, target.cursor() as writer:
        copy_out = sql.SQL("COPY (SELECT {} FROM ({}) AS q) TO STDOUT (FORMAT binary)").format(values, query)
        with reader.copy(copy_out, parameters) as rows, writer.copy(copy_in) as copy:
            remaining = iter(rows)
            while block := b"".join(islice(remaining, _ROWS_AT_A_TIME)):
                copy.write(block)
        return writer.rowcount
