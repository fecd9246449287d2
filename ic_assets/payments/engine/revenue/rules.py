"""What the rule files and the other sources say, as the engine asks it: currencies, rates, coupons, grants, bundles,
plans, ranges, companies. Pure; who fills it reads the database.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ic_assets.core.money import rate10
from ic_assets.payments.engine.reading.models import Coupon
from ic_assets.payments.engine.revenue.versions import Version

DAYS_BACK = 7
"""A rate counts for the seven days after its own."""

BUNDLES = ("seats", "ops", "hr", "comms")


@dataclass(frozen=True)
class Rate:
    rate_date: date | None
    usd_per_unit: Decimal
    source: str


@dataclass(frozen=True)
class Grant:
    """Free months that an admin tool granted: ``free_months`` of the ``term_months`` from ``starts_on``."""

    as_of: datetime
    event_id: str
    free_months: Decimal
    starts_on: date
    term_months: int

    @property
    def begins(self) -> int:
        return seconds(self.starts_on)

    @property
    def ends(self) -> int:
        return seconds(add_months(self.starts_on, self.term_months))


@dataclass(frozen=True)
class Rules:
    """``currencies``: units of money in one, 1 or 100. ``rates``: by currency, ascending by day, one a day.
    ``addons`` and ``plans``: match (``*`` at the end stands for any ending) and what it means, in the file's order.
    ``ranges``: name and lower bound in US dollars, ascending."""

    currencies: Mapping[str, int]
    rates: Mapping[str, Sequence[tuple[date, Decimal]]] = field(default_factory=dict)
    coupons: Mapping[str, Sequence[Version[Coupon]]] = field(default_factory=dict)
    grants: Mapping[str, Sequence[Grant]] = field(default_factory=dict)
    addons: Sequence[tuple[str, str]] = ()
    plans: Sequence[tuple[str, str]] = ()
    ranges: Sequence[tuple[str, Decimal]] = ()
    customers: Mapping[str, str] = field(default_factory=dict)
    company_field: str | None = None
    base_currency: str = "USD"

    def rate(self, currency: str, day: date, given: Decimal | None, base: str | None) -> Rate | None:
        """US dollars for one ``currency`` on ``day``: ours within a week back, else the one that the object was given."""
        if currency == "USD":
            return Rate(None, Decimal(1), "usd")
        known = self.rates.get(currency, ())
        place = bisect_right(known, day, key=lambda one: one[0]) - 1
        if place >= 0 and known[place][0] >= day - timedelta(days=DAYS_BACK):
            return Rate(known[place][0], known[place][1], "file")
        if given is not None and (base or self.base_currency) == "USD":
            exact = rate10(given)
            if 0 < exact <= 1000:
                return Rate(None, exact, "chargebee")
        return None

    def minor(self, currency: str) -> int:
        """Minor units in one of the currency."""
        return self.currencies.get(currency, 100)

    def bundle(self, item: str) -> str | None:
        return first_match(self.addons, item)

    def company(self, customer_id: str, field: str | None) -> tuple[str | None, str | None]:
        """The company of a customer, and where that is from. ``field``: the customer's own word, where one is asked."""
        if customer_id in self.customers:
            return self.customers[customer_id], "map"
        if self.company_field:
            return (field, "field") if field else (None, None)
        return customer_id, "customer_id"

    def plan(self, item: str) -> str:
        return first_match(self.plans, item) or item

    def range_of(self, arr_usd: Decimal) -> str | None:
        """The range of an ARR above 0."""
        found = None
        for name, lower in self.ranges:
            if arr_usd >= lower and arr_usd > 0:
                found = name
        return found


def first_match(lines: Sequence[tuple[str, str]], item: str) -> str | None:
    for match, meaning in lines:
        if item == match or (match.endswith("*") and item.startswith(match[:-1])):
            return meaning
    return None


def seconds(day: date) -> int:
    """Midnight of ``day`` in UTC as Unix seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def day_of(when: int) -> date:
    return datetime.fromtimestamp(when, UTC).date()


def add_months(day: date, months: int) -> date:
    """``months`` calendar months after ``day``; a day that the month has not is its last, as in PostgreSQL."""
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))
