"""How much HubSpot takes: its rate headers and Retry-After, bounded before they are believed, and patience with 429s.

Pure: no HTTP, no database. The figures behind the bounds are those of HubSpot's usage guidelines: 100 to 250 requests in
ten seconds, 250,000 to 3,000,000 a day, a pause of up to 24 hours when an account moves.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

# A wait that HubSpot asks for beyond this ends the run, to be resumed later, rather than holding it open.
LONGEST_WAIT = 900.0
# Nothing but 429s for this long ends the run: other applications are at the portal's limit.
PATIENCE = 900.0
# The longest pause of our own choice between two tries.
LONGEST_PAUSE = 60.0
_DAY = 86_400.0
_MAX = (10, 1_000_000)
_INTERVAL_MS = (1_000, 60_000)
_DAILY = (1, 100_000_000)
# A tenth of the smallest documented rate: less is a mistake, and would stop every process of ours.
_LEAST_RPS = 1.0


class RateHeaders(NamedTuple):
    """``rps``: requests a second that the portal takes. ``nonsense``: headers that were not believed, and their values."""

    rps: float | None
    interval: float | None
    daily: int | None
    daily_remaining: int | None
    nonsense: dict[str, str]


def rate_headers(headers: httpx.Headers) -> RateHeaders:
    """What a reply says about the limits. Search replies say nothing, OAuth's nothing about the day."""
    nonsense: dict[str, str] = {}

    def number(name: str, least: int, most: int) -> int | None:
        text = headers.get(f"X-HubSpot-RateLimit-{name}")
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most:
            return int(text)
        nonsense[name] = text[:40]
        return None

    maximum, interval = number("Max", *_MAX), number("Interval-Milliseconds", *_INTERVAL_MS)
    rps = maximum / (interval / 1000) if maximum and interval else None
    if rps is not None and rps < _LEAST_RPS:
        nonsense["Max"] = f"{maximum} in {interval} ms"
        rps = None
    daily = number("Daily", *_DAILY)
    remaining = number("Daily-Remaining", 0, daily or _DAILY[1])
    return RateHeaders(rps, interval / 1000 if interval else None, daily, remaining, nonsense)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds (or a date) that a reply asks to wait, at most a day; None when it does not say."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _DAY) if seconds == seconds else None


def next_midnight(time_zone: str) -> datetime:
    """When the daily count starts again: midnight in the account's own time zone, in UTC."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    tomorrow = datetime.now(zone).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).astimezone(UTC)


class OutOfPatience(Exception):
    """Nothing but 429s for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing but 429 for {seconds:.0f} s")
        self.seconds = seconds


@dataclass
class Patience:
    """How long to wait after a 429. Requests that were under way when the first of them was refused tell nothing new."""

    clock: Callable[[], float] = time.perf_counter
    spread: Callable[[float, float], float] = random.uniform
    in_a_row: int = 0
    _waiting_since: float = field(default=-1e12)
    _refused_since: float | None = None

    def taken(self, left_at: float) -> None:
        """A request that left at ``left_at`` got another answer than 429."""
        if left_at >= self._waiting_since:
            self.in_a_row, self._refused_since = 0, None

    def refused(self, left_at: float, asked: float) -> float | None:
        """Seconds during which nothing shall leave, given those that HubSpot asks for; None when that is known already.
        Each time in a row is longer, and none is as long as another process's. Raises ``OutOfPatience``."""
        if left_at < self._waiting_since:
            return None
        now = self.clock()
        if self._refused_since is None:
            self._refused_since = now
        grown = min(LONGEST_PAUSE, max(asked, 1.0) * 2.0**self.in_a_row)
        seconds = max(asked, grown) * self.spread(1.0, 1.25)
        waited = now - self._refused_since
        if waited > 0 and waited + seconds > PATIENCE:
            raise OutOfPatience(waited)
        self.in_a_row = min(self.in_a_row + 1, 10)
        self._waiting_since = now
        return seconds
