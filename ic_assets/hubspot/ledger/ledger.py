"""The push ledger: which record shall stand, stands, or may stand in which portal, and who has it in hand.

Every statement is a file of ``sql/hubspot/ledger``; this module binds values and owns the connections. What shall stand is
a view of the flow's (``outgoing.py``); a worker is one ``push_run`` row and lives as long as its lock (``worker.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads

from ic_assets.core import locks, masking, session
from ic_assets.core.failures import Unavailable
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import Json, Portal, RequestRecord
from ic_assets.hubspot.ledger.outgoing import NOTHING, Outgoings, relation
from ic_assets.hubspot.ledger.rows import Outcome, Row
from ic_assets.hubspot.ledger.worker import WorkerLock, first_line
from ic_assets.resources.postgres import again_async

_CONNECTIONS = 3
# A client that vanished, or a connection that a firewall or a proxy dropped, shows within two minutes on both ends.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}


@dataclass
class Ledger:
    """The ledger of one portal, as one worker sees it, for what one flow sends. Made by ``open_ledger``."""

    pool: asyncio.Queue[psycopg.AsyncConnection]
    lock: WorkerLock
    outgoing: Outgoings = NOTHING
    portal_id: int = 0
    push_id: int = 0
    pause: float = 120.0
    requests: list[RequestRecord] = field(default_factory=list)

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
        await self.lock.take(self.push_id)

    async def assert_alive(self) -> None:
        """Whether this worker still has its lock: one round trip, right before bytes leave. Raises ``LostLock``."""
        await self.lock.assert_held(self.push_id)

    async def record_approval(self, approval_id: int, approved_by: str) -> None:
        async with self.connection() as connection:
            await connection.execute(
                "UPDATE hubspot.push_run SET approval_id = %s, approved_by = %s WHERE push_id = %s",
                (approval_id, approved_by, self.push_id),
            )

    async def become_current(self) -> None:
        """From now on the push columns of the flow's tables speak of this portal."""
        async with self.connection() as connection:
            cursor = await connection.execute("SELECT portal_id FROM hubspot.v_current_portal")
            before = await cursor.fetchone()
            await connection.execute(
                "UPDATE hubspot.portal SET last_pushed_at = clock_timestamp() WHERE portal_id = %s", (self.portal_id,)
            )
            if before is None or before[0] == self.portal_id:
                return
            for one in self.outgoing.types:
                await connection.execute(
                    one.adopt(), {"object_type": one.object_type, "window_start": date.min, "window_end": date.max}
                )

    async def finish(self, result: str, counts: Json, stopped_reason: str | None) -> None:
        """Ends the run and drops its plan, and those that killed ones left behind."""
        await self.flush_requests()
        async with self.connection() as connection:
            await connection.execute(
                statement("hubspot/ledger/drop_plans"), {"class": locks.WORKER, "worker": self.push_id}
            )
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
                    statement("hubspot/ledger/take_over"),
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

    async def claim(self, object_type: str, action: str, after: tuple[str, int], limit: int) -> list[Row]:
        """Takes up rows of this worker's plan that come after a place."""
        desired = relation(self.outgoing.of(object_type).desired)
        query = statement("hubspot/ledger/claim", desired=desired, **self.outgoing.views)
        values = {
            "portal_id": self.portal_id,
            "object_type": object_type,
            "action": action,
            "after_key": after[0],
            "after_part": after[1],
            "row_limit": limit,
            "worker": self.push_id,
        }

        async def once() -> list[Row]:
            async with self.connection() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
                await cursor.execute(query, values)
                return sorted(await cursor.fetchall(), key=lambda row: row.place)

        return await again_async("claim", once)

    async def unknown_due(self, object_type: str, limit: int) -> list[Row]:
        values = {
            "portal_id": self.portal_id,
            "object_type": object_type,
            "worker": self.push_id,
            "row_limit": limit,
        }
        query = statement("hubspot/ledger/unknown_due", desired=relation(self.outgoing.of(object_type).desired))
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
        """Writes outcomes of rows of one object type; the flow's tables follow in the same transaction. ``in_doubt``: what
        was sent may come through once more within the pause."""

        async def once() -> None:
            async with self.connection() as connection:
                await self.settle_in(connection, object_type, outcomes, in_doubt=in_doubt)

        # A stage that writes the same rows of the flow may have them in another order.
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
            "outcomes": Jsonb([outcome.settlement() for outcome in outcomes]),
        }
        cursor = await connection.execute(statement("hubspot/ledger/settle"), values)
        settled = [key for key, part in await cursor.fetchall() if part == 1]
        if settled:
            await connection.execute(
                self.outgoing.of(object_type).follow(),
                {"portal_id": self.portal_id, "object_type": object_type, "record_keys": settled},
            )


@asynccontextmanager
async def open_ledger(
    postgres_url: str, outgoing: Outgoings = NOTHING, *, pause: float = 120.0
) -> AsyncIterator[Ledger]:
    """Connects. Raises ``Unavailable`` when the database cannot be reached or goes away under the worker, whose claims
    the next push then takes over."""
    connections: list[psycopg.AsyncConnection] = []
    try:
        try:
            for _ in range(_CONNECTIONS + 1):
                connections.append(await connect(postgres_url))
        except psycopg.OperationalError as error:
            raise Unavailable(f"PostgreSQL cannot be reached: {first_line(error)}; check IC_POSTGRES_URL") from error
        pool: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
        for connection in connections[1:]:
            pool.put_nowait(connection)
        try:
            yield Ledger(pool, WorkerLock(connections[0]), outgoing, pause=pause)
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"PostgreSQL went away during the push: {first_line(error)}; push again to resume"
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


def _only(row: tuple[Any, ...] | None) -> Any:
    return row[0] if row else None
