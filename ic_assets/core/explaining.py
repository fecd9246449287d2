"""What `ic-assets explain` asks the flows and how they answer. Each flow brings a mapping from kind to function
(``core/parts.py`` lists them); the command asks all that know the kind and prints what they say, in that order.

A flow only looks: it writes, makes and locks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

KINDS = ("company", "contact", "conversion")


@dataclass(frozen=True)
class Asked:
    """``at``: as it was then; None: as it is. ``full``: with personal data, which is masked otherwise."""

    key: str
    at: datetime | None = None
    full: bool = False


@dataclass(frozen=True)
class Section:
    """One flow's answer: a line per figure, and the same for programs (anything that JSON can hold, times as they are)."""

    flow: str
    lines: Sequence[str]
    data: Mapping[str, Any] = field(default_factory=dict)


Explainer = Callable[[psycopg.Connection, Asked], Section | None]
"""None: the flow knows nothing of it."""


def shown(instant: datetime | None) -> str:
    """A time as the sections write it: to the minute, in UTC."""
    return "–" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"
