"""Many requests, one transaction: while a batch is being committed the next one gathers, so that the disk is asked once for
all of them. A request is answered when its events are committed, and not before.

Knows no HTTP and no signature. The receiver calls ``store``; one task runs ``run``.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ic_assets.core import session
from ic_assets.core.logs import log
from ic_assets.inbox.envelope import Envelope
from ic_assets.inbox.events import Outcome, store_async
from ic_assets.inbox.registry import Registry
from ic_assets.resources.postgres import passes, sqlstate_of

# The connection of a server that is gone without a word ends within ten seconds; a Unix socket ignores these.
_SOCKET = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "ic-assets-receiver",
}
# A lock on the table, a disk that hangs: who sent it has been answered long before.
_STATEMENT_TIMEOUT = "15s"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


class Behind(Exception):
    """The database takes less than comes in. ``retry_after``: seconds."""

    def __init__(self, retry_after: int = 5) -> None:
        super().__init__("the database is behind")
        self.retry_after = retry_after


class Away(Exception):
    """The database cannot be reached, or cannot write."""


class Unfit(Exception):
    """Events that no database can hold."""


@dataclass(frozen=True)
class Bounds:
    """Of what waits for a commit and of one batch; ``patience``: seconds, less than the shortest that a sender waits for an
    answer (HubSpot: 5)."""

    requests: int = 2000
    size: int = 64 << 20
    batch_requests: int = 256
    batch_size: int = 8 << 20
    patience: float = 4.0


@dataclass(eq=False)
class _Waiting:
    events: Sequence[Envelope]
    size: int
    since: float
    answer: asyncio.Future[list[Outcome]] = field(repr=False)


class GroupCommit:
    """One connection, one transaction at a time. ``run`` until ``stop``; both in one event loop. ``address`` is asked in a
    thread for each new connection: an embedded server has another one after it was started anew."""

    def __init__(self, address: Callable[[], str], registry: Registry, bounds: Bounds | None = None) -> None:
        self._address = address
        self._registry = registry
        self._bounds = bounds or Bounds()
        self._waiting: deque[_Waiting] = deque()
        self._size = 0
        self._in_hand: Sequence[_Waiting] = ()
        self._something = asyncio.Event()
        self._stops = False
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._away_until = 0.0
        self._pause = 0.0

    @property
    def backlog(self) -> int:
        """Requests that wait for a commit."""
        return len(self._waiting) + len(self._in_hand)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest of them has waited."""
        first = self._in_hand or self._waiting
        return _now() - first[0].since if first else 0.0

    async def store(self, events: Sequence[Envelope], size: int) -> list[Outcome]:
        """What became of the events, once they are committed, all of them or none. ``size``: their bytes. Raises ``Behind``,
        ``Away`` and ``Unfit``; after the first two they may be stored all the same, and sending them again is safe."""
        self._refuse_if_full(size)
        one = _Waiting(events, size, _now(), asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._size += size
        self._something.set()
        late = asyncio.get_running_loop().call_later(self._bounds.patience, self._give_up, one)
        try:
            return await one.answer
        finally:
            late.cancel()

    def _refuse_if_full(self, size: int) -> None:
        if _now() < self._away_until:
            raise Away
        is_full = len(self._waiting) >= self._bounds.requests or self._size + size > self._bounds.size
        if is_full or self.oldest_seconds > self._bounds.patience:
            raise Behind

    def _give_up(self, one: _Waiting) -> None:
        if not one.answer.done():
            one.answer.set_exception(Behind())

    async def run(self) -> None:
        """Commits what waits until ``stop`` was called and nothing waits any more."""
        while not (self._stops and not self._waiting):
            await self._something.wait()
            batch = self._take()
            if not batch:
                self._something.clear()
                if self._stops:
                    break
                continue
            self._in_hand = batch
            try:
                await self._commit(batch)
            finally:
                self._in_hand = ()
        await self._disconnect()

    def stop(self) -> None:
        self._stops = True
        self._something.set()

    def _take(self) -> list[_Waiting]:
        """The next batch, without those that were given up meanwhile."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < self._bounds.batch_requests and size < self._bounds.batch_size:
            one = self._waiting.popleft()
            self._size -= one.size
            if not one.answer.done():
                batch.append(one)
                size += one.size
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Answers each request of the batch."""
        try:
            await self._tried(batch)
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            await self._apart(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the requests are not stored and the next batch is due
            await self._say_away(batch, error)

    async def _tried(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._store(batch)
        except psycopg.Error as error:
            if not passes(error):
                raise
            # A connection that was lost at COMMIT leaves open whether it was carried out; storing twice is storing once.
            log.warning("tried_again", what="commit", sqlstate=sqlstate_of(error), requests=len(batch))
            await self._store(batch)

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        # Each statement is a transaction: one for what is new, and where an id is known with another content one more, which
        # a request that was cut off between them brings again. BEGIN and COMMIT of their own would be two more answers that
        # wait for their turn behind sixty requests.
        events = [event for one in batch for event in one.events]
        outcomes = await store_async(await self._connected(), events, self._registry)
        self._pause = self._away_until = 0.0
        end = 0
        for one in batch:
            start, end = end, end + len(one.events)
            if not one.answer.done():
                one.answer.set_result(outcomes[start:end])

    async def _apart(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One request holds what a column cannot: the others are stored, and it alone. Its bodies then go in as text; what
        is wrong even so is unfit."""
        if len(batch) > 1:
            half = len(batch) // 2
            await self._commit(batch[:half])
            await self._commit(batch[half:])
            return
        one = batch[0]
        if any(event.body.startswith('"') for event in one.events):
            log.warning("unfit_events", sqlstate=sqlstate_of(error), events=len(one.events))
            if not one.answer.done():
                one.answer.set_exception(Unfit())
            return
        one.events = [event.model_copy(update={"body": json.dumps(event.body)}) for event in one.events]
        await self._commit(batch)

    async def _say_away(self, batch: Sequence[_Waiting], error: Exception) -> None:
        await self._disconnect()
        self._pause = min(max(_FIRST_PAUSE, self._pause * 2), _LONGEST_PAUSE)
        self._away_until = _now() + self._pause
        for one in (*batch, *self._waiting):
            if not one.answer.done():
                one.answer.set_exception(Away())
        self._waiting.clear()
        self._size = 0
        log.warning(
            "database_away",
            requests=len(batch),
            error=type(error).__name__,
            sqlstate=sqlstate_of(error),
            pause_s=self._pause,
        )

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            address = await asyncio.to_thread(self._address)
            connection = await session.connect_async(address, autocommit=True, **_SOCKET)
            await connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
