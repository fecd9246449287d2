"""HubSpot's search: request bodies with every field that HubSpot's description of the API requires, and all results.

A query gives at most 10,000 results. Whoever wants all of them asks for ids above the last one, in ascending order, so
that each page is the beginning of a new query.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ic_assets.hubspot.client.client import HubSpotClient, Json, path

_PAGE = 200


def search_body(filters: Sequence[Json], properties: Sequence[str], *, limit: int = _PAGE) -> Json:
    """The first ``limit`` records that all ``filters`` hold for, by ascending id."""
    return {
        "filterGroups": [{"filters": list(filters)}] if filters else [],
        "sorts": ["hs_object_id"],
        "properties": list(properties),
        "limit": limit,
        "after": "0",
    }


async def search_all(
    client: HubSpotClient, object_type: str, filters: Sequence[Json], properties: Sequence[str], *, inputs: int = 0
) -> AsyncIterator[Json]:
    """Every record that ``filters`` hold for, one page in memory at a time."""
    url, last = path(client.target.api, "objects", object_type, "search"), 0
    while True:
        above = [{"propertyName": "hs_object_id", "operator": "GT", "value": str(last)}] if last else []
        body = search_body([*filters, *above], properties)
        reply = await client.send(
            "POST", url, body, operation="search", object_type=object_type, inputs=inputs, search=True
        )
        for result in reply.results:
            yield result
        ids = [
            int(one)
            for one in (str(r.get("id")) for r in reply.results)
            if one.isascii() and one.isdigit() and len(one) < 19
        ]
        if reply.next_page is None or max(ids, default=0) <= last:
            return
        last = max(ids)
