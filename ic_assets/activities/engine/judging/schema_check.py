"""Whether the staging schema is what the migrations make of it, and the classification function what DATA says."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS

_TABLES = (
    "ic_drop",
    "ic_communication_landing",
    "ic_rejected_row",
    "ic_field_warning",
    "ic_month",
    "ic_month_stage",
    "ic_figure",
    "ic_figure_month",
    "ic_activity_classification",
    "ic_direction_rule",
    "ic_status_rule",
    "ic_priority_rule",
    "ic_rule_file",
    "ic_drop_file",
    "ic_attempt",
    "contacts_reconciliation",
    "companies_reconciliation",
    "deals_reconciliation",
    "ic_communication_master",
    "reconciliation_log",
    "ic_payload_part",
)
_VIEWS = (
    *(activity.view for activity in ACTIVITY_TYPES),
    *(activity.outgoing for activity in ACTIVITY_TYPES),
    "v_ic_outgoing_source",
    "v_ic_outgoing_deleted",
    "v_ic_activities_summary",
    "v_ic_derivative",
    "v_ic_derivative_coverage",
    "v_ic_month_ready",
    "v_ic_push_status",
)


def schema_problems(connection: psycopg.Connection) -> list[str]:
    """What is missing or does not work, one sentence each; empty when all is well."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'staging'"
    ):
        columns.setdefault(table, set()).add(column)
    wanted: dict[str, set[str]] = {name: set() for name in (*_TABLES, *_VIEWS)}
    for table in ("ic_communication_landing", "ic_communication_master"):
        wanted[table] = {column.name for column in COLUMNS}
    for activity in ACTIVITY_TYPES:
        wanted[activity.table] = {column.name for column in DERIVATIVE_COLUMNS[activity.name]}
    problems = [f"staging.{name} is missing." for name in wanted if name not in columns]
    problems += [
        f"staging.{name} lacks {', '.join(sorted(missing))}."
        for name, needed in wanted.items()
        if name in columns and (missing := needed - columns[name])
    ]
    if problems:
        return problems
    problems += _unusable_constraints(connection)
    for view in _VIEWS:
        connection.execute(sql.SQL("SELECT * FROM staging.{} LIMIT 0").format(sql.Identifier(view)))
    return problems + _misclassified(connection)


def _unusable_constraints(connection: psycopg.Connection) -> list[str]:
    """Constraints that were never validated, indexes left invalid, and the keys that exactly-once rests on."""
    rows = connection.execute(
        "SELECT format('Constraint %%s of %%s is not validated.', conname, conrelid::regclass) FROM pg_constraint"
        " WHERE connamespace = 'staging'::regnamespace AND NOT convalidated"
        " UNION ALL SELECT format('Index %%s is not valid.', indexrelid::regclass) FROM pg_index"
        " INNER JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE relnamespace = 'staging'::regnamespace AND NOT (indisvalid AND indisready)"
        " UNION ALL SELECT format('staging.%%s has no unique key on %%s.', needed.tab, needed.col)"
        " FROM unnest(%s::text[], %s::text[]) AS needed (tab, col) WHERE NOT EXISTS ("
        " SELECT 1 FROM pg_index INNER JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]"
        " WHERE indrelid = format('staging.%%I', needed.tab)::regclass"
        " AND indisunique AND indnkeyatts = 1 AND attname = needed.col)",
        (
            ["ic_communication_master", *(activity.table for activity in ACTIVITY_TYPES)],
            ["comm_communicationid", *("ic_communication_master_id" for _ in ACTIVITY_TYPES)],
        ),
    ).fetchall()
    return [row[0] for row in rows]


def _misclassified(connection: psycopg.Connection) -> list[str]:
    """The rules that no edit of the classification can change: a case by its id and priority, the unknown a note."""
    rows = connection.execute(
        "SELECT format('classify_activity_type(%%L, %%L, %%s) is not %%s.', kind, priority, caseid, expected)"
        " FROM (VALUES ('case', 'high', 1::bigint, 'tasks'), (' Case ', 'URGENT', 2, 'tasks'),"
        " ('case', 'low', 3, 'notes'), ('case', 'high', NULL, 'notes'), ('no such type', NULL, NULL, 'notes'),"
        " (NULL, NULL, NULL, 'notes')) AS example (kind, priority, caseid, expected)"
        " WHERE staging.classify_activity_type(kind, priority, caseid) <> expected"
        " AND EXISTS (SELECT 1 FROM staging.ic_activity_classification"
        " WHERE (comm_type, comm_action, activity_type) = ('case', '*', 'case'))"
        " AND NOT EXISTS (SELECT 1 FROM staging.ic_activity_classification WHERE (comm_type, comm_action) = ('*', '*'))",
        (),
    ).fetchall()
    return [row[0] for row in rows]
