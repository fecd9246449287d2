"""What a handler gets and gives back, and the parts of requests that several handlers read alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from ic_assets.sandbox.http.chaos import Verdict
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request, duplicate_ids
from ic_assets.sandbox.hubspot.objects import ObjectType
from ic_assets.sandbox.hubspot.portal import Portal
from ic_assets.sandbox.hubspot.properties import DEFAULT_PROPERTIES
from ic_assets.sandbox.hubspot.store import Record, iso_now
from ic_assets.sandbox.hubspot.values import iso

MAX_BATCH = 100


@dataclass
class Call:
    """One request to the API. ``version`` is ``v3``, ``2026-03`` or ``2026-09``; ``body`` the decoded JSON."""

    portal: Portal
    version: str
    params: Mapping[str, str]
    query: QueryParams
    body: Any
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def kind(self) -> ObjectType:
        return self.portal.kind(self.params["kind"])

    def object_body(self, allowed: set[str]) -> Json:
        """The body as an object that has no other fields."""
        return checked_object(self.body, allowed, "body")

    def flag(self, name: str) -> bool:
        text = self.query.get(name, "false").lower()
        if text not in ("true", "false"):
            raise bad_request(f"query parameter {name} must be true or false")
        return text == "true"

    def number(self, name: str, default: int, highest: int) -> int:
        text = self.query.get(name) or str(default)
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:19]) <= highest:
            raise ApiError(400, f"{name} must be a number from 1 to {highest}")
        return int(text)

    def names(self, name: str) -> list[str] | None:
        """A list in the query: repeated, or joined with commas. None when it is not there."""
        given = self.query.getlist(name)
        return [part.strip() for text in given for part in text.split(",") if part.strip()] or None


@dataclass
class Reply:
    """``body`` None is an answer without one."""

    status: int
    body: Json | None = None


def checked_object(value: Any, allowed: set[str], what: str) -> Json:
    if not isinstance(value, dict):
        raise bad_request(f"{what} must be an object")
    for name in value:
        if name not in allowed:
            # HubSpot may ignore it; a field that goes nowhere is a mistake of the sender's, so it is shown here.
            raise bad_request(f'Unrecognized field "{str(name)[:80]}" in {what}')
    return value


def batch_inputs(call: Call, allowed: set[str], *, more: set[str] | None = None, most: int = MAX_BATCH) -> list[Json]:
    """The ``inputs`` of a batch, each an object with known fields. 101 inputs refuse the request."""
    body = call.object_body({"inputs", *(more or ())})
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise bad_request("inputs must be an array")
    if not inputs:
        raise ApiError(400, "The batch must have at least one input")
    if len(inputs) > most:
        raise ApiError(400, f"The batch has {len(inputs)} inputs; the limit is {most}")
    return [checked_object(item, allowed, f"inputs[{position}]") for position, item in enumerate(inputs)]


def text_field(item: Json, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise bad_request(f"{where}.{name} is required and must be a string")
    return value


def refuse_duplicates(ids: list[str]) -> None:
    seen: set[str] = set()
    twice = [id_ for id_ in ids if id_ in seen or seen.add(id_)]  # type: ignore[func-returns-value]
    if twice:
        raise duplicate_ids(list(dict.fromkeys(twice)))


def name_list(body: Json, field: str) -> list[str]:
    names = body.get(field) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_request(f"{field} must be an array of strings")
    return names


def record_id(text: Any) -> int:
    """A record id as a number; -1, which no record has, for anything else."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return -1


def envelope(results: list[Any], errors: list[Json] | None = None) -> Json:
    """The answer of a batch, with ``numErrors`` and ``errors`` when there are any."""
    now = iso_now()
    body: Json = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return body


def multi_status(call: Call, results: list[Any], errors: list[Json], success: int) -> Reply:
    """207 when there are errors; from 2026-09 on the plain status, with the errors in the body all the same."""
    partial = errors and call.version != "2026-09"
    return Reply(207 if partial else success, envelope(results, errors))


def stamps(kind: ObjectType, record: Record) -> dict[str, str]:
    created, updated = ("hs_createdate" if kind.is_activity else "createdate"), "hs_lastmodifieddate"
    if kind.slug == "contacts":
        updated = "lastmodifieddate"
    return {created: iso(record.created), updated: iso(record.updated), "hs_object_id": str(record.id)}


def rendered(portal: Portal, kind: ObjectType, record: Record, names: list[str] | None, *, full: bool = False) -> Json:
    """One record as the API shows it. ``full`` shows all that is set; ``names`` those properties, unset ones as
    null and unknown ones left out; otherwise the type's default properties."""
    own, known = stamps(kind, record), portal.definitions[kind.slug]
    properties: dict[str, str | None]
    if full:
        properties = {name: value for name, value in record.properties.items() if name in known}
    else:
        wanted = names if names is not None else DEFAULT_PROPERTIES.get(kind.slug, ())
        properties = {name: record.properties.get(name) for name in wanted if name in known}
    properties.update(own)
    shown: Json = {
        "id": str(record.id),
        "properties": properties,
        "createdAt": iso(record.created),
        "updatedAt": iso(record.updated),
        "archived": record.archived_at is not None,
    }
    if record.archived_at is not None:
        shown["archivedAt"] = iso(record.archived_at)
    return shown


def with_history(shown: Json, record: Record, names: list[str]) -> Json:
    """``propertiesWithHistory`` with the present value alone: the local portal keeps no history."""
    shown["propertiesWithHistory"] = {
        name: [{"value": record.properties[name], "timestamp": iso(record.updated), "sourceType": "INTEGRATION"}]
        for name in names
        if name in record.properties
    }
    return shown
