"""One portal: its file, its property definitions, and the modes that stand for what is not publicly known."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from zoneinfo import ZoneInfo

import orjson

from ic_assets.sandbox.http.chaos import Chaos
from ic_assets.sandbox.hubspot.errors import ApiError, Json, bad_request
from ic_assets.sandbox.hubspot.objects import BY_ANY_NAME, OBJECT_TYPES, ObjectType
from ic_assets.sandbox.hubspot.properties import GROUPS, HUBSPOT_PROPERTIES, OPTION_LABELS, Property
from ic_assets.sandbox.hubspot.store import Store, iso_now, now_ms

MAX_UNIQUE_PROPERTIES = 10
"""Unique properties of one object type (HubSpot's properties guide)."""

_FIELD_TYPES = {
    "string": {"file", "html", "phonenumber", "text", "textarea", "calculation_equation"},
    "number": {"number", "calculation_equation"},
    "enumeration": {"booleancheckbox", "checkbox", "radio", "select", "calculation_equation"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date"},
    "phone_number": {"phonenumber", "text"},
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_CREATE_FIELDS = {
    *("name", "label", "groupName", "type", "fieldType", "options", "description", "hasUniqueValue", "hidden"),
    *("displayOrder", "formField", "externalOptions", "referencedObjectType", "calculationFormula"),
}
_CHANGEABLE = {"label", "groupName", "options", "description", "hidden", "displayOrder", "formField"}


@dataclass(frozen=True)
class Modes:
    """What nobody outside HubSpot knows, to be tried both ways.

    ``unique_on_activities``: accepted, or refused with 400 when an activity type gets a unique property.
    ``archive_frees_unique``: whether an archived record gives its unique values back.
    ``meeting_canceled``: how the portal spells that meeting outcome, CANCELED or CANCELLED.
    ``multi_status_on_create``, ``multi_status_on_update``: whether one bad record costs only itself (207), or refuses
    its whole batch (400) although every record carries a trace id.
    ``associates_companies``: whether HubSpot's setting that logs an activity on the companies of its contacts as well
    works for activities that come through the API.
    """

    unique_on_activities: str = "accepted"
    archive_frees_unique: bool = True
    meeting_canceled: str = "CANCELED"
    multi_status_on_create: bool = True
    multi_status_on_update: bool = True
    associates_companies: bool = False

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.unique_on_activities, ("accepted", "refused")),
            (self.meeting_canceled, ("CANCELED", "CANCELLED")),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")


class Portal:
    """What the handlers work on. Property definitions are read once and kept: only this process changes them."""

    def __init__(self, store: Store, modes: Modes, chaos: Chaos) -> None:
        self.store = store
        self.modes = modes
        self.chaos = chaos
        self.zone = ZoneInfo("UTC")
        """In which the pages show times; the API has UTC."""
        self.definitions: dict[str, dict[str, Property]] = {}
        self.archived_definitions: dict[str, dict[str, Property]] = {}
        self.unsaved = False
        """Definitions have changed in memory whose transaction is still open."""
        self.reload()

    def forget_unsaved(self) -> None:
        """Goes back to the definitions in the file, after a transaction that left nothing."""
        if self.unsaved:
            self.unsaved = False
            self.reload()

    def reload(self) -> None:
        self.definitions = {slug: dict(own) for slug, own in HUBSPOT_PROPERTIES.items()}
        self.archived_definitions = {kind.slug: {} for kind in OBJECT_TYPES}
        outcome = self.definitions["meetings"]["hs_meeting_outcome"]
        spelled = replace(outcome, options=(*outcome.options, self.modes.meeting_canceled))
        self.definitions["meetings"]["hs_meeting_outcome"] = spelled
        for slug, text, archived_at in self.store.custom_properties():
            fields = orjson.loads(text)
            definition = Property(**{**fields, "options": tuple(fields["options"])})
            target = self.definitions if archived_at is None else self.archived_definitions
            target[slug][definition.name] = definition

    def kind(self, name: str) -> ObjectType:
        """The object type that a path names by slug, singular or type id."""
        try:
            return BY_ANY_NAME[name]
        except KeyError:
            raise ApiError(400, f"Unable to infer object type from: {name[:40]}") from None

    def unique_names(self, slug: str) -> list[str]:
        return [name for name, definition in self.definitions[slug].items() if definition.unique]

    # -- property definitions --------------------------------------------------------------------------------

    def definition(self, kind: ObjectType, name: str) -> Property:
        try:
            return self.definitions[kind.slug][name]
        except KeyError:
            raise ApiError(
                404, f'Property "{name[:80]}" does not exist for object type {kind.type_id}', "OBJECT_NOT_FOUND"
            ) from None

    def groups(self, kind: ObjectType) -> dict[str, str]:
        return {GROUPS[kind.slug]: GROUPS[kind.slug], **dict(self.store.groups(kind.slug))}

    def create_property(self, kind: ObjectType, body: Json) -> Property:
        name = self._checked_property(kind, body)
        if name in self.definitions[kind.slug]:
            raise ApiError(
                409,
                f"Property with name '{name}' already exists for object type {kind.type_id}.",
                "OBJECT_ALREADY_EXISTS",
                subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
            )
        definition = _custom(body)
        archived = self.archived_definitions[kind.slug].pop(name, None)
        if archived is not None:
            # Creating a property under an archived one's name restores it; uniqueness cannot be changed.
            definition = replace(archived, label=definition.label, group=definition.group)
        self._save(kind, definition, None)
        return definition

    def change_property(self, kind: ObjectType, name: str, body: Json) -> Property:
        old = self.definition(kind, name)
        if old.hubspot_defined and set(body) - {"options"}:
            raise ApiError(400, f'"{name}" is a HubSpot defined property; its definition is read only.')
        if wrong := set(body) - _CHANGEABLE:
            raise ApiError(400, f"{', '.join(sorted(wrong))} of a property cannot be changed")
        definition = replace(
            old,
            label=str(body.get("label", old.label)),
            group=str(body.get("groupName", old.group)),
            description=str(body.get("description", old.description)),
            options=_option_values(body) if "options" in body else old.options,
        )
        self._save(kind, definition, None)
        return definition

    def archive_property(self, kind: ObjectType, name: str) -> None:
        definition = self.definition(kind, name)
        if definition.hubspot_defined:
            raise ApiError(400, f'"{name}" is a HubSpot defined property; it cannot be archived.')
        self._save(kind, definition, now_ms())

    def rendered_property(self, kind: ObjectType, definition: Property, *, archived: bool = False) -> Json:
        stamp = iso_now()
        return {
            "name": definition.name,
            "label": definition.label or definition.name,
            "type": definition.type,
            "fieldType": definition.field_type,
            "description": definition.description,
            "groupName": definition.group or GROUPS[kind.slug],
            "options": [
                {"label": OPTION_LABELS.get(o, o), "value": o, "displayOrder": i, "hidden": False}
                for i, o in enumerate(definition.options)
            ],
            "createdAt": stamp,
            "updatedAt": stamp,
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": False,
            "archived": archived,
            "hasUniqueValue": definition.unique,
            "hidden": False,
            "hubspotDefined": definition.hubspot_defined,
            "modificationMetadata": {
                "archivable": not definition.hubspot_defined,
                "readOnlyDefinition": definition.hubspot_defined,
                "readOnlyValue": definition.read_only,
            },
            "formField": False,
        }

    def _checked_property(self, kind: ObjectType, body: Json) -> str:
        if wrong := set(body) - _CREATE_FIELDS:
            raise bad_request(f"Unrecognized field {sorted(wrong)[0]!r}")
        for field in ("name", "label", "groupName", "type", "fieldType"):
            if not isinstance(body.get(field), str) or not body[field]:
                raise bad_request(f"{field} is required and must be a string")
        name: str = body["name"]
        if not _NAME.fullmatch(name) or name.startswith("hs_"):
            raise ApiError(400, f"Property name '{name[:120]}' is invalid: small letters, digits and _, a letter first")
        if body["fieldType"] not in _FIELD_TYPES.get(body["type"], ()):
            raise ApiError(400, f"fieldType {body['fieldType']!r} does not go with type {body['type']!r}")
        if body["groupName"] not in self.groups(kind):
            raise ApiError(400, f"Property group '{body['groupName'][:80]}' does not exist for {kind.type_id}")
        if (body["type"] == "enumeration") != bool(_option_values(body)):
            raise ApiError(400, "options must be given for an enumeration, and for nothing else")
        if body.get("hasUniqueValue"):
            self._refuse_unique(kind, body)
        return name

    def _refuse_unique(self, kind: ObjectType, body: Json) -> None:
        if kind.is_activity and self.modes.unique_on_activities == "refused":
            raise ApiError(400, f"hasUniqueValue is not supported for object type {kind.type_id}")
        if body["type"] not in ("string", "number"):
            raise ApiError(400, f"A property of type {body['type']} cannot have hasUniqueValue")
        if body["name"] in self.archived_definitions[kind.slug]:
            return
        if sum(not d.hubspot_defined and d.unique for d in self.definitions[kind.slug].values()) >= (
            MAX_UNIQUE_PROPERTIES
        ):
            raise ApiError(400, f"{kind.type_id} has {MAX_UNIQUE_PROPERTIES} unique properties, which is the limit")

    def _save(self, kind: ObjectType, definition: Property, archived_at: int | None) -> None:
        self.unsaved = True
        self.store.save_property(kind.slug, definition.name, asdict(definition), archived_at)
        live, archived = self.definitions[kind.slug], self.archived_definitions[kind.slug]
        (archived if archived_at is None else live).pop(definition.name, None)
        (live if archived_at is None else archived)[definition.name] = definition


def _option_values(body: Json) -> tuple[str, ...]:
    options = body.get("options") or []
    if not isinstance(options, list):
        raise bad_request("options must be an array")
    for option in options:
        if not isinstance(option, dict) or not all(isinstance(option.get(k), str) for k in ("label", "value")):
            raise bad_request("every option needs a label and a value, both strings")
    return tuple(option["value"] for option in options)


def _custom(body: Json) -> Property:
    return Property(
        body["name"],
        body["type"],
        body["fieldType"],
        _option_values(body),
        label=body["label"],
        group=body["groupName"],
        description=str(body.get("description") or ""),
        unique=bool(body.get("hasUniqueValue")),
        hubspot_defined=False,
    )
