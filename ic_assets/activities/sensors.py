"""What starts by itself: new files land, and the months that they, a reconciliation or the classification put out of
date are brought up to date. Nothing is pushed to HubSpot unless someone switches the schedule on.

Each sensor says what is not done; ``operations.sensors`` says what of it may start."""

import json
import time
from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg
import psycopg

from ic_assets.activities import keys
from ic_assets.activities.checks import evaluation
from ic_assets.activities.engine.drop import drop_folder
from ic_assets.activities.engine.drop.drop_folder import File, LookedInto
from ic_assets.activities.engine.judging.approval import require
from ic_assets.activities.engine.judging.rules import PAYLOADS_ARE_CURRENT, judge
from ic_assets.activities.engine.staging import classification, slices
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.activities.inspection import inspect_drop
from ic_assets.activities.jobs import bring_months_up_to_date, land_drop, push_to_hubspot
from ic_assets.activities.partitions import csv_drops
from ic_assets.core import locks
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.months import Window, month_key, windows
from ic_assets.core.sql import statement
from ic_assets.operations.attempts import Work
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets.operations.sensors import Turn, turn, unfinished
from ic_assets.resources.dagster_resources import PostgresResource

# Looks into files at a time: two of gigabytes leave the place of a landing free (dagster.yaml).
_LOOKS = 2
# Of rows with equal dates the later drop wins, so a file waits for an older one that is looked into; not for long, since
# that may be of any size.
_PATIENCE = timedelta(seconds=60)
# A tick has 60 seconds. Whoever waits longer for a lock comes back with the next one.
_LOCK_TIMEOUT = "10s"


@dg.sensor(
    jobs=[inspect_drop, land_drop],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks into each new file of the drop folder (IC_DROP_DIR) and lands it, oldest first, one after the other. "
    "A file whose run failed is tried again; one that is put back, touched or replaced begins anew.",
)
def csv_drop(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult:
    """The cursor holds what the last look at the folder saw, by name: a file is complete when two looks are equal. What is
    to be done is in the database."""
    before = json.loads(context.cursor or "{}")
    found = drop_folder.listing(postgres.settings.drop_dir)
    cursor = json.dumps({file.name: file.state for file in found.files})
    unready = {
        file.name: why
        for file in found.files
        if (
            why := file.unready(time.time()) or (None if before.get(file.name) == file.state else "seen first just now")
        )
    }
    landing = unfinished(context.instance, land_drop.name)
    unfinished(context.instance, inspect_drop.name)
    requests: list[dg.RunRequest] = []
    with postgres.database.transaction() as connection:
        known = drop_folder.looked_into(connection, found.files)
        open_files = {_work(file, known): file for file in found.files if _is_open(file, known)}
        state = turn(context, connection, csv_drop.name, list(open_files))
        ready = {work: open_files[work] for work in state.due if open_files[work].name not in unready}
        looks = {work: file for work, file in ready.items() if file.name not in known}
        places = _LOOKS - sum(1 for name in state.under_way if name not in known)
        looks = dict(sorted(looks.items(), key=lambda item: item[1].identity.size)[: max(places, 0)])
        requests += [_look(connection, state, work, file) for work, file in looks.items()]
        landable = [work for work in ready if open_files[work].name in known]
        if landable and not landing and not _waits_for_older(open_files[landable[0]], open_files, looks, state):
            requests.append(_landing(connection, state, landable[0], known[open_files[landable[0]].name]))
    waiting = {name: why for name, why in unready.items() if any(file.name == name for file in open_files.values())}
    refused = {name: looked.refused for name, looked in known.items() if looked.refused and not looked.is_settled}
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[
            csv_drops.build_add_request([str(request.partition_key)]) for request in requests if request.partition_key
        ],
        skip_reason=None if requests else _nothing_to_land(bool(landing), waiting, state, refused, found.left_alone),
        cursor=cursor,
    )


def _is_open(file: File, known: dict[str, LookedInto]) -> bool:
    looked = known.get(file.name)
    return looked is None or not (looked.is_settled or looked.refused)


def _work(file: File, known: dict[str, LookedInto]) -> Work:
    return Work(file.name, f"{'land' if file.name in known else 'look'} {file.state}")


def _look(connection: psycopg.Connection, state: Turn, work: Work, file: File) -> dg.RunRequest:
    run_key, tags = state.start(connection, [work], f"look:{file.name}")
    return dg.RunRequest(
        run_key=run_key,
        job_name=inspect_drop.name,
        run_config={"ops": {"look_into_file": {"config": {"name": file.name}}}},
        tags={**tags, "file": file.name},
    )


def _landing(connection: psycopg.Connection, state: Turn, work: Work, looked: LookedInto) -> dg.RunRequest:
    run_key, tags = state.start(connection, [work], f"land:{looked.drop_key}")
    return dg.RunRequest(run_key=run_key, job_name=land_drop.name, partition_key=looked.drop_key, tags=tags)


def _waits_for_older(file: File, open_files: dict[Work, File], looks: dict[Work, File], state: Turn) -> bool:
    """Whether an older file is just being looked into for the first time."""
    for work, other in open_files.items():
        if other is file:
            return False
        attempt = state.under_way.get(work.subject)
        if work in looks and state.due[work] == 1:
            return True
        if attempt and attempt.attempts == 1 and attempt.age < _PATIENCE:
            return True
    return False


def _nothing_to_land(
    landing: bool, unready: dict[str, str], state: Turn, refused: dict[str, str], left_alone: dict[str, str]
) -> str:
    parts = [
        "A drop is landing; the next one follows." if landing else "No new complete file in the drop folder.",
        _listed("Waiting", unready),
        _listed("Under way", {name: str(attempt) for name, attempt in state.under_way.items()}),
        _listed("Tried again later", {name: str(attempt) for name, attempt in state.waiting.items()}),
        _listed("Given up", {name: str(attempt) for name, attempt in state.given_up.items()} | refused),
        _listed("Left alone", left_alone),
    ]
    return " ".join(part for part in parts if part)


def _listed(title: str, found: dict[str, str], most: int = 5) -> str:
    """``Title: name (why), name (why) and 3 more.``; empty for nothing."""
    if not found:
        return ""
    names = ", ".join(f"{name} ({why.rstrip('.')})" for name, why in list(found.items())[:most])
    return f"{title}: {names}{f' and {len(found) - most} more' if len(found) > most else ''}."


def _months_sensor(name: str, causes: Sequence[str], description: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        job=bring_months_up_to_date,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def months(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult | dg.SkipReason:
        if unfinished(context.instance, bring_months_up_to_date.name):
            return dg.SkipReason("Months are being brought up to date.")
        with postgres.database.transaction() as connection:
            classification.sync_classification(connection)
        with postgres.database.transaction() as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            free = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (locks.LOAD,)).fetchone()
            if not (free and free[0]):
                return dg.SkipReason("`ic-assets load` is at work and brings its months up to date itself.")
            problem = classification.problem(connection)
            numbers, behind_gate = _not_done(connection, causes)
            works = {Work(f"{month:%Y-%m}", cause): month for month, cause in numbers.items()}
            state = turn(context, connection, name, list(works))
            due = {works[work]: work for work in state.due}
            # A bridge must not lead over months that are not to run now.
            bridge = 3 if len(due) == len(works) else 0
            requests = [
                _request(connection, state, window, [due[month] for month in window.months if month in due])
                for window in windows(due, bridge)
            ]
        if requests:
            return dg.SensorResult(run_requests=requests)
        parts = [
            "Every month is up to date." if not numbers and not behind_gate else "No month may start now.",
            behind_gate,
            _listed("Under way", {subject: str(attempt) for subject, attempt in state.under_way.items()}),
            _listed("Tried again later", {subject: str(attempt) for subject, attempt in state.waiting.items()}),
            _listed("Given up", {subject: str(attempt) for subject, attempt in state.given_up.items()}),
            problem or "",
        ]
        return dg.SkipReason(" ".join(part for part in parts if part))

    return months


def _not_done(connection: psycopg.Connection, causes: Sequence[str]) -> tuple[dict[date, str], str]:
    """Months that a run can bring forward, with the state that asks for it, and a sentence about those that a red gate
    keeps where they are: they start when it turns green, whatever turned it."""
    early = {month for month, _, _ in slices.out_of_date(connection, (slices.MASTER, slices.RESOLVED))}
    waiting = [(month, number) for month, number, cause in slices.out_of_date(connection) if cause in causes]
    behind = [(month, number) for month, number in waiting if month not in early]
    red = _red_gates(connection) if behind else []
    if red:
        waiting = [(month, number) for month, number in waiting if month in early]
    told = f"{len(behind)} months wait for a gate: {', '.join(red)}." if red else ""
    return {month: f"{number} {'master' if month in early else 'derivatives'}" for month, number in waiting}, told


def _red_gates(connection: psycopg.Connection) -> list[str]:
    """What a run of months would stop at, before the derivatives."""
    before = (slices.MASTER, slices.RESOLVED)
    wanted = judge(connection, want=lambda rule: rule.blocking and rule.on in before, recount=False, keeps=False)
    return [verdict.rule.name for verdict in wanted if not verdict.passed]


def _request(connection: psycopg.Connection, state: Turn, window: Window, works: Sequence[Work]) -> dg.RunRequest:
    run_key, tags = state.start(connection, works, f"{window.start}")
    return dg.RunRequest(run_key=run_key, tags={**range_tags(window), **tags})


def range_tags(window: Window) -> dict[str, str]:
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
    ("landing", "classification", "setting"),
    "Brings exactly the months that a drop, an edit of the classification or a changed setting touched to the derivatives.",
)
reconciled_months = _months_sensor(
    "reconciled_months",
    ("reconciliation",),
    "Brings the months to the derivatives that refer to an id whose reconciliation changed.",
)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts nothing. When a template or setting changes of which payloads are made, it says so in the check "
    "`payloads_are_current` of their activity type, which otherwise only a run judges.",
)
def payload_versions(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult:
    """The cursor holds what was said last: activity type -> older payloads."""
    with postgres.database.transaction() as connection:
        verdicts = judge(connection, want=lambda rule: rule.name == PAYLOADS_ARE_CURRENT, recount=False, keeps=False)
    said: dict[str, int] = json.loads(context.cursor or "{}")
    news = [verdict for verdict in verdicts if verdict.checked and said.get(verdict.rule.on, 0) != verdict.failing]
    older = sum(verdict.failing for verdict in verdicts)
    return dg.SensorResult(
        asset_events=[evaluation(verdict, keys.derivative(BY_NAME[verdict.rule.on])) for verdict in news],
        skip_reason=f"{older:,} payloads are older than their templates or settings."
        if older
        else "Every payload was made with the templates and settings that are in force.",
        cursor=json.dumps({verdict.rule.on: verdict.failing for verdict in verdicts}),
    )


SENSORS = [csv_drop, landed_months, reconciled_months, payload_versions]


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
        try:
            # The run looks again, at what stands by then.
            require(connection, hubspot.portal_id(), OUTGOING.scope(), postgres.settings, None)
        except Unavailable:
            raise
        except Refused as refused:
            return dg.SkipReason(f"Not pushed: {refused}.")
    config = {"mode": "production", "all_months": True}
    return dg.RunRequest(tags=range_tags(waiting), run_config={"ops": {"hubspot_engagements": {"config": config}}})


def months_to_push(connection: psycopg.Connection) -> Window | None:
    """From the first to the last month with something that HubSpot has not got; all months when it has everything."""
    first, last = connection.execute(statement("activities/push/months_to_push")).fetchone() or (None, None)
    return None if first is None else Window.of(first, last)


SCHEDULES = [nightly_push]
