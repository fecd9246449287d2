"""The rows of one drop that did not load, to be looked at and to be mended: read from the database, row by row, since a
drop may have millions. Called by ``ic-assets rejects``."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.rows import dict_row

from ic_assets.activities.engine.drop.csv_quotes import fields_of
from ic_assets.activities.engine.drop.reasons import HARMLESS
from ic_assets.core.failures import Refused
from ic_assets.core.sql import statement

# The reader found no fields in them, or none that it trusts.
_NO_FIELDS = frozenset({"nul_byte", "damaged_text", "too_large", "bad_quote", "field_count"})
_WARNING_COLUMNS = ("line", "communication", "column", "raw_value", "reason")


@dataclass(frozen=True)
class Counts:
    """``by_reason``: rejected rows; ``to_mend``: of them those that loaded in no other version; ``others``: keys of other
    drops with rejected rows, the newest first."""

    by_reason: dict[str, int]
    warnings: int
    others: list[str]

    @property
    def rejected(self) -> int:
        return sum(self.by_reason.values())

    @property
    def to_mend(self) -> int:
        return sum(rows for reason, rows in self.by_reason.items() if reason not in HARMLESS)


@dataclass(frozen=True)
class Written:
    """What went where; a path is None where nothing did, and no such file is made."""

    file: Path
    rows: int
    unparsed: int
    warnings: int
    unparsed_file: Path | None
    warnings_file: Path | None


def counts(connection: psycopg.Connection, drop_key: str) -> Counts:
    found = connection.execute(statement("activities/reports/rejected_counts"), {"drop_key": drop_key}).fetchone()
    assert found is not None  # noqa: S101 - a SELECT of figures gives one row
    return Counts(*found)


def rejected(
    connection: psycopg.Connection, drop_key: str, *, limit: int | None = None, harmless: bool = True
) -> Iterator[dict[str, Any]]:
    """line, reason, column, communication, raw_row. Those that want mending first; without ``harmless`` they alone."""
    values = {"drop_key": drop_key, "harmless": list(HARMLESS), "all_of_them": harmless, "row_limit": limit}
    return _streamed(connection, "rejected_rows", values)


def blamed(drop: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The value of the column that a row was rejected for; empty where there is none to show."""
    names = [name.lower() for name in drop["columns"] or []]
    if row["column"] not in names or row["reason"] in _NO_FIELDS:
        return ""
    fields, position = fields_of(row["raw_row"], drop["delimiter"] or ","), names.index(row["column"])
    return fields[position] if position < len(fields) else ""


def warned(connection: psycopg.Connection, drop_key: str, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """line, communication, column, raw_value, reason."""
    return _streamed(connection, "drop_warnings", {"drop_key": drop_key, "row_limit": limit})


def write(connection: psycopg.Connection, drop: Mapping[str, Any], path: Path, *, warnings: bool) -> Written:
    """The rows to mend in the drop's own columns and delimiter, for its owner's eyes only: in full, personal data included.

    Rows that do not come apart into fields stand as they were in ``<name>.unparsed.txt`` beside it, below the drop's own
    header, so that this loads as well once it is mended. Not written: rows whose newer version is loaded and those that
    the source deleted, which would come back. Raises ``Refused`` when a file cannot be written."""
    columns: list[str] = drop["columns"] or []
    delimiter = drop["delimiter"] or ","
    kept = [(position, name) for position, name in enumerate(columns) if name]
    unparsed_path, warnings_path = path.with_suffix(".unparsed.txt"), path.with_suffix(".warnings.csv")
    rows = unparsed = warning_rows = 0
    try:
        with ExitStack() as files:
            writer = csv.writer(files.enter_context(_private(path)), delimiter=delimiter)
            writer.writerow([name for _, name in kept])
            raw: IO[str] | None = None
            for row in rejected(connection, drop["drop_key"], harmless=False):
                if columns and row["reason"] not in _NO_FIELDS:
                    fields = fields_of(row["raw_row"], delimiter)
                    writer.writerow([fields[position] if position < len(fields) else "" for position, _ in kept])
                    rows += 1
                    continue
                if raw is None:
                    raw = files.enter_context(_private(unparsed_path))
                    raw.write(delimiter.join(columns) + "\n" if columns else "")
                raw.write(row["raw_row"] + "\n")
                unparsed += 1
            if warnings:
                table = csv.writer(files.enter_context(_private(warnings_path)))
                table.writerow(_WARNING_COLUMNS)
                for warning in warned(connection, drop["drop_key"]):
                    table.writerow([warning[name] for name in _WARNING_COLUMNS])
                    warning_rows += 1
    except OSError as error:
        raise Refused(f"{error.filename or path}: {error.strerror}; name another file with --csv") from error
    return Written(
        path, rows, unparsed, warning_rows, unparsed_path if unparsed else None, warnings_path if warnings else None
    )


def _private(path: Path) -> IO[str]:
    """With a mark that makes spreadsheets, and ``load``, read UTF-8."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="", errors="surrogatepass")


def _streamed(connection: psycopg.Connection, name: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        yield from cursor.stream(statement(f"activities/reports/{name}"), values)
