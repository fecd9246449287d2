"""Runs the local HubSpot as a process of its own for as long as a ``with`` block lasts."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ic_assets.core import processes
from ic_assets.core.failures import Unavailable

START_SECONDS = 30.0
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class RunningSandbox:
    base_url: str
    token: str = field(repr=False)
    pid: int


@contextmanager
def running(database: Path, *, token: str | None = None, **options: object) -> Iterator[RunningSandbox]:
    """Starts ``python -m ic_assets.sandbox`` on ``database`` and stops it at the end of the block.

    ``options`` are its command line options with underscores: ``chaos="lost_reply=0.1"``,
    ``unique_on_activities="refused"``, ``requests_per_10s=1000``, ``port=...``. The token is made up when none
    is given. Raises ``Unavailable`` with the process's own words when it does not start.
    """
    token = token or secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="ic-sandbox-") as folder:
        ready, errors = Path(folder) / "ready.json", Path(folder) / "stderr"
        files = ["--database", str(database.absolute()), "--ready-file", str(ready)]
        command = processes.python("ic_assets.sandbox", *files)
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value).lower() if isinstance(value, bool) else str(value)]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=processes.plain_environment(IC_SANDBOX_TOKEN=token),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        try:
            port = _wait_until_ready(process, ready, errors)
            yield RunningSandbox(f"http://127.0.0.1:{port}", token, process.pid)
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, errors: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready.exists():
            return int(json.loads(ready.read_bytes())["port"])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    words = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise Unavailable(f"the local HubSpot did not start: {words[-1] if words else 'it said nothing'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
