"""Carries schedules out, one lane after the other lane's independent: a database and a local HubSpot of each kind, workers
forked from a warm parent, and the checks at the end.
"""

from __future__ import annotations

import gc
import select
import sqlite3
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.hubspot.client.client import HubSpotTarget
from ic_assets.hubspot.portal.setup import setup
from ic_assets.hubspot.push.run import PushOptions
from ic_assets.sandbox.process import RunningSandbox, running
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.hubspot.push_cases import NAMES, Activity, HubSpot
from ic_assets_tests.soak import checks
from ic_assets_tests.soak.schedules import LONGEST_DELAY, PORTALS, RECHECK, Kill, Round, Schedule
from ic_assets_tests.soak.worker import Worker, push_once, start, take_back_once

PATIENCE = 90.0
"""Seconds after which a worker that was not to be killed counts as hanging."""
_EMPTIED = (
    *(f"staging.ic_{name}" for name in NAMES),
    "staging.ic_payload_part",
    "staging.ic_communication_master",
    "hubspot.push_request",
    "hubspot.push_rollback_record",
    "hubspot.push_plan",
    "hubspot.push_run",
    "hubspot.push_ledger",
    "hubspot.rate_budget",
    "hubspot.portal_property",
    "hubspot.portal",
)


@dataclass
class Outcome:
    """What became of one schedule. ``figures``: workers, kills, faults, requests, records."""

    schedule: Schedule
    violations: list[str]
    figures: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Lane:
    """Runs schedules one after the other. Single-threaded, since it forks."""

    def __init__(self, database: str, folder: Path, portals: ExitStack) -> None:
        self.database = database
        self._folder = folder
        self._portals = portals
        self._hubs: dict[str, _Hub] = {}
        self._connection = portals.enter_context(psycopg.connect(database, autocommit=True))

    def run(self, schedule: Schedule) -> Outcome:
        began = time.monotonic()
        hub = self._hub(schedule.portal)
        self._reset(hub)
        outcome = Outcome(schedule, [])
        if schedule.is_slow:  # the budget is to be spent on records, and setup on its own does not draw on it
            setup(self.database, self._target(schedule, hub), OUTGOING)
            hub.forget_requests()
        self._stage(schedule.rows)
        answers: list[dict[str, Any]] = []
        for one in schedule.rounds:
            hub.chaos(**one.chaos)
            self._note(outcome, one, self._round(schedule, hub, one), answers)
        if schedule.take_back:
            hub.chaos(**schedule.take_back_chaos)
            self._take_back(schedule, hub, outcome)
        hub.chaos()
        (last,) = self._finish([self._start(schedule, hub, 0, None)], {})
        # What was delayed on HubSpot's side is over then.
        time.sleep(max([LONGEST_DELAY, *(one.chaos["late"] / 1000 for one in schedule.rounds if schedule.is_overdue)]))
        portal = checks.read_portal(hub.file)
        outcome.violations += self._said(last)
        if last.answer and "sent" in last.answer:
            answers.append(last.answer)
            outcome.violations += checks.violations(schedule, portal, self.database, answers, last.answer)
        else:
            outcome.violations.append(f"the last push did not end: {last.answer}")
        outcome.figures["requests"] += len(portal.requests)
        outcome.figures["faults"] += sum(1 for request in portal.requests if request[3])
        outcome.figures["records"] += sum(len(records) for records in portal.live.values())
        if outcome.violations:
            outcome.trace += [f"last push: {_short(last.answer)}", *self._about(outcome.violations, portal)]
        outcome.seconds = time.monotonic() - began
        return outcome

    # -- one round --------------------------------------------------------------------------------------------

    def _round(self, schedule: Schedule, hub: _Hub, one: Round) -> list[Worker]:
        if not one.is_late:
            self._stage(one.corrections)
        workers, doomed = [], {}
        for number, kill in enumerate(one.workers):
            if number:
                time.sleep(one.gap)
                if one.is_late:
                    self._stage(one.corrections)
            worker = self._start(schedule, hub, number, kill)
            workers.append(worker)
            if kill is not None and kill.seconds is not None:
                doomed[worker.pid] = time.monotonic() + kill.seconds
        return self._finish(workers, doomed)

    def _start(self, schedule: Schedule, hub: _Hub, number: int, kill: Kill | None) -> Worker:
        options = PushOptions(
            mode="production", include_orphans=schedule.include_orphans, recheck_seconds=RECHECK, run_id="soak"
        )
        point = kill.point if kill is not None else None
        target = self._target(schedule, hub)
        return start(number, lambda: push_once(self.database, target, options), point)

    def _take_back(self, schedule: Schedule, hub: _Hub, outcome: Outcome) -> None:
        """Roll-backs that are killed, then one that is not and follows at once: it must be complete when it says so."""
        target = self._target(schedule, hub)
        for kill in (*schedule.take_back, None):
            if kill is None:
                hub.chaos()
            worker = start(0, lambda: take_back_once(self.database, target, RECHECK), kill.point if kill else None)
            doomed = {worker.pid: time.monotonic() + kill.seconds} if kill and kill.seconds else {}
            self._finish([worker], doomed)
            outcome.figures["workers"] += 1
            outcome.figures["killed"] += worker.was_killed
            outcome.violations += self._said(worker)
            outcome.trace.append(f"roll-back ({kill}): {worker.answer}")
        if worker.answer is not None:
            time.sleep(LONGEST_DELAY)
            outcome.violations += checks.taken_back(checks.read_portal(hub.file), self.database, worker.answer)

    def _finish(self, workers: list[Worker], doomed: dict[int, float]) -> list[Worker]:
        """Waits until all have ended, and kills those that are due meanwhile."""
        hanging = time.monotonic() + PATIENCE
        running = {worker.pipe: worker for worker in workers}
        while running:
            due = min([hanging, *(doomed[w.pid] for w in running.values() if w.pid in doomed)])
            ready, _, _ = select.select(list(running), [], [], max(0.0, due - time.monotonic()))
            for pipe in ready:
                if not running[pipe].read():
                    del running[pipe]
            now = time.monotonic()
            for worker in list(running.values()):
                if now >= min(hanging, doomed.get(worker.pid, hanging)):
                    doomed.pop(worker.pid, None)
                    worker.is_hanging = now >= hanging
                    worker.kill()
        return workers

    # -- staging and set-up ------------------------------------------------------------------------------------

    def _hub(self, portal: str) -> _Hub:
        if portal not in self._hubs:
            folder = self._folder / portal
            folder.mkdir()
            self._hubs[portal] = self._portals.enter_context(_hubspot(folder, portal))
            if len(self._hubs) == 1:
                self._warm_up(self._hubs[portal])
        return self._hubs[portal]

    def _warm_up(self, hub: _Hub) -> None:
        """One push in this process, so that the workers inherit what a first push imports, reads and compiles (100 ms of
        160 each)."""
        # Reading the certificates takes a sixth of a worker's time, and they are not used here.
        ssl.create_default_context = cache(ssl.create_default_context)  # type: ignore[assignment]
        self._reset(hub)
        self._stage((Activity(1, "notes"),))
        push_once(self.database, cases.target(hub), PushOptions(mode="production", recheck_seconds=RECHECK))
        if threading.active_count() > 1:
            raise RuntimeError("a push leaves threads behind; forks of this process could hang")
        gc.collect()
        gc.freeze()

    def _reset(self, hub: _Hub) -> None:
        hub.reset()
        for table in _EMPTIED:  # far quicker than TRUNCATE on tables of this size
            self._connection.execute(f"DELETE FROM {table}")

    def _stage(self, rows: tuple[Activity, ...]) -> None:
        """As the derivatives stage leaves them, push columns from the ledger included."""
        while rows:
            try:
                cases.stage(self.database, rows)
                with self._connection.transaction():
                    for one in OUTGOING.types:
                        self._connection.execute(
                            one.adopt(),
                            {"object_type": one.object_type, "window_start": date.min, "window_end": date.max},
                        )
            except psycopg.errors.DeadlockDetected:  # with a push that settles the same rows: the stage starts over
                continue
            return

    def _target(self, schedule: Schedule, hub: _Hub) -> HubSpotTarget:
        return cases.target(hub, rps=schedule.rps, api=schedule.api)

    # -- what is told ------------------------------------------------------------------------------------------

    def _note(self, outcome: Outcome, one: Round, workers: list[Worker], answers: list[dict[str, Any]]) -> None:
        for worker, kill in zip(workers, one.workers, strict=True):
            outcome.figures["workers"] += 1
            outcome.figures["killed"] += worker.was_killed
            outcome.violations += self._said(worker)
            if worker.answer and "sent" in worker.answer:
                answers.append(worker.answer)
            outcome.trace.append(f"worker {worker.number} ({kill}): {_short(worker.answer)}")

    def _said(self, worker: Worker) -> Iterator[str]:
        if worker.is_hanging:
            yield f"HANGS: worker {worker.number} had not ended after {PATIENCE:g} s"
        elif worker.answer is None and not worker.was_killed:
            yield f"CRASHED: worker {worker.number} ended with {worker.status} and said nothing"
        elif worker.answer and "error" in worker.answer:
            yield f"CRASHED: worker {worker.number}: {worker.answer['error']}"

    def _about(self, found: list[str], portal: checks.Portal) -> Iterator[str]:
        """The ledger's rows that the violations name, and the requests that touched their types."""
        ids = {word.rstrip(":,").partition("/")[0] for line in found for word in line.split()[1:3]}
        rows = self._connection.execute(
            "SELECT object_type, record_key, part, state, action, hubspot_id, revision, attempts, push_id,"
            " created_push_id, last_error, updated_at::text FROM hubspot.push_ledger"
            " WHERE record_key = ANY(%s) ORDER BY 2, 1, 3",
            (list(ids),),
        ).fetchall()
        yield from (f"ledger {row}" for row in rows)
        first = portal.requests[0][0] if portal.requests else 0.0
        touched = {line.split()[1] for line in found}
        for at, path, status, fault in portal.requests:
            if any(f"/{name}" in path for name in touched) and "properties" not in path:
                yield f"request +{at - first:.3f} s {path} {status} {fault or ''}".rstrip()


class _Hub(HubSpot):
    """The local HubSpot with the file that it writes."""

    def __init__(self, sandbox: RunningSandbox, file: Path) -> None:
        super().__init__(sandbox)
        self.file = file

    def forget_requests(self) -> None:
        with closing(sqlite3.connect(self.file, timeout=15)) as connection, connection:
            connection.execute("delete from request")


@contextmanager
def _hubspot(folder: Path, portal: str) -> Iterator[_Hub]:
    file = folder / "hubspot.sqlite"
    # Its limits are out of the way: whether the budget is kept is judged by the request log.
    limits: dict[str, Any] = {"requests_per_10s": 10**6, "searches_per_second": 10**6, "requests_per_day": 10**9}
    with running(file, **limits, **PORTALS[portal]) as sandbox:
        yield _Hub(sandbox, file)


@contextmanager
def lane(database: str, folder: Path) -> Iterator[Lane]:
    """A lane with its own database; its local HubSpots start when they are first needed."""
    with ExitStack() as stack:
        yield Lane(database, folder, stack)


def _short(answer: dict[str, Any] | None) -> str:
    if answer is None:
        return "killed"
    names = ("push_id", "sent", "created", "updated", "removed", "identical", "rejected", "unknown", "stopped_reason")
    return ", ".join(f"{name} {answer[name]}" for name in names if answer.get(name)) or str(answer)
