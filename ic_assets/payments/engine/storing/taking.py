"""What payments does with a batch of the inbox, in the transaction that marks it done: the archive, coupons, rates and
grants, and who has to be computed again. The figures themselves follow in ``computing``, a customer at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ic_assets.core.sql import statement
from ic_assets.inbox import exact_json
from ic_assets.inbox.taking import Batch
from ic_assets.inbox.taking import Event as Taken
from ic_assets.payments.engine.reading import grants, rates
from ic_assets.payments.engine.reading.events import Event, SetAside, read, without_personal
from ic_assets.payments.engine.reading.models import Coupon, Invoice, Subscription, Transaction
from ic_assets.payments.engine.storing import coupons
from ic_assets.payments.engine.storing.copying import copy
from ic_assets.payments.engine.storing.sources import currencies, handlings

CONFIRMED = "confirmed:"
RATES, GRANTS = "exchange_rates", "free_months"

_ARCHIVE = (
    "event_id",
    "event_type",
    "occurred_at",
    "received_at",
    "source",
    "api_version",
    "customer_id",
    "subscription_id",
    "invoice_id",
    "transaction_id",
    "coupon_id",
    "verified_by",
    "confirmed",
    "content",
)


class _Intake:
    """What one batch brings, gathered and written together."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.known = handlings(batch.connection)
        self.currencies = currencies(batch.connection)
        self.aside: list[tuple[int, str]] = []
        self.unknown: list[tuple[int, str]] = []
        self.archive: dict[str, tuple[Any, ...]] = {}
        self.used: set[tuple[str, str]] = set()
        self.rates: list[rates.RateRow] = []
        self.grants: list[grants.GrantRow] = []
        self.coupons: set[str] = set()

    def take(self, taken: Taken) -> None:
        try:
            body = exact_json.kept(taken.body)
            if taken.topic == RATES:
                self.rates.append(rates.read(body, taken.event_id, self.currencies))
            elif taken.topic == GRANTS:
                self.grants.append(grants.read(body, taken.event_id))
            else:
                self._event(taken, body)
        except SetAside as reason:
            self.aside.append((taken.id, reason.reason))

    def _event(self, taken: Taken, body: Any) -> None:
        kind = body.get("event_type") if isinstance(body, dict) else None
        handling = self.known.get(kind) if isinstance(kind, str) else None
        # The inbox keeps as a JSON string what jsonb cannot hold.
        fits = not taken.body.startswith('"')
        event = read(body, taken.received_at.timestamp(), self.currencies, is_read=handling == "read", fits=fits)
        if handling is None:
            self.unknown.append((taken.id, "event_type.csv"))
            return
        # The confirmed twin of a posted event goes before it, whichever comes first.
        if event.event_id not in self.archive or taken.event_id.startswith(CONFIRMED):
            self.archive[event.event_id] = _archived(event, taken, body)
        for one in (*event.objects, *event.cancelled_with_customer):
            if isinstance(one.value, Subscription):
                self.used |= {(name, one.value.customer_id) for name in one.value.coupon_ids}
            elif isinstance(one.value, Coupon):
                self.coupons.add(one.id)

    def write(self) -> None:
        connection = self.batch.connection
        self.batch.set_aside(self.aside)
        self.batch.unknown(self.unknown)
        connection.execute("DROP TABLE IF EXISTS pg_temp.new_events")
        connection.execute(statement("payments/new_events"))
        named: set[str | None] = set()
        if self.archive:
            copy(connection, "pg_temp.new_events", _ARCHIVE, self.archive.values())
            connection.execute("ANALYZE pg_temp.new_events")
            for customer, coupon in connection.execute(statement("payments/replaced")).fetchall():
                named.add(customer)
                self.coupons |= {coupon} if coupon else set()
            connection.execute(statement("payments/archive"))
        names, customers = [name for name, _ in self.used], [customer for _, customer in self.used]
        connection.execute(statement("payments/use_coupons"), {"coupons": names, "customers": customers})
        rates.write(connection, self.rates)
        grants.write(connection, self.grants)
        coupons.write(connection, sorted(self.coupons))
        connection.execute(
            statement("payments/wake"),
            {
                "coupons": sorted(self.coupons),
                "currencies": sorted({one.currency for one in self.rates}),
                "granted": sorted({one.subscription_id for one in self.grants}),
                "named": list(named),
            },
        )


def handle(batch: Batch) -> None:
    """Takes a batch in; the handler that the flow registers."""
    intake = _Intake(batch)
    for taken in batch.rows():
        intake.take(taken)
    intake.write()


def _archived(event: Event, taken: Taken, body: dict[str, Any]) -> tuple[Any, ...]:
    of = dict(_ids(event))
    return (
        event.event_id,
        event.event_type,
        datetime.fromtimestamp(event.occurred_at, UTC),
        taken.received_at,
        event.api_source,
        "v2",
        of.get("customer"),
        of.get("subscription"),
        of.get("invoice"),
        of.get("transaction"),
        of.get("coupon"),
        taken.verified_by,
        taken.event_id.startswith(CONFIRMED),
        exact_json.dumps(without_personal(body["content"])),
    )


def _ids(event: Event) -> Iterator[tuple[str, str]]:
    """The ids that an event is found by, later ones going before: what is named, then what is carried."""
    for one in event.objects:
        value = one.value
        if isinstance(value, Transaction | Invoice):
            if value.customer_id:
                yield "customer", value.customer_id
            if value.subscription_id:
                yield "subscription", value.subscription_id
    for one in event.objects:
        if isinstance(one.value, Subscription):
            yield "customer", one.value.customer_id
    for one in event.objects:
        yield one.kind, one.id
