"""What the flow's assets tell Dagster about themselves: column schemas, lineage, row counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.activity_types import ActivityType
from ic_assets.activities.contract import COLUMNS
from ic_assets.activities.derivative_contract import DERIVATIVE_COLUMNS, DerivativeColumn
from ic_assets.core.sql import read
from ic_assets.core.windows import month_key


def code_version(*names: str, extra: str = "") -> str:
    """A digest of the SQL files that an asset rests on, so that Dagster shows it as stale when one changes."""
    digest = hashlib.sha256(extra.encode())
    for name in names:
        digest.update(read(name).encode())
    return digest.hexdigest()[:12]


def drop_schema() -> dg.TableSchema:
    """The 22 columns of a drop, as the landing and the master hold them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.kind,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in COLUMNS
        ]
    )


def derivative_schema(activity: ActivityType) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(column.name, column.kind, description=column.description)
            for column in DERIVATIVE_COLUMNS[activity.name]
        ]
    )


def derivative_lineage(activity: ActivityType) -> dg.TableColumnLineage:
    """Which master columns each column of the derivative is made of."""

    def deps(column: DerivativeColumn) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(keys.MASTER, source) for source in column.sources]

    return dg.TableColumnLineage(
        {column.name: deps(column) for column in DERIVATIVE_COLUMNS[activity.name] if column.sources}
    )


def table_metadata(table: str) -> dict[str, Any]:
    return {"dagster/table_name": f"staging.{table}", "dagster/storage_kind": "postgres"}


def add_month_counts(context: dg.AssetExecutionContext, counts: Mapping[date, int], key: dg.AssetKey) -> None:
    """The rows of each month on that month's event: all partitions of a run otherwise carry the same metadata."""
    for partition in context.partition_keys:
        context.add_asset_metadata(
            {"dagster/partition_row_count": counts.get(date.fromisoformat(partition), 0)},
            asset_key=key,
            partition_key=partition,
        )


def month_keys(months: Mapping[date, int]) -> list[str]:
    return [month_key(month) for month in months]
