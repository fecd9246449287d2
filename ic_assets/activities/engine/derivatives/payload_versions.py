"""With which templates and settings the payloads of each month were made, and which of them are no longer those in force."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import psycopg

from ic_assets.activities.engine.derivatives.payloads import template_fingerprint
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME, ActivityType
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement


def version(activity: ActivityType, settings: Settings, *, templates: Path = TEMPLATES_DIR) -> str:
    """What the payloads of a type are made with now: it changes with a template, the code that compiles templates, the id
    property and the source time zone."""
    # Compiling takes 15 ms a type, and sensors ask every few seconds. Over-long bodies go on in notes.
    files = [templates / one.template for one in (activity, BY_NAME["notes"])]
    text = "\n".join(
        [
            _fingerprint(activity.name, templates, tuple(file.stat().st_mtime_ns for file in files if file.exists())),
            settings.hubspot_id_property,
            settings.source_timezone,
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def _fingerprint(activity_type: str, templates: Path, _written: tuple[int, ...]) -> str:
    return template_fingerprint(BY_NAME[activity_type], templates=templates)


@dataclass(frozen=True)
class Older:
    """Payloads that were made with other templates or settings than those in force, or before that was put on record."""

    by_type: dict[str, int]
    months: Sequence[date]

    @property
    def payloads(self) -> int:
        return sum(self.by_type.values())

    @property
    def sentence(self) -> str:
        first, last = f"{self.months[0]:%Y-%m}", f"{self.months[-1]:%Y-%m}"
        span = first if first == last else f"{first} to {last}"
        are = "payload was" if self.payloads == 1 else "payloads were"
        return (
            f"{self.payloads:,} {are} made with other templates or settings than those in force ({span}): "
            "`ic-assets load --renew` makes them again."
        )


def older_payloads(connection: psycopg.Connection, settings: Settings) -> Older | None:
    """By what was counted last; None while there are none."""
    current = {activity.name: version(activity, settings) for activity in ACTIVITY_TYPES}
    rows = connection.execute(
        statement("activities/months/older_payloads"), {"types": list(current), "versions": list(current.values())}
    ).fetchall()
    by_type: dict[str, int] = {}
    for name, _, payloads in rows:
        by_type[name] = by_type.get(name, 0) + payloads
    return Older(by_type, sorted({month for _, month, _ in rows})) if rows else None
