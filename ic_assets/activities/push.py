"""The push stage: the engagements in HubSpot, one asset per activity type, brought about by one shared push."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

from ic_assets.activities import keys
from ic_assets.activities.checks import result as check_result
from ic_assets.activities.checks import spec
from ic_assets.activities.engine.judging.approval import payload_version
from ic_assets.activities.engine.judging.judgement import in_snapshot, judge
from ic_assets.activities.engine.judging.rules import judge as judge_rules
from ic_assets.activities.engine.judging.rules import push_rules
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.activities.partitions import months
from ic_assets.activities.run_metadata import record_other_months
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.months import Window, month_key
from ic_assets.core.sql import statement
from ic_assets.hubspot.push.approval import Approval
from ic_assets.hubspot.push.readback import read_back
from ic_assets.hubspot.push.result import months_sent
from ic_assets.hubspot.push.run import Progress, PushOptions, PushResult, push
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets.resources.backup import backup
from ic_assets.resources.dagster_resources import PostgresResource, Reporter

MODES = ("dry-run", "test", "production")
# Dagster lets one step of a pool run at a time (dagster.yaml).
POOL = "hubspot_api"
# On runs that have had their approval: whose.
_APPROVED = "ic_assets/approved_by"
MODE_TAG = "push"
"""On the runs of a push, for the list of runs: dry-run, test or production."""

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
    "overwrite_edits": dg.Field(
        bool, default_value=False, description="Also update records that people changed in HubSpot since we wrote them"
    ),
    "all_months": dg.Field(
        bool, default_value=False, description="Push every month, whatever the partitions of this run"
    ),
}

_ALL_MONTHS = Window(date(1, 1, 1), date(9999, 1, 1))
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
                "mode to test or production in the launchpad. Orphans are held, and so are updates of records that people "
                "changed in HubSpot. A month is materialized when nothing of it is left to send; a test push observes the "
                "months that it sent something of."
            ),
        )
        for activity in ACTIVITY_TYPES
    ],
    check_specs=[spec(rule, keys.engagement(activity)) for activity in ACTIVITY_TYPES for rule in push_rules(activity)],
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
) -> Iterator[Any]:
    if not context.selected_asset_keys:  # the checks alone
        yield from _checks(context, postgres)
        return
    options = _options(context, reporter, payload_version(postgres.settings))
    context.instance.add_run_tags(context.run.run_id, {MODE_TAG: options.mode})
    hubspot.prepare(postgres.database)
    if options.mode == "production":
        _prepare_production(context, options, postgres, hubspot)

    def in_the_plan(snapshot: str, portal_id: int) -> Approval | None:
        with in_snapshot(postgres.database, snapshot) as connection:
            return judge(connection, postgres.settings, options, portal_id)

    result = push(
        postgres.database.postgres_url,
        postgres.settings,
        hubspot.target(),
        OUTGOING,
        options,
        judge=in_the_plan,
        progress=_progress(context, reporter),
    )
    reporter.finished("push", result)
    context.log.info(f"{options.mode}: {result.to_json()}")
    if options.mode == "dry-run":
        # Nothing was written, so nothing is materialized; the figures are in the run's log. The checks judge again what
        # stands: Dagster shows those that a run has planned and not judged as skipped.
        yield from _checks(context, postgres)
        return
    counted = _read_back(context, postgres, hubspot, result, reporter)
    if options.mode == "test":
        yield from _observe(context, postgres, result)
    else:
        yield from _materialize(context, postgres, result, counted)
    _fail_when_stopped(result)
    if result.left_pending:
        context.log.warning(
            f"{result.left_pending} records changed after they were judged and were left pending: {result.left}. "
            "Approve and push again."
        )
    yield from _checks(context, postgres)


def _fail_when_stopped(result: PushResult) -> None:
    """A push that did not come to its end is a failed run, whatever it sent until then."""
    why = result.stopped_reason
    if why is None and result.unknown:
        why = f"{result.unknown} records have an unknown outcome; run the push again, it reads HubSpot before it sends"
    if why:
        raise dg.Failure(
            f"the push stopped early: {why}",
            metadata={"stopped_reason": why, "whole_push": dg.MetadataValue.json(result.to_json())},
            allow_retries=False,
        )


def _window(context: dg.AssetExecutionContext) -> Window:
    bounds = context.partition_time_window
    return Window(bounds.start.date(), bounds.end.date())


def _materialize(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    result: PushResult,
    counted: Mapping[str, Mapping[str, int]],
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:  # type: ignore[type-arg]
    """The months of each type of which nothing is left to send: all of the run's in one result, or those that are."""
    window, summary = _window(context), result.to_json()
    for key in sorted(context.selected_asset_keys):
        name = _TYPE_OF[key]
        with postgres.database.transaction() as connection:
            open_months = _months_left(connection, result.portal_id, name, _ALL_MONTHS)
        left = open_months & set(window.months)
        record_other_months(context, key, sorted(open_months), "Nothing of this month is left to send.")
        figures = summary["by_type"].get(name, {})
        metadata = {
            "mode": result.mode,
            **{figure: value for figure, value in figures.items() if isinstance(value, int | float)},
            **{f"standing_in_{place}": records for place, records in counted.get(name, {}).items()},
            **({"approval": result.approval} if result.approval else {}),
            **({"months_left": ", ".join(f"{month:%Y-%m}" for month in sorted(left))} if left else {}),
            "whole_push": dg.MetadataValue.json({k: v for k, v in summary.items() if k != "by_type"}),
        }
        if not left:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
            continue
        done = [month_key(month) for month in window.months if month not in left]
        # Yielded and not logged: what is logged is lost when the step fails right after.
        yield from [dg.AssetMaterialization(key, partition=month, metadata=metadata) for month in done]


def _months_left(connection: psycopg.Connection, portal_id: int, activity_type: str, window: Window) -> set[date]:
    """Months of one activity type of which something is still to be sent to this portal."""
    rows = connection.execute(
        statement("activities/push/months_left", table=sql.Identifier("staging", BY_NAME[activity_type].table)),
        {
            "portal_id": portal_id,
            "activity_type": activity_type,
            "window_start": window.start,
            "window_end": window.end,
        },
    )
    return {row[0] for row in rows}


def _observe(
    context: dg.AssetExecutionContext, postgres: PostgresResource, result: PushResult
) -> Iterator[dg.AssetObservation]:
    with postgres.database.transaction() as connection:
        sent = months_sent(connection, result.portal_id, result.push_id or 0)
    whole = dg.MetadataValue.json({k: v for k, v in result.to_json().items() if k != "by_type"})
    for key in sorted(context.selected_asset_keys):
        for (name, month), records in sorted(sent.items()):
            if name == _TYPE_OF[key]:
                yield dg.AssetObservation(
                    key,
                    partition=month_key(month),
                    metadata={"mode": result.mode, "records": records, "push": result.push_id, "whole_push": whole},
                )


def _checks(context: dg.AssetExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
    """Here and not in steps of their own, which would be skipped after a push that materializes nothing."""
    wanted = {(check.asset_key, check.name) for check in context.op_execution_context.selected_asset_check_keys}
    for activity in ACTIVITY_TYPES:
        key = keys.engagement(activity)
        rules = [rule for rule in push_rules(activity) if (key, rule.name) in wanted]
        if rules:
            with postgres.database.transaction() as connection:
                yield from [check_result(verdict, key) for verdict in judge_rules(connection, rules)]


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
        overwrite_edits=config["overwrite_edits"],
        approved_by=reporter.approved_by,
        run_id=context.run.run_id,
        payload_version=version,
    )


def _prepare_production(
    context: dg.AssetExecutionContext, options: PushOptions, postgres: PostgresResource, hubspot: HubSpotResource
) -> None:
    """An approval of exactly this data, and a restore point. Whether that is still the data is judged again when the push
    plans. Raises ``Refused``."""
    settings = postgres.settings
    portal_id = hubspot.portal_id()
    with postgres.database.transaction() as connection:
        approval = judge(connection, settings, options, portal_id, approved_by=options.approved_by)
    if approval is not None:
        context.instance.add_run_tags(context.run.run_id, {_APPROVED: approval.approved_by})
        context.log.info(f"Approved by {approval.approved_by} at {approval.approved_at:%Y-%m-%d %H:%M} UTC.")
    dump = backup(postgres.database.postgres_url, settings.home / "backups")
    context.log.info(f"Restore point before the push: {dump}")


def _read_back(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    hubspot: HubSpotResource,
    result: PushResult,
    reporter: Reporter,
) -> dict[str, dict[str, int]]:
    """HubSpot's own counts, for the checks and the report. That they cannot be had does not undo the push."""
    if not result.sent or result.unknown or result.stopped_reason or result.push_id is None:
        return {}
    try:
        url, target = postgres.database.postgres_url, hubspot.target()
        return read_back(url, target, result.push_id, waits=_waits(context, reporter))
    except Unavailable as error:
        context.log.warning(f"HubSpot's records were not counted after the push: {error}")
        return {}


def _progress(context: dg.AssetExecutionContext, reporter: Reporter):  # type: ignore[no-untyped-def]
    waits = _waits(context, reporter)

    def report(progress: Progress) -> None:
        if progress.waits_for:
            waits(progress.waits_for)
        reporter.progress("push", progress.done, progress.total, f"{progress.requests:,} requests", "records")

    return report


def _waits(context: dg.AssetExecutionContext, reporter: Reporter) -> Callable[[str], None]:
    """Says it where the push was started, and in the run's log."""

    def tell(what_for: str) -> None:
        reporter.waits(what_for)
        context.log.info(what_for)

    return tell


__all__ = ["PushResult", "hubspot_engagements"]
