"""The one retrying sensor: it asks what is not done, never what it has asked for. Who calls it says what is not done
(``Work``) and starts what is due; what was started and failed is due again after a pause, ``MOST_ATTEMPTS`` times.

How a run ended is looked up by its run key, so that a tick, a run or a server that died in between loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil
import psycopg
from dagster import DagsterEventType, DefaultRunLauncher

from ic_assets.core.logs import log
from ic_assets.operations import attempts, run_errors
from ic_assets.operations.attempts import MOST_ATTEMPTS, Attempt, Work
from ic_assets.resources.dagster_home import PROCESS_TAG
from ic_assets.resources.services import process_of

ATTEMPT_TAG = "ic_assets/attempt"
"""On the runs that a sensor starts: ``2 of 5``."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass
class Turn:
    """One tick's view of what is not done: what may start now, with the number of its attempt; what is under way; and the
    rest, which waits or was given up."""

    sensor: str
    due: dict[Work, int] = field(default_factory=dict)
    under_way: dict[str, Attempt] = field(default_factory=dict)
    waiting: dict[str, Attempt] = field(default_factory=dict)
    given_up: dict[str, Attempt] = field(default_factory=dict)

    def start(self, connection: psycopg.Connection, works: Sequence[Work], name: str) -> tuple[str, dict[str, str]]:
        """Records that a run for these due works is asked for. Returns its run key, which begins with ``name``, and the
        tags that it carries."""
        numbers = [(work, self.due[work]) for work in works]
        number = max(number for _, number in numbers)
        digest = hashlib.sha256(repr(sorted((w.subject, w.cause, n) for w, n in numbers)).encode()).hexdigest()[:16]
        run_key = f"{name}:{digest}:{number}"
        attempts.begin(connection, self.sensor, numbers, run_key)
        if number > 1:
            log.info("tried_again", sensor=self.sensor, subjects=len(works), first=works[0].subject, attempt=number)
        return run_key, {ATTEMPT_TAG: f"{number} of {MOST_ATTEMPTS}"}


def turn(
    context: dg.SensorEvaluationContext, connection: psycopg.Connection, sensor: str, works: Sequence[Work]
) -> Turn:
    """What of ``works``, all that is not done, may start now."""
    result = Turn(sensor)
    before = attempts.keep(connection, sensor, works)
    keys = {attempt.run_key for attempt in before.values() if attempt.reason is None}
    reasons = {key: _outcome(context.instance, key) for key in keys}
    for key, reason in reasons.items():
        if reason:
            attempts.ended(connection, sensor, key, reason)
    if any(reasons.values()):
        before = {attempt.subject: attempt for attempt in attempts.standing(connection, sensor)}
    for work in works:
        attempt = before.get(work.subject)
        if attempt is None:
            result.due[work] = 1
        elif attempt.reason is None:
            result.under_way[work.subject] = attempt
        elif attempt.is_given_up:
            result.given_up[work.subject] = attempt
        elif attempt.is_due_again:
            result.due[work] = attempt.attempts + 1
        else:
            result.waiting[work.subject] = attempt
    return result


def _outcome(instance: dg.DagsterInstance, run_key: str) -> str | None:
    """Why the run of this key has not done its work; None while it is under way."""
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": run_key}), limit=1)
    if not runs:
        return "its run was not started."
    if not runs[0].is_finished:
        return None
    if runs[0].status == dg.DagsterRunStatus.SUCCESS:
        return "its run ended well and left it undone."
    if runs[0].status == dg.DagsterRunStatus.CANCELED:
        return "its run was cancelled."
    return run_errors.reason(instance, runs[0].run_id)


def unfinished(instance: dg.DagsterInstance, job: str) -> int:
    """How many runs of the job are under way. Those whose process is gone are marked as failed here: Dagster's launcher
    for local processes leaves a run "started" for ever when its worker, or the server that watched it, was killed, or when
    the database was away as it died."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED))
    alive = 0
    for run in runs:
        if run.status != dg.DagsterRunStatus.STARTED or not _is_gone(instance, run):
            alive += 1
            continue
        log.warning("dead_run_marked_as_failed", run_id=run.run_id, job=job)
        instance.report_run_failed(run, "The process of this run is gone. Nothing is lost; it is tried again.")
    return alive


def _is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the run's process certainly is no more. Of a process on another machine nobody here can say so."""
    if name := run.tags.get(PROCESS_TAG):
        pid, since = process_of(name), None
    elif isinstance(instance.run_launcher, DefaultRunLauncher):
        pid, since = _worker(instance, run.run_id)
    else:
        return False
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        # Another process has the number by now. Creation times are worked out from the boot time, which drifts.
        return since is not None and datetime.fromtimestamp(process.create_time(), UTC) > since + timedelta(minutes=1)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _worker(instance: dg.DagsterInstance, run_id: str) -> tuple[int | None, datetime | None]:
    """The process that the launcher started for the run, and when it said so."""
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
        event = record.event_log_entry.dagster_event
        if event and (event.message or "").startswith("Started process for run"):
            pid = event.engine_event_data.metadata.get("pid")
            moment = datetime.fromtimestamp(record.timestamp, UTC)
            return (int(str(pid.value)) if pid else None), moment
    return None, None
