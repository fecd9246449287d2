"""The budget of the test files: what is added up, and when a run fails by it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ic_assets_tests.budget import FACTOR, Budget


def taken(**seconds: float) -> Budget:
    budget = Budget()
    for file, took in seconds.items():
        for when in ("setup", "call"):
            nodeid = f"{file}.py::test_{when}"
            budget.pytest_runtest_logreport(SimpleNamespace(nodeid=nodeid, duration=took / 2))  # type: ignore[arg-type]
    return budget


def ended(budget: Budget, status: int = 0) -> int:
    session = SimpleNamespace(exitstatus=status)
    budget.pytest_sessionfinish(session)  # type: ignore[arg-type]
    return int(session.exitstatus)


@pytest.mark.parametrize(
    ("factor", "over", "status"),
    [("3", ["long.py"], 1), ("1", ["long.py", "medium.py"], 1), ("10", [], 0), (None, [], 0)],
    ids=["enforced", "never below twice", "not reached", "not enforced"],
)
def test_a_run_fails_when_a_file_takes_longer_than_the_factor_allows(
    factor: str | None, over: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FACTOR, raising=False)
    if factor:
        monkeypatch.setenv(FACTOR, factor)
    budget = taken(short=20.0, medium=130.0, long=200.0)
    assert budget.over == over
    assert ended(budget) == status
    assert ended(budget, 2) == 2, "what failed for another reason keeps its own"
