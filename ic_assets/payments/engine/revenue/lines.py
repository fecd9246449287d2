"""The lines of a subscription: what recurs, for how much a month. Both product catalogs become one kind of line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ic_assets.payments.engine.reading.models import Subscription

_PER_MONTH = {
    "month": Fraction(1),
    "year": Fraction(1, 12),
    "week": Fraction(365, 84),
    "day": Fraction(365, 12),
}
"""A month is 365/12 days, as in Chargebee's own figure."""


@lru_cache(maxsize=1024)
def factor(period: int | None, unit: str | None) -> Fraction | None:
    """What an amount for ``period`` times ``unit`` is worth a month; None without a period."""
    return None if period is None or unit is None else _PER_MONTH[unit] / period


def months(period: int, unit: str) -> Fraction:
    """``period`` times ``unit`` in months."""
    return period / _PER_MONTH[unit]


@dataclass(frozen=True)
class Line:
    """One recurring line. ``amount`` is in minor units, None when nothing tells it; ``factor`` makes a month of it."""

    item: str
    is_plan: bool
    amount: Fraction | None
    factor: Fraction | None
    unit: str | None
    trial_end: int | None


def subscription_factor(of: Subscription) -> Fraction | None:
    return factor(of.billing_period, of.billing_period_unit)


def lines(of: Subscription, minor: int) -> list[Line]:
    """The recurring lines, a trial's too. ``minor``: minor units in one of the currency."""
    return list(_items(of, minor) if of.subscription_items else _plan_and_addons(of, minor))


def seat_counts(of: Subscription) -> Iterator[tuple[str, bool, Decimal]]:
    """Item, whether it is the plan, and quantity, of all plan and add-on lines, counted or not."""
    if of.subscription_items:
        for item in of.subscription_items:
            if item.item_type in ("plan", "addon"):
                yield item.item_price_id, item.item_type == "plan", _quantity(item, Decimal(0))
        return
    if of.plan_id is not None:
        yield of.plan_id, True, _first(of.plan_quantity_in_decimal, of.plan_quantity, Decimal(0))
    for addon in of.addons:
        yield addon.id, False, _quantity(addon, Decimal(0))


def plan_item(of: Subscription) -> str | None:
    """Chargebee's id of the plan."""
    if of.subscription_items:
        return next((item.item_price_id for item in of.subscription_items if item.item_type == "plan"), None)
    return of.plan_id


def _items(of: Subscription, minor: int) -> Iterator[Line]:
    tiered = {tier.item_price_id for tier in of.item_tiers}
    for item in of.subscription_items or ():
        # Charges are one-time, metered quantities are usage: neither recurs.
        if item.item_type not in ("plan", "addon") or item.metered_quantity is not None:
            continue
        own = item.billing_period is not None and item.billing_period_unit is not None
        period, unit = (
            (item.billing_period, item.billing_period_unit) if own else (of.billing_period, of.billing_period_unit)
        )
        amount = _amount(item, minor, free=_free(item), is_tiered=item.item_price_id in tiered)
        yield Line(item.item_price_id, item.item_type == "plan", amount, factor(period, unit), unit, item.trial_end)


def _plan_and_addons(of: Subscription, minor: int) -> Iterator[Line]:
    every, unit = subscription_factor(of), of.billing_period_unit
    if of.plan_id is not None:
        amount = _total(
            of.plan_amount_in_decimal,
            of.plan_amount,
            of.plan_unit_price_in_decimal,
            of.plan_unit_price,
            _first(of.plan_quantity_in_decimal, of.plan_quantity, Decimal(1)),
            _first(of.plan_free_quantity_in_decimal, of.plan_free_quantity, Decimal(0)),
            minor,
        )
        yield Line(of.plan_id, True, amount, every, unit, None)
    for addon in of.addons:
        yield Line(addon.id, False, _amount(addon, minor), every, unit, addon.trial_end)


def _amount(line: Any, minor: int, free: Decimal = Decimal(0), *, is_tiered: bool = False) -> Fraction | None:
    exact, whole = (None, None) if is_tiered else (line.unit_price_in_decimal, line.unit_price)
    return _total(line.amount_in_decimal, line.amount, exact, whole, _quantity(line, Decimal(1)), free, minor)


def _total(
    amount_in_decimal: Decimal | None,
    amount: int | None,
    unit_price_in_decimal: Decimal | None,
    unit_price: int | None,
    quantity: Decimal,
    free: Decimal,
    minor: int,
) -> Fraction | None:
    if amount_in_decimal is not None:
        return Fraction(amount_in_decimal) * minor
    if amount is not None:
        return Fraction(amount)
    if unit_price_in_decimal is None and unit_price is None:
        return None
    each = Fraction(unit_price_in_decimal) * minor if unit_price_in_decimal is not None else Fraction(unit_price or 0)
    return each * max(Fraction(quantity) - Fraction(free), Fraction(0))


def _quantity(line: Any, absent: Decimal) -> Decimal:
    return _first(line.quantity_in_decimal, line.quantity, absent)


def _free(item: Any) -> Decimal:
    return _first(item.free_quantity_in_decimal, item.free_quantity, Decimal(0))


def _first(in_decimal: Decimal | None, whole: int | None, absent: Decimal) -> Decimal:
    if in_decimal is not None:
        return in_decimal
    return absent if whole is None else Decimal(whole)
