"""Versioned DDL: Alembic runs the revisions of ``sql/schema`` on a database, up to the newest or down to nothing.

Alembic is imported when there is something to run: most commands find the schema as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from ic_assets.core import locks, session
from ic_assets.core.files import SQL_DIR
from ic_assets.core.sql import read

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


def upgrade(postgres_url: str) -> None:
    """Brings the database to the newest revision. Safe to run any number of times, and by several at once."""
    from alembic import command

    with _locked(postgres_url) as connection:
        command.upgrade(_config(connection), "head")


def ensure(postgres_url: str) -> None:
    """``upgrade`` where it is needed, with one short look where it is not."""
    revision, newest = current(postgres_url)
    if revision != newest:
        upgrade(postgres_url)


def downgrade(postgres_url: str) -> None:
    """Removes what is ours: all tables, views and functions of the revisions, and the schema if that leaves it
    empty. A reconciliation table that stood before the first upgrade stays."""
    from alembic import command
    from sqlalchemy import text

    with _locked(postgres_url) as connection:
        command.downgrade(_config(connection), "base")
        connection.execute(text("DROP TABLE IF EXISTS staging.ic_schema_version"))
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


def run_file(name: str) -> None:
    """For revisions: runs ``sql/schema/<name>.sql``, which may hold many statements and takes no parameters."""
    from alembic import op

    # Not SQLAlchemy's own execute: it always passes parameters, and psycopg then takes one statement only.
    driver_connection = op.get_bind().connection.driver_connection
    assert isinstance(driver_connection, psycopg.Connection)  # noqa: S101 - for the type checker
    driver_connection.execute(read(f"schema/{name}"))


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
        "postgresql+psycopg://", creator=lambda: session.connect(postgres_url), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": locks.SCHEMA})
        yield connection
