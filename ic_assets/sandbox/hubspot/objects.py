"""The object types that the local HubSpot serves, and the association types between them.

Type ids and association ids are those of HubSpot's "associate records" guide.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectType:
    """``slug`` and ``type_id`` both name the type in paths; ``legacy`` is its name in HubSpot's error texts."""

    slug: str
    singular: str
    type_id: str
    legacy: str
    is_activity: bool
    title: str
    """The property that a person would call the record's name; empty where there is none."""


@dataclass(frozen=True)
class AssociationType:
    """One direction of an association. All of them are HUBSPOT_DEFINED; ``default`` ones carry no label."""

    type_id: int
    from_slug: str
    to_slug: str
    inverse: int
    label: str | None
    default: bool


RECORD_TYPES = (
    ObjectType("contacts", "contact", "0-1", "CONTACT", False, "email"),
    ObjectType("companies", "company", "0-2", "COMPANY", False, "name"),
    ObjectType("deals", "deal", "0-3", "DEAL", False, "dealname"),
)
ACTIVITY_TYPES = (
    ObjectType("calls", "call", "0-48", "CALL", True, "hs_call_title"),
    ObjectType("emails", "email", "0-49", "EMAIL", True, "hs_email_subject"),
    ObjectType("meetings", "meeting", "0-47", "MEETING_EVENT", True, "hs_meeting_title"),
    ObjectType("notes", "note", "0-46", "NOTE", True, ""),
    ObjectType("tasks", "task", "0-27", "TASK", True, "hs_task_subject"),
    ObjectType("communications", "communication", "0-18", "COMMUNICATION", True, ""),
    ObjectType("postal_mail", "postal_mail", "0-116", "POSTAL_MAIL", True, ""),
)
OBJECT_TYPES = RECORD_TYPES + ACTIVITY_TYPES
BY_SLUG = {kind.slug: kind for kind in OBJECT_TYPES}
BY_ANY_NAME = {name: kind for kind in OBJECT_TYPES for name in (kind.slug, kind.singular, kind.type_id)}

# (one side, other side, id one -> other, id other -> one, label, without a label and so the default)
_PAIRS: tuple[tuple[str, str, int, int, str | None, bool], ...] = (
    ("calls", "contacts", 194, 193, None, True),
    ("calls", "companies", 182, 181, None, True),
    ("calls", "deals", 206, 205, None, True),
    ("emails", "contacts", 198, 197, None, True),
    ("emails", "companies", 186, 185, None, True),
    ("emails", "deals", 210, 209, None, True),
    ("meetings", "contacts", 200, 199, None, True),
    ("meetings", "companies", 188, 187, None, True),
    ("meetings", "deals", 212, 211, None, True),
    ("notes", "contacts", 202, 201, None, True),
    ("notes", "companies", 190, 189, None, True),
    ("notes", "deals", 214, 213, None, True),
    ("tasks", "contacts", 204, 203, None, True),
    ("tasks", "companies", 192, 191, None, True),
    ("tasks", "deals", 216, 215, None, True),
    ("communications", "contacts", 81, 82, None, True),
    ("communications", "companies", 87, 88, None, True),
    ("communications", "deals", 85, 86, None, True),
    ("postal_mail", "contacts", 453, 454, None, True),
    ("postal_mail", "companies", 459, 460, None, True),
    ("postal_mail", "deals", 457, 458, None, True),
    ("contacts", "companies", 279, 280, None, True),
    ("contacts", "companies", 1, 2, "Primary", False),
    ("deals", "companies", 341, 342, None, True),
    ("deals", "companies", 5, 6, "Primary", False),
    ("deals", "contacts", 3, 4, None, True),
)


def _directions() -> dict[int, AssociationType]:
    types = {}
    for one, other, there, back, label, default in _PAIRS:
        types[there] = AssociationType(there, one, other, back, label, default)
        types[back] = AssociationType(back, other, one, there, label, default)
    return types


ASSOCIATION_TYPES = _directions()


def association_types(from_slug: str, to_slug: str) -> list[AssociationType]:
    """The association types of one direction, the one without a label first; empty when there are none."""
    found = [a for a in ASSOCIATION_TYPES.values() if (a.from_slug, a.to_slug) == (from_slug, to_slug)]
    return sorted(found, key=lambda a: not a.default)
