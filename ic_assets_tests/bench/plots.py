"""The figures as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ic_assets_tests.bench.figures import Results, Size, middle
from ic_assets_tests.bench.load import STAGES, Load
from ic_assets_tests.bench.push import BATCH, LATENCY_MS, Pushed

_COLOURS = ("#30638e", "#4f9da6", "#8ab17d", "#e9c46a", "#f4a261", "#c8553d", "#8d99ae")
_PARTS = (*STAGES, "Dagster", "start and exit")


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes a PNG for each thing that was measured and returns their paths."""
    written = []
    for name, figure in _figures(results):
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120)
        written.append(path)
    return written


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
    loaded = [size for size in results.sizes if size.loads]
    if loaded:
        yield "stages", _stages(loaded)
        yield "rows", _by_rows(loaded)
        yield "memory", _memory(loaded)
    if results.spans:
        yield "months", _by_months(results.spans)
    if results.pushes:
        yield "push", _pushes(results.pushes)


def parts(load: Load) -> dict[str, float]:
    """Where the seconds of a load went, in few words."""
    return {**load.stages, "Dagster": sum(load.orchestration.values()), "start and exit": load.start}


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _stages(sizes: Sequence[Size]) -> Figure:
    figure, axes = _axes("Where the time of a load goes", "", "seconds per 100,000 rows")
    names = [f"{size.rows:,} rows" for size in sizes]
    below = [0.0] * len(sizes)
    for part, colour in zip(_PARTS, _COLOURS, strict=True):
        heights = [
            (middle(size.loads, lambda load, part=part: parts(load)[part]) or 0.0) / size.rows * 1e5 for size in sizes
        ]
        axes.bar(names, heights, bottom=below, label=part, color=colour, width=0.6)
        below = [sum(pair) for pair in zip(below, heights, strict=True)]
    copies = [(size.copy or 0.0) / size.rows * 1e5 for size in sizes]
    if any(copies):
        axes.plot(names, copies, "k_", markersize=60, markeredgewidth=2, label="_")
        axes.annotate("bare COPY", (0, copies[0]), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8)
    for index, size in enumerate(sizes):
        if size.times_copy:
            text = f"{size.times_copy:.1f} × COPY"
            axes.annotate(text, (index, below[index]), xytext=(0, 3), textcoords="offset points", ha="center")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.margins(y=0.1)
    return figure


def _by_rows(sizes: Sequence[Size]) -> Figure:
    figure, axes = _axes("Cost against rows", "rows", "seconds")
    rows = [size.rows for size in sizes]
    series = (
        ("load", [size.load for size in sizes], "o-", _COLOURS[0]),
        ("1 % delta", [size.delta for size in sizes], "s-", _COLOURS[4]),
        ("bare COPY", [size.copy for size in sizes], "^-", "black"),
    )
    for label, values, style, colour in series:
        found = [(x, y) for x, y in zip(rows, values, strict=True) if y is not None]
        if found:
            axes.plot(*zip(*found, strict=True), style, label=label, color=colour)
    if len(rows) > 1:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xticks(rows, [f"{count:,}" for count in rows])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def _memory(sizes: Sequence[Size]) -> Figure:
    figure, axes = _axes("Peak memory of the loading process", "rows", "MB")
    names = [f"{size.rows:,}" for size in sizes]
    axes.bar(names, [max(load.peak_mb for load in size.loads) for size in sizes], color=_COLOURS[0], width=0.5)
    axes.axhline(400, color=_COLOURS[5], linewidth=1)
    axes.annotate("at most", (0, 400), xytext=(0, 3), textcoords="offset points", color=_COLOURS[5])
    axes.set_ylim(0, 450)
    return figure


def _by_months(spans: Sequence[Size]) -> Figure:
    figure, axes = _axes(f"Cost against months, {spans[0].rows:,} rows", "months", "seconds")
    ordered = sorted(spans, key=lambda size: size.months)
    months = [size.months for size in ordered]
    axes.plot(months, [size.load for size in ordered], "o-", label="load", color=_COLOURS[0])
    dagster = [middle(size.loads, lambda load: sum(load.orchestration.values())) for size in ordered]
    axes.plot(months, dagster, "s-", label="of it Dagster", color=_COLOURS[5])
    axes.set_xticks(months)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def _pushes(pushes: Sequence[Pushed]) -> Figure:
    figure, axes = _axes(f"Push against the rate budget, {LATENCY_MS} ms latency", "", "records a second")
    names = [f"{pushed.rps:g} requests/s" for pushed in pushes]
    axes.bar(names, [pushed.rps * BATCH for pushed in pushes], color="#dddddd", width=0.6, label="budget × 100")
    axes.bar(
        names, [pushed.records / pushed.window for pushed in pushes], color=_COLOURS[0], width=0.4, label="written"
    )
    for index, pushed in enumerate(pushes):
        axes.annotate(
            f"{100 * pushed.used:.1f} %",
            (index, pushed.records / pushed.window / 2),
            ha="center",
            color="white",
        )
    axes.legend(frameon=False, loc="upper left")
    return figure
