"""How events of those who wear no envelope of ours say what they are: Chargebee, HubSpot, Jira. Topic, id, time, and why one
cannot be taken; what an event means is its flow's. Called by the receiver, and by the flows' doors for files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ic_assets.inbox import exact_json
from ic_assets.inbox.envelope import Arrival, Read, instant, text_of

# Clocks differ; what claims to be further ahead was not made by the vendor (PAYMENTS 1).
_AHEAD = timedelta(seconds=600)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HUBSPOT_TOPIC = "hubspot_general_webhook."
JIRA_TOPIC = "jira_events_webhook"
# The same event sent again, or by two subscriptions, differs in these.
_NOT_OF_THE_EVENT = ("attemptNumber", "subscriptionId")
_MOST_ID = (1 << 63) - 1
# HubSpot was founded then.
_FIRST_HUBSPOT = datetime(2006, 1, 1, tzinfo=UTC)


def read_chargebee(event: Mapping[str, Any], arrival: Arrival) -> Read:
    """One event of API v2, bare as it is posted or as ``{"event": {…}}`` as an export has it. Reasons, the first that
    applies: ``bad_envelope``, ``api_version``, ``from_the_future``, ``bad_content``."""
    inner = event.get("event")
    is_wrapped = isinstance(inner, dict) and "event_type" not in event
    found: Mapping[str, Any] = inner if is_wrapped and isinstance(inner, dict) else event
    topic, event_id, occurred_at = text_of(found.get("event_type")), _text(found.get("id")), _seconds(found)
    reason = None
    if topic is None or event_id is None or occurred_at is None:
        reason = "bad_envelope"
    elif found.get("api_version") != "v2":
        reason = "api_version"
    elif occurred_at > (arrival.received_at or datetime.now(UTC)) + _AHEAD:
        reason = "from_the_future"
    elif not isinstance(found.get("content"), dict):
        reason = "bad_content"
    return Read(topic, event_id, occurred_at, body=found if is_wrapped else None, reason=reason)


def read_hubspot(event: Mapping[str, Any], arrival: Arrival) -> Read:
    """One element of a delivery. Its id is the MD5 of what it says, since HubSpot promises none: a repeated delivery is the
    same event. ``missing_field`` where nobody could tell what happened to which record."""
    kind = event.get("subscriptionType")
    occurred_at = instant(event.get("occurredAt"))
    is_whole = (
        isinstance(kind, str)
        and bool(kind)
        and occurred_at is not None
        and occurred_at >= _FIRST_HUBSPOT
        and _is_id(event.get("portalId"))
        and all(_is_id(event.get(name)) for name in _records_of(kind, event))
    )
    said = {name: value for name, value in event.items() if name not in _NOT_OF_THE_EVENT}
    return Read(
        HUBSPOT_TOPIC + (kind if isinstance(kind, str) else ""),
        content_id(said),
        occurred_at or arrival.received_at or datetime.now(UTC),
        reason=None if is_whole else "missing_field",
        id_is_content=True,
    )


def read_jira(event: Mapping[str, Any], _: Arrival) -> Read:
    """One delivery of Jira Cloud. The header that stays the same over its retries is not signed: the id is made of what
    is."""
    issue = event.get("issue")
    fields = issue.get("fields") if isinstance(issue, dict) else None
    occurred_at = instant(event.get("timestamp"))
    if occurred_at is None and isinstance(fields, dict):
        occurred_at = instant(fields.get("updated"))
    reason = None if occurred_at else "missing_time"
    return Read(JIRA_TOPIC, content_id(event), occurred_at, reason=reason, id_is_content=True)


def content_id(value: Any) -> str:
    """MD5 of the canonical JSON: names sorted, no blanks, UTF-8."""
    text = exact_json.dumps(value, canonical=True).encode("utf-8", "surrogatepass")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _records_of(kind: str, event: Mapping[str, Any]) -> tuple[str, ...]:
    """The members that name the records of an event of this type."""
    if kind.endswith(".merge"):
        return ("primaryObjectId",)
    if kind.endswith(".associationChange") and "objectId" not in event:
        return ("fromObjectId", "toObjectId")
    return ("objectId",)


def _is_id(value: Any) -> bool:
    """A whole number from 0 to 2^63 − 1, or its digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _MOST_ID
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_ID


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _seconds(event: Mapping[str, Any]) -> datetime | None:
    value = event.get("occurred_at")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    try:
        return _EPOCH + timedelta(seconds=value)
    except OverflowError:
        return None
