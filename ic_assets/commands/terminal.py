"""How commands speak: progress on a terminal, tables, one JSON object as the last line."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# Where the width is not a terminal's, tables keep theirs: 80 columns would fold the headings.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)
# In a log nobody watches a bar; one line now and then says that the work goes on.
_LINE_SECONDS = 60.0


def say(text: str) -> None:
    """A line for people, on standard error: standard output belongs to results."""
    err.print(text, markup=False)


def agreed(question: str) -> bool:
    """On standard error, since standard output may be JSON. No answer is a no."""
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort:
        return False
    finally:
        # An answer from a pipe brings no line end of its own to the screen.
        if not sys.stdin.isatty():
            say("")


def emit_json(value: Any) -> None:
    text = orjson.dumps(value, default=str).decode()
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # JSON has a way of its own to write what the stream cannot
        text = json.dumps(orjson.loads(text))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def counted(count: int, what: str, plural: str = "") -> str:
    """``1 month``, ``1,234 months``."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"


_CAUSES = {
    "landing": "a drop touched them",
    "reconciliation": "the reconciliation that they refer to changed",
    "classification": "the mapping of a value in them changed",
    "setting": "a setting that shapes them was changed",
}


def because(causes: Mapping[str, int]) -> str:
    """Why months are out of date, by how many each: ``a drop touched them (12) and …``."""
    words = [(_CAUSES.get(cause, cause), months) for cause, months in causes.items()]
    return words[0][0] if len(words) == 1 else " and ".join(f"{text} ({months:,})" for text, months in words)


def state(passed: bool) -> Text:
    """``green`` or ``red``, in that colour on a terminal."""
    return Text("green", "green") if passed else Text("red", "bold red")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Numbers to the right, with thousands separated. Text is shown as it is, without what would steer the terminal."""
    result = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int) for row in rows)
        result.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        result.add_row(*map(_cell, row))
    return result


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text("".join(" " if c.isspace() else c for c in str(value) if c.isspace() or c.isprintable()))


class Show(Protocol):
    """Draws how far one piece of work is. ``unit``: what ``done`` and ``total`` count; ``total`` 0: not known."""

    def __call__(self, what: str, done: int, total: int, note: str = "", unit: str = "") -> None: ...


@dataclass(frozen=True)
class Display:
    """Called, it draws how far the work is; ``say`` writes a line at once, above what is drawn."""

    show: Show
    say: Callable[[str], None]

    def __call__(self, what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
        self.show(what, done, total, note, unit)


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Display | None]:
    """What draws progress with rate and remaining time: bars on a terminal, now and then a line elsewhere, nothing when
    ``quiet``."""
    if quiet:
        yield None
        return
    with _own_stream() as console:

        def write(line: str) -> None:
            console.print(line, markup=False)

        if console.is_terminal:
            with _bars(console) as show:
                yield Display(show, write)
        else:
            yield Display(progress_lines(write), write)


@contextmanager
def _own_stream() -> Iterator[Console]:
    """Standard error by a descriptor of its own: Dagster points the usual one at a file while a step runs."""
    with os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as stream:
        yield Console(file=stream, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Bytes or records a second over the last half minute; nothing for work that counts neither."""

    def render(self, task: Task) -> Text:
        return Text(_rate(task.finished_speed or task.speed or 0.0, task.fields["unit"]))


@contextmanager
def _bars(console: Console) -> Iterator[Show]:
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[note]}", markup=False),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
            if what not in tasks:
                for name in [name for name, task in tasks.items() if bars.tasks[bars.task_ids.index(task)].finished]:
                    bars.remove_task(tasks.pop(name))
                tasks[what] = bars.add_task(what, total=total or None, note=note, unit=unit)
            bars.update(tasks[what], completed=done, total=total or None, note=note)

        yield show


def progress_lines(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Show:
    """Progress as a line a minute of work, for standard error that is a file or a pipe."""
    began: dict[str, tuple[float, int]] = {}
    last = clock()

    def show(what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
        nonlocal last
        now = clock()
        since, first = began.setdefault(what, (now, done))
        if now - last < _LINE_SECONDS:
            return
        last = now
        speed = (done - first) / (now - since) if now > since else 0.0
        left = f"about {_minutes((total - done) / speed)} left" if speed and total > done else ""
        share = f"{100 * done // total} %" if total else ""
        write(f"{what}: {', '.join(part for part in (share, note, _rate(speed, unit), left) if part)}")

    return show


def _rate(speed: float, unit: str) -> str:
    if not speed or not unit:
        return ""
    return f"{decimal(int(speed))}/s" if unit == "bytes" else f"{speed:,.0f} {unit}/s"


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
