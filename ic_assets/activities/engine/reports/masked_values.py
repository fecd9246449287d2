"""Values as they may leave the database: personal data shortened beyond reading, yet the same text always to the same
mask, so that two columns can still be compared."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ic_assets.core.masking import mask_addresses

# A word: letters and digits of any script. What stands between words stays.
_WORD = re.compile(r"(\w)\w+")
_SHORTENED_ADDRESS = re.compile(r"\S…@\S….\w+")
# Of our centuries, or a day that systems write for none.
_YEAR = r"(?:(?:1[7-9]|20)\d\d|0001|9999)"
_MOMENT = re.compile(
    rf"\b(?:{_YEAR}[-./]\d{{1,2}}[-./]\d{{1,2}}|\d{{1,2}}[-./]\d{{1,2}}[-./]{_YEAR})(?:[T ]\d{{1,2}}:\d\d(?::\d\d)?)?\b"
)
# Vocabulary of the CRM and of HubSpot, which says nothing about a person unless an address got into it.
_VOCABULARY = frozenset({"comm_type", "comm_action", "comm_status", "comm_priority", "company_name"})
_VOCABULARY_SUFFIXES = ("_direction", "_status", "_outcome", "_source", "_type", "_priority", "_from")
# What is longer is no word of a vocabulary.
_LONGEST_WORD = 40


def mask_text(text: str) -> str:
    """Free text with each word cut to its first character, and addresses as in ``a…@e….com``."""
    result, end = [], 0
    shown = mask_addresses(text)
    for address in _SHORTENED_ADDRESS.finditer(shown):
        result += [_WORD.sub(r"\1…", shown[end : address.start()]), address[0]]
        end = address.end()
    return "".join([*result, _WORD.sub(r"\1…", shown[end:])])


def mask_value(column: str, value: Any) -> Any:
    """One value of a drop's, the master's or a derivative's column. Numbers, dates and booleans are no text; the types,
    statuses and names of companies stay readable but for addresses in them; any other text is masked."""
    if value is None or isinstance(value, bool | int | float | Decimal | date | datetime):
        return value
    text = str(value)
    is_vocabulary = column in _VOCABULARY or column.endswith(_VOCABULARY_SUFFIXES)
    return mask_addresses(text) if is_vocabulary and len(text) <= _LONGEST_WORD else mask_text(text)


def mask_raw(text: str) -> str:
    """A raw row, or a raw value that could not be read: as ``mask_text``, but dates and times stay, since they are often
    what is wrong with it."""
    return "".join(
        part if _MOMENT.fullmatch(part) else mask_text(part) for part in re.split(f"({_MOMENT.pattern})", text)
    )


def shortened(text: str, length: int) -> str:
    """One line of at most ``length`` characters, for a table."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"
