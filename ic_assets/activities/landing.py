"""The landing stage: one dropped file becomes rows with line numbers and a fate each, and rejects beside them."""

from pathlib import Path

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.checks import result, spec
from ic_assets.activities.engine.landing import Landed, drop_key, inspected, land
from ic_assets.activities.engine.rules import landing_rules
from ic_assets.activities.metadata import code_version, landing_schema, table_metadata
from ic_assets.activities.partitions import csv_drops, months
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.core.windows import month_key
from ic_assets.resources.dagster_resources import PostgresResource, Reporter

DATA_VERSION_TAG = "dagster/data_version"

ic_communication_landing_months = dg.AssetSpec(
    keys.MONTHS,
    partitions_def=months,
    group_name=keys.INTAKE,
    kinds={"postgres"},
    owners=keys.OWNERS,
    description=(
        "The months of the landing. A drop touches few of them: landing observes a new data version on exactly those, "
        "so that they alone show as stale downstream. (A partition mapping from drops to months would mark every "
        "month after any drop, or none.)"
    ),
    deps=[keys.LANDING],
)


class DropConfig(dg.Config):
    """Where the dropped file is; by default in the drop folder, under the name in the partition key."""

    path: str | None = None


@dg.asset(
    key=keys.LANDING,
    partitions_def=csv_drops,
    group_name=keys.INTAKE,
    kinds={"csv", "postgres"},
    owners=keys.OWNERS,
    code_version=code_version(
        "activities/landing/superseded",
        "activities/landing/fill_absent_columns",
        "activities/landing/against_earlier",
        "activities/landing/retire_earlier",
    ),
    metadata={**table_metadata("ic_communication_landing"), "dagster/column_schema": landing_schema()},
    check_specs=[spec(rule, keys.LANDING) for rule in landing_rules()],
    output_required=False,
    description=(
        "One row for each readable row of a dropped CSV, with its physical line number and its fate: inserted, updated, "
        "unchanged, or rejected as superseded or stale. Rows that cannot be read are in staging.ic_rejected_row with "
        "the reason and the raw text; nothing is lost. A file whose content has landed before is not loaded again."
    ),
)
def ic_communication_landing(
    context: dg.AssetExecutionContext,
    config: DropConfig,
    postgres: PostgresResource,
    reporter: dg.ResourceParam[Reporter],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    settings = Settings.from_env()
    path = Path(config.path) if config.path else settings.drop_dir / context.partition_key.rpartition("@")[0]
    info = inspected(path)
    key = drop_key(path, info.content_sha256)
    if key.rpartition("@")[2] != context.partition_key.rpartition("@")[2]:
        raise Refused(
            f"{path.name}: the file changed since it was picked up; wait until it is complete, then drop it again"
        )
    landed = land(
        postgres.database,
        settings,
        path,
        info=info,
        progress=lambda at: reporter.progress(path.name, at.bytes_read, at.bytes_total, f"{at.rows:,} rows"),
    )
    reporter.finished("load", landed)
    for month in landed.months:
        context.log_event(
            dg.AssetObservation(
                keys.MONTHS, partition=month_key(month), tags={DATA_VERSION_TAG: info.content_sha256[:16]}
            )
        )
    with postgres.database.transaction() as connection:
        verdicts = [rule.judge(connection, {"drop_keys": [landed.drop_key]}) for rule in landing_rules()]
    return dg.MaterializeResult(
        metadata=_metadata(landed), check_results=[result(verdict, keys.LANDING) for verdict in verdicts]
    )


def _metadata(landed: Landed) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(landed.inserted + landed.updated),
        "outcome": dg.MetadataValue.text(_outcome(landed)),
        "drop": dg.MetadataValue.json(landed.to_json()),
        "months": dg.MetadataValue.text(", ".join(month_key(month)[:7] for month in landed.months) or "none"),
    }
    if landed.missing_columns or landed.unknown_columns:
        metadata["column_warnings"] = dg.MetadataValue.text(
            "; ".join(
                text
                for text, columns in (
                    (f"not in the file: {', '.join(landed.missing_columns)}", landed.missing_columns),
                    (f"unknown, not loaded: {', '.join(landed.unknown_columns)}", landed.unknown_columns),
                )
                if columns
            )
        )
    return metadata


def _outcome(landed: Landed) -> str:
    if landed.already_landed:
        return f"Nothing loaded: the same content landed before as {landed.drop_key}."
    return (
        f"{landed.rows_in:,} rows = {landed.inserted:,} inserted + {landed.updated:,} updated + "
        f"{landed.unchanged:,} unchanged + {landed.rejected:,} rejected"
    )
