"""Dagster's daemon as `ic-assets up` runs it, with runs that it really launches: files of every kind in the drop folder, a
PostgreSQL that is restarted while a run works, and a classification that is edited beside it. One server for all.

Minutes, since each run is a process: `python -m pytest -m soak ic_assets_tests/e2e/test_daemon.py`. What is decided, each
case by itself and without processes, is in graph/test_sensors.py and graph/test_retries.py."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.core.settings import Settings
from ic_assets.resources.services import running
from ic_assets_tests.drops import CONTACT, HUBSPOT_CONTACT, row, write_drop

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
# A busy machine starts a run's process in ten seconds and more.
PATIENCE = 400


@dataclass
class Daemon:
    """``ic-assets up`` of a copy of the package, so that its files of rules can be edited."""

    home: Path
    checkout: Path

    @property
    def folder(self) -> Path:
        return self.home / "drop"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "IC_HOME": str(self.home), "PYTHONPATH": str(self.checkout), "PYTHONUNBUFFERED": "1"}

    def query(self, query: str) -> list[tuple[Any, ...]]:
        services = running(Settings(home=self.home, postgres_url=None, drop_dir=self.folder))
        assert services is not None
        with psycopg.connect(services.postgres_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def until(self, query: str, expected: list[tuple[Any, ...]]) -> None:
        deadline = time.monotonic() + PATIENCE
        found: object = None
        while time.monotonic() < deadline:
            try:
                found = self.query(query)
            except psycopg.OperationalError as error:  # it restarts
                found = error
            if found == expected:
                return
            time.sleep(0.3)
        raise AssertionError(f"{query}: {found}; attempts: {self.query('SELECT * FROM staging.ic_attempt')}")

    def writer_of(self, table: str) -> int:
        """The server process that is just writing the table."""
        query = (
            "SELECT max(pid) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
            f' AND query ~* \'(copy|insert into|merge into|update) +"?staging"?."?{table}\''
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                if pid := self.query(query)[0][0]:
                    return int(pid)
            time.sleep(0.01)
        raise AssertionError(f"nobody writes {table}; attempts: {self.query('SELECT * FROM staging.ic_attempt')}")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ic_assets", *arguments],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def put(self, name: str, content: bytes, *, age: float = 60) -> None:
        """As a careful sender does: under another name until it is whole."""
        unfinished = self.folder / f"{name}.part"
        unfinished.write_bytes(content)
        os.utime(unfinished, (time.time() - age, time.time() - age))
        unfinished.rename(self.folder / name)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="daemon-"))
    for name in ("ic_assets", "sql", "templates"):
        shutil.copytree(
            ROOT / name, place / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__", "*.csv.gz")
        )
    it = Daemon(place / "home", place / "checkout")
    it.folder.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = place / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ic_assets", "up", "--port", str(port)],
            env=it.environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(lambda: "Ctrl-C ends it." in log.read_text(encoding="utf-8") or process.poll() is not None)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        it.query(
            "INSERT INTO staging.contacts_reconciliation (legacy_contact_id, hubspot_contact_id)"
            f" VALUES ({CONTACT}, {HUBSPOT_CONTACT}) RETURNING 1"
        )
        yield it
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            shutil.rmtree(place, ignore_errors=True)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def drop_of(*rows: dict[str, object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_drop(Path(folder) / "drop.csv", rows).read_bytes()


def bomb() -> bytes:
    """64 MB that unpack to more than 60 GB: the same gzip member a thousand times."""
    member = gzip.compress(bytes(64 * 1024 * 1024), 9)
    return member * (64_000_000 // len(member))


def test_a_bomb_a_cut_file_a_link_and_a_date_ahead_hold_up_no_good_file(daemon: Daemon) -> None:
    outside = daemon.home / "secret.csv"
    outside.write_bytes(drop_of(row(99)))
    (daemon.folder / "link.csv").symlink_to(outside)
    daemon.put("bomb.csv.gz", bomb(), age=900)
    daemon.put("cut.csv.gz", gzip.compress(drop_of(row(7)) * 50)[:-20], age=800)
    daemon.put("ahead.csv", drop_of(row(1, "2019-03-05")), age=-90_000)
    daemon.put("good.csv", drop_of(row(2, "2019-03-06", "Zoom")), age=60)
    landed = "SELECT file_name FROM staging.ic_drop WHERE state = 'landed' ORDER BY 1"
    daemon.until(landed, [("ahead.csv",), ("good.csv",)])
    daemon.until("SELECT refused LIKE '%gzip%' FROM staging.ic_drop_file WHERE file_name = 'cut.csv.gz'", [(True,)])
    daemon.until("SELECT count(*) FROM staging.ic_calls", [(2,)])
    done = daemon.command("status", "--json")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["files_left_alone"] == [{"file": "link.csv", "why": "a symbolic link, not followed"}]
    assert "cut.csv.gz" in [one["file"] for one in found["files_given_up"]]
    unread = found["files_given_up"] + found["files_waiting"]
    assert sorted(one["file"] for one in unread) == ["bomb.csv.gz", "cut.csv.gz"]


def test_a_restart_of_postgresql_strands_neither_the_file_nor_its_months(daemon: Daemon) -> None:
    """Once in the middle of the landing, once in the middle of the months. A backend that dies by a signal makes the server
    end all connections and recover."""
    (daemon.folder / "bomb.csv.gz").unlink(missing_ok=True)
    daemon.put("large.csv", drop_of(*(row(number, "2020-05-05") for number in range(1000, 61_000))))
    for table in ("ic_communication_landing", "ic_communication_master"):
        os.kill(daemon.writer_of(table), signal.SIGKILL)
    daemon.until("SELECT count(*) FROM staging.ic_calls", [(60_002,)])
    daemon.until("SELECT count(*) FROM staging.ic_attempt WHERE sensor = 'csv_drop'", [(0,)])
    assert daemon.query("SELECT rows_in FROM staging.ic_drop WHERE file_name = 'large.csv'") == [(60_000,)]


def test_an_edited_classification_is_applied_once_and_stays(daemon: Daemon) -> None:
    """The daemon's process read the file when it started, a run reads it anew: neither takes the other's edit back."""
    file = daemon.checkout / "sql" / "activities" / "classification.csv"
    text = file.read_text(encoding="utf-8")
    edited = text.replace("\nzoom,", "\nzoom-before,", 1)
    assert edited != text
    file.write_text(f"{edited.rstrip()}\n{zoom_line(text).replace('calls', 'meetings')}\n", encoding="utf-8")
    daemon.until("SELECT count(*) FROM staging.ic_meetings", [(1,)])
    daemon.until("SELECT count(*) FROM staging.ic_attempt", [(0,)])
    before = daemon.query("SELECT max(change_number), count(*) FROM staging.ic_month")
    versions = daemon.query("SELECT count(*), max(turn) FROM staging.ic_rule_file WHERE name LIKE '%classification%'")
    time.sleep(12)  # two ticks of each sensor
    assert daemon.query("SELECT max(change_number), count(*) FROM staging.ic_month") == before
    assert (
        daemon.query("SELECT count(*), max(turn) FROM staging.ic_rule_file WHERE name LIKE '%classification%'")
        == versions
    )
    assert versions == [(2, versions[0][1])]
    file.write_text(f"{text}zoom,,,,,,\n", encoding="utf-8")
    time.sleep(6)
    assert "classification.csv, line" in daemon.command("status").stdout
    assert daemon.query("SELECT count(*) FROM staging.ic_meetings") == [(1,)]


def zoom_line(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("zoom,"))
