"""Finds records by the communication id: through the unique property where the portal has one, otherwise through search
and, since its index lags behind writes, through the list of records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from ic_assets.hubspot.client.client import MAX_INPUTS, Declined, HubSpotClient, Json, as_dict, path
from ic_assets.hubspot.client.search import search_all
from ic_assets.hubspot.portal.setup import TypeSetup

T = TypeVar("T")
# Reading the whole list costs a request per 100 records; beyond this many the tail of it is read.
FULL_LIST = 20_000


def hundreds(items: Sequence[T], size: int = MAX_INPUTS) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def find(
    client: HubSpotClient,
    state: TypeSetup,
    keys: Sequence[str],
    *,
    newest_known: int = 0,
    known_records: int = 0,
    by_list: bool = True,
) -> dict[str, int]:
    """Live records: key -> HubSpot id. Absent keys are absent. ``newest_known`` (record id) and ``known_records`` (of
    this type, from the ledger) bound the list that is read in a portal without unique properties (``by_list`` False:
    the search alone has to do)."""
    found: dict[str, int] = {}
    for some in hundreds(keys):
        found |= await (_by_property(client, state, some) if state.is_unique else _by_search(client, state, some))
    missing = {key for key in keys if key not in found}
    if missing and by_list and not state.is_unique:
        after = newest_known if known_records > FULL_LIST else 0
        found |= await _by_list(client, state, missing, after)
    return found


async def find_archived(client: HubSpotClient, state: TypeSetup, keys: Sequence[str]) -> set[str]:
    """The keys that archived records hold."""
    if not state.is_unique:
        return set()
    held: set[str] = set()
    for some in hundreds(keys):
        held |= set(await _by_property(client, state, some, archived=True))
    return held


async def standing(
    client: HubSpotClient, state: TypeSetup, ids: Sequence[int], properties: Sequence[str] = ()
) -> dict[int, dict[str, str | None]]:
    """At most 100 records by HubSpot's own id: id -> the properties asked for. Archived ones are absent."""
    try:
        reply = await client.send(
            "POST",
            path(client.target.api, "objects", state.object_type, "batch/read"),
            {
                "inputs": [{"id": str(identifier)} for identifier in ids],
                "properties": list(properties),
                "propertiesWithHistory": [],
            },
            operation="read",
            object_type=state.object_type,
            inputs=len(ids),
        )
    except Declined as refusal:
        if refusal.status == 404:  # none of them
            return {}
        raise
    return {
        _number(result.get("id")): {
            name: None if value is None else str(value) for name, value in as_dict(result.get("properties")).items()
        }
        for result in reply.results
    }


async def _by_property(
    client: HubSpotClient, state: TypeSetup, keys: Sequence[str], *, archived: bool = False
) -> dict[str, int]:
    url = path(client.target.api, "objects", state.object_type, "batch/read")
    body = {
        "inputs": [{"id": key} for key in keys],
        "idProperty": client.target.id_property,
        "properties": [client.target.id_property],
        "propertiesWithHistory": [],
    }
    try:
        reply = await client.send(
            "POST",
            f"{url}?archived=true" if archived else url,
            body,
            operation="read",
            object_type=state.object_type,
            inputs=len(keys),
        )
    except Declined as refusal:
        if refusal.status == 404:  # none of them
            return {}
        raise
    return _ids(client, reply.results, set(keys))


async def _by_search(client: HubSpotClient, state: TypeSetup, keys: Sequence[str]) -> dict[str, int]:
    name = client.target.id_property
    filters = [{"propertyName": name, "operator": "IN", "values": list(keys)}]
    found = [one async for one in search_all(client, state.object_type, filters, [name], inputs=len(keys))]
    return _ids(client, found, set(keys))


async def _by_list(client: HubSpotClient, state: TypeSetup, keys: set[str], after: int) -> dict[str, int]:
    """Pages through the records. The list's cursor is taken to be a record id, as HubSpot's is; a page that shows
    otherwise (a record at or before ``after``) starts over from the first record."""
    found: dict[str, int] = {}
    cursor = str(after) if after else ""
    while len(found) < len(keys):
        query = f"?limit=100&archived=false&properties={client.target.id_property}" + (cursor and f"&after={cursor}")
        reply = await client.send(
            "GET",
            path(client.target.api, "objects", state.object_type) + query,
            operation="list",
            object_type=state.object_type,
        )
        if after and any(_number(r.get("id")) <= after for r in reply.results):
            return await _by_list(client, state, keys, 0)
        found |= _ids(client, reply.results, keys)
        following = reply.next_page
        if following is None or following == cursor:
            break
        cursor = following
    return found


def _ids(client: HubSpotClient, results: Sequence[Json], keys: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for result in results:
        properties = result.get("properties")
        key = properties.get(client.target.id_property) if isinstance(properties, dict) else None
        identifier = _number(result.get("id"))
        if isinstance(key, str) and key in keys and identifier:
            # The oldest of several: the same one for every look-up.
            found[str(key)] = min(identifier, found.get(str(key), identifier))
    return found


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def record_id(value: object) -> int | None:
    """A HubSpot record id out of a reply, or None for anything else."""
    return _number(value) or None
