"""Reports as Markdown and as one self-contained HTML file each, and the one on data quality. Figures come from the
database by SQL; pandas shapes them for the tables and plots. Nothing in them is a full e-mail address or a token."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ic_assets.activities.engine.frames import frame
from ic_assets.activities.engine.rules import judge
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.sql import statement

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cell:
    text: str
    is_number: bool


@dataclass(frozen=True)
class Section:
    """One heading with a table, a plot (SVG) or both. ``figure_text`` says what the plot shows to who does not see it."""

    title: str
    frame: pd.DataFrame | None = None
    text: str = ""
    figure: str = ""
    figure_text: str = ""

    @property
    def columns(self) -> list[str]:
        return [] if self.frame is None else [str(name).replace("_", " ") for name in self.frame.columns]

    @property
    def rows(self) -> list[list[Cell]]:
        return [] if self.frame is None else [[_cell(value) for value in row] for row in self.frame.to_numpy().tolist()]


@dataclass(frozen=True)
class Report:
    """``name`` is the file name without its ending; ``summary`` the sentence at the top."""

    name: str
    title: str
    summary: str
    sections: Sequence[Section]
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def markdown(self) -> str:
        parts = [f"# {self.title}", self.summary]
        for section in self.sections:
            parts.append(f"## {section.title}")
            if section.text:
                parts.append(section.text)
            if section.rows:
                parts.append(_markdown_table(section))
        return "\n\n".join(parts) + "\n"

    @property
    def html(self) -> str:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES_DIR), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        return environment.get_template("reports/report.html.j2").render(
            title=self.title, summary=self.summary, sections=self.sections
        )


@dataclass(frozen=True)
class Files:
    markdown: Path
    html: Path


def write(report: Report, folder: Path) -> Files:
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / f"{report.name}.md", folder / f"{report.name}.html")
    files.markdown.write_text(report.markdown, encoding="utf-8")
    files.html.write_text(report.html, encoding="utf-8")
    return files


def data_quality(connection: psycopg.Connection) -> Report:
    """Where every row of every drop went, the plan's checkpoints, types, rejects, warnings and unresolved references."""
    drops = read_frame(connection, "drops")
    verdicts = judge(connection)
    checkpoints = pd.DataFrame(
        [(v.rule.on, v.rule.name.replace("_", " "), "passed" if v.passed else "failed", v.figure) for v in verdicts],
        columns=["on", "checkpoint", "state", "figure"],
    )
    summary = frame(connection, "SELECT * FROM staging.v_ic_activities_summary ORDER BY activity_type").infer_objects()
    red = [verdict for verdict in verdicts if verdict.rule.gate and not verdict.passed]
    return Report(
        "data_quality",
        "Data quality",
        f"{int(drops['rows_in'].sum()):,} rows in {len(drops)} drops became {int(summary['total'].sum()):,} communications. "
        + ("Every gate is green." if not red else f"{len(red)} gates are red: {red[0].figure}"),
        [
            Section("Drops", drops, "rows in the file = inserted + updated + unchanged + rejected"),
            Section("Checkpoints", checkpoints),
            Section(
                "Activity types",
                summary,
                figure=_by_year(read_frame(connection, "types_by_year")),
                figure_text="Communications by year, stacked by activity type; the table above has the totals.",
            ),
            Section("Rejected rows", read_frame(connection, "rejects"), "The raw rows are in staging.ic_rejected_row."),
            Section(
                "Field warnings", read_frame(connection, "field_warnings"), "These fields are empty in the master."
            ),
            Section("Unresolved references", read_frame(connection, "unresolved"), "The twenty that matter most."),
        ],
        {"summary": summary},
    )


def read_frame(connection: psycopg.Connection, name: str) -> pd.DataFrame:
    """The rows of ``sql/activities/reports/<name>.sql``."""
    return frame(connection, statement(f"activities/reports/{name}")).infer_objects()


def _cell(value: Any) -> Cell:
    if value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NaT:
        return Cell("", is_number=False)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", is_number=False)
    if isinstance(value, int):
        return Cell(f"{value:,}", is_number=True)
    if isinstance(value, float):
        return Cell(f"{value:,.2f}", is_number=True)
    return Cell(str(value), is_number=False)


def _markdown_table(section: Section) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    right = [all(row[index].is_number for row in section.rows) for index in range(len(section.columns))]
    return "\n".join(
        [
            line(section.columns),
            line(["---:" if is_right else "---" for is_right in right]),
            *(line([cell.text for cell in row]) for row in section.rows),
        ]
    )


def _by_year(types: pd.DataFrame) -> str:
    """Communications by year, stacked by type, as SVG."""
    if types.empty:
        return ""
    # Imported here: it takes longer than the rest of the report.
    from matplotlib.figure import Figure

    wide = types.pivot_table(
        index="comm_year", columns="activity_type", values="communications", aggfunc="sum", fill_value=0
    )
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    bottom = pd.Series(0, index=wide.index)
    for name in wide.columns:
        axes.bar(wide.index.astype(str), wide[name], bottom=bottom, label=str(name))
        bottom = bottom + wide[name]
    axes.set_ylabel("communications")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return svg(figure)


def svg(figure: Figure) -> str:
    """A matplotlib figure as an ``<svg>`` element."""
    output = io.StringIO()
    figure.savefig(output, format="svg", metadata={"Date": None})
    text = output.getvalue()
    return text[text.index("<svg") :]
