"""Reads one value of a CSV drop: what counts as missing, and the only forms of integers and timestamps that
are taken (DATA section 1). Pure functions; nothing here knows of files, rows or the database.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

# Exactly so, untrimmed: `null` or ` NULL` is somebody's text.
MISSING_WORDS = frozenset({"", "NULL", "NaN"})

_BIGINT_MIN, _BIGINT_MAX = -(2**63), 2**63 - 1
_SET, _NOT_SET = frozenset({"true", "t", "yes", "y", "on", "x"}), frozenset({"false", "f", "no", "n", "off"})
# Leading zeros stand apart so that a value of a million digits never reaches int(). One zero after the point is what
# spreadsheets and pandas write; `12.000` may be twelve thousand.
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})(?:\.0)?")

# What nobody sees and no code, id or date means: zero-width characters, and C0 controls but tab and line breaks (and NUL,
# which rejects its row).
_UNSEEN = dict.fromkeys((*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x200B, 0x2060, 0xFEFF))
HAS_UNSEEN = re.compile(f"[{re.escape(''.join(map(chr, _UNSEEN)))}]").search
# In a date they are spaces: no-break, narrow no-break, thin and hair.
_SPACES = dict.fromkeys((0xA0, 0x202F, 0x2009, 0x200A), " ")

# The calendar is checked here, leap years included, so that a match is a moment.
_DAY = (
    r"(?:(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"  # PostgreSQL's bound (MAX_TZDISP_HOUR)
_ISO = re.compile(rf"{_DAY}(?:{_CLOCK}{_OFFSET}?)?")
_LONG_FRACTION = re.compile(r"(?<=:[0-9]{2}:[0-9]{2})(\.[0-9]{7,}+)(?!\.)")
_ZONE_WORD = re.compile(r" (?:UTC|GMT)\Z")
_SPACED_OFFSET = re.compile(rf"(?<=[0-9]) (?={_OFFSET}\Z)")
_COMMA = re.compile(r"(?<=:[0-9]{2}:[0-9]{2}),(?=[0-9])")
# The end of a day, which is the next one's midnight.
_MIDNIGHT = re.compile(r"(?<=[0-9][ T])24(?=:00(?::00(?:\.0++)?)?(?![0-9:.]))")

# Most values need no conversion: PostgreSQL reads these forms as we do once a `T` is a space. Of optional columns no day
# that may stand for none. The patterns in the plural take a column's values joined by NUL.
_PLAIN = rf"{_DAY}(?:{_CLOCK})?"
_SOME_DAY = rf"(?=19(?:0[1-9]|[1-9])|2){_PLAIN}"
PLAIN_TIMESTAMP = re.compile(_PLAIN)
PLAIN_OPTIONAL_TIMESTAMP = re.compile(_SOME_DAY)
PLAIN_TIMESTAMPS = re.compile(rf"(?:(?:{_PLAIN}|NULL|NaN)?+(?:\0|\Z))*+")
PLAIN_OPTIONAL_TIMESTAMPS = re.compile(rf"(?:(?:{_SOME_DAY}|NULL|NaN)?+(?:\0|\Z))*+")

_SLASHES = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"
    r"(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]++)?)?(?: ?([AaPp])[Mm])?( UTC| GMT)?)?"
)

# Days that systems write for none: .NET's and SQL Server's first, Excel's zeroth, and the last of all.
_FIRST_DAY = date(1900, 1, 2)
_LAST_DAY = date(9999, 12, 31)


def is_missing(value: str) -> bool:
    """Blank (white space of every kind), ``NULL`` or ``NaN``."""
    return value in MISSING_WORDS or value.isspace()


def seen(value: str) -> str:
    """A code, an id or a date without the characters that nobody sees."""
    return value if value.isascii() and value.isprintable() else value.translate(_UNSEEN)


def is_set(value: str) -> bool | None:
    """Whether a flag is set: by any whole number but 0, ``true``, ``t``, ``yes``, ``y``, ``on`` or ``x``, in any case; not by
    a missing value, 0, ``false``, ``f``, ``no``, ``n`` or ``off``. None when it is anything else, a date included."""
    value = seen(value)
    text = value.strip().lower()
    if is_missing(value) or text in _NOT_SET:
        return False
    number = read_integer(text)
    return True if text in _SET else None if number is None else number != 0


def read_integer(value: str) -> int | None:
    """The bigint written as ``123``, ``123.0``, ``+5`` or ``007``; None when it is anything else.

    Scientific notation has lost digits already, and a fraction is no id: neither is read.
    """
    match = _INTEGER.fullmatch(seen(value).strip())
    if not match:
        return None
    number = int(match[1] + match[2])
    return number if _BIGINT_MIN <= number <= _BIGINT_MAX else None


def read_timestamp(value: str, *, zone: tzinfo, date_order: str) -> datetime | None:
    """The naive local time in ``zone`` that ``value`` names; None when it is in none of the listed forms.

    ISO 8601 as DATA section 1 lists it always; slashes only when ``date_order`` is ``DMY`` or ``MDY``. A value
    without an offset is local already and kept as it stands, also where the clocks skip or repeat it.
    """
    text = _plain_form(value)
    fraction = ""
    if long := _LONG_FRACTION.search(text):
        text, fraction = text[: long.start()] + text[long.end() :], long[0]
    text, nights = _MIDNIGHT.subn("00", text)
    try:
        if _ISO.fullmatch(text):
            moment = datetime.fromisoformat(text)
        elif date_order == "YMD" or not (match := _SLASHES.fullmatch(text)):
            return None
        else:
            moment = _slashed(match, date_order)
        moment += _microseconds(fraction) + timedelta(days=nights)
        return moment if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):  # no such day or hour, or past the years 1 to 9999
        return None


def stands_for_none(value: str, *, zone: tzinfo, date_order: str) -> bool:
    """Whether a date is one that is written where there is none, as written or in ``zone``: before 1900-01-02, or the
    last day of all."""
    text = _plain_form(value)
    written = text.replace("T", " ").partition(" ")[0]
    day = read_timestamp(written, zone=zone, date_order=date_order)
    moment = read_timestamp(text, zone=zone, date_order=date_order)
    if day is None:
        return False
    if moment is None:  # the end of the last day, or an evening in another zone, is past what can be read
        elsewhere = ("01/01/2000" if "/" in written else "2000-01-01") + text[len(written) :]
        moment = day if read_timestamp(elsewhere, zone=zone, date_order=date_order) else None
    return moment is not None and any(not _FIRST_DAY <= found.date() < _LAST_DAY for found in (moment, day))


def slashed_parts(value: str) -> tuple[int, int] | None:
    """The first two numbers of a date with slashes, in the order in which they stand."""
    match = _SLASHES.fullmatch(_MIDNIGHT.sub("00", _plain_form(value)))
    return (int(match[1]), int(match[2])) if match else None


def _plain_form(value: str) -> str:
    """A date with spaces for spaces, a point before its fraction, and its offset behind the clock."""
    text = seen(value).translate(_SPACES).strip()
    text = _COMMA.sub(".", _SPACED_OFFSET.sub("", text))
    return _ZONE_WORD.sub("Z", text) if ":" in text and "/" not in text else text


def _slashed(match: re.Match[str], date_order: str) -> datetime:
    first, other, year, hour, minute, second, fraction, half, zone = match.groups()
    day, month = (first, other) if date_order == "DMY" else (other, first)
    clock = (_hour(hour, half), int(minute or 0), int(second or 0))
    moment = datetime(int(year), int(month), int(day), *clock, tzinfo=UTC if zone else None)
    return moment + _microseconds(fraction or "")


def _microseconds(fraction: str) -> timedelta:
    """PostgreSQL's rounding (ParseFraction, then rint), so that both sides agree; a full second carries over."""
    return timedelta(microseconds=round(float(fraction) * 1_000_000)) if fraction else timedelta()


def _hour(hour: str | None, half: str | None) -> int:
    if hour is None or half is None:
        return int(hour or 0)
    if not 1 <= int(hour) <= 12:
        raise ValueError(hour)
    return int(hour) % 12 + (12 if half in "Pp" else 0)
