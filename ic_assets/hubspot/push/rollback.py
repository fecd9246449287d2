"""Takes a push back: re-reads each record, holds back what people changed since, archives the rest, and keeps a record
of what it found. Undoes creations only: what an update overwrote is not kept anywhere.

First it takes over what pushes and roll-backs that died had in hand of its selection, so that it is complete when it says
so: what of it stands is treated like the rest.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ic_assets.core import locks
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import MAX_INPUTS, Declined, HubSpotClient, HubSpotTarget, Json, StopForNow
from ic_assets.hubspot.ledger.ledger import Ledger, open_ledger
from ic_assets.hubspot.ledger.outgoing import Outgoing, Outgoings, relation
from ic_assets.hubspot.ledger.rows import START, Outcome, Row
from ic_assets.hubspot.portal.setup import SetupReport, TypeSetup, prepare
from ic_assets.hubspot.push.result import PushOptions
from ic_assets.hubspot.push.run import enter_portal
from ic_assets.hubspot.sending import edits
from ic_assets.hubspot.sending.change import Change
from ic_assets.hubspot.sending.sender import Sender

# Held records that are named; the table hubspot.push_rollback_record has all.
_NAMED = 200


@dataclass(frozen=True)
class RollbackSelection:
    """Which records: every criterion that is given must hold. ``run_id``: what one push created, by the id that was given
    to ``push`` or by the number of the push. ``types``: object types of the flow, None: all. ``months``: first days of the
    first and the last month, both included. ``ids``: record keys."""

    run_id: str | None = None
    types: Sequence[str] | None = None
    months: tuple[date, date] | None = None
    ids: Sequence[int | str] | None = None

    def parameters(self, outgoing: Outgoings, push_ids: list[int] | None) -> Json:
        """Of the statements that select records to take back."""
        ids = None if self.ids is None else [str(one) for one in self.ids]
        return {**outgoing.scope(self.types, self.months).parameters, "push_ids": push_ids, "ids": ids}

    def recorded(self, outgoing: Outgoings) -> Json:
        months = [f"{month:%Y-%m}" for month in self.months] if self.months else None
        ids = None if self.ids is None else list(self.ids)
        return {"run_id": self.run_id, "types": list(self.types or outgoing.names), "months": months, "ids": ids}


@dataclass
class RollbackResult:
    """``found = archived + held_back + already_gone + failed``, unless ``stopped_reason`` says why not all were looked at.
    A dry run counts under ``archived`` what would be. ``taken_over``: what pushes and roll-backs that died had in hand of
    the selection (a dry run leaves it there, and counts it here alone). What a roll-back that died turns out to have
    archived is counted under ``archived``. ``held`` names the first of those held back: type, key, HubSpot's id, reason."""

    portal_id: int
    dry_run: bool
    found: int = 0
    archived: int = 0
    held_back: int = 0
    already_gone: int = 0
    failed: int = 0
    taken_over: int = 0
    requests: int = 0
    held_back_by_reason: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed_by_reason: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: list[Json] = field(default_factory=list)
    stopped_reason: str | None = None


@dataclass(frozen=True)
class _Look:
    """One record as it was found: ``outcome`` archived (may be), held_back or already_gone."""

    row: Row
    outcome: str
    before: Json
    reason: str | None = None


def rollback(
    postgres_url: str,
    target: HubSpotTarget,
    outgoing: Outgoings,
    selection: RollbackSelection,
    *,
    dry_run: bool = True,
    recheck_seconds: float | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> RollbackResult:
    """Takes back what ``selection`` names in the portal of ``target``. Resumable; a second one finds nothing to do.
    ``recheck_seconds`` as in ``PushOptions``.

    Raises ``Refused`` (unknown run or type, token) and ``Unavailable``.
    """
    options = PushOptions(types=selection.types, months=selection.months, recheck_seconds=recheck_seconds)
    options.check(outgoing)
    return asyncio.run(_rollback(postgres_url, target, outgoing, selection, options, dry_run, sleep))


async def _rollback(
    postgres_url: str,
    target: HubSpotTarget,
    outgoing: Outgoings,
    selection: RollbackSelection,
    options: PushOptions,
    dry_run: bool,
    sleep: Callable[[float], Awaitable[None]],
) -> RollbackResult:
    async with open_ledger(postgres_url, outgoing, pause=options.pause) as ledger:
        client = HubSpotClient(target, sleep=sleep, on_request=ledger.note_request)
        opened: list[Any] = []
        try:
            portal = await enter_portal(postgres_url, ledger, client, sleep, opened)
            chosen = selection.parameters(outgoing, await _pushes(ledger, selection.run_id))
            result = RollbackResult(portal.portal_id, dry_run)
            if not dry_run:
                await ledger.start("rollback", None, selection.recorded(outgoing), None)
                client.before_send = ledger.assert_alive
            try:
                await _Rollback(ledger, client, chosen, options, result, sleep).run()
            except (StopForNow, Unavailable) as reason:
                result.stopped_reason = str(reason)
            except Declined as refusal:
                raise Refused(f"HubSpot refused a request of the roll-back: {refusal.problem.words}") from refusal
            finally:
                result.requests = client.requests
                if not dry_run:
                    names = ("found", "archived", "held_back", "already_gone", "failed", "taken_over")
                    counts = {name: getattr(result, name) for name in names}
                    await ledger.finish("stopped" if result.stopped_reason else "done", counts, result.stopped_reason)
            return result
        finally:
            await client.close()
            for connection in opened:
                await connection.close()


async def _pushes(ledger: Ledger, run_id: str | None) -> list[int] | None:
    if run_id is None:
        return None
    async with ledger.connection() as connection:
        cursor = await connection.execute(
            "SELECT push_id FROM hubspot.push_run WHERE %s IN (run_id, push_id::text) AND portal_id = %s",
            (run_id, ledger.portal_id),
        )
        pushes = [row[0] for row in await cursor.fetchall()]
    if not pushes:
        raise Refused(
            f"no push {run_id!r} went to portal {ledger.portal_id}; the push completion report lists them"
            " (`ic-assets report`)"
        )
    return pushes


class _Rollback:
    """One roll-back, or its dry run. ``chosen``: the selection's parameters."""

    def __init__(
        self,
        ledger: Ledger,
        client: HubSpotClient,
        chosen: Json,
        options: PushOptions,
        result: RollbackResult,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._chosen = {**chosen, "portal_id": ledger.portal_id}
        self._options = options
        self._result = result
        self._sleep = sleep
        self._changed_hands = 0

    async def run(self) -> None:
        if self._result.dry_run:
            self._result.taken_over = sum(records for _, is_alive, records in await self._in_hand() if not is_alive)
            await self._take_back()
            return
        await self._take_over()
        await self._take_back()
        busy = await self._in_hand()
        if busy or self._changed_hands:
            records = sum(records for _, _, records in busy) + self._changed_hands
            workers = ", ".join(f"push {worker}" for worker, _, _ in busy) or "another push"
            self._result.stopped_reason = (
                f"{records} records of the selection were or are in the hands of {workers}; run the roll-back again when "
                "that has ended"
            )

    async def _in_hand(self) -> list[tuple[int, bool, int]]:
        """Worker, whether it lives, records of the selection in its hands."""
        async with self._ledger.connection() as connection:
            cursor = await connection.execute(
                statement("hubspot/push/rollback_in_hand"), {**self._chosen, "class": locks.WORKER}
            )
            return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]

    # -- what the dead had in hand --------------------------------------------------------------------------------

    async def _take_over(self) -> None:
        self._result.taken_over = await self._ledger.take_over_dead(self._chosen)
        setup: SetupReport | None = None

        def known() -> SetupReport:
            if setup is None:
                raise RuntimeError("a record was looked up before the portal was examined")
            return setup

        sender = Sender(self._client, self._ledger, known, self._resolved, self._options, takes_back=True)
        while True:
            left, seconds = await self._ledger.unknown_left()
            if not left:
                break
            if setup is None:
                setup = await prepare(self._client, self._ledger, list(left), create=False)
            if not await sender.resolve_due(left):
                log.info("waits", push=self._ledger.push_id, seconds=round(seconds, 1), what="what a dead push sent")
                await self._sleep(min(max(seconds, 0.02), 5.0))
        async with self._ledger.connection() as connection:
            await connection.execute(statement("hubspot/push/rollback_settled"), {"portal_id": self._ledger.portal_id})

    def _resolved(self, outcomes: Sequence[Outcome]) -> None:
        """What turns out to be archived is done. What stands comes up with the rest; what is not there never was."""
        gone = sum(outcome.what == "removed" for outcome in outcomes)
        self._result.found += gone
        self._result.archived += gone

    # -- the rest -------------------------------------------------------------------------------------------------

    async def _take_back(self) -> None:
        for one in self._ledger.outgoing.types:
            state, after = TypeSetup(one), START
            while rows := await self._rows(one, after):
                after = rows[-1].place
                looks = await _look(self._client, state, rows)
                if not self._result.dry_run:
                    looks = await self._carry_out(state, looks)
                _count(self._result, looks)

    async def _rows(self, outgoing: Outgoing, after: tuple[str, int]) -> list[Row]:
        values = {
            **self._chosen,
            "object_type": outgoing.object_type,
            "after_key": after[0],
            "after_part": after[1],
            "row_limit": MAX_INPUTS,
        }
        query = statement("hubspot/push/rollback_rows", desired=relation(outgoing.desired))
        async with self._ledger.connection() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()

    async def _carry_out(self, state: TypeSetup, looks: Sequence[_Look]) -> list[_Look]:
        """Archives, settles and records one batch. Rows that changed hands since they were read are left out."""
        held = [look for look in looks if look.outcome == "held_back"]
        chosen = await self._claimed(state, [look for look in looks if look.outcome != "held_back"])
        self._changed_hands += len(looks) - len(held) - len(chosen)
        change = Change(self._client, state, self._ledger, self._options)
        doomed = [look.row for look in chosen if look.outcome == "archived"]
        try:
            if doomed:
                await change.remove(doomed)
        except (StopForNow, Refused, Declined):
            await self._give_back(state, chosen, change)
            raise
        outcomes = {outcome.row.key: outcome for outcome in change.outcomes}
        done = [_settled(look, outcomes.get(look.row.key)) for look in chosen]
        refused = [outcome for outcome in change.outcomes if outcome.what == "failed"]
        gone = [Outcome(look.row, "removed") for look in done if look.outcome != "failed"]
        await self._settle(state, [*gone, *refused], done, held)
        return [*done, *held]

    async def _claimed(self, state: TypeSetup, looks: Sequence[_Look]) -> list[_Look]:
        if not looks:
            return []
        rows = [{**_identity(look.row), "hash": look.row.pushed_hash, "before": look.before} for look in looks]
        async with self._ledger.connection() as connection:
            cursor = await connection.execute(
                statement("hubspot/push/rollback_claim"),
                {
                    "portal_id": self._ledger.portal_id,
                    "object_type": state.object_type,
                    "worker": self._ledger.push_id,
                    "rows": Jsonb(rows),
                },
            )
            taken = {(row[0], row[1]) for row in await cursor.fetchall()}
        return [look for look in looks if look.row.place in taken]

    async def _give_back(self, state: TypeSetup, looks: Sequence[_Look], change: Change) -> None:
        """HubSpot is away in the middle of a batch: what was not sent is as it was, the rest is of unknown outcome."""
        decided = {outcome.row.key: outcome for outcome in change.outcomes}
        outcomes = list(decided.values())
        done = [_settled(look, decided[look.row.key]) for look in looks if look.row.key in decided]
        for look in looks:
            row = look.row
            if row.key in decided:
                continue
            if look.outcome == "archived" and change.in_doubt:
                outcomes.append(Outcome(row, "unknown"))
            elif row.pushed_hash is not None:
                outcomes.append(Outcome(row, "pushed", row.hubspot_id, row.pushed_hash, row.pushed))
            else:
                outcomes.append(Outcome(row, "pending"))
        await self._settle(state, outcomes, done, [], in_doubt=change.in_doubt)
        _count(self._result, done)

    async def _settle(
        self,
        state: TypeSetup,
        outcomes: Sequence[Outcome],
        done: Sequence[_Look],
        held: Sequence[_Look],
        *,
        in_doubt: bool = False,
    ) -> None:
        """The ledger and the roll-back's own record, in one transaction."""
        ids = {"portal_id": self._ledger.portal_id, "push_id": self._ledger.push_id}
        records = [{"hubspot_id": k.row.hubspot_id, "outcome": k.outcome, "reason": k.reason} for k in done]
        kept = [{**_identity(look.row), "before": look.before, "reason": look.reason} for look in held]
        async with self._ledger.connection() as connection:
            await self._ledger.settle_in(connection, state.object_type, outcomes, in_doubt=in_doubt)
            if records:
                await connection.execute(statement("hubspot/push/rollback_record"), {**ids, "outcomes": Jsonb(records)})
            if kept:
                await connection.execute(
                    statement("hubspot/push/rollback_held"),
                    {**ids, "object_type": state.object_type, "rows": Jsonb(kept)},
                )


def _count(result: RollbackResult, looks: Sequence[_Look]) -> None:
    for look in looks:
        result.found += 1
        setattr(result, look.outcome, getattr(result, look.outcome) + 1)
        if look.outcome == "held_back":
            result.held_back_by_reason[look.reason or ""] += 1
            if len(result.held) < _NAMED:
                result.held.append(_name(look))
        elif look.outcome == "failed":
            result.failed_by_reason[look.reason or "no reason given"] += 1


def _name(look: _Look) -> Json:
    row = look.row
    return {
        "type": row.object_type,
        "communication": row.record_key if row.part == 1 else f"{row.record_key}/{row.part}",
        "hubspot_id": row.hubspot_id,
        "reason": look.reason,
    }


async def _look(client: HubSpotClient, state: TypeSetup, rows: Sequence[Row]) -> list[_Look]:
    found = await edits.look(client, state, rows, {row.key: edits.ALL_TARGETS for row in rows})
    looks = []
    for row in rows:
        current = found.get(row.hubspot_id or 0)
        if current is None:
            looks.append(_Look(row, "already_gone", {}))
            continue
        links = sorted([target, other] for target, other in {*current.links, *current.by_itself})
        before = {"properties": dict(current.properties), "associations": links}
        reason = _edited(state.outgoing, row, current, client.target.id_property)
        looks.append(_Look(row, "held_back" if reason else "archived", before, reason))
    return looks


def _edited(outgoing: Outgoing, row: Row, found: edits.Found, id_property: str) -> str | None:
    """What people did to the record since we wrote it; None: nothing."""
    if row.pushed is None or edits.is_untellable(row):
        return edits.UNCERTAIN
    return edits.changed_property(outgoing, row, found.properties, id_property) or edits.changed_link(
        outgoing, row, found
    )


def _settled(look: _Look, outcome: Outcome | None) -> _Look:
    if outcome is None or outcome.what != "failed":
        return look
    return _Look(look.row, "failed", look.before, outcome.problem.words if outcome.problem else None)


def _identity(row: Row) -> Json:
    return {"record_key": row.record_key, "part": row.part, "hubspot_id": row.hubspot_id}
