"""The resolution stage: references looked up again, misses logged, the gate judged (by the asset's checks)."""

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine import stages
from ic_assets.activities.master import window
from ic_assets.activities.metadata import add_month_counts, code_version, master_schema, table_metadata
from ic_assets.activities.partitions import months
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_resources import PostgresResource


@dg.asset(
    key=keys.RESOLVED,
    deps=[keys.MASTER, keys.CONTACTS, keys.COMPANIES, keys.DEALS],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=keys.STAGING,
    kinds={"postgres", "sql"},
    owners=keys.OWNERS,
    code_version=code_version("activities/resolution/apply", "activities/resolution/log_misses"),
    metadata={**table_metadata("ic_communication_master"), "dagster/column_schema": master_schema()},
    description=(
        "The master with its contact, company and deal ids right and its orphans flagged. References that lead nowhere are "
        "in staging.reconciliation_log, one row per reference and month. Carries the gate: each kind of reference resolved "
        "above 95 %, orphans below 5 %, over all months that are resolved."
    ),
)
def resolved(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    with postgres.database.transaction() as connection:
        written = stages.apply_resolution(connection, window(context), Settings.from_env())
    add_month_counts(context, written.row_counts, keys.RESOLVED)
    return dg.MaterializeResult(
        metadata={"rows_rewritten": written.written, "rows_in_range": sum(written.row_counts.values())}
    )
