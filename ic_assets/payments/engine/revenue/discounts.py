"""The discounts of a subscription at an instant: which count, what each takes a month, and what is not known of them. Pure.

Order: fixed on items, percent on items, fixed on the total, percent on the total; in each, coupons before manual
discounts, then by id bytewise; each sees what is left (Chargebee's published order).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ic_assets.core.money import ZERO, r4
from ic_assets.payments.engine.reading.models import Coupon, Discount, ItemConstraint, Subscription
from ic_assets.payments.engine.revenue.lines import Line, months
from ic_assets.payments.engine.revenue.rules import Rules
from ic_assets.payments.engine.revenue.versions import Version, at

Target = Literal["items", "total"]


@dataclass(frozen=True)
class Terms:
    """One discount with its terms, wherever they came from. ``matches`` holds the ids of the lines it reduces."""

    id: str
    is_coupon: bool
    kind: Literal["fixed", "percentage"] | None
    value: Decimal | int | None
    currency: str | None
    target: Target | None
    forever: bool
    limited: bool
    length: Fraction | None
    """Months that it is applied for; None when no length is given."""
    apply_till: int | None
    unsupported: bool = False
    unknown: bool = False
    coupon: Coupon | None = None
    item: str | None = None

    def lasts(self, when: int, billing: Fraction | None) -> bool:
        """Whether it recurs at ``when`` for what is billed every ``billing`` months."""
        if self.forever:
            return True
        if not self.limited or (self.apply_till is not None and when >= self.apply_till):
            return False
        return self.length is None or billing is None or self.length > billing


@dataclass(frozen=True)
class Taken:
    """What one discount takes a month at an instant, in US dollars."""

    terms: Terms
    step: int
    monthly: Decimal
    lines: tuple[str, ...]


@dataclass
class Reduction:
    """All discounts at an instant."""

    taken: list[Taken] = field(default_factory=list)
    problems: set[str] = field(default_factory=set)
    counted: list[Terms] = field(default_factory=list)

    @property
    def knows_terms(self) -> bool:
        return not self.problems & {"unknown_coupon", "unsupported_discount"}

    @property
    def is_known(self) -> bool:
        return self.knows_terms and "no_period" not in self.problems

    @property
    def monthly(self) -> Decimal:
        return sum((one.monthly for one in self.taken), ZERO)


def terms_at(of: Subscription, when: int, rules: Rules) -> Iterator[Terms]:
    """Every discount of the subscription with the terms that hold at ``when``."""
    replaced = {one.coupon_id for one in of.discounts if one.coupon_id is not None}
    used = [(one.coupon_id, one.apply_till) for one in of.coupons]
    if not used and of.coupon is not None:
        used = [(of.coupon, None)]
    for coupon_id, apply_till in used:
        if coupon_id in replaced:
            continue
        versions = rules.coupons.get(coupon_id, ())
        version = at(versions, when) or next(iter(versions), None)
        if version is None:
            # Only what is given for a limited period has an end.
            yield Terms(
                coupon_id, True, None, None, None, None, apply_till is None, True, None, apply_till, unknown=True
            )
        else:
            yield of_coupon(coupon_id, version, apply_till)
    for discount in of.discounts:
        yield _of_discount(discount)


def of_coupon(coupon_id: str, version: Version[Coupon], apply_till: int | None) -> Terms:
    coupon = version.value
    target: Target | None = {"invoice_amount": "total", "each_specified_item": "items"}.get(coupon.apply_on or "")  # type: ignore[assignment]
    families = any(one.item_family_ids for one in coupon.item_constraint_criteria)
    kind, value = _kind(coupon.discount_type, coupon.discount_percentage, coupon.discount_amount)
    length = None
    if coupon.period is not None and coupon.period_unit is not None:
        length = months(coupon.period, coupon.period_unit)
    elif coupon.duration_month is not None:
        length = Fraction(coupon.duration_month)
    return Terms(
        coupon_id,
        True,
        kind,
        value,
        coupon.currency_code,
        target,
        coupon.duration_type == "forever",
        coupon.duration_type == "limited_period",
        length,
        apply_till,
        unsupported=kind is None or target is None or (families and _has_criteria(coupon)),
        coupon=coupon,
    )


def _has_criteria(coupon: Coupon) -> bool:
    return any(one.constraint == "criteria" for one in coupon.item_constraints)


def _of_discount(one: Discount) -> Terms:
    target: Target | None = {"invoice_amount": "total", "specific_item_price": "items"}.get(one.apply_on)  # type: ignore[assignment]
    kind, value = _kind(one.type, one.percentage, one.amount)
    known = one.period is not None and one.period_unit is not None
    return Terms(
        one.id,
        False,
        kind,
        value,
        one.currency_code,
        target,
        one.duration_type == "forever",
        one.duration_type == "limited_period",
        months(one.period or 1, one.period_unit or "month") if known else None,
        one.apply_till,
        unsupported=kind is None or target is None,
        item=one.item_price_id,
    )


def _kind(
    named: str, percentage: Decimal | None, amount: int | None
) -> tuple[Literal["fixed", "percentage"] | None, Decimal | int | None]:
    if named == "percentage":
        return "percentage", percentage
    return ("fixed", amount) if named == "fixed_amount" else (None, None)


def matches(terms: Terms, line: Line, of: Subscription) -> bool:
    """Whether an item-level discount reduces ``line``."""
    if terms.coupon is None:
        return terms.item == line.item
    coupon = terms.coupon
    kind = "plan" if line.is_plan else "addon"
    if coupon.item_constraints:
        return any(_constrained(one, coupon, line, of) for one in coupon.item_constraints if one.item_type == kind)
    constraint, ids = (
        (coupon.plan_constraint, coupon.plan_ids) if line.is_plan else (coupon.addon_constraint, coupon.addon_ids)
    )
    return constraint == "all" or (constraint == "specific" and line.item in ids)


def _constrained(one: ItemConstraint, coupon: Coupon, line: Line, of: Subscription) -> bool:
    if one.constraint == "specific":
        return line.item in one.item_price_ids
    if one.constraint != "criteria":
        return one.constraint == "all"
    return any(
        (not criterion.currencies or of.currency_code in criterion.currencies)
        and (not criterion.item_price_periods or line.unit in criterion.item_price_periods)
        for criterion in coupon.item_constraint_criteria
        if criterion.item_type == one.item_type
    )


@dataclass(frozen=True)
class Priced:
    """A line with its list price a month in US dollars."""

    line: Line
    monthly: Decimal


def reduce(
    of: Subscription,
    priced: Sequence[Priced],
    per_month: Fraction | None,
    worth: Fraction,
    terms: Iterable[Terms],
    when: int,
) -> Reduction:
    """What the discounts take. ``per_month``: the subscription's factor; ``worth``: US dollars of one minor unit."""
    result = Reduction()
    left = [one.monthly for one in priced]
    steps: list[list[tuple[Terms, list[int]]]] = [[], [], [], []]
    for one in terms:
        reached = _reached(one, priced, per_month, of, when)
        if reached is None or not _usable(one, of, per_month, result):
            continue
        result.counted.append(one)
        steps[(0 if one.kind == "fixed" else 1) + (2 if one.target == "total" else 0)].append((one, reached))
    for step, chosen in enumerate(steps, start=1):
        for one, reached in sorted(chosen, key=lambda pair: (not pair[0].is_coupon, pair[0].id)):
            if one.target == "items":
                took = _from_items(one, priced, left, reached, worth, result)
            else:
                took = _from_total(one, left, result, per_month, worth)
            result.taken.append(Taken(one, step, took, tuple(priced[i].line.item for i in reached)))
    return result


def _reached(
    one: Terms, priced: Sequence[Priced], per_month: Fraction | None, of: Subscription, when: int
) -> list[int] | None:
    """The lines that it reduces at ``when``; None when it reduces nothing."""
    if one.unknown or one.target is None:
        return [] if one.lasts(when, None if per_month is None else 1 / per_month) else None
    if one.target == "total":
        return (
            list(range(len(priced))) or None if one.lasts(when, None if per_month is None else 1 / per_month) else None
        )
    found = [
        place
        for place, line in enumerate(priced)
        if (one.unsupported or matches(one, line.line, of))
        and one.lasts(when, None if line.line.factor is None else 1 / line.line.factor)
    ]
    return found or None


def _usable(one: Terms, of: Subscription, per_month: Fraction | None, result: Reduction) -> bool:
    """Whether what it takes can be told; otherwise why not is noted."""
    if one.unknown:
        result.problems.add("unknown_coupon")
    elif one.unsupported:
        result.problems.add("unsupported_discount")
    elif one.kind == "fixed" and one.currency is not None and one.currency != of.currency_code:
        result.problems.add("coupon_currency")
    elif one.target == "total" and per_month is None:
        result.problems.add("no_period")
    else:
        return True
    return False


def _from_items(
    one: Terms, priced: Sequence[Priced], left: list[Decimal], reached: list[int], worth: Fraction, result: Reduction
) -> Decimal:
    took = ZERO
    for place in reached:
        if one.kind == "fixed":
            wanted = r4(Fraction(one.value or 0) * (priced[place].line.factor or 0) * worth)
            if wanted > left[place]:
                result.problems.add("coupon_above_price")
            share = min(left[place], wanted)
        else:
            share = r4(Fraction(left[place]) * Fraction(one.value or 0) / 100)
        left[place] -= share
        took += share
    return took


def _from_total(
    one: Terms, left: list[Decimal], result: Reduction, per_month: Fraction | None, worth: Fraction
) -> Decimal:
    rest = sum(left, ZERO) - sum((taken.monthly for taken in result.taken if taken.terms.target == "total"), ZERO)
    if one.kind == "percentage":
        return r4(Fraction(rest) * Fraction(one.value or 0) / 100)
    wanted = r4(Fraction(one.value or 0) * (per_month or 0) * worth)
    if wanted > rest:
        result.problems.add("coupon_above_price")
    return min(rest, wanted)
