"""What the push asks of whoever judges it. Whether something may be sent, the flow decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Approval:
    """A row of ``hubspot.approval``."""

    approval_id: int
    approved_by: str
    approved_at: datetime


class Judge(Protocol):
    """Says whether a push may be sent."""

    def __call__(self, snapshot: str, portal_id: int, /) -> Approval | None:
        """Judges by what the transaction sees that exported ``snapshot``. Returns the approval where one is needed. Raises
        ``Refused`` for what may not be sent."""
