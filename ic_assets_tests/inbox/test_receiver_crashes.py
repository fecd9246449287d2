"""The receiver and PostgreSQL killed under load: whatever was answered 2xx is there, once."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from ic_assets.core.settings import Settings
from ic_assets.resources.embedded.server import EmbeddedPostgres
from ic_assets.resources.services import services
from ic_assets_tests.receiver_cases import (
    PAYMENTS,
    SECRETS,
    basic,
    hubspot_event,
    hubspot_v3,
    payment,
    receiving,
    text,
)

GENERAL = "/Hubspot/Webhooks/General"


@dataclass
class Load:
    """Senders that send each event until it is answered 2xx, as vendors do. ``taken``: ids of payments that were; ``lists``:
    deliveries of three events, by the number of each."""

    port: int
    taken: set[str] = field(default_factory=set)
    lists: list[tuple[int, ...]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    failures: int = 0
    ends: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def end(self) -> None:
        """Once what was begun is taken."""
        self.ends = True
        for thread in self.threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in self.threads)

    def send(self, sender: int) -> None:
        """What was begun is brought to its end before the sender ends."""
        dice = random.Random(sender)
        with httpx.Client(trust_env=False, timeout=10) as client:
            number = 0
            while not self.ends:
                number += 1
                key = sender * 1_000_000 + number * 10
                if number % 5 == 0:
                    body = text([hubspot_event(key + place) for place in range(3)])
                    if self._until_taken(client, GENERAL, body):
                        self.lists.append(tuple(key + place for place in range(3)))
                elif self._until_taken(client, PAYMENTS, text(payment(key, pad="x" * dice.randrange(4000)))):
                    self.taken.add(f"ev_{key}")

    def _until_taken(self, client: httpx.Client, path: str, body: bytes) -> bool:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            headers = basic() if path == PAYMENTS else hubspot_v3(path, body)
            try:
                answer = client.post(f"http://127.0.0.1:{self.port}{path}", content=body, headers=headers)
            except httpx.HTTPError:
                self.failures += 1
                time.sleep(0.05)
                continue
            self.statuses.add(answer.status_code)
            if answer.status_code == 200:
                return True
            time.sleep(0.05)
        raise AssertionError("an event was not taken within a minute")


@contextmanager
def under_load(port: int, senders: int = 8) -> Iterator[Load]:
    load = Load(port)
    load.threads = [threading.Thread(target=load.send, args=(number,)) for number in range(1, senders + 1)]
    for thread in load.threads:
        thread.start()
    try:
        yield load
    finally:
        load.end()


def until(load: Load, more: int) -> None:
    """Until so many more payments were taken."""
    wanted, deadline = len(load.taken) + more, time.monotonic() + 60
    while len(load.taken) < wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(load.taken) >= wanted


def all_there_once(url: str, load: Load) -> None:
    with psycopg.connect(url) as connection:
        payments = connection.execute("SELECT event_id FROM inbox.event WHERE source = 'chargebee'").fetchall()
        numbers = connection.execute("SELECT body ->> 'eventId' FROM inbox.event WHERE source = 'hubspot'").fetchall()
        differing = connection.execute("SELECT count(*) FROM inbox.duplicate").fetchone()
    kept, events = {event for (event,) in payments}, {int(number) for (number,) in numbers}
    assert len(kept) == len(payments)
    assert len(events) == len(numbers)
    # Each sender sent until it was taken, so there is no other.
    assert kept == load.taken
    assert events == {number for delivery in load.lists for number in delivery}
    assert load.taken
    assert load.lists
    assert differing == (0,)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An embedded server that this test may kill."""
    folder = tmp_path / "home"
    with services(Settings(home=folder, postgres_url=None, drop_dir=folder / "drop")):
        yield folder


def url_of(home: Path) -> str:
    postgres = EmbeddedPostgres(home / "postgres")
    server = postgres.running()
    assert server is not None
    return postgres.url(server, "ic_assets")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_a_killed_receiver_and_a_killed_database_lose_and_double_nothing(home: Path, tmp_path: Path) -> None:
    port = free_port()
    settings = {**SECRETS, "IC_HOME": str(home)}
    with receiving(tmp_path / "first", None, port=port, **settings) as first, under_load(port) as load:
        until(load, 50)
        first.kill()
        with receiving(tmp_path / "second", None, port=port, **settings) as second:
            until(load, 50)
            server = EmbeddedPostgres(home / "postgres").running()
            assert server is not None
            os.kill(server.pid, signal.SIGKILL)
            # It starts the server that it had started, and goes on.
            until(load, 50)
            load.end()
            assert second.process.poll() is None
            assert "sqlstate=" in second.log
    assert load.failures > 0
    all_there_once(url_of(home), load)


def test_a_receiver_that_is_told_to_end_under_load_answers_what_it_has(module_database: str, tmp_path: Path) -> None:
    port = free_port()
    with receiving(tmp_path / "first", module_database, port=port, **SECRETS) as first, under_load(port) as load:
        until(load, 100)
        assert first.stop() == 0
        with receiving(tmp_path / "second", module_database, port=port, **SECRETS):
            until(load, 50)
            load.end()
    assert load.statuses == {200}
    all_there_once(module_database, load)


def test_a_database_that_is_away_is_told_and_when_it_is_back_nothing_is_missing(
    database: str, superuser_url: str, tmp_path: Path
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with (
        receiving(tmp_path / "away", database, **SECRETS) as running,
        psycopg.connect(superuser_url, autocommit=True) as superuser,
    ):
        assert running.post(PAYMENTS, text(payment(1)), basic()).status_code == 200
        superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        answer = running.post(PAYMENTS, text(payment(2)), basic())
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
        assert "database_away" in running.log
        time.sleep(1.1)
        ready = running.client.get(f"{running.url}/ready")
        assert (ready.status_code, ready.json()["database"]) == (503, "away")
        assert running.client.get(f"{running.url}/health").status_code == 200
        superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        deadline = time.monotonic() + 15
        while (status := running.post(PAYMENTS, text(payment(2)), basic()).status_code) != 200:
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        assert running.client.get(f"{running.url}/ready").status_code in (200, 503)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT event_id FROM inbox.event ORDER BY id").fetchall()
    assert found == [("ev_1",), ("ev_2",)]
