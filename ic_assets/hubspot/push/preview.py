"""The dry run: what a push would do, asked of HubSpot by key, without writing anything there.

The plan runs in a transaction that is rolled back, so that no row is claimed, queued or locked for long.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import class_row

from ic_assets.core.rate_budget import SPACING, Pace
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import MAX_INPUTS, HubSpotClient, Json
from ic_assets.hubspot.ledger.ledger import Ledger
from ic_assets.hubspot.ledger.outgoing import Outgoing, relation
from ic_assets.hubspot.ledger.planning import NEVER, Of, apply_in, counts_in, plan_in
from ic_assets.hubspot.ledger.rows import Row
from ic_assets.hubspot.portal.setup import SetupReport, TypeSetup, prepare
from ic_assets.hubspot.push.result import NAMED, PushOptions, PushResult, fill
from ic_assets.hubspot.push.scope import Scope
from ic_assets.hubspot.sending import edits, lookup, records

# `setup` on one object type: the property, the search for an old probe, the probe twice, its removal.
SETUP_REQUESTS = 5


@dataclass
class Forecast:
    """What one object type would take, of so many ``rows``. ``requests`` are those of the real push. ``overwrites``: what
    people changed is not held."""

    overwrites: bool = False
    rows: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    conflicts: int = 0
    actions: set[str] = field(default_factory=set)
    edits: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class _Planned:
    """One row of the plan, as it waits on disk. ``added``, ``removed``: the targets whose associations change. ``compared``:
    of an update, what tells whether people changed the record."""

    key: str
    record_key: str
    part: int
    action: str
    hubspot_id: int | None
    has_properties: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    compared: Json | None = None

    def row(self, object_type: str) -> Row:
        kept: Json = self.compared or {}
        return Row(
            self.record_key, object_type, self.part, object_type, self.action, self.hubspot_id, 0, 0,
            kept.get("pushed"), _uuid(kept.get("hash")), kept.get("payload"), earlier_hash=_uuid(kept.get("earlier_hash")),
        )  # fmt: skip


@dataclass
class Prediction:
    """``counts`` are the plan's, in the run's scope; ``plan_seconds`` what it took."""

    by_type: dict[str, Forecast]
    setup: SetupReport | None
    counts: dict[tuple[str, str, str], int]
    plan_seconds: float

    def seconds(self, rps: float, latencies: list[float]) -> float:
        """How long the real push would take: its requests at the budget's pace, the answers that nothing overlaps
        (``latencies``, in seconds, as just seen), and the plan."""
        requests = sum(one.requests for one in self.by_type.values())
        stages = len({action for one in self.by_type.values() for action in one.actions})
        pace = Pace(rps)
        latency = statistics.fmean(latencies) if latencies else 0.0
        paced = requests * SPACING * pace.stretch / pace.per_window
        return paced + latency * (1 + stages) + self.plan_seconds


async def dry_run(ledger: Ledger, client: HubSpotClient, options: PushOptions, started: float) -> PushResult:
    """Nothing is sent: ``sent`` is 0, and the other figures are what a push now would come to."""
    result = PushResult(options.mode, portal_id=ledger.portal_id)
    before = time.monotonic() - started
    scope = options.scope(ledger.outgoing)
    prediction = await predict(ledger, client, scope, options.limit)
    by_type: dict[str, Counter[str]] = {name: Counter() for name in scope.types}
    for (object_type, state, _action), count in prediction.counts.items():
        figures = by_type.setdefault(object_type, Counter())
        figures["identical"] += count if state == "pushed" else 0
        figures["held"] += count if state == "held" else 0
    for object_type, one in prediction.by_type.items():
        figures = by_type.setdefault(object_type, Counter())
        figures.update(one.figures)
        figures["requests"] = one.requests
    fill(result, by_type)
    for shown in result.by_type.values():
        shown["sent"] = 0
    result.sent = 0
    result.conflicts = sum(one.conflicts for one in prediction.by_type.values())
    result.edits = [edit for one in prediction.by_type.values() for edit in one.edits][:NAMED]
    result.requests = 1 + sum(one.requests for one in prediction.by_type.values())
    latencies = [record.milliseconds / 1000 for record in ledger.requests]
    result.seconds = round(before + prediction.seconds(client.target.rps, latencies), 3)
    if prediction.setup is not None:
        result.guarantee, result.warnings = prediction.setup.guarantee, sorted(set(prediction.setup.warnings))
    return result


async def predict(ledger: Ledger, client: HubSpotClient, scope: Scope, limit: int | None) -> Prediction:
    """Plans, reads HubSpot by key, and says what a push now would do. Writes ``hubspot.push_preview``, row by row."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ic-push-") as folder:
        files, counts = await _plan(ledger, client, scope, folder)
        prediction = Prediction({}, None, counts, time.monotonic() - began)
        async with ledger.connection() as connection:
            await connection.execute("DELETE FROM hubspot.push_preview WHERE portal_id = %s", (ledger.portal_id,))
        left = limit
        if not files:
            return prediction
        prediction.setup = await prepare(client, ledger, list(files), create=False)
        for object_type, file in files.items():
            rows = _rows(file) if left is None else islice(_rows(file), left)
            one = Forecast(overwrites=scope.overwrite_edits)
            await _forecast_type(ledger, client, prediction.setup.types[object_type], rows, one)
            prediction.by_type[object_type] = one
            left = None if left is None else max(0, left - one.rows)
    return prediction


async def _plan(
    ledger: Ledger, client: HubSpotClient, scope: Scope, folder: str
) -> tuple[dict[str, IO[bytes]], dict[tuple[str, str, str], int]]:
    files: dict[str, IO[bytes]] = {}
    async with ledger.connection() as connection, connection.transaction(force_rollback=True):
        # A number that no push has, nor another dry run that is under way.
        cursor = await connection.execute("SELECT -pg_backend_pid()")
        of = Of(ledger.portal_id, int((await cursor.fetchone() or (-1,))[0]))
        await plan_in(connection, ledger.outgoing, of, scope)
        await apply_in(connection, ledger.outgoing, of, NEVER)
        counts = await counts_in(connection, ledger.portal_id, scope)
        for one in ledger.outgoing.types:
            file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - read after the transaction
            if await _write_rows(connection, ledger, one, scope, client, file):
                files[one.object_type] = file
    return files, counts


async def _write_rows(
    connection: psycopg.AsyncConnection,
    ledger: Ledger,
    one: Outgoing,
    scope: Scope,
    client: HubSpotClient,
    file: IO[bytes],
) -> int:
    written = 0
    async with connection.cursor(name="preview", row_factory=class_row(_PlanRow)) as cursor:
        cursor.itersize = 2000
        await cursor.execute(
            statement("hubspot/push/preview_rows", desired=relation(one.desired), **ledger.outgoing.views),
            {**scope.parameters, "portal_id": ledger.portal_id, "object_type": one.object_type},
        )
        async for row in cursor:
            file.write(orjson.dumps(row.planned(one, client.target.id_property)) + b"\n")
            written += 1
    file.seek(0)
    return written


@dataclass
class _PlanRow:
    record_key: str
    part: int
    action: str
    hubspot_id: int | None
    revision: int
    pushed: dict[str, Any] | None
    payload: dict[str, Any] | None
    earlier_hash: UUID | None
    hash: UUID | None

    def planned(self, outgoing: Outgoing, id_property: str) -> _Planned:
        object_type = outgoing.object_type
        row = Row(
            self.record_key, object_type, self.part, object_type, self.action,
            self.hubspot_id, self.revision, 0, self.pushed, None, self.payload,
        )  # fmt: skip
        properties, added, removed = {}, set(), set()
        if self.action == "update" and self.payload is not None:
            properties = records.changed_properties(outgoing, self.payload, self.pushed, id_property)
            if self.pushed is not None:
                wanted, known = records.links(outgoing, self.payload), records.pushed_links(self.pushed)
                added, removed = {x.target for x in wanted - known}, {x.target for x in known - wanted}
        return _Planned(
            row.key, self.record_key, self.part, self.action, self.hubspot_id, bool(properties),
            tuple(sorted(added)), tuple(sorted(removed)), self._compared() if self.action == "update" else None,
        )  # fmt: skip

    def _compared(self) -> Json:
        """Without the bodies, which are needed only where an attempt with them was never confirmed."""
        payload = self.payload or {}
        if self.earlier_hash is None:
            payload = {"associations": payload.get("associations")}
        hashes = {"earlier_hash": self.earlier_hash and str(self.earlier_hash), "hash": self.hash and str(self.hash)}
        return {"pushed": self.pushed, "payload": payload, **hashes}


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _rows(file: IO[bytes]) -> Iterator[_Planned]:
    for line in file:
        yield _Planned(**orjson.loads(line))


async def _forecast_type(
    ledger: Ledger, client: HubSpotClient, state: TypeSetup, rows: Iterable[_Planned], one: Forecast
) -> None:
    """Looks batches up, several at a time: enough to keep the budget full at ordinary latency."""
    one.requests = 1 if state.is_there else 1 + SETUP_REQUESTS
    batches = _batches(rows, one)

    async def work() -> None:
        for batch in batches:
            await _forecast_batch(ledger, client, state, batch, one)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(64, math.ceil(client.target.rps) + 2)):
            group.create_task(work())


def _batches(rows: Iterable[_Planned], one: Forecast) -> Iterator[list[_Planned]]:
    """The batches that the push would claim: by action, in the order of the rows."""
    stages: dict[str, list[_Planned]] = {"create": [], "update": [], "remove": []}
    for row in rows:
        one.actions.add(row.action)
        one.rows += 1
        stages[row.action].append(row)
        if len(stages[row.action]) == MAX_INPUTS:
            yield stages[row.action]
            stages[row.action] = []
    yield from (batch for batch in stages.values() if batch)


async def _forecast_batch(
    ledger: Ledger, client: HubSpotClient, state: TypeSetup, batch: list[_Planned], one: Forecast
) -> None:
    action = batch[0].action
    verdicts: dict[str, tuple[str, int | None]] = {}
    if action == "create":
        found = await _standing(ledger, client, state, [row.key for row in batch])
        verdicts = {k: ("conflict", found[k]) if k in found else ("create", None) for k in (row.key for row in batch)}
        one.figures["created"] += len(batch) - len(found)
        one.requests += 1
        if found:
            # The refusal is followed by a look-up and, for what is adopted, an update that reads the associations first.
            one.figures["updated"] += len(found)
            one.conflicts += len(found)
            one.requests += 2 + len(records.TARGETS)
    elif action == "update":
        there = await lookup.standing(client, state, [row.hubspot_id or 0 for row in batch])
        gone = {row.key for row in batch if row.hubspot_id not in there}
        edited = await edits.before_update(client, state, [row.row(state.object_type) for row in batch])
        held = set() if one.overwrites else set(edited)
        verdicts = {row.key: (_verdict(row.key, gone, held), row.hubspot_id) for row in batch}
        one.figures["edited"] += len(edited)
        one.figures["held"] += len(held)
        one.figures["updated"] += len(batch) - len(gone) - len(held)
        one.figures["rejected"] += len(gone)
        one.conflicts += len(gone)
        one.edits += _named_edits(ledger, state.object_type, batch, edited)[: max(0, NAMED - len(one.edits))]
        sent = [row for row in batch if row.key not in held]
        one.requests += _update_requests(batch, sent, overwrites=one.overwrites)
    else:
        verdicts = {row.key: ("remove", row.hubspot_id) for row in batch}
        one.figures["removed"] += len(batch)
        one.requests += 1
    await _keep(ledger, state.object_type, batch, verdicts)


def _verdict(key: str, gone: set[str], held: set[str]) -> str:
    return "conflict" if key in gone else "edited" if key in held else "update"


def _named_edits(ledger: Ledger, object_type: str, batch: list[_Planned], edited: dict[str, str]) -> list[Json]:
    return [
        {
            "type": object_type,
            **ledger.outgoing.shown(row.record_key),
            "hubspot_id": row.hubspot_id,
            "reason": edited[row.key],
        }
        for row in batch
        if row.key in edited
    ]


def _update_requests(batch: list[_Planned], sent: list[_Planned], *, overwrites: bool) -> int:
    """One look at the properties, one at each kind of association that changes, and the changes themselves."""
    known = [row for row in batch if row.compared and row.compared["pushed"] is not None]
    changing = {target for row in known for target in (*row.added, *row.removed)}
    looks = 0 if overwrites or not known else 1 + len(changing)
    writes = sum(
        any(target in row.added for row in sent) + any(target in row.removed for row in sent)
        for target in records.TARGETS
    )
    return looks + writes + any(row.has_properties for row in sent)


async def _standing(ledger: Ledger, client: HubSpotClient, state: TypeSetup, keys: list[str]) -> dict[str, int]:
    if not state.is_there:
        return {}  # without the property nothing can carry a key
    newest, records = (0, 0) if state.is_unique else await ledger.newest(state.object_type)
    return await lookup.find(client, state, keys, newest_known=newest, known_records=records, by_list=False)


async def _keep(
    ledger: Ledger, object_type: str, batch: list[_Planned], verdicts: dict[str, tuple[str, int | None]]
) -> None:
    async with (
        ledger.connection() as connection,
        connection.cursor() as cursor,
        cursor.copy(
            "COPY hubspot.push_preview (portal_id, record_key, object_type, part, verdict, hubspot_id) FROM STDIN"
        ) as copy,
    ):
        for row in batch:
            verdict, identifier = verdicts[row.key]
            await copy.write_row((ledger.portal_id, row.record_key, object_type, row.part, verdict, identifier))
