"""What a portal must have before a push: the property that carries the record key, on each object type of a flow, and
option lists that know our values. Finds out what the portal declines, and says which guarantee remains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ic_assets.core import locks
from ic_assets.core.failures import Refused
from ic_assets.hubspot.client.client import Declined, HubSpotClient, HubSpotTarget, Json, OutcomeUnknown, path
from ic_assets.hubspot.ledger.ledger import Ledger, open_ledger
from ic_assets.hubspot.ledger.outgoing import Outgoing, Outgoings
from ic_assets.hubspot.portal.spellings import Options, missing_options

GROUP = "ic_assets"
# The value that the probe writes. No flow has such a key.
PROBE = "ic-assets-probe"
_GUARANTEED = "exactly once: HubSpot refuses a second record with the same communication id"
_REMAINING = (
    "once, as long as HubSpot's list and search show a record within {pause:.0f} s of its creation: the portal "
    "enforces no unique property on {types}, so nothing on HubSpot's side refuses a second one"
)


@dataclass
class TypeSetup:
    """What holds for one object type in a portal."""

    outgoing: Outgoing
    is_there: bool = False
    was_created: bool = False
    is_unique: bool = False
    is_enforced: bool = False
    note: str | None = None
    lists: Options = field(default_factory=Options)

    @property
    def object_type(self) -> str:
        return self.outgoing.object_type


@dataclass
class SetupReport:
    portal_id: int
    id_property: str
    types: dict[str, TypeSetup]
    warnings: list[str]
    pause: float

    @property
    def guarantee(self) -> str:
        """One sentence: what the portal and we promise together."""
        return guarantee(
            [t.object_type for t in self.types.values() if not (t.is_unique and t.is_enforced)], self.pause
        )

    def to_json(self) -> Json:
        return {
            "portal_id": self.portal_id,
            "id_property": self.id_property,
            "guarantee": self.guarantee,
            "warnings": self.warnings,
            "types": {
                t.object_type: {
                    "created": t.was_created,
                    "unique": t.is_unique,
                    "enforced": t.is_enforced,
                    "note": t.note,
                }
                for t in self.types.values()
            },
        }


def guarantee(weak: Sequence[str], pause: float) -> str:
    """What is promised when HubSpot keeps the communication id of the types ``weak`` not unique."""
    return _REMAINING.format(pause=pause, types=", ".join(weak)) if weak else _GUARANTEED


def setup(postgres_url: str, target: HubSpotTarget, outgoing: Outgoings, *, pause: float = 120.0) -> SetupReport:
    """Creates what is missing on all object types of a flow, probes whether uniqueness is enforced, and remembers it.

    Raises ``Refused`` (token, scopes, a property of that name with another type) and ``Unavailable``.
    """
    return asyncio.run(_setup(postgres_url, target, outgoing, pause))


async def _setup(postgres_url: str, target: HubSpotTarget, outgoing: Outgoings, pause: float) -> SetupReport:
    async with open_ledger(postgres_url, outgoing, pause=pause) as ledger:
        client = HubSpotClient(target)
        try:
            await ledger.know_portal(await client.open(), target.base_url)
            return await prepare(client, ledger, outgoing.names, create=True)
        finally:
            await client.close()


async def prepare(client: HubSpotClient, ledger: Ledger, types: Sequence[str], *, create: bool) -> SetupReport:
    """``setup`` for some types, inside a push. Without ``create`` (a dry run) nothing is written to HubSpot."""
    target = client.target
    found = await asyncio.gather(*(_examine(client, ledger.outgoing.of(name)) for name in types))
    known = await _remembered(ledger, target.id_property)

    async def complete(state: TypeSetup, properties: list[Json]) -> None:
        is_certain = True
        if not state.is_there and create:
            await _create_property(client, ledger.outgoing, state, properties)
        if state.is_unique and create and known.get(state.object_type) is None:
            is_certain = await _probe(client, state)
        elif state.is_unique:
            state.is_enforced = known.get(state.object_type) is not False
        if create and is_certain:
            await _remember(ledger, target.id_property, state)

    if create and any(not s.is_there or (s.is_unique and known.get(s.object_type) is None) for s, _ in found):
        # One at a time: of two that probe the same type, one would archive the other's probe and so let a second
        # one in, and the portal would pass for one that enforces nothing.
        async with ledger.connection() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.PORTAL_SETUP, str(ledger.portal_id))
            )
            known = await _remembered(ledger, target.id_property)
            await asyncio.gather(*(complete(state, properties) for state, properties in found))
    else:
        await asyncio.gather(*(complete(state, properties) for state, properties in found))
    states = {state.object_type: state for state, _ in found}
    return SetupReport(
        ledger.portal_id, target.id_property, states, [w for s in states.values() for w in _warnings(s)], ledger.pause
    )


async def _examine(client: HubSpotClient, outgoing: Outgoing) -> tuple[TypeSetup, list[Json]]:
    target, object_type = client.target, outgoing.object_type
    reply = await client.send(
        "GET", path(target.api, "properties", object_type), operation="properties", object_type=object_type
    )
    state = TypeSetup(outgoing)
    for definition in reply.results:
        name = definition.get("name")
        if name == target.id_property and not definition.get("archived"):
            state.is_there = True
            state.is_unique = bool(definition.get("hasUniqueValue"))
            if definition.get("type") != "string":
                raise Refused(
                    f"HubSpot's {object_type} have a property {name} of type {definition.get('type')}, not string;"
                    " set IC_HUBSPOT_ID_PROPERTY to another name"
                )
        state.lists.read(outgoing, definition)
    return state, reply.results


async def _create_property(
    client: HubSpotClient, outgoing: Outgoings, state: TypeSetup, properties: list[Json]
) -> None:
    """With a unique value where the portal allows it (no public source says for activities), plain otherwise."""
    target = client.target
    url = path(target.api, "properties", state.object_type)
    definition = {
        "groupName": await _group(client, state.object_type, properties),
        "name": target.id_property,
        "label": outgoing.id_label,
        "description": outgoing.id_description,
        "type": "string",
        "fieldType": "text",
    }
    for unique in (True, False):
        try:
            reply = await client.send(
                "POST",
                url,
                {**definition, "hasUniqueValue": unique},
                operation="create property",
                object_type=state.object_type,
                writes=True,
            )
        except Declined as refusal:
            if refusal.status == 409:  # another process was quicker
                fresh, _ = await _examine(client, state.outgoing)
                state.is_there, state.is_unique = fresh.is_there, fresh.is_unique
                return
            if not unique:
                raise Refused(
                    f"HubSpot refuses the property {target.id_property} on {state.object_type}: {refusal.problem.words}"
                ) from refusal
            state.note = f"unique values refused: {refusal.problem.words}"
        else:
            state.is_there = state.was_created = True
            state.is_unique = unique and reply.body.get("hasUniqueValue") is not False
            return


async def _group(client: HubSpotClient, object_type: str, properties: list[Json]) -> str:
    """The group of the type's own properties; a new one where none is known."""
    names = {str(p.get("name")): p.get("groupName") for p in properties}
    group = names.get("hs_timestamp") or next((g for g in names.values() if g), None)
    if isinstance(group, str):
        return group
    try:
        await client.send(
            "POST",
            path(client.target.api, "properties", object_type, "groups"),
            {"name": GROUP, "label": "Migration"},
            operation="create property group",
            object_type=object_type,
            writes=True,
        )
    except Declined as refusal:
        if refusal.status != 409:
            raise Refused(f"HubSpot refuses a property group on {object_type}: {refusal.problem.words}") from refusal
    return GROUP


async def _probe(client: HubSpotClient, state: TypeSetup) -> bool:
    """Creates one value twice, and archives what came of it. Once per portal and type: six requests. False when an
    answer was lost: then nothing is known, and the next push probes again.

    A probe that a crash left behind is found by its value and archived; where an archived one keeps its value
    occupied, the first refusal is proof enough.
    """
    created = [await _find_probe(client, state.object_type)]
    is_certain = True
    for _ in range(2):
        try:
            reply = await client.send(
                "POST",
                path(client.target.api, "objects", state.object_type, "batch/create"),
                {"inputs": [_probe_input(client.target, state.outgoing)]},
                operation="probe",
                object_type=state.object_type,
                inputs=1,
                repeatable=False,
                writes=True,
            )
        except OutcomeUnknown:
            is_certain = False
        except Declined as refusal:
            state.is_enforced |= refusal.problem.is_conflict
            if not refusal.problem.is_conflict:
                state.note = f"the probe was refused: {refusal.problem.words}"
                break
        else:
            state.is_enforced |= any(error.is_conflict for error in reply.errors)
            created += [result.get("id") for result in reply.results]
            is_certain &= bool(reply.results or reply.errors)
    if not any(created):  # an answer was lost, or a dead worker's request came through meanwhile
        created.append(await _find_probe(client, state.object_type))
    doomed = sorted({str(identifier) for identifier in created if identifier})
    if doomed:
        await client.send(
            "POST",
            path(client.target.api, "objects", state.object_type, "batch/archive"),
            {"inputs": [{"id": identifier} for identifier in doomed]},
            operation="probe",
            object_type=state.object_type,
            inputs=len(doomed),
            writes=True,
        )
    return is_certain


async def _find_probe(client: HubSpotClient, object_type: str) -> Any:
    reply = await client.send(
        "POST",
        path(client.target.api, "objects", object_type, "batch/read"),
        {
            "inputs": [{"id": PROBE}],
            "idProperty": client.target.id_property,
            "properties": [client.target.id_property],
            "propertiesWithHistory": [],
        },
        operation="probe",
        object_type=object_type,
        inputs=1,
    )
    return next((result.get("id") for result in reply.results), None)


def _probe_input(target: HubSpotTarget, outgoing: Outgoing) -> Json:
    """The least that HubSpot takes for a record of this type (FACTS 2)."""
    properties = {"hs_timestamp": "2000-01-01T00:00:00.000Z", target.id_property: PROBE, **outgoing.least}
    return {"properties": properties, "associations": [], "objectWriteTraceId": PROBE}


def _warnings(state: TypeSetup) -> list[str]:
    noted = [state.note] if state.note else []
    return [f"{state.object_type}: {words}" for words in (*noted, *missing_options(state.outgoing, state.lists))]


async def _remembered(ledger: Ledger, id_property: str) -> dict[str, bool]:
    async with ledger.connection() as connection:
        cursor = await connection.execute(
            "SELECT object_type, is_enforced FROM hubspot.portal_property"
            " WHERE portal_id = %s AND property_name = %s AND is_unique",
            (ledger.portal_id, id_property),
        )
        return {row[0]: row[1] for row in await cursor.fetchall()}


async def _remember(ledger: Ledger, id_property: str, state: TypeSetup) -> None:
    async with ledger.connection() as connection:
        await connection.execute(
            "INSERT INTO hubspot.portal_property AS p"
            " (portal_id, object_type, property_name, is_unique, is_enforced, note) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (portal_id, object_type, property_name) DO UPDATE SET is_unique = excluded.is_unique,"
            " is_enforced = excluded.is_enforced, note = coalesce(excluded.note, p.note), checked_at = now()",
            (ledger.portal_id, state.object_type, id_property, state.is_unique, state.is_enforced, state.note),
        )
