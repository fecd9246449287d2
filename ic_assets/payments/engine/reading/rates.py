"""Exchange rates of a file: one row is US dollars for one unit of a currency on a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg

from ic_assets.core.money import rate10
from ic_assets.core.sql import statement
from ic_assets.payments.engine.reading.events import SetAside


@dataclass(frozen=True)
class RateRow:
    currency: str
    rate_date: date
    usd_per_unit: Decimal
    as_of: datetime
    event_id: str


def read(body: Any, event_id: str, currencies: Mapping[str, int]) -> RateRow:
    """Raises ``SetAside`` with ``bad_rate``, or ``unknown_currency``."""
    try:
        day = date.fromisoformat(str(body["rate_date"]).strip())
        rate = rate10(Decimal(str(body["usd_per_unit"]).strip()))
        as_of = instant(body.get("as_of"), day)
        currency = str(body["currency"]).strip()
    except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError):
        raise SetAside("bad_rate") from None
    if not (rate.is_finite() and 0 < rate <= 1000):
        raise SetAside("bad_rate")
    if currency not in currencies:
        raise SetAside("unknown_currency")
    return RateRow(currency, day, rate, as_of, event_id)


def instant(value: Any, day: date) -> datetime:
    """``as_of`` of a row: from when on it is known; 00:00:00 of ``day`` in UTC where it says nothing."""
    if value is None or not str(value).strip():
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = datetime.fromisoformat(str(value).strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def write(connection: psycopg.Connection, rows: Sequence[RateRow]) -> None:
    if rows:
        connection.execute(
            statement("payments/write_rates"),
            {
                "currencies": [one.currency for one in rows],
                "days": [one.rate_date for one in rows],
                "rates": [one.usd_per_unit for one in rows],
                "as_ofs": [one.as_of for one in rows],
                "ids": [one.event_id for one in rows],
            },
        )
