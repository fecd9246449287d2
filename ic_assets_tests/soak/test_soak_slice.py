"""A short seeded slice of the schedules, and (marked soak, not run by default) that deliberate breaks are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ic_assets_tests.soak.breaks import BREAKS

CHECKOUT = Path(__file__).resolve().parents[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and pytest has threads."""
    return subprocess.run(
        [sys.executable, "-m", "ic_assets_tests.soak", *arguments],
        cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("schedules", [14, pytest.param(80, marks=pytest.mark.long)])
def test_a_slice_of_the_schedules_keeps_the_promise(schedules: int) -> None:
    run = soak("--schedules", str(schedules), "--first-seed", "500", "--lanes", "4")
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{schedules} of {schedules} schedules, 0 failed" in run.stdout


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", BREAKS)
def test_a_protocol_that_is_broken_on_purpose_is_noticed(name: str) -> None:
    run = soak("--prove", name)
    assert run.returncode == 0, run.stdout + run.stderr
