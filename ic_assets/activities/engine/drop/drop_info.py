"""What is known of a drop before its rows are read, how it is read, and what is found wrong with it on the way. Made by
`csv_drop` and `csv_rows`, kept by the landing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from ic_assets.activities.engine.drop.drop_file import Identity
from ic_assets.activities.engine.drop.values import seen, slashed_parts
from ic_assets.activities.facts.contract import BY_NAME, DELETED_HEADER

_HEADERS = 1000


@dataclass(frozen=True)
class DropInfo:
    """What one pass over a drop found out.

    ``content_sha256`` and ``byte_size`` are those of the content after decompression; ``columns`` maps master
    columns to their position in the file, ``missing_columns`` are the optional ones that it has not,
    ``unknown_columns`` the headers that mean nothing to us, the first of them at least; ``words`` the first that are
    not ASCII, as read. ``deleted``: the position of Comm_Deleted, where it has one. ``renamed``: those of its headers that a
    column map translated, and to what.
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
    words: tuple[str, ...] = ()
    deleted: int | None = None
    renamed: tuple[tuple[str, str], ...] = ()

    def read_under(self, reading: str) -> str:
        """The settings under which it is read (``Settings.reading``), and the column map as far as it translated anything:
        under another the same content is another drop."""
        if not self.renamed:
            return reading
        return f"{reading} columns={hashlib.sha256(repr(self.renamed).encode()).hexdigest()[:8]}"

    @property
    def columns_in_order(self) -> list[str]:
        """The master columns in the order of the file."""
        return sorted(self.columns, key=self.columns.__getitem__)

    @property
    def headers(self) -> list[str]:
        """The headers by position, empty where one means nothing to us; what comes after the last that does is left out
        where a header has more than ``_HEADERS`` fields."""
        known = {position: BY_NAME[name].header for name, position in self.columns.items()}
        if self.deleted is not None:
            known[self.deleted] = DELETED_HEADER
        length = self.width if self.width <= _HEADERS else max(known) + 1
        return [known.get(position, "") for position in range(length)]


@dataclass(frozen=True)
class Reject:
    """A row that is not loaded. ``raw_row`` is its text without the final line end, NUL shown as ``\\x00``. ``value`` is
    what could not be read, where one value is to blame. ``comm_updateddate``: of one that the source deleted, as COPY
    text."""

    line_number: int
    reason: str
    column_name: str | None
    comm_communicationid: int | None
    raw_row: str
    value: str | None = None
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
    ``end``), both the midnight on which a month begins. An optional id of 0 is none unless ``keep_zero_ids``."""

    path: Path
    info: DropInfo
    drop_id: int
    source_zone: tzinfo
    date_order: str
    first_month: datetime
    end: datetime
    keep_zero_ids: bool = False


@dataclass(frozen=True)
class Slashes:
    """What the dates with slashes of a drop show: one of them, one in which only the first number can be the day, and one
    in which only the second can."""

    any: str | None = None
    day_first: str | None = None
    month_first: str | None = None

    def and_(self, other: Slashes) -> Slashes:
        return Slashes(self.any or other.any, self.day_first or other.day_first, self.month_first or other.month_first)

    @classmethod
    def of(cls, value: str) -> Slashes:
        parts = slashed_parts(value)
        if parts is None:
            return cls()
        first, second = parts
        text = seen(value).strip()
        return cls(
            text,
            text if 12 < first <= 31 and 1 <= second <= 12 else None,
            text if 12 < second <= 31 and 1 <= first <= 12 else None,
        )

    @property
    def order(self) -> tuple[str, str] | None:
        """The setting that would read them, and a date that it would read."""
        if self.month_first and not self.day_first:
            return "MDY", self.month_first
        example = self.day_first or self.any
        return ("DMY", example) if example else None

    def contradiction(self, date_order: str) -> str | None:
        wrong, right = (self.month_first, self.day_first) if date_order == "DMY" else (self.day_first, self.month_first)
        if date_order == "YMD" or wrong is None or right is not None:
            return None
        other = "MDY" if date_order == "DMY" else "DMY"
        return (
            f"its dates contradict IC_DATE_ORDER={date_order}: {wrong!r} is none, and no date of the file has its day"
            f" where that says; IC_DATE_ORDER={other} would read it"
        )


def shown(raw: str) -> str:
    """A record's text without its line end, which PostgreSQL can hold: halves of surrogate pairs as ``\\udc00``."""
    text = raw.removesuffix("\n").removesuffix("\r").replace("\0", r"\x00")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
