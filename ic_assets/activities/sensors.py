"""What starts by itself: new files land, and the months that they, a reconciliation or the classification put out of
date are brought up to date. Nothing is pushed to HubSpot unless someone switches the schedule on."""

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine import classification, slices
from ic_assets.activities.engine.approval import Scope, require
from ic_assets.activities.engine.drop_file import BLOCK_BYTES, DropFile
from ic_assets.activities.engine.landing import drop_key
from ic_assets.activities.jobs import bring_months_up_to_date, land_drop, push_to_hubspot
from ic_assets.activities.partitions import csv_drops
from ic_assets.core import locks
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.core.windows import month_key
from ic_assets.resources.dagster_resources import HubSpotResource, PostgresResource

# A file counts as complete when nobody wrote to it for so long and two looks found it the same.
_QUIET_SECONDS = 3.0
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job=land_drop,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lands each new file of the drop folder (IC_DROP_DIR), oldest first, one after the other.",
)
def csv_drop(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult:
    """The cursor holds size, modification time and whether it was dealt with, for each file of the folder."""
    before: dict[str, list[Any]] = json.loads(context.cursor or "{}")
    now: dict[str, list[Any]] = {}
    waiting: list[tuple[Path, Any]] = []
    for path, stat in _files(Settings.from_env().drop_dir):
        known = before.get(path.name)
        same = known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]
        now[path.name] = [stat.st_size, stat.st_mtime_ns, bool(same and known and known[2])]
        if same and not now[path.name][2] and time.time() - stat.st_mtime > _QUIET_SECONDS:
            waiting.append((path, stat))
    if context.instance.get_runs_count(dg.RunsFilter(job_name=land_drop.name, statuses=_UNFINISHED)):
        return dg.SensorResult(skip_reason="A drop is landing; the next one follows.", cursor=json.dumps(now))
    for path, stat in waiting:
        now[path.name][2] = True
        sha256 = _digest(context, path, stat)
        with postgres.database.transaction() as connection:
            if _has_landed(connection, sha256):
                context.log.info(f"{path.name}: the same content has landed before; nothing to load.")
                continue
        key = drop_key(path, sha256)
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{key}:{stat.st_mtime_ns}",
                    partition_key=key,
                )
            ],
            dynamic_partitions_requests=[csv_drops.build_add_request([key])],
            cursor=json.dumps(now),
        )
    return dg.SensorResult(skip_reason="No new complete file in the drop folder.", cursor=json.dumps(now))


def _digest(context: dg.SensorEvaluationContext, path: Path, stat: Any) -> str:
    try:
        with DropFile(path) as file:
            while file.read(BLOCK_BYTES):
                pass
            return file.content_sha256
    except Refused as refusal:
        # The run says the same, where people look for it.
        context.log.warning(str(refusal))
        return hashlib.sha256(f"{path.name}{stat.st_size}{stat.st_mtime_ns}".encode()).hexdigest()


def _files(folder: Path) -> list[tuple[Path, Any]]:
    """Candidates, oldest modification first, then by name."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.suffix in (".part", ".tmp"):
            continue
        # A file may vanish between the listing and this look; the next tick sees what is there.
        with contextlib.suppress(OSError):
            if path.is_file():
                found.append((path, path.stat()))
    return sorted(found, key=lambda item: (item[1].st_mtime_ns, item[0].name))


def _has_landed(connection: psycopg.Connection, sha256: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM staging.ic_drop WHERE content_sha256 = %s AND state = 'landed'", (sha256,)
    ).fetchone()
    return row is not None


def _months_sensor(name: str, causes: Sequence[str], description: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        job=bring_months_up_to_date,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def months(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(job_name=bring_months_up_to_date.name, statuses=_UNFINISHED)):
            return dg.SkipReason("Months are being brought up to date.")
        with postgres.database.transaction() as connection:
            free = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (locks.LOAD,)).fetchone()
            if not (free and free[0]):
                return dg.SkipReason("`ic-assets load` is at work and brings its months up to date itself.")
            classification.sync_classification(connection)
            waiting = [row for row in slices.out_of_date(connection) if row[2] in causes]
        if not waiting:
            return dg.SkipReason("Every month is up to date.")
        numbers = {month: number for month, number, _ in waiting}
        return dg.SensorResult(run_requests=[_request(window, numbers) for window in slices.windows(numbers)])

    return months


def _request(window: slices.Window, numbers: dict[date, int]) -> dg.RunRequest:
    """One run for the window. The same state is asked for once: a gate that stays red does not start it again."""
    state = repr(sorted((month, number) for month, number in numbers.items() if month in window.months))
    return dg.RunRequest(
        run_key=f"{window.start}:{hashlib.sha256(state.encode()).hexdigest()[:16]}", tags=range_tags(window)
    )


def range_tags(window: slices.Window) -> dict[str, str]:
    """The tags that make one run of a range of months."""
    first, last = month_key(window.start), month_key(window.months[-1])
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
        # The list of runs hides Dagster's own tags, and on a laptop cuts off what is longer.
        "months": first[:7] if first == last else f"{first[:7]} to {last[:7]}",
    }


landed_months = _months_sensor(
    "landed_months",
    ("landing", "classification"),
    "Brings exactly the months that a drop or an edit of the classification touched to the derivatives.",
)
reconciled_months = _months_sensor(
    "reconciled_months",
    ("reconciliation",),
    "Brings the months to the derivatives that refer to an id whose reconciliation changed.",
)
SENSORS = [csv_drop, landed_months, reconciled_months]


@dg.schedule(
    job=push_to_hubspot,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Pushes every night what is ready and approved (`ic-assets approve`), in production mode. Stopped until "
    "someone switches it on.",
)
def nightly_push(
    context: dg.ScheduleEvaluationContext, postgres: PostgresResource, hubspot: HubSpotResource
) -> dg.RunRequest | dg.SkipReason:
    """A schedule is nobody, and approves nothing: without an approval on record it says what is missing."""
    with postgres.database.transaction() as connection:
        waiting = months_to_push(connection)
        if waiting is None:
            return dg.SkipReason("Nothing to push.")
        everything = Scope(tuple(activity.name for activity in ACTIVITY_TYPES), None, include_orphans=False)
        try:
            # The run looks again, at what stands by then.
            require(connection, hubspot.portal_id(), everything, Settings.from_env(), None)
        except Unavailable:
            raise
        except Refused as refused:
            return dg.SkipReason(f"Not pushed: {refused}.")
    config = {"mode": "production", "all_months": True}
    return dg.RunRequest(tags=range_tags(waiting), run_config={"ops": {"hubspot_engagements": {"config": config}}})


def months_to_push(connection: psycopg.Connection) -> slices.Window | None:
    """From the first to the last month with something that HubSpot has not got; all months when it has everything."""
    first, last = connection.execute(statement("activities/push/months_to_push")).fetchone() or (None, None)
    return None if first is None else slices.Window(first, slices.next_month(last))


SCHEDULES = [nightly_push]
