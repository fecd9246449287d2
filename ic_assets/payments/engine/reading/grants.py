"""Free months that an admin tool granted: one row of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg

from ic_assets.core.sql import statement
from ic_assets.inbox.exact_json import is_plain
from ic_assets.payments.engine.reading.events import SetAside
from ic_assets.payments.engine.reading.rates import instant

_LONGEST_TERM = 1200


@dataclass(frozen=True)
class GrantRow:
    subscription_id: str
    as_of: datetime
    event_id: str
    free_months: Decimal
    starts_on: date
    term_months: int


def read(body: Any, event_id: str) -> GrantRow:
    """Raises ``SetAside`` with ``bad_grant``."""
    try:
        starts_on = date.fromisoformat(str(body["starts_on"]).strip())
        free = Decimal(str(body["free_months"]).strip())
        term = int(str(body["term_months"]).strip())
        as_of = instant(body.get("as_of"), starts_on)
        subscription_id = str(body["subscription_id"]).strip()
    except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError):
        raise SetAside("bad_grant") from None
    is_length = free.is_finite() and 0 <= free < term <= _LONGEST_TERM and free == round(free, 2)
    ends = starts_on.year + term // 12 + 1
    if not subscription_id or not is_plain(subscription_id) or not is_length or ends > MAXYEAR:
        raise SetAside("bad_grant")
    return GrantRow(subscription_id, as_of, event_id, free, starts_on, term)


def write(connection: psycopg.Connection, rows: Sequence[GrantRow]) -> None:
    if rows:
        connection.execute(
            statement("payments/write_grants"),
            {
                "subscriptions": [one.subscription_id for one in rows],
                "as_ofs": [one.as_of for one in rows],
                "ids": [one.event_id for one in rows],
                "free": [one.free_months for one in rows],
                "starts": [one.starts_on for one in rows],
                "terms": [one.term_months for one in rows],
            },
        )
