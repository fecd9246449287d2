"""The staging database: one SQLAlchemy engine per process over psycopg 3, and the session settings that the views read.

SQLAlchemy is imported with the first ``Database``: a command that only looks does without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg

from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


# A person waits for the answer; a first load of millions of rows holds a table for minutes.
_LOOK_TIMEOUT = "10s"


class Database:
    """Transactions on the staging database. A connection knows the run's reference time, the source time zone and our
    own address, since the staging views read them (``sql/schema/views.sql``)."""

    def __init__(self, postgres_url: str, settings: Settings) -> None:
        from sqlalchemy import create_engine, event
        from sqlalchemy.engine import make_url

        self.postgres_url = postgres_url
        self.settings = settings
        self.engine: Engine = create_engine(
            make_url(postgres_url).set(drivername="postgresql+psycopg"), pool_size=2, pool_pre_ping=True
        )
        event.listen(self.engine, "connect", lambda connection, _record: _prepare(connection, settings))

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A psycopg connection whose work is committed at the end and rolled back on any exception.

        Raises ``Unavailable`` when the server goes away."""
        from sqlalchemy import exc

        with _explained():
            try:
                with self.engine.begin() as connection:
                    raw = connection.connection.driver_connection
                    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
                    try:
                        yield raw
                    except BaseException:
                        # An interrupt: the server is at a statement still, and takes no ROLLBACK.
                        if raw.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                            with suppress(psycopg.Error):
                                raw.cancel_safe(timeout=5)
                            connection.invalidate()
                        raise
            except exc.OperationalError as error:
                raise Unavailable(_explain(error.orig or error)) from error

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def connected(postgres_url: str, settings: Settings) -> Iterator[psycopg.Connection]:
    """One transaction on a database that nothing else of this process uses, for a look. Raises as
    ``Database.transaction``, and ``Unavailable`` at a table that a first load keeps to itself for too long."""
    with _explained(), psycopg.connect(postgres_url) as connection:
        _prepare(connection, settings)
        connection.execute(f"SET LOCAL lock_timeout = '{_LOOK_TIMEOUT}'")
        yield connection


def _prepare(connection: psycopg.Connection, settings: Settings) -> None:
    connection.execute(
        "SELECT set_config('ic_assets.reference_time', %s, false),"
        " set_config('ic_assets.source_timezone', %s, false),"
        " set_config('ic_assets.own_email', %s, false),"
        " set_config('TimeZone', 'UTC', false)",
        (settings.reference_time.isoformat(), settings.source_timezone, settings.own_email or ""),
    )
    connection.commit()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(_explain(error)) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Unavailable(
            f"the database role may not do this: {_first_line(error)}; grant it the rights of deploy/grants.sql"
        ) from error


def _explain(error: BaseException) -> str:
    if isinstance(error, psycopg.errors.DiskFull):
        return f"PostgreSQL has no disk space left ({_first_line(error)}); make room and run this again"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "a load is filling the tables, which nobody can read until it is done; try again in a minute"
    return f"PostgreSQL: {_first_line(error)}; check that the server is up and run this again"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
