"""The records of an open drop: its text cut into physical lines and parsed by Python's ``csv``, with the lines on
which each record starts and ends and its raw text. What a record means is ``csv_rows``'s business; ``csv_drop`` calls both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Protocol

from ic_assets.activities.engine.drop.csv_quotes import (
    LONE_CR,
    LONE_CR_PATTERN,
    MAX_RECORD_BYTES,
    RecordEnd,
    open_quote_line,
    split,
)
from ic_assets.activities.engine.drop.drop_file import BLOCK_BYTES
from ic_assets.activities.engine.drop.drop_text import byte_length, decoder
from ic_assets.core.failures import DropRefused

# So much is kept of the text of a longer one.
_SHOWN_CHARACTERS = 64 * 1024

# The end mark, a line of its own after the last one, comes back as a row of its own unless a quote is still open. No
# character either, as LONE_CR.
_END = "\udc1a"
# Half a surrogate pair is damaged text; which one is of no interest, but it must not be a mark.
DAMAGE = re.compile("[\ud800-\udfff]")
_NO_MARK = {ord(LONE_CR): "\udc00", ord(_END): "\udc00"}
# What DOS and tapes put behind the last record.
_PADDING = "\0\x1a"


@dataclass(frozen=True)
class _Block:
    """Complete lines of the file and the numbers of the first and the last."""

    first: int
    last: int
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return split(self.text)


@dataclass(frozen=True)
class Batch:
    """Parsed records with the physical lines on which they start and end; ``raw`` gives the text between two.
    ``too_large`` are the indices of those over 16 MiB, of which ``raw`` may have the beginning only. ``may_be_damaged``:
    half a surrogate pair was seen so far."""

    rows: list[list[str]]
    starts: list[int]
    ends: list[int]
    has_nul: bool
    raw: Callable[[int, int], str]
    too_large: frozenset[int] = frozenset()
    may_be_damaged: bool = False


class _TooLarge(Exception):
    """The record that is being read is over 16 MiB. ``unfed``: text that was read and not parsed."""

    def __init__(self, unfed: str) -> None:
        super().__init__()
        self.unfed = unfed


class Source(Protocol):
    """Where bytes of a drop come from: a ``DropFile``, or a piece of one."""

    def read(self, size: int) -> bytes: ...
    def refused(self, problem: str) -> DropRefused: ...
    def changed(self) -> DropRefused: ...


class Records:
    """The records of an open drop, a block of the file at a time, the header and blank ones included.

    ``csv.reader`` pulls lines from ``_feed``; the blocks from which unfinished records came are kept for their raw
    text, hence memory is bounded by a block and the longest record.
    """

    def __init__(self, file: Source, encoding: str, delimiter: str, lines_before: int = 0) -> None:
        """``lines_before`` are those of the drop before what ``file`` gives, which begins with a record."""
        # The limit is the process's; ours is the record's, and is tested here.
        csv.field_size_limit(max(csv.field_size_limit(), 4 * MAX_RECORD_BYTES))
        self._file = file
        self._encoding = encoding
        self._delimiter = delimiter
        self._blocks: list[_Block] = []
        self._fresh = 0
        self._full = False
        self._fed = self._done = self._before = lines_before
        self._damaged = False
        self._texts = self._decoded_texts()

    def first(self) -> tuple[int, list[str], str] | None:
        """Line, fields and raw text of the first record that is not blank, read no further than needed."""
        reader = csv.reader(chain.from_iterable(self._feed()), delimiter=self._delimiter)
        before = 0
        try:
            for row in reader:
                if row == [_END] and reader.line_num == before + 1:
                    return None
                if row and row[-1].endswith(_END):
                    raise self._never_closed(before)
                raw = self._raw(before + 1, reader.line_num)
                if not raw.isspace():
                    return before + 1, [value.replace(LONE_CR, "\r") for value in row], raw
                self._finish(reader.line_num)
                before = reader.line_num
        except _TooLarge as error:
            pending = self._raw(before + 1, self._fed) + error.unfed
            opened = open_quote_line(pending, self._delimiter, before + 1)
            cause = "" if opened is None else f": a quote that opens on line {opened} may never have been closed"
            raise self._file.refused(
                f"line {before + 1}: the header that starts here is over 16 MiB{cause}; repair it"
            ) from None
        return None

    def batches(self) -> Iterator[Batch]:
        while (unfed := (yield from self._until_too_large())) is not None:
            yield self._skipped(unfed)

    def _until_too_large(self) -> Generator[Batch, None, str | None]:
        """The records before one that is too large; returns the text that was read and not parsed, None at the end."""
        before = self._done
        offset = before
        reader = csv.reader(chain.from_iterable(self._feed()), delimiter=self._delimiter)
        rows: list[list[str]] = []
        ends: list[int] = []
        try:
            for row in reader:
                rows.append(row)
                self._done = offset + reader.line_num
                ends.append(self._done)
                if self._full:
                    self._full = False
                    yield self._batch(rows, before, ends)
                    before, rows, ends = self._done, [], []
                    self._finish(before)
        except _TooLarge as error:
            if rows:
                yield self._batch(rows, before, ends)
                self._finish(self._done)
            return error.unfed
        last = ends[-2] if len(ends) > 1 else before
        # A quote alone on the last line has the end mark for its text: that row reaches over two lines.
        if rows[-1] != [_END] or ends[-1] != last + 1:
            raise self._never_closed(last)
        if len(rows) > 1:
            yield self._batch(rows[:-1], before, ends[:-1])
        return None

    def _skipped(self, unfed: str) -> Batch:
        """The record after those that are done, over 16 MiB, by its beginning; what follows it is read next."""
        start = self._done + 1
        text = self._raw(start, self._fed) + unfed
        shown, length, lines = text[:_SHOWN_CHARACTERS], 0, 0
        end_of = RecordEnd(self._delimiter)
        while (end := end_of.within(text)) is None:
            length, lines = length + len(text), lines + text.count("\n")
            following = next(self._texts, None)
            if following is None:
                if end_of.open_line is not None:
                    raise self._unclosed(start + end_of.open_line)
                text, end, lines = "", 0, lines + 1
                break
            text = following
        length, lines = length + end, lines + text.count("\n", 0, end)
        if text[end:]:
            self._texts = chain([text[end:]], self._texts)
        self._blocks, self._fresh, self._full = [], 0, False
        self._done = self._fed = start + lines - 1
        raw = f"{shown}… ({length:,} characters in all)"
        identifier = shown[:64].partition(self._delimiter)[0].strip('"')
        return Batch(
            [[identifier]], [start], [self._done], "\0" in shown, lambda *_: raw, frozenset({0}), self._damaged
        )

    def at(self, line_numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
        """The raw text of the records that start on these lines (ascending); what lies between is not parsed.

        Raises ``LookupError`` for a line that the file does not have."""
        blocks = self._utf8()
        data, start, line, ends = b"", 0, 1, 0  # the line begins at ``start``; so many end after it

        def more() -> bool:
            nonlocal data, start, ends
            block = next(blocks, b"")
            data, start, ends = data[start:] + block, 0, ends + block.count(b"\n")
            return bool(block)

        def following(taken: list[str]) -> Iterator[str]:
            length = 0  # of what was taken
            while True:
                while not (end := data.find(b"\n", start + length) + 1) and more():
                    pass
                raw = data[start + length : end or len(data)]
                if not raw:
                    yield _END
                    return
                length += len(raw)
                text = self._decoded(raw).removeprefix("" if taken or line > 1 else "\ufeff")
                taken.append(text if text.endswith("\n") else text.rstrip(_PADDING))
                yield LONE_CR_PATTERN.sub(LONE_CR, taken[-1])

        for wanted in line_numbers:
            while line + ends < wanted:
                start = data.rfind(b"\n", start) + 1 or start
                line, ends = line + ends, 0
                if not more():
                    raise LookupError(f"no record starts on line {wanted}")
            for _ in range(line, wanted):
                start = data.index(b"\n", start) + 1
            line, ends = wanted, ends - (wanted - line)
            if start == len(data) and not more():
                raise LookupError(f"no record starts on line {wanted}")
            taken: list[str] = []
            next(csv.reader(following(taken), delimiter=self._delimiter))
            yield wanted, "".join(taken)

    def _utf8(self) -> Iterator[bytes]:
        """The file as UTF-8, in blocks."""
        decode = decoder(self._encoding).decode
        data = b"-"
        while data:
            data = self._file.read(BLOCK_BYTES)
            if self._encoding == "utf-8":
                yield data
            elif text := decode(data, not data):
                yield text.encode("utf-8", "surrogatepass")

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8", "surrogatepass").translate(_NO_MARK)
        except UnicodeDecodeError as error:  # it decoded when it was inspected
            raise self._file.changed() from error

    def _batch(self, rows: list[list[str]], before: int, ends: list[int]) -> Batch:
        starts = [before + 1, *(end + 1 for end in ends[:-1])]
        too_large: set[int] = set()
        if self._kept_characters() * 4 > MAX_RECORD_BYTES:  # less cannot be too many bytes in any encoding
            for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
                if byte_length(self._raw(start, end), self._encoding) > MAX_RECORD_BYTES:
                    too_large.add(index)
        if any(LONE_CR in block.text for block in self._blocks):
            rows = [[value.replace(LONE_CR, "\r") for value in row] for row in rows]
        has_nul = any("\0" in block.text for block in self._blocks)
        return Batch(rows, starts, ends, has_nul, self._raw, frozenset(too_large), self._damaged)

    def _decoded_texts(self) -> Iterator[str]:
        """The text of the file, in blocks, without a byte-order mark in front and padding at the end."""
        decode = decoder(self._encoding).decode
        data, started = b"-", self._before > 0
        held: list[str] = []  # padding, should nothing follow
        while data:
            data = self._file.read(BLOCK_BYTES)
            try:
                text = decode(data, not data)
            except UnicodeDecodeError as error:  # it decoded when it was inspected
                raise self._file.changed() from error
            if text and not started:
                started = True
                text = text.removeprefix("\ufeff")
            unpadded = text.rstrip(_PADDING)
            if unpadded:
                yield from held
                held.clear()
                if DAMAGE.search(unpadded):
                    self._damaged = True
                    unpadded = unpadded.translate(_NO_MARK)
                yield unpadded
            # Of more than makes a record too large nobody needs to know how much it is.
            if len(unpadded) < len(text) and len(held) * BLOCK_BYTES <= 2 * MAX_RECORD_BYTES:
                held.append(text[len(unpadded) :])

    def _feed(self) -> Iterator[Sequence[str]]:
        """The lines of the file, LF kept; csv asks for more when it has parsed all that it was given."""
        tail, tail_length = [""], 0
        for text in self._texts:
            first, last = text.find("\n") + 1, text.rfind("\n") + 1
            if first:
                # The line that the block before began, by itself: joining the whole block to it would copy both.
                lines = ("".join(tail) + text[:first], text[first:last])
                tail, tail_length = [], 0
                for number, some in enumerate(lines):
                    if some and self._is_too_large():
                        raise _TooLarge("".join((*lines[number:], text[last:])))
                    if some:
                        yield self._admit(some)
            tail.append(text[last:])
            tail_length += len(text) - last
            if tail_length > MAX_RECORD_BYTES:
                raise _TooLarge("".join(tail))
        if rest := "".join(tail):
            if self._is_too_large():
                raise _TooLarge(rest)
            yield self._admit(rest)
        self._full = False
        yield [_END]

    def _is_too_large(self) -> bool:
        """Whether what was given to csv holds a record without its end that is over the limit."""
        if self._kept_characters() <= MAX_RECORD_BYTES:
            return False
        return len(self._raw(self._done + 1, self._fed)) > MAX_RECORD_BYTES

    def _admit(self, text: str) -> Sequence[str]:
        self._full = self._full or self._fresh >= BLOCK_BYTES // 2
        self._fresh = len(text) + (0 if self._full else self._fresh)
        if "\r" in text and text.count("\r") != text.count("\r\n"):
            text = LONE_CR_PATTERN.sub(LONE_CR, text)
        lines = split(text)
        self._blocks.append(_Block(self._fed + 1, self._fed + len(lines), text))
        self._fed += len(lines)
        return lines

    def _finish(self, line: int) -> None:
        """Nobody asks any more for the text up to this line."""
        self._done = line
        self._blocks = [block for block in self._blocks if block.last > line]

    def _kept_characters(self) -> int:
        return sum(len(block.text) for block in self._blocks)

    def _raw(self, start: int, end: int) -> str:
        """The text of lines ``start`` to ``end`` as the file has it."""
        parts: list[str] = []
        for block in self._blocks:
            if start <= block.first and block.last <= end:
                parts.append(block.text)
            elif block.first <= end and start <= block.last:
                parts.extend(block.lines[max(start - block.first, 0) : end - block.first + 1])
        return "".join(parts).replace(LONE_CR, "\r")

    def _never_closed(self, before: int) -> DropRefused:
        return self._unclosed(open_quote_line(self._raw(before + 1, self._fed), self._delimiter, before + 1))

    def _unclosed(self, line: int | None) -> DropRefused:
        return self._file.refused(
            f"line {line}: a quote that opens on this line never closes; close it, or double it if it is text"
        )
