"""What was measured, the targets it is held against, and both as a Markdown table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ic_assets_tests.bench.baselines import Usual
from ic_assets_tests.bench.inbox import Inbox
from ic_assets_tests.bench.load import CHECKS, DERIVATIVES, STAGES, TYPES, Load
from ic_assets_tests.bench.push import LATENCY_MS, Pushed
from ic_assets_tests.bench.receiver import CONNECTIONS, GROUPED, PLAIN, SINGLE, Received
from ic_assets_tests.bench.receiver import SIZE as BODY

SMALL, LARGE = 500_000, 5_000_000
"""The sizes that the targets name; a size between them is held to the small one's."""


@dataclass
class Size:
    """The rounds of one file: seconds of the COPYs, the loads, and the loads of its delta afterwards."""

    rows: int
    months: int
    megabytes: float
    delta_rows: int
    copies: list[float] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    deltas: list[Load] = field(default_factory=list)

    @property
    def copy(self) -> float | None:
        return statistics.median(self.copies) if self.copies else None

    @property
    def load(self) -> float | None:
        return middle(self.loads, lambda load: load.seconds)

    @property
    def delta(self) -> float | None:
        return middle(self.deltas, lambda load: load.seconds)

    @property
    def times_copy(self) -> float | None:
        return ratio(self.load, self.copy)


@dataclass
class Results:
    """Everything of one run. ``sizes`` in rising order; ``spans``: one number of rows over several numbers of months."""

    machine: dict[str, Any]
    sizes: list[Size] = field(default_factory=list)
    spans: list[Size] = field(default_factory=list)
    usual_rows: int = 0
    usual: Usual | None = None
    pushes: list[Pushed] = field(default_factory=list)
    inbox: Inbox | None = None
    received: Received | None = None

    def to_json(self) -> dict[str, Any]:
        targets = [{**asdict(target), "met": target.met} for target in targets_of(self)]
        return {**asdict(self), "targets": targets}


@dataclass(frozen=True)
class Target:
    """``found`` is to be at least, or at most, ``bound``; None: not measured."""

    what: str
    bound: float
    found: float | None
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.found is None:
            return None
        return self.found >= self.bound if self.at_least else self.found <= self.bound


def middle(loads: Sequence[Load], of: Callable[[Load], float]) -> float | None:
    return statistics.median(of(load) for load in loads) if loads else None


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    return None if numerator is None or not denominator else numerator / denominator


def targets_of(results: Results) -> list[Target]:
    """DESIGN.md section 7, on the sizes that were measured."""
    targets = []
    rate = ratio(results.usual.rows, results.usual.seconds) if results.usual else None
    for size in results.sizes:
        if size.rows < SMALL:
            continue
        what = f"{size.rows:,} rows"
        master = middle(size.loads, lambda load: load.to_master)
        ours = ratio(float(size.rows), master)
        bound = 10.0 if size.rows >= LARGE else 20.0
        targets += [
            Target(
                f"CSV to master, {what}: times the usual loader's rate", 25.0, ratio(ours, rate), "×", at_least=True
            ),
            Target(f"CSV to derivatives, {what}: times the bare COPY", bound, size.times_copy, "×"),
        ]
        if size.rows >= LARGE:
            share = ratio(size.delta, size.load)
            targets.append(Target(f"1 % delta of {what}: of the full load", 10.0, share and 100 * share, "%"))
    peaks = [(size.rows, max(load.peak_mb for load in size.loads)) for size in results.sizes if size.loads]
    if peaks:
        targets.append(Target("Memory of the loading process", 400.0, max(peak for _, peak in peaks), "MB"))
    if len(peaks) > 1:
        growth = peaks[-1][1] - peaks[0][1]
        targets.append(Target(f"Memory, {peaks[-1][0]:,} rows more than {peaks[0][0]:,}", 25.0, growth, "MB"))
    for pushed in results.pushes:
        what = f"Push at {pushed.rps:g} requests/s, {LATENCY_MS} ms latency"
        targets += [
            Target(f"{what}: of the budget × 100 records", 98.0, 100 * pushed.used, "%", at_least=True),
            Target(f"{what}: answers 429", 0.0, float(pushed.refused_429), ""),
        ]
    if results.inbox:
        what = f"{results.inbox.events:,} events out of the inbox: times a plain UPDATE of their state"
        targets.append(Target(what, 3.0, results.inbox.times, "×"))
    return targets + (_receiver_targets(results.received) if results.received else [])


def _receiver_targets(received: Received) -> list[Target]:
    grouped = received.rate(GROUPED)
    what = f"Receiver, bodies of {BODY:,} bytes, {CONNECTIONS} connections"
    return [
        Target(f"{what}: events/s", 500.0, grouped, "", at_least=True),
        Target(f"{what}: of {PLAIN}", 60.0, 100 * grouped / received.rate(PLAIN), "%", at_least=True),
        Target(f"{what}: times {SINGLE}", 5.0, grouped / received.rate(SINGLE), "×", at_least=True),
        Target(f"{what}: p99", 250.0, statistics.median(received.p99[GROUPED]), "ms"),
    ]


def markdown(results: Results) -> str:
    parts = [_machine(results.machine), _targets(targets_of(results)), _stages(results.sizes)]
    if results.usual:
        parts.append(_usual(results, results.usual))
    if results.spans:
        parts.append(_spans(results.spans))
    if results.pushes:
        parts.append(_pushes(results.pushes))
    if results.received:
        parts.append(_received(results.received))
    return "# Benchmark\n\n" + "\n".join(part for part in parts if part)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def seconds(values: Sequence[float]) -> str:
    """``2.41 (2.30 to 2.52)``: the median, and the range where there are several."""
    if not values:
        return "not measured"
    digits = 2 if statistics.median(values) < 100 else 0
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _machine(machine: dict[str, Any]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in machine["postgresql"].items() if name != "version")
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB memory, {machine['system']}, Python "
        f"{machine['python']}, PostgreSQL {machine['postgresql'].get('version', '')}, Dagster {machine['dagster']}.\n"
        f"Settings of the server: {settings}.\n"
        "Times are seconds: the median of the rounds, with the fastest and the slowest.\n"
    )


def _targets(targets: Sequence[Target]) -> str:
    def shown(value: float | None, unit: str) -> str:
        return "not measured" if value is None else f"{value:.1f} {unit}".strip()

    rows = [
        [
            target.what,
            f"{'at least' if target.at_least else 'at most'} {target.bound:g} {target.unit}".strip(),
            shown(target.found, target.unit),
            {True: "met", False: "**not met**", None: ""}[target.met],
        ]
        for target in targets
    ]
    return "## Targets\n\n" + table(["what", "target", "found", ""], rows) if rows else ""


def _stages(sizes: Sequence[Size]) -> str:
    if not any(size.copies or size.loads for size in sizes):
        return ""

    def row(what: str, of: Callable[[Size], str]) -> list[str]:
        return [what, *(of(size) for size in sizes)]

    def of_loads(get: Callable[[Load], float], loads: Callable[[Size], list[Load]]) -> Callable[[Size], str]:
        return lambda size: seconds([get(load) for load in loads(size)])

    def all_loads(size: Size) -> list[Load]:
        return size.loads

    def all_deltas(size: Size) -> list[Load]:
        return size.deltas

    def times(found: float | None) -> str:
        return "not measured" if found is None else f"{found:.1f} ×"

    rows = [
        row("file, MB", lambda size: f"{size.megabytes:,.0f}"),
        row("loads measured", lambda size: str(len(size.loads))),
        row("bare COPY", lambda size: seconds(size.copies)),
        row("**`ic-assets load`, start to exit**", of_loads(lambda load: load.seconds, all_loads)),
        row("**times the bare COPY**", lambda size: times(size.times_copy)),
    ]
    for stage in STAGES:
        name = f"{stage}, payloads included" if stage == DERIVATIVES else stage
        rows.append(row(f"– {name}", of_loads(lambda load, stage=stage: load.stages[stage], all_loads)))
    rows += [
        row("– Dagster: planning the runs", of_loads(lambda load: load.orchestration["planning"], all_loads)),
        row("– Dagster: recording results", of_loads(lambda load: load.orchestration["recording"], all_loads)),
        row("– Dagster: between steps", of_loads(lambda load: load.orchestration["between steps"], all_loads)),
        row("– start of the process, look at the file, exit", of_loads(lambda load: load.start, all_loads)),
        *(
            row(f"{name}, beside others", of_loads(lambda load, name=name: load.types.get(name, 0.0), all_loads))
            for name in TYPES
        ),
        row("to the master, from the start", of_loads(lambda load: load.to_master, all_loads)),
        row("orchestration's share", lambda size: _share(size.loads)),
        row("processor time of the command", of_loads(lambda load: load.cpu_seconds, all_loads)),
        row("peak memory, MB", of_loads(lambda load: load.peak_mb, all_loads)),
        row("with the processes that it starts, MB", of_loads(lambda load: load.tree_peak_mb, all_loads)),
        row("delta, rows", lambda size: f"{size.delta_rows:,}"),
        row("**delta, start to exit**", of_loads(lambda load: load.seconds, all_deltas)),
        row("– landing", of_loads(lambda load: load.stages["landing"], all_deltas)),
        row("– master to derivatives", of_loads(_between, all_deltas)),
        row("– checks", of_loads(lambda load: load.stages[CHECKS], all_deltas)),
        row("– Dagster, start and exit", of_loads(_around, all_deltas)),
        row("of the full load", lambda size: _percent(ratio(size.delta, size.load))),
    ]
    head = ["", *(f"{size.rows:,} rows, {size.months} months" for size in sizes)]
    return (
        "## Load\n\n"
        + table(head, rows)
        + "\nA stage is an asset's own work, by the events of the recorded runs: from the "
        "step's start to its first event after that. Checks are whole steps.\n"
        "The delta is 1 % of the rows, all of one month, after a VACUUM ANALYZE as autovacuum does it.\n"
    )


def _between(load: Load) -> float:
    return sum(load.stages.values()) - load.stages["landing"] - load.stages[CHECKS]


def _around(load: Load) -> float:
    return sum(load.orchestration.values()) + load.start


def _share(loads: Sequence[Load]) -> str:
    return _percent(middle(loads, lambda load: sum(load.orchestration.values()) / load.seconds))


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.1f} %"


def _usual(results: Results, usual: Usual) -> str:
    rows = [
        [
            '`read_csv` in chunks, `to_sql(method="multi")` in thousands',
            f"{results.usual_rows:,}",
            f"{usual.seconds:.1f}",
            f"{usual.rows / usual.seconds:,.0f}",
        ]
    ]
    for size in results.sizes:
        master = middle(size.loads, lambda load: load.to_master)
        if master:
            rows.append(["CSV to master, ours", f"{size.rows:,}", f"{master:.1f}", f"{size.rows / master:,.0f}"])
    return "## The usual loader\n\n" + table(["", "rows", "seconds", "rows a second"], rows)


def _spans(spans: Sequence[Size]) -> str:
    rows = [
        [
            f"{size.months}",
            f"{size.rows:,}",
            seconds([load.seconds for load in size.loads]),
            seconds([sum(load.orchestration.values()) for load in size.loads]),
        ]
        for size in spans
    ]
    return "## Number of months\n\n" + table(["months", "rows", "load", "of it Dagster"], rows)


def _pushes(pushes: Sequence[Pushed]) -> str:
    rows = [
        [
            f"{pushed.rps:g}",
            f"{pushed.records:,}",
            f"{pushed.requests:,}",
            f"{pushed.window:.1f}",
            f"{pushed.records / pushed.window:,.0f}",
            _percent(pushed.used),
            f"{pushed.refused_429}",
            f"{pushed.cpu_per_thousand:.2f}",
            f"{pushed.seconds:.1f}",
        ]
        for pushed in pushes
    ]
    head = ["requests/s", "records", "requests", "seconds", "records/s", "of the budget", "429s", "CPU s per 1,000"]
    return f"## Push, {LATENCY_MS} ms latency\n\n" + table([*head, "whole command"], rows)


def _received(received: Received) -> str:
    rows = [
        [name, *(f"{statistics.median(of[name]):,.0f} ({min(of[name]):,.0f} to {max(of[name]):,.0f})" for of in both)]
        for name, both in ((name, (received.rates, received.p99)) for name in received.rates)
    ]
    return (
        f"## Receiver, bodies of {BODY:,} bytes, {CONNECTIONS} connections\n\n"
        + table(["", "requests a second", "p99, ms"], rows)
        + "\nIn turns, in one run, the sender on the same cores.\n"
    )
