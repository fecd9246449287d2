"""Checks and normalises one property value the way HubSpot does: what it stores, or why it refuses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from ic_assets.sandbox.hubspot.properties import Property

MAX_TEXT = 65_536
"""Characters in a string property (HubSpot's properties guide)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_MS = re.compile(r"-?[0-9]{1,14}")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")


class Invalid(Exception):
    """A value that HubSpot would refuse: ``code`` is the error code, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@lru_cache(maxsize=20_000)
def iso(milliseconds: int) -> str:
    """Unix milliseconds as HubSpot returns times: UTC, with a fraction only when there is one."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=20_000)
def parse_time(text: str) -> int | None:
    """Unix milliseconds of an accepted time (Unix ms, ISO 8601 in UTC, or a bare date), or None."""
    try:
        if _UNIX_MS.fullmatch(text):
            milliseconds = int(text)
            _EPOCH + timedelta(milliseconds=milliseconds)
            return milliseconds
        if _ISO.fullmatch(text):
            moment = datetime.fromisoformat(text[:19] + "+00:00")
            fraction = int((text[20:-1] + "000")[:3]) if text[19] == "." else 0
            return (moment - _EPOCH) // timedelta(milliseconds=1) + fraction
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return (day - _EPOCH.date()).days * 86_400_000
    except (ValueError, OverflowError):
        return None
    return None


def checked(definition: Property, value: Any) -> str:
    """The value as it is stored. Raises ``Invalid``. The empty string clears, so it is never refused here."""
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise Invalid("INVALID_TYPE", f"{definition.name} must be a JSON string, not {kind}")
    if definition.read_only:
        raise Invalid("READ_ONLY_VALUE", f'"{definition.name}" is a read only property; its value cannot be set.')
    if value == "":
        return ""
    if definition.type == "string":
        return _string(definition, value)
    return _CHECKS[definition.type](definition, value)


def _string(definition: Property, value: str) -> str:
    if len(value) > MAX_TEXT:
        raise Invalid(
            "PROPERTY_VALUE_TOO_LONG",
            f"{definition.name} has {len(value)} characters; the limit is {MAX_TEXT}",
        )
    if definition.json_text:
        try:
            headers = orjson.loads(value)
        except orjson.JSONDecodeError:
            headers = None
        if not isinstance(headers, dict):
            raise Invalid("INVALID_JSON", f"{definition.name} does not hold a JSON object")
    elif definition.https_only and not value.startswith("https://"):
        raise Invalid("INVALID_URL", f"{definition.name} must be an https address")
    elif definition.name == "email":
        if not _EMAIL.fullmatch(value):
            raise Invalid("INVALID_EMAIL", f"Email address {value[:80]} is invalid")
        return value.lower()
    return value


def _enumeration(definition: Property, value: str) -> str:
    parts = value.split(";") if definition.field_type == "checkbox" else [value]
    for part in parts:
        if part not in definition.options:
            raise Invalid(
                "INVALID_OPTION",
                f"{part[:80]} was not one of the allowed options: [{', '.join(definition.options)}]",
            )
    return value


def _datetime(definition: Property, value: str) -> str:
    milliseconds = parse_time(value)
    if milliseconds is None or (definition.unix_ms_only and not _UNIX_MS.fullmatch(value)):
        raise Invalid("INVALID_LONG", f"{value[:80]} was not a valid long.")
    return iso(milliseconds)


def _date(_: Property, value: str) -> str:
    milliseconds = parse_time(value)
    if milliseconds is None:
        raise Invalid("INVALID_LONG", f"{value[:80]} was not a valid long.")
    if milliseconds % 86_400_000:
        raise Invalid("INVALID_DATE", f"{value[:80]} is not midnight UTC")
    return iso(milliseconds)[:10]


def _number(_: Property, value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise Invalid("INVALID_NUMBER", f"{value[:80]} was not a valid number.")
    return value


def _bool(definition: Property, value: str) -> str:
    if value not in ("true", "false"):
        raise Invalid("INVALID_OPTION", f"{value[:80]} was not one of the allowed options: [true, false]")
    return value


_CHECKS = {
    "enumeration": _enumeration,
    "datetime": _datetime,
    "date": _date,
    "number": _number,
    "bool": _bool,
    "phone_number": _string,
}
