"""The push ledger: which record shall stand, stands, or may stand in which portal, and who has it in hand.

Every statement is a file of ``sql/activities/push``; this module binds values and owns the connections. A worker is one
``push_run`` row and lives as long as its session-level advisory lock (so not through a transaction-pooling proxy). What it
plans: ``push_plan``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME
from ic_assets.core import locks, masking, session
from ic_assets.core.failures import Unavailable
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import Json, Portal, Problem, RequestRecord
from ic_assets.resources.postgres import again_async

_CONNECTIONS = 3
# A client that vanished, or a connection that a firewall or a proxy dropped, shows within two minutes on both ends.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}
# For the session that holds the worker's lock, as the server sees it: that of a machine that vanished ends as soon.
_HOLDER_SETTINGS = (
    "tcp_keepalives_idle = 30",
    "tcp_keepalives_interval = 10",
    "tcp_keepalives_count = 6",
)


class LostLock(Unavailable):
    """The session that says that this worker lives is gone. Another may have taken over: nothing more may be sent."""


@dataclass(slots=True)
class Row:
    """One record in a worker's hands. ``hash`` and ``payload`` are of what stands in staging now; ``pushed`` is what
    HubSpot is known to hold (None: not known). ``earlier_hash``: of what an earlier attempt sent whose outcome was never
    confirmed; the zero UUID stands for several. ``is_settled``: no earlier request of unknown outcome can still come
    through; ``is_in_doubt``: one that was repeated can."""

    communication_id: int
    object_type: str
    part: int
    activity_type: str
    action: str
    hubspot_id: int | None
    revision: int
    attempts: int
    pushed: Json | None
    hash: UUID | None
    payload: Json | None
    sent_hash: UUID | None = None
    earlier_hash: UUID | None = None
    pushed_hash: UUID | None = None
    is_settled: bool = False
    is_in_doubt: bool = False

    @property
    def key(self) -> str:
        """The value of the unique property: ``<id>``, ``<id>/<part>``; ``~<n>`` where archived records occupy that."""
        part = f"/{self.part}" if self.part > 1 else ""
        return f"{self.communication_id}{part}" + (f"~{self.revision}" if self.revision else "")


@dataclass(slots=True)
class Outcome:
    """What became of one row; ``what`` as in ``settle.sql``."""

    row: Row
    what: str
    hubspot_id: int | None = None
    hash: UUID | None = None
    content: Json | None = None
    problem: Problem | None = None


@dataclass
class Ledger:
    """The ledger of one portal, as one worker sees it. Made by ``open_ledger``."""

    pool: asyncio.Queue[psycopg.AsyncConnection]
    holder: psycopg.AsyncConnection
    portal_id: int = 0
    push_id: int = 0
    pause: float = 120.0
    requests: list[RequestRecord] = field(default_factory=list)
    _holding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A transaction on one of the worker's connections."""
        connection = await self.pool.get()
        try:
            async with connection.transaction():
                yield connection
        finally:
            self.pool.put_nowait(connection)

    async def know_portal(self, portal: Portal, base_url: str) -> None:
        self.portal_id = portal.portal_id
        async with self.connection() as connection:
            await connection.execute(
                "INSERT INTO hubspot.portal (portal_id, base_url, time_zone, account_type) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (portal_id) DO UPDATE SET base_url = excluded.base_url, time_zone = excluded.time_zone,"
                " account_type = excluded.account_type",
                (portal.portal_id, base_url, portal.time_zone, portal.account_type),
            )

    async def last_portal(self, base_url: str) -> int | None:
        """The portal that was last met at this address."""
        async with self.connection() as connection:
            cursor = await connection.execute(
                "SELECT portal_id FROM hubspot.portal WHERE base_url = %s"
                " ORDER BY coalesce(last_pushed_at, first_seen_at) DESC LIMIT 1",
                (base_url,),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else None

    async def start(self, mode: str, run_id: str | None, options: Json, approved_by: str | None) -> None:
        """Opens the run, takes the lock that says this worker lives, and makes the portal the current one."""
        async with self.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO hubspot.push_run (run_id, portal_id, mode, options, approved_by)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING push_id",
                (run_id, self.portal_id, mode, Jsonb(options), approved_by),
            )
            self.push_id = _only(await cursor.fetchone())
        for setting in _HOLDER_SETTINGS:
            await self.holder.execute(f"SET {setting}")
        await self.holder.execute("SELECT pg_advisory_lock(%s, %s)", (locks.WORKER, self.push_id))
        await self.assert_alive()

    async def assert_alive(self) -> None:
        """Asks, on the connection that holds it, whether this worker still has its lock: one round trip, right before
        bytes leave. Raises ``LostLock``."""
        try:
            async with self._holding:
                cursor = await self.holder.execute(statement("activities/push/holds_lock"), self._lock)
                is_held = _only(await cursor.fetchone())
            why = "another session answers in its place, as behind a proxy that pools transactions"
        except psycopg.OperationalError as error:
            is_held, why = False, _first_line(error)
        if not is_held:
            log.info("lock_lost", push=self.push_id, why=why)
            raise LostLock(
                f"push {self.push_id} lost the PostgreSQL session that says that it lives ({why}), so that another may have "
                "taken over; nothing more was sent. Run it again, it goes on from there"
            )

    @property
    def _lock(self) -> Json:
        return {"class": locks.WORKER, "worker": self.push_id}

    async def record_approval(self, approval_id: int, approved_by: str) -> None:
        async with self.connection() as connection:
            await connection.execute(
                "UPDATE hubspot.push_run SET approval_id = %s, approved_by = %s WHERE push_id = %s",
                (approval_id, approved_by, self.push_id),
            )

    async def become_current(self) -> None:
        """From now on the derivatives' push columns speak of this portal."""
        async with self.connection() as connection:
            cursor = await connection.execute("SELECT portal_id FROM hubspot.v_current_portal")
            before = await cursor.fetchone()
            await connection.execute(
                "UPDATE hubspot.portal SET last_pushed_at = clock_timestamp() WHERE portal_id = %s", (self.portal_id,)
            )
            if before is None or before[0] == self.portal_id:
                return
            for activity in ACTIVITY_TYPES:
                await connection.execute(
                    statement("activities/push/adopt_from_ledger", table=table_of(activity.name)),
                    {"object_type": activity.name, "window_start": date.min, "window_end": date.max},
                )

    async def finish(self, result: str, counts: Json, stopped_reason: str | None) -> None:
        """Ends the run and drops its plan, and those that killed ones left behind."""
        await self.flush_requests()
        async with self.connection() as connection:
            await connection.execute(statement("activities/push/drop_plans"), self._lock)
            await connection.execute(
                "UPDATE hubspot.push_run SET result = %s, counts = %s, stopped_reason = %s, ended_at = now()"
                " WHERE push_id = %s",
                (result, Jsonb(counts), stopped_reason, self.push_id),
            )

    def note_request(self, record: RequestRecord) -> None:
        self.requests.append(record)

    async def flush_requests(self) -> None:
        """Writes the books about requests sent so far."""
        if not self.push_id or not self.requests:
            return
        records, self.requests = self.requests, []
        async with self.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO hubspot.push_request VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (self.push_id, r.sent_at, r.operation, r.object_type, r.inputs, r.status, r.milliseconds)
                    for r in records
                ],
            )

    async def take_over_dead(self, of: Json | None = None) -> int:
        """Claims of workers that are gone become this worker's, with unknown outcome: all, or those that ``of`` selects
        (the parameters of ``take_over.sql``). Returns how many."""
        chosen = {"types": None, "window_start": None, "window_end": None, "push_ids": None, "ids": None, **(of or {})}
        async with self.connection() as connection:
            cursor = await connection.execute(
                "SELECT DISTINCT worker FROM hubspot.push_ledger"
                " WHERE portal_id = %s AND state IN ('in_flight', 'unknown') AND worker <> %s",
                (self.portal_id, self.push_id),
            )
            workers = [row[0] for row in await cursor.fetchall()]
        taken = 0
        for worker in workers:
            async with self.connection() as connection:
                cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (locks.WORKER, worker))
                if not _only(await cursor.fetchone()):
                    continue  # it lives
                cursor = await connection.execute(
                    statement("activities/push/take_over"),
                    {
                        **chosen,
                        "portal_id": self.portal_id,
                        "dead_worker": worker,
                        "worker": self.push_id,
                        "pause": self.pause,
                    },
                )
                taken += cursor.rowcount
                if cursor.rowcount:
                    log.info("taken_over", push=self.push_id, worker=worker, records=cursor.rowcount, pause=self.pause)
        return taken

    async def claim(self, object_type: str, action: str, after_id: int, limit: int) -> list[Row]:
        """Takes up rows of this worker's plan."""
        query = statement("activities/push/claim", table=table_of(object_type))
        values = {
            "portal_id": self.portal_id,
            "object_type": object_type,
            "action": action,
            "after_id": after_id,
            "row_limit": limit,
            "worker": self.push_id,
        }
        async with self.connection() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
            await cursor.execute(query, values)
            return sorted(await cursor.fetchall(), key=lambda row: (row.communication_id, row.part))

    async def unknown_due(self, object_type: str, limit: int) -> list[Row]:
        values = {
            "portal_id": self.portal_id,
            "object_type": object_type,
            "worker": self.push_id,
            "row_limit": limit,
        }
        query = statement("activities/push/unknown_due", table=table_of(object_type))
        async with self.connection() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()

    async def unknown_left(self) -> tuple[dict[str, int], float]:
        """This worker's rows of unknown outcome by object type, and the seconds until the next may be looked up."""
        async with self.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                "SELECT object_type, count(*) AS records,"
                " extract(epoch FROM min(coalesce(check_after, now())) - clock_timestamp())::float8 AS seconds"
                " FROM hubspot.push_ledger"
                " WHERE portal_id = %s AND worker = %s AND state IN ('in_flight', 'unknown') GROUP BY object_type",
                (self.portal_id, self.push_id),
            )
            rows = await cursor.fetchall()
        return {r["object_type"]: r["records"] for r in rows}, min((r["seconds"] for r in rows), default=0.0)

    async def newest(self, object_type: str) -> tuple[int, int]:
        """The highest record id of one object type that was pushed to this portal, and how many were."""
        async with self.connection() as connection:
            cursor = await connection.execute(
                "SELECT coalesce(max(hubspot_id), 0), count(*) FROM hubspot.push_ledger"
                " WHERE portal_id = %s AND object_type = %s AND hubspot_id IS NOT NULL",
                (self.portal_id, object_type),
            )
            row = await cursor.fetchone()
        return (row[0], row[1]) if row else (0, 0)

    async def settle(self, object_type: str, outcomes: Sequence[Outcome], *, in_doubt: bool = False) -> None:
        """Writes outcomes of rows of one object type; the derivatives follow in the same transaction. ``in_doubt``: what
        was sent may come through once more within the pause."""

        async def once() -> None:
            async with self.connection() as connection:
                await self.settle_in(connection, object_type, outcomes, in_doubt=in_doubt)

        # A stage that writes the same derivative rows may have them in another order.
        await again_async("settle", once)
        if len(self.requests) > 50:
            await self.flush_requests()

    async def settle_in(
        self,
        connection: psycopg.AsyncConnection,
        object_type: str,
        outcomes: Sequence[Outcome],
        *,
        in_doubt: bool = False,
    ) -> None:
        """``settle`` inside the caller's transaction."""
        values = {
            "portal_id": self.portal_id,
            "object_type": object_type,
            "worker": self.push_id,
            "pause": self.pause,
            "in_doubt": in_doubt,
            "outcomes": Jsonb([_settlement(outcome) for outcome in outcomes]),
        }
        await connection.execute(statement("activities/push/settle", table=table_of(object_type)), values)


def _settlement(outcome: Outcome) -> Json:
    problem = outcome.problem or Problem("")
    return {
        "communication_id": outcome.row.communication_id,
        "part": outcome.row.part,
        "outcome": outcome.what,
        "hubspot_id": outcome.hubspot_id,
        "hash": outcome.hash,
        "content": outcome.content,
        "error": problem.words or None,
        "category": problem.category,
        "correlation_id": problem.correlation_id,
    }


@asynccontextmanager
async def open_ledger(postgres_url: str, *, pause: float = 120.0) -> AsyncIterator[Ledger]:
    """Connects. Raises ``Unavailable`` when the database cannot be reached or goes away under the worker, whose claims
    the next push then takes over."""
    connections: list[psycopg.AsyncConnection] = []
    try:
        try:
            for _ in range(_CONNECTIONS + 1):
                connections.append(await connect(postgres_url))
        except psycopg.OperationalError as error:
            raise Unavailable(f"PostgreSQL cannot be reached: {_first_line(error)}; check IC_POSTGRES_URL") from error
        pool: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
        for connection in connections[1:]:
            pool.put_nowait(connection)
        try:
            yield Ledger(pool, connections[0], pause=pause)
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"PostgreSQL went away during the push: {_first_line(error)}; push again to resume"
            ) from error
        except psycopg.Error as error:
            masking.without_rows(error)
            raise
    finally:
        for connection in connections:
            await connection.close()


async def connect(postgres_url: str) -> psycopg.AsyncConnection:
    connection = await session.connect_async(
        postgres_url, autocommit=True, application_name="ic_assets push", connect_timeout=10, **_KEEPALIVES
    )
    set_json_loads(orjson.loads, connection)
    set_json_dumps(orjson.dumps, connection)
    return connection


def table_of(object_type: str) -> sql.Identifier:
    """The derivative table of an object type."""
    return sql.Identifier("staging", BY_NAME[object_type].table)


def _only(row: tuple[Any, ...] | None) -> Any:
    return row[0] if row else None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
