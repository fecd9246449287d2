"""What became of one drop, and how far its landing has got. Made by `drop_landing`, told by commands and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ic_assets.activities.engine.drop.drop_text import read_as
from ic_assets.core.months import month_key


@dataclass(frozen=True)
class Landed:
    """What became of the rows of one drop. ``months`` are the old and new months of what was inserted or updated
    and the old ones of what the source deleted."""

    drop_key: str
    file_name: str
    already_landed: bool = False
    rows_in: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    joined: int = 0
    taken_out: int = 0
    rejected: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    field_warnings: int = 0
    months: tuple[date, ...] = ()
    missing_columns: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    encoding: str | None = None
    words: tuple[str, ...] = ()

    @property
    def read_as(self) -> str | None:
        """The encoding, and words that show whether it is right; None for a drop of which nothing was read."""
        return read_as(self.encoding, self.words) if self.encoding else None

    def to_json(self) -> dict[str, Any]:
        return {
            "drop": self.drop_key,
            "file": self.file_name,
            "already_landed": self.already_landed,
            "rows_in": self.rows_in,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "joined": self.joined,
            "taken_out": self.taken_out,
            "rejected": self.rejected,
            "rejected_by_reason": dict(self.rejected_by_reason),
            "field_warnings": self.field_warnings,
            "months": [month_key(month) for month in self.months],
            "missing_columns": list(self.missing_columns),
            "unknown_columns": list(self.unknown_columns),
            "encoding": self.encoding,
            "words": list(self.words),
        }


@dataclass(frozen=True)
class Progress:
    """Where the copy of a drop stands; ``bytes_total`` is its size after decompression."""

    rows: int
    bytes_read: int
    bytes_total: int
