"""How many requests a second each source may send: a bucket that fills at that pace and holds a second's worth. One process
receives, so it is kept in memory; what leaves this house for others' APIs is counted in ``core/rate_budget.py``."""

from __future__ import annotations

import math
from collections.abc import Callable


class Budgets:
    """``rate``: requests a second of a source. ``clock``: seconds, monotonic."""

    def __init__(self, rate: Callable[[str], float], clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, source: str) -> int:
        """0 when the request is within the budget, else in how many whole seconds the next one is."""
        rate, now = self._rate(source), self._clock()
        most = max(1.0, rate)
        left, at = self._left.get(source, (most, now))
        left = min(most, left + (now - at) * rate)
        is_within = left >= 1
        self._left[source] = (left - 1 if is_within else left, now)
        return 0 if is_within else max(1, math.ceil((1 - left) / rate))
