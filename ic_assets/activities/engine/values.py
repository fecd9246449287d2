"""Reads one value of a CSV drop: what counts as missing, and the only forms of integers and timestamps that
are taken (DATA section 1). Pure functions; nothing here knows of files, rows or the database.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

# Exactly so, untrimmed: `null` or ` NULL` is somebody's text.
MISSING_WORDS = frozenset({"", "NULL", "NaN"})

_BIGINT_MIN, _BIGINT_MAX = -(2**63), 2**63 - 1
_SET, _NOT_SET = frozenset({"true", "t", "yes", "y", "on", "x"}), frozenset({"false", "f", "no", "n", "off"})
# Leading zeros stand apart so that a value of a million digits never reaches int().
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0*)?")

# The calendar is checked here, leap years included, so that a match is a moment.
_DAY = (
    r"(?:(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"  # PostgreSQL's bound (MAX_TZDISP_HOUR)
_ISO = re.compile(rf"{_DAY}(?:{_CLOCK}{_OFFSET}?)?")
_LONG_FRACTION = re.compile(r"(?<=:[0-9]{2}:[0-9]{2})(\.[0-9]{7,}+)(?!\.)")

# Most values need no conversion: PostgreSQL reads these forms as we do once a `T` is a space. The second pattern
# takes a column's values joined by NUL.
_PLAIN = rf"{_DAY}(?:{_CLOCK})?"
PLAIN_TIMESTAMP = re.compile(_PLAIN)
PLAIN_TIMESTAMPS = re.compile(rf"(?:(?:{_PLAIN}|NULL|NaN)?+(?:\0|\Z))*+")

_SLASHES = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"
    r"(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(?: ?([AaPp])[Mm])?)?"
)


def is_missing(value: str) -> bool:
    """Blank (white space of every kind), ``NULL`` or ``NaN``."""
    return value in MISSING_WORDS or value.isspace()


def is_set(value: str) -> bool | None:
    """Whether a flag is set: by any whole number but 0, ``true``, ``t``, ``yes``, ``y``, ``on`` or ``x``, in any case; not by
    a missing value, 0, ``false``, ``f``, ``no``, ``n`` or ``off``. None when it is anything else, a date included."""
    text = value.strip().lower()
    if is_missing(value) or text in _NOT_SET:
        return False
    number = read_integer(text)
    return True if text in _SET else None if number is None else number != 0


def read_integer(value: str) -> int | None:
    """The bigint written as ``123``, ``123.0``, ``+5`` or ``007``; None when it is anything else.

    Scientific notation has lost digits already, and a fraction is no id: neither is read.
    """
    match = _INTEGER.fullmatch(value.strip())
    if not match:
        return None
    number = int(match[1] + match[2])
    return number if _BIGINT_MIN <= number <= _BIGINT_MAX else None


def read_timestamp(value: str, *, zone: tzinfo, date_order: str) -> datetime | None:
    """The naive local time in ``zone`` that ``value`` names; None when it is in none of the listed forms.

    ISO 8601 as DATA section 1 lists it always; slashes only when ``date_order`` is ``DMY`` or ``MDY``. A value
    without an offset is local already and kept as it stands, also where the clocks skip or repeat it.
    """
    text = value.strip()
    fraction = ""
    if long := _LONG_FRACTION.search(text):
        text, fraction = text[: long.start()] + text[long.end() :], long[0]
    try:
        if _ISO.fullmatch(text):
            moment = datetime.fromisoformat(text) + _microseconds(fraction)
            return moment if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)
        if date_order != "YMD" and (match := _SLASHES.fullmatch(text)):
            first, other, year, hour, minute, second, short, half = match.groups()
            day, month = (first, other) if date_order == "DMY" else (other, first)
            clock = (_hour(hour, half), int(minute or 0), int(second or 0))
            return datetime(int(year), int(month), int(day), *clock) + _microseconds(short or fraction)  # noqa: DTZ001
    except (ValueError, OverflowError):  # no such day or hour, or past the years 1 to 9999
        return None
    return None


def _microseconds(fraction: str) -> timedelta:
    """PostgreSQL's rounding (ParseFraction, then rint), so that both sides agree; a full second carries over."""
    return timedelta(microseconds=round(float(fraction) * 1_000_000)) if fraction else timedelta()


def _hour(hour: str | None, half: str | None) -> int:
    if hour is None or half is None:
        return int(hour or 0)
    if not 1 <= int(hour) <= 12:
        raise ValueError(hour)
    return int(hour) % 12 + (12 if half in "Pp" else 0)
