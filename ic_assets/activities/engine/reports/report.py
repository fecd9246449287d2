"""What a report is: sections with tables and pictures, as Markdown and as one self-contained HTML file. What stands in the
two reports is in ``quality_report`` and ``push_report``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import psycopg
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ic_assets.activities.engine.reports.frames import frame
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.hosts import is_loopback
from ic_assets.core.sql import statement

STATES = ("passed", "failed", "green", "red", "warning")
# Columns that hold our own sentences: commands in them are set as code. Elsewhere a backtick is the user's.
_PROSE = ("figure", "what_to_do", "what_it_means", "what_is_wrong", "note")
_PERCENT = re.compile(r"\d[\d,.]* %")
_SHORT, _WORDS = 16, 32
_CODE = re.compile(r"`([^`]+)`")
_MARKDOWN_SIGNS = re.compile(r"([\\`*<|\[\]])")


@dataclass(frozen=True)
class Cell:
    text: str
    is_number: bool
    is_prose: bool = False
    rowspan: int = 1

    @property
    def breaks(self) -> str:
        """Where its text may break in a narrow table: nowhere, between words, or anywhere when it is long."""
        return "short" if len(self.text) <= _SHORT else "words" if len(self.text) <= _WORDS else "long"

    @property
    def markdown(self) -> str:
        text = " ".join(self.text.split()) if self.is_prose else self.text.replace("\r", " ").replace("\n", " ")
        return text.replace("|", "\\|") if self.is_prose else _MARKDOWN_SIGNS.sub(r"\\\1", text)


@dataclass(frozen=True)
class Section:
    """One heading with a text, a plot (SVG), a table and further sections one level below, each optional. ``figure_text``
    says what the plot shows to who does not see it; ``caption`` names the table, ``empty`` is said where it has no rows.

    With ``grouped`` the cells of the first column span the rows that share their value. A ``folded`` section is closed
    on the screen until somebody opens it, and open on paper."""

    title: str
    frame: pd.DataFrame | None = None
    text: str = ""
    figure: str = ""
    figure_text: str = ""
    caption: str = ""
    empty: str = ""
    note: str = ""
    grouped: bool = False
    folded: bool = False
    is_appendix: bool = False
    parts: Sequence[Section] = ()

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def columns(self) -> list[str]:
        return [] if self.frame is None else [str(name).replace("_", " ") for name in self.frame.columns]

    @property
    def rows(self) -> list[list[Cell]]:
        if self.frame is None:
            return []
        prose = [name in _PROSE for name in self.frame.columns]
        # Column by column: an array of all would make whole numbers beside fractions fractions.
        columns = [self.frame.iloc[:, index].tolist() for index in range(self.frame.shape[1])]
        return [
            [_cell(value, is_prose) for value, is_prose in zip(row, prose, strict=True)]
            for row in zip(*columns, strict=True)
        ]

    @property
    def groups(self) -> list[list[list[Cell]]]:
        """The rows by the value of their first column when ``grouped``, whose cell then stands in the first only; else
        all rows as one group."""
        rows = self.rows
        if not self.grouped:
            return [rows] if rows else []
        groups: list[list[list[Cell]]] = []
        for row in rows:
            if not groups or groups[-1][0][0].text != row[0].text:
                groups.append([])
            groups[-1].append(row)
        return [
            [
                [Cell(group[0][0].text, group[0][0].is_number, rowspan=len(group)), *group[0][1:]],
                *(row[1:] for row in group[1:]),
            ]
            for group in groups
        ]


@dataclass(frozen=True)
class Report:
    """``name`` is the file name without its ending; ``summary`` the sentence at the top, ``state`` (one of ``STATES``) its
    colour; ``origin`` says when it was written and of which portal. ``is_personal`` says that values stand in full."""

    name: str
    title: str
    summary: str
    sections: Sequence[Section]
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    state: str = ""
    lead: Section | None = None
    is_personal: bool = False
    origin: str = ""

    @property
    def markdown(self) -> str:
        return self._markdown(self.sections)

    @property
    def brief(self) -> str:
        """The Markdown without the appendices, which are long."""
        return self._markdown([section for section in self.sections if not section.is_appendix])

    def _markdown(self, sections: Sequence[Section]) -> str:
        parts = [f"# {self.title}", *([self.origin] if self.origin else [])]
        parts += [*([_PERSONAL] if self.is_personal else []), self.summary]
        if self.lead:
            parts += _markdown_body(self.lead)
        for section in sections:
            parts += _markdown_section(section, 2)
        return "\n\n".join(parts) + "\n"

    @property
    def html(self) -> str:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES_DIR),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["prose"] = prose
        return environment.get_template("reports/report.html.j2").render(
            report=self, states=STATES, personal=_PERSONAL if self.is_personal else ""
        )


_PERSONAL = (
    "This copy holds personal data in full. Keep it where the CRM's own data may be kept, and delete it after use."
)


@dataclass(frozen=True)
class Files:
    markdown: Path
    html: Path


def write(report: Report, folder: Path) -> Files:
    """Both files into ``folder``; readable for their owner alone when they hold personal data."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / f"{report.name}.md", folder / f"{report.name}.html")
    for path, text in ((files.markdown, report.markdown), (files.html, report.html)):
        if report.is_personal:
            path.unlink(missing_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.write_text(text, encoding="utf-8")
    return files


def read_frame(connection: psycopg.Connection, name: str, **parameters: Any) -> pd.DataFrame:
    """The rows of ``sql/activities/reports/<name>.sql``. Whole numbers stay whole where some are missing."""
    found = frame(connection, statement(f"activities/reports/{name}"), parameters or None)
    counts = {name: "Int64" for name in found.columns if _has_gaps_in_counts(found[name].tolist())}
    return found.astype(counts).infer_objects()


def _has_gaps_in_counts(values: Sequence[Any]) -> bool:
    kinds = {type(value) for value in values}
    return kinds == {int, type(None)}


def origin(connection: psycopg.Connection, now: datetime | None = None) -> str:
    """When a report is written, which portal it is about, and whether that is a real one."""
    written = f"Written {now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    portals = read_frame(connection, "portal").to_dict("records")
    if not portals:
        return f"{written} No HubSpot portal has been pushed to yet."
    (portal,) = portals
    host = urlsplit(portal["base_url"]).hostname or ""
    kind = f", account type {portal['account_type']}" if portal["account_type"] else ""
    where = "the local HubSpot on this machine" if is_loopback(host) else f"a real one ({host}{kind})"
    return f"{written} HubSpot portal {portal['portal_id']}: {where}."


def counted(count: int, one: str, many: str = "") -> str:
    """``1 month``, ``1,234 months``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def prose(text: str) -> Markup:
    """Our own sentence as HTML: escaped, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _cell(value: Any, is_prose: bool = False) -> Cell:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)) or value is pd.NaT:
        return Cell("", is_number=False)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", is_number=False)
    if isinstance(value, int):
        return Cell(f"{value:,}", is_number=True)
    if isinstance(value, float):
        return Cell(f"{value:,.2f}", is_number=True)
    text = str(value)
    return Cell(text, is_number=bool(_PERCENT.fullmatch(text)), is_prose=is_prose)


def _markdown_section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {section.title}"
    yield from _markdown_body(section)
    for part in section.parts:
        yield from _markdown_section(part, level + 1)


def _markdown_body(section: Section) -> Iterator[str]:
    if section.text:
        yield section.text
    if section.rows:
        yield _markdown_table(section)
    elif section.empty:
        yield section.empty
    if section.note:
        yield section.note


def _markdown_table(section: Section) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    rows = section.rows
    right = [all(row[index].is_number for row in rows) for index in range(len(section.columns))]
    return "\n".join(
        [
            line(section.columns),
            line(["---:" if is_right else "---" for is_right in right]),
            *(line([cell.markdown for cell in row]) for row in rows),
        ]
    )
