"""A record in a worker's hands, and what became of it. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ic_assets.hubspot.client.client import Json, Problem


@dataclass(slots=True)
class Row:
    """One record in a worker's hands. ``hash`` and ``payload`` are of what shall stand now; ``pushed`` is what HubSpot is
    known to hold (None: not known). ``earlier_hash``: of what an earlier attempt sent whose outcome was never confirmed;
    the zero UUID stands for several. ``is_settled``: no earlier request of unknown outcome can still come through;
    ``is_in_doubt``: one that was repeated can."""

    record_key: str
    object_type: str
    part: int
    activity_type: str
    action: str
    hubspot_id: int | None
    revision: int
    attempts: int
    pushed: Json | None
    hash: UUID | None
    payload: Json | None
    sent_hash: UUID | None = None
    earlier_hash: UUID | None = None
    pushed_hash: UUID | None = None
    is_settled: bool = False
    is_in_doubt: bool = False

    @property
    def key(self) -> str:
        """The value of the unique property: the record key, ``<key>/<part>``; ``~<n>`` where archived records occupy
        that."""
        part = f"/{self.part}" if self.part > 1 else ""
        return f"{self.record_key}{part}" + (f"~{self.revision}" if self.revision else "")

    @property
    def place(self) -> tuple[str, int]:
        """Where the record stands in the order of its type."""
        return self.record_key, self.part


START = ("", 0)
"""The place before the first."""


@dataclass(slots=True)
class Outcome:
    """What became of one row; ``what`` as in ``settle.sql``."""

    row: Row
    what: str
    hubspot_id: int | None = None
    hash: UUID | None = None
    content: Json | None = None
    problem: Problem | None = None

    def settlement(self) -> Json:
        """For ``settle.sql``."""
        problem = self.problem or Problem("")
        return {
            "record_key": self.row.record_key,
            "part": self.row.part,
            "outcome": self.what,
            "hubspot_id": self.hubspot_id,
            "hash": self.hash,
            "content": self.content,
            "error": problem.words or None,
            "category": problem.category,
            "correlation_id": problem.correlation_id,
        }
