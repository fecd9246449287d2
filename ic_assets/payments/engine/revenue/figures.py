"""What a version of a subscription is worth a month at an instant, with every step of how it comes about. Pure.

Amounts are US dollars with four decimals, one rounding a line and one a discount and line; None is a figure that the
sources do not give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ic_assets.core.money import ZERO, r4
from ic_assets.payments.engine.reading.models import Subscription
from ic_assets.payments.engine.revenue.discounts import Priced, Reduction, Terms, reduce, terms_at
from ic_assets.payments.engine.revenue.lines import Line, lines, months, seat_counts, subscription_factor
from ic_assets.payments.engine.revenue.rules import BUNDLES, Grant, Rate, Rules, day_of
from ic_assets.payments.engine.revenue.versions import Version

SPLIT = ("seats", "ops", "hr", "comms", "other")


@dataclass(frozen=True)
class Figures:
    """Monthly figures; all None while a price, a period or a rate is missing, the last two while a discount's terms are."""

    counted: bool
    rate: Rate | None = None
    base_plan_mrr: Decimal | None = ZERO
    addons: dict[str, Decimal | None] = field(default_factory=lambda: dict.fromkeys(SPLIT, ZERO))
    calculated_mrr: Decimal | None = ZERO
    discount_mrr: Decimal | None = ZERO
    effective_mrr: Decimal | None = ZERO
    sales_effective_mrr: Decimal | None = ZERO
    paid_months: Fraction = Fraction(1)
    covered_months: Fraction = Fraction(1)
    problems: tuple[str, ...] = ()
    seats: Decimal = field(default=Decimal(0), compare=False)
    list_price: Decimal | None = field(default=None, compare=False)
    """As if counted; None when it is not known."""
    discounts: tuple[Terms, ...] = field(default=(), compare=False)
    """Those that reach a line, as if counted."""
    knows_terms: bool = field(default=True, compare=False)
    """False while a discount that would count has terms that are not known, or not supported."""
    detail: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def addon_mrr(self) -> Decimal | None:
        parts = list(self.addons.values())
        return None if any(one is None for one in parts) else sum((one or ZERO for one in parts), ZERO)


def is_ended(of: Subscription, valid_from: int, when: int, *, just_before: bool = False) -> bool:
    """Whether a cancellation for a set time has come, event or not. ``just_before``: in the instant before ``when``."""
    if of.cancelled_at is None or not _passed(of.cancelled_at, when, just_before):
        return False
    # A cancelled_at of an active one that lies before the version is of an earlier life.
    return of.status == "non_renewing" or of.cancelled_at > valid_from


def is_counted(version: Version[Subscription], when: int) -> bool:
    of = version.value
    if of.status not in ("active", "non_renewing") or version.deleted or is_ended(of, version.valid_from, when):
        return False
    paused = of.pause_date
    return not (of.status == "active" and paused is not None and version.valid_from < paused <= when)


def is_live(version: Version[Subscription], when: int, price: Decimal | None, *, just_before: bool = False) -> bool:
    """Active, non-renewing or paused, not ended, with a list price above 0 or unknown."""
    of = version.value
    if of.status not in ("active", "non_renewing", "paused") or version.deleted:
        return False
    return not is_ended(of, version.valid_from, when, just_before=just_before) and (price is None or price > 0)


def _passed(instant: int, when: int, just_before: bool) -> bool:
    return instant < when if just_before else instant <= when


def figures(version: Version[Subscription], when: int, rules: Rules) -> Figures:
    """The figures at ``when``, in Unix seconds."""
    of = version.value
    counted = is_counted(version, when)
    minor = rules.minor(of.currency_code)
    term = of.current_term_start if of.current_term_start is not None else version.valid_from
    rate = rules.rate(of.currency_code, day_of(term), of.exchange_rate, of.base_currency_code)
    # A line is free until its trial ends.
    chosen = [line for line in lines(of, minor) if line.trial_end is None or line.trial_end <= when]
    problems = _missing(of, chosen, rate)
    seats = sum(
        (quantity for item, is_plan, quantity in seat_counts(of) if is_plan or rules.bundle(item) == "seats"),
        Decimal(0),
    )
    months_paid = _months_paid(of, when, rules.grants.get(of.id, ()))
    if problems or rate is None:
        detail = {"lines": [_shown(line, None) for line in chosen], "steps": []}
        unpriced = _unpriced(of, chosen, when, rules)
        bare = Figures(
            counted,
            seats=seats,
            discounts=tuple(unpriced.counted),
            knows_terms=unpriced.knows_terms,
            detail=detail,
        )
        return _unknown(bare, rate, {*problems, *unpriced.problems}, months_paid) if counted else bare
    worth = Fraction(rate.usd_per_unit) / minor
    priced = [Priced(line, r4((line.amount or 0) * (line.factor or 0) * worth)) for line in chosen]
    reduction = reduce(of, priced, subscription_factor(of), worth, terms_at(of, when, rules), when)
    detail = _detail(priced, reduction)
    total = sum((one.monthly for one in priced), ZERO)
    reaching = tuple(reduction.counted)
    if not counted:
        return Figures(
            False,
            seats=seats,
            list_price=total,
            discounts=reaching,
            knows_terms=reduction.knows_terms,
            detail=detail,
        )
    if "no_period" in reduction.problems:
        found = Figures(True, seats=seats, discounts=reaching, knows_terms=reduction.knows_terms, detail=detail)
        return _unknown(found, rate, reduction.problems, months_paid)
    base, split = _split(priced, rules)
    paid, covered = months_paid
    known = reduction.is_known
    discount = reduction.monthly if known else None
    effective = total - reduction.monthly if known else None
    sales = None if effective is None else r4(Fraction(effective) * paid / covered)
    return Figures(
        True,
        rate,
        base,
        split,
        total,
        discount,
        effective,
        sales,
        paid,
        covered,
        tuple(sorted(reduction.problems)),
        seats,
        total,
        reaching,
        reduction.knows_terms,
        detail,
    )


def _unknown(found: Figures, rate: Rate | None, problems: set[str], months_paid: tuple[Fraction, Fraction]) -> Figures:
    """``found`` with no figure but the months, which the price has no part in."""
    nothing: dict[str, Decimal | None] = dict.fromkeys(SPLIT)
    return replace(
        found,
        rate=rate,
        base_plan_mrr=None,
        addons=nothing,
        calculated_mrr=None,
        discount_mrr=None,
        effective_mrr=None,
        sales_effective_mrr=None,
        paid_months=months_paid[0],
        covered_months=months_paid[1],
        problems=tuple(sorted(problems)),
    )


def _unpriced(of: Subscription, chosen: list[Line], when: int, rules: Rules) -> Reduction:
    """The discounts of lines that have no price: which count, and what is amiss with them."""
    priced = [Priced(line, ZERO) for line in chosen]
    return reduce(of, priced, subscription_factor(of), Fraction(0), terms_at(of, when, rules), when)


def _missing(of: Subscription, chosen: list[Line], rate: Rate | None) -> tuple[str, ...]:
    found = set()
    if not of.subscription_items and not of.plan_id:
        found.add("no_amount")
    if any(line.amount is None for line in chosen):
        found.add("no_amount")
    if any(line.factor is None for line in chosen):
        found.add("no_period")
    if rate is None:
        found.add("no_rate")
    return tuple(sorted(found))


def _split(priced: list[Priced], rules: Rules) -> tuple[Decimal, dict[str, Decimal | None]]:
    base = sum((one.monthly for one in priced if one.line.is_plan), ZERO)
    split = dict.fromkeys(SPLIT, ZERO)
    for one in priced:
        if not one.line.is_plan:
            bundle = rules.bundle(one.line.item)
            split[bundle if bundle in BUNDLES else "other"] += one.monthly
    return base, dict(split)


def _months_paid(of: Subscription, when: int, grants: Sequence[Grant]) -> tuple[Fraction, Fraction]:
    """Months that are paid, and months that they cover."""
    for grant in sorted(grants, key=lambda one: (one.as_of, one.event_id), reverse=True):
        if grant.begins <= when < grant.ends:
            return grant.term_months - Fraction(grant.free_months), Fraction(grant.term_months)
    if first_term_end(of, when) is not None:
        paid = months(of.billing_period or 1, of.billing_period_unit or "month")
        free = months(of.free_period or 0, of.free_period_unit or "month")
        return paid, paid + free
    return Fraction(1), Fraction(1)


def first_term_end(of: Subscription, when: int | None = None) -> int | None:
    """The end of a first term that a free period lengthens; None in any other term, or once it is over at ``when``."""
    if of.free_period is None or of.free_period_unit is None or subscription_factor(of) is None:
        return None
    begins, ends = of.current_term_start, of.current_term_end
    if begins is None or ends is None or (when is not None and when >= ends):
        return None
    is_first = (of.started_at is not None and begins <= of.started_at) or begins == of.trial_end
    return ends if is_first else None


def _exactly(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _detail(priced: list[Priced], reduction: Reduction) -> dict[str, Any]:
    return {
        "lines": [_shown(one.line, one.monthly) for one in priced],
        "steps": [
            {
                "step": taken.step,
                "discount": taken.terms.id,
                "coupon": taken.terms.is_coupon,
                "kind": taken.terms.kind,
                "value": str(taken.terms.value),
                "lines": list(taken.lines),
                "monthly": str(taken.monthly),
                "until": taken.terms.apply_till,
            }
            for taken in reduction.taken
        ],
    }


def _shown(line: Line, monthly: Decimal | None) -> dict[str, Any]:
    return {
        "item": line.item,
        "type": "plan" if line.is_plan else "addon",
        "amount": None if line.amount is None else str(_exactly(line.amount)),
        "factor": None if line.factor is None else f"{line.factor.numerator}/{line.factor.denominator}",
        "monthly": None if monthly is None else str(monthly),
    }


def turns(version: Version[Subscription], rules: Rules) -> Iterator[tuple[int, str]]:
    """The instants after which a rule may say something else of this version, with what turns."""
    of = version.value
    if of.cancelled_at is not None and of.status in ("active", "non_renewing", "paused"):
        yield of.cancelled_at, "cancelled_at"
    if of.pause_date is not None and of.status == "active":
        yield of.pause_date, "pause_date"
    for line in lines(of, rules.minor(of.currency_code)):
        if line.trial_end is not None:
            yield line.trial_end, "trial_end"
    for used in of.coupons:
        if used.apply_till is not None:
            yield used.apply_till, "apply_till"
        yield from ((known.valid_from, "coupon") for known in rules.coupons.get(used.coupon_id, ()))
    if of.coupon is not None:
        yield from ((known.valid_from, "coupon") for known in rules.coupons.get(of.coupon, ()))
    yield from ((one.apply_till, "apply_till") for one in of.discounts if one.apply_till is not None)
    if (ends := first_term_end(of)) is not None:
        yield ends, "free_period"
    for grant in rules.grants.get(of.id, ()):
        yield grant.begins, "grant_start"
        yield grant.ends, "grant_end"


def rate_day(of: Subscription, valid_from: int) -> date:
    return day_of(of.current_term_start if of.current_term_start is not None else valid_from)
