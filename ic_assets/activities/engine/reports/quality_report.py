"""The data quality report: whether a push may start and what to fix first, then where every row went, the plan's figures,
and what is behind them. Figures come from the database by SQL, at most one pass over the master a section."""

from __future__ import annotations

import shlex

import pandas as pd
import psycopg

from ic_assets.activities.engine.drop.reasons import HARMLESS
from ic_assets.activities.engine.judging.rules import judge
from ic_assets.activities.engine.judging.verdicts import percent
from ic_assets.activities.engine.reconciliation.impact import impact
from ic_assets.activities.engine.reports.frames import frame
from ic_assets.activities.engine.reports.report import Report, Section, counted, origin, read_frame
from ic_assets.activities.engine.reports.report_flow import FATES, Flow, flow_section, read_flow
from ic_assets.activities.engine.reports.report_pictures import stacked_columns
from ic_assets.activities.engine.reports.report_rows import (
    REFERENCES,
    field_warnings_section,
    orphans_section,
    references_section,
    rejects_section,
    unreadable_ids,
    unrecognised_section,
)
from ic_assets.activities.engine.reports.report_samples import samples_section
from ic_assets.activities.engine.reports.report_verdict import Troubles, answer, checkpoints, steps, targets
from ic_assets.activities.engine.staging.slices import out_of_date
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES

_DROPS = 40


def data_quality(connection: psycopg.Connection, *, full: bool = False) -> Report:
    """``frames["summary"]``: one row per activity type. With ``full`` sampled values stand as they are, and the file is
    named so that it does not replace the masked one."""
    flow, verdicts, weighed = read_flow(connection), judge(connection), impact(connection, limit=REFERENCES)
    late = [month for month, _, _ in out_of_date(connection)]
    drops, harmful = read_frame(connection, "drops", row_limit=_DROPS), _harmful(connection)
    summary = frame(connection, "SELECT * FROM staging.v_ic_activities_summary ORDER BY activity_type").infer_objects()
    state, sentence = answer(flow, verdicts, late)
    todo = steps(flow, verdicts, late, weighed, Troubles(harmful, unreadable_ids(connection)))
    return Report(
        f"data_quality{'_full' if full else ''}",
        "Data quality",
        sentence,
        [
            flow_section(flow),
            Section(
                "Targets",
                targets(flow, verdicts),
                "What the plan asks of the data.",
                caption="Each target beside its figure",
                parts=[
                    Section(
                        "Checkpoints",
                        checkpoints(verdicts),
                        "The same rules as Dagster's checks. A push refuses while a gate is red; advice stops nothing.",
                        caption="Every rule that the data is judged by, in the order of the graph",
                        folded=True,
                    )
                ],
            ),
            _types(connection, summary),
            unrecognised_section(connection),
            rejects_section(connection, flow),
            field_warnings_section(connection, full),
            orphans_section(connection, flow),
            references_section(weighed),
            samples_section(connection, full=full),
            _history(drops, flow),
            _tracing(drops),
        ],
        {"summary": summary},
        state=state,
        lead=Section(
            "What to fix first",
            todo,
            caption="In this order: what stops a push, then what is worth a look",
            empty="Nothing needs to be fixed.",
        ),
        is_personal=full,
        origin=origin(connection),
    )


def _types(connection: psycopg.Connection, summary: pd.DataFrame) -> Section:
    found = read_frame(connection, "types_by_year")
    shown = summary.assign(
        share=[percent(total, int(summary["total"].sum())) if total else "" for total in summary["total"]],
        first_date=["" if pd.isna(moment) else f"{moment:%Y-%m-%d}" for moment in summary["first_date"]],
        last_date=["" if pd.isna(moment) else f"{moment:%Y-%m-%d}" for moment in summary["last_date"]],
    )
    by_year = Section("Activity types by year", empty="No communications yet.")
    if len(found):
        wide = found.pivot_table(
            index="comm_year", columns="activity_type", values="communications", aggfunc="sum", fill_value=0
        )
        names = [activity.name for activity in ACTIVITY_TYPES if activity.name in wide.columns]
        years = [str(year) for year in wide.index]
        by_year = Section(
            by_year.title,
            wide[names].assign(total=wide.sum(axis=1)).reset_index(drop=True).set_axis(years).reset_index(names="year"),
            figure=stacked_columns(
                years,
                {name: [int(count) for count in wide[name]] for name in names},
                "Communications by year and activity type",
                text := (
                    f"Communications a year from {years[0]} to {years[-1]}, stacked by activity type; "
                    f"the most, {int(wide.sum(axis=1).max()):,}, are in {years[int(wide.sum(axis=1).to_numpy().argmax())]}."
                ),
            ),
            figure_text=text,
            caption="Communications by year and activity type",
        )
    return Section("Activity types", shown, caption="Communications of the master by activity type", parts=[by_year])


def _history(drops: pd.DataFrame, flow: Flow) -> Section:
    landed = drops[(drops["state"] == "landed") & (drops["rows_in"] > 0)] if len(drops) else drops
    text = ""
    if len(landed):
        worst = landed.iloc[int((landed["rejected"] / landed["rows_in"]).astype(float).to_numpy().argmax())]
        text = (
            f"What became of the rows of {counted(len(landed), 'drop')}, oldest first, each as 100 %. The largest share "
            f"of rejected rows, {percent(int(worst['rejected']), int(worst['rows_in']))}, is that of {worst['drop']}."
        )
    earlier = flow.landed + flow.refused - len(drops)
    return Section(
        "Drops",
        drops,
        "rows in the file = inserted + updated + unchanged + joined + rejected",
        figure=stacked_columns(
            [f"{day:%m-%d}" for day in landed["landed_on"]],
            {fate: [int(count) for count in landed[fate]] for fate in FATES},
            "What became of the rows of each drop",
            text,
            as_share=True,
            height=190,
        )
        if len(landed) > 1
        else "",
        figure_text=text,
        caption="Drops, oldest first",
        empty="No drop was landed.",
        note=f"{counted(earlier, 'earlier drop is', 'earlier drops are')} in `staging.ic_drop`." if earlier > 0 else "",
    )


def _tracing(drops: pd.DataFrame) -> Section:
    landed = drops[drops["state"] == "landed"]["drop"].tolist() if len(drops) else []
    # A backtick would end the code that the name is shown in.
    drop = (landed[-1] if landed else "communications.csv@0123abcd").replace("`", "?")
    literal = drop.replace("'", "''")
    landing = "SELECT * FROM staging.ic_communication_landing JOIN staging.ic_drop USING (drop_id)"
    query = f"{landing} WHERE drop_key = '{literal}' AND line_number = 1234"
    return Section(
        "Where did row 1,234 go?",
        text=(
            f"`ic-assets trace {shlex.quote(drop)} 1234` follows the row on line 1,234 of that drop to its HubSpot record,"
            f" and `ic-assets trace --id 5678` does so for a communication. In SQL: `{query}` has its fate;"
            " `staging.ic_rejected_row` the reason of a rejected one; `staging.v_ic_push_status` where it stands in HubSpot."
        ),
    )


def _harmful(connection: psycopg.Connection) -> dict[str, int]:
    """Rejected rows by reason, without those whose newer version is loaded."""
    rows = connection.execute(
        "SELECT reason, count(*) FROM staging.ic_rejected_row WHERE NOT reason = ANY(%s) GROUP BY 1 ORDER BY 2 DESC, 1",
        (list(HARMLESS),),
    )
    return dict(rows.fetchall())
