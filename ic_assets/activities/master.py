"""The master stage: typed, classified, de-duplicated communications, one row each."""

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine import stages
from ic_assets.activities.metadata import add_month_counts, code_version, master_schema, table_metadata
from ic_assets.activities.partitions import months
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_resources import PostgresResource


def window(context: dg.AssetExecutionContext) -> stages.Window:
    """The months of the run: one partition or a range."""
    bounds = context.partition_time_window
    return stages.Window(bounds.start.date(), bounds.end.date())


@dg.asset(
    key=keys.MASTER,
    deps=[keys.MONTHS],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=keys.STAGING,
    kinds={"postgres", "sql"},
    owners=keys.OWNERS,
    code_version=code_version(
        "activities/master/apply",
        "activities/master/departed",
        extra=stages.CLASSIFICATION_FILE.read_text(encoding="utf-8"),
    ),
    metadata={**table_metadata("ic_communication_master"), "dagster/column_schema": master_schema()},
    description=(
        "One row per communication, in its newest landed version: typed, classified into one of seven activity types "
        "(sql/activities/classification.csv), with its HubSpot ids looked up. A month can be run again at any time: only "
        "rows that differ are written, and ids stay what they were."
    ),
)
def ic_communication_master(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    settings = Settings.from_env()
    with postgres.database.transaction() as connection:
        changed = stages.sync_classification(connection)
    with postgres.database.transaction() as connection:
        written = stages.apply_master(connection, window(context), settings)
    add_month_counts(context, written.row_counts, keys.MASTER)
    return dg.MaterializeResult(
        metadata={
            "rows_written": written.written,
            "rows_in_range": sum(written.row_counts.values()),
            "reference_time": settings.reference_time.isoformat(),
            **({"classification_changed": dg.MetadataValue.json(changed)} if changed else {}),
        }
    )
