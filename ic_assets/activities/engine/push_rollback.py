"""Takes a push back: re-reads each record, holds back what people changed since, archives the rest, and keeps a record
of what it found that is chained by hash. Undoes creations only: what an update overwrote is not kept anywhere.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from ic_assets.activities.activity_types import ACTIVITY_TYPES
from ic_assets.activities.engine import push_lookup, push_records
from ic_assets.activities.engine.ledger import Ledger, Outcome, Row, Scope, open_ledger
from ic_assets.activities.engine.portal import OPTIONAL, SPELLINGS, TypeSetup
from ic_assets.activities.engine.push import enter_portal
from ic_assets.activities.engine.push_change import Change
from ic_assets.activities.engine.push_result import ALL_TYPES, PushOptions
from ic_assets.core import locks, session
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.sql import statement
from ic_assets.resources.hubspot import (
    MAX_INPUTS,
    HubSpotClient,
    HubSpotTarget,
    Json,
    Rejected,
    StopForNow,
    as_dict,
    objects,
    path,
)

# What an activity can be associated with by people, beside other activities.
_TARGETS = (*push_records.TARGETS, "tickets")


@dataclass(frozen=True)
class RollbackSelection:
    """Which records: every criterion that is given must hold. ``run_id``: what one push created, by the id that was given
    to ``push`` or by the number of the push. ``months``: first days of the first and the last month, both included."""

    run_id: str | None = None
    types: Sequence[str] = ALL_TYPES
    months: tuple[date, date] | None = None
    ids: Sequence[int] | None = None

    @property
    def scope(self) -> Scope:
        return PushOptions(types=self.types, months=self.months).scope


@dataclass
class RollbackResult:
    """``found = archived + held_back + already_gone + failed``, unless ``stopped_reason`` says why not all were looked at.
    A dry run counts under ``archived`` what would be."""

    portal_id: int
    dry_run: bool
    found: int = 0
    archived: int = 0
    held_back: int = 0
    already_gone: int = 0
    failed: int = 0
    requests: int = 0
    held_back_by_reason: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed_by_reason: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    stopped_reason: str | None = None


@dataclass(frozen=True)
class _Look:
    """One record as it was found: ``outcome`` archived (may be), held_back or already_gone."""

    row: Row
    outcome: str
    before: Json
    reason: str | None = None


def rollback(
    postgres_url: str, target: HubSpotTarget, selection: RollbackSelection, *, dry_run: bool = True
) -> RollbackResult:
    """Takes back what ``selection`` names in the portal of ``target``. Resumable; a second one finds nothing to do.

    Raises ``Refused`` (unknown run or type, token) and ``Unavailable``.
    """
    PushOptions(types=selection.types, months=selection.months).check()
    return asyncio.run(_rollback(postgres_url, target, selection, dry_run))


async def _rollback(
    postgres_url: str, target: HubSpotTarget, selection: RollbackSelection, dry_run: bool
) -> RollbackResult:
    async with open_ledger(postgres_url, pause=PushOptions().pause) as ledger:
        client = HubSpotClient(target, on_request=ledger.note_request)
        opened: list[Any] = []
        try:
            portal = await enter_portal(postgres_url, ledger, client, asyncio.sleep, opened)
            push_ids = await _pushes(ledger, selection.run_id)
            result = RollbackResult(portal.portal_id, dry_run)
            if not dry_run:
                options = {"run_id": selection.run_id, "types": list(selection.types), "ids": selection.ids}
                await ledger.start("rollback", None, options, None)
            try:
                await _take_back(ledger, client, selection, push_ids, result)
            except (StopForNow, Unavailable) as reason:
                result.stopped_reason = str(reason)
            except Rejected as refusal:
                raise Refused(f"HubSpot refused a request of the roll-back: {refusal.problem.words}") from refusal
            finally:
                result.requests = client.requests
                if not dry_run:
                    counts = {"found": result.found, "archived": result.archived, "held_back": result.held_back}
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


async def _take_back(
    ledger: Ledger,
    client: HubSpotClient,
    selection: RollbackSelection,
    push_ids: list[int] | None,
    result: RollbackResult,
) -> None:
    scope = selection.scope
    for activity in ACTIVITY_TYPES:
        state, after = TypeSetup(activity.name), (-1, 0)
        while True:
            values = {
                "portal_id": ledger.portal_id,
                "object_type": activity.name,
                "after_id": after[0],
                "after_part": after[1],
                "types": list(scope.types),
                "month_start": scope.months[0],
                "month_end": scope.months[1],
                "push_ids": push_ids,
                "ids": None if selection.ids is None else list(selection.ids),
                "row_limit": MAX_INPUTS,
            }
            async with ledger.connection() as connection, connection.cursor(row_factory=class_row(Row)) as cursor:
                await cursor.execute(statement("activities/push/rollback_rows"), values)
                rows = await cursor.fetchall()
            if not rows:
                break
            after = (rows[-1].communication_id, rows[-1].part)
            looks = await _look(client, state, rows)
            if not result.dry_run:
                looks = await _carry_out(ledger, client, state, looks)
            _count(result, looks)


def _count(result: RollbackResult, looks: Sequence[_Look]) -> None:
    for look in looks:
        result.found += 1
        setattr(result, look.outcome, getattr(result, look.outcome) + 1)
        if look.outcome == "held_back":
            result.held_back_by_reason[look.reason or ""] += 1
        elif look.outcome == "failed":
            result.failed_by_reason[look.reason or "no reason given"] += 1


async def _look(client: HubSpotClient, state: TypeSetup, rows: Sequence[Row]) -> list[_Look]:
    names = sorted({name for row in rows if row.pushed for name in row.pushed["properties"]})
    found = await push_lookup.standing(client, state, [row.hubspot_id or 0 for row in rows], names)
    linked = await _linked(client, state, [row for row in rows if row.hubspot_id in found])
    looks = []
    for row in rows:
        current = found.get(row.hubspot_id or 0)
        if current is None:
            looks.append(_Look(row, "already_gone", {}))
            continue
        links = linked[row.hubspot_id or 0]
        before = {"properties": current, "associations": sorted([target, other] for target, other in links)}
        reason = _edited(row, current, links, client.target.id_property)
        looks.append(_Look(row, "held_back" if reason else "archived", before, reason))
    return looks


def _edited(row: Row, current: dict[str, str | None], links: set[tuple[str, str]], id_property: str) -> str | None:
    """What people did to the record since we wrote it; None: nothing."""
    if row.pushed is None:
        return "what was pushed last is not known for certain; push once more first"
    for name, digest in sorted(row.pushed["properties"].items()):
        value = current.get(name)
        if (value is None and name in OPTIONAL) or (name == id_property and value == row.key):
            continue
        if not any(push_records.is_digest_of(digest, form) for form in _forms(value or "")):
            return f"{name} was changed in HubSpot"
    ours = {(link.target, link.id) for link in push_records.pushed_links(row.pushed)}
    others = sorted(target for target, other in links if (target, other) not in ours)
    return f"associated with {others[0]} by someone else" if others else None


def _forms(value: str) -> set[str]:
    """The ways in which one value may have been written before HubSpot stored it."""
    forms = {value, SPELLINGS.get(value, value)}
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return forms
    if len(value) > 10 and instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
        forms.add(f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z")
        forms.add(str(int(instant.timestamp() * 1000)))
    return forms


async def _linked(client: HubSpotClient, state: TypeSetup, rows: Sequence[Row]) -> dict[int, set[tuple[str, str]]]:
    links: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for target in _TARGETS if rows else ():
        try:
            reply = await client.send(
                "POST",
                path(client.target.api, "associations", state.object_type, target, "batch/read"),
                {"inputs": [{"id": str(row.hubspot_id)} for row in rows]},
                operation="associations batch/read",
                object_type=state.object_type,
                inputs=len(rows),
            )
        except Rejected as refusal:
            if refusal.status in (400, 404) and target not in push_records.TARGETS:
                continue  # this portal has no such objects
            if refusal.status == 404:
                continue
            raise
        for result in reply.results:
            source = push_lookup.record_id(as_dict(result.get("from")).get("id"))
            for other in objects(result.get("to")):
                if source:
                    links[source].add((target, str(other.get("toObjectId"))))
    return links


async def _carry_out(ledger: Ledger, client: HubSpotClient, state: TypeSetup, looks: Sequence[_Look]) -> list[_Look]:
    """Archives, settles and records one batch. Rows that changed hands since they were read are left out."""
    chosen = [look for look in looks if look.outcome != "held_back"]
    async with ledger.connection() as connection:
        cursor = await connection.execute(
            statement("activities/push/rollback_claim"),
            {
                "portal_id": ledger.portal_id,
                "object_type": state.object_type,
                "worker": ledger.push_id,
                "rows": Jsonb([_identity(look.row) for look in chosen]),
            },
        )
        taken = {(row[0], row[1]) for row in await cursor.fetchall()}
    chosen = [look for look in chosen if (look.row.communication_id, look.row.part) in taken]
    change = Change(client, state, ledger)
    doomed = [look.row for look in chosen if look.outcome == "archived"]
    if doomed:
        await change.remove(doomed)
    refused = {outcome.row.key: outcome for outcome in change.outcomes if outcome.what == "failed"}
    done = [_refused(look, refused[look.row.key]) if look.row.key in refused else look for look in chosen]
    gone = [Outcome(look.row, "removed") for look in done if look.outcome != "failed"]
    async with ledger.connection() as connection:
        await ledger.settle_in(connection, state.object_type, [*gone, *refused.values()])
        held = [look for look in looks if look.outcome == "held_back"]
        await _record(connection, ledger, done + await _news(connection, ledger, held))
    return done + held


def _refused(look: _Look, outcome: Outcome) -> _Look:
    return _Look(look.row, "failed", look.before, outcome.problem.words if outcome.problem else None)


async def _news(connection: psycopg.AsyncConnection, ledger: Ledger, looks: Sequence[_Look]) -> list[_Look]:
    """Those held back that the records do not show as held back in the same way already."""
    cursor = await connection.execute(
        "SELECT DISTINCT ON (hubspot_id) hubspot_id, outcome, before, reason FROM hubspot.push_rollback_record"
        " WHERE portal_id = %s AND hubspot_id = ANY(%s) ORDER BY hubspot_id, record_id DESC",
        (ledger.portal_id, [look.row.hubspot_id for look in looks]),
    )
    last = {row[0]: row[1:] for row in await cursor.fetchall()}
    return [
        k for k in looks if last.get(k.row.hubspot_id) != (k.outcome, orjson.loads(orjson.dumps(k.before)), k.reason)
    ]


def _identity(row: Row) -> Json:
    return {
        "communication_id": row.communication_id,
        "part": row.part,
        "hubspot_id": row.hubspot_id,
        "hash": row.hash,
    }


async def _record(connection: psycopg.AsyncConnection, ledger: Ledger, looks: Sequence[_Look]) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.ROLLBACK_RECORD,))
    cursor = await connection.execute(
        "SELECT record_hash FROM hubspot.push_rollback_record ORDER BY record_id DESC LIMIT 1"
    )
    last = await cursor.fetchone()
    previous = str(last[0]) if last else ""
    for look in looks:
        # To the second and in canonical form: what is hashed can be read back from the row.
        values: Json = {
            "push_id": ledger.push_id,
            "portal_id": ledger.portal_id,
            "communication_id": look.row.communication_id,
            "object_type": look.row.object_type,
            "part": look.row.part,
            "hubspot_id": look.row.hubspot_id,
            "outcome": look.outcome,
            "before": look.before,
            "reason": look.reason,
            "recorded_at": datetime.now(UTC).replace(microsecond=0),
        }
        digest = chained(previous, values)
        await connection.execute(
            "INSERT INTO hubspot.push_rollback_record (push_id, portal_id, communication_id, object_type, part,"
            " hubspot_id, outcome, before, reason, recorded_at, previous_hash, record_hash) VALUES (%(push_id)s,"
            " %(portal_id)s, %(communication_id)s, %(object_type)s, %(part)s, %(hubspot_id)s, %(outcome)s, %(before)s,"
            " %(reason)s, %(recorded_at)s, %(previous)s, %(digest)s)",
            {**values, "before": Jsonb(look.before), "previous": previous, "digest": digest},
        )
        previous = digest


def chained(previous: str, values: Json) -> str:
    """SHA-256 over the record before and this one's values, keys in order."""
    moment: datetime = values["recorded_at"]
    canonical = orjson.dumps({**values, "recorded_at": moment.astimezone(UTC).isoformat()}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(previous.encode() + canonical).hexdigest()


def verify_chain(postgres_url: str) -> int | None:
    """The id of the first roll-back record that was altered, or whose predecessor is missing; None: the chain holds."""
    previous = ""
    with session.connect(postgres_url, row_factory=dict_row) as connection:
        for row in connection.execute("SELECT * FROM hubspot.push_rollback_record ORDER BY record_id"):
            number, before, digest = row.pop("record_id"), row.pop("previous_hash"), row.pop("record_hash")
            if before != previous or chained(previous, row) != digest:
                return int(number)
            previous = digest
    return None
