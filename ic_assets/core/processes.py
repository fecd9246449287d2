"""How this project starts processes of its own: never with code of the folder that the user stands in, and with no
secret that they do not need."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What a program may need of any user's shell. No setting of ours, no token, no PG variable.
_PLAIN = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}
)
_PLAIN_PREFIXES = ("LC_", "PYTHON")


def python(module: str, *arguments: str) -> list[str]:
    """The command line of one of our modules. Without ``-P`` Python looks for every module in the working directory
    first, and would run whatever is called ``uvicorn.py`` there."""
    return [sys.executable, "-P", "-m", module, *arguments]


def plain_environment(**more: str) -> dict[str, str]:
    """For a process that needs ``more`` and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if name in _PLAIN or name.startswith(_PLAIN_PREFIXES)}
    return safe({**kept, **more})


def safe(environment: dict[str, str]) -> dict[str, str]:
    """The same for a process, and all that it starts, whose modules come from where this one's do and not from its
    working directory: an empty part of PYTHONPATH means that."""
    parts = [
        str(Path(part).absolute()) for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part.strip(".")
    ]
    rest = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    return {**rest, "PYTHONSAFEPATH": "1", **({"PYTHONPATH": os.pathsep.join(parts)} if parts else {})}
