"""A command as its user sees it: seconds from start to exit, processor time and the memory that the system accounts to it."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Finished:
    """``started`` and ``ended``: seconds since the epoch. ``peak_mb``: VmHWM of the process itself; ``tree_peak_mb``: that
    plus the peaks of the processes that it started. ``cpu_seconds`` are theirs too."""

    started: float
    ended: float
    peak_mb: float
    tree_peak_mb: float
    processes: int
    cpu_seconds: float
    output: str

    @property
    def seconds(self) -> float:
        return self.ended - self.started


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    waiting: Callable[[float], None] | None = None,
) -> Finished:
    """Runs ``command`` to its end; ``waiting`` is called with the seconds so far. Raises ``RuntimeError`` with the end of
    what it said when it fails.

    VmHWM and not ``ru_maxrss``, into which Linux counts the memory of the process that forked the command."""
    output = folder / "output.txt"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with output.open("wb") as file:
        started = time.time()
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder
        )
        peaks: dict[int, int] = {}
        looks = 0
        while process.poll() is None:
            # The list of processes is dear to make: every tenth time.
            family = {process.pid} if looks % 10 else {process.pid, *_descendants(process.pid)}
            for pid in family | peaks.keys():
                peaks[pid] = max(peaks.get(pid, 0), _peak_kb(pid))
            looks += 1
            if waiting:
                waiting(time.time() - started)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_SECONDS)
        ended = time.time()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = output.read_text(encoding="utf-8", errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}: {said[-2000:]}")
    return Finished(
        started,
        ended,
        peaks[process.pid] / 1024,
        sum(peaks.values()) / 1024,
        len(peaks),
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        said,
    )


def _peak_kb(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def _descendants(ancestor: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found: set[int] = set()
    newest = {ancestor}
    while newest:
        newest = {pid for pid, parent in parents.items() if parent in newest} - found
        found |= newest
    return found
