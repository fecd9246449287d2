"""The push stage: the engagements in HubSpot, one asset per activity type, brought about by one shared push."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.approval import Scope, payload_version, require
from ic_assets.activities.engine.backup import backup
from ic_assets.activities.engine.push import Progress, PushOptions, PushResult, push
from ic_assets.activities.engine.push_readback import read_back
from ic_assets.activities.engine.rules import gates
from ic_assets.activities.partitions import months
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.resources.dagster_resources import HubSpotResource, PostgresResource, Reporter

MODES = ("dry-run", "test", "production")
# Dagster lets one step of a pool run at a time (dagster.yaml).
POOL = "hubspot_api"
# On runs that have had their approval: whose.
_APPROVED = "ic_assets/approved_by"

# What a push may do. As it stands, nothing: it looks and says what it would do. Not a ``dg.Config``, whose text, numbers
# and booleans may each be {"env": NAME} from the launchpad: a token would then stand in the run's events.
_CONFIG = {
    "mode": dg.Field(
        dg.Enum("PushMode", [dg.EnumValue(mode) for mode in MODES]),
        default_value="dry-run",
        description="dry-run looks only; test pushes 100 records; production pushes all, and wants an approval on record "
        "(`ic-assets approve`)",
    ),
    "limit": dg.Field(dg.Noneable(int), default_value=None, description="At most so many records"),
    "include_orphans": dg.Field(
        bool, default_value=False, description="Also push communications that lead to no HubSpot record"
    ),
    "all_months": dg.Field(
        bool, default_value=False, description="Push every month, whatever the partitions of this run"
    ),
}

_TYPE_OF = {keys.engagement(activity): activity.name for activity in ACTIVITY_TYPES}


@dg.multi_asset(
    name="hubspot_engagements",
    specs=[
        dg.AssetSpec(
            keys.engagement(activity),
            deps=[keys.derivative(activity)],
            group_name=keys.HUBSPOT,
            kinds={"hubspot"},
            owners=keys.OWNERS,
            skippable=True,
            partitions_def=months,
            description=(
                f"These {activity.name} are in HubSpot, each once, with their contact, company and deal. The ledger "
                "hubspot.push_ledger knows the id of each. The default is a dry run, which looks and writes nothing; set "
                "mode to test or production in the launchpad. Orphans are held."
            ),
        )
        for activity in ACTIVITY_TYPES
    ],
    can_subset=True,
    partitions_def=months,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=POOL,
    config_schema=_CONFIG,
)
def hubspot_engagements(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    hubspot: HubSpotResource,
    reporter: dg.ResourceParam[Reporter],
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    options = _options(context, reporter, payload_version(postgres.settings))
    if options.mode != "dry-run":
        _refuse_on_red_gates(postgres)
    hubspot.prepare(postgres.database)
    if options.mode == "production":
        _prepare_production(context, options, postgres, hubspot)
    result = push(
        postgres.database.postgres_url,
        postgres.settings,
        hubspot.target(),
        options,
        progress=_progress(context, reporter),
    )
    reporter.finished("push", result)
    summary = result.to_json()
    context.log.info(f"{options.mode}: {summary}")
    if options.mode == "dry-run":
        # Nothing was written, so nothing is materialized; the figures are in the run's log.
        return
    counted = _read_back(context, postgres, hubspot, result)
    for key in sorted(context.selected_asset_keys):
        figures = summary["by_type"].get(_TYPE_OF[key], {})
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "mode": options.mode,
                **{name: value for name, value in figures.items() if isinstance(value, int | float)},
                **{f"standing_in_{place}": records for place, records in counted.get(_TYPE_OF[key], {}).items()},
                "whole_push": dg.MetadataValue.json({k: v for k, v in summary.items() if k != "by_type"}),
            },
        )
    if result.unknown:
        raise dg.Failure(
            f"{result.unknown} records have an unknown outcome; run the push again, it reads HubSpot before it sends",
            allow_retries=False,
        )


def _options(context: dg.AssetExecutionContext, reporter: Reporter, version: str) -> PushOptions:
    config = context.op_execution_context.op_config
    if config["limit"] is not None and config["limit"] <= 0:
        raise Refused(f"limit {config['limit']} is not a number of records above 0")
    window = context.partition_time_window
    last = (window.end - timedelta(days=1)).date().replace(day=1)
    return PushOptions(
        mode=config["mode"],
        types=tuple(_TYPE_OF[key] for key in sorted(context.selected_asset_keys)),
        months=None if config["all_months"] else (window.start.date(), last),
        limit=config["limit"],
        include_orphans=config["include_orphans"],
        approved_by=reporter.approved_by,
        run_id=context.run.run_id,
        payload_version=version,
    )


def _refuse_on_red_gates(postgres: PostgresResource) -> None:
    """Dagster's blocking checks stop a run's own steps only: a push in a run of its own looks for itself."""
    with postgres.database.transaction() as connection:
        red = [verdict for verdict in gates(connection) if not verdict.passed]
    if red:
        raise Refused(f"{len(red)} gates are red, nothing was sent. {red[0].rule.name}: {red[0].figure}")


def _prepare_production(
    context: dg.AssetExecutionContext, options: PushOptions, postgres: PostgresResource, hubspot: HubSpotResource
) -> None:
    """An approval of exactly this data, and a restore point. Raises ``Refused``."""
    settings = postgres.settings
    scope = Scope(options.types, options.months, options.include_orphans)
    with postgres.database.transaction() as connection:
        approval = require(connection, hubspot.portal_id(), scope, settings, options.approved_by)
    context.instance.add_run_tags(context.run.run_id, {_APPROVED: approval.approved_by})
    context.log.info(f"Approved by {approval.approved_by} at {approval.approved_at:%Y-%m-%d %H:%M} UTC.")
    dump = backup(postgres.database.postgres_url, settings.home / "backups")
    context.log.info(f"Restore point before the push: {dump}")


def _read_back(
    context: dg.AssetExecutionContext, postgres: PostgresResource, hubspot: HubSpotResource, result: PushResult
) -> dict[str, dict[str, int]]:
    """HubSpot's own counts, for the checks and the report. That they cannot be had does not undo the push."""
    if not result.sent or result.unknown or result.stopped_reason or result.push_id is None:
        return {}
    try:
        return read_back(postgres.database.postgres_url, hubspot.target(), result.push_id)
    except Unavailable as error:
        context.log.warning(f"HubSpot's records were not counted after the push: {error}")
        return {}


def _progress(context: dg.AssetExecutionContext, reporter: Reporter):  # type: ignore[no-untyped-def]
    def report(progress: Progress) -> None:
        reporter.progress("push", progress.done, progress.total, f"{progress.requests:,} requests", "records")

    return report


__all__ = ["PushResult", "hubspot_engagements"]
