"""What a payload says about one record, and how it differs from what HubSpot is known to hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ic_assets.hubspot.client.client import Json
from ic_assets.hubspot.ledger.outgoing import Outgoing

TARGETS = ("contacts", "companies", "deals")
# How HubSpot names them in INVALID_OBJECT_IDS.
_KIND_OF = {"contacts": "CONTACT", "companies": "COMPANY", "deals": "DEAL"}
_MISSING = re.compile(r"(?:([A-Z]+)=)?\b(\d+)\b")


class Link(NamedTuple):
    """An association of a record of ours with one of HubSpot's: (contacts, "123", 194)."""

    target: str
    id: str
    type_id: int


def properties(payload: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in (payload.get("properties") or {}).items()}


def links(outgoing: Outgoing, payload: Json) -> set[Link]:
    """The associations of a payload whose type ids are HubSpot's own for the object type."""
    targets = outgoing.targets
    return {
        Link(targets[kind["associationTypeId"]], str(entry["to"]["id"]), kind["associationTypeId"])
        for entry in payload.get("associations") or []
        for kind in entry["types"]
        if kind["associationTypeId"] in targets
    }


def without(payload: Json, dropped: Collection[Link]) -> list[Json]:
    """The associations of a payload as they are sent, apart from ``dropped``."""
    gone = {(link.id, link.type_id) for link in dropped}
    return [
        entry
        for entry in payload.get("associations") or []
        if not any((str(entry["to"]["id"]), kind["associationTypeId"]) in gone for kind in entry["types"])
    ]


def named_links(outgoing: Outgoing, payload: Json, missing: Iterable[str]) -> set[Link]:
    """The associations that HubSpot names as missing: ``CONTACT=123 is not valid``, or the bare id."""
    named = [match.groups() for text in missing for match in _MISSING.finditer(text)]
    return {
        link
        for link in links(outgoing, payload)
        if any(link.id == number and _KIND_OF[link.target] == (kind or _KIND_OF[link.target]) for kind, number in named)
    }


def digests(payload: Json) -> dict[str, str]:
    """Property -> digest of its value."""
    return {name: digest(value) for name, value in properties(payload).items()}


def content(outgoing: Outgoing, payload: Json, dropped: Collection[Link] = ()) -> Json:
    """What the ledger keeps of a pushed payload: enough to know what changes next time, without the bodies."""
    kept: Json = {
        "properties": digests(payload),
        "associations": sorted(list(link) for link in links(outgoing, payload) - set(dropped)),
    }
    return {**kept, "dropped": sorted(list(link) for link in dropped)} if dropped else kept


def changed_properties(outgoing: Outgoing, payload: Json, pushed: Json | None, id_property: str) -> dict[str, str]:
    """What batch/update has to send; "" clears what is no longer there. When ``pushed`` is not known: all of them, and
    whatever else an earlier payload can have set is cleared.

    The id property never changes: the record was found by it.
    """
    wanted = properties(payload)
    wanted.pop(id_property, None)
    if pushed is None:
        return dict.fromkeys(outgoing.properties(), "") | wanted
    known: dict[str, str] = pushed["properties"]
    changed = {name: value for name, value in wanted.items() if known.get(name) != digest(value)}
    return changed | {name: "" for name in known if name not in wanted and name != id_property}


def pushed_links(pushed: Json) -> set[Link]:
    return {Link(str(target), str(identifier), int(kind)) for target, identifier, kind in pushed["associations"]}


def is_digest_of(known: str, value: str) -> bool:
    return known == digest(value)


def digest(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
