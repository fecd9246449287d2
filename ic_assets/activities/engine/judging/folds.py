"""How the counts of months are folded to one finding: failing, checked and a sample without personal data. `rules` names the
fold of each of its figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ic_assets.activities.engine.judging.figures import Count
from ic_assets.activities.engine.judging.verdicts import Found
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES

_SHOWN = 20


def summed(item: str = "") -> Callable[[Sequence[Count]], Found]:
    """All items together; those that have a name are the sample, under ``item``."""

    def fold(counts: Sequence[Count]) -> Found:
        named = [
            {item: count.item, "communications": count.failing} for count in counts if count.item and count.failing
        ]
        return sum(c.failing for c in counts), sum(c.checked for c in counts), named[:_SHOWN] or None

    return fold


def worst(counts: Sequence[Count]) -> Found:
    """The column that is missing most often."""
    lacking = sorted((c.item, c.failing) for c in counts if c.failing)
    return (
        max((c.failing for c in counts), default=0),
        max((c.checked for c in counts), default=0),
        [{"column": column, "missing": missing} for column, missing in lacking] or None,
    )


def largest_type(counts: Sequence[Count]) -> Found:
    types = [{"activity_type": c.item, "communications": c.checked} for c in counts]
    return max((c.checked for c in counts), default=0), sum(c.checked for c in counts), types or None


def absent_types(counts: Sequence[Count]) -> Found:
    absent = sorted({activity.name for activity in ACTIVITY_TYPES} - {c.item for c in counts if c.checked})
    return len(absent), len(ACTIVITY_TYPES), list(absent) or None


def most_implausible(counts: Sequence[Count]) -> Found:
    flaws = [{"flaw": count.item, "communications": count.failing} for count in counts if count.failing]
    return (
        max((count.failing for count in counts), default=0),
        max((count.checked for count in counts), default=0),
        flaws or None,
    )
