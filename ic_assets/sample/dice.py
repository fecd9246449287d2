"""Chance that can be repeated: what everything in the sample data is drawn with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws from ``random()`` alone: the one method whose sequence Python promises not to change."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random  # noqa: S311  sample text, no secret

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def chance(self, percent: float) -> bool:
        return self._random() * 100 < percent

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]
