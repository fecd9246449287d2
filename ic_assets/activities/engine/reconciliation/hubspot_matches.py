"""Reads a reconciliation from HubSpot itself: the records that carry a legacy id in a property of theirs.

The records are listed page by page, not searched: search lags behind writes and ends at 10,000 results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psycopg

from ic_assets.activities.engine.drop.values import is_missing, read_integer
from ic_assets.activities.engine.reconciliation.matches import (
    Entity,
    Reconciled,
    WhatIf,
    apply,
    hold,
    identifiers,
    weigh,
)
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import Declined, HubSpotClient, HubSpotTarget, Json, StopForNow, path
from ic_assets.hubspot.client.search import search_body
from ic_assets.hubspot.ledger.ledger import open_ledger
from ic_assets.hubspot.push.run import enter_portal

_PAGE = 100  # HubSpot's limit


@dataclass
class Listing:
    """What a portal's records say. ``certain``: legacy id -> the one record that carries it. ``clashes``: legacy ids that
    several records carry, and those; which one is right is for people to say. ``unreadable``: records whose value is no
    whole number."""

    entity: str
    property_name: str
    portal_id: int = 0
    records: int = 0
    certain: dict[int, int] = field(default_factory=dict)
    clashes: dict[int, set[int]] = field(default_factory=dict)
    unreadable: list[int] = field(default_factory=list)

    @property
    def ambiguous(self) -> dict[int, list[int]]:
        return {legacy: sorted(ids) for legacy, ids in sorted(self.clashes.items())}

    @property
    def carrying(self) -> int:
        """Records that carry a legacy id."""
        return len(self.certain) + sum(len(ids) for ids in self.clashes.values())

    def note(self, record_id: int, value: str) -> None:
        legacy_id = read_integer(value)
        if legacy_id is None:
            self.unreadable.append(record_id)
        elif legacy_id in self.clashes:
            self.clashes[legacy_id].add(record_id)
        elif self.certain.setdefault(legacy_id, record_id) != record_id:
            self.clashes[legacy_id] = {self.certain.pop(legacy_id), record_id}


@dataclass(frozen=True)
class Refreshed:
    """What came of a listing. ``kept``: matches of the table that no listed record carries; they stay as they are."""

    listing: Listing
    outcome: Reconciled | WhatIf
    kept: int

    def to_json(self) -> dict[str, Any]:
        listing = self.listing
        return {
            **self.outcome.to_json(),
            "portal_id": listing.portal_id,
            "property": listing.property_name,
            "records": listing.records,
            "records_with_legacy_id": listing.carrying,
            "ambiguous": {str(legacy): ids for legacy, ids in listing.ambiguous.items()},
            "unreadable": sorted(listing.unreadable),
            "kept_without_record": self.kept,
        }


def default_property(entity: Entity) -> str:
    return entity.legacy_id


def list_matches(
    postgres_url: str,
    target: HubSpotTarget,
    entity: Entity,
    property_name: str,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Listing:
    """Every live record of the type, 100 a request, within the portal's shared budget. ``progress`` gets the records read
    and how many there are (0: HubSpot would not say). Holds no transaction meanwhile.

    Raises ``Refused`` (no such property, token, scopes) and ``Unavailable``; nothing is changed then.
    """
    return asyncio.run(_list(postgres_url, target, entity, property_name, progress, sleep))


def refresh(connection: psycopg.Connection, entity: Entity, listing: Listing, *, dry: bool = False) -> Refreshed:
    """Merges a listing into the table, or with ``dry`` says what that would do. Ids that the listing does not name, or
    names ambiguously, keep what they have."""
    hold(connection, ((None, legacy, hubspot, None, None) for legacy, hubspot in listing.certain.items()))
    row = connection.execute(
        statement("activities/reconciliation/not_listed", **identifiers(entity)), {"ambiguous": list(listing.ambiguous)}
    ).fetchone() or (0,)
    return Refreshed(listing, weigh(connection, entity) if dry else apply(connection, entity), row[0])


async def _list(
    postgres_url: str,
    target: HubSpotTarget,
    entity: Entity,
    property_name: str,
    progress: Callable[[int, int], None],
    sleep: Callable[[float], Awaitable[None]],
) -> Listing:
    listing = Listing(entity.name, property_name)
    async with open_ledger(postgres_url) as ledger:
        client = HubSpotClient(target, sleep=sleep)
        opened: list[Any] = []
        try:
            listing.portal_id = (await enter_portal(postgres_url, ledger, client, sleep, opened)).portal_id
            await _know_property(client, listing)
            total = await _total(client, listing.entity)
            after: str | None = None
            while True:
                reply = await client.send(
                    "GET", _page(client, listing, after), operation="list", object_type=entity.name
                )
                for record in reply.results:
                    _read(listing, record)
                progress(listing.records, total)
                before, after = after, reply.next_page
                if after is not None and after == before:
                    raise Unavailable("HubSpot's list leads back to the same page; nothing was changed, try again")
                if after is None:
                    return listing
        except StopForNow as reason:
            raise Unavailable(f"nothing was changed: {reason}") from reason
        except Declined as refusal:
            raise Refused(f"HubSpot refused to list its {entity.name} ({refusal}); nothing was changed") from refusal
        finally:
            await client.close()
            for connection in opened:
                await connection.close()


async def _know_property(client: HubSpotClient, listing: Listing) -> None:
    """A list with a property that is not there answers as if no record had a value."""
    try:
        await client.send(
            "GET",
            path(client.target.api, "properties", listing.entity, listing.property_name),
            operation="properties",
            object_type=listing.entity,
        )
    except Declined as refusal:
        if refusal.status != 404:
            raise
        raise Refused(
            f"the {listing.entity} of portal {listing.portal_id} have no property {listing.property_name}; "
            "name the one that holds the legacy id with --property"
        ) from refusal


async def _total(client: HubSpotClient, entity: str) -> int:
    try:
        reply = await client.send(
            "POST",
            path(client.target.api, "objects", entity, "search"),
            search_body([], ["hs_object_id"], limit=1),
            operation="count",
            object_type=entity,
            search=True,
        )
    except Declined:
        return 0
    total = reply.body.get("total")
    return total if isinstance(total, int) and 0 <= total < 2**53 else 0


def _page(client: HubSpotClient, listing: Listing, after: str | None) -> str:
    query = {
        "limit": _PAGE,
        "properties": listing.property_name,
        "archived": "false",
        **({"after": after} if after else {}),
    }
    return f"{path(client.target.api, 'objects', listing.entity)}?{urlencode(query)}"


def _read(listing: Listing, record: Json) -> None:
    listing.records += 1
    properties = record.get("properties")
    value = properties.get(listing.property_name) if isinstance(properties, dict) else None
    record_id = read_integer(str(record.get("id")))
    if record_id is not None and value is not None and not is_missing(str(value)):
        listing.note(record_id, str(value))
