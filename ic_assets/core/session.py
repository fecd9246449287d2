"""The database session: what every connection of ours sets, whatever role, database and environment say, and the one way
to open one. Knows no table; everybody who talks to PostgreSQL comes through here or, for drivers that are not ours,
through ``pinned``.

What is set goes as server options of the connection itself: those outrank ``ALTER ROLE`` and ``ALTER DATABASE … SET``, need
no statement (which a hostile ``statement_timeout`` could end), and every driver knows them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg

from ic_assets.core import masking
from ic_assets.core.failures import Unavailable

# An idle transaction holds locks and keeps dead rows from being cleared away. None of ours idles; a process that was
# stopped (Ctrl-Z, a laptop asleep) loses its own.
_IDLE_IN_TRANSACTION = "15min"

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "DateStyle": "ISO,MDY",
        "IntervalStyle": "postgres",
        "TimeZone": "UTC",
        # Ours is named in full everywhere; public is for the triggers that a company may have put on our tables.
        "search_path": "pg_catalog,public,pg_temp",
        "standard_conforming_strings": "on",
        "transform_null_equals": "off",
        "array_nulls": "on",
        "bytea_output": "hex",
        "row_security": "on",
        # The ledger says what was sent: no crash may take that back.
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "default_transaction_deferrable": "off",
        # A first load fills a table for minutes and a worker waits for its turn: no limit of the whole session fits.
        # Who cannot wait sets one of its own for a statement (engine/staging/refill.py, resources/postgres.py).
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_session_timeout": "0",
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
    }
)
# What libpq would send beside our options, and after them.
_ENVIRONMENT = ("PGOPTIONS", "PGCLIENTENCODING", "PGDATESTYLE", "PGTZ", "PGGEQO")
_HAS_TRANSACTION_TIMEOUT = 170_000


class _Connection(psycopg.Connection[Any]):
    """What PostgreSQL says in its block leaves that without the rows it is about."""

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:
            masking.without_rows(error)
        super().__exit__(kind, error, traceback)


def connect(postgres_url: str, **parameters: Any) -> psycopg.Connection[Any]:
    """A connection of ours. ``parameters`` are psycopg's and libpq's. Raises ``psycopg.OperationalError``."""
    connection = _Connection.connect(pinned(postgres_url), **parameters)
    if connection.info.server_version >= _HAS_TRANSACTION_TIMEOUT:
        connection.execute(_NO_TRANSACTION_TIMEOUT)
        if not connection.autocommit:
            connection.commit()
    return connection


async def connect_async(postgres_url: str, **parameters: Any) -> psycopg.AsyncConnection[Any]:
    """``connect`` for an event loop."""
    connection = await psycopg.AsyncConnection.connect(pinned(postgres_url), **parameters)
    if connection.info.server_version >= _HAS_TRANSACTION_TIMEOUT:
        await connection.execute(_NO_TRANSACTION_TIMEOUT)
        if not connection.autocommit:
            await connection.commit()
    return connection


# Not among the options: servers before 17 do not know it and would let nobody in.
_NO_TRANSACTION_TIMEOUT = "SET transaction_timeout = 0"


def pinned(postgres_url: str, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    """The address with what our sessions set, ``settings`` over it, and after the options that it has itself."""
    forget_environment()
    wanted = {**SETTINGS, **settings}
    options = " ".join(f"-c{name}={_escaped(value)}" for name, value in wanted.items())
    return with_parameter(with_options(postgres_url, options), "client_encoding", "UTF8")


def forget_environment(names: Iterable[str] = _ENVIRONMENT) -> None:
    """Takes libpq's variables for sessions, or those named, out of the environment of this process and of what it starts
    (``pg_dump``, Dagster's workers). Those that say where a server is (``PGHOST``, ``PGSERVICE``) stay."""
    for name in names:
        os.environ.pop(name, None)


def with_options(url: str, options: str) -> str:
    """The address with further server options (``-cname=value``) for its sessions, after those that it has."""
    present = dict(parse_qsl(urlsplit(url).query)).get("options")
    return with_parameter(url, "options", f"{present} {options}" if present else options)


def with_parameter(url: str, name: str, value: str) -> str:
    """The address with one connection parameter set."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), name: value}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))  # libpq does not read + as a space


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def refuse_unfit(connection: psycopg.Connection[Any]) -> None:
    """Raises ``Unavailable`` where nothing of ours can work: a database that is not UTF8, or one that takes no writes."""
    row = connection.execute(
        "SELECT current_database(), current_setting('server_encoding'), pg_is_in_recovery()"
    ).fetchone()
    assert row is not None  # noqa: S101 - it always answers
    name, encoding, is_standby = row
    if encoding != "UTF8":
        raise Unavailable(
            f"the database {name} is {encoding} and not UTF8, so that text would be spoiled; make one with"
            " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 and name it in IC_POSTGRES_URL"
        )
    if is_standby:
        raise Unavailable(f"the database {name} is read-only, a standby; name the primary server in IC_POSTGRES_URL")
