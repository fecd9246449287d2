"""The resolution stage: references looked up again, misses logged, the gate judged (by the asset's checks)."""

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.staging import stages
from ic_assets.activities.master import SAMPLE, window
from ic_assets.activities.metadata import code_version, described, master_schema, table_metadata
from ic_assets.activities.partitions import months
from ic_assets.activities.run_metadata import add_run_metadata, record_empty_months, sampled
from ic_assets.resources.dagster_resources import PostgresResource


@dg.asset(
    key=keys.RESOLVED,
    deps=[keys.MASTER, keys.CONTACTS, keys.COMPANIES, keys.DEALS],
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=keys.STAGING,
    kinds={"postgres", "sql"},
    owners=keys.OWNERS,
    code_version=code_version(
        "activities/resolution/differing",
        "activities/resolution/apply",
        "activities/resolution/misses",
        "activities/resolution/log_misses",
    ),
    metadata={**table_metadata("ic_communication_master"), "dagster/column_schema": master_schema()},
    description=described(
        "The table of the master, with its contact, company and deal ids looked up again and its orphans flagged.",
        grain="one communication, as in the master. Every miss is in `staging.reconciliation_log`, one row for each "
        "legacy id and month",
        know=[
            "Its checks are gates: each kind of reference resolved above 95 %, orphans below 5 %. They judge all months "
            "that are resolved, not only those of the run.",
            "A red gate stops the derivatives of the run, and every push.",
            "A legacy id that is known but not in HubSpot counts as a miss.",
        ],
    ),
)
def resolved(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    written, sample = postgres.database.repeated(
        "resolution",
        lambda connection: (
            stages.apply_resolution(connection, window(context), postgres.settings),
            sampled(connection, SAMPLE, window(context)),
        ),
    )
    account = f"{sum(written.row_counts.values()):,} communications, {written.written:,} of them written again."
    record_empty_months(context, postgres.database, [keys.RESOLVED])
    add_run_metadata(context, postgres.settings, keys.RESOLVED, written.row_counts, account, sample)
    return dg.MaterializeResult()
