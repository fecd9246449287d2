"""What was computed as rows of the tables, and their writing: what stood of the same customers, objects and companies
goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ic_assets.core.money import ZERO
from ic_assets.core.sql import statement
from ic_assets.payments.engine.reading.events import Event
from ic_assets.payments.engine.reading.models import Subscription
from ic_assets.payments.engine.revenue.figures import SPLIT, Figures, figures
from ic_assets.payments.engine.revenue.invoices import problems
from ic_assets.payments.engine.revenue.lines import plan_item
from ic_assets.payments.engine.revenue.movements import KINDS
from ic_assets.payments.engine.revenue.rules import Rules, day_of
from ic_assets.payments.engine.revenue.versions import Version, at
from ic_assets.payments.engine.storing import centre
from ic_assets.payments.engine.storing.computing import Computed, Group, Owned
from ic_assets.payments.engine.storing.copying import copy, table
from ic_assets.payments.engine.storing.sources import when
from ic_assets.payments.facts import columns as facts

_COMPUTED = (
    "chargebee_customer",
    "subscription_events",
    "subscription_mrr",
    "transaction_payments",
    "chargebee_invoices",
    "company_payments_status",
    "company_current_discount",
    "mrr_movement",
    "mrr_daily",
)
COLUMNS = {table: tuple(column.name for column in facts.COLUMNS[table]) for table in _COMPUTED}
"""The tables that are computed, with their columns in the order of the rows below."""

Rows = dict[str, list[tuple[Any, ...]]]


_FOUND_BY: tuple[tuple[str, str, str], ...] = (
    ("chargebee_customer", "customer_id", "customers"),
    ("subscription_events", "customer_id", "customers"),
    ("subscription_events", "subscription_id", "subscriptions"),
    ("subscription_mrr", "customer_id", "customers"),
    ("subscription_mrr", "subscription_id", "subscriptions"),
    ("transaction_payments", "customer_id", "customers"),
    ("transaction_payments", "transaction_id", "transactions"),
    ("chargebee_invoices", "customer_id", "customers"),
    ("chargebee_invoices", "invoice_id", "invoices"),
    ("company_payments_status", "company", "companies"),
    ("company_current_discount", "company", "companies"),
    ("mrr_movement", "company_key", "keys"),
    ("mrr_daily", "company_key", "keys"),
)
"""Which rows go before the new ones come: those of the customers, and those of their objects, which may have been another
customer's before."""


def write(connection: psycopg.Connection, computed: Computed, customers: Sequence[str]) -> None:
    """Puts what was computed of the customers in the place of what stood, and brings ``crm`` up to date."""
    centre.write(connection, computed, replace(connection, computed, customers))


def replace(connection: psycopg.Connection, computed: Computed, customers: Sequence[str]) -> list[str]:
    """``write`` in the flow's own tables alone. Returns the companies that the customers have or had."""
    names = sorted({*customers, *(one.customer_id for group in computed.groups for one in group.customers)})
    companies = computed.companies
    values = {
        "customers": names,
        "subscriptions": _objects(computed, "subscriptions"),
        "transactions": _objects(computed, "transactions"),
        "invoices": _objects(computed, "invoices"),
        "companies": companies,
        "keys": [*companies, *(f"?{name}" for name in names)],
    }
    found = rows_of(computed)
    for name, column, which in _FOUND_BY:
        remove = statement("payments/remove", table=table(f"payments.{name}"), column=sql.Identifier(column))
        connection.execute(remove, {"values": values[which]})
    for name, columns in COLUMNS.items():
        if found[name]:
            copy(connection, f"payments.{name}", columns, found[name])
    connection.execute(statement("payments/name_companies"), {"customers": names})
    return companies


def _objects(computed: Computed, name: str) -> list[str]:
    return sorted({one for group in computed.groups for each in group.customers for one in getattr(each, name)})


def rows_of(computed: Computed) -> Rows:
    """The rows of every table, by its name."""
    found: Rows = {name: [] for name in COLUMNS}
    for group in computed.groups:
        for one in group.customers:
            newest = one.customer[-1] if one.customer else None
            found["chargebee_customer"].append(
                (
                    one.customer_id,
                    one.company,
                    one.company_from,
                    newest.number if newest else None,
                    newest.deleted if newest else False,
                )
            )
            found["chargebee_invoices"] += _invoices(one)
        found["subscription_mrr"] += _subscription_mrr(group)
        found["transaction_payments"] += _transactions(group)
        found["mrr_movement"] += _movements(group)
        found["mrr_daily"] += _daily(group)
        if group.company is not None:
            found["company_payments_status"] += [
                (group.company, when(one.changed_at), one.status, one.context, one.event_id, one.invoice_id)
                for one in group.statuses
            ]
            if any(one.subscriptions or one.invoices or one.transactions for one in group.customers):
                found["company_current_discount"].append(_discount(group))
    found["subscription_events"] = list(_subscription_events(computed))
    return found


def _subscription_mrr(group: Group) -> Iterator[tuple[Any, ...]]:
    for owner, timeline in group.timelines:
        for row in timeline.rows:
            of, own = row.version, row.figures
            yield (
                row.subscription_id,
                when(row.valid_from),
                when(row.valid_to),
                row.cause,
                owner.customer_id,
                owner.company,
                of.number,
                of.value.status,
                own.counted,
                of.value.currency_code,
                own.rate.usd_per_unit if own.rate else None,
                own.rate.rate_date if own.rate else None,
                own.rate.source if own.rate else None,
                own.base_plan_mrr,
                *(own.addons[name] for name in SPLIT),
                own.addon_mrr,
                own.calculated_mrr,
                own.discount_mrr,
                own.effective_mrr,
                _decimal(own.paid_months),
                _decimal(own.covered_months),
                own.sales_effective_mrr,
                " ".join(own.problems) or None,
                Jsonb(own.detail),
            )


def _decimal(value: Fraction) -> Decimal:
    """Months: exact where they can be written down, else with ten decimals."""
    return round(Decimal(value.numerator) / Decimal(value.denominator), 10).normalize()


def _subscription_events(computed: Computed) -> Iterator[tuple[Any, ...]]:
    owners: dict[str, Owned] = {
        name: one for group in computed.groups for one in group.customers for name in one.subscriptions
    }
    known = {
        (row.subscription_id, row.version.number, row.valid_from): row.figures
        for group in computed.groups
        for _, timeline in group.timelines
        for row in timeline.samples
    }
    for event in computed.events:
        for carried in event.objects:
            owner = owners.get(carried.id) if isinstance(carried.value, Subscription) else None
            if owner is None:
                continue
            versions = owner.subscriptions[carried.id]
            own = next((one for one in versions if one.number == carried.version), None)
            if own is None:  # its time has not come
                continue
            holds = at([one for one in versions if one.holds], event.occurred_at)
            worth = known.get((carried.id, own.number, event.occurred_at)) or figures(
                own, event.occurred_at, computed.rules
            )
            yield _subscription_event(event, owner, own, own is not holds, worth, computed.rules)


def _subscription_event(
    event: Event, owner: Owned, version: Version[Subscription], superseded: bool, own: Figures, rules: Rules
) -> tuple[Any, ...]:
    of = version.value
    item = plan_item(of)
    return (
        event.event_id,
        of.id,
        owner.customer_id,
        owner.company,
        version.number,
        when(event.occurred_at),
        of.status,
        item,
        None if item is None else rules.plan(item),
        own.seats,
        of.currency_code,
        of.billing_period,
        of.billing_period_unit,
        when(of.current_term_start),
        when(of.current_term_end),
        own.calculated_mrr,
        own.effective_mrr,
        own.sales_effective_mrr,
        of.mrr,
        superseded,
        " ".join(own.problems) or None,
    )


def _transactions(group: Group) -> Iterator[tuple[Any, ...]]:
    owners = {name: one for one in group.customers for name in one.transactions}
    for one in group.counted:
        of = one.version.value
        yield (
            one.transaction_id,
            owners[one.transaction_id].customer_id,
            group.company,
            of.subscription_id,
            one.kind,
            of.status,
            when(one.occurred_at),
            of.amount,
            of.currency_code,
            one.payment_id,
            one.rate.usd_per_unit if one.rate else None,
            one.rate.source if one.rate else None,
            one.amount_usd,
            one.counted_amount,
            one.counted_usd,
            one.version.number,
            one.version.deleted,
            one.problem,
        )


def _invoices(owner: Owned) -> Iterator[tuple[Any, ...]]:
    for identifier, versions in owner.invoices.items():
        newest = versions[-1]
        of = newest.value
        amounts = (
            of.total,
            of.sub_total,
            of.tax,
            of.amount_paid,
            of.amount_due,
            of.amount_adjusted,
            of.credits_applied,
            of.write_off_amount,
        )
        yield (
            identifier,
            owner.customer_id,
            owner.company,
            of.subscription_id,
            of.status,
            of.dunning_status,
            of.currency_code,
            *(one or 0 for one in amounts),
            when(of.date),
            when(of.due_date),
            when(of.paid_at),
            when(of.voided_at),
            when(of.next_retry_at),
            newest.number,
            newest.deleted,
            problems(versions),
        )


def _discount(group: Group) -> tuple[Any, ...]:
    of = group.discount
    return (
        group.company,
        of.status,
        of.current_price,
        of.effective_mrr,
        of.discount_usd,
        of.discount_share,
        of.discount_type,
        Jsonb(list(of.discounts)),
        when(of.term_end),
        when(of.ended_at),
    )


def _movements(group: Group) -> Iterator[tuple[Any, ...]]:
    for one in group.history.movements:
        changes = [
            {"subscription_id": c.subscription_id, "before": str(c.before), "after": str(c.after), "cause": c.cause}
            for c in one.changes
        ]
        yield group.key, when(one.at), one.kind, one.amount_usd, one.before, one.after, one.cause, Jsonb(changes)


def _daily(group: Group) -> Iterator[tuple[Any, ...]]:
    days: dict[date, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(KINDS, ZERO))
    starts: dict[date, Decimal] = {}
    ends: dict[date, Decimal] = {}
    for one in group.history.movements:
        day = day_of(one.at)
        starts.setdefault(day, one.before)
        ends[day] = one.after
        days[day][one.kind] += one.amount_usd
    for day, kinds in days.items():
        yield day, group.key, starts[day], *(kinds[kind] for kind in KINDS), ends[day]
