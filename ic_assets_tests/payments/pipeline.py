"""Events through the inbox into the tables, as the flow's run does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from ic_assets.inbox import events
from ic_assets.inbox.envelope import Arrival, enveloped
from ic_assets.inbox.registry import Registry
from ic_assets.inbox.taking import work as take_all
from ic_assets.payments.engine.flow import FLOW
from ic_assets.payments.engine.storing import computing, files, rows

REGISTRY = Registry((FLOW,))
TABLES = (
    "payment_events",
    "chargebee_customer",
    "coupon",
    "exchange_rate",
    "free_months",
    "subscription_events",
    "subscription_mrr",
    "transaction_payments",
    "chargebee_invoices",
    "company_payments_status",
    "company_current_discount",
    "mrr_movement",
    "mrr_daily",
    "waiting",
)
_SURROGATES = {"waiting": ("version",), "payment_events": ("received_at",)}


def transactions(url: str) -> Callable[[], AbstractContextManager[psycopg.Connection]]:
    @contextmanager
    def transaction() -> Iterator[psycopg.Connection]:
        with psycopg.connect(url) as connection:
            yield connection

    return transaction


def post(url: str, bodies: Sequence[dict[str, Any]], door: str = "chargebee", arrival: Arrival | None = None) -> None:
    """The bodies as files bring them."""
    arrival = arrival or Arrival("file", is_file=True, is_row=door != "chargebee")
    one = REGISTRY.door(door)
    envelopes = [enveloped(one.source, json.dumps(body), body, one.read, arrival) for body in bodies]
    with psycopg.connect(url) as connection:
        for place in range(0, len(envelopes), 1000):
            events.store(connection, envelopes[place : place + 1000], REGISTRY)


def run(url: str, until: str = "2027-01-01", most: int = 500, company_field: str | None = None) -> int:
    transaction = transactions(url)
    with transaction() as connection:
        files.apply(connection)
    take_all(transaction, FLOW)
    settings = computing.Settings(datetime.fromisoformat(until).replace(tzinfo=UTC), company_field)
    return computing.work(transaction, settings, rows.write, most)


def state(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every table, ordered, without what may differ between two equal states."""
    found = {}
    with psycopg.connect(url) as connection:
        for table in TABLES:
            left_out = list(_SURROGATES.get(table, ()))
            query = f"SELECT to_jsonb(t) - %s::text[] FROM payments.{table} AS t ORDER BY 1"
            found[table] = [row for (row,) in connection.execute(query, (left_out,)).fetchall()]
        for table, left_out in (("company_profile_meta_data", ["updated_at"]), ("company_profile_arr_range", [])):
            query = f"SELECT to_jsonb(t) - %s::text[] FROM crm.{table} AS t ORDER BY 1"
            found[table] = [row for (row,) in connection.execute(query, (left_out,)).fetchall()]
    return found
