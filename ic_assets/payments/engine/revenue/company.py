"""What a company pays at the reference time: the sums, the range of its yearly revenue, its plan, whether it pays and since
when, and its discounts. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from ic_assets.core.money import ZERO, r4
from ic_assets.payments.engine.revenue.discounts import Terms
from ic_assets.payments.engine.revenue.figures import is_ended, is_live
from ic_assets.payments.engine.revenue.lines import plan_item
from ic_assets.payments.engine.revenue.movements import History, Span
from ic_assets.payments.engine.revenue.rules import Rules
from ic_assets.payments.engine.revenue.timeline import Row, Timeline

ENDING_SECONDS = 30 * 86_400
"""A discount that ends within 30 days is ``ending``."""


@dataclass(frozen=True)
class Profile:
    """What is written in ``crm`` beside the collections. ``paying_since`` in Unix seconds."""

    current_mrr: Decimal | None
    effective_mrr: Decimal | None
    sales_effective_mrr: Decimal | None
    payment_status: str | None
    paying_since: int | None
    plan_id: str | None


@dataclass(frozen=True)
class ArrRange:
    """``changed_at``: when the present range began; None when there never was one. ``jumped_from``: the range two or more
    steps away that was before it."""

    arr_usd: Decimal | None
    arr_range: str | None
    changed_at: int | None
    jumped_from: str | None


@dataclass(frozen=True)
class DiscountStatus:
    status: str | None
    current_price: Decimal | None
    effective_mrr: Decimal | None
    discount_usd: Decimal | None
    discount_share: Decimal | None
    discount_type: str | None
    discounts: tuple[dict[str, Any], ...]
    term_end: int | None
    ended_at: int | None


def profile(timelines: Sequence[Timeline], history: History, rules: Rules) -> Profile:
    """The company at the end of its timelines, which is the reference time."""
    now = [one.rows[-1] for one in timelines if one.rows]
    counted = [row.figures for row in now if row.figures.counted]
    current = _sum([one.calculated_mrr for one in counted])
    effective = _sum([one.effective_mrr for one in counted])
    sales = _sum([one.sales_effective_mrr for one in counted])
    last = history.spans[-1] if history.spans else None
    status = None
    if last is not None and last.was_above_zero:
        status = "PAID" if last.is_live else "CHURNED"
    return Profile(current, effective, sales, status, _paying_since(timelines, history), plan(timelines, rules, status))


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    return None if any(one is None for one in values) else sum((one or ZERO for one in values), ZERO)


def _paying_since(timelines: Sequence[Timeline], history: History) -> int | None:
    start, was_paid = None, False
    for span in history.spans:
        if span.is_paid and not was_paid:
            start = span.at
        was_paid = span.is_paid
    if start is None:
        return None
    # Of a subscription that was pulled its earlier life is not known; it says itself since when it is active.
    earlier = [
        activated
        for one in timelines
        if one.rows
        and one.rows[0].valid_from == start
        and one.rows[0].version.first.event_type == "pulled_subscription"
        and (activated := one.rows[0].version.value.activated_at) is not None
    ]
    return min([start, *earlier])


def plan(timelines: Sequence[Timeline], rules: Rules, payment_status: str | None) -> str | None:
    """The plan of the live subscription with the highest list price; else what stands for the company's state."""
    now = [(one.samples[-1], one.rows[-1].version.value) for one in timelines if one.rows]
    live = [
        (row, value)
        for row, value in now
        if is_live(row.version, row.valid_from, row.figures.list_price) and plan_item(value) is not None
    ]
    if live:
        _, value = min(live, key=lambda pair: _by_price(*pair))
        return rules.plan(plan_item(value) or "")
    if any(value.status == "in_trial" and not row.version.deleted for row, value in now):
        return "trial"
    free = [
        (row, value)
        for row, value in now
        if value.status in ("active", "non_renewing")
        and not row.version.deleted
        and not is_ended(value, row.version.valid_from, row.valid_from)
        and row.figures.list_price == 0
        and plan_item(value) is not None
    ]
    if free:
        _, value = min(free, key=lambda pair: _by_price(*pair))
        return rules.plan(plan_item(value) or "")
    return "churn" if payment_status == "CHURNED" else None


def _by_price(row: Row, value: Any) -> tuple[Decimal, int, str]:
    price = row.figures.list_price
    activated = value.activated_at if value.activated_at is not None else 253_402_300_799
    return (-price if price is not None else Decimal(1)), activated, value.id


def arr_range(timelines: Sequence[Timeline], history: History, rules: Rules) -> ArrRange:
    """The range as it went through the company's history: unknown revenue, and none while it pays, leave it standing."""
    order = [name for name, _ in rules.ranges]
    standing: str | None = None
    before: str | None = None
    last_known: str | None = None
    changed_at: int | None = None
    arr: Decimal | None = None
    for span in history.spans:
        arr = None if span.known is None else 12 * span.known
        found = _range_at(arr, span, standing, rules)
        if found != standing:
            before, changed_at, standing = last_known, span.at, found
            last_known = found if found is not None else last_known
    is_jump = standing is not None and before is not None and abs(order.index(standing) - order.index(before)) >= 2
    return ArrRange(arr if history.spans else ZERO, standing, changed_at, before if is_jump else None)


def _range_at(arr: Decimal | None, span: Span, standing: str | None, rules: Rules) -> str | None:
    if arr is None:
        return standing
    if arr > 0:
        return rules.range_of(arr)
    return standing if span.is_paid else None


def discount_status(timelines: Sequence[Timeline], whole: Profile, until: int) -> DiscountStatus:
    """What the company's price is lowered by, and until when."""
    now = [one.samples[-1] for one in timelines if one.rows]
    reduced = [row for row in now if row.figures.counted or _is_paused(row, until)]
    standing = [(row, terms) for row in reduced for terms in row.figures.discounts]
    unknown = not all(row.figures.knows_terms for row in reduced)
    price, effective = whole.current_mrr, whole.effective_mrr
    usd = None if price is None or effective is None else price - effective
    share = None
    if usd is not None and price is not None:
        share = r4(Fraction(usd) / Fraction(price)) if price else ZERO
    ends = [terms.apply_till for _, terms in standing if terms.apply_till is not None]
    kinds = {terms.kind for _, terms in standing}
    ended_at = None
    status: str | None
    if standing and unknown:
        status = "active"
    elif standing:
        status = "ending" if ends and min(ends) <= until + ENDING_SECONDS else "active"
    elif unknown:
        status = None
    else:
        ended_at = max(filter(None, (_ended_at(one, until) for one in timelines if one.rows)), default=None)
        status = "none" if ended_at is None else "ended"
    named = None if not kinds else "mixed" if len(kinds) > 1 else next(iter(kinds))
    shown = tuple(_shown(row, terms) for row, terms in standing)
    return DiscountStatus(status, price, effective, usd, share, named, shown, min(ends, default=None), ended_at)


def _is_paused(row: Row, until: int) -> bool:
    of = row.version.value
    if row.version.deleted or not is_live(row.version, until, None):
        return False
    return of.status == "paused" or (of.status == "active" and not row.figures.counted)


def _shown(row: Row, terms: Terms) -> dict[str, Any]:
    steps = row.figures.detail.get("steps", [])
    step: dict[str, Any] = next(
        (one for one in steps if one["discount"] == terms.id and one["coupon"] == terms.is_coupon), {}
    )
    return {
        "subscription_id": row.subscription_id,
        "id": terms.id,
        "coupon": terms.is_coupon,
        "step": step.get("step"),
        "monthly": step.get("monthly"),
        "end": terms.apply_till,
    }


def _ended_at(timeline: Timeline, until: int) -> int | None:
    """When the last discount of a subscription that is still live ended."""
    last = timeline.samples[-1]
    if not is_live(last.version, until, last.figures.list_price):
        return None
    ended = None
    for before, after in pairwise(timeline.samples):
        if _reduced(before) and not _reduced(after):
            ended = after.valid_from
    return ended


def _reduced(row: Row) -> bool:
    """Whether a discount counted then: on a trial, or once it was cancelled, none does."""
    return bool(row.figures.discounts) and (row.figures.counted or _is_paused(row, row.valid_from))
