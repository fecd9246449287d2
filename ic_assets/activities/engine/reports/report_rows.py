"""The sections of the data quality report about rows that need a look: unrecognised values, rejected rows, field warnings,
orphans and unresolved references. Each list is bounded and says where the rest is."""

from __future__ import annotations

import pandas as pd
import psycopg

from ic_assets.activities.engine.drop.reasons import REJECTS, WARNINGS, advice
from ic_assets.activities.engine.judging.verdicts import percent
from ic_assets.activities.engine.reconciliation.impact import Impact
from ic_assets.activities.engine.reports.masked_values import mask_raw, shortened
from ic_assets.activities.engine.reports.report import Section, counted, read_frame
from ic_assets.activities.engine.reports.report_flow import Flow
from ic_assets.activities.engine.staging.unrecognised import KINDS, unrecognised
from ic_assets.activities.facts.contract import BY_NAME, COLUMNS
from ic_assets.core.masking import mask_addresses

_GROUPS, _LINES, REFERENCES = 40, 8, 10


def unrecognised_section(connection: psycopg.Connection) -> Section:
    found = unrecognised(connection)
    shown = found[:_GROUPS]
    table = pd.DataFrame(
        {
            "column": [KINDS[each.kind] for each in shown],
            "value": [shortened(each.shown, 60) for each in shown],
            "activity_type": [each.activity_type for each in shown],
            "communications": [each.communications for each in shown],
            "share": [f"{each.share:.2%}".replace("%", " %") for each in shown],
            "became": [each.became or "nothing" for each in shown],
        }
    )
    return Section(
        "Unrecognised values",
        table,
        f"{counted(len(found), 'value')} that no line of the mapping names. Give them lines in `classification.csv`, "
        "`directions.csv`, `statuses.csv` or `priorities.csv` (copies in `IC_HOME` count) and run `ic-assets load`."
        if found
        else "",
        caption="Values as written, trimmed and in lower case; shares are of the activity type",
        empty="The mapping names every type, action, status and priority that the CRM uses.",
        note=_more(len(found), len(shown), "value", "staging.ic_figure"),
    )


def rejects_section(connection: psycopg.Connection, flow: Flow) -> Section:
    found = read_frame(connection, "rejects", row_limit=_GROUPS, line_limit=_LINES)
    groups = int(found["groups"].iloc[0]) if len(found) else 0
    found = _by_drop(found)
    meanings = [REJECTS.get(reason, ("", ""))[0] for reason in found["reason"]]
    advised = [advice(reason, column) for reason, column in zip(found["reason"], found["column"], strict=True)]
    return Section(
        "Rejected rows",
        found.assign(what_it_means=meanings, what_to_do=advised),
        f"{flow.rows['rejected']:,} of {flow.rows['rows_in']:,} rows were set aside; the others of their files are loaded. "
        "`ic-assets trace DROP LINE` shows one."
        if len(found)
        else "",
        caption="By drop and reason, with the first lines of the file on which such rows begin",
        empty="No row was rejected.",
        note=(
            _more(groups, len(found), "group", "staging.ic_rejected_row")
            or "All of them, with their text: `SELECT * FROM staging.ic_rejected_row ORDER BY drop_key, line_number`."
        )
        if len(found)
        else "",
        grouped=True,
    )


def field_warnings_section(connection: psycopg.Connection, full: bool) -> Section:
    found = read_frame(connection, "field_warnings", row_limit=_GROUPS, line_limit=_LINES)
    groups = int(found["groups"].iloc[0]) if len(found) else 0
    found = _by_drop(found)
    return Section(
        "Field warnings",
        found.assign(
            first_value=[
                shortened(text if full else mask_raw(text), 40) if text else "" for text in found["first_value"]
            ],
            what_it_means=[WARNINGS.get(reason, "") for reason in found["reason"]],
        ),
        "These rows are loaded, but for one field each." if len(found) else "",
        caption="By drop, column and reason, with the first lines and the first value (masked)"
        if not full
        else "By drop, column and reason, with the first lines and the first value",
        empty="Every field could be read.",
        note=(
            _more(groups, len(found), "group", "staging.ic_field_warning")
            or "All of them, with the values: `SELECT * FROM staging.ic_field_warning ORDER BY drop_key, line_number`."
        )
        if len(found)
        else "",
        grouped=True,
    )


def unreadable_ids(connection: psycopg.Connection) -> dict[str, int]:
    """How many ids could not be read and are empty for it, by the header of their column."""
    of_ids = [column.name for column in COLUMNS if column.kind == "bigint"]
    found = read_frame(connection, "unreadable_ids", columns=of_ids)
    return {BY_NAME[column].header: fields for column, fields in zip(found["column"], found["fields"], strict=True)}


def orphans_section(connection: psycopg.Connection, flow: Flow) -> Section:
    found = read_frame(connection, "orphans")
    rows = []
    for carried, of_reason in found.groupby("carries"):
        carries, total = str(carried), int(of_reason["communications"].sum())
        by_type = of_reason.sort_values("communications", ascending=False, kind="stable")
        types = ", ".join(
            f"{count:,} {name.replace('_', ' ')}"
            for name, count in zip(by_type["activity_type"], by_type["communications"], strict=True)
        )
        rows.append(
            (
                _leads_nowhere(carries.split(", ")) if carries else "carries no reference at all",
                total,
                percent(total, flow.communications),
                types,
                "Reconcile what is missing: see Unresolved references."
                if carries
                else "Correct the source, or leave them out.",
            )
        )
    rows.sort(key=lambda row: -row[1])
    return Section(
        "Orphans",
        pd.DataFrame(rows, columns=["reason", "communications", "share", "by_type", "what_to_do"], dtype=object),
        "Orphans are held back from a push unless it and its approval say `--include-orphans`." if rows else "",
        caption="Communications that lead to no HubSpot record, by reason",
        empty="Every communication leads to a HubSpot record.",
    )


def references_section(weighed: Impact) -> Section:
    table = pd.DataFrame(
        [
            (
                row.entity,
                str(row.legacy_id),
                shortened(mask_addresses(row.name), 60) if row.name else "",
                row.why,
                row.communications,
                row.cumulative_resolved,
                f"{int(row.rate_after * 10_000) / 100:.2f} %",
            )
            for row in weighed.rows
        ],
        columns=["entity", "legacy_id", "name", "reason", "communications", "together", "rate_then"],
        dtype=object,
    )
    return Section(
        "Unresolved references",
        table,
        " ".join(weighed.sentences),
        caption=f"The {REFERENCES} of each kind that matter most; together: with all before it; rate then: once they lead to"
        " HubSpot",
        empty="Every reference leads to a HubSpot record.",
        note="All of them, as a file to fill in: `ic-assets unresolved --csv FILE`. Names of persons are left out on purpose."
        if len(table)
        else "",
        grouped=True,
    )


def _leads_nowhere(entities: list[str]) -> str:
    *others, last = entities
    return (
        f"its {', '.join(others)} and {last} lead to no HubSpot record"
        if others
        else f"its {last} leads to no HubSpot record"
    )


def _by_drop(found: pd.DataFrame) -> pd.DataFrame:
    """The drops with the most such rows first, and within each the most frequent reason."""
    return (
        found.assign(of_drop=found.groupby("drop")["rows"].transform("sum"))
        .sort_values(["of_drop", "drop", "rows"], ascending=[False, True, False], kind="stable")
        .drop(columns=["of_drop", "groups"])
    )


def _more(count: int, shown: int, what: str, where: str) -> str:
    return f"{counted(count - shown, f'further {what}')} in `{where}`." if count > shown else ""
