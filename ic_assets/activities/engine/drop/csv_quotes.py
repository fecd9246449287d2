"""Where a record ends, by its quotes, and into which fields it falls. For `csv_records`, which cuts the text, and for what
looks at single records.
"""

from __future__ import annotations

import csv
import io
import re

MAX_RECORD_BYTES = 16 * 1024 * 1024

# No characters, so these cannot be confused with data once damaged text is kept from being them. csv takes a lone CR
# outside quotes for a line end or an error; here it is data and travels under another name.
LONE_CR = "\udc0d"

LONE_CR_PATTERN = re.compile(r"\r(?!\n|\Z)")


class RecordEnd:
    """Finds where a record ends in text that comes piece by piece, keeping none of it. As Python's csv has it: a quote
    opens a field at its start only, and what follows the closing one is the field's."""

    def __init__(self, delimiter: str) -> None:
        rest = f"[^{delimiter}\n]*+"
        # Whole fields, each with the delimiter behind it.
        self._fields = re.compile(f'(?:(?:"(?:[^"]++|"")*+"{rest}|[^"{delimiter}\n]{rest}|){delimiter})*+')
        self._edge = re.compile(f"[{delimiter}\n]")
        self._state = "start"
        self._lines = 0
        self._opened = 0

    @property
    def open_line(self) -> int | None:
        """Lines of the record before the one on which the quote opened that is open so far."""
        return self._opened if self._state == "quoted" else None

    def within(self, text: str) -> int | None:
        """How much of ``text`` is the record's; None when it goes on behind it."""
        at = 0
        while at < len(text):
            if self._state == "quoted":
                at = text.find('"', at) + 1
                if not at:
                    break
                self._state = "closing"
            elif self._state == "closing" and text[at] == '"':
                self._state, at = "quoted", at + 1
            elif self._state == "start" and text[at] == '"' and (after := self._past_fields(text, at)) == at:
                self._opened = self._lines + text.count("\n", 0, at)
                self._state, at = "quoted", at + 1
            elif self._state == "start" and (after := self._past_fields(text, at)) > at:
                at = after
            else:
                edge = self._edge.search(text, at)
                if edge is None:
                    self._state = "plain"
                    break
                at = edge.end()
                if edge[0] == "\n":
                    return at
                self._state = "start"
        self._lines += text.count("\n")
        return None

    def _past_fields(self, text: str, at: int) -> int:
        match = self._fields.match(text, at)
        return match.end() if match else at


def fields_of(raw: str, delimiter: str) -> list[str]:
    """The fields of one record that was read before, from its raw text."""
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD_BYTES))
    lines = split(LONE_CR_PATTERN.sub(LONE_CR, raw))
    return [value.replace(LONE_CR, "\r") for value in next(csv.reader(lines, delimiter=delimiter), [])]


def split(text: str) -> list[str]:
    """Lines with their LF. ``splitlines`` would also split at form feeds, U+2028 and others."""
    return list(io.StringIO(text, newline="\n"))


def open_quote_line(raw: str, delimiter: str, first: int) -> int | None:
    """The line on which the quote opened that is still open at the end of ``raw``, which starts on line ``first``."""
    rest = f"[^{delimiter}\n]*+"
    field = re.compile(f'(?:"(?:[^"]++|"")*+(?:"{rest}|(\\Z))|{rest})(?:[{delimiter}\n]|\\Z)')
    position = 0
    while position < len(raw) and (match := field.match(raw, position)):
        if match[1] is not None:
            return first + raw.count("\n", 0, position)
        position = match.end()
    return None
