"""The derivative stage: seven HubSpot-shaped tables, one asset each, made from the entries of ``activity_types``. One step
makes those that are wanted, two at a time."""

from collections.abc import Iterator

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.derivatives.payloads import template_fingerprint
from ic_assets.activities.engine.staging import classification
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.activities.master import window
from ic_assets.activities.metadata import (
    code_version,
    derivative_lineage,
    derivative_schema,
    described,
    table_metadata,
)
from ic_assets.activities.partitions import months
from ic_assets.activities.run_metadata import Sample, add_run_metadata, record_empty_months, sampled
from ic_assets.resources.dagster_resources import PostgresResource

_TYPE_OF = {keys.derivative(activity): activity for activity in ACTIVITY_TYPES}


_WORDS = (classification.DIRECTIONS, classification.STATUSES, classification.PRIORITIES)


def _spec(activity: ActivityType) -> dg.AssetSpec:
    return dg.AssetSpec(
        keys.derivative(activity),
        deps=[keys.RESOLVED],
        group_name=keys.ACTIVITIES,
        kinds={"postgres", "sql"},
        owners=keys.OWNERS,
        skippable=True,
        partitions_def=months,
        code_version=code_version(
            "activities/derivatives/apply",
            "activities/derivatives/apply_parts",
            "activities/derivatives/rendered",
            "activities/derivatives/remove_departed",
            views=[f"staging.{activity.view}"],
            extra="".join(
                [template_fingerprint(activity), *(file.path.read_text(encoding="utf-8") for file in _WORDS)]
            ),
        ),
        metadata={
            **table_metadata(activity.table),
            "dagster/column_schema": derivative_schema(activity),
            "dagster/column_lineage": derivative_lineage(activity),
        },
        description=described(
            f"Every communication of type {activity.name}, in HubSpot's terms, with the payload that the push sends.",
            grain="one communication: `ic_communication_master_id` is unique",
            know=[
                "An orphan, which leads to no HubSpot record, is `held`. Where HubSpot would refuse the payload, "
                "`hubspot_api_payload` is empty and `error_message` says why.",
                "`api_push_status` and `hubspot_engagement_id` follow the portal that was pushed to last.",
                "A communication that a correction gives another type leaves this table.",
                f"A change of `templates/{activity.template}` runs nothing by itself: the check `payloads_are_current` counts"
                " the payloads that are older, and `ic-assets load --renew` makes them again.",
            ],
        ),
    )


def _sample_of(activity: ActivityType) -> Sample:
    shown = ("ic_communication_master_id", "activity_date", activity.title or activity.body, "associated_contact_id")
    return Sample(activity.table, (*shown, "api_push_status"), "activity_date")


@dg.multi_asset(
    name="activity_derivatives",
    specs=[_spec(activity) for activity in ACTIVITY_TYPES],
    can_subset=True,
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def activity_derivatives(
    context: dg.AssetExecutionContext, postgres: PostgresResource
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    wanted = [activity for key, activity in _TYPE_OF.items() if key in context.selected_asset_keys]
    range_ = window(context)
    postgres.database.repeated("classification", classification.sync_classification)
    record_empty_months(context, postgres.database, [keys.derivative(activity) for activity in wanted])
    for activity, written in slice_derivatives.apply_derivatives(postgres.database, wanted, range_, postgres.settings):
        with postgres.database.transaction() as connection:
            sample = sampled(connection, _sample_of(activity), range_)
        account = (
            f"{sum(written.row_counts.values()):,} in {activity.table}, {written.written:,} written, {written.removed:,} "
            f"removed; {written.invalid:,} with a payload that HubSpot would refuse."
        )
        key = keys.derivative(activity)
        add_run_metadata(context, postgres.settings, key, written.row_counts, account, sample)
        yield dg.MaterializeResult(asset_key=key)
