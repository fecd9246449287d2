"""What the tests may take: examples of generated tests, and seconds of a file.

`make test` is for everybody's every change, `make test-long` for what is long by its nature: the marker `long`, and the
profile `many` of hypothesis.
"""

from __future__ import annotations

import os
from collections import defaultdict

import hypothesis
import pytest

SECONDS = 60.0
"""What the tests of one file may take together on two quiet cores."""

FACTOR = "TEST_BUDGET_FACTOR"
"""The variable that says how many times as long they may take before the run fails, at least twice. Unset, none fails: a
clock says little about the tests on a machine that does something else as well."""


def examples(few: int) -> int:
    """How many examples a generated test is to try."""
    return few * 10 if hypothesis.settings.get_current_profile_name() == "many" else few


class Budget:
    """Adds up what each file takes, set-up and tear-down included, and names the longest at the end."""

    def __init__(self) -> None:
        self.taken: defaultdict[str, float] = defaultdict(float)

    @property
    def allowed(self) -> float | None:
        factor = os.environ.get(FACTOR)
        return SECONDS * max(2.0, float(factor)) if factor else None

    @property
    def over(self) -> list[str]:
        allowed = self.allowed
        return sorted(file for file, seconds in self.taken.items() if allowed is not None and seconds > allowed)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.taken[report.nodeid.partition("::")[0]] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.over and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        longest = sorted(self.taken.items(), key=lambda item: -item[1])[:12]
        if sum(self.taken.values()) < SECONDS and not self.over:
            return
        terminalreporter.section("longest files")
        for file, seconds in longest:
            terminalreporter.line(f"{seconds:6.1f} s  {file}")
        if self.over:
            terminalreporter.line(
                f"over {self.allowed:.0f} s, for a budget of {SECONDS:.0f}: {', '.join(self.over)}."
                " Make it shorter, split it, or mark what is long by its nature `long`.",
                red=True,
            )
