"""Dagster's asset checks: the rules of ``engine.rules`` as check specs and results, and the checks that run after an
asset. The rules' figures and sentences are written once, there."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine.rules import Rule, Verdict, derivative_rules, master_rules, resolution_rules
from ic_assets.activities.engine.schema_check import schema_problems
from ic_assets.resources.dagster_resources import PostgresResource


def spec(rule: Rule, asset: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(rule.name, asset=asset, blocking=rule.blocking, description=rule.next_step)


def result(verdict: Verdict, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Blocking rules fail as ERROR, which stops what follows in the run; the others warn."""
    metadata: dict[str, dg.MetadataValue] = {
        "failing": dg.MetadataValue.int(verdict.failing),
        "checked": dg.MetadataValue.int(verdict.checked),
        "failing_share": dg.MetadataValue.float(round(verdict.share, 6)),
    }
    if verdict.sample:
        metadata["sample"] = dg.MetadataValue.json(verdict.sample)
    if not verdict.passed:
        metadata["what_to_do"] = dg.MetadataValue.text(verdict.rule.next_step)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=asset,
        check_name=verdict.rule.name,
        severity=dg.AssetCheckSeverity.ERROR if verdict.rule.blocking else dg.AssetCheckSeverity.WARN,
        description=verdict.figure,
        metadata=metadata,
    )


def _checks(name: str, asset: dg.AssetKey, rules: Sequence[Rule]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=name, specs=[spec(rule, asset) for rule in rules], can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        with postgres.database.transaction() as connection:
            for rule in rules:
                if rule.name in wanted:
                    yield result(rule.judge(connection), asset)

    return checks


@dg.asset_check(
    asset=keys.MASTER,
    blocking=True,
    description="All tables, views, constraints, indexes and the function are there, and the views can be read.",
)
def schema_is_complete(postgres: PostgresResource) -> dg.AssetCheckResult:
    with postgres.database.transaction() as connection:
        problems = schema_problems(connection)
    return dg.AssetCheckResult(
        passed=not problems,
        description="The schema is complete." if not problems else f"{problems[0]} Run `ic-assets doctor`.",
        metadata={"problems": dg.MetadataValue.json(problems)},
    )


master_checks = _checks("master_checks", keys.MASTER, master_rules())
resolution_checks = _checks("resolution_checks", keys.RESOLVED, resolution_rules())
derivative_checks = [
    _checks(f"{activity.name}_checks", keys.derivative(activity), derivative_rules(activity))
    for activity in ACTIVITY_TYPES
]
ALL_CHECKS = [schema_is_complete, master_checks, resolution_checks, *derivative_checks]
