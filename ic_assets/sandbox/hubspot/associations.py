"""The association endpoints (v4 and dated): batches, single associations, labels."""

from __future__ import annotations

from typing import Any

from ic_assets.sandbox.hubspot.calls import (
    Call,
    Reply,
    batch_inputs,
    checked_object,
    envelope,
    multi_status,
    record_id,
    text_field,
)
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request, invalid_associations, resource_not_found
from ic_assets.sandbox.hubspot.objects import ASSOCIATION_TYPES, ObjectType, association_types
from ic_assets.sandbox.hubspot.store import Association
from ic_assets.sandbox.hubspot.writing import association_specs

MAX_CREATE = 2_000
MAX_READ = 1_000
MAX_LIST = 500


def _ends(call: Call) -> tuple[ObjectType, ObjectType]:
    return call.kind, call.portal.kind(call.params["to_kind"])


def batch_create(call: Call) -> Reply:
    one, other = _ends(call)
    links = []
    for position, item in enumerate(batch_inputs(call, {"from", "to", "types"}, most=MAX_CREATE)):
        where = f"inputs[{position}]"
        specs = association_specs(item.get("types"), where)
        links.append((_end(item, "from", where), _end(item, "to", where), _checked(one, other, specs)))
    return Reply(200 if call.version == "2026-09" else 201, envelope(_associate(call, one, other, links)))


def batch_associate_default(call: Call) -> Reply:
    one, other = _ends(call)
    type_id = _default(one, other)
    links = []
    for position, item in enumerate(batch_inputs(call, {"from", "to"}, most=MAX_CREATE)):
        where = f"inputs[{position}]"
        links.append((_end(item, "from", where), _end(item, "to", where), [type_id]))
    return Reply(200, envelope(_associate_default(call, one, other, links)))


def associate_default(call: Call) -> Reply:
    one, other = _ends(call)
    link = (call.params["id"], call.params["to_id"], [_default(one, other)])
    return Reply(200, envelope(_associate_default(call, one, other, [link])))


def associate(call: Call) -> Reply:
    one, other = _ends(call)
    type_ids = _checked(one, other, association_specs(call.body, "body"))
    return Reply(201, _associate(call, one, other, [(call.params["id"], call.params["to_id"], type_ids)])[0])


def dissociate(call: Call) -> Reply:
    one, other = _ends(call)
    pair = (one.slug, record_id(call.params["id"]), other.slug, record_id(call.params["to_id"]))
    call.portal.store.dissociate([pair])
    return Reply(204)


def batch_archive(call: Call) -> Reply:
    one, other = _ends(call)
    pairs = []
    for position, item in enumerate(batch_inputs(call, {"from", "to"}, most=MAX_CREATE)):
        where = f"inputs[{position}]"
        from_id = record_id(_end(item, "from", where))
        if not isinstance(item.get("to"), list):
            raise bad_request(f"{where}.to must be an array")
        pairs += [(one.slug, from_id, other.slug, record_id(text_field(to, "id", where))) for to in item["to"]]
    call.portal.store.dissociate(pairs)
    return Reply(204) if call.version == "v3" else Reply(200, envelope([]))


def batch_read(call: Call) -> Reply:
    """One result per record that has associations; each of the others is an error (observed form)."""
    one, other = _ends(call)
    inputs = batch_inputs(call, {"id", "after"}, most=MAX_READ)
    keys = [text_field(item, "id", f"inputs[{n}]") for n, item in enumerate(inputs)]
    linked = call.portal.store.associated(one.slug, [record_id(key) for key in keys], other.slug)
    results: list[Json] = []
    errors: list[Json] = []
    for key in keys:
        targets = linked.get(record_id(key))
        if targets:
            results.append({"from": {"id": key}, "to": _targets(targets)})
        else:
            errors.append(_nothing_associated(one, other, key))
    return multi_status(call, results, errors, 200)


def list_associations(call: Call) -> Reply:
    one, other = _ends(call)
    key = call.params["id"]
    if not call.portal.store.existing(one.slug, [record_id(key)]):
        raise resource_not_found(key)
    limit, after = call.number("limit", MAX_LIST, MAX_LIST), record_id(call.query.get("after", "0"))
    targets = call.portal.store.associated(one.slug, [int(key)], other.slug).get(int(key), {})
    rest = [target for target in sorted(targets) if target > after]
    body: Json = {"results": _targets({target: targets[target] for target in rest[:limit]})}
    if len(rest) > limit:
        body["paging"] = {"next": {"after": str(rest[limit - 1])}}
    return Reply(200, body)


def labels(call: Call) -> Reply:
    one, other = _ends(call)
    found = association_types(one.slug, other.slug)
    shown = [{"category": "HUBSPOT_DEFINED", "typeId": a.type_id, "label": a.label} for a in found]
    return Reply(200, {"results": shown})


def _associate(call: Call, one: ObjectType, other: ObjectType, links: list[tuple[str, str, list[int]]]) -> list[Json]:
    there = call.portal.store.existing(one.slug, {record_id(a) for a, _, _ in links})
    here = call.portal.store.existing(other.slug, {record_id(b) for _, b, _ in links})
    gone = [f"{one.legacy}={a[:40]}" for a, _, _ in links if record_id(a) not in there]
    gone += [f"{other.legacy}={b[:40]}" for _, b, _ in links if record_id(b) not in here]
    if gone:
        raise invalid_associations(gone, [], [])
    rows: list[Association] = []
    for a, b, type_ids in links:
        for type_id in type_ids:
            rows.append((one.slug, int(a), other.slug, int(b), type_id))
            rows.append((other.slug, int(b), one.slug, int(a), ASSOCIATION_TYPES[type_id].inverse))
    call.portal.store.associate(rows)
    return [
        {
            "fromObjectTypeId": one.type_id,
            "fromObjectId": a,
            "toObjectTypeId": other.type_id,
            "toObjectId": b,
            "labels": [label for t in type_ids if (label := ASSOCIATION_TYPES[t].label)],
        }
        for a, b, type_ids in links
    ]


def _associate_default(
    call: Call, one: ObjectType, other: ObjectType, links: list[tuple[str, str, list[int]]]
) -> list[Json]:
    _associate(call, one, other, links)
    shown = []
    for a, b, type_ids in links:
        for from_id, to_id, type_id in ((a, b, type_ids[0]), (b, a, ASSOCIATION_TYPES[type_ids[0]].inverse)):
            spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
            shown.append({"from": {"id": from_id}, "to": {"id": to_id}, "associationSpec": spec})
    return shown


def _checked(one: ObjectType, other: ObjectType, specs: list[tuple[str, int]]) -> list[int]:
    known = {a.type_id for a in association_types(one.slug, other.slug)}
    wrong = [(c, t) for c, t in specs if c != "HUBSPOT_DEFINED" or t not in known]
    if wrong:
        raise invalid_associations([], [f"{c}={t}" for c, t in wrong], [f"{c}:{t}" for c, t in wrong])
    return [type_id for _, type_id in specs]


def _default(one: ObjectType, other: ObjectType) -> int:
    found = association_types(one.slug, other.slug)
    if not found:
        raise ApiError(400, f"No association definition exists between {one.type_id} and {other.type_id}")
    return found[0].type_id


def _end(item: Json, name: str, where: str) -> str:
    return text_field(checked_object(item.get(name), {"id"}, f"{where}.{name}"), "id", f"{where}.{name}")


def _targets(targets: dict[int, list[int]]) -> list[Json]:
    return [{"toObjectId": str(target), "associationTypes": _types(ids)} for target, ids in targets.items()]


def _types(type_ids: list[int]) -> list[Json]:
    return [
        {"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": ASSOCIATION_TYPES[type_id].label}
        for type_id in type_ids
    ]


def _nothing_associated(one: ObjectType, other: ObjectType, key: str) -> Json:
    context: dict[str, Any] = {
        "fromObjectId": [key],
        "fromObjectType": [one.singular],
        "toObjectType": [other.singular],
    }
    error = ApiError(
        404,
        f"No {other.singular} is associated with {one.singular} {key[:40]}.",
        "OBJECT_NOT_FOUND",
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
        context=context,
    )
    return error.as_batch_error({})
