"""What a push, its approval or its roll-back is for: activity types, months, and what may go along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.months import Window

ALL_TYPES = tuple(activity.name for activity in ACTIVITY_TYPES)
_EVER = Window(date(1, 1, 1), date(9999, 12, 1))


@dataclass(frozen=True)
class Scope:
    """``months`` None: all. ``include_orphans``: also what leads to no HubSpot record. ``overwrite_edits``: also records
    that people changed in HubSpot."""

    types: tuple[str, ...] = ALL_TYPES
    months: Window | None = None
    include_orphans: bool = False
    overwrite_edits: bool = False

    @property
    def window(self) -> Window:
        return self.months or _EVER

    @property
    def parameters(self) -> dict[str, Any]:
        """For the statements of ``sql/activities/push``: types, window_start and window_end (excluded)."""
        return {"types": list(self.types), "window_start": self.window.start, "window_end": self.window.end}


def scope_of(
    types: Collection[str],
    months: tuple[date, date] | None,
    *,
    include_orphans: bool = False,
    overwrite_edits: bool = False,
) -> Scope:
    """As people say it: types in any order, and the first and the last month, both included."""
    window = Window.of(*months) if months else None
    return Scope(tuple(name for name in ALL_TYPES if name in set(types)), window, include_orphans, overwrite_edits)
