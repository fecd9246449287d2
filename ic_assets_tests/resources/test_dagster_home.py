"""Dagster's home on real servers: where its history is, what a killed run or UI leaves, and what is said without one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRunStatus, Definitions, asset

from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_home import dagster_home, fail_abandoned_runs, serve_ui
from ic_assets.resources.services import DAGSTER_SCHEMA, Services, services

pytestmark = pytest.mark.server

SLOW = """
import time
from dagster import Definitions, asset

@asset
def slow():
    print("running", flush=True)
    time.sleep(600)

defs = Definitions(assets=[slow])
"""
RUN_SLOW = """
from dagster import DagsterInstance, materialize
from slow_definitions import slow
materialize([slow], instance=DagsterInstance.get())
"""
SERVE = """
import sys
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_home import serve_ui
from ic_assets.resources.services import services
settings = Settings.from_env()
with services(settings):
    serve_ui(settings, port=int(sys.argv[1]), ready=lambda url, _: print(url, flush=True), definitions="slow_definitions")
"""


@pytest.fixture
def settings(postgres_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The session's server, with definitions of one slow asset to be found."""
    (tmp_path / "slow_definitions.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("IC_HOME", str(postgres_home))
    return Settings.from_env()


@pytest.fixture
def up(settings: Settings) -> Iterator[Services]:
    with services(settings) as found:
        yield found


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def run_of_nothing(instance: DagsterInstance) -> str:
    @asset
    def nothing() -> None: ...

    job = Definitions(assets=[nothing]).resolve_implicit_global_asset_job_def()
    return instance.create_run_for_job(job).run_id


def heard(instance: DagsterInstance, run_id: str) -> list[str]:
    """What a watcher hears of an event that is stored while it listens."""
    messages: list[str] = []
    instance.event_log_storage.watch(run_id, None, lambda entry, _: messages.append(entry.message))
    run = instance.get_run_by_id(run_id)
    assert run is not None

    def report() -> bool:  # repeated: the listening begins in a thread
        instance.report_engine_event("anybody there?", run)
        return "anybody there?" in messages

    wait_until(report)
    return messages


def test_the_history_is_in_the_embedded_database_and_the_password_is_not_in_the_yaml(
    settings: Settings, up: Services
) -> None:
    home = dagster_home(settings)
    assert os.environ["DAGSTER_HOME"] == str(home)
    password = (settings.home / "postgres/password").read_text().strip()
    assert password not in (home / "dagster.yaml").read_text()
    with DagsterInstance.get() as instance:
        run_id = run_of_nothing(instance)
        assert heard(instance, run_id)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert limits.max_concurrent_runs >= 2
        assert {"key": "ic_assets/landing", "limit": 1} in limits.tag_concurrency_limits
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
    with psycopg.connect(up.dagster_postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE run_id = %s", [run_id]).fetchone() == (1,)


def test_events_share_a_connection_instead_of_opening_one_each(settings: Settings, up: Services) -> None:
    dagster_home(settings)
    with DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        pids = set()
        for _ in range(3):
            with storage.index_connection() as connection:  # type: ignore[attr-defined]
                pids.add(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
    assert len(pids) == 1


def test_in_a_database_of_the_users_the_history_has_a_schema_of_its_own(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    settings = Settings.from_env()
    with services(settings):
        dagster_home(settings)
        with DagsterInstance.get() as instance:
            assert heard(instance, run_of_nothing(instance))
    with psycopg.connect(database) as connection:
        assert connection.execute(
            "SELECT schemaname FROM pg_tables WHERE tablename IN ('runs', 'event_logs', 'instigators') GROUP BY 1"
        ).fetchall() == [(DAGSTER_SCHEMA,)]
        assert connection.execute(f"SELECT count(*) FROM {DAGSTER_SCHEMA}.runs").fetchone() == (1,)


def test_a_home_of_the_users_own_is_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "theirs"))
    assert dagster_home(settings) == tmp_path / "theirs"
    assert not (tmp_path / "theirs").exists()


def test_the_yaml_is_written_again_only_when_it_differs(settings: Settings) -> None:
    yaml = dagster_home(settings) / "dagster.yaml"
    (before, text) = (yaml.stat().st_mtime_ns, yaml.read_text())
    dagster_home(settings)
    assert yaml.stat().st_mtime_ns == before
    yaml.write_text("telemetry:\n  enabled: true\n")
    dagster_home(settings)
    assert yaml.read_text() == text


def test_dagsters_own_commands_say_in_one_line_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = dagster_home(Settings.from_env())
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "info"],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr.strip() == ("Error: Dagster's database is not up: start `ic-assets up`, or set IC_POSTGRES_URL")


def test_a_run_whose_process_was_killed_is_marked_failed_and_one_that_lives_is_not(
    settings: Settings, up: Services
) -> None:
    dagster_home(settings)
    with DagsterInstance.get() as instance:  # the server's, which other modules' runs use too
        others = {run.run_id for run in instance.get_runs()}
    with subprocess.Popen([sys.executable, "-c", RUN_SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"running\n"
        too_early = fail_abandoned_runs(settings)
        worker.kill()
    assert too_early == []
    wait_until(lambda: fail_abandoned_runs(settings) != [])
    with DagsterInstance.get() as instance:
        statuses = [run.status for run in instance.get_runs() if run.run_id not in others]
    assert statuses == [DagsterRunStatus.FAILURE]
    assert fail_abandoned_runs(settings) == []


def group_members(leader: int) -> list[str]:
    listing = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    return [row[2] for row in rows if row[0] == str(leader) and not row[1].startswith("Z")]


@pytest.mark.parametrize(
    "how",
    [pytest.param(signal.SIGTERM, id="told_to_end", marks=pytest.mark.long), pytest.param(signal.SIGKILL, id="killed")],
)
def test_the_ui_answers_and_leaves_no_process_behind(settings: Settings, free_port: int, how: signal.Signals) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(free_port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert command.stdout is not None
        assert command.stdout.readline() == f"http://127.0.0.1:{free_port}\n"
        children = subprocess.run(
            ["ps", "-o", "pgid=", "--ppid", str(command.pid)], capture_output=True, text=True, check=True
        )
        (group,) = {int(pgid) for pgid in children.stdout.split()}
        wait_until(lambda: sum("api grpc" in args for args in group_members(group)) == 2)
        command.send_signal(how)
        command.wait(timeout=30)
        assert command.returncode == (0 if how == signal.SIGTERM else -signal.SIGKILL)
        # What is left after a kill is the shell that waits to kill those that do not end when asked.
        wait_until(lambda: not any("dagster" in args for args in group_members(group)))
        if how == signal.SIGTERM:
            assert group_members(group) == []
    finally:
        command.kill()
        command.communicate()


def test_a_port_that_is_taken_is_refused_before_anything_starts(settings: Settings, up: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} for Dagster's UI: Address already in use"):
            serve_ui(settings, port=port, ready=print)


def test_a_ui_that_cannot_run_is_quoted(
    settings: Settings, up: Services, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", "/dev/null/nowhere")
    monkeypatch.setattr("ic_assets.resources.dagster_home.dagster_home", lambda _: settings.home / "dagster")
    monkeypatch.setenv("PYTHONPATH", "/dev/null")
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(Unavailable, match="ended by itself"):
        serve_ui(settings, port=free_port, ready=print)
