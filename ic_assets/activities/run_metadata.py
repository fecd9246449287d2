"""What a run of months says of itself in Dagster: the rows of each month on that month's event, and one account of the
whole run, with a plot and a masked sample, on the event of its last month, which the UI shows first.

Metadata of a result would be copied onto the event of every month: 178 of them for each of nine assets."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

from ic_assets.activities.engine.reports.masked_values import mask_value, shortened
from ic_assets.activities.partitions import months
from ic_assets.core.months import Window, month_key
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.resources.dagster_events import add_metadata, record_outside_runs
from ic_assets.resources.postgres import Database

_SAMPLED_ROWS = 3
_LONGEST_VALUE = 40
# As wide as the UI has room for on a laptop: a wider plot pushes the ends of the lines beside it out of sight.
_PLOT_WIDTH, _PLOT_HEIGHT = 420, 60
_MOST_BARS = 90


@dataclass(frozen=True)
class Sample:
    """Where a sample comes from: a table of the schema staging, the columns to show, and the one that dates its rows."""

    table: str
    columns: Sequence[str]
    dated: str


def sampled(connection: psycopg.Connection, sample: Sample, window: Window) -> str:
    """The newest rows of the window as Markdown, personal data masked. Lines and no table: a table of six columns is cut
    off where the UI shows it on a laptop."""
    rows = connection.execute(
        statement(
            "activities/months/newest_rows",
            table=sql.Identifier(sample.table),
            columns=sql.SQL(", ").join(map(sql.Identifier, sample.columns)),
            dated=sql.Identifier(sample.dated),
        ),
        {**window.parameters, "row_limit": _SAMPLED_ROWS},
    ).fetchall()
    return "\n".join(
        "- " + ", ".join(f"{name} `{_shown(name, value)}`" for name, value in zip(sample.columns, row, strict=True))
        for row in rows
    )


def _shown(column: str, value: Any) -> str:
    shown = "empty" if value is None else shortened(str(mask_value(column, value)), _LONGEST_VALUE)
    return shown.replace("`", "'")


def add_run_metadata(
    context: dg.AssetExecutionContext,
    settings: Settings,
    key: dg.AssetKey,
    counts: Mapping[date, int],
    account: str,
    sample: str,
    more: Mapping[str, dg.MetadataValue] = MappingProxyType({}),
) -> None:
    """``counts`` are the rows that stand in each month now, ``account`` says what the run did to them, ``sample`` comes from
    ``sampled``."""
    if not os.environ.get("DAGSTER_HOME"):  # `dg launch` then keeps its record in a folder that it removes
        context.log.warning("DAGSTER_HOME is not set: the work is done, and Dagster keeps no record of it.")
    covered = context.partition_keys
    by_month: dict[str, dict[str, Any]] = {
        month: {"dagster/partition_row_count": counts.get(date.fromisoformat(month), 0)} for month in covered
    }
    first, last = covered[0][:7], covered[-1][:7]
    report = settings.home / "reports" / "data_quality.html"
    by_month[covered[-1]] |= {
        "run": f"{first if first == last else f'{len(covered)} months, {first} to {last}'}: {account}",
        "run_months": dg.MetadataValue.md(plot(counts)),
        **({"run_years": dg.MetadataValue.md(by_year(counts))} if counts else {}),
        **({"run_sample": dg.MetadataValue.md(sample)} if sample else {}),
        **more,
        "run_reference_time": settings.reference_time.isoformat(timespec="seconds"),
        # Written by `ic-assets report`: it may be older than this run.
        **({"last_report": dg.MetadataValue.path(str(report))} if report.exists() else {}),
    }
    add_metadata(context, key, by_month)


def record_empty_months(context: dg.AssetExecutionContext, database: Database, keys: Sequence[dg.AssetKey]) -> None:
    """Says of the months that hold nothing, and that no run will ever be about, that they are done."""
    with database.transaction() as connection:
        touched = connection.execute("SELECT comm_month FROM staging.ic_month").fetchall()
    for key in keys:
        record_other_months(context, key, [month for (month,) in touched], "No communication is dated in this month.")


def record_other_months(context: dg.AssetExecutionContext, key: dg.AssetKey, but: Sequence[date], why: str) -> None:
    """Records as done, once, all months outside the run except some. The graph draws an asset grey while one of its months is
    missing, and the months begin years before the data and end years after it. To be called before the run's own months are
    recorded: the UI shows the newest event first."""
    seen = {*map(month_key, but), *context.partition_keys, *context.instance.get_materialized_partitions(key)}
    others = [month for month in months.get_partition_keys() if month not in seen]
    record_outside_runs(context.instance, key, others, {"run": why})


def plot(counts: Mapping[date, int]) -> str:
    """The rows by month as Markdown with an SVG that holds itself. Under a thousand characters: what is longer the UI
    hides behind a link."""
    if not any(counts.values()):
        return "No rows in these months."
    span = Window.of(min(counts), max(counts)).months
    each = -(-len(span) // _MOST_BARS)
    bars = [sum(counts.get(month, 0) for month in span[at : at + each]) for at in range(0, len(span), each)]
    step = min(_PLOT_WIDTH // len(bars), 40)
    outline = "".join(f"V{_PLOT_HEIGHT - round(rows / max(bars) * _PLOT_HEIGHT)}h{step}" for rows in bars)
    image = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{step * len(bars)}" height="{_PLOT_HEIGHT}">'
        f'<path fill="#6e62e5" d="M0 {_PLOT_HEIGHT}{outline}V{_PLOT_HEIGHT}"/></svg>'
    )
    address = f"data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()}"
    dates = f"{span[0]:%Y-%m} to {span[-1]:%Y-%m}" if len(span) > 1 else f"{span[0]:%Y-%m}"
    one = "a month" if each == 1 else f"{each} months"
    return f"![Rows by month]({address})\n\n{dates}; one bar is {one}, the highest {max(bars):,} rows."


def by_year(counts: Mapping[date, int]) -> str:
    """A table of the rows by year, as Markdown."""
    years: dict[int, int] = {}
    for month, rows in sorted(counts.items()):
        years[month.year] = years.get(month.year, 0) + rows
    lines = [f"| {year} | {rows:,} | {bar(rows, max(years.values()))} |" for year, rows in years.items()]
    return "\n".join(["| year | rows | |", "|---|---:|---|", *lines])


def bar(part: int, whole: int, width: int = 20) -> str:
    """A bar of block characters, in eighths of one, ``width`` of them for the whole."""
    eighths = round(8 * width * part / whole) if whole else 0
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
