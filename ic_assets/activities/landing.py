"""The landing stage: one dropped file becomes rows with line numbers and a fate each, and rejects beside them."""

from pathlib import Path

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.checks import result, spec
from ic_assets.activities.engine.drop.column_map import names_in_force
from ic_assets.activities.engine.judging.rules import landing_rules
from ic_assets.activities.engine.landing.drop_landing import land, record_refusal
from ic_assets.activities.engine.landing.first_look import drop_key, inspected
from ic_assets.activities.engine.landing.landed import Landed
from ic_assets.activities.metadata import code_version, described, landing_schema, table_metadata
from ic_assets.activities.partitions import csv_drops, months, require_months
from ic_assets.activities.run_metadata import bar
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.core.months import month_key
from ic_assets.resources.dagster_events import record
from ic_assets.resources.dagster_resources import PostgresResource, Reporter

DATA_VERSION_TAG = "dagster/data_version"
# Shown one by one up to this many; all of them are in the metadata "drop".
_MOST_MONTHS = 24

ic_communication_landing_months = dg.AssetSpec(
    keys.MONTHS,
    partitions_def=months,
    group_name=keys.INTAKE,
    kinds={"postgres"},
    owners=keys.OWNERS,
    description=described(
        "The landing, cut by month: what the master follows. Nothing is stored here.",
        grain="one month; a drop observes a new data version on exactly the months that it touches",
        know=["Months that no drop has touched stay empty. They are no gap."],
    ),
    deps=[keys.LANDING],
)


@dg.asset(
    key=keys.LANDING,
    partitions_def=csv_drops,
    group_name=keys.INTAKE,
    kinds={"csv", "postgres"},
    owners=keys.OWNERS,
    code_version=code_version(
        "activities/landing/repeated",
        "activities/landing/repeated_people",
        "activities/landing/deletions_in_drop",
        "activities/landing/joined",
        "activities/landing/superseded",
        "activities/landing/unreadable_update",
        "activities/landing/fill_absent_columns",
        "activities/landing/against_earlier",
        "activities/landing/retire_earlier",
    ),
    metadata={**table_metadata("ic_communication_landing"), "dagster/column_schema": landing_schema()},
    check_specs=[spec(rule, keys.LANDING) for rule in landing_rules()],
    output_required=False,
    description=described(
        "The rows of the dropped files as they came, each with its physical line number and its fate.",
        grain="one readable row of one drop: `drop_id` and `line_number`",
        know=[
            "A communication stands here once for each drop that had it; `is_current` marks the version in the master.",
            "`fate` is inserted, updated or unchanged; joined is a further person of a communication; superseded_in_drop, "
            "unreadable_update and stale are rejects.",
            "Rows that cannot be read are in `staging.ic_rejected_row`, with the reason and the raw text; fields that cannot "
            "be read are empty here and in `staging.ic_field_warning`.",
            "A file whose content has landed before is not loaded again, under any name.",
            "Personal data as it came.",
        ],
    ),
)
def ic_communication_landing(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    reporter: dg.ResourceParam[Reporter],
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    settings = postgres.settings
    require_months(settings)
    path = reporter.file or _in_drop_folder(settings.drop_dir, context.partition_key)
    try:
        info = inspected(path, settings.encoding, reporter.columns or names_in_force())
    except DropRefused as refusal:
        with postgres.database.transaction() as connection:
            record_refusal(connection, path, refusal)
        raise
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
        progress=lambda at: reporter.progress(path.name, at.bytes_read, at.bytes_total, f"{at.rows:,} rows", "bytes"),
    )
    reporter.finished("load", landed)
    version = {DATA_VERSION_TAG: info.content_sha256[:16]}
    record(
        context, [dg.AssetObservation(keys.MONTHS, partition=month_key(month), tags=version) for month in landed.months]
    )
    with postgres.database.transaction() as connection:
        verdicts = [rule.judge(connection, {"drop_keys": [landed.drop_key]}) for rule in landing_rules()]
    return dg.MaterializeResult(
        metadata=_metadata(landed), check_results=[result(verdict, keys.LANDING) for verdict in verdicts]
    )


def _in_drop_folder(folder: Path, partition_key: str) -> Path:
    """The file that the key was made of. Looked for among the folder's own files: a key is text from outside, and
    ``../name`` in it names none of them."""
    if folder.is_dir():
        for path in folder.iterdir():
            if not path.is_symlink() and drop_key(path, "") == f"{partition_key.rpartition('@')[0]}@":
                return path
    raise Refused(f"{partition_key}: no such file in {folder}; put it back, or load it with `ic-assets load FILE`")


def _metadata(landed: Landed) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(landed.inserted + landed.updated),
        "outcome": dg.MetadataValue.text(_outcome(landed)),
    }
    if landed.rows_in:
        metadata["rows"] = dg.MetadataValue.md(_where_the_rows_went(landed))
    if landed.read_as:
        metadata["read_as"] = dg.MetadataValue.text(landed.read_as)
    if landed.missing_columns:
        metadata["columns_not_in_the_file"] = dg.MetadataValue.text(", ".join(landed.missing_columns))
    if landed.unknown_columns:
        metadata["columns_not_loaded"] = dg.MetadataValue.text(", ".join(landed.unknown_columns))
    metadata["months"] = dg.MetadataValue.text(_months(landed))
    metadata["drop"] = dg.MetadataValue.json(landed.to_json())
    return metadata


def _months(landed: Landed) -> str:
    months = [month_key(month)[:7] for month in landed.months]
    if len(months) > _MOST_MONTHS:
        return f"{len(months)} months from {months[0]} to {months[-1]}"
    return ", ".join(months) or "none"


def _where_the_rows_went(landed: Landed) -> str:
    fates = {name: getattr(landed, name) for name in ("inserted", "updated", "unchanged", "joined", "rejected")}
    lines = [
        "| fate | rows | |",
        "|---|---:|---|",
        *(f"| {name} | {rows:,} | {bar(rows, landed.rows_in)} |" for name, rows in fates.items()),
    ]
    if landed.rejected:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in landed.rejected_by_reason.items())
        lines += ["", f"Rejected: {reasons}. Their lines are in `staging.ic_rejected_row` and the data quality report."]
    return "\n".join(lines)


def _outcome(landed: Landed) -> str:
    if landed.already_landed:
        return f"Nothing loaded: the same content landed before as {landed.drop_key}."
    return (
        f"{landed.rows_in:,} rows = {landed.inserted:,} inserted + {landed.updated:,} updated + "
        f"{landed.unchanged:,} unchanged + {landed.joined:,} joined + {landed.rejected:,} rejected"
    )
