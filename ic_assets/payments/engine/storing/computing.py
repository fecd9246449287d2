"""Computes customers anew from all their events, and puts the result in the place of what stood, in one transaction with the
removal of what waited. A company's customers are computed together, by one worker at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg

from ic_assets.core import locks
from ic_assets.core.logs import log
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


@dataclass(frozen=True)
class Standing:
    """A customer as it stands in the tables. ``mark`` changes whenever somebody writes it."""

    company: str | None
    mark: str


@dataclass
class Computed:
    groups: list[Group]
    events: list[Event]
    """Those up to the reference time."""
    rules: Rules
    due: dict[str, datetime | None]
    """By customer, when it has to be computed again without an event; None for never."""
    before: dict[str, Standing | None]
    """By customer, what stood before its events were read; None for nothing."""

    @property
    def companies(self) -> list[str]:
        """Those that the customers have or had."""
        had = {one.company for one in self.before.values() if one}
        return sorted(name for name in had | {group.company for group in self.groups} if name is not None)


def compute(connection: psycopg.Connection, customers: Iterable[str], settings: Settings) -> Computed:
    """Everything of these customers and of those that share a company with them. Reads, writes nothing."""
    wanted = set(customers)
    until = int(settings.until.timestamp())
    while True:
        before = _standing(connection, wanted, ())
        rows = connection.execute(statement("payments/events_of_customers"), {"customers": sorted(wanted)})
        events = events_of(rows)
        known = [one for one in events if one.occurred_at <= until]
        rules = load_rules(
            connection, sorted(wanted), known, settings.until, settings.company_field, settings.base_currency
        )
        owned, more = _owned(known, wanted, rules)
        companies = {one.company for one in owned.values() if one.company is not None}
        more |= _standing(connection, wanted, companies).keys() - wanted
        if not more:
            break
        wanted |= more
    by_key: dict[str, list[Owned]] = defaultdict(list)
    for one in owned.values():
        by_key[one.key].append(one)
    groups = [_group(key, by_key[key], rules, until) for key in sorted(by_key)]
    return Computed(groups, known, rules, _due(connection, groups, events, settings), before)


def hold(connection: psycopg.Connection, computed: Computed) -> bool:
    """Keeps the companies from other workers until the transaction ends; waits for one that has them. Returns False when
    their customers were written since they were read, or have become others: then what was computed is out of date."""
    keys = {*computed.companies, *(group.key for group in computed.groups)}
    connection.execute(statement("payments/hold_companies"), {"class": locks.COMPANY, "keys": sorted(keys)})
    return _standing(connection, computed.before, computed.companies) == computed.before


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


def _standing(
    connection: psycopg.Connection, customers: Iterable[str], companies: Iterable[str]
) -> dict[str, Standing | None]:
    """These customers as they stand, and those beside them whose company is, was or is to be one of theirs."""
    names = sorted(customers)
    found = connection.execute(
        statement("payments/standing_customers"), {"customers": names, "companies": sorted(companies)}
    ).fetchall()
    return {**dict.fromkeys(names), **{customer: Standing(company, mark) for customer, company, mark in found}}


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
    customers = [one for group in groups for one in group.customers]
    names = [one.customer_id for one in customers]
    # Of what was computed: the tables still hold what was before.
    used = {(one.customer_id, version.value.currency_code) for one in customers for version in _versions(one)}
    asked = {
        "customers": names,
        "until": settings.until,
        "owners": [owner for owner, _ in used],
        "currencies": [currency for _, currency in used],
    }
    for customer, as_of in connection.execute(statement("payments/coming_sources"), asked).fetchall():
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


def _versions(of: Owned) -> Iterator[Version[Subscription] | Version[Transaction]]:
    """All of what is in a currency."""
    for versions in of.subscriptions.values():
        yield from versions
    yield from of.transactions.values()


def work(
    transaction: Callable[[], Any],
    settings: Settings,
    write: Callable[[psycopg.Connection, Computed, Sequence[str]], object],
    most: int = MOST,
    *,
    alone: bool = False,
) -> int:
    """Computes whoever waits, ``most`` customers a transaction, until nobody does. Returns how many it were. Several may
    work side by side: customers that another has in hand are left to it, and a company of theirs is waited for. ``alone``:
    nobody else sees the tables."""
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
            while not (alone or hold(connection, computed)):
                log.info("payments_computed_again", customers=len(names), why="another run wrote a company of theirs")
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
