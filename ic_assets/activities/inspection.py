"""The look into a new file of the drop folder: a run that reads it once, for the digest that its partition is named by.

A partition has to be named before its run starts, and a file of gigabytes cannot be read in a tick, which Dagster ends
after 60 seconds. So this run reads the file and records what it found; the sensor then asks for the landing. It is a run
and no thread of the sensor, so that what it may cost or break is its own, people see it, and it can be tried again.
"""

import dagster as dg

from ic_assets.activities.engine.drop import drop_folder
from ic_assets.activities.engine.drop.column_map import names_in_force
from ic_assets.activities.engine.drop.drop_folder import File
from ic_assets.activities.engine.drop.drop_info import DropInfo
from ic_assets.activities.engine.landing.drop_landing import record_refusal
from ic_assets.activities.engine.landing.first_look import drop_key, inspected
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.resources.dagster_resources import PostgresResource


class FileConfig(dg.Config):
    """Which file of the drop folder: its name, and no path."""

    name: str


@dg.op(name="look_into_file", out=dg.Out(dg.Nothing))
def look_into_file(context: dg.OpExecutionContext, config: FileConfig, postgres: PostgresResource) -> None:
    """Records the partition of a file, or why it cannot be loaded. Raises ``Refused`` when there is no such file,
    ``DropRefused`` for a file that cannot be loaded as a whole."""
    settings = postgres.settings
    folder = settings.drop_dir
    file = drop_folder.named(folder, config.name)
    if file is None:
        raise Refused(f"{config.name!r}: no such file in {folder}; put it back")
    try:
        info = _inspected(file, settings.encoding)
    except DropRefused as refusal:
        with postgres.database.transaction() as connection:
            record_refusal(connection, file.path, refusal)
            drop_folder.remember(connection, file.name, file.identity, refused=str(refusal))
        raise
    with postgres.database.transaction() as connection:
        settled = (
            drop_folder.landed_before(connection, info.content_sha256, info.read_under(settings.reading)) is not None
        )
        key = drop_key(file.path, info.content_sha256)
        drop_folder.remember(connection, file.name, file.identity, drop_key=key, is_settled=settled)
    context.log.info(
        f"{file.name}: the same content has landed before; nothing to load." if settled else f"{file.name} is {key}."
    )


def _inspected(file: File, encoding: str | None) -> DropInfo:
    info = inspected(file.path, encoding, names_in_force())
    if info.identity != file.identity:
        raise DropRefused(f"{file.name}: changed while it was being read; wait until it is complete")
    return info


@dg.job(
    executor_def=dg.in_process_executor,
    tags={"ic_assets/looking": "into a file"},
    description="Reads a new file of the drop folder once; its landing follows by itself.",
)
def inspect_drop() -> None:
    look_into_file()


__all__ = ["inspect_drop"]
