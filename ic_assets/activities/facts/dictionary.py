"""The flow's data dictionary: the words for its tables and columns, and what leads where without a foreign key. For the
ERD, `docs/data-dictionary.md` and the metadata.

The words for the books are in `table_words` of each schema; `core/dictionary.py` joins all with the catalog.
"""

from __future__ import annotations

from ic_assets.activities.engine.reconciliation.matches import ENTITIES
from ic_assets.activities.facts import table_words as staging
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.activities.metadata import landing_schema, master_schema, reconciliation_schema
from ic_assets.core.catalog import Reference
from ic_assets.core.dictionary import Words
from ic_assets.hubspot.ledger import table_words as hubspot

SCHEMAS = ("staging", "hubspot")

TABLES = {**staging.TABLES, **hubspot.TABLES}
"""One sentence per table and view, which says its grain."""

_MASTER = "staging.ic_communication_master"
# Equal values that no foreign key states: what HubSpot holds outlives staging, and reconciliation tables may be yours.
REFERENCES = (
    *(
        Reference(_MASTER, (e.reference,), f"staging.{e.table}", (e.legacy_id,), is_declared=False)
        for e in ENTITIES.values()
    ),
    *(
        Reference(f"staging.{table}", (own,), f"staging.{target}", (other,), is_declared=False)
        for table, own, target, other in (
            ("ic_communication_landing", "drop_id", "ic_drop", "drop_id"),
            ("ic_communication_landing", "comm_communicationid", "ic_communication_master", "comm_communicationid"),
            ("ic_communication_master", "source_drop", "ic_drop", "drop_key"),
            ("ic_deleted_communication", "source_drop", "ic_drop", "drop_key"),
            ("ic_rejected_row", "drop_key", "ic_drop", "drop_key"),
            ("ic_field_warning", "drop_key", "ic_drop", "drop_key"),
            ("ic_month_stage", "comm_month", "ic_month", "comm_month"),
            ("ic_figure_month", "comm_month", "ic_month", "comm_month"),
            ("ic_figure", "comm_month", "ic_month", "comm_month"),
            ("reconciliation_log", "month", "ic_month", "comm_month"),
        )
    ),
    Reference("hubspot.push_ledger", ("record_key",), _MASTER, ("comm_communicationid",), is_declared=False),
    *(
        Reference(f"hubspot.{table}", (column,), f"hubspot.{target}", (column,), is_declared=False)
        for table, column, target in (
            ("push_ledger", "portal_id", "portal"),
            ("push_ledger", "push_id", "push_run"),
            ("push_plan", "push_id", "push_run"),
            ("push_rollback_record", "push_id", "push_run"),
            ("push_preview", "portal_id", "portal"),
            ("rate_budget", "portal_id", "portal"),
            ("approval", "portal_id", "portal"),
        )
    ),
)
"""What leads where by equal values, without a foreign key."""


def _words() -> dict[str, dict[str, str]]:
    """Table -> column -> what it holds."""
    declared = {
        "staging.ic_communication_landing": landing_schema(),
        _MASTER: master_schema(),
        **{f"staging.{entity.table}": reconciliation_schema(entity) for entity in ENTITIES.values()},
    }
    words = {**staging.COLUMNS, **hubspot.COLUMNS}
    words |= {name: {c.name: c.description or "" for c in schema.columns} for name, schema in declared.items()}
    for activity in ACTIVITY_TYPES:
        words[f"staging.{activity.table}"] = {c.name: c.description for c in DERIVATIVE_COLUMNS[activity.name]}
    return words


WORDS = Words(SCHEMAS, TABLES, _words(), REFERENCES)


def origins() -> dict[str, dict[str, str]]:
    """Table -> column -> what it is made of: the column of the drop, or the columns of the master."""
    of_drop = {column.name: f"`{column.header}`" for column in COLUMNS}
    of_derivatives = {
        f"staging.{activity.table}": {
            column.name: ", ".join(f"`{source}`" for source in column.sources)
            for column in DERIVATIVE_COLUMNS[activity.name]
            if column.sources
        }
        for activity in ACTIVITY_TYPES
    }
    return {"staging.ic_communication_landing": of_drop, _MASTER: of_drop, **of_derivatives}
