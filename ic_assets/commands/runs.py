"""Recorded Dagster runs in the process of a command: the UI shows them like any other."""

import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg

from ic_assets.activities.engine.drop.column_map import Names
from ic_assets.commands.terminal import Display, Show, progress_bars, say
from ic_assets.core import kept_settings, schema
from ic_assets.core.failures import Refused
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_home import PROCESS_TAG, dagster_home, fail_abandoned_runs
from ic_assets.resources.dagster_resources import Reporter
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import Services, process_name, services

# What an asset refuses with arrives as the name of its exception in the run's events.
_REFUSALS = ("Refused", "DropRefused", "Unavailable", "StopForNow", "NotUp", "MissingScopes")
# Dagster makes a failed step of a Ctrl-C.
_INTERRUPTS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
# And what no statement of ours refused, but a person can mend: the same, with what to do.
_MENDABLE = {
    "DiskFull": "make room on the disk of PostgreSQL",
    "OutOfMemory": "give PostgreSQL more memory",
    "TooManyConnections": "let PostgreSQL admit more connections",
    "OperationalError": "check that PostgreSQL is up",
    "AdminShutdown": "check that PostgreSQL is up",
    "InsufficientPrivilege": "grant the database role the rights of deploy/grants.sql",
    "LockNotAvailable": "wait until the other work on these tables has ended",
    "ConnectError": "check that HubSpot can be reached",
    "ReadTimeout": "check that HubSpot can be reached",
    "PermissionError": "let this user read or write it",
    "FileNotFoundError": "put the file back",
    "OSError": "check the disk",
}


@dataclass(frozen=True)
class Said:
    """What a command tells its run, and no run configuration can say (``Reporter``)."""

    file: Path | None = None
    columns: Names = ()
    approved_by: str | None = None


class TerminalReporter(Reporter):
    """Shows progress on the ``display`` and keeps the outcomes for the command."""

    def __init__(self, display: Display | None, outcomes: list[Any], said: Said) -> None:
        self._display = display
        self._outcomes = outcomes
        self.file = said.file
        self.columns = said.columns
        self.approved_by = said.approved_by

    def progress(self, what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
        if self._display:
            self._display(what, done, total, note, unit)

    def waits(self, what_for: str) -> None:
        if self._display:
            self._display.say(what_for)

    def finished(self, what: str, outcome: object) -> None:
        self._outcomes.append(outcome)


@dataclass(frozen=True)
class RunOutcome:
    """``failed_checks`` are sentences: the blocking checks that failed, in the order of the graph."""

    run_id: str
    success: bool
    failed_checks: list[str]


class Session:
    """Services, Dagster's instance and the definitions, for as long as a command works."""

    def __init__(
        self, settings: Settings, up: Services, database: Database, instance: dg.DagsterInstance, quiet: bool
    ) -> None:
        self.settings = settings
        self.services = up
        self.database = database
        self.instance = instance
        self.quiet = quiet

    def run(
        self,
        job: str,
        *,
        window: Window | None = None,
        partition_key: str | None = None,
        assets: list[dg.AssetKey] | None = None,
        config: Mapping[str, Any] | None = None,
        title: str = "",
        said: Said | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[RunOutcome, list[Any]]:
        """Runs a job on record. Returns how it ended and what its assets reported. With a ``title`` its steps are shown
        as progress. ``said`` is what a ``Reporter`` hands to the assets; ``tags`` are for the UI.

        Raises ``Refused`` when an asset refused, and ``RuntimeError`` for a defect."""
        # The whole graph; commands that only need the services start in half the time without it.
        from ic_assets.activities.sensors import range_tags
        from ic_assets.definitions import build_defs

        outcomes: list[Any] = []
        with progress_bars(self.quiet) as display:
            reporter = TerminalReporter(display, outcomes, said or Said())
            definition = build_defs({"reporter": reporter}).resolve_job_def(job)
            run_id = str(uuid.uuid4())
            if display and title:
                steps = _steps(display, title, len(definition.graph.node_dict))
                self.instance.add_event_listener(run_id, steps)
            result = definition.execute_in_process(
                instance=self.instance,
                run_id=run_id,
                partition_key=partition_key,
                asset_selection=assets,
                tags={**tags, **(range_tags(window) if window else {}), PROCESS_TAG: process_name()},
                run_config={**(config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
        failed = [
            f"{evaluation.asset_key.to_user_string()}: {evaluation.description}"
            for evaluation in result.get_asset_check_evaluations()
            if not evaluation.passed and evaluation.blocking
        ]
        if not result.success and not failed and not _said_why(result):
            _raise(result)
        return RunOutcome(result.run_id, result.success, failed), outcomes

    def say_who_is_before(self, pool: str) -> None:
        """Says which runs hold a pool that takes one at a time: a run that needs it waits for them, without a word."""
        info = self.instance.event_log_storage.get_concurrency_info(pool)
        for run_id in sorted(info.active_run_ids | info.pending_run_ids):
            run = self.instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                continue
            stats = self.instance.get_run_stats(run_id)
            since = f", since {datetime.fromtimestamp(stats.start_time, UTC):%H:%M} UTC" if stats.start_time else ""
            say(
                f"Run {run_id} ({run.job_name}{since}) is at HubSpot already and one goes at a time: this one starts when "
                "that has ended. Ctrl-C stops waiting."
            )


def _steps(show: Show, title: str, total: int) -> Callable[..., None]:
    """Draws a run's steps as its events come."""
    done = 0

    def heard(entry: Any, _cursor: Any = None) -> None:
        nonlocal done
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.is_step_success or event.is_step_failure or event.is_step_skipped:
            done += 1
        if event.is_step_start or done == total:
            show(title, done, total, event.step_key.removeprefix("staging__").replace("__", " ").replace("_", " "))

    return heard


def _said_why(result: dg.ExecuteInProcessResult) -> bool:
    """Whether an asset did a part and failed its run for the rest, on purpose: what it reported says so."""
    return any(getattr(event.event_specific_data, "user_failure_data", None) for event in result.all_events)


def _raise(result: dg.ExecuteInProcessResult) -> None:
    for event in result.all_events:
        causes = list(_causes(getattr(event.event_specific_data, "error", None)))
        if not causes:
            continue
        if any(error.cls_name in _INTERRUPTS for error in causes):
            raise KeyboardInterrupt
        refusal = next((error for error in causes if error.cls_name in _REFUSALS), None)
        error = refusal or next((error for error in causes if error.cls_name in _MENDABLE), causes[-1])
        message = error.message.partition(": ")[2].strip() or error.message
        if refusal:
            raise Refused(message)
        if advice := _MENDABLE.get(error.cls_name or ""):
            raise Refused(f"{message.splitlines()[0]}; {advice} and run this again, it goes on from there")
        raise RuntimeError(f"{error.cls_name}: {message}")
    raise RuntimeError(f"run {result.run_id} failed; the UI shows its events (`ic-assets up`)")


def _causes(error: Any) -> Iterator[Any]:
    """An error of a run's event and what it was raised from, Dagster's own wrapper first. A refusal has a cause itself."""
    while error is not None:
        yield error
        error = error.cause


@contextmanager
def session(*, hubspot: bool = False, quiet: bool = False, looks: bool = False) -> Iterator[Session]:
    """Raises ``Refused`` (or its subclasses) with one line for whatever keeps the services from working. With ``looks``
    tables of an older version, or none, do so too: they are upgraded by those who come to work."""
    settings = Settings.from_env()
    if looks:
        _require_tables(settings)
    with services(settings, hubspot=hubspot) as up:
        (schema.require if looks else schema.ensure)(up.postgres_url)
        dagster_home(settings)
        fail_abandoned_runs(settings)
        settings = kept_settings.settings_for(up.postgres_url, settings)
        database = Database(up.postgres_url, settings)
        try:
            with dg.DagsterInstance.get() as instance:
                _keep_ctrl_c_from_helpers(instance)
                yield Session(settings, up, database, instance, quiet)
        finally:
            database.close()


def _require_tables(settings: Settings) -> None:
    """Before anything is made for the run: a server, Dagster's tables. Raises ``Refused``."""
    if settings.postgres_url:
        with services(settings, looks=True) as up:
            schema.require(up.postgres_url)
    elif not (settings.home / "postgres" / "data").exists():
        raise schema.NothingYet


def _keep_ctrl_c_from_helpers(instance: dg.DagsterInstance) -> None:
    """Two processes copy what a step prints to the terminal, and two more watch them: in the terminal's process group, where
    each would answer a Ctrl-C with a traceback. They inherit that it is blocked; one that comes just then waits for us."""
    manager = instance.compute_log_manager
    capture = manager.capture_logs

    @contextmanager
    def captured(log_key: Sequence[str]) -> Iterator[Any]:
        with ExitStack() as stack:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                context = stack.enter_context(capture(log_key))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield context

    manager.capture_logs = captured  # type: ignore[method-assign]
