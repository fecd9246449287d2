"""The typed envelope that every event wears, whatever its door, and how one is read of an event that wears it itself. Holds
no rule of a source: a flow whose events look otherwise brings a reader of its own (``registry.Door``)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ic_assets.inbox import exact_json

LONGEST_ID = 512
"""Bytes of an event id; what is longer is no id."""
_LONGEST_TOPIC = 256
_LONGEST_NUMBER = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Envelope(BaseModel):
    """One event. ``body`` is the JSON text that goes into the jsonb column (``exact_json.for_jsonb``). ``reason`` says why
    no flow can take it as it is: it is then kept as set aside. Without one, topic and time are there unless the source
    has none. ``received_at``: the database's clock where it is not given."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(min_length=1)
    topic: str | None
    event_id: str = Field(min_length=1)
    occurred_at: AwareDatetime | None
    verified_by: str = Field(min_length=1)
    body: str
    reason: str | None = None
    received_at: AwareDatetime | None = None
    id_is_content: bool = False
    """The id is made of what the event says: whatever else differs under it (the number of the attempt) is no content."""


@dataclass(frozen=True)
class Arrival:
    """How an event came. ``verified_by``: the verifier's name, ``file``, ``api``. ``is_file``: times without an offset are
    UTC there. ``is_row``: it is a row of a CSV file, whose values are texts, None where the field is empty. ``topic``: what
    it is where it does not say so itself."""

    verified_by: str
    is_file: bool = False
    is_row: bool = False
    topic: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True)
class Read:
    """What a reader found in an event. ``body``: what is to be kept instead of the whole (the event inside a wrapping).
    ``reason``: why it has to be set aside, for example ``missing_time``. ``id_is_content``: as in ``Envelope``."""

    topic: str | None
    event_id: str | None
    occurred_at: datetime | None
    body: Any = None
    reason: str | None = None
    id_is_content: bool = False


Reader = Callable[[Mapping[str, Any], Arrival], Read]
"""Reads topic, id and time of an event that is an object, or of a row of a CSV file."""


def read_plain(event: Mapping[str, Any], arrival: Arrival) -> Read:
    """Of an event with ``topic``, ``event_id`` and ``occurred_at``, in snake_case or camelCase. The first reason that
    applies: ``missing_topic``, ``missing_id``, ``missing_time``."""
    topic = text_of(event.get("topic")) or arrival.topic
    event_id = text_of(_either(event, "event_id", "eventId"))
    occurred_at = instant(_either(event, "occurred_at", "occurredAt"), naive_is_utc=arrival.is_file)
    missing = {"missing_topic": topic, "missing_id": event_id, "missing_time": occurred_at}
    reason = next((reason for reason, value in missing.items() if value is None), None)
    return Read(topic, event_id, occurred_at, reason=reason)


def enveloped(source: str, text: str, value: Any, read: Reader, arrival: Arrival, *, fits: bool = False) -> Envelope:
    """The envelope of one event: ``text`` is its JSON, ``value`` what ``exact_json.loads`` made of it. Raises nothing: what
    is no object, or names no id, is set aside under a digest of its content. ``fits``: the caller knows that jsonb can hold
    it."""
    found = read(value, arrival) if isinstance(value, dict) else Read(None, None, None, reason="not_an_object")
    if found.body is not None:
        value, text, fits = found.body, exact_json.dumps(found.body), False
    topic, event_id, reason = found.topic, found.event_id, found.reason
    if event_id is not None and not _can_be_id(event_id):
        event_id, reason = None, reason or "bad_id"
    if topic is not None and (len(topic) > _LONGEST_TOPIC or not exact_json.is_plain(topic)):
        topic, reason = None, reason or "bad_topic"
    if event_id is None:
        reason = reason or "missing_id"
    return Envelope(
        source=source,
        topic=topic,
        event_id=event_id or digest_id(value),
        occurred_at=found.occurred_at,
        verified_by=arrival.verified_by,
        body=text if fits else exact_json.for_jsonb(text, value),
        reason=reason,
        received_at=arrival.received_at,
        id_is_content=found.id_is_content and event_id is not None,
    )


def digest_id(value: Any) -> str:
    """An id for content that brings none: the same content has the same."""
    text = exact_json.dumps(value, canonical=True).encode("utf-8", "surrogatepass")
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def text_of(value: Any) -> str | None:
    """A text, or a whole number as text; None for anything else and for blanks."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    return value.strip() or None


def instant(value: Any, *, naive_is_utc: bool = False) -> datetime | None:
    """A moment in UTC: ISO 8601 with an offset (without one it is UTC where ``naive_is_utc``, else unreadable), or
    milliseconds since 1970, as a number or its digits. None for what cannot be read."""
    if isinstance(value, str):
        value = value.strip()
        if "-" in value[1:] or ":" in value:
            return _iso(value, naive_is_utc)
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and value.adjusted() > _LONGEST_NUMBER:  # its digits written out could be billions
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(value * 1000))
    except (OverflowError, ValueError, InvalidOperation):
        return None


def _iso(text: str, naive_is_utc: bool) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return found.replace(tzinfo=UTC) if naive_is_utc else None
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _either(event: Mapping[str, Any], name: str, camel: str) -> Any:
    return event[name] if name in event else event.get(camel)


def _can_be_id(event_id: str) -> bool:
    return exact_json.is_plain(event_id) and 0 < len(event_id.encode()) <= LONGEST_ID
