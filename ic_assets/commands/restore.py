"""``ic-assets restore``: a restore point becomes the contents of the database in use."""

from pathlib import Path

import dagster as dg
from psycopg.types.json import Jsonb

from ic_assets.commands.terminal import agreed, counted, emit_json, err, out, say
from ic_assets.core import schema, session
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.resources import restore as engine
from ic_assets.resources.dagster_home import dagster_home, fail_abandoned_runs
from ic_assets.resources.services import services


def restore(file: Path, *, yes: bool, as_json: bool) -> int:
    """Says what goes and what comes, asks, and restores. Returns 0. Raises ``Refused`` when the answer is no, beside
    whatever works on the database, and for a file that is no restore point."""
    point = engine.look_into(file)
    settings = Settings.from_env()
    with services(settings) as up:
        dagster_home(settings)
        fail_abandoned_runs(settings)
        with session.connect(up.postgres_url) as connection:
            _refuse_beside_runs()
            engine.refuse_beside_others(connection)
            before = engine.standing(connection)
            where = "the embedded database" if not settings.postgres_url else f"database {connection.info.dbname}"
        lines = err if as_json else out
        for name, count in sorted(before.items(), key=lambda item: -item[1]):
            is_new = "" if name in point.tables else " (the restore point does not have this table)"
            if count:
                lines.print(f"goes: {name}, {counted(count, 'row')}{is_new}", markup=False)
        say(f"What stands in {where} is replaced by {file.name} of {point.made_at}. HubSpot is not touched.")
        if not yes and not agreed(f"Restore {file.name}?"):
            raise Refused("nothing was restored; add --yes to restore without being asked")
        done = engine.restore(up.postgres_url, point, settings.home / "backups")
        schema.ensure(up.postgres_url)
        with session.connect(up.postgres_url) as connection:
            connection.execute(
                "INSERT INTO staging.ic_rollback (scope, removed) VALUES (%s, %s)",
                (f"restore {file.name}", Jsonb(before)),
            )
    for line in done.rights_left_out:
        say(f"Left out, since the role is not here or this one may not: {line}")
    if as_json:
        emit_json({"restored": str(file), "made_at": point.made_at, "kept": done.kept, "rows": done.rows})
        return 0
    out.print(f"Restored: {counted(sum(done.rows.values()), 'row')} in {counted(len(done.rows), 'table')}.")
    if done.kept:
        out.print(f"What stood before is in {done.kept}; `ic-assets restore` takes that file too.", markup=False)
    out.print("`ic-assets push` says what HubSpot holds beyond it: records that it knows by key are not created again.")
    return 0


def _refuse_beside_runs() -> None:
    """A run between two of its steps holds no lock."""
    with dg.DagsterInstance.get() as instance:
        working = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]))
    if working:
        raise Refused(
            f"run {working[0].run_id} ({working[0].job_name}) is at work, nothing was restored; wait for its end or stop it, "
            "then run this again"
        )
