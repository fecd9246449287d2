"""The protocol broken on purpose, each time in a copy of the package: the harness must notice every break."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEDULES = 600
"""A break that goes unnoticed for this long counts as unnoticed."""
_HUBSPOT = "ic_assets/hubspot"


@dataclass(frozen=True)
class Break:
    """``edits``: (file, text that occurs in it exactly once, what stands there instead)."""

    what: str
    edits: tuple[tuple[str, str, str], ...]


BREAKS: dict[str, Break] = {
    "by-position": Break(
        "the results of a create are matched by their position, not by trace id",
        (
            (
                f"{_HUBSPOT}/sending/create.py",
                "for result in reply.results:\n            key, identifier = self._key_of(result),",
                "for key, result in zip(sent, reply.results):\n            identifier =",
            ),
        ),
    ),
    "resend": Break(
        "a create of unknown outcome is sent again without a look at HubSpot",
        (
            (
                f"{_HUBSPOT}/sending/sender.py",
                "found = await find_rows(self._client, self._ledger, state, [row.key for row in creates])",
                "found: dict[str, int] = {}",
            ),
            (f"{_HUBSPOT}/sending/sender.py", "elif is_first_look or not row.is_settled:", "elif False:"),
        ),
    ),
    "commit-after-sending": Break(
        "what a dead worker had claimed counts as not sent, as if the intent were committed after sending",
        (("sql/hubspot/ledger/take_over.sql", "state = 'unknown',", "state = 'pending',"),),
    ),
    "take-live": Break(
        "claims are taken over from workers that are still alive",
        (
            (
                f"{_HUBSPOT}/ledger/ledger.py",
                "if not _only(await cursor.fetchone()):\n                    continue  # it lives",
                "await cursor.fetchone()",
            ),
        ),
    ),
    "overtaken": Break(
        "a newer change is sent while an older one may still come through",
        (
            (f"{_HUBSPOT}/sending/change.py", "if row.is_in_doubt:", "if False:"),
            (
                f"{_HUBSPOT}/sending/sender.py",
                '"pending" if row.is_settled or self._takes_back else "unknown" for row in rows',
                '"pending" for row in rows',
            ),
        ),
    ),
    "own-budget": Break(
        "every process has a rate budget of its own",
        (
            (
                f"{_HUBSPOT}/push/run.py",
                "RateBudget(connection, portal_id,",
                "RateBudget(connection, portal_id + __import__('os').getpid(),",
            ),
        ),
    ),
}


def prove(names: Sequence[str], say: Callable[[str], None]) -> int:
    """0 when every break was noticed, 1 when one was not, 2 for a name that is none."""
    if unknown := sorted(set(names) - set(BREAKS)):
        say(f"no such break: {', '.join(unknown)}; there are {', '.join(BREAKS)}")
        return 2
    missed = [name for name in names if not _is_noticed(name, say)]
    say(
        f"{len(names) - len(missed)} of {len(names)} breaks noticed"
        + (f"; MISSED: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0


def _is_noticed(name: str, say: Callable[[str], None]) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ic-broken-") as folder:
        copy = Path(folder)
        for part in ("ic_assets", "ic_assets_tests", "sql", "templates"):
            shutil.copytree(CHECKOUT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file, old, new in BREAKS[name].edits:
            text = (copy / file).read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise RuntimeError(f"break {name}: {file} does not hold its text exactly once; mend breaks.py")
            (copy / file).write_text(text.replace(old, new), encoding="utf-8")
        command = [sys.executable, "-m", "ic_assets_tests.soak", "--schedules", str(SCHEDULES), "--failures", "1"]
        run = subprocess.run(
            command, cwd=copy, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True, check=False
        )
    lines = run.stdout.splitlines()
    found = [line.strip() for line in lines if line.startswith("  ! ")]
    seed = next((line.partition(";")[0] for line in lines if line.startswith("FAILED")), None)
    if run.returncode == 1 and seed and not any("HARNESS" in line or "CRASHED" in line for line in found):
        say(f"{name}: noticed after {time.monotonic() - began:.0f} s ({BREAKS[name].what})\n    {seed}")
        for line in found[:3]:
            say(f"    {line[:200]}")
        return True
    say(f"{name}: NOT noticed in {SCHEDULES} schedules ({BREAKS[name].what})")
    for line in (lines[-3:] + run.stderr.splitlines()[-3:]) if not found else found[:3]:
        say(f"    {line[:300]}")
    return False
