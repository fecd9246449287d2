"""Dagster's asset checks: the rules of ``engine.judging.rules`` as check specs and results, and the checks that run after an
asset. The rules' figures and sentences are written once, there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.judging.rules import derivative_rules, judge, master_rules, resolution_rules
from ic_assets.activities.engine.judging.schema_check import schema_problems
from ic_assets.activities.engine.judging.verdicts import Rule, Verdict, percentage
from ic_assets.activities.engine.reports.frames import contract_problems
from ic_assets.activities.engine.staging.classification import FILES
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.contract import landing_schema
from ic_assets.activities.facts.derivative_contract import derivative_frame_schema
from ic_assets.operations.rule_checks import rule_file_check
from ic_assets.resources.dagster_resources import PostgresResource

if TYPE_CHECKING:
    import pandera.pandas as pa


def spec(rule: Rule, asset: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(rule.name, asset=asset, blocking=rule.blocking, description=rule.demand)


def result(verdict: Verdict, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Blocking rules fail as ERROR, which stops what follows in the run; the others warn."""
    metadata: dict[str, dg.MetadataValue] = {
        "failing": dg.MetadataValue.int(verdict.failing),
        "checked": dg.MetadataValue.int(verdict.checked),
        "failing_percent": dg.MetadataValue.float(
            percentage(verdict.failing, verdict.checked) if verdict.checked else 0.0
        ),
    }
    if verdict.sample:
        metadata["sample"] = dg.MetadataValue.json(verdict.sample)
    if not verdict.passed:
        metadata["what_to_do"] = dg.MetadataValue.text(verdict.next_step)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=asset,
        check_name=verdict.rule.name,
        severity=dg.AssetCheckSeverity.ERROR if verdict.rule.blocking else dg.AssetCheckSeverity.WARN,
        description=verdict.figure,
        metadata=metadata,
    )


def evaluation(verdict: Verdict, asset: dg.AssetKey) -> dg.AssetCheckEvaluation:
    """A verdict that is recorded outside a run."""
    found = result(verdict, asset)
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=verdict.rule.name,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
        blocking=verdict.rule.blocking,
    )


_PARTITION_TAGS = frozenset({"dagster/partition", "dagster/asset_partition_range_start"})


def _checks(name: str, asset: dg.AssetKey, rules: Sequence[Rule]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=name, specs=[spec(rule, asset) for rule in rules], can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        # In a run of months only those have changed; a check that a person starts by itself looks at everything.
        recount = _PARTITION_TAGS.isdisjoint(context.run.tags)
        verdicts = postgres.database.repeated(
            name, lambda connection: judge(connection, rules, lambda rule: rule.name in wanted, recount=recount)
        )
        for verdict in verdicts:
            yield result(verdict, asset)

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
        description="The schema is complete." if not problems else f"{problems[0]} {_INCOMPLETE}",
        metadata={"problems": _listed(problems), "what_to_do": _INCOMPLETE} if problems else {},
    )


_INCOMPLETE = "Run `ic-assets doctor`."
_NOT_AS_DECLARED = (
    "Rows were changed outside this project, or it has a defect: run their months again, then `ic-assets doctor`."
)


def _listed(problems: Sequence[str]) -> dg.MetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {problem}" for problem in problems[:10]))


def _contract_checks(
    name: str, schemas: Mapping[dg.AssetKey, tuple[str, Callable[[], "pa.DataFrameSchema"]]]
) -> dg.AssetChecksDefinition:
    """The newest rows of each table against the declared columns: names, types, nullability, enumerations."""

    @dg.multi_asset_check(
        name=name,
        specs=[
            dg.AssetCheckSpec(
                "columns_as_declared",
                asset=key,
                blocking=True,
                description=f"The newest {_SAMPLED_ROWS} rows hold what the declared columns say.",
            )
            for key in schemas
        ],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
        for key in sorted(check.asset_key for check in context.selected_asset_check_keys):
            table, schema = schemas[key]
            with postgres.database.transaction() as connection:
                rows, problems = contract_problems(connection, table, schema(), _SAMPLED_ROWS)
            yield dg.AssetCheckResult(
                passed=not problems,
                asset_key=key,
                check_name="columns_as_declared",
                description=f"{rows} rows hold what the declared columns say."
                if not problems
                else f"{problems[0]} {_NOT_AS_DECLARED}",
                metadata={
                    "checked": rows,
                    **({"problems": _listed(problems), "what_to_do": _NOT_AS_DECLARED} if problems else {}),
                },
            )

    return checks


_SAMPLED_ROWS = 200
master_contract = _contract_checks("master_contract", {keys.MASTER: ("ic_communication_master", landing_schema)})
derivative_contract = _contract_checks(
    "derivative_contract",
    {
        keys.derivative(activity): (activity.table, partial(derivative_frame_schema, activity.name))
        for activity in ACTIVITY_TYPES
    },
)
master_checks = _checks("master_checks", keys.MASTER, master_rules())
resolution_checks = _checks("resolution_checks", keys.RESOLVED, resolution_rules())
derivative_checks = [
    _checks(f"{activity.name}_checks", keys.derivative(activity), derivative_rules(activity))
    for activity in ACTIVITY_TYPES
]
ALL_CHECKS = [
    schema_is_complete,
    master_contract,
    master_checks,
    resolution_checks,
    derivative_contract,
    *derivative_checks,
    rule_file_check(keys.MASTER, FILES),
]
