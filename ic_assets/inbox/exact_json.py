"""JSON without loss: numbers as they are written (``int`` and ``Decimal``, never ``float``), no key twice, bounded depth;
and what of it PostgreSQL's jsonb can hold. Called by everything that reads an event."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_DEPTH = 100
"""Real events are nested ten deep; PostgreSQL and Python give up at some thousand."""
# The widest numeric is 131,072 digits before the point and 16,383 after it.
_MOST_EXPONENT = 16_000
# Whether a text may hold what jsonb does not take; most do not.
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|[eE][+-]?\d{3}|\d{1000}|[\x00\ud800-\udfff]")
_UNFIT_TEXT = re.compile(r"[\x00\ud800-\udfff]")


class NotJson(ValueError):
    """What was read is not JSON, or not such as can be kept. Its text says why, and holds nothing of the content."""


def loads(text: str | bytes) -> Any:
    """The value of a JSON text; bytes are UTF-8, with or without a byte order mark. Raises ``NotJson``: also for NaN and
    Infinity, for a key that stands twice in one object, and for nesting deeper than ``MOST_DEPTH``."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise NotJson(f"not UTF-8 at byte {error.start + 1}") from None
    try:
        value = _DECODER.decode(text)
        too_deep = text.count("{") + text.count("[") > MOST_DEPTH and _depth(value) > MOST_DEPTH
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        too_deep = True
    if too_deep:
        raise NotJson(f"nested more than {MOST_DEPTH} deep")
    return value


def dumps(value: Any, *, canonical: bool = False) -> str:
    """The JSON text of a value that ``loads`` gave, numbers as they were written; ``canonical``: keys in byte order."""
    if isinstance(value, dict):
        items = sorted(value.items()) if canonical else value.items()
        return f"{{{','.join(f'{_text(key)}:{dumps(one, canonical=canonical)}' for key, one in items)}}}"
    if isinstance(value, list):
        return f"[{','.join(dumps(one, canonical=canonical) for one in value)}]"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not of JSON")


def for_jsonb(text: str, value: Any) -> str:
    """The JSON text to be kept in a jsonb column: ``text`` itself, or, where jsonb could not hold its ``value``, a JSON
    string with that text. ``kept`` reads both."""
    if _SUSPICIOUS.search(text) and not fits(value):
        return json.dumps(text)
    return text


def kept(body: str) -> Any:
    """The value of a body as jsonb gives its text, ``for_jsonb`` undone."""
    value = loads(body)
    return loads(value) if isinstance(value, str) else value


def is_plain(text: str) -> bool:
    """Whether PostgreSQL can hold the text as it is."""
    return _UNFIT_TEXT.search(text) is None


def _text(value: str) -> str:
    # Half of a surrogate pair is no UTF-8, but has an escape.
    return json.dumps(value, ensure_ascii=not is_plain(value))


def fits(value: Any) -> bool:
    """Whether jsonb can hold the value."""
    if isinstance(value, dict):
        return all(is_plain(key) and fits(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(fits, value))
    if isinstance(value, str):
        return is_plain(value)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and abs(exponent) <= _MOST_EXPONENT and abs(value.adjusted()) <= _MOST_EXPONENT
    return True


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _whole(digits: str) -> int | Decimal:
    # int() of very long ones takes quadratic time, and Python refuses it.
    return int(digits) if len(digits) <= 1000 else _decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise NotJson("a number of more digits than can be kept") from None


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJson("a key stands twice in one object")
    return value


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_int=_whole, parse_constant=_constant, object_pairs_hook=_object)
