"""What PostgreSQL says of a statement that nobody foresaw to fail leaves the database without the row that it is about."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from ic_assets.core import session
from ic_assets.core.settings import Settings
from ic_assets.hubspot.ledger.ledger import open_ledger
from ic_assets.resources.postgres import Database, connected

TABLE = "CREATE TEMP TABLE letters (n int, letter text CHECK (letter <> 'Dear ' || 'Ada'))"
# SQLSTATE: a statement about a row with "Dear Ada" in it, which no source line of a traceback shows.
STATEMENTS: dict[str, Callable[[Any], Any]] = {
    "23514": lambda c: c.execute("INSERT INTO letters VALUES (1, %s)", (_letter(),)),
    "22P02": lambda c: c.execute("SELECT %s::text::int", (_letter(),)),
    "22007": lambda c: c.execute("SELECT %s::text::timestamp", (f'"{_letter()}"\n',)),
    "42804": lambda c: c.execute("INSERT INTO letters (n) SELECT %s::text", (_letter(),)),
}


def _letter() -> str:
    return " ".join(("Dear", "Ada"))


def _copy(connection: psycopg.Connection) -> None:
    with connection.cursor().copy("COPY letters (n, letter) FROM STDIN") as copy:
        copy.write(f"1\thello\nnot {_letter()}\tx\n")


@contextmanager
def _transaction(url: str, settings: Settings) -> Iterator[psycopg.Connection]:
    database = Database(url, settings)
    try:
        with database.transaction() as connection:
            yield connection
    finally:
        database.close()


DOORS: dict[str, Callable[[str, Settings], Any]] = {
    "transaction": _transaction,
    "connected": lambda url, settings: connected(url, settings, read_only=False),
    "session": lambda url, _: session.connect(url),
}


@pytest.mark.parametrize("door", DOORS)
def test_an_error_names_what_is_wrong_and_not_the_row(module_database: str, door: str) -> None:
    for state, statement in {**STATEMENTS, "22P02 ": _copy}.items():

        def fail(statement: Callable[[Any], Any] = statement) -> None:
            with DOORS[door](module_database, Settings.from_env()) as connection:
                connection.execute(TABLE)
                statement(connection)

        with pytest.raises(psycopg.Error) as failed:
            fail()
        assert failed.value.sqlstate == state.strip()
        shown = "".join(traceback.format_exception(failed.value))
        assert "Ada" not in shown, shown
        assert str(failed.value), "what helps is still there"
    assert "invalid input syntax for type integer" in str(failed.value)


def test_an_error_of_the_ledgers_connections_neither(module_database: str) -> None:
    async def fail() -> None:
        async with open_ledger(module_database) as ledger, ledger.connection() as connection:
            await connection.execute("SELECT %s::text::int", (_letter(),))

    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as failed:
        asyncio.run(fail())
    assert "Ada" not in "".join(traceback.format_exception(failed.value))


DEFECT = """
import sys
from ic_assets import cli
import ic_assets.commands.status as status
token, word = sys.argv[1:3]

def run(**options):
    raise ValueError("Bearer " + token + " and postgresql://crm:" + word + "@db/crm")

status.status = run
sys.argv[1:] = ["status"]
cli.main()
"""


def test_a_defect_shows_its_traceback_without_secrets() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEFECT, "a-token-of-no-known-shape", "pass word"],
        env={**os.environ, "HUBSPOT_TOKEN": "a-token-of-no-known-shape"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "ValueError: Bearer … and postgresql://crm:…@db/crm" in done.stderr
