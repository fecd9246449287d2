"""What the flow's assets tell Dagster about themselves: descriptions, column schemas, lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.reconciliation.matches import Entity
from ic_assets.activities.facts.activity_types import ActivityType
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS, DerivativeColumn
from ic_assets.core.schema import defined
from ic_assets.core.sql import read


def code_version(*names: str, views: Sequence[str] = (), extra: str = "") -> str:
    """A digest of what an asset rests on, so that Dagster shows it as stale when something of it changes: the SQL files,
    and the views and functions that these name or ``views`` does, as they are in force."""
    texts = [read(name) for name in names]
    digest = hashlib.sha256(extra.encode())
    for text in (*texts, defined(*texts, *views)):
        digest.update(text.encode())
    return digest.hexdigest()[:12]


# name, type, what it holds, nullable: what the tables have beside the columns of the drop.
_LANDING_COLUMNS = (
    ("drop_id", "integer", "The drop, as in staging.ic_drop", False),
    ("line_number", "bigint", "Physical line of the file on which the row starts", False),
    ("fate", "text", "inserted, updated, unchanged, joined, superseded_in_drop or stale", False),
    ("is_current", "boolean", "Whether this is the version that the master shows", False),
    ("party_drop_id", "integer", "The drop whose joined rows are its further people, where that is another one", True),
)
_MASTER_COLUMNS = (
    ("id", "bigint", "Surrogate key; stays what it was when the communication changes", False),
    ("derived_activity_type", "text", "One of the seven HubSpot activity types", False),
    ("is_task_eligible", "boolean", "Whether it became a task, out of a case or by its own type", False),
    ("hubspot_contact_id", "bigint", "HubSpot contact of person_id", True),
    ("hubspot_company_id", "bigint", "HubSpot company of company_id", True),
    ("hubspot_deal_id", "bigint", "HubSpot deal of comm_opportunityid", True),
    ("is_orphaned", "boolean", "Whether it leads to no HubSpot record", False),
    ("staging_status", "text", "pending, processed or error", False),
    ("error_message", "text", "Why its payload is not one that HubSpot takes", True),
    ("created_at", "timestamptz", "When this row was first written", False),
    ("processed_at", "timestamptz", "When its derivative row stood", True),
    ("last_updated", "timestamptz", "When this row was last written", False),
    ("source_drop", "text", "The drop that its current version came with", False),
    ("source_line", "bigint", "The line in that drop", False),
)


def landing_schema() -> dg.TableSchema:
    return dg.TableSchema([*_columns(_LANDING_COLUMNS), *_drop_columns()])


def master_schema() -> dg.TableSchema:
    return dg.TableSchema([*_drop_columns(), *_columns(_MASTER_COLUMNS)])


def derivative_schema(activity: ActivityType) -> dg.TableSchema:
    return dg.TableSchema(
        _columns(
            [
                (column.name, column.kind, column.description, not column.required)
                for column in DERIVATIVE_COLUMNS[activity.name]
            ]
        )
    )


def reconciliation_schema(entity: Entity) -> dg.TableSchema:
    """The columns of the table as this project makes it; one that stood before may lack those for people."""
    return dg.TableSchema(
        _columns(
            [
                (entity.legacy_id, "bigint", f"Legacy id of the {entity.singular}", False),
                (entity.hubspot_id, "bigint", f"HubSpot id of the {entity.singular}; empty: not in HubSpot", True),
                *((f"{entity.singular}_{extra}", "text", "For people to read", True) for extra in entity.extras),
                ("reconciliation_status", "text", "How the match was made", True),
                ("match_confidence", "numeric", "How sure the match is", True),
                ("last_updated", "timestamptz", "When the match was last written", False),
            ]
        )
    )


def _drop_columns() -> list[dg.TableColumn]:
    return _columns([(column.name, column.kind, column.description, not column.required) for column in COLUMNS])


def _columns(columns: Sequence[tuple[str, str, str, bool]]) -> list[dg.TableColumn]:
    return [
        dg.TableColumn(name, kind, description=description, constraints=dg.TableColumnConstraints(nullable=nullable))
        for name, kind, description, nullable in columns
    ]


def derivative_lineage(activity: ActivityType) -> dg.TableColumnLineage:
    """Which master columns each column of the derivative is made of."""

    def deps(column: DerivativeColumn) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(keys.MASTER, source) for source in column.sources]

    return dg.TableColumnLineage(
        {column.name: deps(column) for column in DERIVATIVE_COLUMNS[activity.name] if column.sources}
    )


def described(what: str, *, grain: str, know: Sequence[str]) -> str:
    """A description as Markdown: what the table is, what one row of it is, and what trips people up."""
    return "\n".join(
        [what, "", f"**One row** is {grain}.", "", "**Good to know**", "", *(f"- {line}" for line in know)]
    )


def table_metadata(table: str) -> dict[str, Any]:
    return {"dagster/table_name": f"staging.{table}", "dagster/storage_kind": "postgres"}
