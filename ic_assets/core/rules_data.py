"""CSV rules that people edit: read with refusals that name file, line and column, and applied to the database once, by
their digest, under a lock. Holds no rule itself and writes no table but its own record of what was applied, and the
mirrors that flows declare.

Who applies a file reads it under the lock, afresh, so that two processes cannot overwrite each other: nothing that
writes to the database may keep a file's rows from an earlier look. Who only reads them (docs, checks) calls ``load``.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import sql

from ic_assets.core import locks
from ic_assets.core.failures import Refused
from ic_assets.core.files import SQL_DIR
from ic_assets.core.logs import log
from ic_assets.core.settings import rules_folder
from ic_assets.core.sql import column_list, statement

Row = TypeVar("Row")

FOLDER = SQL_DIR
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
# Rules are read by people; a drop put here by mistake is not read whole.
_MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class Line:
    """One line of a rule file. ``line["column"]`` is its trimmed text, empty where the line is too short."""

    where: str
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def refused(self, column: str, why: str) -> Refused:
        """``file, line 4, column comm_type: why``, to be raised."""
        return Refused(f"{self.where}, column {column}: {why}")

    def one_of(self, column: str, allowed: Sequence[str]) -> str:
        """The value, which has to be one of ``allowed``. Raises ``Refused``, as all of these do."""
        if self[column] not in allowed:
            raise self.refused(column, f"{self[column]!r} is not one of {', '.join(allowed)}")
        return self[column]

    def filled(self, column: str) -> str:
        """The value, which must not be empty."""
        if not self[column]:
            raise self.refused(column, "empty; write a value")
        return self[column]

    def number(self, column: str, least: Decimal | int | None = None, most: Decimal | int | None = None) -> Decimal:
        """A plain decimal number between two bounds, both of them allowed."""
        try:
            value = Decimal(self[column])
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise self.refused(column, f"{self[column]!r} is no number")
        if least is not None and value < least:
            raise self.refused(column, f"{self[column]} is below {least}")
        if most is not None and value > most:
            raise self.refused(column, f"{self[column]} is above {most}")
        return value

    def integer(self, column: str, least: int | None = None, most: int | None = None) -> int:
        """A whole number between two bounds."""
        value = self.number(column, least, most)
        if value != int(value):
            raise self.refused(column, f"{self[column]!r} is no whole number")
        return int(value)

    def truth(self, column: str) -> bool:
        """yes, true or 1; no, false or 0; in any case."""
        said = self[column].casefold()
        if said not in (*_YES, *_NO):
            raise self.refused(column, f"{self[column]!r} is neither yes nor no")
        return said in _YES


@dataclass(frozen=True)
class Rules(Generic[Row]):
    """One state of a file: its rows in their order, the SHA-256 of its bytes, when it was written, and whether it is a
    company's own (``RuleFile.own``)."""

    rows: tuple[Row, ...]
    digest: str
    modified_at: datetime
    is_own: bool

    @property
    def parameters(self) -> dict[str, object]:
        return {"digest": self.digest, "modified_at": self.modified_at, "is_own": self.is_own}


@dataclass(frozen=True)
class RuleFile(Generic[Row]):
    """A CSV file ``<flow>/<name>.csv`` under ``sql/``, in UTF-8, with a header; one of a company's own goes before it
    (``settings.rules_folder``).

    ``parse`` makes a row of a line, or raises ``line.refused(column, why)``. ``key`` is what no two rows may share; a
    tuple beside the columns that make it, ``key_columns``, which the refusal names. ``together`` judges what no line
    shows by itself: it is given all lines with their rows, and raises likewise."""

    name: str
    columns: tuple[str, ...]
    parse: Callable[[Line], Row]
    key: Callable[[Row], Hashable]
    key_columns: tuple[str, ...]
    together: Callable[[Sequence[tuple[Line, Row]]], None] = lambda _: None

    @property
    def packaged(self) -> Path:
        return FOLDER / self.name

    @property
    def own(self) -> Path:
        flow, _, name = self.name.rpartition("/")
        return rules_folder(flow) / name

    @property
    def path(self) -> Path:
        """The one that counts."""
        return self.own if self.own.is_file() else self.packaged

    def load(self) -> Rules[Row]:
        """Reads the file as it is now. Raises ``Refused`` naming the line and column that cannot stand."""
        return self.read(self.path)

    def read(self, path: Path) -> Rules[Row]:
        """``load`` of the file at ``path``."""
        try:
            modified = path.stat().st_mtime_ns
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise Refused(f"{path.name}: {error.strerror}; put the file of rules back") from None
        if len(content) > _MOST_BYTES:
            raise Refused(f"{path.name}: larger than {_MOST_BYTES:,} bytes; this is no file of rules")
        seen: dict[Hashable, str] = {}
        lines: list[tuple[Line, Row]] = []
        for line in self._lines(path.name, content):
            row = self.parse(line)
            if earlier := seen.get(self.key(row)):
                said = ", ".join(repr(line[column]) for column in self.key_columns)
                raise line.refused(
                    " and ".join(self.key_columns), f"{said} stands twice ({earlier} too); give each one line"
                )
            seen[self.key(row)] = line.where.rpartition(", ")[2]
            lines.append((line, row))
        self.together(lines)
        rows = [row for _, row in lines]
        when = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=modified // 1000)
        return Rules(tuple(rows), hashlib.sha256(content).hexdigest(), when, path == self.own)

    def _lines(self, name: str, content: bytes) -> Iterator[Line]:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise Refused(f"{name}, line {line}: not UTF-8; save the file as UTF-8") from None
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            header = [column.strip() for column in next(reader, [])]
            if sorted(header) != sorted(self.columns):
                raise Refused(f"{name}, line 1: the columns are {', '.join(header)}; write {','.join(self.columns)}")
            for values in reader:
                where = f"{name}, line {reader.line_num}"
                if not any(value.strip() for value in values):
                    continue
                if len(values) > len(header):
                    raise Refused(
                        f"{where}: {len(values)} values for {len(header)} columns; quote a value with a comma"
                    )
                padded = [value.strip() for value in values] + [""] * (len(header) - len(values))
                yield Line(where, dict(zip(header, padded, strict=True)))
        except csv.Error as error:
            raise Refused(f"{name}, line {reader.line_num}: {error}; correct its quotes") from None


def apply(connection: psycopg.Connection, file: RuleFile[Row], write: Callable[[Sequence[Row]], None]) -> bool:
    """Has ``write`` bring the file's rows to the database, in the caller's transaction, when they are not in force yet.
    Returns whether it did. The lock is held until the transaction ends, so keep that short.

    A file that cannot stand leaves the last good version in force, with a line in the log; ``problem`` says the same to
    people. Raises ``Refused`` where there is no version to leave in force."""
    try:
        if _in_force(connection, file) == file.load().digest:
            return False
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.RULES, file.name))
        rules = file.load()
    except Refused as refusal:
        if _in_force(connection, file) is None:
            raise
        log.warning("rule_file_refused", file=file.name, reason=str(refusal))
        return False
    if _in_force(connection, file) == rules.digest:
        return False
    if _is_older(connection, file, rules):
        log.warning("older_rule_file_passed_over", file=file.name, digest=rules.digest[:8])
        return False
    write(rules.rows)
    connection.execute(
        statement("core/rules/record"),
        {"name": file.name, **rules.parameters},
    )
    log.info("rule_file_applied", file=file.name, digest=rules.digest[:8], rows=len(rules.rows))
    return True


@dataclass(frozen=True)
class Mirror(Generic[Row]):
    """A table that holds a file's rows: its columns in the order of a row's values, the first ``keys`` of them its key.

    ``affected`` is told the keys that were added, changed or gone, in the transaction that did it: there a flow marks as
    out of date what rests on them."""

    file: RuleFile[Row]
    table: str
    columns: tuple[str, ...]
    keys: int
    affected: Callable[[psycopg.Connection, Sequence[tuple[Any, ...]]], None] = lambda _, __: None

    def sync(self, connection: psycopg.Connection) -> list[tuple[Any, ...]]:
        """Brings the table in line with the file, once for each state of it, as ``apply`` does. Returns the keys that
        changed, none where nothing stood before. Give it a transaction of its own."""
        changed: list[tuple[Any, ...]] = []
        apply(connection, self.file, lambda rows: changed.extend(self._write(connection, rows)))
        return changed

    def _write(self, connection: psycopg.Connection, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        table, columns = sql.Identifier(*self.table.split(".")), column_list(self.columns)
        found = connection.execute(sql.SQL("SELECT {} FROM {}").format(columns, table)).fetchall()
        standing = {row[: self.keys]: row for row in found}
        wanted = {tuple(row[: self.keys]): tuple(row) for row in rows}
        changed = sorted(key for key in standing.keys() | wanted.keys() if standing.get(key) != wanted.get(key))
        if not changed:
            return []
        with connection.cursor() as cursor:
            key_is = sql.SQL(" AND ").join(
                sql.SQL("{} = %s").format(sql.Identifier(name)) for name in self.columns[: self.keys]
            )
            cursor.executemany(
                sql.SQL("DELETE FROM {} WHERE {}").format(table, key_is), [k for k in changed if k in standing]
            )
            places = sql.SQL(", ").join([sql.Placeholder()] * len(self.columns))
            cursor.executemany(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, columns, places),
                [wanted[key] for key in changed if key in wanted],
            )
        # A few lines: the planner takes a table that it knows nothing of for a thousand.
        connection.execute(sql.SQL("ANALYZE {}").format(table))
        if not standing:
            # Nothing rested on it before.
            return []
        self.affected(connection, changed)
        return changed


def problem(connection: psycopg.Connection, file: RuleFile[Row]) -> str | None:
    """Why the file as it is now is not going to be applied, in one line for people. Changes nothing."""
    try:
        rules = file.load()
    except Refused as refusal:
        return f"{refusal}; until then the last good version stays in force"
    if _in_force(connection, file) == rules.digest or not _is_older(connection, file, rules):
        return None
    if not rules.is_own and _is_own(connection, file):
        return (
            f"{file.path.name}: one of your own, which is not here, is in force and stays so; to go back to the packaged "
            f"one, copy it to {file.own}"
        )
    return (
        f"{file.path.name}: a newer version is in force, applied from elsewhere or before this file was put back; "
        f"to go back to this one, `touch` it"
    )


def in_force(connection: psycopg.Connection, file: RuleFile[Row]) -> str:
    """Which version the database works by, in one line for people."""
    if _in_force(connection, file) is None:
        return f"{file.packaged.name}: none yet"
    return f"{file.packaged.name}: {'one of your own' if _is_own(connection, file) else 'the packaged one'}"


def _is_own(connection: psycopg.Connection, file: RuleFile[Row]) -> bool:
    row = connection.execute(
        "SELECT is_own FROM staging.ic_rule_file WHERE name = %s ORDER BY turn DESC LIMIT 1", (file.name,)
    ).fetchone()
    return bool(row and row[0])


def _in_force(connection: psycopg.Connection, file: RuleFile[Row]) -> str | None:
    row = connection.execute(
        "SELECT digest FROM staging.ic_rule_file WHERE name = %s ORDER BY turn DESC LIMIT 1", (file.name,)
    ).fetchone()
    return row[0] if row else None


def _is_older(connection: psycopg.Connection, file: RuleFile[Row], rules: Rules[Row]) -> bool:
    """Whether the file was written before the version in force, or at the same moment and was in force before that: an
    old copy on another machine. Some installers give every file one date, hence the second half."""
    row = connection.execute(
        statement("core/rules/is_older"),
        {"name": file.name, **rules.parameters},
    ).fetchone()
    return bool(row and row[0])
