"""What the receiver needs of a body before it is kept: whether it is JSON as ``exact_json`` takes it, and enough of its value
to tell ids, topics and times. Numbers with a point may be floats here; what is kept is the text.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from ic_assets.inbox import exact_json
from ic_assets.inbox.exact_json import NotJson

# Finds where a value ends; what it says, the exact reader tells.
_PLAIN = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def text_of(body: bytes) -> str:
    """The body as text, without a byte-order mark. Raises ``NotJson``."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start + 1}") from None


def value_of(text: str) -> tuple[Any, bool]:
    """What ``text`` says, and whether jsonb can hold it for sure. Raises ``NotJson``."""
    value = _quickly(text)
    # Without escapes there is no U+0000 and no half of a surrogate pair; the quick reader takes no number beyond a float.
    return (exact_json.loads(text), False) if value is None else (value, True)


def elements_of(text: str) -> list[tuple[Any, str]]:
    """What a list holds, numbers exact, each value with its own text as it stands there; another value is a list of itself
    alone. Raises ``NotJson``."""
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        return [(exact_json.loads(text), text)]
    value_of(text)
    found: list[tuple[Any, str]] = []
    at = _blank(text, at + 1)
    while text[at] != "]":
        _, end = _PLAIN.raw_decode(text, at)
        found.append((exact_json.loads(text[at:end]), text[at:end]))
        at = _blank(text, end)
        if text[at] == ",":
            at = _blank(text, at + 1)
    return found


def _quickly(text: str) -> Any:
    """The value, where a reader that is four times as quick can tell that no name stands twice; else None. It keeps the last
    of them: written again, its value has fewer quotation marks than the text. (An escape could bring one back.)"""
    if "\\u" in text or text.count("[") + text.count("{") > exact_json.MOST_DEPTH:
        return None
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if orjson.dumps(value).count(b'"') == text.count('"') else None


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
