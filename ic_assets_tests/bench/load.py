"""One ``ic-assets load`` taken apart: where its seconds went, by the events of its recorded runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from dagster import AssetKey

from ic_assets.activities import keys
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets_tests.bench import processes
from ic_assets_tests.bench.server import Server, ic_assets

LANDING, MASTER, RESOLUTION, DERIVATIVES, CHECKS = STAGES = ("landing", "master", "resolution", "derivatives", "checks")
TYPES = tuple(activity.name for activity in ACTIVITY_TYPES)
_STAGE_OF = {
    keys.LANDING: LANDING,
    keys.MASTER: MASTER,
    keys.RESOLVED: RESOLUTION,
    **{keys.derivative(activity): DERIVATIVES for activity in ACTIVITY_TYPES},
}
_TYPE_OF = {keys.derivative(activity).to_string(): activity.name for activity in ACTIVITY_TYPES}
_PRODUCES = "ASSET_MATERIALIZATION"

Event = tuple[str, str | None, str, str | None, datetime]
"""Run, step, type, asset and UTC time without a zone."""


@dataclass(frozen=True)
class Load:
    """Seconds of one load. ``stages``: the work of each asset. ``orchestration``: what Dagster does before, between and
    after them. ``start``: from the process's start to the first run and from the last run's end to the exit, imports
    and the look at the file included. The three add up to ``seconds``.

    ``types``: each derivative from the start of its transaction to its end; they overlap. ``checks``: each step of
    checks. ``to_master``: from the process's start until the master is recorded."""

    seconds: float
    stages: dict[str, float]
    orchestration: dict[str, float]
    start: float
    to_master: float
    peak_mb: float
    tree_peak_mb: float
    processes: int
    cpu_seconds: float
    types: dict[str, float]
    checks: dict[str, float]
    rows: dict[str, int]


def load(server: Server, files: Sequence[Path], waiting: Callable[[float], None] | None = None) -> Load:
    """Runs ``ic-assets load`` on ``files`` and reads what it left on record."""
    with psycopg.connect(server.url("dagster"), autocommit=True) as connection:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM event_logs").fetchone() or (0,)
    command = ic_assets("load", *map(str, files), "--json")
    finished = processes.run(command, server.environment, server.home, waiting=waiting)
    with psycopg.connect(server.url("dagster"), autocommit=True) as connection:
        # The plan of a run is on record before it starts, with a time of its own.
        events = connection.execute(
            "SELECT run_id, step_key, dagster_event_type, asset_key, timestamp FROM event_logs WHERE id > %s"
            " AND dagster_event_type IS NOT NULL ORDER BY run_id, timestamp, id",
            last,
        ).fetchall()
    with psycopg.connect(server.url("ic_assets"), autocommit=True) as connection:
        counted = connection.execute(
            "SELECT coalesce(sum(rows_in), 0)::bigint, coalesce(sum(inserted), 0)::bigint,"
            " coalesce(sum(updated), 0)::bigint, coalesce(sum(rejected), 0)::bigint FROM staging.ic_drop"
        ).fetchone() or (0, 0, 0, 0)
        begun = dict(
            connection.execute(
                "SELECT stage, extract(epoch FROM max(applied_at))::float8 FROM staging.ic_month_stage GROUP BY stage"
            ).fetchall()
        )
    rows = dict(zip(("rows_in", "inserted", "updated", "rejected"), counted, strict=True))
    return taken_apart(finished, events, begun, rows)


def taken_apart(
    finished: processes.Finished, events: Sequence[Event], begun: Mapping[str, float], rows: dict[str, int]
) -> Load:
    """``events`` in the order of each run. ``begun``: when the transaction of each derivative started."""
    runs: dict[str, list[tuple[str | None, str, str | None, float]]] = {}
    for run_id, step, kind, asset, moment in events:
        runs.setdefault(run_id, []).append((step, kind, asset, moment.replace(tzinfo=UTC).timestamp()))
    stages = dict.fromkeys(STAGES, 0.0)
    parts = {"planning": 0.0, "recording": 0.0, "between steps": 0.0}
    types: dict[str, float] = {}
    checks: dict[str, float] = {}
    to_master = 0.0
    for run in runs.values():
        began, ended = min(at for *_, at in run), max(at for *_, at in run)
        first_step = next(at for _, kind, _, at in run if kind == "STEP_START")
        parts["planning"] += first_step - began
        in_steps = 0.0
        for key in dict.fromkeys(step or "" for step, kind, _, _ in run if kind == "STEP_START"):
            of_step = [(kind, asset, at) for step, kind, asset, at in run if step == key]
            start = next(at for kind, _, at in of_step if kind == "STEP_START")
            end = max(at for *_, at in of_step)
            made = [(asset or "", at) for kind, asset, at in of_step if kind == _PRODUCES]
            stage = _STAGE_OF[AssetKey.from_db_string(made[0][0]) or keys.LANDING] if made else CHECKS
            done = _done(stage, of_step, start, end)
            stages[stage] += done - start
            parts["recording"] += end - done
            in_steps += end - start
            if stage == MASTER:
                to_master = end - finished.started
            elif stage == CHECKS:
                checks[key] = checks.get(key, 0.0) + end - start
            for asset, at in reversed(made):
                # Of several runs the last one's start is known.
                if (name := _TYPE_OF.get(asset)) in begun and at > begun[str(name)]:
                    types[str(name)] = at - begun[str(name)]
        parts["between steps"] += ended - first_step - in_steps
    return Load(
        seconds=finished.seconds,
        stages=stages,
        orchestration=parts,
        start=finished.seconds - sum(stages.values()) - sum(parts.values()),
        to_master=to_master,
        peak_mb=finished.peak_mb,
        tree_peak_mb=finished.tree_peak_mb,
        processes=finished.processes,
        cpu_seconds=finished.cpu_seconds,
        types=types,
        checks=checks,
        rows=rows,
    )


def _done(stage: str, of_step: Sequence[tuple[str, str | None, float]], start: float, end: float) -> float:
    """When a step's own work was done; what follows is written for the record. (The derivatives give their results one by
    one; the landing observes its months at its end, and judges a rule after that.)"""
    if stage == CHECKS:
        return end
    if stage == DERIVATIVES:
        return max(at for kind, _, at in of_step if kind == "STEP_OUTPUT")
    return min(at for kind, _, at in of_step if at >= start and kind not in ("STEP_START", "LOGS_CAPTURED"))
