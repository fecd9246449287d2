"""How the recurring revenue of a company moved: new, expansion, contraction, churn, reactivation, currency. Pure.

All changes of one instant are one change. A figure that is not known counts as the subscription's last known one, else 0,
so that movements add up to the difference of any two instants.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ic_assets.core.money import ZERO, r4
from ic_assets.payments.engine.revenue.figures import is_live
from ic_assets.payments.engine.revenue.timeline import Row, Timeline

KINDS = ("new", "expansion", "contraction", "churn", "reactivation", "fx")


@dataclass(frozen=True)
class Change:
    """One subscription's part of a change."""

    subscription_id: str
    before: Decimal
    after: Decimal
    cause: str


@dataclass(frozen=True)
class Movement:
    """``at`` in Unix seconds; ``before`` and ``after`` are the company's revenue around it."""

    at: int
    kind: str
    amount_usd: Decimal
    before: Decimal
    after: Decimal
    cause: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Span:
    """From ``at`` on: the company's revenue, whether all of it is known, and whether it is paying."""

    at: int
    revenue: Decimal
    known: Decimal | None
    is_live: bool
    was_above_zero: bool

    @property
    def is_paid(self) -> bool:
        return self.is_live and self.was_above_zero


@dataclass(frozen=True)
class History:
    movements: tuple[Movement, ...]
    spans: tuple[Span, ...]


class _Series:
    """One subscription over time."""

    def __init__(self, timeline: Timeline) -> None:
        self.id = timeline.subscription_id
        self._samples = timeline.samples
        self.starts = [one.valid_from for one in timeline.samples]
        known, self._known = ZERO, []
        for one in timeline.samples:
            known = one.figures.effective_mrr if one.figures.effective_mrr is not None else known
            self._known.append(known)

    def sample(self, when: int, *, just_before: bool = False) -> Row | None:
        place = self._place(when, just_before)
        return self._samples[place] if place >= 0 else None

    def revenue(self, when: int, *, just_before: bool = False) -> Decimal:
        place = self._place(when, just_before)
        return self._known[place] if place >= 0 else ZERO

    def is_live(self, when: int, *, just_before: bool = False) -> bool:
        one = self.sample(when, just_before=just_before)
        return one is not None and is_live(one.version, when, one.figures.list_price, just_before=just_before)

    def _place(self, when: int, just_before: bool) -> int:
        return (bisect_left(self.starts, when) if just_before else bisect_right(self.starts, when)) - 1


def history(timelines: Sequence[Timeline]) -> History:
    """The movements and spans of one company, from all its subscriptions, up to the time of their timelines."""
    series = sorted((_Series(one) for one in timelines if one.rows), key=lambda one: one.id)
    movements: list[Movement] = []
    spans: list[Span] = []
    before, above = ZERO, False
    for when in sorted({start for one in series for start in one.starts}):
        after = sum((one.revenue(when) for one in series), ZERO)
        live = any(one.is_live(when) for one in series)
        if after != before:
            was_live = any(one.is_live(when, just_before=True) for one in series)
            movements += _moves(series, when, before, after, above, was_live, live)
        above = above or after > 0
        spans.append(Span(when, after, _known(series, when), live, above))
        before = after
    return History(tuple(movements), tuple(spans))


def _known(series: Sequence[_Series], when: int) -> Decimal | None:
    rows = [row for one in series if (row := one.sample(when)) is not None]
    figures_now = [row.figures.effective_mrr for row in rows]
    return None if any(one is None for one in figures_now) else sum((one or ZERO for one in figures_now), ZERO)


def _moves(
    series: Sequence[_Series], when: int, before: Decimal, after: Decimal, above: bool, was_live: bool, live: bool
) -> list[Movement]:
    changes = _changes(series, when)
    cause = min(one.cause for one in changes)

    def movement(kind: str, amount: Decimal) -> Movement:
        return Movement(when, kind, amount, before, after, cause, changes)

    if before == 0 and not above:
        return [movement("new", after)]
    if before == 0 and not was_live:
        return [movement("reactivation", after)]
    if after == 0 and not live:
        return [movement("churn", -before)]
    fx = _fx(series, when) if before > 0 and after > 0 else ZERO
    moved = after - before - fx
    found = [movement("expansion" if moved > 0 else "contraction", moved)] if moved else []
    return found + ([movement("fx", fx)] if fx else [])


def _changes(series: Sequence[_Series], when: int) -> tuple[Change, ...]:
    found = []
    for one in series:
        before, after = one.revenue(when, just_before=True), one.revenue(when)
        row = one.sample(when)
        if before != after and row is not None:
            found.append(Change(one.id, before, after, row.cause))
    return tuple(found)


def _fx(series: Sequence[_Series], when: int) -> Decimal:
    """What the rates alone moved, over subscriptions that count on both sides in one currency."""
    total = ZERO
    for one in series:
        old, new = one.sample(when, just_before=True), one.sample(when)
        if old is None or new is None or not (old.figures.counted and new.figures.counted):
            continue
        if old.version.value.currency_code != new.version.value.currency_code:
            continue
        effective, rate_before, rate_after = old.figures.effective_mrr, old.figures.rate, new.figures.rate
        if effective is None or new.figures.effective_mrr is None or rate_before is None or rate_after is None:
            continue
        if rate_before.usd_per_unit != rate_after.usd_per_unit:
            ratio = Fraction(rate_after.usd_per_unit) / Fraction(rate_before.usd_per_unit)
            total += r4(Fraction(effective) * ratio) - effective
    return total
