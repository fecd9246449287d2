"""Dagster's own home: its settings, its storage in PostgreSQL, and its UI and daemon as children of a command.

The storage finds PostgreSQL when it loads, through the environment or the running services: ``dagster.yaml`` holds
no password, and every Dagster tool that has DAGSTER_HOME set works while the services are up.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

import click
import psycopg
from dagster import DagsterInstance, Field
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from ic_assets.core import locks, processes
from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_events import EventLog, Ticks
from ic_assets.resources.dagster_runs import DEFINITIONS, LOCATION, Runs
from ic_assets.resources.embedded.messages import telling_line
from ic_assets.resources.services import child_environment, running
from ic_assets.resources.ui_guard import Keys, answers

# 9 assets x 178 months in one run, this storage, two busy cores: 0 takes 21 s, 100, 250 and 1000 take 1.4 s.
_EVENT_BATCH_SIZE = "100"
_READY_SECONDS = 180.0
_STOP_SECONDS = 15.0
# The gate of the children: it reads a pipe whose other end the command alone holds, and when that closes, however
# the command died, ends the process group that it leads and the children are in.
_GATE = "trap '' TERM INT HUP; read -r _; kill -TERM 0; sleep 15; kill -KILL 0"

# One landing at a time decides the fate of rows; one push at a time keeps the order of a record's changes. Looks into new
# files have places of their own: two of gigabytes keep nothing else waiting.
_YAML = """\
# Written by ic-assets; a change here is overwritten. Set DAGSTER_HOME to use settings of your own.
storage:
  custom:
    module: ic_assets.resources.dagster_home
    class: Storage
    config:
      home: {home}
concurrency:
  runs:
    max_concurrent_runs: {runs}
    tag_concurrency_limits:
      - key: ic_assets/landing
        limit: 1
      - key: ic_assets/looking
        limit: 2
  pools:
    default_limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  free_slots_after_run_end_seconds: 30
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      success: 90
      failure: 90
python_logs:
  managed_python_loggers: [ic_assets]
  python_log_level: DEBUG
nux:
  enabled: false
telemetry:
  enabled: false
"""


# On runs in the process of a command: the name under which it is connected to Dagster's database. Its prefix keeps it out of
# the UI, which shows three tags of a run and cuts this one off.
PROCESS_TAG = ".dagster/ic_assets_process"


# Named as in the project's own workspace.yaml and [tool.dg]: sensors remember what they saw under this name.
_WORKSPACE = """\
load_from:
  - python_module:
      module_name: {module}
      location_name: {location}
"""


class NotUp(Unavailable, click.ClickException):
    """Dagster's storage cannot be found. Dagster's commands show a ``ClickException`` as one line."""

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)


class Storage(DagsterPostgresStorage):
    """Dagster's storage in the PostgreSQL of the services that are up, or of ``IC_POSTGRES_URL``."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"home": Field(str, description="IC_HOME")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Storage:
        settings = Settings.from_env().model_copy(update={"home": Path(config_value["home"])})
        found = running(settings)
        if found is None:
            raise NotUp("Dagster's database is not up: start `ic-assets up`, or set IC_POSTGRES_URL")
        with _made_once(found.dagster_postgres_url):
            storage = cls(postgres_url=found.dagster_postgres_url, inst_data=inst_data)
        storage._run_storage = Runs(found.dagster_postgres_url)
        storage._event_log_storage = EventLog(found.dagster_postgres_url)
        storage._schedule_storage = Ticks(found.dagster_postgres_url)
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            # Otherwise each event opens a connection of its own, 32 s of the 53 s of 11 assets x 178 months.
            # Zero: no time-out for statements; the webserver sets its own.
            part.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=20)
            part._engine.hide_parameters = True  # type: ignore[union-attr]  # noqa: SLF001 - they hold whole events
        return storage


@contextmanager
def _made_once(postgres_url: str) -> Iterator[None]:
    """While Dagster makes its tables where there are none: whoever comes first makes them, all three parts, and the others
    wait. Dagster itself looks first and then creates, without a lock, and two that do so together end in
    ``type "event_logs" already exists``."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        tables = "SELECT to_regclass('runs'), to_regclass('event_logs'), to_regclass('job_ticks')"
        if None in (connection.execute(tables).fetchone() or (None,)):
            connection.execute("SELECT pg_advisory_lock(%s)", (locks.DAGSTER_TABLES,))
        yield


def dagster_home(settings: Settings) -> Path:
    """The DAGSTER_HOME to use, set in the environment of this process: the user's own, else ``$IC_HOME/dagster``
    with its ``dagster.yaml`` brought up to date."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _EVENT_BATCH_SIZE)
    ours = settings.home / "dagster"
    theirs = os.environ.get("DAGSTER_HOME")
    if theirs and Path(theirs) != ours:
        return Path(theirs)
    text = _YAML.format(
        home=json.dumps(str(settings.home), ensure_ascii=False), runs=2 + max(2, min(4, os.cpu_count() or 2))
    )
    path = ours / "dagster.yaml"
    try:
        ours.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            new = path.with_suffix(f".{os.getpid()}")
            new.write_text(text, encoding="utf-8")
            new.replace(path)
    except OSError as error:
        raise Unavailable(
            f"{error.filename}: {error.strerror}; set IC_HOME to a folder that this user may write to"
        ) from error
    os.environ["DAGSTER_HOME"] = str(ours)
    return ours


def fail_abandoned_runs(settings: Settings) -> list[str]:
    """Marks the runs whose processes were killed as failed, frees their places in the pools, and returns their ids. Call
    it inside ``services``; with a DAGSTER_HOME of the user's own it does nothing.

    Dagster's launcher for local processes cannot tell that a worker is gone: such a run stays "started" for ever and
    keeps its place in the queue. Every living worker, daemon and command of ours holds a connection to Dagster's
    database (``Storage`` keeps one open), so that a run is dead when nobody else is connected; a command's run, which
    names its process (``PROCESS_TAG``), when that one is not."""
    up = running(settings)
    if up is None or dagster_home(settings) != settings.home / "dagster":
        return []
    with psycopg.connect(up.dagster_postgres_url, autocommit=True) as connection:
        made = connection.execute("SELECT to_regclass('runs'), to_regclass('pending_steps')").fetchone()
        if made is None or None in made:
            return []
        # In this order: a run that starts in between is not in the list.
        rows = connection.execute(
            "SELECT r.run_id, t.value FROM runs AS r LEFT JOIN run_tags AS t ON t.run_id = r.run_id AND t.key = %s"
            " WHERE r.status IN ('STARTING', 'STARTED', 'CANCELING')",
            (PROCESS_TAG,),
        ).fetchall()
        others = connection.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
            # In a database of the user's own others are connected who have nothing to do with Dagster.
            " AND application_name LIKE 'ic-assets-%' AND application_name <> current_setting('application_name')"
        ).fetchall()
        waiting = connection.execute("SELECT 1 FROM pending_steps LIMIT 1").fetchone()
    living = {name for (name,) in others}
    dead = [run_id for run_id, process in rows if (process not in living if process else not living)]
    if not dead and not waiting:  # nothing to mend: Dagster's storage opens connections of its own
        return []
    failed = []
    with DagsterInstance.get() as instance:
        for run_id in dead:
            run = instance.get_run_by_id(run_id)
            if run and not run.is_finished:
                instance.report_run_failed(run, "The process of this run was killed. Re-execute it; nothing is lost.")
                failed.append(run_id)
        # Only the daemon does this otherwise; without it the next push would wait for its turn for ever.
        for run_id in instance.event_log_storage.get_concurrency_run_ids():
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return failed


def serve_ui(
    settings: Settings,
    *,
    port: int = 3000,
    ready: Callable[[str, str], None],
    ending: Callable[[], None] = lambda: None,
    definitions: str = DEFINITIONS,
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Serves Dagster's UI on the loopback interface, behind ``ui_guard``, with its daemon, until SIGINT or SIGTERM; calls
    ``ready``, once it answers, with its address and a link that lets one browser in, and ``ending`` when it is told to
    stop. ``beside``: command lines of further processes, by name. Everything that was started has ended on return. Call it
    in the main thread, inside ``services``. Raises ``Unavailable`` when the port is taken or one of them ends by itself."""
    _check_port(port)
    home = dagster_home(settings)
    workspace = home / "workspace.yaml"
    workspace.write_text(_WORKSPACE.format(module=definitions, location=LOCATION), encoding="utf-8")
    address = f"http://127.0.0.1:{port}"
    commands = {
        "dagster-webserver": processes.python(
            "ic_assets.resources.webserver", "--port", str(port), "--workspace", str(workspace)
        ),
        "dagster-daemon": processes.python("dagster._daemon", "run", "-w", str(workspace)),
        **beside,
    }
    # Dagster reads a .env of the folder that it stands in, and looks for modules there: it gets one of ours.
    folder = settings.home / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    children: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
    with _until_stopped(), _process_group() as group:
        try:
            for name, command in commands.items():
                log = home / f"{name}.log"
                with log.open("wb") as output:
                    child = subprocess.Popen(
                        command,
                        cwd=folder,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        # The alerts of the daemon lead to this UI unless the user names another address for it.
                        env={"IC_UI_URL": address, **child_environment(settings), "DAGSTER_HOME": str(home)},
                        process_group=group,
                    )
                children[name] = (child, log)
            _watch(children, address, lambda: ready(address, Keys(settings.home).link(address)))
        except _Stopped:
            ending()
            raise
        finally:
            _end_group(group, [child for child, _ in children.values()])


def _watch(
    children: Mapping[str, tuple[subprocess.Popen[bytes], Path]], address: str, ready: Callable[[], None]
) -> None:
    deadline: float | None = time.monotonic() + _READY_SECONDS
    while True:
        for name, (child, log) in children.items():
            if child.poll() is not None:
                why = telling_line(log.read_text(encoding="utf-8", errors="replace"))
                raise Unavailable(f"{name} ended by itself: {why} (log: {log})")
        if deadline is not None and answers(address):
            deadline = None
            ready()
        if deadline is not None and time.monotonic() > deadline:
            raise Unavailable(f"Dagster's UI did not answer within {_READY_SECONDS:.0f} s (logs beside dagster.yaml)")
        time.sleep(0.25)


class _Stopped(BaseException):
    """SIGINT or SIGTERM came."""


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ends its block, quietly, when SIGINT or SIGTERM comes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = {sign: signal.signal(sign, stop) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@contextmanager
def _process_group() -> Iterator[int]:
    """The id of a new process group that ends when this process does, be it by SIGKILL."""
    gate = subprocess.Popen(
        ["/bin/sh", "-c", _GATE], stdin=subprocess.PIPE, process_group=0, env=processes.plain_environment()
    )
    try:
        yield gate.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(gate.pid, signal.SIGKILL)
        gate.communicate()


def _end_group(group: int, children: list[subprocess.Popen[bytes]]) -> None:
    """Asks the whole group to end, code servers and run workers included; what does not is killed with its gate."""
    for sign in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C is meant for what still runs
        signal.signal(sign, signal.SIG_IGN)
    os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and any(child.poll() is None for child in children):
        time.sleep(0.05)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Unavailable(f"port {port} for Dagster's UI: {error.strerror}; choose another one") from error
