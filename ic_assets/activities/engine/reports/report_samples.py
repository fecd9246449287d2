"""Sampled records of each type beside the row of the drop that they came from, for the eyes of a person."""

from __future__ import annotations

from typing import Any

import pandas as pd
import psycopg
from psycopg import sql

from ic_assets.activities.engine.reports.frames import frame
from ic_assets.activities.engine.reports.masked_values import mask_value, shortened
from ic_assets.activities.engine.reports.report import Section
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS, DerivativeColumn
from ic_assets.core.sql import statement

SAMPLED = 10
_LONGEST = 80
_LONGEST_FULL = 1000
# What the database or the push writes about a row; the sample is about what became of its content.
_OURS = ("id", "ic_communication_master_id", "hubspot_api_payload", "created_at", "pushed_at", "last_updated")
# The resolved ids come from these columns by way of the reconciliation tables.
_BY_RECONCILIATION = {
    "hubspot_contact_id": "person_id",
    "hubspot_company_id": "company_id",
    "hubspot_deal_id": "comm_opportunityid",
}
_HEAD = ("comm_communicationid", "source_drop", "source_line")


def samples_section(connection: psycopg.Connection, *, full: bool = False) -> Section:
    """``SAMPLED`` records a type, the same ones while the data is the same. Looks up so many rows, by their keys."""
    how = "in full" if full else "masked; `ic-assets report --full` writes a copy with values in full"
    return Section(
        "Sampled records",
        text=(
            f"{SAMPLED} records of each type, spread evenly over its table: each column beside what it was made of, values "
            f"{how}. Empty columns made of empty ones are left out."
        ),
        parts=[_of_type(connection, activity, full) for activity in ACTIVITY_TYPES],
        is_appendix=True,
    )


def _of_type(connection: psycopg.Connection, activity: ActivityType, full: bool) -> Section:
    columns = [column for column in DERIVATIVE_COLUMNS[activity.name] if column.name not in _OURS]
    sources = sorted({source for column in columns for source in _sources(column)})
    selected = [
        *(sql.SQL("m.{}").format(sql.Identifier(name)) for name in _HEAD),
        *(sql.SQL("d.{0} AS {1}").format(*map(sql.Identifier, (c.name, f"d_{c.name}"))) for c in columns),
        *(sql.SQL("m.{0} AS {1}").format(*map(sql.Identifier, (name, f"m_{name}"))) for name in sources),
    ]
    found = frame(
        connection,
        statement(
            "activities/reports/samples", table=sql.Identifier(activity.table), columns=sql.SQL(", ").join(selected)
        ),
        {"row_limit": SAMPLED},
    )
    rows = []
    for record in found.to_dict("records"):
        name = f"{record['comm_communicationid']}\n{record['source_drop']}, line {record['source_line']:,}"
        for column in columns:
            made_of = [(source, record[f"m_{source}"]) for source in _sources(column)]
            value = record[f"d_{column.name}"]
            if value is None and all(part is None for _, part in made_of):
                continue
            rows.append(
                (
                    name,
                    column.name,
                    _shown(column.name, value, full),
                    ", ".join(source for source, _ in made_of),
                    " · ".join(_shown(source, part, full) for source, part in made_of),
                )
            )
    return Section(
        activity.name.replace("_", " ").capitalize(),
        pd.DataFrame(rows, columns=["communication", "column", "value", "made of", "in the source"], dtype=object),
        caption=f"staging.{activity.table} beside staging.ic_communication_master: communication, drop and line",
        empty="No record of this type.",
        grouped=True,
        folded=True,
    )


def _sources(column: DerivativeColumn) -> list[str]:
    return [_BY_RECONCILIATION.get(source, source) for source in column.sources]


def _shown(column: str, value: Any, full: bool) -> str:
    if value is None:
        return "–"
    if full:
        return shortened(str(value), _LONGEST_FULL)
    return shortened(str(mask_value(column, value)), _LONGEST)
