"""The plan of a push: what is to be created, changed or removed, read from the flow's views in one snapshot, in which the
caller judges whether it may be sent. The claim sends what the plan names, while the flow still says the same of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg

from ic_assets.core.sql import statement
from ic_assets.hubspot.ledger.ledger import Ledger
from ic_assets.hubspot.ledger.outgoing import Outgoings, relation
from ic_assets.hubspot.push.approval import Approval, Judge
from ic_assets.hubspot.push.scope import Scope
from ic_assets.resources.postgres import again_async

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
    async def once() -> Approval | None:
        async with ledger.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor = await connection.execute("SELECT pg_export_snapshot()")
            snapshot = str((await cursor.fetchone() or ("",))[0])
            # On a connection of its own, with the same snapshot. Nothing else is under way that it could hold up.
            approval = judge(snapshot, ledger.portal_id) if judge else None
            await plan_in(connection, ledger.outgoing, Of(ledger.portal_id, ledger.push_id), scope)
            return approval

    # Two that count the same figures at a time: the later one looks again.
    return await again_async("plan", once)


@dataclass(frozen=True)
class Of:
    """Whose plan it is: ``push_id`` below 0 is that of a dry run."""

    portal_id: int
    push_id: int


async def plan_in(connection: psycopg.AsyncConnection, outgoing: Outgoings, of: Of, scope: Scope) -> None:
    """Writes the plan, inside the caller's transaction, whose snapshot it is of."""
    values = {
        **scope.parameters,
        "portal_id": of.portal_id,
        "push_id": of.push_id,
        "include_orphans": scope.include_orphans,
    }
    for one in outgoing.types:
        if one.object_type in scope.types or one.continues:
            await connection.execute(
                statement("hubspot/push/plan_wanted", desired=relation(one.desired)),
                {**values, "object_type": one.object_type},
            )
    for one in (one for one in outgoing.types if one.continues):
        for name in scope.types:
            views = {"first": relation(outgoing.of(name).desired), "desired": relation(one.desired)}
            await connection.execute(
                statement("hubspot/push/plan_vanished_parts", **views),
                {**values, "object_type": one.object_type, "activity_type": name},
            )
    await connection.execute(statement("hubspot/push/plan_moved", sources=relation(outgoing.sources)), values)
    await connection.execute(statement("hubspot/push/plan_deleted", deleted=relation(outgoing.deleted)), values)


async def apply_plan(ledger: Ledger) -> None:
    """Queues what is planned. Again, it takes up what was in doubt before."""

    async def once() -> None:
        async with ledger.connection() as connection:
            await apply_in(connection, ledger.outgoing, Of(ledger.portal_id, ledger.push_id), ledger.push_id)

    # Another push may queue the same records, in another order.
    await again_async("plan", once)


async def apply_in(connection: psycopg.AsyncConnection, outgoing: Outgoings, of: Of, latest: int) -> None:
    """``apply_plan`` inside the caller's transaction (a dry run rolls it back). ``latest``: what a push with a higher
    number has had in hand is left to it."""
    values = {"portal_id": of.portal_id, "push_id": of.push_id, "latest": latest}
    await connection.execute(statement("hubspot/push/apply_wanted"), {**values, "held_because": outgoing.held_because})
    await connection.execute(statement("hubspot/push/apply_removals", deleted=relation(outgoing.deleted)), values)


async def left_pending(ledger: Ledger) -> dict[tuple[str, date], int]:
    """What was planned and not sent, since the flow says something else of it by now: (activity type, month) ->
    records."""
    left: dict[tuple[str, date], int] = {}
    async with ledger.connection() as connection:
        for one in ledger.outgoing.types:
            cursor = await connection.execute(
                statement("hubspot/push/left_pending", desired=relation(one.desired), **ledger.outgoing.views),
                {"portal_id": ledger.portal_id, "push_id": ledger.push_id, "object_type": one.object_type},
            )
            for name, month, records in await cursor.fetchall():
                left[name, month] = left.get((name, month), 0) + records
    return left


async def counts_in(
    connection: psycopg.AsyncConnection, portal_id: int, scope: Scope
) -> dict[tuple[str, str, str], int]:
    """(object type, state, action or '') -> records of the ledger, in the scope."""
    async with connection.cursor() as cursor:
        await cursor.execute(statement("hubspot/push/scope_counts"), {**scope.parameters, "portal_id": portal_id})
        return {(row[0], row[1], row[2]): row[3] for row in await cursor.fetchall()}
