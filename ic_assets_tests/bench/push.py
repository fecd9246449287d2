"""Push throughput against the local HubSpot at a given latency: how much of the rate budget is used."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ic_assets.operations.hubspot_resource import reconciled_records, seed
from ic_assets_tests.bench import processes
from ic_assets_tests.bench.server import Server, ic_assets

LATENCY_MS = 200
BATCH = 100


@dataclass(frozen=True)
class Pushed:
    """One push at ``rps`` requests a second. ``window``: seconds from the first create to the moment at which one more
    might have left; ``used``: records against what the budget allows in that time. ``seconds`` is the whole command's."""

    rps: float
    records: int
    requests: int
    window: float
    seconds: float
    refused_429: int
    cpu_per_thousand: float
    peak_mb: float

    @property
    def used(self) -> float:
        return self.records / (self.rps * BATCH * self.window)


def push(server: Server, rates: list[float], seconds: float) -> Iterator[Pushed]:
    """Pushes what is loaded, as much as each rate allows in ``seconds``; a test push before, as production demands."""
    with _portal(server) as environment:
        fixed = _command(server, environment, "--mode", "test")
        for rps in rates:
            limit = int(rps * BATCH * seconds)
            finished = _command(
                server,
                {**environment, "IC_HUBSPOT_RPS": str(rps)},
                *("--mode", "production", "--approved-by", "bench", "--limit", str(limit)),
            )
            told = json.loads(finished.output.splitlines()[-1])
            with psycopg.connect(server.url("ic_assets")) as connection:
                window, requests, refused = connection.execute(
                    "SELECT extract(epoch FROM max(sent_at) FILTER (WHERE creates) - min(sent_at) FILTER (WHERE creates))"
                    "::float8, count(*) FILTER (WHERE creates), count(*) FILTER (WHERE status = 429)"
                    " FROM (SELECT *, operation = 'batch/create' AS creates FROM hubspot.push_request) AS r"
                    " WHERE push_id = (SELECT max(push_id) FROM hubspot.push_run)"
                ).fetchone() or (0.0, 0, 0)
            yield Pushed(
                rps=rps,
                records=told["created"],
                requests=requests,
                window=window + 1 / rps,
                seconds=finished.seconds,
                refused_429=refused,
                cpu_per_thousand=(finished.cpu_seconds - fixed.cpu_seconds) / max(told["created"] / 1000, 0.001),
                peak_mb=finished.peak_mb,
            )


def _command(server: Server, environment: dict[str, str], *arguments: str) -> processes.Finished:
    return processes.run(ic_assets("push", *arguments, "--json"), environment, server.home)


@contextmanager
def _portal(server: Server) -> Iterator[dict[str, str]]:
    """A local HubSpot that answers after ``LATENCY_MS`` and holds the reconciled records; the environment to push to it."""
    folder = server.home / "portal"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    ready, token = folder / "ready.json", secrets.token_urlsafe(16)
    command = [sys.executable, "-m", "ic_assets.sandbox", "--database", str(folder / "portal.sqlite")]
    command += ["--ready-file", str(ready), "--chaos", f"latency={LATENCY_MS}"]
    with (folder / "portal.log").open("wb") as log:
        portal = subprocess.Popen(
            command, env={**server.environment, "IC_SANDBOX_TOKEN": token}, stdout=log, stderr=log, cwd=server.home
        )
    try:
        address = f"http://127.0.0.1:{_port(ready, portal)}"
        with psycopg.connect(server.url("ic_assets")) as connection:
            records = reconciled_records(connection)
        seed(address, token, records)
        yield {**server.environment, "HUBSPOT_BASE_URL": address, "HUBSPOT_TOKEN": token}
    finally:
        os.kill(portal.pid, signal.SIGTERM)
        portal.wait(30)


def _port(ready: Path, portal: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 30
    while not ready.exists():
        if portal.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the local HubSpot did not start; its log: {ready.with_name('portal.log')}")
        time.sleep(0.05)
    port: int = json.loads(ready.read_bytes())["port"]
    return port
