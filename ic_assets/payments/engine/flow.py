"""What payments says of itself to the inbox: its doors, how their events are read, and its handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ic_assets.inbox.envelope import Arrival, Read, digest_id, text_of
from ic_assets.inbox.registry import Door, Flow, Takes
from ic_assets.inbox.vendors import read_chargebee
from ic_assets.payments.engine.storing.taking import GRANTS, RATES, handle

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


FLOW = Flow(
    name="payments",
    takes=(Takes(SOURCE, "*"),),
    handle=handle,
    doors=(
        Door("chargebee", SOURCE, read=read_chargebee),
        Door(RATES, SOURCE, RATES, _row_reader(RATES)),
        Door(GRANTS, SOURCE, GRANTS, _row_reader(GRANTS)),
    ),
)
