"""The master stage: typed, classified, de-duplicated communications, one row each."""

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.staging import classification, stages
from ic_assets.activities.engine.staging.unrecognised import unrecognised
from ic_assets.activities.metadata import code_version, described, master_schema, table_metadata
from ic_assets.activities.partitions import months
from ic_assets.activities.run_metadata import Sample, add_run_metadata, record_empty_months, sampled
from ic_assets.core.months import Window
from ic_assets.resources.dagster_resources import PostgresResource


def window(context: dg.AssetExecutionContext) -> Window:
    """The months of the run: one partition or a range."""
    bounds = context.partition_time_window
    return Window(bounds.start.date(), bounds.end.date())


_LISTED = 50
SAMPLE = Sample(
    "ic_communication_master",
    ("comm_communicationid", "comm_datetime", "comm_type", "derived_activity_type", "comm_subject", "is_orphaned"),
    "comm_datetime",
)


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
        "activities/master/kinds",
        "activities/master/incoming",
        "activities/master/by_type",
        "activities/master/departed",
        extra=classification.CLASSIFICATION.path.read_text(encoding="utf-8"),
    ),
    metadata={**table_metadata("ic_communication_master"), "dagster/column_schema": master_schema()},
    description=described(
        "Each communication once, in its newest landed version, with one of seven activity types and its HubSpot ids.",
        grain="one communication: `comm_communicationid` is unique, and `id` stays what it was when the row changes",
        know=[
            "A type and action that no line of `sql/activities/classification.csv` names become a note. The checks "
            "`types_are_recognised`, `actions_are_recognised` and so on count such values.",
            "Times are the legacy system's local times (`IC_SOURCE_TIMEZONE`). Payloads carry UTC.",
            "Personal data as it landed: names, addresses, texts.",
            "A month can be run again at any time. Only rows that differ are written.",
        ],
    ),
)
def ic_communication_master(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    settings = postgres.settings
    changed = postgres.database.repeated("classification", classification.sync_classification)
    written, sample, unnamed = postgres.database.repeated(
        "master",
        lambda connection: (
            stages.apply_master(connection, window(context), settings, postgres.database),
            sampled(connection, SAMPLE, window(context)),
            unrecognised(connection)[:_LISTED],
        ),
    )
    account = f"{sum(written.row_counts.values()):,} communications, {written.written:,} of them written."
    news = {"classification_changed": dg.MetadataValue.json(changed)} if changed else {}
    if unnamed:
        news["unrecognised_values"] = dg.MetadataValue.json([each.to_json() for each in unnamed])
    record_empty_months(context, postgres.database, [keys.MASTER])
    add_run_metadata(context, settings, keys.MASTER, written.row_counts, account, sample, news)
    return dg.MaterializeResult()
