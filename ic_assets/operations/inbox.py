"""What starts because something came in: a run for a flow whose events wait, and one for a file that lies in the folder of a
door. Knows no flow: one that takes events makes its sensor here, or asks ``work`` beside its other causes."""

import json
import time
from typing import Any

import dagster as dg
import psycopg

from ic_assets.core.failures import Refused
from ic_assets.core.folders import File
from ic_assets.core.settings import Settings
from ic_assets.inbox import files, taking
from ic_assets.inbox.registry import Door, Flow, registry
from ic_assets.operations.attempts import INBOX, Work
from ic_assets.operations.sensors import Turn, turn, unfinished
from ic_assets.resources.dagster_resources import PostgresResource

_EVERY_SECONDS = 10
_LOCK_TIMEOUT = "10s"


def work(connection: psycopg.Connection, flow: Flow) -> Work | None:
    """What of the flow's inbox is not done, as one piece: a run takes all that waits. Its cause is the oldest event: while
    that one cannot be dealt with, new ones do not begin the count of attempts anew."""
    oldest = taking.oldest(connection, flow)
    return None if oldest is None else Work(f"{INBOX}{flow.name}", f"from {oldest}")


def inbox_sensor(name: str, flow: Flow, job: Any) -> dg.SensorDefinition:
    """Starts ``job``, a job of Dagster, for all that waits for the flow, one run at a time; what failed is tried again after
    a pause."""

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts one run for all events that wait for {flow.name}.",
    )
    def waiting(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.RunRequest | dg.SkipReason:
        if unfinished(context.instance, job.name):
            return dg.SkipReason("A run takes what waits.")
        with postgres.database.transaction() as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            found = work(connection, flow)
            state = turn(context, connection, name, [found] if found else [])
            if found is None:
                return dg.SkipReason("Nothing waits.")
            if found not in state.due:
                return dg.SkipReason(_standing(state, found.subject))
            run_key, tags = state.start(connection, [found], name)
        return dg.RunRequest(run_key=run_key, tags=tags)

    return waiting


def _standing(state: Turn, subject: str) -> str:
    known = {**state.under_way, **state.waiting, **state.given_up}
    return f"{subject}: {known[subject]}."


class EventFileConfig(dg.Config):
    """Which file: its door and its name in the door's folder, and no path."""

    door: str
    name: str


@dg.op(name="load_event_file", out=dg.Out(dg.Nothing))
def load_event_file(context: dg.OpExecutionContext, config: EventFileConfig, postgres: PostgresResource) -> None:
    """Brings the events of a file of ``$IC_HOME/events/<door>/`` into the inbox. Raises ``Refused`` when there is no such
    file, ``DropRefused`` for one that cannot be read as a whole."""
    known = registry()
    door = known.door(config.door)
    with postgres.database.transaction() as connection:
        waiting = files.waiting(connection, known, Settings.from_env().home)
    found = next((file for of, file in waiting if of is door and file.name == config.name), None)
    if found is None:
        raise Refused(f"{config.door}/{config.name}: no such file waits in the folder of the door; put it back")
    loaded = files.load(postgres.database, known, door, found.path)
    context.add_output_metadata(
        {
            "lines": loaded.lines,
            "stored": loaded.stored,
            "duplicates": loaded.duplicates,
            "differing": loaded.differing,
            "set_aside": loaded.set_aside.total(),
            "rejected": loaded.rejected,
        }
    )


@dg.job(
    executor_def=dg.in_process_executor,
    description="Brings the events of one file from the folder of a door into the inbox.",
)
def load_event_files() -> None:
    load_event_file()


@dg.sensor(
    job=load_event_files,
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Loads each new file of the folders of the doors ($IC_HOME/events/<door>), one after the other. A file whose "
    "run failed is tried again; one that is put back, touched or replaced begins anew.",
)
def event_files(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult:
    """The cursor holds what the last look saw, by door and name: a file is complete when two looks are equal."""
    before = json.loads(context.cursor or "{}")
    with postgres.database.transaction() as connection:
        found = {
            _work(door, file): (door, file)
            for door, file in files.waiting(connection, registry(), Settings.from_env().home)
        }
        cursor = json.dumps({work.subject: file.state for work, (_, file) in found.items()})
        state = turn(context, connection, event_files.name, list(found))
        ready = [
            work
            for work in state.due
            if before.get(work.subject) == found[work][1].state and not found[work][1].unready(time.time())
        ]
        if not ready or unfinished(context.instance, load_event_files.name):
            told = {**state.under_way, **state.waiting, **state.given_up}
            parts = [f"{subject}: {attempt}." for subject, attempt in list(told.items())[:5]]
            reason = " ".join(["No new complete file of events, or one is being loaded.", *parts])
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        run_key, tags = state.start(connection, ready[:1], f"events:{ready[0].subject}")
    door, file = found[ready[0]]
    config = {"ops": {load_event_file.name: {"config": {"door": door.name, "name": file.name}}}}
    request = dg.RunRequest(run_key=run_key, run_config=config, tags={**tags, "file": file.name})
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def _work(door: Door, file: File) -> Work:
    return Work(f"{door.name}/{file.name}", file.state)


JOBS = [load_event_files]
SENSORS = [event_files]
