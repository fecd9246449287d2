"""The derivative stage: seven HubSpot-shaped tables, one asset each, made from the entries of ``activity_types``."""

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.activities.engine import stages
from ic_assets.activities.engine.payloads import template_fingerprint
from ic_assets.activities.master import window
from ic_assets.activities.metadata import (
    add_month_counts,
    code_version,
    derivative_lineage,
    derivative_schema,
    table_metadata,
)
from ic_assets.activities.partitions import months
from ic_assets.core.settings import Settings
from ic_assets.resources.dagster_resources import PostgresResource


def _derivative(activity: ActivityType) -> dg.AssetsDefinition:
    key = keys.derivative(activity)

    @dg.asset(
        key=key,
        deps=[keys.RESOLVED],
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=keys.ACTIVITIES,
        kinds={"postgres", "sql"},
        owners=keys.OWNERS,
        code_version=code_version(
            "activities/derivatives/apply",
            "activities/derivatives/apply_parts",
            "activities/derivatives/remove_departed",
            "schema/0001_views_up",
            extra=template_fingerprint(activity),
        ),
        metadata={
            **table_metadata(activity.table),
            "dagster/column_schema": derivative_schema(activity),
            "dagster/column_lineage": derivative_lineage(activity),
        },
        description=(
            f"One row per communication of type {activity.name}, shaped as HubSpot shows a {activity.singular}, with the "
            f"API payload rendered by templates/{activity.template}. A communication that a correction gives another "
            "type leaves this table. Orphans are held; a payload that HubSpot would refuse is failed, with the reason."
        ),
    )
    def derivative(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = Settings.from_env()
        with postgres.database.transaction() as connection:
            written = stages.apply_derivative(connection, activity, window(context), settings)
        add_month_counts(context, written.row_counts, key)
        return dg.MaterializeResult(
            metadata={
                "rows_written": written.written,
                "rows_removed": written.removed,
                "rows_in_range": sum(written.row_counts.values()),
                "payloads_invalid": written.invalid,
                "reference_time": settings.reference_time.isoformat(),
            }
        )

    return derivative


DERIVATIVES = [_derivative(activity) for activity in ACTIVITY_TYPES]
