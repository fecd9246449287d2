"""The rule of the shared request budget, on an injected clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ic_assets.core.rate_budget import Pace

# How long each caller waits before it asks again, and how late it wakes up.
delays = st.lists(st.floats(0, 0.5), min_size=30, max_size=200)


def departures(rps: float, lateness: list[float]) -> list[float]:
    """A caller that always has something to send, woken up late each time."""
    pace, now, left = Pace(rps), 1000.0, []
    for late in lateness:
        while True:
            pace, wait = pace.take(now)
            if wait == 0:
                break
            now += wait + late
        left.append(now)
    return left


def most_in(times: list[float], seconds: float) -> int:
    return max(sum(1 for t in times if start <= t < start + seconds) for start in times)


@given(rps=st.floats(1, 60), lateness=delays)
def test_no_second_holds_more_than_the_budget_however_late_callers_wake_up(rps: float, lateness: list[float]) -> None:
    times = departures(rps, lateness)
    assert most_in(times, 1.0) <= rps
    assert most_in(times, 10.0) <= rps * 10


@given(rps=st.floats(0.05, 1), lateness=delays)
def test_a_budget_below_one_a_second_lets_one_go_in_its_own_interval(rps: float, lateness: list[float]) -> None:
    times = departures(rps, lateness)
    assert most_in(times, 1 / rps) <= 1


@given(rps=st.integers(1, 60), lateness=st.lists(st.floats(0, 0.003), min_size=400, max_size=600))
def test_a_caller_that_wakes_up_in_time_uses_98_percent_of_the_budget(rps: int, lateness: list[float]) -> None:
    times = departures(rps, lateness)
    assert (len(times) - 1) / (times[-1] - times[0]) >= 0.98 * rps


def test_a_long_silence_is_not_made_good_by_a_burst() -> None:
    pace = Pace(20)
    for second in range(3):
        pace, _ = pace.take(float(second))
    burst, now = [], 100.0
    while now < 101.0:
        pace, wait = pace.take(now)
        if wait == 0:
            burst.append(now)
        else:
            now += wait
    assert len(burst) <= 20
    assert burst.count(100.0) <= 7


def test_a_request_that_left_late_counts_from_when_it_left() -> None:
    pace, _ = Pace(1).take(10.0)
    assert pace.corrected({10.0: 10.4}).take(11.1)[1] > 0.25


def test_what_left_unasked_counts() -> None:
    pace = Pace(2).counted(5.0).counted(5.0)
    assert pace.take(5.5)[1] > 0.5


def test_nothing_leaves_while_hubspot_has_us_wait() -> None:
    pace = Pace(10).blocked(50.0)
    assert pace.take(49.0)[1] == 1.0
    assert pace.take(50.0)[1] == 0.0
