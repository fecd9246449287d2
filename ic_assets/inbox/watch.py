"""What the receiver knows of the database beside its commits: whether it answers, how much of each source waits for its
flow, and the counts of refused requests that go there. A second connection, so that a commit waits for none of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from ic_assets.core import session
from ic_assets.core.failures import Unavailable
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.resources.postgres import sqlstate_of

_EVERY_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
# Two who ask within this time get one answer.
_FRESH_SECONDS = 1.0
_MOST_REASONS = 1000
# Of the counts of refused requests.
_KEPT = "90 days"


class Watch:
    """``bounds``: by source, how many events may wait. ``run`` until it is cancelled; ``close`` afterwards."""

    def __init__(self, address: Callable[[], str], bounds: Mapping[str, int]) -> None:
        self._address = address
        self._bounds = dict(bounds)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._is_reachable = False
        self._new: dict[str, int] = dict.fromkeys(bounds, 0)
        self._refused: Counter[tuple[str, int, str]] = Counter()
        self._forgotten_at = float("-inf")

    def refused(self, source: str, status: int, reason: str) -> None:
        key = (source, status, reason)
        if key in self._refused or len(self._refused) < _MOST_REASONS:
            self._refused[key] += 1

    def stored(self, source: str, events: int) -> None:
        """Between two looks the count goes on here: at 10,000 events a second five seconds are a backlog of their own."""
        if source in self._new:
            self._new[source] += events

    def is_full(self, source: str) -> bool:
        return self._new.get(source, 0) > self._bounds.get(source, 0)

    @property
    def new(self) -> Mapping[str, int]:
        """How many events of each bounded source wait for their flow, at least."""
        return dict(self._new)

    async def is_reachable(self) -> bool:
        """Whether the database answers now, or did a second ago."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at > _FRESH_SECONDS:
                await self._look()
            return self._is_reachable

    async def run(self) -> None:
        while True:
            async with self._lock:
                await self._look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def close(self) -> None:
        """Brings the last counts to the database."""
        async with self._lock:
            await self._look()
            await self._disconnect()

    async def _look(self) -> None:
        refused, self._refused = self._refused, Counter()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._work(refused)
            self._is_reachable = True
        except (psycopg.Error, Unavailable, TimeoutError, OSError) as error:
            if self._is_reachable:
                log.warning("database_silent", error=type(error).__name__, sqlstate=sqlstate_of(error))
            self._is_reachable = False
            self._refused.update(refused)
            await self._disconnect()
        self._looked_at = asyncio.get_running_loop().time()

    async def _work(self, refused: Counter[tuple[str, int, str]]) -> None:
        if self._connection is None or self._connection.closed or self._connection.broken:
            address = await asyncio.to_thread(self._address)
            self._connection = await session.connect_async(
                address, application_name="ic-assets-receiver", connect_timeout=2
            )
        connection = self._connection
        async with connection.transaction():
            found = await connection.execute(
                statement("inbox/count_new"), {"sources": list(self._bounds), "bounds": list(self._bounds.values())}
            )
            new = dict(await found.fetchall())
            if refused:
                keys = list(refused)
                await connection.execute(
                    statement("inbox/count_refusals"),
                    {
                        "source": [source for source, _, _ in keys],
                        "status": [status for _, status, _ in keys],
                        "reason": [reason for _, _, reason in keys],
                        "requests": [refused[key] for key in keys],
                    },
                )
            if asyncio.get_running_loop().time() - self._forgotten_at > 3600:
                await connection.execute(statement("inbox/forget_refusals"), {"kept": _KEPT})
                self._forgotten_at = asyncio.get_running_loop().time()
        self._new = {source: int(new.get(source, 0)) for source in self._bounds}

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()
