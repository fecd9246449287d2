"""Errors that nobody caught where they arose and that a person can mend all the same: their one line."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import sqlalchemy.exc

from ic_assets.core.failures import Refused

_AGAIN = "run this again, it goes on from there"


def explained(error: BaseException) -> str | None:
    """What is wrong and what to do; None for a defect, whose traceback is wanted."""
    for one in _causes(error):
        if isinstance(one, Refused):
            return str(one)
        if isinstance(one, sqlalchemy.exc.DBAPIError) and one.orig is not None:
            one = one.orig
        # The drivers of Dagster's storage and of ours name their errors alike.
        name, words = type(one).__name__, _first_line(one)
        if isinstance(one, psycopg.errors.InsufficientPrivilege) or name == "InsufficientPrivilege":
            return f"the database role may not do this: {words}; grant it the rights of deploy/grants.sql"
        if name in ("UndefinedTable", "UndefinedColumn", "UndefinedFunction"):
            return f"the database lacks something of ours ({words}); `ic-assets doctor` says what"
        if name == "ReadOnlySqlTransaction":
            return f"the database is read-only ({words}); name the primary server in IC_POSTGRES_URL"
        if isinstance(one, psycopg.errors.DiskFull) or name == "DiskFull":
            return f"PostgreSQL has no disk space left ({words}); make room and {_AGAIN}"
        if isinstance(one, psycopg.OperationalError) or name in ("OperationalError", "AdminShutdown", "InterfaceError"):
            return f"PostgreSQL: {words}; check that the server is up and {_AGAIN}"
        if isinstance(one, httpx.HTTPStatusError):
            return f"{one.request.url.host} answered {one.response.status_code}; check HUBSPOT_BASE_URL and try again"
        if isinstance(one, httpx.HTTPError):
            return f"HubSpot does not answer ({name}); check HUBSPOT_BASE_URL and try again"
        if isinstance(one, OSError) and one.strerror:
            where = f"{one.filename}: " if one.filename else ""
            return f"{where}{one.strerror}; check the path, its rights and the space on the disk"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What it was raised from on purpose; what merely was handled at the time may have nothing to do with it."""
    while error is not None:
        yield error
        error = error.__cause__


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
