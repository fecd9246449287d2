"""The lock that says that a worker lives: a session-level advisory lock under the number of its push, held on a connection
of its own as long as its process lives (so not through a transaction-pooling proxy)."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from ic_assets.core import locks
from ic_assets.core.failures import Unavailable
from ic_assets.core.logs import log
from ic_assets.core.sql import statement

# As the server sees it: the session of a machine that vanished ends within two minutes.
_SETTINGS = (
    "tcp_keepalives_idle = 30",
    "tcp_keepalives_interval = 10",
    "tcp_keepalives_count = 6",
)


class LostLock(Unavailable):
    """The session that says that this worker lives is gone. Another may have taken over: nothing more may be sent."""


class WorkerLock:
    """The lock of push ``push_id`` on ``connection``."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self.connection = connection
        self._asking = asyncio.Lock()

    async def take(self, push_id: int) -> None:
        for setting in _SETTINGS:
            await self.connection.execute(f"SET {setting}")
        await self.connection.execute("SELECT pg_advisory_lock(%s, %s)", (locks.WORKER, push_id))
        await self.assert_held(push_id)

    async def assert_held(self, push_id: int) -> None:
        """Asks, on the connection that holds it, whether this worker still has its lock: one round trip. Raises
        ``LostLock``."""
        try:
            async with self._asking:
                cursor = await self.connection.execute(
                    statement("hubspot/ledger/holds_lock"), {"class": locks.WORKER, "worker": push_id}
                )
                row: tuple[Any, ...] | None = await cursor.fetchone()
            is_held = bool(row and row[0])
            why = "another session answers in its place, as behind a proxy that pools transactions"
        except psycopg.OperationalError as error:
            is_held, why = False, first_line(error)
        if not is_held:
            log.info("lock_lost", push=push_id, why=why)
            raise LostLock(
                f"push {push_id} lost the PostgreSQL session that says that it lives ({why}), so that another may have "
                "taken over; nothing more was sent. Run it again, it goes on from there"
            )


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
