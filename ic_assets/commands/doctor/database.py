"""What ``ic-assets doctor`` looks at in PostgreSQL: the server, our tables, half-finished work, Dagster's books. Reads."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ic_assets.activities.engine.judging.schema_check import schema_problems
from ic_assets.activities.engine.staging.changed_settings import read_otherwise
from ic_assets.activities.engine.staging.slices import out_of_date
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.commands.doctor.doctor import NOTE, OK, Found
from ic_assets.commands.terminal import because, counted
from ic_assets.core import kept_settings, locks, parts, rules_data, schema, session
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.inbox import upkeep
from ic_assets.resources.dagster_home import PROCESS_TAG
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import Services

CLOCK_SECONDS = 60
_FREE_CONNECTIONS = 10
_IDLE = "1 hour"
_HEARTBEAT = timedelta(minutes=2)  # it beats every 30 seconds


def server(up: Services, settings: Settings) -> Found:
    with connected(up.postgres_url, settings) as connection:
        session.refuse_unfit(connection)
        version, size, fsync, seconds, maximum, used, may_temp, user = _row(
            connection,
            "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database())),"
            " current_setting('fsync'),"
            " extract(epoch FROM clock_timestamp())::float8, current_setting('max_connections')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " has_database_privilege(current_database(), 'TEMPORARY'), current_user",
        )
        idle = _row(
            connection,
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            " AND xact_start < now() - %s::interval AND datname = current_database()",
            (_IDLE,),
        )[0]
    if fsync != "on":
        raise Refused("fsync is off: a power cut would lose the ledger; switch it on")
    if not may_temp:
        raise Refused(f"the role {user} may not make temporary tables; let its owner run deploy/grants.sql")
    drift = abs(datetime.now(UTC).timestamp() - seconds)
    if drift > CLOCK_SECONDS:
        raise Refused(f"this machine's clock is {drift:.0f} s off PostgreSQL's; set it right (NTP)")
    yield OK, f"{version}, {size}, {used} of {maximum} connections in use, clocks agree"
    if maximum - used < _FREE_CONNECTIONS:
        yield NOTE, f"{maximum - used} connections are free; a push takes about six, `ic-assets up` about twenty"
    if idle:
        yield NOTE, f"{counted(idle, 'session')} idle in a transaction for over an hour: locks may be held; end them"


def has_current_schema(up: Services) -> bool:
    return schema.is_current(up.postgres_url)


def tables(up: Services, settings: Settings) -> Found:
    revision, newest = schema.current(up.postgres_url)
    if revision is None:
        yield OK, f"no tables yet; the first command makes them (revision {newest})"
        return
    if revision != newest:
        if str(revision) > str(newest):
            raise Refused(f"revision {revision} is newer than this version knows ({newest}); install the newer version")
        yield NOTE, f"revision {revision}; the next command brings it to {newest}. Back the database up first"
        return
    if not schema.is_current(up.postgres_url):
        yield NOTE, f"revision {revision}; the views are another version's, and the next command makes them anew"
        return
    with connected(up.postgres_url, settings) as connection:
        problems = schema_problems(connection)
        foreign = connection.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('staging', 'hubspot', 'inbox')"
            " AND NOT has_table_privilege(format('%%I.%%I', schemaname, tablename), 'SELECT, INSERT, UPDATE, DELETE')"
            " ORDER BY 1",
            (),
        ).fetchall()
    if problems:
        raise Refused(f"{' '.join(problems)} Restore the backup, or `ic-assets rollback schema` and load again")
    if foreign:
        names = ", ".join(row[0] for row in foreign[:5])
        raise Refused(
            f"no right to write {counted(len(foreign), 'table')} ({names}); run deploy/grants.sql as a superuser"
        )
    yield OK, f"revision {newest}"


def months(up: Services, settings: Settings) -> Found:
    with connected(up.postgres_url, settings) as connection:
        waiting = out_of_date(connection)
    if waiting:
        raise Refused(
            f"{counted(len(waiting), 'month')} out of date, {waiting[0][0]:%Y-%m} to {waiting[-1][0]:%Y-%m} "
            f"({because(Counter(cause for _, _, cause in waiting))}): run `ic-assets load`"
        )
    yield OK, "all up to date"


def settings_kept(up: Services, settings: Settings) -> Found:
    """What shapes the data, as it was first used, beside this shell."""
    with connected(up.postgres_url, settings) as connection:
        known = kept_settings.kept(connection)
        settings = kept_settings.in_force(connection, settings)
        otherwise = read_otherwise(connection, settings)
    if not known:
        yield OK, "none are kept yet; the first load keeps those that it uses"
        return
    yield OK, ", ".join(f"{name} {kept_settings.shown(value)}" for name, value in sorted(known.items()))
    if otherwise:
        some = ", ".join(otherwise[:3])
        yield NOTE, f"{counted(len(otherwise), 'drop')} read under other settings ({some}): load the files again"


def mapping(up: Services, settings: Settings) -> Found:
    """Which files of rules are in force, and why one that people edited is not."""
    with connected(up.postgres_url, settings) as connection:
        files = parts.all_rule_files()
        yield OK, "; ".join(rules_data.in_force(connection, file) for file in files)
        for file in files:
            if problem := rules_data.problem(connection, file):
                yield NOTE, problem


def inbox(up: Services, settings: Settings) -> Found:
    """How many events wait, and what was set aside, by source."""
    with connected(up.postgres_url, settings) as connection:
        found = upkeep.sources(connection)
        broken_off = [file for file in upkeep.files(connection) if file["is_unfinished"]]
    waiting = [f"{one.source} {one.new:,}" for one in found if one.new]
    yield OK, f"waiting: {', '.join(waiting)}" if waiting else "nothing waits"
    for one in found:
        if one.set_aside:
            reason, count = max(one.reasons.items(), key=lambda item: item[1])
            yield (
                NOTE,
                f"{counted(one.set_aside, 'event')} of {one.source} set aside, {count:,} of them for {reason}; mend the "
                f"cause, then `ic-assets inbox retry --source {one.source}`",
            )
        if one.unknown_topic:
            yield NOTE, f"{counted(one.unknown_topic, 'event')} of {one.source} of topics that no flow takes"
    for file in broken_off:
        yield NOTE, f"the load of {file['door']}/{file['file']} was broken off, or is under way; load it again"


def pushes(up: Services, settings: Settings) -> Found:
    """Records in some worker's hands, by whether it lives: a worker holds an advisory lock for as long as it does."""
    with connected(up.postgres_url, settings) as connection:
        alive = {
            row[0]
            for row in connection.execute(
                "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (locks.WORKER,),
            ).fetchall()
        }
        claims = connection.execute(
            "SELECT l.portal_id, l.worker, count(*), r.mode, r.options FROM hubspot.push_ledger AS l"
            " LEFT JOIN hubspot.push_run AS r ON r.push_id = l.worker WHERE l.state IN ('in_flight', 'unknown')"
            " GROUP BY 1, 2, 4, 5 ORDER BY r.mode = 'rollback' DESC, 1, 2"
        ).fetchall()
        running = connection.execute(
            "SELECT push_id, portal_id, mode, options FROM hubspot.push_run WHERE result = 'running' ORDER BY push_id"
        ).fetchall()
        stopped = connection.execute(
            "SELECT push_id, portal_id, mode, options FROM hubspot.push_run AS r WHERE result = 'stopped'"
            " AND NOT EXISTS (SELECT 1 FROM hubspot.push_run AS later WHERE later.portal_id = r.portal_id"
            " AND later.push_id > r.push_id AND later.result = 'done' AND later.mode IN (r.mode, 'production'))"
            " AND mode = 'rollback' ORDER BY push_id"
        ).fetchall()
        refused = connection.execute(
            "SELECT portal_id, count(*) FROM hubspot.push_ledger WHERE state = 'failed' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    dead = [row for row in claims if row[1] not in alive]
    if dead:
        portal_id, worker, _, mode, options = dead[0]
        records = sum(row[2] for row in dead)
        what = "roll-back" if mode == "rollback" else "push"
        advice = (
            f"run `{_rollback_command(options)}` again, it looks them up and takes back the rest (a push would restore them)"
            if mode == "rollback"
            else "run the same `ic-assets push` again, it asks HubSpot before it sends"
        )
        raise Refused(
            f"{counted(records, 'record')} in portal {portal_id} of unknown outcome, left by {what} {worker}, which has "
            f"ended: {advice}"
        )
    at_work = [push_id for push_id, *_ in running if push_id in alive]
    broken_off = [row for row in (*stopped, *running) if row[0] not in alive]
    yield OK, f"push {at_work[0]} is at work" if at_work else "none is half-way"
    if broken_off:
        push_id, portal_id, mode, options = max(broken_off, key=lambda row: row[0])
        again = f"run `{_rollback_command(options)}` again" if mode == "rollback" else "push again"
        yield (
            NOTE,
            f"push {push_id} ({mode}, portal {portal_id}) was broken off, with nothing unknown; {again} to go on",
        )
    for portal_id, records in refused:
        yield NOTE, f"portal {portal_id} refused {counted(records, 'record')}; `ic-assets report` lists the reasons"


def _rollback_command(options: dict[str, Any]) -> str:
    """The command line of a roll-back, by its record."""
    types, months, ids = options.get("types") or [], options.get("months"), options.get("ids")
    parts = [
        *([f"--run {options['run_id']}"] if options.get("run_id") else []),
        *([f"--types {','.join(types)}"] if types and len(types) < len(ACTIVITY_TYPES) else []),
        *([f"--months {':'.join(months)}"] if months else []),
        *([f"--ids {','.join(str(one) for one in ids)}"] if ids else []),
    ]
    return f"ic-assets rollback push {' '.join(parts) or '--all'}"


def runs(up: Services) -> Found:
    """Runs that Dagster calls started although no process of ours that could be at them is connected."""
    with psycopg.connect(up.dagster_postgres_url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('runs')").fetchone() == (None,):
            yield OK, "none yet"
            return
        open_runs = connection.execute(
            "SELECT r.run_id, r.pipeline_name, r.status, t.value FROM runs AS r"
            " LEFT JOIN run_tags AS t ON t.run_id = r.run_id AND t.key = %s"
            " WHERE r.status IN ('STARTING', 'STARTED', 'CANCELING', 'QUEUED') ORDER BY r.create_timestamp",
            (PROCESS_TAG,),
        ).fetchall()
        others = connection.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'ic-assets-%%' AND application_name <> current_setting('application_name')",
            (),
        ).fetchall()
        failed = connection.execute(
            "SELECT run_id, pipeline_name FROM runs WHERE status = 'FAILURE' AND create_timestamp > now() - interval '1 day'"
            " ORDER BY create_timestamp DESC"
        ).fetchall()
    living = {name for (name,) in others}
    dead = [row for row in open_runs if row[2] != "QUEUED" and (row[3] not in living if row[3] else not living)]
    yield OK, f"{counted(len(open_runs) - len(dead), 'run')} under way"
    if dead:
        run_id, job, _, _ = dead[0]
        yield (
            NOTE,
            f"{counted(len(dead), 'run')} half-finished, its process is gone, for example {run_id} ({job}); the next load or "
            "push marks it as failed and goes on from there",
        )
    if failed:
        yield (
            NOTE,
            f"{counted(len(failed), 'run')} failed in the last day, the latest is {failed[0][0]} ({failed[0][1]}); "
            "`ic-assets up` shows why",
        )


def daemon(up: Services) -> Found:
    """Whether the sensors are looked at, and the last word of each that failed."""
    with psycopg.connect(up.dagster_postgres_url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('daemon_heartbeats')").fetchone() == (None,):
            yield OK, "has never run; `ic-assets up` starts it, and the drop folder is watched from then on"
            return
        row = connection.execute("SELECT max(timestamp) FROM daemon_heartbeats WHERE daemon_type = 'SENSOR'").fetchone()
        ticks = connection.execute(
            "SELECT DISTINCT ON (selector_id) status, tick_body::jsonb ->> 'job_name',"
            " tick_body::jsonb -> 'error' ->> 'message' FROM job_ticks ORDER BY selector_id, timestamp DESC, id DESC"
        ).fetchall()
        stopped = connection.execute(
            "SELECT instigator_body::jsonb -> 'origin' ->> 'job_name' FROM instigators"
            " WHERE status = 'STOPPED' AND instigator_type = 'SENSOR'"
        ).fetchall()
    seen = row[0].replace(tzinfo=UTC) if row and row[0] else None
    if seen and datetime.now(UTC) - seen < _HEARTBEAT:
        yield OK, "runs: the sensors watch the drop folder and the reconciliation"
    else:
        yield (
            OK,
            "does not run: files in the drop folder wait until `ic-assets up` does; `ic-assets load` needs no daemon",
        )
    for (name,) in stopped:
        yield NOTE, f"the sensor {name} was switched off; switch it on in the UI (Automation) to have it work"
    for status, name, message in ticks:
        if status == "FAILURE":
            first = (message or "no message").strip().splitlines()[0]
            yield NOTE, f"the sensor {name} failed when it looked last: {first}"


def _row(connection: psycopg.Connection, query: str, parameters: tuple[object, ...] = ()) -> tuple[Any, ...]:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None  # noqa: S101 - these always answer
    return row
