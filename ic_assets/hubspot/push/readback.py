"""Asks HubSpot, after a push, how many of our records it holds, and keeps that beside the ledger's own count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from ic_assets.core.failures import Unavailable
from ic_assets.hubspot.client.client import Declined, HubSpotClient, HubSpotTarget, StopForNow, path
from ic_assets.hubspot.client.search import search_body
from ic_assets.hubspot.ledger.ledger import Ledger, open_ledger
from ic_assets.hubspot.push.run import enter_portal

# HubSpot's search sees a record some moments after it was written; counts that differ are asked for again until then.
PATIENCE = 30.0
_LOOK_AGAIN = 2.0


def read_back(
    postgres_url: str,
    target: HubSpotTarget,
    push_id: int,
    *,
    patience: float = PATIENCE,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    waits: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, int]]:
    """Counts live records that carry the communication id, by object type: ``{"calls": {"ledger": 9, "hubspot": 9}}``,
    written to ``counts -> 'read_back'`` of the push. Types that HubSpot would not count are left out. One search request
    a type, seven in all, and again every two seconds for those that differ, for ``patience`` seconds; ``waits`` is told so
    in a sentence.

    Raises ``Unavailable`` when HubSpot does not answer or its daily limit is used up; the push is done all the same.
    """
    wait = _Wait(patience, sleep, waits)
    return asyncio.run(_read_back(postgres_url, target, push_id, wait))


@dataclass(frozen=True)
class _Wait:
    patience: float
    sleep: Callable[[float], Awaitable[None]]
    tell: Callable[[str], None]


async def _read_back(postgres_url: str, target: HubSpotTarget, push_id: int, wait: _Wait) -> dict[str, dict[str, int]]:
    async with open_ledger(postgres_url) as ledger:
        client = HubSpotClient(target, sleep=wait.sleep, on_request=ledger.note_request)
        opened: list[Any] = []
        try:
            await enter_portal(postgres_url, ledger, client, wait.sleep, opened)
            ledger.push_id = push_id
            counted = await _agreed(ledger, client, wait)
        except StopForNow as reason:
            raise Unavailable(str(reason)) from reason
        finally:
            await client.close()
            for connection in opened:
                await connection.close()
        await ledger.flush_requests()
        async with ledger.connection() as connection:
            await connection.execute(
                "UPDATE hubspot.push_run SET counts = counts || jsonb_build_object('read_back', %s::jsonb)"
                " WHERE push_id = %s",
                (Jsonb(counted), push_id),
            )
    return counted


async def _agreed(ledger: Ledger, client: HubSpotClient, wait: _Wait) -> dict[str, dict[str, int]]:
    deadline = time.monotonic() + wait.patience
    ours = await _in_ledger(ledger)
    theirs = {name: await _in_hubspot(client, name) for name in ours}
    told = False
    while time.monotonic() < deadline and (apart := [n for n in ours if theirs[n] not in (None, ours[n])]):
        if not told:
            wait.tell(
                f"HubSpot's search counts {_listed(theirs, apart)} and the ledger {_listed(ours, apart)}. The search lags "
                f"behind writes: counted again for {wait.patience:.0f} s at most."
            )
            told = True
        await wait.sleep(_LOOK_AGAIN)
        # Another push may be under way: both counts move.
        ours |= {name: records for name, records in (await _in_ledger(ledger)).items() if name in apart}
        theirs |= {name: await _in_hubspot(client, name) for name in apart}
    return {
        name: {"ledger": records, "hubspot": found}
        for name, records in ours.items()
        if (found := theirs[name]) is not None
    }


def _listed(counts: Mapping[str, int | None], names: Sequence[str]) -> str:
    return ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)


async def _in_ledger(ledger: Ledger) -> dict[str, int]:
    """Records that stand by the ledger, by object type; a type of which none stands any more counts 0."""
    async with ledger.connection() as connection:
        cursor = await connection.execute(
            "SELECT object_type, count(*) FILTER (WHERE hubspot_id IS NOT NULL AND state <> 'removed')"
            " FROM hubspot.push_ledger WHERE portal_id = %s GROUP BY 1 ORDER BY 1",
            (ledger.portal_id,),
        )
        return {row[0]: row[1] for row in await cursor.fetchall()}


async def _in_hubspot(client: HubSpotClient, object_type: str) -> int | None:
    try:
        reply = await client.send(
            "POST",
            path(client.target.api, "objects", object_type, "search"),
            search_body(
                [{"propertyName": client.target.id_property, "operator": "HAS_PROPERTY"}],
                [client.target.id_property],
                limit=1,
            ),
            operation="count",
            object_type=object_type,
            search=True,
        )
    except Declined:
        return None
    total = reply.body.get("total")
    return total if isinstance(total, int) and 0 <= total < 2**53 else None
