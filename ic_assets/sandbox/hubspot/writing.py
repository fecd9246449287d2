"""Creating, updating and upserting records: every check that HubSpot makes, then one write of what passed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from ic_assets.sandbox.hubspot.calls import (
    Call,
    Reply,
    batch_inputs,
    checked_object,
    multi_status,
    record_id,
    refuse_duplicates,
    rendered,
    text_field,
)
from ic_assets.sandbox.hubspot.errors import (
    ApiError,
    Json,
    bad_request,
    invalid_associations,
    invalid_values,
    missing_required,
    not_found,
    resource_not_found,
    unique_conflict,
)
from ic_assets.sandbox.hubspot.objects import ASSOCIATION_TYPES, association_types
from ic_assets.sandbox.hubspot.properties import EMAIL_SENDERS_AND_RECEIVERS
from ic_assets.sandbox.hubspot.store import Association, Record, now_ms
from ic_assets.sandbox.hubspot.values import Invalid, checked


@dataclass
class Draft:
    """One input on its way to a record. ``current`` is the stored record, None when it is to be created."""

    given: Any
    trace: str | None
    current: Record | None = None
    key: str = ""
    associations: list[tuple[int, int, str]] = field(default_factory=list)
    """(association type id, target id, target slug) each."""
    clean: dict[str, str] = field(default_factory=dict)
    new_id: int = 0
    error: ApiError | None = None

    @property
    def id(self) -> int:
        return self.current.id if self.current else self.new_id


class Write:
    """The drafts of one request, and how a refused one is dealt with.

    ``multi_status`` is on when every input has its own objectWriteTraceId; without it the first refused input
    refuses the request, and the transaction around it leaves nothing.
    """

    def __init__(self, call: Call, drafts: list[Draft], *, multi_status: bool) -> None:
        self.call, self.portal, self.store, self.kind = call, call.portal, call.portal.store, call.kind
        self.drafts = drafts
        traces = [draft.trace for draft in drafts]
        self.multi_status = multi_status and None not in traces and len(set(traces)) == len(traces)

    def refuse(self, draft: Draft, error: ApiError) -> None:
        if not self.multi_status:
            raise error
        draft.error = error

    @property
    def open(self) -> list[Draft]:
        return [draft for draft in self.drafts if draft.error is None]

    def run(self) -> tuple[list[Json], list[Json]]:
        """(results, errors), in the order of the inputs."""
        creating = [draft for draft in self.open if draft.current is None]
        for draft, id_ in zip(creating, self.store.new_ids(len(creating)), strict=True):
            draft.new_id = id_
        self._check_values()
        self._check_targets()
        self._check_unique()
        records = self._save()
        results, errors = [], []
        for draft in self.drafts:
            context = {"objectWriteTraceId": [draft.trace]} if draft.trace else {}
            if draft.error is not None:
                errors.append(draft.error.as_batch_error(context))
                continue
            shown = rendered(self.portal, self.kind, records[draft.id], None, full=True)
            if draft.trace:
                shown["objectWriteTraceId"] = draft.trace
            results.append(shown)
        return results, errors

    def _check_values(self) -> None:
        definitions = self.portal.definitions[self.kind.slug]
        required = [name for name, definition in definitions.items() if definition.required]
        for draft in self.open:
            problems: list[Json] = []
            for name, value in draft.given.items():
                definition = definitions.get(name)
                if definition is None:
                    problems.append(self._problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
                    continue
                try:
                    draft.clean[name] = checked(definition, value)
                except Invalid as invalid:
                    problems.append(self._problem(name, invalid.code, str(invalid)))
            if problems:
                self.refuse(draft, invalid_values(problems))
            elif self.portal.chaos.is_bad(draft.given, self.call.verdict.bad):
                self.refuse(draft, ApiError(400, "The sandbox was told to refuse this record (bad_record)."))
            else:
                self._fill(draft, required)

    def _fill(self, draft: Draft, required: list[str]) -> None:
        clean = draft.clean
        if self.kind.slug == "meetings" and draft.current is None and not clean.get("hs_timestamp"):
            clean["hs_timestamp"] = clean.get("hs_meeting_start_time", "")
        if clean.get("hs_email_headers"):
            clean |= _from_headers(clean["hs_email_headers"])
        if draft.current is None:
            missing = [name for name in required if not clean.get(name)]
        else:
            missing = [name for name in required if clean.get(name) == ""]
        if missing:
            self.refuse(draft, missing_required(self.kind.legacy, missing))

    def _check_unique(self) -> None:
        for name in self.portal.unique_names(self.kind.slug):
            setting = [draft for draft in self.open if draft.clean.get(name)]
            if not setting:
                continue
            holders = self.store.holders(self.kind.slug, name, (draft.clean[name] for draft in setting))
            for draft in setting:
                value = draft.clean[name]
                holder = holders.setdefault(value, draft.id)
                if holder != draft.id:
                    self.refuse(draft, self._conflict(name, value, draft.id, holder))

    def _conflict(self, name: str, value: str, new_id: int, holder: int) -> ApiError:
        if (self.kind.slug, name) == ("contacts", "email"):
            return ApiError(409, f"Contact already exists. Existing ID: {holder}", "CONFLICT")
        return unique_conflict(self.store.portal_id, self.kind.legacy, name, value, new_id, holder)

    def _check_targets(self) -> None:
        wanted: dict[str, set[int]] = {}
        for draft in self.open:
            for _, target, slug in draft.associations:
                wanted.setdefault(slug, set()).add(target)
        there = {slug: self.store.existing(slug, ids) for slug, ids in wanted.items()}
        for draft in self.open:
            gone = [
                f"{self.portal.kind(slug).legacy}={target}"
                for _, target, slug in draft.associations
                if target not in there[slug]
            ]
            if gone:
                self.refuse(draft, invalid_associations(gone, [], []))

    def _save(self) -> dict[int, Record]:
        now, slug, unique = now_ms(), self.kind.slug, self.portal.unique_names(self.kind.slug)
        created: list[Record] = []
        updated: list[Record] = []
        held: list[tuple[str, str, int]] = []
        released: list[tuple[str, str, int]] = []
        for draft in self.open:
            before = draft.current.properties if draft.current else {}
            after = {name: value for name, value in (before | draft.clean).items() if value != ""}
            for name in unique:
                if before.get(name) != after.get(name):
                    released += [(name, before[name], draft.id)] if name in before else []
                    held += [(name, after[name], draft.id)] if name in after else []
            born = draft.current.created if draft.current else now
            record = Record(draft.id, after, born, now)
            (updated if draft.current else created).append(record)
        self.store.insert(slug, created)
        self.store.update(slug, updated)
        self.store.release(slug, released)
        self.store.hold(slug, held)
        self._log_on_companies()
        self.store.associate(a for draft in self.open for a in _both_ways(slug, draft))
        return {record.id: record for record in (*created, *updated)}

    def _log_on_companies(self) -> None:
        """What is logged on a contact is logged on the contact's companies as well, in the mode that says so."""
        if not (self.portal.modes.associates_companies and self.kind.is_activity):
            return
        type_id = association_types(self.kind.slug, "companies")[0].type_id
        for draft in self.open:
            if draft.current is None:
                contacts = [target for _, target, slug in draft.associations if slug == "contacts"]
                companies = self.store.associated("contacts", contacts, "companies")
                found = {company for linked in companies.values() for company in linked}
                draft.associations += [(type_id, company, "companies") for company in sorted(found)]

    def _problem(self, name: str, code: str, message: str) -> Json:
        return {
            "isValid": False,
            "message": message,
            "error": code,
            "name": name,
            "localizedErrorMessage": message,
            "portalId": self.portal.store.portal_id,
        }


def batch_create(call: Call) -> Reply:
    drafts = []
    for position, item in enumerate(batch_inputs(call, {"properties", "associations", "objectWriteTraceId"})):
        drafts.append(_create_draft(item, f"inputs[{position}]"))
    write = Write(call, drafts, multi_status=call.portal.modes.multi_status_on_create)
    _read_associations(write, [item.get("associations") for item in call.body["inputs"]])
    results, errors = write.run()
    return multi_status(call, results, errors, 201)


def create(call: Call) -> Reply:
    body = call.object_body({"properties", "associations", "objectWriteTraceId"})
    write = Write(call, [_create_draft(body, "body")], multi_status=False)
    _read_associations(write, [body.get("associations")])
    return Reply(201, write.run()[0][0])


def batch_update(call: Call) -> Reply:
    drafts, _ = _existing_drafts(call)
    write = Write(call, drafts, multi_status=call.portal.modes.multi_status_on_update)
    for draft in drafts:
        if draft.current is None:
            write.refuse(draft, not_found(call.kind.legacy, [draft.key]))
    results, errors = write.run()
    return multi_status(call, results, errors, 200)


def batch_upsert(call: Call) -> Reply:
    drafts, id_properties = _existing_drafts(call, operation="upsert")
    write = Write(call, drafts, multi_status=True)
    held = call.portal.store
    for draft, name in zip(drafts, id_properties, strict=True):
        if draft.current is not None:
            continue
        if name is None:
            write.refuse(draft, not_found(call.kind.legacy, [draft.key]))
            continue
        draft.given = {name: draft.key, **draft.given}
        if holder := held.holders(call.kind.slug, name, [_key(name, draft.key)]):
            # The holder is archived and keeps its value: there is nothing to update and nothing to create.
            conflict = (name, draft.key, 0, next(iter(holder.values())))
            write.refuse(draft, unique_conflict(held.portal_id, call.kind.legacy, *conflict))
    new = {id(draft) for draft in drafts if draft.current is None}
    results, errors = write.run()
    for draft, shown in zip(write.open, results, strict=True):
        shown["new"] = id(draft) in new
    return multi_status(call, results, errors, 200)


def update(call: Call) -> Reply:
    body = call.object_body({"properties", "objectWriteTraceId"})
    name, key = call.query.get("idProperty"), call.params["id"]
    ids = ids_of(call, name, [key], "update")
    found = call.portal.store.records(call.kind.slug, ids.values())
    if not found:
        raise resource_not_found(key)
    draft = Draft(_properties(body, "body"), _trace(body, "body"), current=next(iter(found.values())))
    return Reply(200, Write(call, [draft], multi_status=False).run()[0][0])


def ids_of(call: Call, name: str | None, keys: list[str], operation: str) -> dict[str, int]:
    """key -> record id, for keys that are ids (``name`` None) or values of a unique property."""
    if name is None:
        return {key: record_id(key) for key in keys}
    kind = call.kind
    definition = call.portal.definitions[kind.slug].get(name)
    if name == "hs_object_id" or definition is None or not definition.unique:
        raise ApiError(400, f"Unable to perform {operation} by non-unique {kind.type_id} property {name[:80]}")
    holders = call.portal.store.holders(kind.slug, name, [_key(name, key) for key in keys])
    return {key: holders[_key(name, key)] for key in keys if _key(name, key) in holders}


def _key(name: str, key: str) -> str:
    return key.lower() if name == "email" else key


def _existing_drafts(call: Call, operation: str = "update") -> tuple[list[Draft], list[str | None]]:
    """The drafts of an update or upsert with the records that they name, and the idProperty of each."""
    drafts: list[Draft] = []
    names: list[str | None] = []
    for position, item in enumerate(batch_inputs(call, {"id", "properties", "idProperty", "objectWriteTraceId"})):
        where = f"inputs[{position}]"
        key = text_field(item, "id", where)
        names.append(text_field(item, "idProperty", where) if item.get("idProperty") is not None else None)
        drafts.append(Draft(_properties(item, where), _trace(item, where), key=key))
    refuse_duplicates([draft.key for draft in drafts])
    for name in dict.fromkeys(names):
        mine = [draft for draft, own in zip(drafts, names, strict=True) if own == name]
        ids = ids_of(call, name, [draft.key for draft in mine], operation)
        records = call.portal.store.records(call.kind.slug, ids.values())
        for draft in mine:
            draft.current = records.get(ids.get(draft.key, -1))
    return drafts, names


def _create_draft(item: Json, where: str) -> Draft:
    return Draft(_properties(item, where), _trace(item, where))


def _properties(item: Json, where: str) -> Json:
    properties = item.get("properties")
    if not isinstance(properties, dict):
        raise bad_request(f"{where}.properties is required and must be an object")
    return properties


def _trace(item: Json, where: str) -> str | None:
    if item.get("objectWriteTraceId") is None:
        return None
    return text_field(item, "objectWriteTraceId", where)


def _read_associations(write: Write, given: list[Any]) -> None:
    for position, (draft, items) in enumerate(zip(write.drafts, given, strict=True)):
        if items is None:
            continue
        if not isinstance(items, list):
            raise bad_request(f"inputs[{position}].associations must be an array")
        wrong_types, specs, objects = [], [], []
        for number, item in enumerate(items):
            where = f"inputs[{position}].associations[{number}]"
            target, types = _association(item, where)
            for category, type_id in types:
                definition = ASSOCIATION_TYPES.get(type_id) if category == "HUBSPOT_DEFINED" else None
                if definition is None or definition.from_slug != write.kind.slug:
                    wrong_types.append(f"{category}={type_id}")
                    specs.append(f"{category}:{type_id}")
                elif record_id(target) < 0:
                    objects.append(f"{write.portal.kind(definition.to_slug).legacy}={target[:40]}")
                else:
                    draft.associations.append((type_id, record_id(target), definition.to_slug))
        if wrong_types or objects:
            write.refuse(draft, invalid_associations(objects, wrong_types, specs))


def _association(item: Any, where: str) -> tuple[str, list[tuple[str, int]]]:
    checked_object(item, {"to", "types"}, where)
    to = checked_object(item.get("to"), {"id"}, f"{where}.to")
    return text_field(to, "id", f"{where}.to"), association_specs(item.get("types"), where)


def association_specs(types: Any, where: str) -> list[tuple[str, int]]:
    """(category, type id) of each association spec."""
    if not isinstance(types, list) or not types:
        raise bad_request(f"{where}.types must be an array with at least one entry")
    specs = []
    for spec in types:
        checked_object(spec, {"associationCategory", "associationTypeId"}, f"{where}.types")
        category, type_id = text_field(spec, "associationCategory", where), spec.get("associationTypeId")
        if category not in ("HUBSPOT_DEFINED", "INTEGRATOR_DEFINED", "USER_DEFINED", "WORK"):
            raise bad_request(f"{where}: {category[:40]!r} is not an association category")
        if not isinstance(type_id, int) or isinstance(type_id, bool):
            raise bad_request(f"{where}.associationTypeId must be a number")
        specs.append((category, type_id))
    return specs


def _both_ways(slug: str, draft: Draft) -> list[Association]:
    rows: list[Association] = []
    for type_id, target, to_slug in draft.associations:
        rows.append((slug, draft.id, to_slug, target, type_id))
        rows.append((to_slug, target, slug, draft.id, ASSOCIATION_TYPES[type_id].inverse))
    return rows


def _from_headers(headers: str) -> dict[str, str]:
    """HubSpot's read-only sender and receiver properties, out of ``hs_email_headers``; several joined with ;"""
    parts = orjson.loads(headers)
    filled = {}
    for name, (part, key) in EMAIL_SENDERS_AND_RECEIVERS.items():
        people = parts.get(part) or []
        people = people if isinstance(people, list) else [people]
        found = [str(person[key]) for person in people if isinstance(person, dict) and person.get(key)]
        filled[name] = ";".join(found)
    return filled
