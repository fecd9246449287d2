"""What the engine's rules say, read from the database: rule files in force, coupons, rates and grants known at a time, and
the events of customers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from ic_assets.core.sql import placed, statement
from ic_assets.payments.engine.reading.events import Carried, Event, read
from ic_assets.payments.engine.reading.models import Coupon, Subscription
from ic_assets.payments.engine.revenue.rules import Grant, Rules
from ic_assets.payments.engine.revenue.versions import Version, versions_of
from ic_assets.payments.engine.storing import files

FOREVER = 2.0**40
"""An arrival after every event: what is in the archive was judged when it came."""


def currencies(connection: psycopg.Connection) -> dict[str, int]:
    """Minor units in one, by currency. Chargebee multiplies by 100 whatever is not a currency without decimals."""
    return {code: 1 if decimals == "0" else 100 for code, decimals in files.lines(connection, files.CURRENCIES)}


def handlings(connection: psycopg.Connection) -> dict[str, str]:
    """``read`` or ``ignored`` by type of event."""
    found = connection.execute(
        placed("SELECT t.event_type, t.handling FROM payments.event_type AS t").encode()
    ).fetchall()
    return dict(found)


def load_rules(
    connection: psycopg.Connection,
    customers: Sequence[str],
    events: Iterable[Event],
    until: datetime,
    company_field: str | None,
    base: str,
) -> Rules:
    """All rules as known ``until`` then; of grants those of the customers' subscriptions, of coupons those that the
    subscriptions of ``events`` have, whoever they belonged to."""
    return Rules(
        currencies(connection),
        _rates(connection, until),
        _coupons(connection, events, int(until.timestamp())),
        _grants(connection, customers, until),
        files.lines(connection, files.ADDONS),
        files.lines(connection, files.PLANS),
        [(name, Decimal(lower)) for name, lower in files.lines(connection, files.RANGES)],
        dict(files.lines(connection, files.CUSTOMERS)),
        company_field,
        base,
    )


def _rates(connection: psycopg.Connection, until: datetime) -> dict[str, list[tuple[date, Decimal]]]:
    found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    rows = connection.execute(statement("payments/known_rates"), {"until": until}).fetchall()
    for currency, day, rate in rows:
        found[currency].append((day, rate))
    return found


def _grants(connection: psycopg.Connection, customers: Sequence[str], until: datetime) -> dict[str, list[Grant]]:
    found: dict[str, list[Grant]] = defaultdict(list)
    rows = connection.execute(
        statement("payments/known_grants"), {"until": until, "customers": list(customers)}
    ).fetchall()
    for subscription, as_of, event_id, free, starts_on, term in rows:
        found[subscription].append(Grant(as_of, event_id, free, starts_on, term))
    return found


def _coupons(connection: psycopg.Connection, events: Iterable[Event], until: int) -> dict[str, list[Version[Coupon]]]:
    used = {
        name
        for event in events
        for one in (*event.objects, *event.cancelled_with_customer)
        if isinstance(one.value, Subscription)
        for name in one.value.coupon_ids
    }
    found = events_of(connection.execute(statement("payments/coupon_events"), {"coupons": sorted(used)}))
    return coupon_versions(one for one in found if one.occurred_at <= until)


def coupon_versions(events: Iterable[Event]) -> dict[str, list[Version[Coupon]]]:
    """The versions of every coupon that the events carry, those that hold for no time left out."""
    groups: dict[str, list[tuple[Event, Carried]]] = defaultdict(list)
    for event in events:
        for one in event.objects:
            if isinstance(one.value, Coupon):
                groups[one.id].append((event, one))
    return {key: [v for v in versions_of(ones, Coupon) if v.holds] for key, ones in groups.items()}


class _Currencies(Mapping[str, int]):
    """Every currency: those of the archive were known when they came."""

    def __getitem__(self, _code: str) -> int:
        return 100

    def __contains__(self, _code: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_ANY = _Currencies()


def events_of(rows: Iterable[tuple[Any, ...]]) -> list[Event]:
    """Events of the archive, from rows of event_id, event_type, occurred_at, source, and content as JSON text."""
    return [
        read(
            {
                "id": event_id,
                "event_type": kind,
                "occurred_at": int(occurred_at.timestamp()),
                "api_version": "v2",
                "source": source,
                "content": json.loads(content, parse_float=Decimal),
            },
            FOREVER,
            _ANY,
            fits=True,
        )
        for event_id, kind, occurred_at, source, content in rows
    ]


def when(seconds: int | None) -> datetime | None:
    """Unix seconds as a moment in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
