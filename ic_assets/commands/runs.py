"""Recorded Dagster runs in the process of a command: the UI shows them like any other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ic_assets.activities.engine.stages import Window
from ic_assets.activities.sensors import range_tags
from ic_assets.commands.terminal import TerminalReporter, progress_bars
from ic_assets.core import schema
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.definitions import build_defs
from ic_assets.resources.dagster_home import PROCESS_TAG, dagster_home, fail_abandoned_runs
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import Services, process_name, services

# What an asset refuses with arrives as the name of its exception in the run's events.
_REFUSALS = ("Refused", "DropRefused", "Unavailable", "StopForNow")


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
    ) -> tuple[RunOutcome, list[Any]]:
        """Runs a job on record. Returns how it ended and what its assets reported.

        Raises ``Refused`` when an asset refused, and ``RuntimeError`` for a defect."""
        outcomes: list[Any] = []
        with progress_bars(self.quiet) as show:
            definitions = build_defs({"reporter": TerminalReporter(show, outcomes)})
            result = definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                partition_key=partition_key,
                asset_selection=assets,
                tags={PROCESS_TAG: process_name(), **(range_tags(window) if window else {})},
                run_config={**(config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
        failed = [
            f"{evaluation.asset_key.to_user_string()}: {evaluation.description}"
            for evaluation in result.get_asset_check_evaluations()
            if not evaluation.passed and evaluation.blocking
        ]
        if not result.success and not failed:
            _raise(result)
        return RunOutcome(result.run_id, result.success, failed), outcomes


def _raise(result: dg.ExecuteInProcessResult) -> None:
    for event in result.all_events:
        causes = list(_causes(getattr(event.event_specific_data, "error", None)))
        if not causes:
            continue
        refusal = next((error for error in causes if error.cls_name in _REFUSALS), None)
        error = refusal or causes[-1]
        message = error.message.partition(": ")[2].strip() or error.message
        if refusal:
            raise Refused(message)
        raise RuntimeError(f"{error.cls_name}: {message}")
    raise RuntimeError(f"run {result.run_id} failed; the UI shows its events (`ic-assets up`)")


def _causes(error: Any) -> Iterator[Any]:
    """An error of a run's event and what it was raised from, Dagster's own wrapper first. A refusal has a cause itself."""
    while error is not None:
        yield error
        error = error.cause


@contextmanager
def session(*, hubspot: bool = False, quiet: bool = False) -> Iterator[Session]:
    """Raises ``Refused`` (or its subclasses) with one line for whatever keeps the services from working."""
    settings = Settings.from_env()
    with services(settings, hubspot=hubspot) as up:
        dagster_home(settings)
        fail_abandoned_runs(settings)
        schema.ensure(up.postgres_url)
        database = Database(up.postgres_url, settings)
        try:
            with dg.DagsterInstance.get() as instance:
                yield Session(settings, up, database, instance, quiet)
        finally:
            database.close()
