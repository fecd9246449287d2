"""The roll-backs of staging. Each counts by the same predicate that it removes by, takes the locks of those who write what
it takes away, and leaves the push ledger alone."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.staging.slices import RESOLVED, hold_all
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.failures import Refused
from ic_assets.core.months import Window

_DERIVATIVES = tuple(activity.table for activity in ACTIVITY_TYPES)
_ALL_OF_A_DROP = (
    *_DERIVATIVES,
    "ic_payload_part",
    "ic_communication_party",
    "reconciliation_log",
    "ic_communication_master",
    "ic_communication_landing",
    "ic_deleted_communication",
    "ic_rejected_row",
    "ic_field_warning",
    "ic_address_text",
    "ic_month_stage",
    "ic_figure",
    "ic_figure_month",
    "ic_month",
    "ic_drop",
)


def records_in_hubspot(connection: psycopg.Connection) -> int:
    """Records that some portal holds by the ledger."""
    row = connection.execute(
        "SELECT count(*) FROM hubspot.push_ledger WHERE hubspot_id IS NOT NULL AND state <> 'removed'"
    ).fetchone()
    return int(row[0]) if row else 0


def counts(connection: psycopg.Connection, scope: str, window: Window | None) -> dict[str, int]:
    """The rows that ``rollback`` would remove or reset, by table."""
    result = {}
    for table, condition, parameters in _targets(scope, window):
        query = sql.SQL("SELECT count(*) FROM staging.{} WHERE {}").format(sql.Identifier(table), condition)
        row = connection.execute(query, parameters).fetchone()
        result[f"staging.{table}"] = int(row[0]) if row else 0
    return result


def rollback(connection: psycopg.Connection, scope: str, window: Window | None) -> dict[str, int]:
    """Removes what ``counts`` counts and returns how much it was. ``scope`` is activities, resolution or master."""
    hold_all(connection, window)
    removed = {}
    for table, condition, parameters in _targets(scope, window):
        verb = _FORGET_IDS if table == "ic_communication_master" and scope == "resolution" else _DELETE
        done = connection.execute(verb.format(table=sql.Identifier(table)) + condition, parameters)
        removed[f"staging.{table}"] = done.rowcount
    if scope == "activities":
        condition, parameters = _within("comm_datetime", window)
        connection.execute(
            sql.SQL(
                "UPDATE staging.ic_communication_master SET staging_status = 'pending', processed_at = NULL,"
                " error_message = NULL WHERE staging_status <> 'pending' AND {}"
            ).format(condition),
            parameters,
        )
    return removed


_DELETE = sql.SQL("DELETE FROM staging.{table} WHERE ")
_FORGET_IDS = sql.SQL(
    "UPDATE staging.{table} SET hubspot_contact_id = NULL, hubspot_company_id = NULL, hubspot_deal_id = NULL,"
    " is_orphaned = true WHERE "
)


def refuse_schema(connection: psycopg.Connection) -> None:
    """Raises ``Refused`` while records stand in HubSpot: the ledger that knows them would be lost. Nobody lands, stages or
    pushes from here until the transaction ends."""
    hold_all(connection, None)
    connection.execute("LOCK TABLE hubspot.push_ledger IN SHARE ROW EXCLUSIVE MODE")
    standing = records_in_hubspot(connection)
    if standing:
        raise Refused(
            f"{standing:,} records stand in HubSpot and the ledger that knows them would be lost; "
            "take them back first, or keep the schema"
        )


def _targets(scope: str, window: Window | None) -> list[tuple[str, sql.Composable, dict[str, Any]]]:
    """Table, condition and parameters, in an order in which nothing refers to what is gone."""
    everything: tuple[sql.Composable, dict[str, Any]] = (sql.SQL("true"), {})
    if scope == "activities":
        stages = [activity.name for activity in ACTIVITY_TYPES]
        return [
            *((table, *_within("activity_date", window)) for table in _DERIVATIVES),
            ("ic_payload_part", *_parts_within(window)),
            ("ic_month_stage", *_stages_within(stages, window)),
        ]
    if scope == "resolution":
        condition, parameters = _within("comm_datetime", window)
        resolved = sql.SQL("num_nonnulls(hubspot_contact_id, hubspot_company_id, hubspot_deal_id) > 0 AND {}")
        return [
            ("reconciliation_log", *_within("month", window)),
            ("ic_communication_master", resolved.format(condition), parameters),
            ("ic_month_stage", *_stages_within([RESOLVED], window)),
        ]
    return [(table, *everything) for table in _ALL_OF_A_DROP]


def _within(column: str, window: Window | None) -> tuple[sql.Composable, dict[str, Any]]:
    if window is None:
        return sql.SQL("true"), {}
    condition = sql.SQL("{0} >= %(window_start)s AND {0} < %(window_end)s").format(sql.Identifier(column))
    return condition, window.parameters


def _parts_within(window: Window | None) -> tuple[sql.Composable, dict[str, Any]]:
    condition, parameters = _within("comm_datetime", window)
    return sql.SQL("ic_communication_master_id IN (SELECT id FROM staging.ic_communication_master WHERE {})").format(
        condition
    ), parameters


def _stages_within(stages: list[str], window: Window | None) -> tuple[sql.Composable, dict[str, Any]]:
    condition, parameters = _within("comm_month", window)
    return sql.SQL("stage = ANY(%(stages)s) AND {}").format(condition), {**parameters, "stages": stages}
