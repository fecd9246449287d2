"""The records of a drop as rows of PostgreSQL COPY text, with what cannot be loaded beside them. No database, no Dagster.

Columns are converted a block at a time, since a step in Python per value would cost more than everything else; only
rows in which something looks wrong are then judged one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

from ic_assets.activities.contract import BY_NAME, COLUMNS, DELETED_HEADER, Kind
from ic_assets.activities.engine.csv_records import Batch, Records, Source
from ic_assets.activities.engine.drop_file import Identity
from ic_assets.activities.engine.values import (
    MISSING_WORDS,
    PLAIN_TIMESTAMP,
    PLAIN_TIMESTAMPS,
    is_missing,
    is_set,
    read_integer,
    read_timestamp,
)

_NULL = r"\N"
_UNREADABLE = "\0"  # no value holds it: rows with a NUL are rejected

_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
_CACHE_SIZE = 50_000

# What most rows have there, and need not be judged for.
_NOT_DELETED = frozenset({*MISSING_WORDS, "0", "false", "False", "FALSE", "f", "F", "no", "No", "NO", "n", "N"})

_ID = COLUMNS.index(BY_NAME["comm_communicationid"])
_MOMENT = COLUMNS.index(BY_NAME["comm_datetime"])
_UPDATED = COLUMNS.index(BY_NAME["comm_updateddate"])
# Positions in a COPY line, which begins with the drop and the line number.
_REQUIRED = [(index, column) for index, column in enumerate(COLUMNS, start=1) if column.required]


@dataclass(frozen=True)
class DropInfo:
    """What one pass over a drop found out.

    ``content_sha256`` and ``byte_size`` are those of the content after decompression; ``columns`` maps master
    columns to their position in the file, ``missing_columns`` are the optional ones that it has not,
    ``unknown_columns`` the headers that mean nothing to us. ``deleted``: the position of Comm_Deleted, where it has one.
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
    deleted: int | None = None

    @property
    def columns_in_order(self) -> list[str]:
        """The master columns in the order of the file."""
        return sorted(self.columns, key=self.columns.__getitem__)


@dataclass(frozen=True)
class Reject:
    """A row that is not loaded. ``raw_row`` is its text without the final line end, NUL shown as ``\\x00``.
    ``comm_updateddate``: of one that the source deleted, as COPY text."""

    line_number: int
    reason: str
    column_name: str | None
    comm_communicationid: int | None
    raw_row: str
    comm_updateddate: str | None = None


@dataclass(frozen=True)
class FieldWarning:
    """An optional value that became NULL in a row that is loaded."""

    line_number: int
    comm_communicationid: int
    column_name: str
    raw_value: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """How a drop is read. ``drop_id`` goes in front of every row. ``comm_datetime`` must lie in [``first_month``,
    ``end``), both the midnight on which a month begins."""

    path: Path
    info: DropInfo
    drop_id: int
    source_zone: tzinfo
    date_order: str
    first_month: datetime
    end: datetime


@dataclass(frozen=True)
class Block:
    """Some records of a drop: its accepted rows, and what became of the others, in the file's order each. The rows are
    ``plain`` (``csv_plain``), for COPY in CSV, or COPY text."""

    text: bytes
    accepted: int
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[FieldWarning] = field(default_factory=list)
    plain: bytes = b""


class Converter:
    """Makes blocks of records. Keeps what it learned of written forms from one block to the next."""

    def __init__(self, reading: Reading) -> None:
        def integer(value: str) -> str | None:
            number = read_integer(value)
            return None if number is None else str(number)

        def timestamp(value: str) -> str | None:
            moment = read_timestamp(value, zone=reading.source_zone, date_order=reading.date_order)
            return None if moment is None else moment.isoformat(" ")

        self._info = reading.info
        self._drop = f"{reading.drop_id}\t"
        self._integers = _Converted(integer)
        self._timestamps = _Converted(timestamp)
        # As text and as days, since rows are compared as text and may lack the clock: "2028-12-01" is no less
        # than this bound, but it is less than "2028-12-01 00:00:00".
        self._bounds = (f"{reading.first_month:%Y-%m-%d}", f"{reading.end:%Y-%m-%d}")
        self._placed = [(column, reading.info.columns.get(column.name)) for column in COLUMNS]
        self._rejects: list[Reject] = []
        self._warnings: list[FieldWarning] = []

    def blocks(self, source: Source, lines_before: int = 0) -> Iterator[Block]:
        """The records of ``source``, before whose first line the file has ``lines_before`` others."""
        for batch in Records(source, self._info.encoding, self._info.delimiter, lines_before).batches():
            self._rejects, self._warnings = [], []
            lines = self._convert(batch)
            if lines:
                lines.append("")
            yield Block("\n".join(lines).encode(), max(len(lines) - 1, 0), self._rejects, self._warnings)

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
        columns: list[Sequence[str]] = [[f"{self._drop}{start}" for start in batch.starts]]
        for column, position in self._placed:
            if position is None:
                columns.append([_NULL] * len(rows))
                continue
            converted = self._converted(column.kind, values[position])
            if _UNREADABLE in converted or (column.required and _NULL in converted):
                wrong = {_UNREADABLE, _NULL} if column.required else {_UNREADABLE}
                suspects.update(index for index, value in enumerate(converted) if value in wrong)
            columns.append(converted)
        if self._info.deleted is not None:
            flags = values[self._info.deleted]
            suspects.update(index for index, flag in enumerate(flags) if flag not in _NOT_DELETED)
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
            updated = values[1 + _UPDATED] if fault[0] == "deleted_in_source" else _NULL
            self._reject(line_number, *fault, row, raw, updated if updated not in (_NULL, _UNREADABLE) else None)
            return None
        for index, (column, position) in enumerate(self._placed, start=1):
            if position is not None and values[index] == _UNREADABLE:
                values[index] = _NULL
                identifier = int(values[1 + _ID])
                self._warnings.append(FieldWarning(line_number, identifier, column.name, row[position], "unreadable"))
        if self._info.deleted is not None and is_set(flag := row[self._info.deleted]) is None:
            identifier = int(values[1 + _ID])
            self._warnings.append(FieldWarning(line_number, identifier, DELETED_HEADER.lower(), flag, "unreadable"))
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
        if not first_month <= values[1 + _MOMENT] < end:
            return "out_of_range", COLUMNS[_MOMENT].name
        is_deleted = self._info.deleted is not None and is_set(row[self._info.deleted])
        return ("deleted_in_source", None) if is_deleted else None

    def _reject(
        self,
        line_number: int,
        reason: str,
        column_name: str | None,
        row: list[str],
        raw: str,
        comm_updateddate: str | None = None,
    ) -> None:
        """With a wrong number of fields only a first column can be trusted to be the one that the header names."""
        position = self._info.columns[COLUMNS[_ID].name]
        readable = len(row) == self._info.width or position == 0
        identifier = read_integer(row[position]) if readable and not is_missing(row[position]) else None
        self._rejects.append(Reject(line_number, reason, column_name, identifier, shown(raw), comm_updateddate))


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


def shown(raw: str) -> str:
    """A record's text without its line end, which PostgreSQL can hold."""
    return raw.removesuffix("\n").removesuffix("\r").replace("\0", r"\x00")
