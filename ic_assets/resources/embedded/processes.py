"""Servers that this process has started and that may outlive its interest: not zombies, and known to be alive or not."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

_kept: list[subprocess.Popen[bytes]] = []


def keep(process: subprocess.Popen[bytes]) -> None:
    """Notes a server that outlives its starter's interest: polled now and then, it does not stay as a zombie."""
    _kept.append(process)


def alive(pid: int) -> bool:
    for process in _kept:
        process.poll()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return True
