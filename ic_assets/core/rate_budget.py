"""The request budget of one HubSpot portal, shared by every process through one row in PostgreSQL.

``Pace`` and ``Standing`` are the rules, without clock or database; ``RateBudget`` applies them under a lock and counts at
sending. Whatever HubSpot told, or made us do, expires: no reply holds a push up for ever.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from ic_assets.core import locks
from ic_assets.core.logs import log
from ic_assets.core.sql import statement

# Requests are spaced 1.2 % wider than the budget allows: 98.8 % of it is used, and what is late on its way (a busy
# machine, a slow wake-up) does not push one request too many into HubSpot's window.
SPACING = 1.012
# No two requests that are a whole budget apart leave within this many seconds of each other, however late the first
# of them really left (``RateBudget.left`` corrects its slot).
WINDOW = 1.001
# What a short delay cost is made good afterwards, within WINDOW's limit; more than this many seconds are given up,
# since a long silence must not turn into a burst.
CATCH_UP = 0.3
# HubSpot's search takes five requests a second per account, shared by all applications.
SEARCH_RPS = 4.0
# HubSpot's own rate is believed for so long after it was last told, in seconds.
PORTAL_RPS_SECONDS = 900.0
# After a 429 the budget is halved, down to LEAST_RPS, until this many seconds without another one have passed.
SLOW_SECONDS = 60.0
LEAST_RPS = 0.5
# What is left of the day: told anew after so many seconds, and not believed any more after so many.
DAILY_TOLD_SECONDS = 60.0
DAILY_BELIEVED_SECONDS = 300.0
# More requests of all processes together are not under way at a time.
MOST_ON_THEIR_WAY = 1000
# No wait in the row is longer (HubSpot's longest that is borne is shorter), whatever clock or hand wrote it.
LONGEST_BLOCK = 1300.0
# Who waits looks again this often: the wait may be over by a reset.
LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Pace:
    """When the next request may leave. Times are seconds of one clock.

    A budget of 2.5 a second lets two go in any second; one of 0.5 lets one go in any two.
    """

    rps: float
    next_at: float = 0.0
    slots: tuple[float, ...] = ()

    @property
    def per_window(self) -> int:
        return max(1, math.floor(self.rps))

    @property
    def stretch(self) -> float:
        """Seconds that hold ``per_window`` requests."""
        return max(1.0, 1.0 / self.rps)

    def take(self, now: float) -> tuple[Pace, float]:
        """(the pace afterwards, 0) when a request may leave now, else (unchanged, seconds to wait)."""
        ready = self.next_at
        if len(self.slots) >= self.per_window:
            ready = max(ready, self.slots[-self.per_window] + WINDOW * self.stretch)
        if ready > now:
            return self, ready - now
        interval = SPACING * self.stretch / self.per_window
        base = max(self.next_at, now - CATCH_UP) if self.slots else now
        return replace(self, next_at=base + interval, slots=(*self.slots, now)[-self.per_window :]), 0.0

    def corrected(self, left: dict[float, float]) -> Pace:
        """The pace with the true times (``left``: slot -> when it really left) of requests that were let go."""
        if not left:
            return self
        return replace(self, slots=tuple(sorted(left.get(slot, slot) for slot in self.slots)))

    def counted(self, now: float) -> Pace:
        """The pace after a request that left without asking (the one that tells which portal this is)."""
        return replace(self, slots=(*self.slots, now)[-self.per_window :])

    def blocked(self, until: float) -> Pace:
        """Nothing leaves before ``until``."""
        return replace(self, next_at=max(self.next_at, until))


class Slot(NamedTuple):
    """Leave to send. ``at``: on the database's clock; ``asked_at``: on this process's, not after ``at``."""

    at: float
    asked_at: float


class DailyLimit(Exception):
    """HubSpot's daily limit leaves no request of this kind. ``until``: Unix seconds."""

    def __init__(self, until: float) -> None:
        super().__init__("HubSpot's daily limit is used up")
        self.until = until


@dataclass(frozen=True)
class Standing:
    """A portal's row. Times are seconds of the database's clock; 0: never."""

    rps: float
    next_at: float = 0.0
    slots: tuple[float, ...] = ()
    portal_rps: float | None = None
    portal_rps_seen_at: float = 0.0
    slow_rps: float | None = None
    slow_until: float = 0.0
    daily_remaining: int | None = None
    daily_seen_at: float = 0.0
    daily_until: float = 0.0

    def rate(self, own_rps: float, now: float) -> float:
        """Requests a second: the smallest that any process, HubSpot, or its last 429 allows."""
        told = self.portal_rps if 0 <= now - self.portal_rps_seen_at < PORTAL_RPS_SECONDS else None
        slow = self.slow_rps if now < self.slow_until <= now + LONGEST_BLOCK else None
        return min(one for one in (own_rps, self.rps, told, slow) if one is not None and one > 0)

    def pace(self, own_rps: float, now: float) -> Pace:
        next_at = self.next_at if self.next_at <= now + LONGEST_BLOCK else now
        return Pace(self.rate(own_rps, now), next_at, tuple(slot for slot in self.slots if slot <= now + WINDOW))

    def left_today(self, now: float) -> int | None:
        """Requests that are left of the portal's day; None when that is not known."""
        is_known = 0 <= now - self.daily_seen_at < DAILY_BELIEVED_SECONDS and now < self.daily_until
        return self.daily_remaining if is_known else None

    def daily(self, now: float, remaining: int, until: float, on_their_way: int = 0) -> Standing:
        """HubSpot says that ``remaining`` are left until ``until``. Requests that left since are counted here, so that a
        figure that is a little higher is older; now and then, and when it is much higher (HubSpot's limit was raised), it
        is taken anew, less those of this process that are ``on_their_way``."""
        left = self.left_today(now)
        is_recent = now - self.daily_seen_at < DAILY_TOLD_SECONDS
        if left is not None and is_recent and remaining <= left + MOST_ON_THEIR_WAY:
            return replace(self, daily_remaining=min(left, remaining))
        return replace(self, daily_remaining=max(0, remaining - on_their_way), daily_seen_at=now, daily_until=until)

    def slowed(self, own_rps: float, now: float) -> Standing:
        """Half the rate for a while."""
        slow = max(self.rate(own_rps, now) / 2, min(LEAST_RPS, own_rps))
        return replace(self, slow_rps=slow, slow_until=now + SLOW_SECONDS)


class RateBudget:
    """The shared budget of one portal. One connection of its own, used by one coroutine at a time."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection,
        portal_id: int,
        rps: float,
        *,
        kind: str = "any",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.portal_id = portal_id
        self.kind = kind
        self._connection = connection
        self._rps = rps
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._using = asyncio.Lock()
        self._standing = Standing(rps)
        self._told_at: dict[tuple[bool, bool], float] = {}
        self._asked_at = self._taken = 0.0
        self._left: dict[float, float] = {}

    async def open(self, *, already_sent: int = 0) -> None:
        """Makes the row where it is missing and counts requests that left before the portal was known."""

        def opened(standing: Standing, now: float) -> Standing:
            pace = standing.pace(self._rps, now)
            for _ in range(already_sent):
                pace = pace.counted(now)
            return replace(standing, rps=self._rps, slots=pace.slots)

        await self._change(opened)

    async def acquire(self, *, daily_reserve: int = 0) -> Slot:
        """Waits for a slot. Returns at the moment at which the request is to be sent: send at once, then ``left``.

        Raises ``DailyLimit`` when not more than ``daily_reserve`` requests are left of HubSpot's day."""
        async with self._turn:
            while (wait := await self._take(daily_reserve)) > 0:
                await self._sleep(min(wait, LOOK_SECONDS))
            return Slot(self._taken, self._asked_at)

    def left(self, slot: Slot) -> None:
        """The request of ``slot`` is leaving now. Every process learns the true time with our next request."""
        self._left[slot.at] = slot.at + (time.perf_counter() - slot.asked_at)

    async def block(self, seconds: float, *, slow_down: bool = False) -> None:
        """Every process on this portal waits: HubSpot said so (429, 477). ``slow_down``: and is slower afterwards."""

        def blocked(standing: Standing, now: float) -> Standing:
            # Blocked by another process for the same reason: it has slowed down already.
            is_known = standing.next_at > now + seconds / 2
            pace = standing.pace(self._rps, now).blocked(now + min(seconds, LONGEST_BLOCK))
            standing = replace(standing, next_at=pace.next_at)
            return standing.slowed(self._rps, now + seconds) if slow_down and not is_known else standing

        await self._change(blocked)

    async def heard(
        self, portal_rps: float | None, remaining: int | None = None, until: float = 0.0, on_their_way: int = 0
    ) -> None:
        """HubSpot's own limits, from the headers of a reply. The budget never rises above the configured one; most replies
        tell nothing new and cost nothing."""
        known = self._standing
        left = known.daily_remaining
        is_new = (portal_rps is not None and portal_rps != known.portal_rps) or (
            remaining is not None and (left is None or not left <= remaining <= left + MOST_ON_THEIR_WAY)
        )
        what = (portal_rps is not None, remaining is not None)
        if not is_new and time.perf_counter() - self._told_at.get(what, -math.inf) < DAILY_TOLD_SECONDS:
            return
        self._told_at[what] = time.perf_counter()

        def told(standing: Standing, now: float) -> Standing:
            if portal_rps is not None:
                standing = replace(standing, portal_rps=portal_rps, portal_rps_seen_at=now)
            return standing if remaining is None else standing.daily(now, remaining, until, on_their_way)

        await self._change(told)

    async def used_up(self, until: float) -> None:
        """HubSpot refused a request for its daily limit: nothing of ours is sent for now, by any process."""

        def used(standing: Standing, now: float) -> Standing:
            return replace(standing, daily_remaining=0, daily_seen_at=now, daily_until=until)

        await self._change(used)

    async def _take(self, daily_reserve: int) -> float:
        wait = 0.0

        def take(standing: Standing, now: float) -> Standing:
            nonlocal wait
            left = standing.left_today(now)
            if left is not None and left <= daily_reserve:
                raise DailyLimit(standing.daily_until)
            corrections, self._left = self._left, {}
            pace, wait = standing.pace(self._rps, now).corrected(corrections).take(now)
            self._taken = now
            if left is not None and not wait:
                standing = replace(standing, daily_remaining=left - 1)
            return replace(standing, next_at=pace.next_at, slots=pace.slots)

        await self._change(take)
        return wait

    async def _change(self, change: Callable[[Standing, float], Standing]) -> None:
        """Applies ``change`` under the portal's lock, on the database's clock, which all processes share."""
        key = {"portal_id": self.portal_id, "kind": self.kind}
        async with (
            self._using,
            self._connection.transaction(),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            # Losing the last slots in a crash of the server costs nothing: it takes longer than a second to return.
            await cursor.execute("SET LOCAL synchronous_commit = off")
            await cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.RATE_BUDGET, f"{self.portal_id} {self.kind}")
            )
            self._asked_at = time.perf_counter()
            await cursor.execute(statement("hubspot/rate_budget_read"), key)
            row = await cursor.fetchone() or {}
            now = row.pop("now")
            if row["rps"] is None:
                # Made anew, with what this process remembers of it: an emptied table lifts no limit.
                before, known = None, replace(self._standing, rps=self._rps)
                if known.slots:
                    log.warning("rate_budget_made_anew", portal=self.portal_id, kind=self.kind, slots=len(known.slots))
            else:
                before = known = Standing(**{**row, "slots": tuple(row["slots"])})
            after = change(known, now)
            if after != before:
                values = {**asdict(after), "slots": list(after.slots)}
                await cursor.execute(statement("hubspot/rate_budget_write"), {**values, **key})
            self._standing = after
