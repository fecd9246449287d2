"""Past one machine: two Celery workers on different months against one process, on the same drops. Real processes: a Redis
broker, two workers with an IC_HOME each, PostgreSQL and the local HubSpot; runs are started as people start them.

The tests build on each other, in the order of the file: a load and its push by two workers at once, then a correction during
which a worker's process is killed, and its push, during which a worker's machine dies.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.commands.runs import Session, session
from ic_assets_tests import processes
from ic_assets_tests.drops import (
    COMPANY,
    DEAL,
    HUBSPOT_COMPANY,
    HUBSPOT_CONTACT,
    HUBSPOT_DEAL,
    land,
    reconcile_everything,
    row,
    write_drop,
)
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import HubSpot
from ic_assets_tests.soak.checks import Key, Standing, read_portal

BROKER = shutil.which("redis-server") or shutil.which("valkey-server")
pytestmark = [
    pytest.mark.skipif(BROKER is None, reason="no redis-server; on Debian: apt-get install redis-server"),
    pytest.mark.timeout(600),
]
BIN = Path(sys.executable).parent
EARLIER, LATER = "2019-01-01...2019-04-01", "2019-05-01...2019-08-01"
ALL = "2019-01-01...2019-08-01"
ROWS = 500
RPS = 6
# Longer than any step here takes on a busy machine, but for the worker that is to take over.
TAKEOVER, SOON = 600, 5
KINDS = ("Call", "Email", "Call", "Meeting", "Call", "Note", "Call", "Task", "Call", "SMS", "Call", "Letter")
PATIENCE = 280.0
# The step that writes the derivatives, the calls among them.
DERIVATIVES = "activity_derivatives"


# -- the drops ---------------------------------------------------------------------------------------


def month(number: int) -> str:
    return f"2019-{1 + number % 8:02}-05 10:00:00"


def first_drop() -> list[dict[str, object]]:
    """Every type in every month; some with a company or a deal, 2 % orphans, and a row that is rejected."""
    rows = [
        row(
            n,
            month(n),
            KINDS[n % len(KINDS)],
            **({"Person_Id": 999} if n % 50 == 7 else {}),
            **({"Company_Id": COMPANY} if n % 3 == 0 else {}),
            **({"Comm_OpportunityId": DEAL} if n % 5 == 0 else {}),
        )
        for n in range(1, ROWS + 1)
    ]
    return [*rows, row(ROWS + 1, "soon")]


def correction() -> list[dict[str, object]]:
    """Every call has another subject, and every tenth moves to the next month."""
    return [
        {
            **old,
            "Comm_Subject": f"Corrected {n}",
            "Comm_UpdatedDate": "2020-02-01 00:00:00",
            "Comm_DateTime": month(n + 1) if n % 10 == 0 else month(n),
        }
        for n, old in enumerate(first_drop()[:ROWS], start=1)
        if old["Comm_Type"] == "Call"
    ]


# -- one machine, and two ----------------------------------------------------------------------------


class Place:
    """A database, a local HubSpot and the environment that leads to them."""

    def __init__(self, folder: Path, database: str, hub: HubSpot) -> None:
        self.folder = folder
        self.database = database
        self.hub = hub
        self.environment = {
            **os.environ,
            "IC_HOME": str(folder / "home"),
            "IC_POSTGRES_URL": database,
            "HUBSPOT_BASE_URL": hub.sandbox.base_url,
            "HUBSPOT_TOKEN": hub.sandbox.token,
            "IC_HUBSPOT_RPS": str(RPS),
            "IC_HUBSPOT_RECHECK_SECONDS": "0.5",
            "IC_REFERENCE_TIME": "2026-01-31T12:00:00Z",
            "IC_PARTITIONS_START": "2019-01-01",
        }

    def command(self, *arguments: str) -> None:
        done = processes.run(*arguments, env=self.environment)
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    @contextmanager
    def meanwhile(self, *commands: tuple[str, ...]) -> Iterator[None]:
        """Commands one after the other, beside the block; they are done at its end."""
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(lambda: [self.command(*arguments) for arguments in commands])
            yield
            done.result()

    def rows(self) -> dict[str, list[str]]:
        """Every table of the staging schema. Left out is what legitimately differs: surrogate ids and HubSpot's ids, which
        depend on the order of the work, clock times, and the numbers that count changes."""
        found: dict[str, list[str]] = {}
        with psycopg.connect(self.database) as connection:
            tables = connection.execute(
                "SELECT c.table_name, array_agg(c.column_name::text) FILTER (WHERE c.data_type <> 'timestamp with time zone'"
                " AND c.column_name NOT IN ('id', 'ic_communication_master_id', 'hubspot_engagement_id', 'change_number'))"
                " FROM information_schema.columns AS c INNER JOIN information_schema.tables AS t"
                " USING (table_schema, table_name)"
                " WHERE c.table_schema = 'staging' AND t.table_type = 'BASE TABLE' GROUP BY 1"
            ).fetchall()
            for table, columns in tables:
                of_a_master = table not in ("ic_communication_master", "ic_payload_part") and bool(
                    connection.execute(
                        "SELECT 1 FROM information_schema.columns WHERE table_schema = 'staging' AND table_name = %s"
                        " AND column_name = 'ic_communication_master_id'",
                        (table,),
                    ).fetchone()
                )
                query = sql.SQL(
                    "SELECT to_jsonb(r)::text FROM (SELECT {columns} FROM staging.{table} AS t {join}) AS r"
                )
                found[table] = sorted(
                    text
                    for (text,) in connection.execute(
                        query.format(
                            columns=sql.SQL(", ").join(
                                [sql.SQL("t.{}").format(sql.Identifier(c)) for c in columns]
                                + ([sql.SQL("m.comm_communicationid")] if of_a_master else [])
                            ),
                            table=sql.Identifier(table),
                            join=sql.SQL(
                                "INNER JOIN staging.ic_communication_master AS m ON m.id = t.ic_communication_master_id"
                                if of_a_master
                                else ""
                            ),
                        )
                    ).fetchall()
                )
        return found

    def standing(self) -> dict[Key, list[Standing]]:
        """What stands in HubSpot, with its associations and without HubSpot's ids."""
        live = read_portal(self.folder / "hubspot" / "hubspot.sqlite").live
        return {key: [standing for _, standing in records] for key, records in live.items()}


class Worker:
    """One Celery worker with one process, on a machine of its own as far as it can tell."""

    def __init__(self, place: Place, environment: dict[str, str], name: str) -> None:
        self.known = 0
        self.home = place.folder / name
        self.log = place.folder / f"{name}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    BIN / "celery",
                    "-A",
                    "ic_assets.celery_app",
                    "worker",
                    "-n",
                    f"{name}@%h",
                    "--concurrency",
                    "1",
                    "-l",
                    "INFO",
                ],
                env={**environment, "IC_HOME": str(self.home)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def steps(self) -> list[str]:
        """The steps that it has begun."""
        return re.findall(r'STEP_START - Started execution of step "(\w+)"', self.said())

    def child(self) -> int:
        """The process that works."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True)
        (pid,) = found.stdout.split()
        return int(pid)

    def kill(self) -> None:
        """As when its machine loses power: all of it at once, and nobody is told."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def poll(self) -> int | None:
        return self.process.poll()

    def wait(self) -> int:
        return self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                self.wait()


class Fleet(Place):
    """A place whose steps are executed by workers."""

    def __init__(self, folder: Path, database: str, hub: HubSpot, broker: str) -> None:
        super().__init__(folder, database, hub)
        self.distributed = {
            **self.environment,
            "IC_EXECUTOR": "celery",
            "IC_CELERY_BROKER": broker,
            "DAGSTER_HOME": str(folder / "home" / "dagster"),
        }
        self.workers = [self.start_worker("first"), self.start_worker("second")]

    def start_worker(self, name: str, takeover: int = TAKEOVER) -> Worker:
        return Worker(self, {**self.distributed, "IC_CELERY_TAKEOVER_SECONDS": str(takeover)}, name)

    def at(self, step: str) -> list[Worker]:
        """The workers that have begun the step since ``forget`` was called."""
        return [worker for worker in self.workers if step in worker.steps()[worker.known :]]

    def forget(self) -> None:
        for worker in self.workers:
            worker.known = len(worker.steps())

    @contextmanager
    def session(self) -> Iterator[Session]:
        """What a command does at its start, without the seconds of a process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.distributed.items():
                patch.setenv(name, value)
            with session(quiet=True) as work:
                yield work

    def land(self, drop: Path) -> None:
        with self.session():
            land(self.database, drop)

    def two_pushes_at_once(self) -> None:
        """As the setting of Dagster's pool in the UI; one at a time is the default."""
        with self.session() as work:
            work.instance.event_log_storage.set_concurrency_slots("hubspot_api", 2)

    def launch(self, *arguments: str) -> subprocess.Popen[str]:
        """A run whose steps are distributed, by the command of the README."""
        return subprocess.Popen(
            [BIN / "dg", "launch", *arguments],
            env=self.distributed,
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


def finished(*runs: subprocess.Popen[str]) -> None:
    for run in runs:
        _, errors = run.communicate(timeout=PATIENCE)
        assert run.returncode == 0, errors[-4000:]


def until(happens: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, f"this did not happen: {what}"
        time.sleep(0.05)


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    assert BROKER is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = subprocess.Popen(
        [BROKER, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def place(
    kind: Callable[..., Place], folder: Path, superuser_url: str, postgres_url: str, *arguments: Any
) -> Iterator[Any]:
    """With what is reconciled and the seeded HubSpot, whose limit is the budget."""
    name = f"celery_{secrets.token_hex(4)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER ic_assets TEMPLATE ic_template").format(sql.Identifier(name))
        )
    database = postgres_url.replace("/ic_assets?", f"/{name}?")
    reconcile_everything(database)
    with cases.hubspot(folder / "hubspot", requests_per_10s=10 * RPS) as hub:
        records = {"contacts": HUBSPOT_CONTACT, "companies": HUBSPOT_COMPANY, "deals": HUBSPOT_DEAL}
        seed = {entity: [{"id": str(number), "properties": {}}] for entity, number in records.items()}
        hub.http.post("/_sandbox/seed", json=seed).raise_for_status()
        yield kind(folder, database, hub, *arguments)


@pytest.fixture(scope="module")
def one(
    tmp_path_factory: pytest.TempPathFactory, superuser_url: str, postgres_url: str, _template: str
) -> Iterator[Place]:
    """The same by one process: the commands, whose runs are in their own process."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "hubspot").mkdir()
    with place(Place, folder, superuser_url, postgres_url) as found:
        yield found


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, superuser_url: str, postgres_url: str, _template: str
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "hubspot").mkdir()
    with ExitStack() as stack:
        address = stack.enter_context(broker(folder))
        found = stack.enter_context(place(Fleet, folder, superuser_url, postgres_url, address))
        try:
            yield found
        finally:
            for worker in found.workers:
                worker.stop()


# -- the proof ---------------------------------------------------------------------------------------


def test_two_workers_on_different_months_give_the_database_that_one_process_gives(
    one: Place, fleet: Fleet, tmp_path: Path
) -> None:
    drop = write_drop(tmp_path / "first.csv", first_drop())
    with one.meanwhile(("load", str(drop))):
        fleet.land(drop)
        finished(*(fleet.launch("--job", "bring_months_up_to_date", "--partition-range", r) for r in (EARLIER, LATER)))

    assert differences(fleet.rows(), one.rows()) == {}
    assert len(one.rows()["ic_communication_master"]) == ROWS
    assert all(len(worker.steps()) > 10 for worker in fleet.workers), "one of them did nothing"
    with psycopg.connect(fleet.database) as connection:
        waiting = connection.execute(
            "SELECT count(*) FROM staging.ic_month AS m INNER JOIN staging.ic_month_stage AS s USING (comm_month)"
            " WHERE s.change_number < m.change_number"
        ).fetchone()
        connections = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY application_name"
        ).fetchall()
    assert waiting == (0,)
    assert max(connections)[0] <= 10, "a worker keeps the connections of steps that have ended"


def test_two_workers_that_push_at_once_keep_one_rate_budget_and_give_the_hubspot_that_one_process_gives(
    one: Place, fleet: Fleet
) -> None:
    with one.meanwhile(("push", "--mode", "test"), ("push", "--mode", "production", "--approved-by", "Ada")):
        fleet.command("push", "--mode", "test")
        fleet.two_pushes_at_once()
        approve(fleet, EARLIER, LATER)
        began = time.time()
        finished(*(push(fleet, months) for months in (EARLIER, LATER)))

    assert fleet.standing() == one.standing()
    assert len(one.standing()) > ROWS * 0.9
    assert differences(fleet.rows(), one.rows()) == {}
    requests = fleet.hub.requests(began)
    assert {request["status"] for request in requests} <= {200, 201, 204, 207}
    with psycopg.connect(fleet.database) as connection:
        first, second = (
            times
            for (times,) in connection.execute(
                "SELECT array_agg(extract(epoch FROM r.sent_at)::float8 ORDER BY r.sent_at)"
                " FROM hubspot.push_run AS p INNER JOIN hubspot.push_request AS r USING (push_id)"
                # Not the question which portal this is, which a push asks before it can know whose budget to ask.
                " WHERE p.mode = 'production' AND r.operation <> 'account' GROUP BY p.push_id"
            ).fetchall()
        )
    assert max(first[0], second[0]) < min(first[-1], second[-1]), "the two pushes were not at the same time"
    # Two budgets would be 4 x RPS. On a busy machine what had its turn may be sent up to a second later.
    assert densest(first + second, 2.0) <= 3 * RPS
    arrived = [request["at"] for request in requests if "/crm/" in request["path"]]
    assert len(arrived) > 3 * RPS
    assert densest(arrived, 2.0) <= 3 * RPS
    for worker in fleet.workers:
        assert "hubspot_engagements" in worker.steps()
        # The restore point is where the push was.
        assert len(list((worker.home / "backups").iterdir())) == 1


@pytest.mark.long
def test_a_stage_whose_process_is_killed_is_done_by_another_worker_in_the_same_run(
    one: Place, fleet: Fleet, tmp_path: Path
) -> None:
    drop = write_drop(tmp_path / "correction.csv", correction())
    with one.meanwhile(("load", str(drop))):
        fleet.land(drop)
        fleet.forget()
        assets = ("staging/ic_communication_master", "staging/ic_communication_master/resolved", "staging/ic_calls")
        selection = " or ".join(f'key:"{asset}"' for asset in assets)
        with psycopg.connect(fleet.database) as blocker:
            blocker.execute("LOCK TABLE staging.ic_calls IN SHARE MODE")
            run = fleet.launch("--assets", selection, "--partition-range", ALL)
            until(
                lambda: fleet.at(DERIVATIVES) and waits_for_a_lock(fleet.database),
                "the calls wait for the table",
            )
            (killed,) = fleet.at(DERIVATIVES)
            os.kill(killed.child(), signal.SIGKILL)
            until(lambda: "WorkerLostError" in killed.said(), "the worker notices")
        finished(run)

    begun = [step for worker in fleet.workers for step in worker.steps()[worker.known :]]
    assert begun.count(DERIVATIVES) == 2
    # The load had all nine assets in it, this run three.
    left_out = {
        "ic_month_stage",
        "ic_figure",
        "ic_figure_month",
        *(activity.table for activity in ACTIVITY_TYPES),
    } - {"ic_calls"}
    found, expected = (
        {name: rows for name, rows in place.rows().items() if name not in left_out} for place in (fleet, one)
    )
    assert differences(found, expected) == {}
    assert sum("Corrected" in text for text in found["ic_calls"]) == len(correction())


@pytest.mark.long
def test_a_push_whose_machine_dies_is_finished_by_another_worker_and_every_record_stands_once(
    one: Place, fleet: Fleet
) -> None:
    with one.meanwhile(("push", "--mode", "production", "--approved-by", "Ada")):
        fleet.command("load")  # the run before had three of nine assets: production refuses months that are out of date
        fleet.forget()
        approve(fleet, ALL)
        fleet.hub.chaos(latency=400)
        run = push(fleet, ALL)
        fleet.hub.wait_for(1, "batch/update", run)
        (dead,) = fleet.at("hubspot_engagements")
        cases.kill_with_records_in_flight(fleet.database, dead)
        fleet.hub.chaos()
        fleet.workers.append(fleet.start_worker("third", takeover=SOON))
        finished(run)

    assert [worker for worker in fleet.at("hubspot_engagements") if worker is not dead]
    assert fleet.standing() == one.standing()
    assert all(len(records) == 1 for records in fleet.standing().values())
    texts = [records[0].properties.get("hs_call_title", "") for records in fleet.standing().values()]
    assert sum(text.startswith("Corrected") for text in texts) > ROWS * 0.4


def approve(fleet: Fleet, *ranges: str) -> None:
    """No run configuration approves anything."""
    for months in ranges:
        first, last = months.split("...")
        fleet.command("approve", "--by", "Ada", "--months", f"{first[:7]}:{last[:7]}")


def push(fleet: Fleet, months: str) -> subprocess.Popen[str]:
    config = {"ops": {"hubspot_engagements": {"config": {"mode": "production"}}}}
    return fleet.launch("--job", "push_to_hubspot", "--partition-range", months, "--config-json", json.dumps(config))


def differences(found: dict[str, list[str]], expected: dict[str, list[str]]) -> dict[str, list[str]]:
    """The first rows of each table that only one of the two has."""
    assert found.keys() == expected.keys()
    return {
        table: sorted(set(found[table]) ^ set(expected[table]))[:4] or ["the same rows, another number of them"]
        for table in found
        if found[table] != expected[table]
    }


def densest(times: list[float], seconds: float) -> int:
    return max(sum(1 for t in times if start <= t < start + seconds) for start in times)


def waits_for_a_lock(database: str) -> bool:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
    return row != (0,)
