"""The push: plans what shall stand in HubSpot, sends it with several requests in flight, and ends with nothing unknown.

Whether it may be sent is judged in the snapshot of the plan, by a function of the caller's (``judgement``). The backup is
the caller's, before. No Dagster here.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import psycopg

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.logs import log
from ic_assets.core.rate_budget import SEARCH_RPS, RateBudget
from ic_assets.core.settings import Settings
from ic_assets.hubspot.client.client import (
    MAX_INPUTS,
    Declined,
    HubSpotClient,
    HubSpotTarget,
    Json,
    Portal,
    RequestRecord,
    StopForNow,
)
from ic_assets.hubspot.ledger.ledger import Ledger, connect, open_ledger
from ic_assets.hubspot.ledger.outgoing import Outgoings
from ic_assets.hubspot.ledger.planning import apply_plan, counts_in, left_pending, make_plan
from ic_assets.hubspot.ledger.rows import START, Outcome, Row
from ic_assets.hubspot.portal.setup import SetupReport, prepare
from ic_assets.hubspot.push import preview
from ic_assets.hubspot.push.approval import Judge
from ic_assets.hubspot.push.result import ACTIONS, TEST_RECORDS, Progress, PushOptions, PushResult
from ic_assets.hubspot.push.tally import Tally
from ic_assets.hubspot.sending.sender import Sender

__all__ = ["Progress", "PushOptions", "PushResult", "push"]


def push(
    postgres_url: str,
    settings: Settings,
    target: HubSpotTarget,
    outgoing: Outgoings,
    options: PushOptions,
    *,
    judge: Judge | None = None,
    progress: Callable[[Progress], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> PushResult:
    """Pushes what a flow has, or predicts (mode dry-run, which is not judged). Safe to kill at any moment and to run beside
    another push.

    Raises ``Refused`` (arguments, token, scopes, what ``judge`` refuses) and ``Unavailable`` (PostgreSQL, HubSpot at the
    start). HubSpot going away later, its daily limit, or the loss of the session that says that this worker lives, ends
    the run with ``stopped_reason``; the next push goes on from there.
    """
    options.check(outgoing)
    if target.id_property != settings.hubspot_id_property:
        raise Refused(
            f"the payloads carry {settings.hubspot_id_property}, the push is for {target.id_property};"
            " set IC_HUBSPOT_ID_PROPERTY to one of them"
        )
    types = outgoing.names if options.types is None else options.types
    options = replace(options, types=types, drop_missing=settings.hubspot_missing_association == "drop")
    try:
        return asyncio.run(_push(postgres_url, target, outgoing, options, judge, progress, sleep))
    except ExceptionGroup as group:
        # Several batches were under way: a person needs to know what went wrong first.
        first: Exception = group
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, psycopg.OperationalError):
            raise Unavailable(f"PostgreSQL went away ({type(first).__name__}); push again, it goes on") from group
        raise first from group


async def _push(
    postgres_url: str,
    target: HubSpotTarget,
    outgoing: Outgoings,
    options: PushOptions,
    judge: Judge | None,
    progress: Callable[[Progress], None] | None,
    sleep: Callable[[float], Awaitable[None]],
) -> PushResult:
    started = time.monotonic()
    async with open_ledger(postgres_url, outgoing, pause=options.pause) as ledger:
        tally = Tally(options.scope(outgoing).types, outgoing.shown)

        def note(record: RequestRecord) -> None:
            ledger.note_request(record)
            tally.request(record)

        client = HubSpotClient(target, sleep=sleep, on_request=note)
        budgets: list[Any] = []
        try:
            await enter_portal(postgres_url, ledger, client, sleep, budgets)
            if options.mode == "dry-run":
                return await preview.dry_run(ledger, client, options, started)
            return await _Run(ledger, client, options, tally, judge, progress, sleep).run()
        except StopForNow as reason:  # before the run began
            raise Unavailable(f"nothing was sent: {reason}") from reason
        except Declined as refusal:
            what = refusal.problem
            raise Refused(
                f"HubSpot refused a request ({refusal.status}: {what.words}, correlation id {what.correlation_id});"
                " nothing was lost, push again once that is mended"
            ) from refusal
        finally:
            await client.close()
            for connection in budgets:
                await connection.close()


async def enter_portal(
    postgres_url: str,
    ledger: Ledger,
    client: HubSpotClient,
    sleep: Callable[[float], Awaitable[None]],
    opened: list[Any],
) -> Portal:
    """Asks which portal the token belongs to, and opens its budgets. The caller closes the connections ``opened``.

    The request that asks draws on the budget of the portal last met at this address, nearly always the same one:
    workers that start while others are at it would otherwise each send one request too many.
    """
    likely = await ledger.last_portal(client.target.base_url)
    if likely is not None:
        client.budget, client.search_budget = await _open_budgets(postgres_url, client, likely, 0, sleep, opened)
    portal = await client.open()
    await ledger.know_portal(portal, client.target.base_url)
    if portal.portal_id != likely:
        client.budget, client.search_budget = await _open_budgets(
            postgres_url, client, portal.portal_id, client.requests, sleep, opened
        )
    return portal


async def _open_budgets(
    postgres_url: str,
    client: HubSpotClient,
    portal_id: int,
    already_sent: int,
    sleep: Callable[[float], Awaitable[None]],
    opened: list[Any],
) -> tuple[RateBudget, RateBudget]:
    """A portal's shared budgets, for everything and for searches."""
    pair = []
    for kind, rps in (("any", client.target.rps), ("search", SEARCH_RPS)):
        connection = await connect(postgres_url)
        opened.append(connection)
        pair.append(RateBudget(connection, portal_id, min(rps, client.target.rps), kind=kind, sleep=sleep))
    await pair[0].open(already_sent=already_sent)
    await pair[1].open()
    return pair[0], pair[1]


class _Run:
    """One push in mode test or production."""

    def __init__(
        self,
        ledger: Ledger,
        client: HubSpotClient,
        options: PushOptions,
        tally: Tally,
        judge: Judge | None,
        progress: Callable[[Progress], None] | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.ledger = ledger
        self.client = client
        self.options = options
        self.scope = options.scope(ledger.outgoing)
        self.tally = tally
        self.result = PushResult(options.mode, portal_id=ledger.portal_id)
        self._judge = judge
        self._progress = progress
        self._sleep = sleep
        self._started = time.monotonic()
        self._setup: SetupReport | None = None
        self._setup_lock = asyncio.Lock()
        self._sender = Sender(client, ledger, self._known_setup, tally.settled, options)
        self._claiming = asyncio.Lock()
        self._position: dict[tuple[str, str], tuple[str, int]] = {}
        self._stopped: Exception | None = None

    async def run(self) -> PushResult:
        await self.ledger.start(
            self.options.mode, self.options.run_id, self._recorded_options(), self.options.approved_by
        )
        self.client.before_send = self.ledger.assert_alive
        self.result.push_id = self.ledger.push_id
        ended = "stopped"  # also when the process is interrupted
        try:
            await self.ledger.become_current()
            try:
                if await self.ledger.take_over_dead():
                    await self._resolve_due()
                await self._plan()
                await self._settle_everything()
            except (StopForNow, Unavailable) as reason:
                self.result.stopped_reason = str(reason)
                log.info("stopped", push=self.ledger.push_id, why=type(reason).__name__)
            ended = "stopped" if self.result.stopped_reason else "done"
        except Refused:
            ended = "refused"
            raise
        finally:
            await self._finish_counts()
            await self.ledger.finish(ended, self.result.to_json(), self.result.stopped_reason)
        return self.result

    def _recorded_options(self) -> Json:
        recorded = asdict(self.options)
        recorded["months"] = [f"{m:%Y-%m}" for m in self.options.months] if self.options.months else None
        return {**recorded, "rps": self.client.target.rps, "api": self.client.target.api}

    # -- the work -------------------------------------------------------------------------------------------------

    async def _plan(self) -> None:
        approval = await make_plan(self.ledger, self.scope, self._judge)
        if approval is not None:
            await self.ledger.record_approval(approval.approval_id, approval.approved_by)
            self.result.approval = f"{approval.approved_by}, {approval.approved_at:%Y-%m-%d %H:%M} UTC"
        limit = self.options.limit
        if self.options.mode == "test":
            limit = min(TEST_RECORDS, limit or TEST_RECORDS)
        busy = self.tally.planned(await self._counts(), limit)
        # All at once, before the first record: a look at each type when its turn comes would interrupt the sending.
        await self._prepare_types([name for name in self.ledger.outgoing.names if name in busy])

    async def _settle_everything(self) -> None:
        waited = False
        while True:
            worked = False
            for action in ACTIONS:
                worked |= await self._work_off(action)
            resolved, seconds = await self._resolve_due()
            if seconds is None and not worked and not resolved:
                if not self.tally.must_plan_again:
                    return
                self.tally.must_plan_again = False
                await apply_plan(self.ledger)
                continue
            if seconds is not None and seconds > 1:
                log.info(
                    "waits", push=self.ledger.push_id, seconds=round(seconds, 1), what="requests without an answer"
                )
                if not waited:
                    self._tell(
                        f"Waits {seconds:.0f} s before it asks HubSpot what became of requests that had no answer: they "
                        "may still be carried out (IC_HUBSPOT_RECHECK_SECONDS)."
                    )
            waited = seconds is not None and seconds > 1
            await self._sleep(min(max(seconds or 0.0, 0.0), 5.0))

    async def _resolve_due(self) -> tuple[bool, float | None]:
        """Looks up what may be looked up now. Returns whether there was any (some may be pending again), and the seconds
        until the next look, None when nothing is unknown."""
        left, _ = await self.ledger.unknown_left()
        await self._prepare_types(left)
        resolved = await self._sender.resolve_due(left)
        left, seconds = await self.ledger.unknown_left()
        return resolved, seconds if left else None

    async def _work_off(self, action: str) -> bool:
        """Several requests in flight until no row of this action is left to claim. True when there was any."""
        # A removal belongs to the type that the source had.
        open_types = [
            one.object_type
            for one in self.ledger.outgoing.types
            if action == "remove" or one.object_type in self.scope.types or one.continues
        ]
        worked = False

        async def work() -> None:
            nonlocal worked
            while self._stopped is None:
                async with self._claiming:
                    rows: list[Row] = []
                    while open_types and not rows:
                        rows = await self._claim(open_types[0], action)
                        if not rows:
                            open_types.pop(0)
                if not rows:
                    return
                worked = True
                try:
                    await self._send(rows)
                except (StopForNow, Refused, Declined, psycopg.Error) as reason:
                    # The other batches under way are settled before the run ends.
                    self._stopped = self._stopped or reason
                self._tell()

        # Enough to keep the budget full at 1.5 s latency; each waits for its own slot.
        workers = min(100, math.ceil(self.client.target.rps * 1.5) + 3)
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        if self._stopped:
            raise self._stopped
        return worked

    async def _send(self, rows: list[Row]) -> None:
        try:
            await self._prepare_types([rows[0].object_type])
        except (StopForNow, Refused, Declined):
            # Not one of them was sent: nothing about them is unknown.
            await self.ledger.settle(rows[0].object_type, [Outcome(row, "pending") for row in rows])
            raise
        await self._sender.push(rows)

    async def _claim(self, object_type: str, action: str) -> list[Row]:
        limit = self.tally.allowed(object_type, MAX_INPUTS)
        if limit <= 0:
            return []
        after = self._position.get((object_type, action), START)
        rows = await self.ledger.claim(object_type, action, after, limit)
        if len(rows) < limit and after != START:
            # What came back to pending lies before the position.
            self._position[object_type, action] = START
            rows += await self.ledger.claim(object_type, action, START, limit - len(rows))
        if rows:
            self._position[object_type, action] = rows[-1].place
        self.tally.claimed(object_type, len(rows))
        return rows

    def _known_setup(self) -> SetupReport:
        if self._setup is None:
            raise RuntimeError("a batch was sent before the portal was examined")
        return self._setup

    async def _prepare_types(self, object_types: Iterable[str]) -> None:
        """Examines the portal once per object type that has work; a push with nothing to do asks nothing."""
        async with self._setup_lock:
            missing = [name for name in object_types if self._setup is None or name not in self._setup.types]
            if not missing:
                return
            report = await prepare(self.client, self.ledger, missing, create=True)
            if self._setup is None:
                self._setup = report
            else:
                self._setup.types.update(report.types)
                self._setup.warnings.extend(report.warnings)

    # -- counting -------------------------------------------------------------------------------------------------

    async def _counts(self) -> dict[tuple[str, str, str], int]:
        async with self.ledger.connection() as connection:
            return await counts_in(connection, self.ledger.portal_id, self.scope)

    async def _finish_counts(self) -> None:
        unknown, _ = await self.ledger.unknown_left()
        for object_type, records in unknown.items():
            self.tally.of(object_type)["unknown"] += records
        for (object_type, state, _action), records in (await self._counts()).items():
            if state == "held":
                self.tally.of(object_type)["held"] += records
        if self._setup is not None:
            self.result.guarantee = self._setup.guarantee
            self.result.warnings = sorted(set(self._setup.warnings))
        left = await left_pending(self.ledger)
        self.tally.write(self.result, left, self._started)
        if left:
            log.info("left_pending", push=self.ledger.push_id, records=sum(left.values()), where=self.result.left)
        if self.result.edited:
            log.info("held_edited", push=self.ledger.push_id, records=self.result.edited)
        self.result.requests = self.client.requests
        self.result.seconds = round(time.monotonic() - self._started, 3)

    def _tell(self, waits_for: str = "") -> None:
        if self._progress is not None:
            seconds = time.monotonic() - self._started
            self._progress(Progress(self.tally.done, self.tally.total, self.client.requests, seconds, waits_for))
