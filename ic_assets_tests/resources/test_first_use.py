"""What is made on first use is made once, by whoever comes first, when several real processes come together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ic_assets.core import locks
from ic_assets.resources.embedded.server import EmbeddedPostgres

pytestmark = pytest.mark.server

# As a command begins. It goes from one step to the next when it is told to, so that all take each at the same moment.
COMMAND = """
import sys
from dagster import DagsterInstance
from ic_assets.core import schema
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_home import dagster_home
from ic_assets.resources.services import services

def wait():
    print("ready", flush=True)
    sys.stdin.readline()

wait()
settings = Settings.from_env()
with services(settings) as up:
    dagster_home(settings)
    wait()
    with DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("csv_drop", [f"{sys.argv[1]}@"])
        wait()
        schema.ensure(up.postgres_url)
        print(instance.get_runs_count(), schema.is_current(up.postgres_url), flush=True)
"""
STEPS = 3


@pytest.fixture
def empty_database(superuser_url: str, postgres_url: str) -> Iterator[str]:
    name = f"test_empty_{os.getpid()}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER ic_assets").format(sql.Identifier(name)))
        yield postgres_url.replace("/ic_assets?", f"/{name}?")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def together(homes: Sequence[Path], **environment: str) -> Iterator[list[subprocess.Popen[str]]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND, str(number)],
            env={**os.environ, **environment, "IC_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, home in enumerate(homes)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def step(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Lets all go on once each has come so far."""
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n", process.communicate()[1][-2000:]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=120)
    return out.strip() or errors[-2000:]


def test_commands_that_come_first_together_share_one_empty_home(tmp_path: Path) -> None:
    home = tmp_path / "ic_home"
    try:
        with together([home] * 3) as processes:
            for _ in range(STEPS):
                step(processes)
            assert [said(process) for process in processes] == ["0 True"] * 3
    finally:
        if left := EmbeddedPostgres(home / "postgres").running():
            EmbeddedPostgres(home / "postgres").stop(left)


def test_who_comes_to_an_empty_database_while_another_makes_dagsters_tables_waits(
    tmp_path: Path, empty_database: str
) -> None:
    """From homes of their own, as from several machines: no lock of a file system is between them."""
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (locks.DAGSTER_TABLES,))
        with together([tmp_path / "a", tmp_path / "b"], IC_POSTGRES_URL=empty_database) as processes:
            step(processes)
            wait_until_waiting(other, 2)  # for Dagster's schema
            other.execute("SELECT pg_advisory_unlock_all()")
            for process in processes:
                assert process.stdout
                assert process.stdout.readline() == "ready\n", process.communicate()[1][-2000:]
            other.execute("SELECT pg_advisory_lock(%s)", (locks.DAGSTER_TABLES,))
            for process in processes:
                assert process.stdin
                process.stdin.write("\n")
                process.stdin.flush()
            wait_until_waiting(other, 2)  # for its tables
            assert other.execute("SELECT to_regclass('ic_dagster.event_logs')").fetchone() == (None,)
            other.execute("SELECT pg_advisory_unlock_all()")
            step(processes)
            assert [said(process) for process in processes] == ["0 True"] * 2
        rows = other.execute("SELECT partition FROM ic_dagster.dynamic_partitions ORDER BY 1").fetchall()
    assert rows == [("0@",), ("1@",)]


def wait_until_waiting(connection: psycopg.Connection, processes: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
        if row == (processes,):
            return
        assert time.monotonic() < deadline, f"{row} wait"
        time.sleep(0.05)
