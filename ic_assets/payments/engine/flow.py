"""What payments says of itself to the inbox: its doors, how their events are read, and its handler."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import psycopg

from ic_assets.inbox.envelope import Arrival, Read, digest_id, text_of
from ic_assets.inbox.registry import Door, Flow, Rebuilt, Replay, Takes
from ic_assets.inbox.vendors import read_chargebee
from ic_assets.payments.engine.storing import computing, rows
from ic_assets.payments.engine.storing.taking import GRANTS, RATES, handle
from ic_assets.payments.settings import PaymentSettings

SOURCE = "chargebee"


def _row_reader(topic: str) -> Any:
    def read_row(row: Mapping[str, Any], _arrival: Arrival) -> Read:
        """A row of a CSV file: the same row again is a duplicate."""
        digest = digest_id(dict(row)).partition(":")[2]
        return Read(topic, f"{topic}:{digest}", _as_of(row))

    return read_row


def _as_of(row: Mapping[str, Any]) -> datetime | None:
    day = text_of(row.get("as_of")) or text_of(row.get("rate_date")) or text_of(row.get("starts_on"))
    try:
        found = datetime.fromisoformat(day or "")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _compute_all(connection: psycopg.Connection) -> None:
    """Computes whoever the events of a replay woke; ``crm`` is not touched."""
    own = PaymentSettings.from_env()
    row = connection.execute(
        "SELECT coalesce(nullif(current_setting('ic_assets.reference_time', TRUE), '')::timestamptz, now())"
    ).fetchone()
    until = row[0] if row else datetime.now(UTC)
    settings = computing.Settings(until, own.company_field, own.base_currency)
    computing.work(lambda: nullcontext(connection), settings, rows.replace, alone=True)


_HAPPENED = (
    "coalesce(e.occurred_at <= coalesce("
    "nullif(current_setting('ic_assets.reference_time', TRUE), '')::timestamptz, now()), TRUE)"
)
"""What happens after the reference time waits; a row of a file says with ``as_of`` from when on it is known."""

FLOW = Flow(
    name="payments",
    ready=_HAPPENED,
    takes=(Takes(SOURCE, "*"),),
    handle=handle,
    doors=(
        Door("chargebee", SOURCE, read=read_chargebee),
        Door(RATES, SOURCE, RATES, _row_reader(RATES)),
        Door(GRANTS, SOURCE, GRANTS, _row_reader(GRANTS)),
    ),
    archive="payments.v_archive",
    replay=Replay(
        "payments",
        tables=(
            Rebuilt("payment_events", ("event_id",), ignored=("received_at", "verified_by")),
            Rebuilt("coupon", ("coupon_id", "version")),
            Rebuilt("used_coupon", ("coupon_id", "customer_id")),
            Rebuilt("exchange_rate", ("currency", "rate_date", "as_of", "event_id")),
            Rebuilt("free_months", ("subscription_id", "as_of", "event_id")),
            Rebuilt("chargebee_customer", ("customer_id",)),
            Rebuilt("subscription_events", ("event_id",)),
            Rebuilt("subscription_mrr", ("subscription_id", "valid_from")),
            Rebuilt("transaction_payments", ("transaction_id",)),
            Rebuilt("chargebee_invoices", ("invoice_id",)),
            Rebuilt("company_payments_status", ("company", "changed_at")),
            Rebuilt("company_current_discount", ("company",)),
            Rebuilt("mrr_movement", ("company_key", "at", "kind")),
            Rebuilt("mrr_daily", ("day", "company_key")),
        ),
        given=("event_type", "rule_line"),
    ),
    finish=_compute_all,
)
