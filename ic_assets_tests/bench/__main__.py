"""``python -m ic_assets_tests.bench``: measures, and writes a table, the raw figures and pictures."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from ic_assets_tests.bench import baselines, data
from ic_assets_tests.bench.figures import Results, Size, markdown, middle, ratio
from ic_assets_tests.bench.inbox import EVENTS, inbox
from ic_assets_tests.bench.load import STAGES, Load, load
from ic_assets_tests.bench.push import push
from ic_assets_tests.bench.receiver import GROUPED, PLAIN, receive
from ic_assets_tests.bench.server import Server, serving

PARTS = ("copy", "load", "delta", "usual", "months", "push", "inbox", "receiver")
ROWS = "100000 500000 5000000"
USUAL_ROWS = 100_000
SPANS = (12, 60)
"""Numbers of months beside the ordinary one, for the smallest size."""
RATES = (10.0, 19.0)
RECEIVE_ROUNDS, RECEIVE_SECONDS = 3, 5.0
PUSH_ROWS = 150_000
PUSH_SECONDS = 40.0
"""At both rates together fewer records than ``PUSH_ROWS`` has to push."""

_began = time.monotonic()


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured, whatever the figures are; 2: bad arguments."""
    parser = _parser()
    options = parser.parse_args(arguments)
    only = options.only.replace(",", " ").split()
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only {' '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    try:
        sizes = sorted({int(rows) for rows in options.rows.replace(",", " ").split()})
    except ValueError:
        parser.error(f"--rows {options.rows!r} is no list of numbers")
    if not sizes or sizes[0] < 1000:
        parser.error("--rows: at least 1000, so that each defect of the sample data occurs")
    home = options.home.expanduser().absolute()
    home.mkdir(parents=True, exist_ok=True)
    with serving(home) as server:
        results = Results(machine=_machine(server))
        for rows in sizes if set(only) - {"inbox", "receiver"} else ():
            results.sizes.append(_measure(server, rows, options.months, only, _rounds(options.rounds, rows)))
            _show(results.sizes[-1])
        if "usual" in only:
            _measure_usual(server, results, min(sizes[-1], USUAL_ROWS))
        if "months" in only:
            _measure_spans(server, results, options)
        if "push" in only:
            _measure_push(server, results, min(sizes[-1], PUSH_ROWS), options.push_seconds)
        if "inbox" in only:
            results.inbox = inbox(server, min(max(sizes[-1], 1000), EVENTS))
            _say(f"inbox: {results.inbox.events:,} events taken, {results.inbox.times:.2f} x a plain UPDATE")
        if "receiver" in only:
            results.received = received = receive(server, RECEIVE_ROUNDS, options.receive_seconds)
            _say(f"receiver: {received.rate(GROUPED):,.0f} events/s, beside {received.rate(PLAIN):,.0f} answers of 204")
    if options.out:
        _write(results, options.out.expanduser())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ic_assets_tests.bench", description=__doc__)
    parser.add_argument("--rows", default=ROWS, help="sizes of the files (default %(default)s)")
    parser.add_argument("--only", default=",".join(PARTS), help="some of %(default)s")
    parser.add_argument(
        "--months", type=int, default=data.MONTHS, help="that the rows are spread over (default %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, help="of each size (default 5 below 200,000 rows, 3 below 2,000,000, else 1)"
    )
    parser.add_argument("--push-seconds", type=float, default=PUSH_SECONDS, help="of each rate (default %(default)s)")
    parser.add_argument(
        "--receive-seconds", type=float, default=RECEIVE_SECONDS, help="of each round (default %(default)s)"
    )
    parser.add_argument(
        "--home", type=Path, default=Path(".ic_assets/bench"), help="its own server and files (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for bench.md, bench.json and the pictures")
    return parser


def _rounds(asked: int | None, rows: int) -> int:
    return asked or (5 if rows < 200_000 else 3 if rows < 2_000_000 else 1)


def _measure(server: Server, rows: int, months: int, only: Sequence[str], rounds: int) -> Size:
    _say(f"{rows:,} rows over {months} months: files")
    drop = data.drop(server.home / "data", rows, months)
    server.prepare(drop)
    found = Size(rows, months, drop.file.stat().st_size / 1e6, int(rows * data.DELTA_SHARE))
    _read_once(drop.file)
    for number in range(rounds if {"copy", "load", "delta"} & set(only) else 0):
        what = f"{rows:,} rows, round {number + 1} of {rounds}:"
        server.fresh()
        if "copy" in only:
            found.copies.append(baselines.copy_seconds(server, drop.file))
            _say(f"{what} bare COPY {found.copies[-1]:.2f} s")
        if {"load", "delta"} & set(only):
            found.loads.append(load(server, [drop.file], _watch(f"{what} load")))
            _say(f"{what} load {found.loads[-1].seconds:.1f} s")
        if "delta" in only:
            server.settle("ic_assets")
            found.deltas.append(load(server, [drop.delta], _watch(f"{what} delta")))
            _say(f"{what} delta {found.deltas[-1].seconds:.1f} s")
        if "copy" in only and "load" in only:
            found.copies.append(baselines.copy_seconds(server, drop.file))
            _say(f"{what} bare COPY again {found.copies[-1]:.2f} s")
    return found


def _measure_usual(server: Server, results: Results, rows: int) -> None:
    drop = data.drop(server.home / "data", rows)
    server.fresh()
    _say(f"the usual loader on {rows:,} rows")
    results.usual_rows, results.usual = rows, baselines.usual(server, drop.file)
    _say(f"the usual loader {results.usual.seconds:.1f} s, {results.usual.rows / results.usual.seconds:,.0f} rows/s")


def _measure_spans(server: Server, results: Results, options: argparse.Namespace) -> None:
    smallest = results.sizes[0]
    results.spans = [
        _measure(server, smallest.rows, months, ["load"], min(3, _rounds(options.rounds, smallest.rows)))
        for months in SPANS
        if months != options.months
    ]
    results.spans += [smallest] if smallest.loads else []


def _measure_push(server: Server, results: Results, rows: int, seconds: float) -> None:
    drop = data.drop(server.home / "data", rows)
    server.prepare(drop)
    server.fresh()
    _say(f"{rows:,} rows to push: load")
    load(server, [drop.file])
    for pushed in push(server, list(RATES), seconds):
        results.pushes.append(pushed)
        what = f"{pushed.records:,} records in {pushed.window:.1f} s"
        _say(f"push at {pushed.rps:g} requests/s: {what}, {pushed.used:.1%} of the budget")


def _read_once(file: Path) -> None:
    """Both loaders find the file in memory."""
    with file.open("rb") as source:
        while source.read(1 << 22):
            pass


def _machine(server: Server) -> dict[str, Any]:
    """What the figures depend on; no names and no paths."""
    processor = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cores": os.cpu_count(),
        "processor": processor,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "dagster": version("dagster"),
        "postgresql": server.facts(),
        "measured": time.strftime("%Y-%m-%d"),
    }


def _write(results: Results, folder: Path) -> None:
    from ic_assets_tests.bench.plots import draw

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.md").write_text(markdown(results), encoding="utf-8")
    (folder / "bench.json").write_bytes(orjson.dumps(results.to_json(), option=orjson.OPT_INDENT_2))
    names = ", ".join(path.name for path in draw(results, folder))
    sys.stdout.write(f"\n{markdown(results)}\nWritten to {folder}: bench.md, bench.json, {names}\n")


def _show(size: Size) -> None:
    """The figures of one size, while others are still to come."""
    lines = [f"\n{size.rows:,} rows over {size.months} months, {size.megabytes:.0f} MB"]
    if size.copy:
        lines.append(f"{'bare COPY':32}{size.copy:9.2f} s")
    for what, loads in (("load", size.loads), ("delta", size.deltas)):
        if loads:
            lines += _lines(what, loads, size)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _lines(what: str, loads: Sequence[Load], size: Size) -> list[str]:
    total = middle(loads, lambda one: one.seconds) or 0.0
    times = ratio(total, size.copy)
    peak, tree = max(one.peak_mb for one in loads), max(one.tree_peak_mb for one in loads)
    lines = [
        f"{what:32}{total:9.2f} s{f' = {times:.1f} x COPY' if times else ''}, "
        f"CPU of the command {middle(loads, lambda one: one.cpu_seconds):.1f} s, peak {peak:.0f} MB (tree {tree:.0f} MB)"
    ]
    lines += [f"  {stage:30}{middle(loads, lambda one, stage=stage: one.stages[stage]):9.2f} s" for stage in STAGES]
    for part in loads[0].orchestration:
        lines.append(f"  Dagster, {part:21}{middle(loads, lambda one, part=part: one.orchestration[part]):9.2f} s")
    lines.append(f"  {'start, look at the file, exit':30}{middle(loads, lambda one: one.start):9.2f} s")
    slow = {name: took for name, took in loads[-1].checks.items() if took >= 0.2}
    lines += [f"    check {name:24}{took:9.2f} s" for name, took in sorted(slow.items(), key=lambda item: -item[1])]
    lines += [f"    of the derivatives {name:13}{took:9.2f} s" for name, took in loads[-1].types.items()]
    return lines


def _watch(what: str) -> Any:
    """Says every half a minute that the work goes on."""
    said = [0.0]

    def waiting(seconds: float) -> None:
        if seconds - said[0] >= 30:
            said[0] = seconds
            _say(f"{what} … {seconds:.0f} s")

    return waiting


def _say(text: str) -> None:
    sys.stderr.write(f"[{time.monotonic() - _began:5.0f} s] {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
