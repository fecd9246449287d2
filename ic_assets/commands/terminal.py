"""How commands speak: progress on a terminal, tables, one JSON object as the last line."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ic_assets.resources.dagster_resources import Reporter

# Where the width is not a terminal's, tables keep theirs: 80 columns would fold the headings.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for people, on standard error: standard output belongs to results."""
    err.print(text, markup=False)


def emit_json(value: Any) -> None:
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def counted(count: int, what: str, plural: str = "") -> str:
    """``1 month``, ``1,234 months``."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Numbers to the right, with thousands separated."""
    result = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int) for row in rows)
        result.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        result.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return result


class TerminalReporter(Reporter):
    """Shows progress through ``show`` and keeps the outcomes for the command."""

    def __init__(self, show: Callable[[str, int, int, str], None] | None, outcomes: list[Any]) -> None:
        self._show = show
        self._outcomes = outcomes

    def progress(self, what: str, done: int, total: int, note: str = "") -> None:
        if self._show:
            self._show(what, done, total, note)

    def finished(self, what: str, outcome: object) -> None:
        self._outcomes.append(outcome)


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Callable[[str, int, int, str], None] | None]:
    """A function that draws progress with rate and remaining time; None where nobody looks."""
    if quiet or not err.is_terminal:
        yield None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int, note: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total, note=note)
            bars.update(tasks[what], completed=done, total=total, note=note)

        yield show
