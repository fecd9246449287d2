"""What a payload says about one record, and how it differs from what HubSpot is known to hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import NamedTuple

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.hubspot.client.client import Json

_PROPERTY = re.compile(r'"(hs_\w+)"\s*:')
TARGETS = ("contacts", "companies", "deals")
_TARGET_OF = {
    type_id: target
    for a in ACTIVITY_TYPES
    for type_id, target in zip((a.to_contact, a.to_company, a.to_deal), TARGETS, strict=True)
}
_TYPE_ID = {
    (a.name, target): type_id
    for a in ACTIVITY_TYPES
    for type_id, target in zip((a.to_contact, a.to_company, a.to_deal), TARGETS, strict=True)
}

# How HubSpot names them in INVALID_OBJECT_IDS.
_KIND_OF = {"contacts": "CONTACT", "companies": "COMPANY", "deals": "DEAL"}
_MISSING = re.compile(r"(?:([A-Z]+)=)?\b(\d+)\b")


class Link(NamedTuple):
    """An association of an activity with one record: (contacts, "123", 194)."""

    target: str
    id: str
    type_id: int


def properties(payload: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in (payload.get("properties") or {}).items()}


def links(payload: Json) -> set[Link]:
    """The associations of a payload whose type ids are HubSpot's own for activities."""
    return {
        Link(_TARGET_OF[kind["associationTypeId"]], str(entry["to"]["id"]), kind["associationTypeId"])
        for entry in payload.get("associations") or []
        for kind in entry["types"]
        if kind["associationTypeId"] in _TARGET_OF
    }


def type_id(object_type: str, target: str) -> int:
    return _TYPE_ID[object_type, target]


def without(payload: Json, dropped: Collection[Link]) -> list[Json]:
    """The associations of a payload as they are sent, apart from ``dropped``."""
    gone = {(link.id, link.type_id) for link in dropped}
    return [
        entry
        for entry in payload.get("associations") or []
        if not any((str(entry["to"]["id"]), kind["associationTypeId"]) in gone for kind in entry["types"])
    ]


def named_links(payload: Json, missing: Iterable[str]) -> set[Link]:
    """The associations that HubSpot names as missing: ``CONTACT=123 is not valid``, or the bare id."""
    named = [match.groups() for text in missing for match in _MISSING.finditer(text)]
    return {
        link
        for link in links(payload)
        if any(link.id == number and _KIND_OF[link.target] == (kind or _KIND_OF[link.target]) for kind, number in named)
    }


def content(payload: Json, dropped: Collection[Link] = ()) -> Json:
    """What the ledger keeps of a pushed payload: enough to know what changes next time, without the bodies."""
    kept: Json = {
        "properties": {name: digest(value) for name, value in properties(payload).items()},
        "associations": sorted(list(link) for link in links(payload) - set(dropped)),
    }
    return {**kept, "dropped": sorted(list(link) for link in dropped)} if dropped else kept


@cache
def template_properties(object_type: str) -> frozenset[str]:
    """The properties that a payload of this type can carry: those that its template names."""
    text = (TEMPLATES_DIR / BY_NAME[object_type].template).read_text(encoding="utf-8")
    return frozenset(_PROPERTY.findall(text))


def changed_properties(object_type: str, payload: Json, pushed: Json | None, id_property: str) -> dict[str, str]:
    """What batch/update has to send; "" clears what is no longer there. When ``pushed`` is not known: all of them, and
    whatever else an earlier payload can have set is cleared.

    The id property never changes: the record was found by it.
    """
    wanted = properties(payload)
    wanted.pop(id_property, None)
    if pushed is None:
        return dict.fromkeys(template_properties(object_type), "") | wanted
    known: dict[str, str] = pushed["properties"]
    changed = {name: value for name, value in wanted.items() if known.get(name) != digest(value)}
    return changed | {name: "" for name in known if name not in wanted and name != id_property}


def pushed_links(pushed: Json) -> set[Link]:
    return {Link(str(target), str(identifier), int(kind)) for target, identifier, kind in pushed["associations"]}


def is_digest_of(known: str, value: str) -> bool:
    return known == digest(value)


def digest(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
