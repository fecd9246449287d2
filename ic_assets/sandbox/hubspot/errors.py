"""HubSpot's error bodies: what the local HubSpot raises, and how the texts read.

Texts marked "observed" in the comments were seen from HubSpot; the others follow its form.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

Json = dict[str, Any]


class ApiError(Exception):
    """An answer that is an error: ``status`` is the HTTP status, ``body`` the JSON without its correlationId."""

    def __init__(self, status: int, message: str, category: str | None = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"status": "error", "message": message}
        if category is not None:
            self.body["category"] = category
        self.body.update({key: value for key, value in more.items() if value})

    def rendered(self) -> Json:
        return {**self.body, "correlationId": str(uuid.uuid4())}

    def as_batch_error(self, context: Mapping[str, list[str]]) -> Json:
        """The StandardError of a multi-status answer. ``context`` (the trace id) comes on top of the error's own."""
        return {
            "errors": [],
            "links": {},
            **self.body,
            "context": {**self.body.get("context", {}), **context},
        }


def invalid_values(problems: Sequence[Json]) -> ApiError:
    """Property values were refused (observed form: the message ends with the problems as a JSON array)."""
    details = [
        {
            "message": problem["message"],
            "code": problem["error"],
            "context": {"propertyName": [problem["name"]]},
        }
        for problem in problems
    ]
    return ApiError(400, f"Property values were not valid: {orjson.dumps(list(problems)).decode()}", errors=details)


def missing_required(legacy_type: str, names: Sequence[str]) -> ApiError:
    detail = {
        "message": f"{', '.join(names)} must be set",
        "code": "MISSING_REQUIRED_PROPERTY",
        "context": {"propertyName": list(names)},
    }
    return ApiError(
        400,
        f"Error creating {legacy_type}. Some required properties were not set.",
        errors=[detail],
        context={"properties": list(names)},
    )


def unique_conflict(portal_id: int, legacy_type: str, name: str, value: str, new_id: int, existing_id: int) -> ApiError:
    """Another record holds the value (observed in production for a contact's email)."""
    return ApiError(
        400,
        f"Cannot set PropertyValueCoordinates{{portalId={portal_id}, "
        f"objectTypeId=ObjectTypeId{{legacyObjectType={legacy_type}}}, propertyName={name}, value={value}}} "
        f"on {new_id}. {existing_id} already has that value.",
    )


def invalid_associations(objects: Sequence[str], types: Sequence[str], specs: Sequence[str]) -> ApiError:
    """Association targets or type ids are wrong (observed)."""
    context: dict[str, list[str]] = {}
    if types:
        context["INVALID_ASSOCIATION_TYPE_ID"] = [f"{t} is not a valid association definition id" for t in types]
        context["associationSpec"] = list(specs)
    if objects:
        context["INVALID_OBJECT_IDS"] = [f"{o} is not valid" for o in objects]
    return ApiError(400, "One or more associations are invalid", context=context)


def not_found(legacy_type: str, ids: Iterable[str]) -> ApiError:
    """Records of a batch that are not there; inside a multi-status answer one error names them all."""
    return ApiError(
        404,
        f"Could not get some {legacy_type} objects, they may be deleted or not exist. Check that ids are valid.",
        "OBJECT_NOT_FOUND",
        context={"ids": list(ids)},
    )


def resource_not_found(identifier: str) -> ApiError:
    if identifier.isdigit():
        return ApiError(404, "resource not found", None)
    return ApiError(404, f"Object not found.  objectId are usually numeric: {identifier[:40]}", "OBJECT_NOT_FOUND")


def duplicate_ids(ids: Sequence[str]) -> ApiError:
    """Observed; trace ids do not soften it."""
    return ApiError(
        400,
        f"Duplicate IDs found in batch input: [{', '.join(ids)}]. IDs must be unique",
        context={"ids": list(ids)},
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, f"Invalid input JSON: {message}")
