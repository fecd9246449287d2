"""The reports stage: what became of the data, and what became of the push, for people."""

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from ic_assets.activities import keys
from ic_assets.activities.engine.reports import push_report, quality_report, report
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.resources.dagster_resources import PostgresResource

SummaryFrame = create_dagster_pandas_dataframe_type(
    name="ActivitiesSummary",
    description="One row per activity type: how many communications, how many with each HubSpot record, how many orphans.",
    columns=[
        PandasColumn.string_column("activity_type", non_nullable=True, unique=True),
        PandasColumn.integer_column("total", min_value=0),
        PandasColumn.integer_column("with_contact", min_value=0),
        PandasColumn.integer_column("with_company", min_value=0),
        PandasColumn.integer_column("with_deal", min_value=0),
        PandasColumn.integer_column("orphaned", min_value=0),
        PandasColumn.integer_column("processed", min_value=0),
        PandasColumn.integer_column("in_error", min_value=0),
    ],
)


@dg.asset(
    key=keys.DATA_QUALITY,
    deps=[keys.derivative(activity) for activity in ACTIVITY_TYPES],
    group_name=keys.REPORTS,
    kinds={"pandas", "markdown"},
    owners=keys.OWNERS,
    dagster_type=SummaryFrame,
    description="Where every row of every drop went, the plan's checkpoints, types and orphans, as Markdown and HTML.",
)
def data_quality(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.Output[pd.DataFrame]:
    with postgres.database.transaction() as connection:
        quality = quality_report.data_quality(connection)
    paths = report.write(quality, postgres.settings.home / "reports")
    return dg.Output(
        quality.frames["summary"],
        metadata={
            "dagster/row_count": int(quality.frames["summary"]["total"].sum()),
            "report": dg.MetadataValue.md(quality.brief),
            "html": dg.MetadataValue.path(str(paths.html)),
            "markdown": dg.MetadataValue.path(str(paths.markdown)),
        },
    )


@dg.asset(
    key=keys.PUSH_COMPLETION,
    deps=[keys.engagement(activity) for activity in ACTIVITY_TYPES],
    group_name=keys.REPORTS,
    kinds={"pandas", "markdown"},
    owners=keys.OWNERS,
    description=(
        "What stands in HubSpot by type and state, what was refused and what to do about it, how fast HubSpot took it, and "
        "whether HubSpot counts the same."
    ),
)
def push_completion(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    with postgres.database.transaction() as connection:
        completion = push_report.push_completion(connection)
    paths = report.write(completion, postgres.settings.home / "reports")
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(completion.markdown),
            "html": dg.MetadataValue.path(str(paths.html)),
            "markdown": dg.MetadataValue.path(str(paths.markdown)),
        }
    )
