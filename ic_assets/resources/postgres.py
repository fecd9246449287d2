"""The staging database: one SQLAlchemy engine per process over psycopg 3, the session settings that the views read, and
what is tried again when PostgreSQL could not carry it out just then.

SQLAlchemy is imported with the first ``Database``: a command that only looks does without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import psycopg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from ic_assets.core import masking, session
from ic_assets.core.failures import Unavailable
from ic_assets.core.logs import log
from ic_assets.core.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

_Result = TypeVar("_Result")

# A person waits for the answer; a first load of millions of rows holds a table for minutes.
_LOOK_TIMEOUT = "10s"

# What passes by itself (PostgreSQL's appendix A): serialization_failure, deadlock_detected, lock_not_available,
# admin_shutdown, crash_shutdown, cannot_connect_now, and class 08, a lost connection, for which libpq has no code.
_GAVE_WAY = frozenset({"40001", "40P01", "55P03"})
_PASSING = _GAVE_WAY | {"57P01", "57P02", "57P03"}
_LOST = "08006"
_ATTEMPTS = 6
# A restart of the server takes seconds: 0.5, 1, 2, 4 and 8, and up to half a second more each.
PAUSE = wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5)


class Database:
    """Transactions on the staging database. A connection knows the run's reference time, the source time zone, our own
    address and what a task's due date is, since the staging views read them (``sql/schema/views.sql``): ``settings`` are
    those of the run."""

    def __init__(self, postgres_url: str, settings: Settings) -> None:
        from sqlalchemy import create_engine

        self.postgres_url = postgres_url
        self.settings = settings
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: _open(postgres_url, settings),
            pool_size=2,
            pool_pre_ping=True,
            hide_parameters=True,
        )

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

    def repeated(self, what: str, work: Callable[[psycopg.Connection], _Result]) -> _Result:
        """``work(connection)`` in a transaction, and again from its start as ``again`` has it. A connection that is lost
        at COMMIT leaves open whether that was carried out: the work must be one that may be done twice."""

        def once() -> _Result:
            with self.transaction() as connection:
                return work(connection)

        return again(what, once)

    def close(self) -> None:
        self.engine.dispose()


def again(what: str, work: Callable[[], _Result]) -> _Result:
    """``work()``, and again after a pause where PostgreSQL gave way to others or was lost, at most five times; each writes
    a line to the log. ``what`` names the work there. What it raises in the end is what it raised last."""
    return _retrying(Retrying, what, passes)(work)


async def again_async(what: str, work: Callable[[], Awaitable[_Result]]) -> _Result:
    """``again`` for an event loop, on connections that are kept: one that is lost stays so, and is not waited for."""

    async def awaited() -> _Result:  # tenacity awaits what it knows to be a coroutine function
        return await work()

    return await _retrying(AsyncRetrying, what, lambda error: sqlstate_of(error) in _GAVE_WAY)(awaited)


_Kind = TypeVar("_Kind", Retrying, AsyncRetrying)


def _retrying(kind: type[_Kind], what: str, wanted: Callable[[BaseException], bool]) -> _Kind:
    def note(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        log.warning(
            "tried_again",
            what=what,
            sqlstate=sqlstate_of(error) if error else None,
            attempt=state.attempt_number,
            pause_s=round(state.upcoming_sleep, 1),
        )

    return kind(
        retry=retry_if_exception(wanted),
        wait=PAUSE,
        stop=stop_after_attempt(_ATTEMPTS),
        before_sleep=note,
        reraise=True,
    )


def passes(error: BaseException) -> bool:
    """Whether the same work may well be carried out in a moment."""
    state = sqlstate_of(error)
    return state is not None and (state in _PASSING or state.startswith("08"))


def sqlstate_of(error: BaseException | None) -> str | None:
    """PostgreSQL's code for what an exception came from; 08006 where the connection was lost."""
    while error is not None:
        found = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's
        if isinstance(found, psycopg.Error):
            return found.sqlstate or (_LOST if isinstance(found, psycopg.OperationalError) else None)
        error = error.__cause__
    return None


@contextmanager
def connected(postgres_url: str, settings: Settings, *, read_only: bool = True) -> Iterator[psycopg.Connection]:
    """One transaction on a database that nothing else of this process uses, for a look: nothing of it is kept, and unless
    ``read_only`` is False (a look that needs temporary tables) nothing can be written. Raises as ``Database.transaction``,
    and ``Unavailable`` at a table that a first load keeps to itself for too long."""
    with _explained(), _open(postgres_url, settings) as connection:
        connection.read_only = read_only
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL lock_timeout = '{_LOOK_TIMEOUT}'")
            yield connection


def _open(postgres_url: str, settings: Settings) -> psycopg.Connection:
    connection = session.connect(postgres_url)
    connection.execute(
        "SELECT set_config('ic_assets.reference_time', %s, false),"
        " set_config('ic_assets.source_timezone', %s, false),"
        " set_config('ic_assets.own_email', %s, false),"
        " set_config('ic_assets.task_due', %s, false)",
        (settings.reference_time.isoformat(), settings.source_timezone, settings.own_email or "", settings.task_due),
    )
    connection.commit()
    return connection


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
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise Unavailable(f"the database is read-only ({_first_line(error)}); name the primary server") from error
    except psycopg.Error as error:
        masking.without_rows(error)
        raise


def _explain(error: BaseException) -> str:
    if isinstance(error, psycopg.errors.DiskFull):
        return f"PostgreSQL has no disk space left ({_first_line(error)}); make room and run this again"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "a load is filling the tables, which nobody can read until it is done; try again in a minute"
    return f"PostgreSQL: {_first_line(error)}; check that the server is up and run this again"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
