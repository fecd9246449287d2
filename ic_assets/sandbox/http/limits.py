"""HubSpot's rate limits: a rolling ten seconds per app, a day per account, and search's own second."""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ic_assets.sandbox.hubspot.errors import Json

TIME_ZONE = "US/Eastern"
"""The account's zone; its midnight resets the daily count."""


@dataclass(frozen=True)
class Limits:
    """Requests that are answered; one more gets a 429 (defaults: HubSpot's Professional subscription)."""

    per_10_seconds: int = 190
    per_day: int = 625_000
    search_per_second: int = 5


class RateLimiter:
    """Counts by arrival. A refused request is not counted: only answered ones use up the allowance."""

    def __init__(self, limits: Limits, used_today: int = 0) -> None:
        self.limits = limits
        self._recent: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._day = self._today()
        self._used_today = used_today

    def admit(self, *, is_search: bool) -> str | None:
        """None when the request is within the limits, otherwise the name of the policy that it breaks."""
        now = time.monotonic()
        self._expire(now)
        if self._used_today >= self.limits.per_day:
            return "DAILY"
        window, most = self._recent, self.limits.per_10_seconds
        if is_search:
            window, most = self._searches, self.limits.search_per_second
        if len(window) >= most:
            return "SECONDLY" if is_search else "TEN_SECONDLY_ROLLING"
        window.append(now)
        self._used_today += 1
        return None

    def headers(self) -> dict[str, str]:
        """What HubSpot reports with every answer but those of search."""
        self._expire(time.monotonic())
        left = max(0, self.limits.per_10_seconds - len(self._recent))
        per_second = max(1, self.limits.per_10_seconds // 10)
        return {
            "X-HubSpot-RateLimit-Daily": str(self.limits.per_day),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.limits.per_day - self._used_today)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(self.limits.per_10_seconds),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Secondly": str(per_second),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(per_second, left)),
        }

    def _expire(self, now: float) -> None:
        while self._recent and self._recent[0] <= now - 10:
            self._recent.popleft()
        while self._searches and self._searches[0] <= now - 1:
            self._searches.popleft()
        if (today := self._today()) != self._day:
            self._day, self._used_today = today, 0

    @staticmethod
    def _today() -> datetime:
        return midnight()


def midnight() -> datetime:
    """The start of the account's present day."""
    return datetime.now(ZoneInfo(TIME_ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)


def utc_offset() -> timedelta:
    return datetime.now(UTC).astimezone(ZoneInfo(TIME_ZONE)).utcoffset() or timedelta()


def refusal(policy: str) -> Json:
    """The body of a 429."""
    period = {"DAILY": "daily", "SECONDLY": "secondly"}.get(policy, "ten_secondly_rolling")
    return {
        "status": "error",
        "message": f"You have reached your {period} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "requestId": str(uuid.uuid4()),
    }
