"""The harness's own embedded PostgreSQL: every measurement begins with databases that are copies of prepared ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.reconciliation.matches import ENTITIES, reconcile
from ic_assets.core import session
from ic_assets.core.schema import upgrade
from ic_assets.core.settings import Settings
from ic_assets.resources.embedded.server import SUPERUSER, EmbeddedPostgres
from ic_assets.resources.services import services
from ic_assets_tests.bench.data import Drop

# "Now" decides what is overdue or planned.
REFERENCE_TIME = "2026-11-21T12:00:00+00:00"
_OURS = ("HUBSPOT_", "IC_", "DAGSTER_", "PG")


class Server:
    """The server of ``home``, up for as long as the harness runs, and how commands are to be started on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._postgres = EmbeddedPostgres(home / "postgres")
        self.settings = Settings(home=home, postgres_url=None, drop_dir=home / "drop")

    @property
    def environment(self) -> dict[str, str]:
        """For commands: nothing of the user's own settings, and no terminal to draw for."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {**inherited, "IC_HOME": str(self.home), "IC_REFERENCE_TIME": REFERENCE_TIME, "TERM": "dumb"}

    def url(self, database: str) -> str:
        """As the pipeline's role."""
        return self._postgres.url(self._running(), database)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """As the superuser, committing by itself."""
        url = self._postgres.url(self._running(), database, role=SUPERUSER)
        return psycopg.connect(url, autocommit=True)

    def _running(self) -> Any:
        server = self._postgres.running()
        if server is None:
            raise RuntimeError(f"the server is not up; its log: {self._postgres.log}")
        return server

    def facts(self) -> dict[str, str]:
        """Version and the settings that differ from PostgreSQL's own."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE source = 'command line'"
                " AND name NOT IN ('unix_socket_directories', 'port', 'listen_addresses', 'dynamic_shared_memory_type')"
                " ORDER BY name"
            ).fetchall()
            version = connection.execute("SHOW server_version").fetchone() or ("",)
        return {"version": version[0], **dict(rows)}

    def prepare(self, drop: Drop) -> None:
        """Makes the two databases that ``fresh`` copies: schema and reconciliation of ``drop``; Dagster's, empty."""
        with self.connect() as connection:
            have = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            self._replace(connection, "ic_assets", "template1")
            upgrade(self.url("ic_assets"))
            if "bench_dagster" not in have:
                self._replace(connection, "dagster", "template1")
                self.command("load")
                self._replace(connection, "bench_dagster", "dagster")
            for name, entity in ENTITIES.items():
                with session.connect(self.url("ic_assets")) as staging:
                    reconcile(staging, entity, drop.reconciliation(name))
            with self.connect("ic_assets") as staging:
                # Not the empty tables: after a VACUUM the planner would take them for known to be empty.
                for entity in ENTITIES.values():
                    staging.execute(sql.SQL("VACUUM (ANALYZE) staging.{}").format(sql.Identifier(entity.table)))
            self._replace(connection, "bench_staging", "ic_assets")

    def fresh(self) -> None:
        """Staging and Dagster's database as prepared, with nothing left for the disk to do."""
        with self.connect() as connection:
            self._replace(connection, "ic_assets", "bench_staging")
            self._replace(connection, "dagster", "bench_dagster")
            connection.execute("ALTER DATABASE dagster SET synchronous_commit = off")  # as embedded_postgres does
        self.checkpoint()

    def checkpoint(self) -> None:
        with self.connect() as connection:
            connection.execute("CHECKPOINT")

    def settle(self, database: str) -> None:
        """What autovacuum does in the minutes after a load, done now: it would otherwise fall into a measurement."""
        with self.connect(database) as connection:
            connection.execute("VACUUM (ANALYZE)")
        self.checkpoint()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``ic-assets`` with ``arguments``, not measured. Raises ``RuntimeError`` with what it said when it fails."""
        done = subprocess.run(
            ic_assets(*arguments), env=self.environment, capture_output=True, text=True, check=False, cwd=self.home
        )
        if done.returncode != 0:
            raise RuntimeError(f"ic-assets {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done

    @staticmethod
    def _replace(connection: psycopg.Connection, name: str, template: str) -> None:
        target = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(target))
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER ic_assets TEMPLATE {} STRATEGY file_copy").format(
                target, sql.Identifier(template)
            )
        )


def ic_assets(*arguments: str) -> list[str]:
    """The command as it is installed: what a user starts."""
    beside = Path(sys.executable).with_name("ic-assets")
    return [str(beside) if beside.exists() else shutil.which("ic-assets") or "ic-assets", *arguments]


@contextmanager
def serving(home: Path, *, hubspot: bool = False) -> Iterator[Server]:
    """The services up for as long as the block lasts, so that no measured command starts or stops them."""
    server = Server(home)
    with services(server.settings, hubspot=hubspot):
        yield server
