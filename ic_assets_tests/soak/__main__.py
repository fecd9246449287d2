"""``python -m ic_assets_tests.soak``: runs seeded schedules, replays one, or shows that deliberate breaks are noticed."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

import psycopg
from psycopg import sql

from ic_assets.core.schema import upgrade
from ic_assets.core.settings import Settings
from ic_assets.resources.embedded.server import SUPERUSER, EmbeddedPostgres
from ic_assets.resources.services import services
from ic_assets_tests.soak import breaks
from ic_assets_tests.soak.harness import Outcome, lane
from ic_assets_tests.soak.schedules import draw

MOST_FAILURES = 5
LANES = 3 * (os.cpu_count() or 1)
"""A good part of every schedule is waiting: for a pause to pass, for a delayed request."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every schedule kept the promise (``--prove``: every break was noticed); 1: one did not; 2: bad arguments."""
    options = _parser().parse_args(arguments)
    if options.prove is not None:
        return breaks.prove(options.prove or list(breaks.BREAKS), _say)
    seeds = range(options.first_seed, options.first_seed + options.schedules)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    return _run([seed for _ in range(options.times) for seed in seeds], options.lanes, options.failures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ic_assets_tests.soak", description=__doc__)
    parser.add_argument("--schedules", type=int, default=100, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--times", type=int, default=1, help="each seed this often: a race may need several attempts")
    parser.add_argument("--lanes", type=int, default=LANES, help="schedules at a time")
    parser.add_argument("--failures", type=int, default=MOST_FAILURES, help="stop after so many")
    parser.add_argument(
        "--prove", nargs="*", metavar="BREAK", help=f"break the protocol on purpose: {', '.join(breaks.BREAKS)}"
    )
    return parser


def _run(seeds: list[int], lanes: int, most_failures: int) -> int:
    lanes = max(1, min(lanes, len(seeds)))
    began, done, failed, figures = time.monotonic(), 0, 0, Counter[str]()
    shown_at = began
    with (
        tempfile.TemporaryDirectory(prefix="ic-soak-") as name,
        _databases(Path(name), lanes) as databases,
        _lanes(databases, Path(name)) as connections,
    ):
        for outcome in _outcomes(seeds, connections):
            done += 1
            figures.update(outcome.figures)
            if outcome.violations:
                failed += 1
                _tell_failure(outcome)
            if failed >= most_failures:
                break
            if time.monotonic() - shown_at > 10:
                shown_at = time.monotonic()
                _say(_progress(done, len(seeds), failed, shown_at - began))
    seconds = time.monotonic() - began
    what = ", ".join(f"{figures[name]:,} {name}" for name in ("workers", "killed", "faults", "requests", "records"))
    _say(f"{done:,} of {len(seeds):,} schedules, {failed} failed, {seconds:.0f} s; {what}")
    return 1 if failed or done < len(seeds) else 0


def _tell_failure(outcome: Outcome) -> None:
    seed = outcome.schedule.seed
    _say(f"\nFAILED: seed {seed}; replay: python -m ic_assets_tests.soak --seed {seed} --times 20")
    for line in outcome.violations:
        _say(f"  ! {line}")
    for line in (*outcome.schedule.told(), *outcome.trace):
        _say(f"    {line}")


def _progress(done: int, of: int, failed: int, seconds: float) -> str:
    rate = done / seconds
    left = (of - done) / rate if rate else 0.0
    return f"{done:,} of {of:,} schedules, {failed} failed, {rate:.1f} a second, {left / 60:.0f} min left"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _databases(folder: Path, lanes: int) -> Iterator[list[str]]:
    """One database a lane, on a PostgreSQL of the harness's own, which no environment variable leads elsewhere."""
    settings = Settings(home=folder / "home", postgres_url=None, drop_dir=folder / "drop")
    with services(settings) as found:
        embedded = EmbeddedPostgres(settings.home / "postgres")
        server = embedded.running()
        if server is None:
            raise RuntimeError("the embedded PostgreSQL is not up")
        urls = []
        with psycopg.connect(embedded.url(server, "postgres", role=SUPERUSER), autocommit=True) as connection:
            for number in range(lanes):
                name = sql.Identifier(f"soak_{number}")
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER ic_assets").format(name))
                # Workers are killed here, never the server.
                connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
                urls.append(found.postgres_url.replace("/ic_assets?", f"/soak_{number}?"))
                upgrade(urls[-1])
        yield urls


@contextmanager
def _lanes(databases: list[str], folder: Path) -> Iterator[list[Connection]]:
    """A process and a connection for each database: a seed goes in, an outcome comes out; None ends it."""
    # Forked, so that every worker is a fork of a process that has imported everything.
    context = multiprocessing.get_context("fork")
    processes, connections = [], []
    for number, database in enumerate(databases):
        ours, theirs = context.Pipe()
        connections.append(ours)
        own = folder / f"lane_{number}"
        own.mkdir()
        process = context.Process(target=_lane, args=(database, own, theirs, list(connections)))
        process.start()
        theirs.close()
        processes.append(process)
    try:
        yield connections
    finally:
        for connection in connections:
            connection.send(None)
        for process in processes:
            process.join()


def _lane(database: str, folder: Path, parent: Connection, inherited: list[Connection]) -> None:
    for connection in inherited:  # held open, they would hide the parent's end from this lane and the others
        connection.close()
    with suppress(EOFError, OSError, KeyboardInterrupt), lane(database, folder) as one:
        while (seed := parent.recv()) is not None:
            try:
                outcome = one.run(draw(seed))
            except Exception:  # noqa: BLE001 - told with its seed, like any other failure
                outcome = Outcome(draw(seed), [f"HARNESS: {traceback.format_exc()}"])
            parent.send(outcome)


def _outcomes(seeds: Iterable[int], connections: list[Connection]) -> Iterator[Outcome]:
    """From whichever lane has one, which then gets the next seed."""
    waiting, busy = iter(seeds), []
    for connection, seed in zip(connections, waiting, strict=False):
        connection.send(seed)
        busy.append(connection)
    while busy:
        for connection in [one for one in busy if one in wait(busy)]:
            outcome: Outcome = connection.recv()
            following = next(waiting, None)
            if following is None:
                busy.remove(connection)
            else:
                connection.send(following)
            yield outcome


if __name__ == "__main__":
    sys.exit(main())
