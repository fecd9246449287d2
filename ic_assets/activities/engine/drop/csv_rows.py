"""The records of a drop as rows of PostgreSQL COPY text, with what cannot be loaded beside them. No database, no Dagster.

Columns are converted a block at a time, since a step in Python per value would cost more than everything else; only
rows in which something looks wrong are then judged one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from ic_assets.activities.engine.drop.csv_records import DAMAGE, Batch, Records, Source
from ic_assets.activities.engine.drop.drop_info import FieldWarning, Reading, Reject, Slashes, shown
from ic_assets.activities.engine.drop.values import (
    HAS_UNSEEN,
    MISSING_WORDS,
    PLAIN_OPTIONAL_TIMESTAMP,
    PLAIN_OPTIONAL_TIMESTAMPS,
    PLAIN_TIMESTAMP,
    PLAIN_TIMESTAMPS,
    is_missing,
    is_set,
    read_integer,
    read_timestamp,
    seen,
    stands_for_none,
)
from ic_assets.activities.facts.contract import BY_NAME, COLUMNS, DELETED_HEADER, Column

_NULL = r"\N"
# No value holds a NUL: rows with one are rejected.
_UNREADABLE = "\0"
_NO_DATE = "\0none"
_WARNINGS = {_UNREADABLE: "unreadable", _NO_DATE: "null_date"}

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
class Block:
    """Some records of a drop: its accepted rows, and what became of the others, in the file's order each. The rows are
    ``plain`` (``csv_plain``), for COPY in CSV, or COPY text. ``slashes``: of what was read so far."""

    text: bytes
    accepted: int
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[FieldWarning] = field(default_factory=list)
    plain: bytes = b""
    slashes: Slashes = Slashes()  # noqa: RUF009  frozen


class Converter:
    """Makes blocks of records. Keeps what it learned of written forms from one block to the next."""

    def __init__(self, reading: Reading) -> None:
        self._info = reading.info
        self._drop = f"{reading.drop_id}\t"
        self._slashes = Slashes()
        self._read = {
            ("bigint", True): _Converted(_integer),
            ("bigint", False): _Converted(_integer if reading.keep_zero_ids else lambda v: _not_zero(_integer(v))),
            ("timestamp", True): _Converted(partial(self._timestamp, reading)),
            ("timestamp", False): _Converted(partial(self._optional_timestamp, reading)),
        }
        # As text and as days, since rows are compared as text and may lack the clock: "2028-12-01" is no less
        # than this bound, but it is less than "2028-12-01 00:00:00".
        self._bounds = (f"{reading.first_month:%Y-%m-%d}", f"{reading.end:%Y-%m-%d}")
        self._placed = [(column, reading.info.columns.get(column.name)) for column in COLUMNS]
        # A record may lack what comes after.
        self._fewest = 1 + max(
            position for column, position in self._placed if column.required and position is not None
        )
        self._well_quoted = well_quoted(reading.info.delimiter)
        self._found: dict[int, str] = {}
        self._rejects: list[Reject] = []
        self._warnings: list[FieldWarning] = []

    def blocks(self, source: Source, lines_before: int = 0) -> Iterator[Block]:
        """The records of ``source``, before whose first line the file has ``lines_before`` others."""
        for batch in Records(source, self._info.encoding, self._info.delimiter, lines_before).batches():
            self._rejects, self._warnings = [], []
            lines = self._convert(batch)
            if lines:
                lines.append("")
            yield Block(
                "\n".join(lines).encode(),
                max(len(lines) - 1, 0),
                self._rejects,
                self._warnings,
                slashes=self._slashes,
            )

    def _timestamp(self, reading: Reading, value: str) -> str | None:
        moment = read_timestamp(value, zone=reading.source_zone, date_order=reading.date_order)
        if "/" in value:
            self._slashes = self._slashes.and_(Slashes.of(value))
        return None if moment is None else moment.isoformat(" ")

    def _optional_timestamp(self, reading: Reading, value: str) -> str | None:
        text = self._timestamp(reading, value)
        is_none = stands_for_none(value, zone=reading.source_zone, date_order=reading.date_order)
        return _NO_DATE if is_none else text

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
            lines[index] = self._judge(index, start, batch.rows[index], raw, values) if is_row else None
        return [line for line in lines if line is not None]

    def _columns(self, batch: Batch) -> tuple[list[Sequence[str]], set[int]]:
        """Every row converted column by column, and the indices of the rows that have to be judged one by one."""
        width = self._info.width
        rows = batch.rows
        suspects = self._amiss(batch)
        if suspects:
            nothing = [""] * width  # holds their place
            rows = [nothing if index in suspects else row for index, row in enumerate(rows)]
        values = list(zip(*rows, strict=True))
        columns: list[Sequence[str]] = [[f"{self._drop}{start}" for start in batch.starts]]
        for column, position in self._placed:
            if position is None:
                columns.append([_NULL] * len(rows))
                continue
            converted = self._converted(column, values[position])
            wrong = {_UNREADABLE, _NULL} if column.required else _WARNINGS.keys()
            if any(sign in converted for sign in wrong):
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

    def _amiss(self, batch: Batch) -> set[int]:
        """The indices of the rows that are wrong as a whole. Rows that lack only their last, optional fields get them."""
        width, fewest = self._info.width, self._fewest
        suspects = set(batch.too_large)
        for index, row in enumerate(batch.rows):
            if len(row) != width:
                if fewest <= len(row) < width:
                    row.extend([""] * (width - len(row)))
                else:
                    suspects.add(index)
        if batch.has_nul:
            suspects.update(index for index, row in enumerate(batch.rows) if "\0" in "".join(row))
        self._found = dict.fromkeys(self._badly_quoted(batch), "bad_quote")
        self._found |= dict.fromkeys(batch.too_large, "too_large")
        if batch.may_be_damaged:
            damaged = (index for index, row in enumerate(batch.rows) if DAMAGE.search("".join(row)))
            self._found |= dict.fromkeys(damaged, "damaged_text")
        return suspects | self._found.keys()

    def _badly_quoted(self, batch: Batch) -> Iterator[int]:
        if batch.too_large or self._well_quoted(batch.raw(batch.starts[0], batch.ends[-1])):
            return
        for index, (start, end) in enumerate(zip(batch.starts, batch.ends, strict=True)):
            if index not in batch.too_large and not self._well_quoted(batch.raw(start, end)):
                yield index

    def _converted(self, column: Column, values: Sequence[str]) -> list[str]:
        # Written out: a function call per value would cost more than all the rest.
        if column.kind == "bigint":
            integers = self._read["bigint", column.required]
            return [
                (v if v[0] != "0" and len(v) < 19 and v.isdecimal() and v.isascii() else integers[v]) if v else _NULL
                for v in values
            ]
        if column.kind == "timestamp":
            together = "\0".join(values)
            one, all_ = (
                (PLAIN_TIMESTAMP, PLAIN_TIMESTAMPS)
                if column.required
                else (PLAIN_OPTIONAL_TIMESTAMP, PLAIN_OPTIONAL_TIMESTAMPS)
            )
            if all_.fullmatch(together):
                values = together.replace("T", " ").split("\0") if "T" in together else values
                return [v if v not in MISSING_WORDS else _NULL for v in values]
            plain, timestamps = one.fullmatch, self._read["timestamp", column.required]
            return [v.replace("T", " ") if plain(v) else timestamps[v] for v in values]
        if column.is_code and HAS_UNSEEN("\0".join(values)):
            values = [seen(v) for v in values]
        together = escaped = "\0".join(values)
        for character, escape in _ESCAPES:
            if character in together:
                escaped = escaped.replace(character, escape)
        texts = values if escaped is together else escaped.split("\0")
        return [
            _NULL if not value or value in MISSING_WORDS or value.isspace() else text
            for value, text in zip(values, texts, strict=True)
        ]

    def _judge(self, index: int, line_number: int, row: list[str], raw: str, values: list[str]) -> str | None:
        """The COPY line of one row, given its converted columns, or None when it is rejected."""
        if fault := self._fault(index, row, raw, values):
            updated = values[1 + _UPDATED] if fault[0] == "deleted_in_source" else _NULL
            is_read = updated != _NULL and updated not in _WARNINGS
            self._reject(line_number, *fault, row, raw, updated if is_read else None)
            return None
        for at, (column, position) in enumerate(self._placed, start=1):
            if position is not None and values[at] in _WARNINGS:
                self._warn(line_number, values, column.name, row[position], _WARNINGS[values[at]])
                values[at] = _NULL
        if self._info.deleted is not None and is_set(flag := row[self._info.deleted]) is None:
            self._warn(line_number, values, DELETED_HEADER.lower(), flag, "unreadable")
        return "\t".join(values)

    def _fault(self, index: int, row: list[str], raw: str, values: list[str]) -> tuple[str, str | None] | None:
        """The first reason code, in DATA's order, that applies to a row, and its column where there is one."""
        if "\0" in raw:
            return "nul_byte", None
        if index in self._found:
            return self._found[index], None
        if len(row) != self._info.width:
            return "field_count", None
        for reason, wrong in (("missing_required", _NULL), ("unreadable_required", _UNREADABLE)):
            for at, column in _REQUIRED:
                if values[at] == wrong:
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
        value = row[self._info.columns[column_name]] if column_name and len(row) == self._info.width else None
        self._rejects.append(Reject(line_number, reason, column_name, identifier, shown(raw), value, comm_updateddate))

    def _warn(self, line_number: int, values: list[str], column_name: str, raw_value: str, reason: str) -> None:
        self._warnings.append(FieldWarning(line_number, int(values[1 + _ID]), column_name, raw_value, reason))


class _Converted(dict[str, str]):
    """Written forms to COPY text for the values that are not plain, so that repeated ones are read once; bounded."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: str) -> str:
        text = _NULL if is_missing(seen(value)) else self._read(value) or _UNREADABLE
        if len(self) >= _CACHE_SIZE:
            self.clear()
        if len(value) <= 64:  # garbage may be as long as a record
            self[value] = text
        return text


def _integer(value: str) -> str | None:
    number = read_integer(value)
    return None if number is None else str(number)


def _not_zero(number: str | None) -> str | None:
    return _NULL if number == "0" else number


def well_quoted(delimiter: str) -> Callable[[str], bool]:
    """Whether every quote that opens a field of these records is closed before a delimiter or a line end, and every one
    within is doubled. A record in which one is not means something else to each reader."""
    mark = re.escape(delimiter)
    value = f'(?:"(?:[^"]++|"")*+"|[^"\n{mark}][^\n{mark}]*+|)'
    records = re.compile(f"(?:{value}(?:{mark}{value})*+(?:\r?\n|\r?\\Z))*+")

    def judge(text: str) -> bool:
        return '"' not in text or records.fullmatch(text) is not None

    return judge
