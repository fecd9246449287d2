"""Reading and archiving records: one, batches, lists."""

from __future__ import annotations

from ic_assets.sandbox.hubspot.calls import (
    Call,
    Reply,
    batch_inputs,
    multi_status,
    name_list,
    record_id,
    rendered,
    text_field,
    with_history,
)
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request, not_found, resource_not_found
from ic_assets.sandbox.hubspot.objects import ObjectType
from ic_assets.sandbox.hubspot.portal import Portal
from ic_assets.sandbox.hubspot.store import Record, now_ms
from ic_assets.sandbox.hubspot.writing import ids_of


def batch_read(call: Call) -> Reply:
    """The records that are there, and one error that names the ids of all that are not (observed form)."""
    more = {"properties", "propertiesWithHistory", "idProperty"}
    inputs = batch_inputs(call, {"id"}, more=more)
    keys = list(dict.fromkeys(text_field(item, "id", f"inputs[{n}]") for n, item in enumerate(inputs)))
    name = call.body.get("idProperty")
    if name is not None and not isinstance(name, str):
        raise bad_request("idProperty must be a string")
    names, history = name_list(call.body, "properties"), name_list(call.body, "propertiesWithHistory")
    kind = call.kind
    ids = ids_of(call, name, keys, "read")
    found = call.portal.store.records(kind.slug, ids.values(), archived=call.flag("archived"))
    results, absent = [], []
    for key in keys:
        record = found.get(ids.get(key, -1))
        if record is None:
            absent.append(key)
        else:
            shown = rendered(call.portal, kind, record, names or [])
            results.append(with_history(shown, record, history) if history else shown)
    errors = [not_found(kind.legacy, absent).as_batch_error({})] if absent else []
    return multi_status(call, results, errors, 200)


def read(call: Call) -> Reply:
    key, kind = call.params["id"], call.kind
    ids = ids_of(call, call.query.get("idProperty"), [key], "read")
    found = call.portal.store.records(kind.slug, ids.values(), archived=call.flag("archived"))
    if not found:
        raise resource_not_found(key)
    record = next(iter(found.values()))
    shown = rendered(call.portal, kind, record, call.names("properties"))
    return Reply(200, _with_associations(call, kind, [shown])[0])


def list_records(call: Call) -> Reply:
    """A page in the order of ids. HubSpot's order is not documented; ``after`` is to be taken as it comes."""
    kind, limit = call.kind, call.number("limit", 10, 100)
    after = call.query.get("after", "0")
    if record_id(after) < 0:
        raise ApiError(400, f"after={after[:40]!r} is not a paging cursor of this list")
    records = call.portal.store.page(kind.slug, int(after), limit + 1, archived=call.flag("archived"))
    names = call.names("properties")
    results = [rendered(call.portal, kind, record, names) for record in records[:limit]]
    body: Json = {"results": _with_associations(call, kind, results)}
    if len(records) > limit:
        body["paging"] = {"next": {"after": str(records[limit - 1].id)}}
    return Reply(200, body)


def batch_archive(call: Call) -> Reply:
    """204 whatever the ids: unknown and archived ones are passed over."""
    inputs = batch_inputs(call, {"id"})
    keys = [text_field(item, "id", f"inputs[{n}]") for n, item in enumerate(inputs)]
    archive_records(call.portal, call.kind, [record_id(key) for key in keys])
    return Reply(204)


def archive(call: Call) -> Reply:
    archive_records(call.portal, call.kind, [record_id(call.params["id"])])
    return Reply(204)


def archive_records(portal: Portal, kind: ObjectType, ids: list[int]) -> None:
    found = portal.store.records(kind.slug, dict.fromkeys(ids))
    portal.store.archive(kind.slug, found, now_ms())
    if portal.modes.archive_frees_unique:
        portal.store.release(kind.slug, [held for record in found.values() for held in _held(portal, kind, record)])


def _held(portal: Portal, kind: ObjectType, record: Record) -> list[tuple[str, str, int]]:
    names = portal.unique_names(kind.slug)
    return [(name, record.properties[name], record.id) for name in names if name in record.properties]


def _with_associations(call: Call, kind: ObjectType, shown: list[Json]) -> list[Json]:
    for name in call.names("associations") or []:
        other = call.portal.kind(name)
        linked = call.portal.store.associated(kind.slug, [int(item["id"]) for item in shown], other.slug)
        for item in shown:
            targets = linked.get(int(item["id"]))
            if targets:
                label = f"{kind.singular}_to_{other.singular}"
                found = [{"id": str(target), "type": label} for target in targets]
                item.setdefault("associations", {})[other.slug] = {"results": found}
    return shown
