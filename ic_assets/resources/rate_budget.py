"""The request budget of one HubSpot portal, shared by every process through one row in PostgreSQL.

``Pace`` is the rule, without clock or database; ``RateBudget`` applies it under a lock and counts at sending.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from ic_assets.core import locks

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
        self._connection = connection
        self._portal_id = portal_id
        self._kind = kind
        self._rps = rps
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._portal_rps: float | None = None
        self._asked_at = self._taken = 0.0
        self._left: dict[float, float] = {}

    async def open(self, *, already_sent: int = 0) -> None:
        """Makes the row where it is missing and counts requests that left before the portal was known."""
        async with self._turn:
            await self._connection.execute(
                "INSERT INTO hubspot.rate_budget (portal_id, kind, rps) VALUES (%s, %s, %s)"
                " ON CONFLICT (portal_id, kind) DO UPDATE SET rps = excluded.rps",
                (self._portal_id, self._kind, self._rps),
            )
            await self._connection.commit()
            for _ in range(already_sent):
                await self._change(lambda pace, now: pace.counted(now))

    async def acquire(self) -> Slot:
        """Waits for a slot. Returns at the moment at which the request is to be sent: send at once, then ``left``."""
        async with self._turn:
            while (wait := await self._take()) > 0:
                await self._sleep(wait)
            return Slot(self._taken, self._asked_at)

    def left(self, slot: Slot) -> None:
        """The request of ``slot`` is leaving now. Every process learns the true time with our next request."""
        self._left[slot.at] = slot.at + (time.perf_counter() - slot.asked_at)

    async def block(self, seconds: float) -> None:
        """Every process on this portal waits: HubSpot said so (429, 477)."""
        async with self._turn:
            await self._change(lambda pace, now: pace.blocked(now + seconds))

    async def heard(self, maximum: int, interval_seconds: float) -> None:
        """HubSpot's own limit, from its headers. The budget never rises above the configured one."""
        portal_rps = maximum / interval_seconds
        if portal_rps == self._portal_rps or portal_rps <= 0:
            return
        self._portal_rps = portal_rps
        async with self._turn:
            await self._connection.execute(
                "UPDATE hubspot.rate_budget SET portal_rps = %s WHERE portal_id = %s AND kind = %s",
                (portal_rps, self._portal_id, self._kind),
            )
            await self._connection.commit()

    async def _take(self) -> float:
        wait = 0.0

        def take(pace: Pace, now: float) -> Pace:
            nonlocal wait
            corrections, self._left = self._left, {}
            after, wait = pace.corrected(corrections).take(now)
            self._taken = now
            return after

        await self._change(take)
        return wait

    async def _change(self, change: Callable[[Pace, float], Pace]) -> None:
        """Applies ``change`` under the portal's lock, on the database's clock, which all processes share."""
        async with self._connection.transaction(), self._connection.cursor(row_factory=dict_row) as cursor:
            # Losing the last slots in a crash of the server costs nothing: it takes longer than a second to return.
            await cursor.execute("SET LOCAL synchronous_commit = off")
            await cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.RATE_BUDGET, f"{self._portal_id} {self._kind}")
            )
            self._asked_at = time.perf_counter()
            await cursor.execute(
                "SELECT rps, portal_rps, next_at, slots, extract(epoch FROM clock_timestamp())::float8 AS now"
                " FROM hubspot.rate_budget WHERE portal_id = %s AND kind = %s",
                (self._portal_id, self._kind),
            )
            row = await cursor.fetchone()
            if row is None:  # emptied by hand: start anew
                row = {"rps": self._rps, "portal_rps": None, "next_at": 0.0, "slots": [], "now": 0.0}
            # The smallest budget that any process or HubSpot itself names.
            rps = min(self._rps, row["rps"], row["portal_rps"] or math.inf)
            before = Pace(rps, row["next_at"], tuple(row["slots"]))
            after = change(before, row["now"])
            if after != before:
                await cursor.execute(
                    "UPDATE hubspot.rate_budget SET next_at = %s, slots = %s WHERE portal_id = %s AND kind = %s",
                    (after.next_at, list(after.slots), self._portal_id, self._kind),
                )
