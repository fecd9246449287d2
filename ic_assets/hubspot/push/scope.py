"""What a push, its approval or its roll-back is for: object types, months, and what may go along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ic_assets.core.months import Window

_EVER = Window(date(1, 1, 1), date(9999, 12, 1))


@dataclass(frozen=True)
class Scope:
    """``months`` None: all. ``include_orphans``: also what is held since it leads to no HubSpot record.
    ``overwrite_edits``: also records that people changed in HubSpot."""

    types: tuple[str, ...]
    months: Window | None = None
    include_orphans: bool = False
    overwrite_edits: bool = False

    @property
    def window(self) -> Window:
        return self.months or _EVER

    @property
    def parameters(self) -> dict[str, Any]:
        """For the statements of ``sql/hubspot/push``: types, window_start and window_end (excluded)."""
        return {"types": list(self.types), "window_start": self.window.start, "window_end": self.window.end}
