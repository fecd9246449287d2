"""Versioned DDL: Alembic runs the revisions of ``sql/schema`` on a database, up to the newest or down to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from ic_assets.core.files import SQL_DIR
from ic_assets.core.sql import read

# One upgrade at a time: two commands started together would both find an empty database.
_LOCK = 0x1CA55E75


def upgrade(postgres_url: str) -> None:
    """Brings the database to the newest revision. Safe to run any number of times, and by several at once."""
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
    with _engine(postgres_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "ic_schema_version", "version_table_schema": "staging"}
        )
        script = ScriptDirectory.from_config(_config(connection))
        return context.get_current_revision(), script.get_current_head()


def run_file(name: str) -> None:
    """For revisions: runs ``sql/schema/<name>.sql``, which may hold many statements and takes no parameters."""
    # Not SQLAlchemy's own execute: it always passes parameters, and psycopg then takes one statement only.
    driver_connection = op.get_bind().connection.driver_connection
    assert isinstance(driver_connection, psycopg.Connection)  # noqa: S101 - for the type checker
    driver_connection.execute(read(f"schema/{name}"))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SQL_DIR / "schema").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _engine(postgres_url: str) -> Any:
    return create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


@contextmanager
def _locked(postgres_url: str) -> Iterator[Connection]:
    with _engine(postgres_url).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection
