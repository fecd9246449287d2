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

import orjson
import psycopg
from psycopg.rows import class_row

from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine import push_lookup, push_records
from ic_assets.activities.engine.ledger import Ledger, Row, Scope, counts_in, plan_in, table_of
from ic_assets.activities.engine.portal import SetupReport, TypeSetup, prepare
from ic_assets.core.sql import statement
from ic_assets.resources.hubspot import MAX_INPUTS, HubSpotClient
from ic_assets.resources.rate_budget import SPACING, Pace

# `setup` on one object type: the property, the search for an old probe, the probe twice, its removal.
SETUP_REQUESTS = 5


@dataclass
class Forecast:
    """What one object type would take. ``requests`` are those of the real push."""

    figures: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    conflicts: int = 0
    actions: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Planned:
    """One row of the plan, as it waits on disk. ``added``, ``removed``: the targets
    whose associations change."""

    key: str
    communication_id: int
    part: int
    action: str
    hubspot_id: int | None
    has_properties: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]


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
            one = await _forecast_type(ledger, client, prediction.setup.types[object_type], rows)
            prediction.by_type[object_type] = one
            left = None if left is None else max(0, left - sum(one.figures.values()))
    return prediction


async def _plan(
    ledger: Ledger, client: HubSpotClient, scope: Scope, folder: str
) -> tuple[dict[str, IO[bytes]], dict[tuple[str, str, str], int]]:
    files: dict[str, IO[bytes]] = {}
    async with ledger.connection() as connection, connection.transaction(force_rollback=True):
        await plan_in(connection, ledger.portal_id, None, scope)
        counts = await counts_in(connection, ledger.portal_id, scope)
        for activity in ACTIVITY_TYPES:
            file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - read after the transaction
            if await _write_rows(connection, ledger.portal_id, activity.name, scope, client, file):
                files[activity.name] = file
    return files, counts


async def _write_rows(
    connection: psycopg.AsyncConnection,
    portal_id: int,
    object_type: str,
    scope: Scope,
    client: HubSpotClient,
    file: IO[bytes],
) -> int:
    written = 0
    async with connection.cursor(name="preview", row_factory=class_row(_PlanRow)) as cursor:
        cursor.itersize = 2000
        await cursor.execute(
            statement("activities/push/preview_rows", table=table_of(object_type)),
            {
                "portal_id": portal_id,
                "object_type": object_type,
                "types": list(scope.types),
                "month_start": scope.months[0],
                "month_end": scope.months[1],
            },
        )
        async for row in cursor:
            file.write(orjson.dumps(row.planned(object_type, client.target.id_property)) + b"\n")
            written += 1
    file.seek(0)
    return written


@dataclass
class _PlanRow:
    communication_id: int
    part: int
    action: str
    hubspot_id: int | None
    revision: int
    pushed: dict[str, Any] | None
    payload: dict[str, Any] | None

    def planned(self, object_type: str, id_property: str) -> _Planned:
        row = Row(
            self.communication_id, object_type, self.part, object_type, self.action,
            self.hubspot_id, self.revision, 0, self.pushed, None, self.payload,
        )  # fmt: skip
        properties, added, removed = {}, set(), set()
        if self.action == "update" and self.payload is not None:
            properties = push_records.changed_properties(object_type, self.payload, self.pushed, id_property)
            if self.pushed is not None:
                wanted, known = push_records.links(self.payload), push_records.pushed_links(self.pushed)
                added, removed = {x.target for x in wanted - known}, {x.target for x in known - wanted}
        return _Planned(
            row.key, self.communication_id, self.part, self.action, self.hubspot_id, bool(properties),
            tuple(sorted(added)), tuple(sorted(removed)),
        )  # fmt: skip


def _rows(file: IO[bytes]) -> Iterator[_Planned]:
    for line in file:
        yield _Planned(**orjson.loads(line))


async def _forecast_type(ledger: Ledger, client: HubSpotClient, state: TypeSetup, rows: Iterable[_Planned]) -> Forecast:
    """Looks batches up, several at a time: enough to keep the budget full at ordinary latency."""
    one = Forecast(requests=1 if state.is_there else 1 + SETUP_REQUESTS)
    batches = _batches(rows, one)

    async def work() -> None:
        for batch in batches:
            await _forecast_batch(ledger, client, state, batch, one)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(64, math.ceil(client.target.rps) + 2)):
            group.create_task(work())
    return one


def _batches(rows: Iterable[_Planned], one: Forecast) -> Iterator[list[_Planned]]:
    """The batches that the push would claim: by action, in the order of the rows."""
    stages: dict[str, list[_Planned]] = {"create": [], "update": [], "remove": []}
    for row in rows:
        one.actions.add(row.action)
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
            one.requests += 2 + len(push_records.TARGETS)
    elif action == "update":
        there = await push_lookup.standing(client, state, [row.hubspot_id or 0 for row in batch])
        gone = {row.key for row in batch if row.hubspot_id not in there}
        verdicts = {row.key: ("conflict" if row.key in gone else "update", row.hubspot_id) for row in batch}
        one.figures["updated"] += len(batch) - len(gone)
        one.figures["rejected"] += len(gone)
        one.conflicts += len(gone)
        one.requests += any(row.has_properties for row in batch)
        for target in push_records.TARGETS:
            one.requests += any(target in row.added for row in batch) + any(target in row.removed for row in batch)
    else:
        verdicts = {row.key: ("remove", row.hubspot_id) for row in batch}
        one.figures["removed"] += len(batch)
        one.requests += 1
    await _keep(ledger, state.object_type, batch, verdicts)


async def _standing(ledger: Ledger, client: HubSpotClient, state: TypeSetup, keys: list[str]) -> dict[str, int]:
    if not state.is_there:
        return {}  # without the property nothing can carry a key
    newest, records = (0, 0) if state.is_unique else await ledger.newest(state.object_type)
    return await push_lookup.find(client, state, keys, newest_known=newest, known_records=records, by_list=False)


async def _keep(
    ledger: Ledger, object_type: str, batch: list[_Planned], verdicts: dict[str, tuple[str, int | None]]
) -> None:
    async with (
        ledger.connection() as connection,
        connection.cursor() as cursor,
        cursor.copy(
            "COPY hubspot.push_preview (portal_id, communication_id, object_type, part, verdict, hubspot_id) FROM STDIN"
        ) as copy,
    ):
        for row in batch:
            verdict, identifier = verdicts[row.key]
            await copy.write_row((ledger.portal_id, row.communication_id, object_type, row.part, verdict, identifier))
