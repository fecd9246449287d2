"""Versioned DDL: Alembic runs the revisions of ``sql/schema`` on a database, up to the newest or down to nothing. They make
tables; the views and functions are made after them from texts of their own, ``sql/schema/functions.sql`` and ``views*.sql``,
whenever that text is not the one that the database was made with.

Alembic is imported when there is something to run: most commands find the schema as it should be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import psycopg

from ic_assets.core import locks, masking, session
from ic_assets.core.failures import Refused
from ic_assets.core.files import SQL_DIR
from ic_assets.core.sql import read

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


class NothingYet(Refused):
    """There is no database of ours yet, or it has no tables."""

    def __init__(self) -> None:
        super().__init__("nothing is loaded yet and there are no tables of ours; `ic-assets load FILE` makes them")


_REPEATABLE = ("schema/functions", "schema/views", "schema/views_payments")
_MADE = re.compile(r"^CREATE OR REPLACE (VIEW|FUNCTION) (\w+)\.(\w+)", re.MULTILINE)
_NAMED = re.compile(r"\b\w+\.\w+")
_SCHEMA_MADE = re.compile(r"CREATE SCHEMA (?:IF NOT EXISTS )?(\w+)")
_COMMENT_LINE = re.compile(r"^\s*--.*\n", re.MULTILINE)
# What PostgreSQL says when a view stands in the way: of a column that goes or changes its type, of its own new columns, of
# a view that it reads.
_IN_THE_WAY = (
    psycopg.errors.DependentObjectsStillExist,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InvalidTableDefinition,
    psycopg.errors.InvalidFunctionDefinition,
)


@cache
def names() -> tuple[str, ...]:
    """The database schemas that hold what is ours: those that the revisions make."""
    texts = (path.read_text(encoding="utf-8") for path in (SQL_DIR / "schema").glob("*_up.sql"))
    return tuple(sorted({name for text in texts for name in _SCHEMA_MADE.findall(_COMMENT_LINE.sub("", text))}))


def upgrade(postgres_url: str) -> None:
    """Brings the database to the newest revision and its views and functions to their text. Safe to run any number of
    times, and by several at once. Raises ``Refused`` naming what somebody else built on a view that has to go."""
    from sqlalchemy.exc import DBAPIError

    with _locked(postgres_url) as connection:
        try:
            # In place where that is possible: what others built on our views stays as it is.
            with connection.begin_nested():
                _bring_up_to_date(connection, anew=False)
        except (DBAPIError, psycopg.Error) as error:
            if not isinstance(getattr(error, "orig", error), _IN_THE_WAY):
                raise
            _bring_up_to_date(connection, anew=True)


def _bring_up_to_date(connection: Connection, *, anew: bool) -> None:
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    driver = _driver(connection)
    try:
        rights = _drop_repeatable(driver) if anew else []
        command.upgrade(_config(connection), "head")
    except (DBAPIError, psycopg.Error) as error:
        cause = getattr(error, "orig", error)
        if not (anew and isinstance(cause, _IN_THE_WAY)):
            raise
        # One line for each thing that depends on ours.
        found = "; ".join((cause.diag.message_detail or str(cause)).splitlines())
        raise Refused(
            f"the schema cannot be upgraded: {found}. Drop it, run this again, and create it anew from the new columns"
        ) from error
    for name in _REPEATABLE:
        driver.execute(read(name))
    for statement in rights:
        driver.execute(statement)
    driver.execute(
        "CREATE TABLE IF NOT EXISTS staging.ic_schema_text (digest text NOT NULL, made_at timestamptz NOT NULL)"
    )
    driver.execute("DELETE FROM staging.ic_schema_text")
    driver.execute("INSERT INTO staging.ic_schema_text VALUES (%s, now())", (_digest(),))


def defined(*texts: str) -> str:
    """The text of every view and function of ours that ``texts`` name, and of those that these name, ordered by name: what
    a statement rests on, in whichever file it stands. Comments are left out."""
    definitions = _definitions()
    found: dict[str, str] = {}
    waiting = list(texts)
    while waiting:
        text = waiting.pop()
        for name in set(_NAMED.findall(text)) & definitions.keys() - found.keys():
            found[name] = definitions[name]
            waiting.append(definitions[name])
    return "\n".join(found[name] for name in sorted(found))


def made_in(schema: str) -> list[str]:
    """The statements that make the views and functions of a schema, in their order."""
    return [text for name, text in _definitions().items() if name.partition(".")[0] == schema]


def _definitions() -> dict[str, str]:
    """The statements that make the views and functions, by the name of what they make; overloads together."""
    result: dict[str, str] = {}
    for name in _REPEATABLE:
        text = _COMMENT_LINE.sub("", read(name))
        starts = [*_MADE.finditer(text)]
        ends = [*(match.start() for match in starts[1:]), len(text)]
        for match, end in zip(starts, ends, strict=True):
            made = f"{match[2]}.{match[3]}"
            result[made] = f"{result.get(made, '')}{text[match.start() : end].strip()}\n"
    return result


def _digest() -> str:
    """Of the text of the views and functions."""
    return hashlib.sha256("".join(map(read, _REPEATABLE)).encode()).hexdigest()[:16]


def _drop_repeatable(driver: psycopg.Connection) -> list[bytes]:
    """Drops the views and functions of the repeatable text, those that read others first. Returns the statements that give
    others the rights again that they had on the views. Raises as PostgreSQL does where something else depends on one."""
    made = [match.groups() for name in reversed(_REPEATABLE) for match in reversed([*_MADE.finditer(read(name))])]
    views = [f"{schema}.{name}" for kind, schema, name in made if kind == "VIEW"]
    rights = driver.execute(
        "SELECT format('GRANT %%s ON %%s TO %%s', privilege_type, view.oid::regclass,"
        " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)"
        " FROM pg_class AS view CROSS JOIN aclexplode(view.relacl)"
        " WHERE view.oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name) AND grantee <> view.relowner",
        (views,),
    ).fetchall()
    for kind, schema, name in made:
        if kind == "VIEW":
            driver.execute(f"DROP VIEW IF EXISTS {schema}.{name}".encode())
            continue
        overloads = driver.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = to_regnamespace(%s) AND proname = %s",
            (schema, name),
        ).fetchall()
        for (signature,) in overloads:
            driver.execute(f"DROP FUNCTION {signature}".encode())
    return [row[0].encode() for row in rights]


def ensure(postgres_url: str) -> None:
    """``upgrade`` where it is needed, with one short look where it is not."""
    if not is_current(postgres_url):
        upgrade(postgres_url)


def require(postgres_url: str) -> None:
    """For those who only look: raises ``Refused`` with the command that makes or upgrades the tables, where one has to."""
    revision, newest = current(postgres_url)
    if revision is None:
        raise NothingYet
    if str(revision) > str(newest):
        raise Refused(f"the tables have revision {revision}, this version knows {newest}; install the newer version")
    if not is_current(postgres_url):
        raise Refused(
            f"the tables are those of an older version (revision {revision}, this one wants {newest}) and looking changes"
            " nothing; back the database up, then `ic-assets load` upgrades them"
        )


def downgrade(postgres_url: str, refuse: Callable[[psycopg.Connection], None] = lambda _: None) -> None:
    """Removes what is ours: all tables, views and functions of the revisions, and the schema if that leaves it
    empty. A reconciliation table that stood before the first upgrade stays. ``refuse`` is asked in the transaction that
    removes, and raises where it must not."""
    from alembic import command
    from sqlalchemy import text

    with _locked(postgres_url) as connection:
        refuse(_driver(connection))
        try:
            _drop_repeatable(_driver(connection))
            command.downgrade(_config(connection), "base")
        except psycopg.errors.DependentObjectsStillExist as error:
            found = "; ".join((error.diag.message_detail or str(error)).splitlines())
            raise Refused(f"the schema cannot be removed: {found}. Drop it and run this again") from error
        connection.execute(text("DROP TABLE IF EXISTS staging.ic_schema_version, staging.ic_schema_text"))
        left = connection.execute(
            text("SELECT count(*) FROM pg_depend WHERE refobjid = to_regnamespace('staging') AND deptype = 'n'")
        ).scalar_one()
        if left == 0:
            connection.execute(text("DROP SCHEMA IF EXISTS staging"))


def current(postgres_url: str) -> tuple[str | None, str | None]:
    """The database's revision (None: no schema) and the newest one there is."""
    # A revision's file begins with its number.
    newest = max(
        (path.stem.partition("_")[0] for path in (SQL_DIR / "schema" / "versions").glob("*_*.py")), default=None
    )
    with session.connect(postgres_url) as connection:
        if connection.execute("SELECT to_regclass('staging.ic_schema_version')").fetchone() == (None,):
            return None, newest
        row = connection.execute("SELECT version_num FROM staging.ic_schema_version").fetchone()
        return (row[0] if row else None), newest


def is_current(postgres_url: str) -> bool:
    """Whether tables, views and functions are those of this version."""
    revision, newest = current(postgres_url)
    if revision != newest:
        return False
    with session.connect(postgres_url) as connection:
        if connection.execute("SELECT to_regclass('staging.ic_schema_text')").fetchone() == (None,):
            return False
        return connection.execute("SELECT digest FROM staging.ic_schema_text").fetchone() == (_digest(),)


def run_file(name: str) -> None:
    """For revisions: runs ``sql/schema/<name>.sql``, which may hold many statements and takes no parameters."""
    from alembic import op

    _driver(op.get_bind()).execute(read(f"schema/{name}"))


def _driver(connection: Connection) -> psycopg.Connection:
    """Not SQLAlchemy's own execute: it always passes parameters, and psycopg then takes one statement only."""
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, psycopg.Connection)  # noqa: S101 - for the type checker
    return driver_connection


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SQL_DIR / "schema").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _locked(postgres_url: str) -> Iterator[Connection]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: session.connect(postgres_url), poolclass=NullPool, hide_parameters=True
    )
    with masking.quiet(), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": locks.SCHEMA})
        yield connection
