"""A file of events as its records: lines of JSON, or rows of CSV under a header. Bounded memory, whatever the file holds: one
record is at most ``MOST_BYTES``, and what is longer, or cannot be read, is a ``Rejected`` line that stops no other."""

from __future__ import annotations

import codecs
import csv
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ic_assets.core.input_file import BLOCK_BYTES, InputFile
from ic_assets.inbox import exact_json
from ic_assets.inbox.exact_json import NotJson

MOST_BYTES = 4 * 1024 * 1024
"""Of one line, and of one row with its line breaks."""
_MOST_LINES = 1000
"""Of one row: a quote that nobody closed is given up after so many."""
_SHOWN = 8000
_DELIMITERS = (",", ";", "\t", "|")
_NO_TEXT = (b"%PDF", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"\xfe\xff", b"BZh", b"\xfd7zXZ", b"\x1f\x8b")


@dataclass(frozen=True)
class Record:
    """One event as it stands in the file: its line (of a row the first), its JSON text and its value. ``is_row``: a row of
    CSV, whose text is made of its columns."""

    line: int
    text: str
    value: Any
    is_row: bool


@dataclass(frozen=True)
class Rejected:
    """One line that is no event: why, without its content, and the line itself, shortened."""

    line: int
    reason: str
    raw: str


def records(file: InputFile) -> Iterator[Record | Rejected]:
    """The records of the file in their order; blank lines are none. A file whose first character is ``{`` holds JSON, an
    event a line; any other is CSV with a header. Raises ``DropRefused`` for a file that is neither."""
    lines = _lines(file)
    first = next(lines, None)
    while first is not None and isinstance(first[1], bytes) and not first[1].strip():
        first = next(lines, None)
    if first is None:
        raise file.refused("is empty")
    number, raw = first
    if isinstance(raw, Rejected):
        raise file.refused(f"line {number} is longer than {MOST_BYTES:,} bytes; this is no file of events")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if raw.startswith(_NO_TEXT):
        raise file.refused("is neither JSON Lines nor CSV in UTF-8; export it as one of these, packed with gzip or not")
    if raw.lstrip()[:1] == b"[":
        raise file.refused("is one JSON array; write one event a line (jq -c '.[]' FILE)")
    if raw.lstrip()[:1] == b"{":
        yield from _json(number, raw, lines)
    else:
        yield from _csv(file, number, raw, lines)


_Lines = Iterator[tuple[int, bytes | Rejected]]


def _lines(file: InputFile) -> _Lines:
    """Number and bytes of each line, without its end; a ``Rejected`` for one that is too long to be kept."""
    number, rest, too_long = 1, b"", False
    while block := file.read(BLOCK_BYTES):
        *whole, tail = (rest + block).split(b"\n")
        for line in whole:
            yield number, _too_long(number, line) if too_long or len(line) > MOST_BYTES else line.removesuffix(b"\r")
            number, too_long = number + 1, False
        # Of a line that is too long its head is enough.
        too_long = too_long or len(tail) > MOST_BYTES
        rest = tail[:_SHOWN] if too_long else tail
    if rest:
        yield number, _too_long(number, rest) if too_long else rest.removesuffix(b"\r")


def _too_long(number: int, head: bytes) -> Rejected:
    return Rejected(number, f"longer than {MOST_BYTES:,} bytes", _shown(head))


def _shown(raw: bytes | str) -> str:
    text = raw[: 4 * _SHOWN].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return text[:_SHOWN].replace("\x00", "\\x00")


def _json(number: int, raw: bytes, lines: _Lines) -> Iterator[Record | Rejected]:
    for line, content in _chained(number, raw, lines):
        if isinstance(content, Rejected):
            yield content
        elif content.strip():
            try:
                text = content.decode()
                value = exact_json.loads(text)
            except UnicodeDecodeError as error:
                yield Rejected(line, f"not UTF-8 at byte {error.start + 1}", _shown(content))
            except NotJson as error:
                yield Rejected(line, str(error), _shown(content))
            else:
                yield Record(line, text, value, is_row=False)


def _chained(number: int, raw: bytes, lines: _Lines) -> _Lines:
    yield number, raw
    yield from lines


def _csv(file: InputFile, number: int, raw: bytes, lines: _Lines) -> Iterator[Record | Rejected]:
    # A field may be as long as a row; the module's own bound is 128 KiB.
    csv.field_size_limit(min(2 * MOST_BYTES, sys.maxsize))
    delimiter = max(_DELIMITERS, key=lambda one: raw.count(one.encode()))
    rows = _rows(number, raw, lines, delimiter)
    head = next(rows)
    if isinstance(head, Rejected):
        raise file.refused(f"line {number}: the header cannot be read: {head.reason}")
    header = [name.strip() for name in head[1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or "" in header:
        problem = f"the column {twice[0]!r} stands twice" if twice and twice[0] else "a column has no name"
        raise file.refused(f"line {number}: {problem}; the first line names each column once")
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        line, values, text = row
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            yield Rejected(line, f"{len(values)} values for {len(header)} columns", text)
            continue
        found = {name: value or None for name, value in zip(header, values, strict=True)}
        yield Record(line, exact_json.dumps(found), found, is_row=True)


def _rows(number: int, raw: bytes, lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str], str] | Rejected]:
    """Line, values and text of each row. Where a quote stands open for too long, or wrongly, its first line alone is
    rejected, and what follows is looked at again."""
    again: deque[tuple[int, bytes | Rejected]] = deque([(number, raw)])
    while (first := again.popleft() if again else next(lines, None)) is not None:
        line, content = first
        if isinstance(content, Rejected):
            yield content
            continue
        again.appendleft((line, content))
        taken: list[tuple[int, bytes]] = []
        try:
            values = next(csv.reader(_taken(again, lines, taken), delimiter=delimiter, strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            again.extendleft(reversed(taken[1:]))
            why = f"not CSV: {error}" if isinstance(error, csv.Error) else f"not UTF-8 at byte {error.start + 1}"
            yield Rejected(line, why, _shown(content))
        else:
            yield line, values, _shown(b"\n".join(part for _, part in taken))


def _taken(again: deque[tuple[int, bytes | Rejected]], lines: _Lines, taken: list[tuple[int, bytes]]) -> Iterator[str]:
    """The lines of one row, as the reader asks for them."""
    size = 0
    while len(taken) < _MOST_LINES and size <= MOST_BYTES:
        following = again.popleft() if again else next(lines, None)
        if following is None:
            return
        number, content = following
        if isinstance(content, Rejected):
            again.appendleft(following)
            return
        taken.append((number, content))
        size += len(content)
        yield content.decode() + "\n"
