"""Reads a CSV drop as DATA section 1 defines it: its header, and its rows as PostgreSQL COPY text, with what cannot be
loaded handed to the caller's sinks. No database, no Dagster.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from ic_assets.activities.engine.drop import csv_processes
from ic_assets.activities.engine.drop.column_map import EDGES, Names, plain
from ic_assets.activities.engine.drop.csv_records import Records
from ic_assets.activities.engine.drop.csv_rows import Block, Converter
from ic_assets.activities.engine.drop.drop_file import DropFile
from ic_assets.activities.engine.drop.drop_info import DropInfo, FieldWarning, Reading, Reject, Slashes, shown
from ic_assets.activities.facts.contract import BY_NAME, COLUMNS, DELETED_HEADER
from ic_assets.core.failures import DropRefused
from ic_assets.core.processes import plain_environment, python

DELIMITERS = (",", ";", "\t")
# What some exports put between columns: read by nobody here, but named.
_OTHER_DELIMITERS = ("|", "^", "~", ":", "\x1f", "\x01", "\xa7")
# A header may hold a million names; so many are shown, and so much of a name or of a line.
_MOST_NAMES = 20
_LONGEST_NAME = 60
_LONGEST_LINE = 80


def inspect(path: Path, encoding: str | None = None, names: Names = ()) -> DropInfo:
    """Reads the drop once: digest, size, encoding (``encoding`` if given, unless it has a byte-order mark), delimiter,
    header, in which ``names`` are theirs for ours.

    Raises ``DropRefused`` for whatever refuses a drop as a whole, a quote that never closes excepted: that shows
    while the rows are read.
    """
    with DropFile(path) as file:
        identity = file.identity
        with file.unchanged(identity):
            found = file.detect_encoding(encoding)
            sha256, size, words = file.content_sha256, file.bytes_read, file.words
            header = _read_header(file, found, dict(names))
    return DropInfo(
        content_sha256=sha256,
        byte_size=size,
        encoding=found,
        words=words,
        delimiter=header.delimiter,
        columns=header.known,
        width=header.width,
        header_line=header.line,
        missing_columns=tuple(c.name for c in COLUMNS if c.name not in header.known),
        unknown_columns=header.unknown,
        identity=identity,
        deleted=header.deleted,
        renamed=header.renamed,
    )


def inspect_beside(path: Path, encoding: str | None = None, names: Names = ()) -> DropInfo | None:
    """``inspect`` by a process of its own, while this one does something else; None where that gives no answer."""
    finished = subprocess.run(
        python(__name__, os.fspath(path), encoding or "", json.dumps(names)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=plain_environment(),
    )
    info: DropInfo | None = pickle.loads(finished.stdout) if finished.returncode == 0 else None  # noqa: S301 - our own
    return info


def read(
    path: Path,
    info: DropInfo,
    *,
    drop_id: int,
    source_zone: tzinfo,
    date_order: str,
    first_month: datetime,
    end: datetime,
    on_reject: Callable[[Reject], None],
    on_warning: Callable[[FieldWarning], None],
    keep_zero_ids: bool = False,
) -> DropReader:
    """The rows of an inspected drop; see ``DropReader`` and ``Reading``."""
    reading = Reading(path, info, drop_id, source_zone, date_order, first_month, end, keep_zero_ids)
    return DropReader(reading, on_reject, on_warning)


def raw_rows(path: Path, info: DropInfo, line_numbers: Iterator[int]) -> Iterator[tuple[int, str]]:
    """The raw text of the records that start on ``line_numbers`` (ascending), as ``Reject.raw_row`` has it.

    Raises ``DropRefused`` when the file is not the one that was inspected, ``LookupError`` for a line that it does not
    have.
    """
    with DropFile(path, keep_digest=False) as file, file.unchanged(info.identity):
        for line_number, raw in Records(file, info.encoding, info.delimiter).at(line_numbers):
            yield line_number, shown(raw)


class DropReader:
    """Iterates over the accepted rows as blocks of about a quarter of a MiB or one MiB each.

    Columns of a block's COPY text are ``drop_id``, ``line_number`` and the 22 of ``COLUMNS`` in their order, absent ones
    as ``\\N``; integers are plain digits, timestamps ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in the source zone, text as written.
    Its plain rows have ``columns_in_order`` instead of the 22, and empty values for none. The sinks hear of a block's
    rejected rows and warnings, in file order, before the block is yielded. Raises ``DropRefused`` while
    iterating when a quote never closes, the dates contradict the configured order, or the file is not the one that was
    inspected; that may be after the last block, so nothing of a drop stands before the iteration has ended. ``slashes``
    is then what its dates with slashes show.
    """

    def __init__(
        self, reading: Reading, on_reject: Callable[[Reject], None], on_warning: Callable[[FieldWarning], None]
    ) -> None:
        self.accepted = 0
        self.rejected = 0
        self.bytes_read = 0
        self.slashes = Slashes()
        self._reading = reading
        self._on_reject = on_reject
        self._on_warning = on_warning

    @property
    def rows_in(self) -> int:
        return self.accepted + self.rejected

    def __iter__(self) -> Iterator[Block]:
        reading, info = self._reading, self._reading.info
        with DropFile(reading.path) as file, file.unchanged(info.identity):
            blocks = csv_processes.blocks(file, reading)
            for block in blocks if blocks else Converter(reading).blocks(file):
                self.bytes_read = file.bytes_read
                self.accepted += block.accepted
                self.rejected += len(block.rejects)
                self.slashes = self.slashes.and_(block.slashes)
                for reject in block.rejects:
                    self._on_reject(reject)
                for warning in block.warnings:
                    self._on_warning(warning)
                if block.text or block.plain:
                    yield block
            self.bytes_read = file.bytes_read
            if file.content_sha256 != info.content_sha256:
                raise file.changed()
            if contradiction := self.slashes.contradiction(reading.date_order):
                raise file.refused(contradiction)


@dataclass(frozen=True)
class _Header:
    line: int
    delimiter: str
    known: dict[str, int]
    unknown: tuple[str, ...]
    width: int
    deleted: int | None
    renamed: Names


def _read_header(file: DropFile, encoding: str, names: Mapping[str, str]) -> _Header:
    """The first record that is not blank, under the delimiter that makes most known columns of it."""
    candidates: list[tuple[str, int, list[str], str]] = []
    refusals: list[DropRefused] = []
    for delimiter in DELIMITERS:
        file.rewind()
        try:
            first = Records(file, encoding, delimiter).first()
        except DropRefused as refusal:  # a quote that is none under the right delimiter
            refusals.append(refusal)
        else:
            candidates += [(delimiter, *first)] if first else []
    if not candidates:
        raise refusals[0] if refusals else file.refused("is empty; a drop has at least the header line")
    delimiter, line, headers, raw = max(candidates, key=lambda c: len(set(_ours(c[2], names)) & BY_NAME.keys()))
    columns = _ours(headers, names)
    known: dict[str, int] = {}
    for position, name in enumerate(columns):
        if name in known:
            raise file.refused(
                f"line {line}: the header names {BY_NAME[name].header} twice (columns {known[name] + 1} and"
                f" {position + 1}); keep one"
            )
        if name in BY_NAME:
            known[name] = position
    if not known and refusals:
        raise refusals[0]
    if "\r" in raw.removesuffix("\n").removesuffix("\r"):
        raise file.refused(f"line {line}: the lines of the file seem to end in CR alone; save it with LF or CRLF")
    if not known:
        raise _no_header(file, encoding, line, raw)
    deleted = next((at for at, name in enumerate(columns) if name == DELETED_HEADER.lower()), None)
    missing = [column.header for column in COLUMNS if column.required and column.name not in known]
    if missing:
        raise file.refused(
            f"line {line}: the header lacks {', '.join(missing)}, which every drop must have; export it with them"
        )
    renamed = tuple((plain(text), names[plain(text)]) for text in headers if plain(text) in names)
    return _Header(line, delimiter, known, _unknown(headers, columns, deleted), len(headers), deleted, renamed)


def _ours(headers: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [names.get(plain(text), plain(text)) for text in headers]


def _unknown(headers: Sequence[str], columns: Sequence[str], deleted: int | None) -> tuple[str, ...]:
    """The first of the headers that mean nothing to us, as they can be shown and stored, and how many more there are."""
    unknown = [
        (position, text)
        for position, (text, name) in enumerate(zip(headers, columns, strict=True))
        if name not in BY_NAME and position != deleted
    ]
    shown = tuple(
        _printable(EDGES.sub("", text), _LONGEST_NAME) or f"(column {position + 1}, unnamed)"
        for position, text in unknown[:_MOST_NAMES]
    )
    more = len(unknown) - len(shown)
    return (*shown, f"and {more:,} more") if more else shown


def _printable(text: str, length: int) -> str:
    """A beginning of ``text`` with line breaks, NUL and other control characters escaped."""
    escaped = repr(text[:length])[1:-1]
    return escaped if len(text) <= length else f"{escaped}…"


def _no_header(file: DropFile, encoding: str, line: int, raw: str) -> DropRefused:
    for delimiter in _OTHER_DELIMITERS:
        names = [plain(name) for name in raw.split(delimiter)]
        if len(BY_NAME.keys() & set(names)) > 1:
            return file.refused(
                f"line {line}: the columns stand between {delimiter!r}; export it with commas, semicolons or tabs"
                " between them"
            )
    if raw.lower().startswith("sep="):
        return file.refused(f"line {line}: {raw.strip()!r} is a note to Excel and no header; delete this line")
    utf16 = " (it looks like UTF-16 without a byte-order mark)" if "\0" in raw else ""
    begins = _printable(raw.partition("\n")[0].strip(), _LONGEST_LINE)
    return file.refused(
        f"line {line}: is no CSV of communications: the first line, read as {encoding}, names none of the known columns"
        f" ({COLUMNS[0].header}, ...){utf16}; it begins '{begins}'; export the table as CSV (UTF-8) with its header"
    )


if __name__ == "__main__":
    _names = tuple((theirs, ours) for theirs, ours in json.loads(sys.argv[3]))
    sys.stdout.buffer.write(pickle.dumps(inspect(Path(sys.argv[1]), sys.argv[2] or None, _names)))
