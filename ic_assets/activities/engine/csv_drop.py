"""Reads a CSV drop as DATA section 1 defines it: its header, its records with their physical line numbers, and its
rows as PostgreSQL COPY text, with what cannot be loaded handed to the caller's sinks. No database, no Dagster.

Columns are converted a block at a time, since a step in Python per value would cost more than everything else; only
rows in which something looks wrong are then judged one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from ic_assets.activities.contract import BY_NAME, COLUMNS, Kind
from ic_assets.activities.engine.csv_records import Batch, Records
from ic_assets.activities.engine.drop_file import DropFile, Identity
from ic_assets.activities.engine.values import (
    MISSING_WORDS,
    PLAIN_TIMESTAMP,
    PLAIN_TIMESTAMPS,
    is_missing,
    read_integer,
    read_timestamp,
)
from ic_assets.core.failures import DropRefused

DELIMITERS = (",", ";", "\t")

_NULL = r"\N"
_UNREADABLE = "\0"  # no value holds it: rows with a NUL are rejected
_EDGES = re.compile(r"^[\s\"'\ufeff]+|[\s\"'\ufeff]+$")

_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
_CACHE_SIZE = 50_000

_ID = COLUMNS.index(BY_NAME["comm_communicationid"])
_MOMENT = COLUMNS.index(BY_NAME["comm_datetime"])
# Positions in a COPY line, which begins with the line number.
_REQUIRED = [(index, column) for index, column in enumerate(COLUMNS, start=1) if column.required]


@dataclass(frozen=True)
class DropInfo:
    """What one pass over a drop found out.

    ``content_sha256`` and ``byte_size`` are those of the content after decompression; ``columns`` maps master
    columns to their position in the file, ``missing_columns`` are the optional ones that it has not,
    ``unknown_columns`` the headers that mean nothing to us.
    """

    content_sha256: str
    byte_size: int
    encoding: str
    delimiter: str
    columns: dict[str, int]
    width: int
    header_line: int
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    identity: Identity


@dataclass(frozen=True)
class Reject:
    """A row that is not loaded. ``raw_row`` is its text without the final line end, NUL shown as ``\\x00``."""

    line_number: int
    reason: str
    column_name: str | None
    comm_communicationid: int | None
    raw_row: str


@dataclass(frozen=True)
class FieldWarning:
    """An optional value that became NULL in a row that is loaded."""

    line_number: int
    comm_communicationid: int
    column_name: str
    raw_value: str
    reason: str


def inspect(path: Path) -> DropInfo:
    """Reads the drop once: digest, size, encoding, delimiter, header.

    Raises ``DropRefused`` for whatever refuses a drop as a whole, a quote that never closes excepted: that shows
    while the rows are read.
    """
    with DropFile(path) as file:
        identity = file.identity
        with file.unchanged(identity):
            encoding = file.detect_encoding()
            sha256, size = file.content_sha256, file.bytes_read
            header = _read_header(file, encoding)
    return DropInfo(
        content_sha256=sha256,
        byte_size=size,
        encoding=encoding,
        delimiter=header.delimiter,
        columns=header.known,
        width=header.width,
        header_line=header.line,
        missing_columns=tuple(c.name for c in COLUMNS if c.name not in header.known),
        unknown_columns=header.unknown,
        identity=identity,
    )


def read(
    path: Path,
    info: DropInfo,
    *,
    source_zone: tzinfo,
    date_order: str,
    first_month: datetime,
    end: datetime,
    on_reject: Callable[[Reject], None],
    on_warning: Callable[[FieldWarning], None],
) -> DropReader:
    """The rows of an inspected drop; see ``DropReader``. ``comm_datetime`` must lie in [``first_month``, ``end``), both
    the midnight on which a month begins."""

    def integer(value: str) -> str | None:
        number = read_integer(value)
        return None if number is None else str(number)

    def timestamp(value: str) -> str | None:
        moment = read_timestamp(value, zone=source_zone, date_order=date_order)
        return None if moment is None else moment.isoformat(" ")

    return DropReader(
        path,
        info,
        integer=integer,
        timestamp=timestamp,
        # As text and as days, since rows are compared as text and may lack the clock: "2028-12-01" is no less
        # than this bound, but it is less than "2028-12-01 00:00:00".
        bounds=(f"{first_month:%Y-%m-%d}", f"{end:%Y-%m-%d}"),
        on_reject=on_reject,
        on_warning=on_warning,
    )


def raw_rows(path: Path, info: DropInfo, line_numbers: Iterator[int]) -> Iterator[tuple[int, str]]:
    """The raw text of the records that start on ``line_numbers`` (ascending), as ``Reject.raw_row`` has it.

    Raises ``DropRefused`` when the file is not the one that was inspected, ``LookupError`` for a line that it does not
    have.
    """
    with DropFile(path) as file, file.unchanged(info.identity):
        for line_number, raw in Records(file, info.encoding, info.delimiter).at(line_numbers):
            yield line_number, _shown(raw)


class DropReader:
    """Iterates over the accepted rows as blocks of PostgreSQL COPY text, about 256 KiB each.

    Columns are ``line_number`` and the 22 of ``COLUMNS`` in their order, absent ones as ``\\N``; integers are plain
    digits, timestamps ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in the source zone, text as written. The sinks hear of
    a block's rejected rows and warnings, in file order, before the block is yielded. Raises ``DropRefused`` while
    iterating when a quote never closes, a record is over 16 MiB, or the file is not the one that was inspected;
    that may be after the last block, so nothing of a drop stands before the iteration has ended.
    """

    def __init__(
        self,
        path: Path,
        info: DropInfo,
        *,
        integer: Callable[[str], str | None],
        timestamp: Callable[[str], str | None],
        bounds: tuple[str, str],
        on_reject: Callable[[Reject], None],
        on_warning: Callable[[FieldWarning], None],
    ) -> None:
        self.accepted = 0
        self.rejected = 0
        self.bytes_read = 0
        self._path = path
        self._info = info
        self._integers = _Converted(integer)
        self._timestamps = _Converted(timestamp)
        self._bounds = bounds
        self._on_reject = on_reject
        self._on_warning = on_warning
        self._placed = [(column, info.columns.get(column.name)) for column in COLUMNS]

    @property
    def rows_in(self) -> int:
        return self.accepted + self.rejected

    def __iter__(self) -> Iterator[bytes]:
        info = self._info
        with DropFile(self._path) as file, file.unchanged(info.identity):
            for batch in Records(file, info.encoding, info.delimiter).batches():
                self.bytes_read = file.bytes_read
                lines = self._convert(batch)
                self.accepted += len(lines)
                if lines:
                    lines.append("")
                    yield "\n".join(lines).encode()
            if file.content_sha256 != info.content_sha256:
                raise file.changed()

    def _convert(self, batch: Batch) -> list[str]:
        """The COPY lines of a batch's accepted rows."""
        columns, suspects = self._columns(batch)
        lines: list[str | None] = list(map("\t".join, zip(*columns, strict=True)))
        for index in sorted(suspects):
            start = batch.starts[index]
            raw = batch.raw(start, batch.ends[index])
            # The header is a suspect too: its names are no values.
            is_row = start != self._info.header_line and not raw.isspace()
            values = [column[index] for column in columns]
            lines[index] = self._judge(start, batch.rows[index], raw, values) if is_row else None
        return [line for line in lines if line is not None]

    def _columns(self, batch: Batch) -> tuple[list[Sequence[str]], set[int]]:
        """Every row converted column by column, and the indices of the rows that have to be judged one by one."""
        width = self._info.width
        rows = batch.rows
        suspects = {index for index, row in enumerate(rows) if len(row) != width}
        if batch.has_nul:
            suspects.update(index for index, row in enumerate(rows) if "\0" in "".join(row))
        if suspects:
            nothing = [""] * width  # holds their place
            rows = [nothing if index in suspects else row for index, row in enumerate(rows)]
        values = list(zip(*rows, strict=True))
        columns: list[Sequence[str]] = [list(map(str, batch.starts))]
        for column, position in self._placed:
            if position is None:
                columns.append([_NULL] * len(rows))
                continue
            converted = self._converted(column.kind, values[position])
            if _UNREADABLE in converted or (column.required and _NULL in converted):
                wrong = {_UNREADABLE, _NULL} if column.required else {_UNREADABLE}
                suspects.update(index for index, value in enumerate(converted) if value in wrong)
            columns.append(converted)
        first_month, end = self._bounds
        moments = columns[1 + _MOMENT]
        if min(moments) < first_month or max(moments) >= end:
            suspects.update(index for index, value in enumerate(moments) if not first_month <= value < end)
        return columns, suspects

    def _converted(self, kind: Kind, values: Sequence[str]) -> list[str]:
        # Written out: a function call per value would cost more than all the rest.
        if kind == "bigint":
            integers = self._integers
            return [
                (v if v[0] != "0" and len(v) < 19 and v.isdecimal() and v.isascii() else integers[v]) if v else _NULL
                for v in values
            ]
        if kind == "timestamp":
            together = "\0".join(values)
            if PLAIN_TIMESTAMPS.fullmatch(together):
                values = together.replace("T", " ").split("\0") if "T" in together else values
                return [v if v not in MISSING_WORDS else _NULL for v in values]
            plain, timestamps = PLAIN_TIMESTAMP.fullmatch, self._timestamps
            return [v.replace("T", " ") if plain(v) else timestamps[v] for v in values]
        together = escaped = "\0".join(values)
        for character, escape in _ESCAPES:
            if character in together:
                escaped = escaped.replace(character, escape)
        texts = values if escaped is together else escaped.split("\0")
        return [
            _NULL if not value or value in MISSING_WORDS or value.isspace() else text
            for value, text in zip(values, texts, strict=True)
        ]

    def _judge(self, line_number: int, row: list[str], raw: str, values: list[str]) -> str | None:
        """The COPY line of one row, given its converted columns, or None when it is rejected."""
        if fault := self._fault(row, raw, values):
            self._reject(line_number, *fault, row, raw)
            return None
        for index, (column, position) in enumerate(self._placed, start=1):
            if position is not None and values[index] == _UNREADABLE:
                values[index] = _NULL
                identifier = int(values[1 + _ID])
                self._on_warning(FieldWarning(line_number, identifier, column.name, row[position], "unreadable"))
        return "\t".join(values)

    def _fault(self, row: list[str], raw: str, values: list[str]) -> tuple[str, str | None] | None:
        """The first reason code, in DATA's order, that applies to a row, and its column where there is one."""
        if "\0" in raw:
            return "nul_byte", None
        if len(row) != self._info.width:
            return "field_count", None
        for reason, wrong in (("missing_required", _NULL), ("unreadable_required", _UNREADABLE)):
            for index, column in _REQUIRED:
                if values[index] == wrong:
                    return reason, column.name
        first_month, end = self._bounds
        return None if first_month <= values[1 + _MOMENT] < end else ("out_of_range", COLUMNS[_MOMENT].name)

    def _reject(self, line_number: int, reason: str, column_name: str | None, row: list[str], raw: str) -> None:
        """With a wrong number of fields only a first column can be trusted to be the one that the header names."""
        position = self._info.columns[COLUMNS[_ID].name]
        readable = len(row) == self._info.width or position == 0
        identifier = read_integer(row[position]) if readable and not is_missing(row[position]) else None
        self.rejected += 1
        self._on_reject(Reject(line_number, reason, column_name, identifier, _shown(raw)))


class _Converted(dict[str, str]):
    """Written forms to COPY text for the values that are not plain, so that repeated ones are read once; bounded."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: str) -> str:
        text = _NULL if is_missing(value) else self._read(value) or _UNREADABLE
        if len(self) >= _CACHE_SIZE:
            self.clear()
        if len(value) <= 64:  # garbage may be as long as a record
            self[value] = text
        return text


@dataclass(frozen=True)
class _Header:
    line: int
    delimiter: str
    known: dict[str, int]
    unknown: tuple[str, ...]
    width: int


def _read_header(file: DropFile, encoding: str) -> _Header:
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
    delimiter, line, names, raw = max(candidates, key=lambda c: len({_name(text) for text in c[2]} & BY_NAME.keys()))
    known: dict[str, int] = {}
    for position, text in enumerate(names):
        name = _name(text)
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
        raise _no_header(file, line, raw)
    missing = [column.header for column in COLUMNS if column.required and column.name not in known]
    if missing:
        raise file.refused(
            f"line {line}: the header lacks {', '.join(missing)}, which every drop must have; export it with them"
        )
    unknown = tuple(
        # Shown and stored: line breaks, NUL and other control characters escaped.
        repr(_EDGES.sub("", text))[1:-1] or f"(column {position + 1}, unnamed)"
        for position, text in enumerate(names)
        if _name(text) not in BY_NAME
    )
    return _Header(line, delimiter, known, unknown, len(names))


def _no_header(file: DropFile, line: int, raw: str) -> DropRefused:
    if raw.lower().startswith("sep="):
        return file.refused(f"line {line}: {raw.strip()!r} is a note to Excel and no header; delete this line")
    utf16 = " (it looks like UTF-16 without a byte-order mark)" if "\0" in raw else ""
    return file.refused(
        f"line {line}: is no CSV of communications: the first line names none of the known columns"
        f" ({COLUMNS[0].header}, ...){utf16}; export the table as CSV (UTF-8) with its header"
    )


def _name(header: str) -> str:
    """A header as a column name: case, outer white space and stray quotes do not matter."""
    return _EDGES.sub("", header).lower()


def _shown(raw: str) -> str:
    """A record's text without its line end, which PostgreSQL can hold."""
    return raw.removesuffix("\n").removesuffix("\r").replace("\0", r"\x00")
