"""Computes customers anew from all their events, and puts the result in the place of what stood, in one transaction with the
removal of what waited. A company's customers are computed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg

from ic_assets.core.sql import statement
from ic_assets.payments.engine.reading.events import Carried, Event
from ic_assets.payments.engine.reading.models import Customer, Invoice, Subscription, Transaction, Versioned
from ic_assets.payments.engine.revenue.collections import Counted, collected
from ic_assets.payments.engine.revenue.company import (
    ENDING_SECONDS,
    ArrRange,
    DiscountStatus,
    Profile,
    arr_range,
    discount_status,
    profile,
)
from ic_assets.payments.engine.revenue.invoices import PaymentsStatus, payments_status
from ic_assets.payments.engine.revenue.movements import History, history
from ic_assets.payments.engine.revenue.rules import Rules
from ic_assets.payments.engine.revenue.timeline import Timeline, timeline
from ic_assets.payments.engine.revenue.versions import Version, versions_of
from ic_assets.payments.engine.storing.sources import events_of, load_rules

Model = TypeVar("Model", bound=Versioned)
MOST = 500
"""Customers of one transaction."""


@dataclass(frozen=True)
class Settings:
    """``until``: the reference time; later events wait. ``company_field``: of a customer, or None."""

    until: datetime
    company_field: str | None = None
    base_currency: str = "USD"


@dataclass
class Owned:
    """What belongs to one customer, by the newest version of each object."""

    customer_id: str
    customer: Sequence[Version[Customer]] = ()
    subscriptions: dict[str, list[Version[Subscription]]] = field(default_factory=dict)
    invoices: dict[str, list[Version[Invoice]]] = field(default_factory=dict)
    transactions: dict[str, Version[Transaction]] = field(default_factory=dict)
    company: str | None = None
    company_from: str | None = None

    @property
    def key(self) -> str:
        """What its revenue is summed by: the company, or the customer while it is mapped to none."""
        return self.company if self.company is not None else f"?{self.customer_id}"


@dataclass
class Group:
    """One company_key, computed."""

    key: str
    company: str | None
    customers: list[Owned]
    timelines: list[tuple[Owned, Timeline]]
    history: History
    profile: Profile
    range: ArrRange
    discount: DiscountStatus
    counted: list[Counted]
    statuses: list[PaymentsStatus]


@dataclass
class Computed:
    groups: list[Group]
    events: list[Event]
    """Those up to the reference time."""
    rules: Rules
    due: dict[str, datetime | None]
    """By customer, when it has to be computed again without an event; None for never."""


def compute(connection: psycopg.Connection, customers: Iterable[str], settings: Settings) -> Computed:
    """Everything of these customers and of those that share a company with them. Reads, writes nothing."""
    wanted = set(customers)
    until = int(settings.until.timestamp())
    while True:
        rows = connection.execute(statement("payments/events_of_customers"), {"customers": sorted(wanted)})
        events = events_of(rows)
        known = [one for one in events if one.occurred_at <= until]
        rules = load_rules(
            connection, sorted(wanted), known, settings.until, settings.company_field, settings.base_currency
        )
        owned, more = _owned(known, wanted, rules)
        more |= _sharing(connection, owned.values(), wanted)
        if not more:
            break
        wanted |= more
    by_key: dict[str, list[Owned]] = defaultdict(list)
    for one in owned.values():
        by_key[one.key].append(one)
    groups = [_group(key, by_key[key], rules, until) for key in sorted(by_key)]
    return Computed(groups, known, rules, _due(connection, groups, events, settings))


def _owned(events: Sequence[Event], wanted: set[str], rules: Rules) -> tuple[dict[str, Owned], set[str]]:
    """The wanted customers with what is theirs, and the other customers that an object of theirs belongs to by now."""
    carried: dict[tuple[str, str], list[tuple[Event, Carried]]] = defaultdict(list)
    named = set()
    for event in events:
        for one in (*event.objects, *event.cancelled_with_customer):
            carried[one.kind, one.id].append((event, one))
            customer = one.id if one.kind == "customer" else getattr(one.value, "customer_id", None)
            if customer in wanted:
                named.add(customer)
    owned = {name: Owned(name) for name in named}
    others = set()
    for (kind, identifier), ones in carried.items():
        if kind == "coupon":
            continue
        if kind == "customer":
            if identifier in owned:
                owned[identifier].customer = _held(ones, Customer)
            continue
        owner = _give(owned, kind, identifier, ones)
        others |= {owner} - wanted if owner else set()
    for own in owned.values():
        asked = own.customer[-1].value.field(rules.company_field) if own.customer and rules.company_field else None
        own.company, own.company_from = rules.company(own.customer_id, asked)
    return owned, others


def _held(ones: list[tuple[Event, Carried]], model: type[Model]) -> list[Version[Model]]:
    return versions_of(ones, model)


def _give(owned: dict[str, Owned], kind: str, identifier: str, ones: list[tuple[Event, Carried]]) -> str | None:
    """Gives an object to the customer of its newest version. Returns that customer."""
    owner: str | None = None
    if kind == "subscription":
        subscriptions = _held(ones, Subscription)
        owner = subscriptions[-1].value.customer_id
        if one := owned.get(owner):
            one.subscriptions[identifier] = subscriptions
    elif kind == "invoice":
        invoices = _held(ones, Invoice)
        owner = invoices[-1].value.customer_id
        if one := owned.get(owner or ""):
            one.invoices[identifier] = invoices
    elif kind == "transaction":
        transactions = _held(ones, Transaction)
        owner = transactions[-1].value.customer_id
        if one := owned.get(owner or ""):
            one.transactions[identifier] = transactions[-1]
    return owner


def _sharing(connection: psycopg.Connection, owned: Iterable[Owned], wanted: set[str]) -> set[str]:
    """Customers beside the wanted ones whose company is or was one of theirs."""
    companies = sorted({one.company for one in owned if one.company is not None})
    found = connection.execute(
        statement("payments/sharing_customers"), {"customers": sorted(wanted), "companies": companies}
    ).fetchall()
    return {customer for (customer,) in found} - wanted


def _group(key: str, customers: list[Owned], rules: Rules, until: int) -> Group:
    timelines = [
        (one, timeline(versions, rules, until)) for one in customers for versions in one.subscriptions.values()
    ]
    alone = [found for _, found in timelines]
    whole = history(alone)
    figures = profile(alone, whole, rules)
    return Group(
        key,
        customers[0].company,
        customers,
        timelines,
        whole,
        figures,
        arr_range(alone, whole, rules),
        discount_status(alone, figures, until),
        collected([one for each in customers for one in each.transactions.values()], rules),
        payments_status([one for each in customers for one in each.invoices.values()], until),
    )


def _due(
    connection: psycopg.Connection, groups: Sequence[Group], events: Sequence[Event], settings: Settings
) -> dict[str, datetime | None]:
    """When each customer's figures change next by time alone: a rule turns, an event's time or a rate's comes."""
    until = int(settings.until.timestamp())
    later: dict[str, list[datetime]] = defaultdict(list)
    for event in events:
        if event.occurred_at > until:
            for one in event.objects:
                customer = one.id if one.kind == "customer" else getattr(one.value, "customer_id", None)
                if customer:
                    later[customer].append(datetime.fromtimestamp(event.occurred_at, UTC))
    names = [one.customer_id for group in groups for one in group.customers]
    query = statement("payments/coming_sources")
    for customer, as_of in connection.execute(query, {"customers": names, "until": settings.until}).fetchall():
        later[customer].append(as_of)
    for group in groups:
        for owner, found in group.timelines:
            if found.due_at is not None:
                later[owner.customer_id].append(datetime.fromtimestamp(found.due_at, UTC))
        if group.discount.status == "active" and group.discount.term_end is not None:
            begins = datetime.fromtimestamp(max(group.discount.term_end - ENDING_SECONDS, until + 1), UTC)
            for own in group.customers:
                later[own.customer_id].append(begins)
    return {name: min(later[name], default=None) for name in {*names, *later}}


def work(
    transaction: Callable[[], Any],
    settings: Settings,
    write: Callable[[psycopg.Connection, Computed, Sequence[str]], object],
    most: int = MOST,
    on_done: Callable[[int], None] = lambda _count: None,
) -> int:
    """Computes whoever waits, ``most`` customers a transaction, until nobody does. Returns how many it were. Several may
    work side by side: customers that another has in hand are left to it."""
    total = 0
    while True:
        with transaction() as connection:
            taken = connection.execute(
                statement("payments/take_waiting"), {"most": most, "now": settings.until}
            ).fetchall()
            if not taken:
                return total
            names = [customer for customer, _ in taken]
            computed = compute(connection, names, settings)
            write(connection, computed, names)
            connection.execute(
                statement("payments/settle_waiting"),
                {
                    "customers": names,
                    "versions": [version for _, version in taken],
                    "due": [computed.due.get(name) for name in names],
                },
            )
        total += len(taken)
        on_done(total)
