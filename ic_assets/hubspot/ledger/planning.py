"""The plan of a push: what is to be created, changed or removed, read from staging in one snapshot, in which the caller
judges whether it may be sent. The claim sends what the plan names, while staging still says the same of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date

import psycopg

from ic_assets.activities.engine.judging.approval import Approval
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.hubspot.ledger.ledger import Ledger, table_of
from ic_assets.hubspot.push.scope import Scope

# Gets the id of the snapshot and the portal's id; raises ``Refused`` for what may not be sent.
Judge = Callable[[str, int], Approval | None]
_ATTEMPTS = 5
_PAUSE = 0.5
_MET_ANOTHER = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
# Above every push_id: nothing counts as later.
NEVER = 2**31 - 1


async def make_plan(ledger: Ledger, scope: Scope, judge: Judge | None) -> Approval | None:
    """Judges and plans in one snapshot, and brings the ledger in line with it. Raises ``Refused`` as ``judge`` does, and
    has planned nothing then."""
    approval = await _judged_and_planned(ledger, scope, judge)
    await apply_plan(ledger)
    async with ledger.connection() as connection:
        # The claim's plan depends on knowing that few rows are pending.
        await connection.execute("ANALYZE hubspot.push_ledger")
        await connection.execute("ANALYZE hubspot.push_plan")
    return approval


async def _judged_and_planned(ledger: Ledger, scope: Scope, judge: Judge | None) -> Approval | None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with ledger.connection() as connection:
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor = await connection.execute("SELECT pg_export_snapshot()")
                snapshot = str((await cursor.fetchone() or ("",))[0])
                # On a connection of its own, with the same snapshot. Nothing else is under way that it could hold up.
                approval = judge(snapshot, ledger.portal_id) if judge else None
                await plan_in(connection, ledger.portal_id, ledger.push_id, scope)
        except Exception as error:
            # Two that count the same figures at a time: the later one looks again.
            if attempt == _ATTEMPTS or not isinstance(error.__cause__ or error, _MET_ANOTHER):
                raise
            log.info("plan_repeated", push=ledger.push_id, attempt=attempt, why=type(error.__cause__ or error).__name__)
            await asyncio.sleep(_PAUSE * attempt)
        else:
            return approval
    raise AssertionError("unreachable")


async def plan_in(connection: psycopg.AsyncConnection, portal_id: int, push_id: int, scope: Scope) -> None:
    """Writes the plan, inside the caller's transaction, whose snapshot it is of."""
    values = {
        **scope.parameters,
        "portal_id": portal_id,
        "push_id": push_id,
        "include_orphans": scope.include_orphans,
    }
    for name in scope.types:
        for step in ("plan_wanted", "plan_vanished_parts"):
            await connection.execute(
                statement(f"activities/push/{step}", table=table_of(name)), {**values, "object_type": name}
            )
    await connection.execute(statement("activities/push/plan_moved"), values)
    await connection.execute(statement("activities/push/plan_deleted"), values)


async def apply_plan(ledger: Ledger) -> None:
    """Queues what is planned. Again, it takes up what was in doubt before."""
    async with ledger.connection() as connection:
        await apply_in(connection, ledger.portal_id, ledger.push_id, ledger.push_id)


async def apply_in(connection: psycopg.AsyncConnection, portal_id: int, push_id: int, latest: int) -> None:
    """``apply_plan`` inside the caller's transaction (a dry run rolls it back). ``latest``: what a push with a higher
    number has had in hand is left to it."""
    for step in ("apply_wanted", "apply_removals"):
        await connection.execute(
            statement(f"activities/push/{step}"), {"portal_id": portal_id, "push_id": push_id, "latest": latest}
        )


async def left_pending(ledger: Ledger) -> dict[tuple[str, date], int]:
    """What was planned and not sent, since staging says something else of it by now: (activity type, month) -> records."""
    left: dict[tuple[str, date], int] = {}
    async with ledger.connection() as connection:
        for activity in ACTIVITY_TYPES:
            cursor = await connection.execute(
                statement("activities/push/left_pending", table=table_of(activity.name)),
                {"portal_id": ledger.portal_id, "push_id": ledger.push_id, "object_type": activity.name},
            )
            for name, month, records in await cursor.fetchall():
                left[name, month] = left.get((name, month), 0) + records
    return left


async def counts_in(
    connection: psycopg.AsyncConnection, portal_id: int, scope: Scope
) -> dict[tuple[str, str, str], int]:
    """(object type, state, action or '') -> records of the ledger, in the scope."""
    async with connection.cursor() as cursor:
        await cursor.execute(statement("activities/push/scope_counts"), {**scope.parameters, "portal_id": portal_id})
        return {(row[0], row[1], row[2]): row[3] for row in await cursor.fetchall()}
