"""Months, for all flows: the half-open window of whole months, and the range that the project knows (the partitions of its
assets, the bounds of ``comm_datetime``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ic_assets.core.failures import Refused

DEFAULT_START = "2000-01-01"
MONTHS_AHEAD = 24


@dataclass(frozen=True)
class Window:
    """Whole months, ``start`` included and ``end`` excluded, both first days of a month."""

    start: date
    end: date

    @classmethod
    def of(cls, first: date, last: date) -> Window:
        """As people say it: the first and the last month, both included, by any of their days."""
        return cls(first.replace(day=1), next_month(last))

    @property
    def months(self) -> list[date]:
        months, month = [], self.start
        while month < self.end:
            months.append(month)
            month = next_month(month)
        return months

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "window_start": datetime(self.start.year, self.start.month, 1),  # noqa: DTZ001 - legacy local time
            "window_end": datetime(self.end.year, self.end.month, 1),  # noqa: DTZ001
        }


def next_month(day: date) -> date:
    """The first day of the month after that of ``day``."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def windows(months: Iterable[date], bridge: int = 3) -> list[Window]:
    """Months as few windows: gaps of up to ``bridge`` months are bridged, since a run costs more than a month that
    turns out to be up to date."""
    result: list[Window] = []
    for month in sorted(set(months)):
        if result and _distance(result[-1].end, month) <= bridge:
            result[-1] = Window.of(result[-1].start, month)
        else:
            result.append(Window.of(month, month))
    return result


def _distance(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def partitions_start() -> date:
    """``IC_PARTITIONS_START`` as the first day of its month. Raises ``Refused`` when it is no date."""
    return checked_start(os.environ.get("IC_PARTITIONS_START", "").strip())


def checked_start(text: str) -> date:
    """The first day of the month of an ISO date, by default the first that there is. Raises ``Refused``."""
    text = text or DEFAULT_START
    try:
        return date.fromisoformat(text).replace(day=1)
    except ValueError as error:
        raise Refused(
            f"IC_PARTITIONS_START={text!r} is not a date; write the first day of a month, 2000-01-01"
        ) from error


def partitions_end(today: date | None = None) -> date:
    """The first day after the last month: planned meetings and tasks lie up to 24 months ahead."""
    today = today or datetime.now(UTC).date()
    months = today.year * 12 + today.month - 1 + MONTHS_AHEAD + 1
    return date(months // 12, months % 12 + 1, 1)


def at_midnight(day: date) -> datetime:
    """Midnight of a day in the legacy system's local time, which carries no zone."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001


def month_key(month: date) -> str:
    """Dagster's partition key of a month."""
    return month.isoformat()


def parse_months(text: str) -> tuple[date, date]:
    """``A:B`` as the first days of the months A and B, both included; ``A`` alone is one month.

    Raises ``Refused``, also for months after the last that the project knows, and before the first where the shell says
    which that is: ``require_known`` knows what the database keeps."""
    first, _, last = text.partition(":")
    try:
        start = _month(first)
        end = _month(last) if last else start
    except ValueError as error:
        raise Refused(f"--months {text!r} is not a range of months; write 2019-03 or 2019-03:2019-08") from error
    if end < start:
        raise Refused(f"--months {text!r} ends before it begins; write the earlier month first")
    if os.environ.get("IC_PARTITIONS_START", "").strip() or end >= partitions_end():
        require_known((start, end), partitions_start())
    return start, end


def require_known(months: tuple[date, date] | None, first: date) -> None:
    """Raises ``Refused`` for months, both included, that reach beyond those from ``first`` to the last that there is."""
    after = partitions_end()
    if months and (months[0] < first or months[1] >= after):
        text = f"{months[0]:%Y-%m}" if months[0] == months[1] else f"{months[0]:%Y-%m}:{months[1]:%Y-%m}"
        raise Refused(
            f"--months {text!r} reaches beyond the months that are kept, {first:%Y-%m} to {after - timedelta(days=1):%Y-%m}; "
            "choose among them (IC_PARTITIONS_START sets the first)"
        )


def _month(text: str) -> date:
    text = text.strip()
    return date.fromisoformat(text if len(text) > 7 else f"{text}-01").replace(day=1)
