"""Chargebee's objects and events as tests write them down: short, in the shapes of its API v2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ic_assets.payments.engine.reading.events import read
from ic_assets.payments.engine.reading.models import Coupon, Subscription
from ic_assets.payments.engine.revenue.figures import Figures, figures
from ic_assets.payments.engine.revenue.rules import Grant, Rules
from ic_assets.payments.engine.revenue.timeline import Timeline, timeline
from ic_assets.payments.engine.revenue.versions import versions_of

CURRENCIES = {"USD": 100, "EUR": 100, "KWD": 100, "JPY": 1}
RANGES = (("1-2000", Decimal(0)), ("2001-8000", Decimal(2001)), ("8001+", Decimal(8001)))
ADDONS = (("seats*", "seats"), ("ops*", "ops"), ("hr*", "hr"), ("comms*", "comms"))


def at(text: str) -> int:
    """``2026-03-01`` or ``2026-03-01 12:00`` in UTC as Unix seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def item(price: str, amount: int | None = None, kind: str | None = None, **more: Any) -> dict[str, Any]:
    kind = kind or ("plan" if price.startswith("plan") else "addon")
    found: dict[str, Any] = {"item_price_id": price, "item_type": kind, **more}
    return found if amount is None else {**found, "amount": amount}


def subscription(*items: dict[str, Any], every: str = "1 month", **more: Any) -> dict[str, Any]:
    period, _, unit = every.partition(" ")
    return {
        "id": "S",
        "customer_id": "C",
        "status": "active",
        "currency_code": "USD",
        "billing_period": int(period),
        "billing_period_unit": unit,
        "started_at": at("2026-01-01"),
        "activated_at": at("2026-01-01"),
        "current_term_start": at("2026-01-01"),
        "subscription_items": list(items),
        **more,
    }


def event(
    number: int, when: str, content: Mapping[str, Any], kind: str = "subscription_changed", **more: Any
) -> dict[str, Any]:
    """Event ``ev_<number>``; the objects that name no version get the event's number."""
    versioned = {
        name: value if "resource_version" in value or "updated_at" in value else {**value, "resource_version": number}
        for name, value in content.items()
    }
    return {
        "id": f"ev_{number:04}",
        "occurred_at": at(when),
        "event_type": kind,
        "api_version": "v2",
        "object": "event",
        "content": versioned,
        **more,
    }


def rules(
    *,
    rates: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    coupons: Sequence[dict[str, Any]] = (),
    grants: Mapping[str, Sequence[Grant]] | None = None,
) -> Rules:
    """``rates``: currency to pairs of day and dollars. ``coupons``: coupon events."""
    given = {c: [(date.fromisoformat(d), Decimal(r)) for d, r in days] for c, days in (rates or {}).items()}
    groups: dict[str, list[Any]] = {}
    for body in coupons:
        one = read(body, at("2099-01-01"), CURRENCIES)
        for carried in one.objects:
            groups.setdefault(carried.id, []).append((one, carried))
    return Rules(
        CURRENCIES,
        given,
        {key: versions_of(carried, Coupon) for key, carried in groups.items()},
        grants or {},
        ADDONS,
        (),
        RANGES,
    )


def history_of(events: Sequence[dict[str, Any]], by: Rules, until: str) -> Timeline:
    """The timeline of the one subscription that the events carry."""
    carried = []
    for body in events:
        one = read(body, at("2099-01-01"), CURRENCIES)
        carried += [(one, each) for each in one.objects if each.kind == "subscription"]
    return timeline(versions_of(carried, Subscription), by, at(until))


def worth(of: dict[str, Any], by: Rules | None = None, when: str = "2026-01-10", since: str = "2026-01-01") -> Figures:
    """The figures of a subscription that stands unchanged ``since``."""
    one = read(event(1, since, {"subscription": of}), at("2099-01-01"), CURRENCIES)
    carried = [(one, each) for each in one.objects]
    (version,) = versions_of(carried, Subscription)
    return figures(version, at(when), by or rules())
