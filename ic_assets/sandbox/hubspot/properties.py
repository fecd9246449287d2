"""HubSpot's own properties of the ten object types, as data, and the three legacy ids: what a fresh portal lists.

Names, types and option values follow HubSpot's object guides (calls, emails, meetings, notes, tasks,
communications, postal mail). The product has its own list, written by somebody else from the same guides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """One property definition, HubSpot's or one that was created through the API."""

    name: str
    type: str = "string"
    field_type: str = "text"
    options: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    description: str = ""
    read_only: bool = False
    required: bool = False
    """Has to be set when a record is created."""
    unique: bool = False
    hubspot_defined: bool = True
    unix_ms_only: bool = False
    https_only: bool = False
    json_text: bool = False


CALL_STATUSES = (
    "BUSY",
    "CALLING_CRM_USER",
    "CANCELED",
    "COMPLETED",
    "CONNECTING",
    "FAILED",
    "IN_PROGRESS",
    "NO_ANSWER",
    "QUEUED",
    "RINGING",
)
CALL_DISPOSITIONS = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}
OPTION_LABELS = CALL_DISPOSITIONS
EMAIL_SENDERS_AND_RECEIVERS = {
    "hs_email_from_email": ("from", "email"),
    "hs_email_from_firstname": ("from", "firstName"),
    "hs_email_from_lastname": ("from", "lastName"),
    "hs_email_to_email": ("to", "email"),
    "hs_email_to_firstname": ("to", "firstName"),
    "hs_email_to_lastname": ("to", "lastName"),
}
"""Read-only properties that HubSpot fills from ``hs_email_headers``: the part and the key they come from."""


def _enum(name: str, *options: str, required: bool = False) -> Property:
    return Property(name, "enumeration", "select", options, required=required)


def _html(name: str) -> Property:
    return Property(name, "string", "html")


def _time(name: str, *, required: bool = False, unix_ms_only: bool = False) -> Property:
    return Property(name, "datetime", "date", required=required, unix_ms_only=unix_ms_only)


def _number(name: str) -> Property:
    return Property(name, "number", "number")


def _read_only(name: str, type_: str = "string", field_type: str = "text") -> Property:
    return Property(name, type_, field_type, read_only=True)


_EVERYWHERE = (
    _read_only("hs_object_id", "number", "number"),
    Property("hubspot_owner_id", "number", "number"),
)
_ACTIVITY = (
    _read_only("hs_createdate", "datetime", "date"),
    _read_only("hs_lastmodifieddate", "datetime", "date"),
    _time("hs_timestamp", required=True),
)
_ATTACHMENTS = (Property("hs_attachment_ids"),)

# The migration of the records themselves left its ids behind, as portals in this situation have them.
_LEGACY_ID = {
    slug: Property(f"legacy_{singular}_id", "number", "number", label=f"Legacy {singular} id", hubspot_defined=False)
    for slug, singular in (("contacts", "contact"), ("companies", "company"), ("deals", "deal"))
}

_PER_TYPE: dict[str, tuple[Property, ...]] = {
    "contacts": (
        _LEGACY_ID["contacts"],
        _read_only("createdate", "datetime", "date"),
        _read_only("lastmodifieddate", "datetime", "date"),
        Property("email", unique=True),
        *(Property(name) for name in ("firstname", "lastname", "jobtitle", "company", "website", "address")),
        *(Property(name) for name in ("city", "zip", "state", "country")),
        Property("phone", "phone_number", "phonenumber"),
        Property("mobilephone", "phone_number", "phonenumber"),
        _enum(
            "lifecyclestage",
            *("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity"),
            *("customer", "evangelist", "other"),
        ),
    ),
    "companies": (
        _LEGACY_ID["companies"],
        _read_only("createdate", "datetime", "date"),
        _read_only("hs_lastmodifieddate", "datetime", "date"),
        *(Property(name) for name in ("name", "domain", "website", "address", "city", "zip", "state", "country")),
        Property("phone", "phone_number", "phonenumber"),
        Property("description", "string", "textarea"),
        _number("numberofemployees"),
        _number("annualrevenue"),
    ),
    "deals": (
        _LEGACY_ID["deals"],
        _read_only("createdate", "datetime", "date"),
        _read_only("hs_lastmodifieddate", "datetime", "date"),
        Property("dealname"),
        _number("amount"),
        _time("closedate"),
        Property("description", "string", "textarea"),
        _enum("pipeline", "default"),
        _enum(
            "dealstage",
            *("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin"),
            *("contractsent", "closedwon", "closedlost"),
        ),
        _enum("dealtype", "newbusiness", "existingbusiness"),
    ),
    "calls": (
        *_ACTIVITY,
        *_ATTACHMENTS,
        Property("hs_call_title"),
        _html("hs_call_body"),
        _enum("hs_call_direction", "INBOUND", "OUTBOUND"),
        _number("hs_call_duration"),
        _enum("hs_call_status", *CALL_STATUSES),
        _enum("hs_call_disposition", *CALL_DISPOSITIONS),
        _enum("hs_call_source", "INTEGRATIONS_PLATFORM"),
        Property("hs_call_from_number"),
        Property("hs_call_to_number"),
        Property("hs_call_recording_url", https_only=True),
        _number("hs_call_callee_object_id"),
        _enum("hs_call_callee_object_type", "CONTACT", "COMPANY"),
        _enum("hs_activity_type"),
    ),
    "emails": (
        *_ACTIVITY,
        *_ATTACHMENTS,
        Property("hs_email_subject"),
        Property("hs_email_text", "string", "textarea"),
        _html("hs_email_html"),
        _enum("hs_email_direction", "EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL", required=True),
        _enum("hs_email_status", "BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"),
        Property("hs_email_headers", "string", "textarea", json_text=True),
        *(_read_only(name) for name in EMAIL_SENDERS_AND_RECEIVERS),
    ),
    "meetings": (
        *_ACTIVITY,
        *_ATTACHMENTS,
        Property("hs_meeting_title"),
        _html("hs_meeting_body"),
        _html("hs_internal_meeting_notes"),
        Property("hs_meeting_external_url"),
        Property("hs_meeting_location"),
        _time("hs_meeting_start_time"),
        _time("hs_meeting_end_time"),
        # The fifth option is CANCELED or CANCELLED, as the mode says (portal.py).
        _enum("hs_meeting_outcome", "SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW"),
        _enum("hs_activity_type"),
    ),
    "notes": (*_ACTIVITY, *_ATTACHMENTS, _html("hs_note_body")),
    "tasks": (
        *_ACTIVITY,
        *_ATTACHMENTS,
        Property("hs_task_subject"),
        _html("hs_task_body"),
        _enum("hs_task_status", "NOT_STARTED", "IN_PROGRESS", "COMPLETED", "DEFERRED", "WAITING"),
        _enum("hs_task_priority", "LOW", "MEDIUM", "HIGH"),
        _enum("hs_task_type", "EMAIL", "CALL", "TODO"),
        _time("hs_task_reminders", unix_ms_only=True),
    ),
    "communications": (
        *_ACTIVITY,
        _enum("hs_communication_channel_type", "WHATS_APP", "LINKEDIN_MESSAGE", "SMS", required=True),
        _enum("hs_communication_logged_from", "CRM"),
        _html("hs_communication_body"),
    ),
    "postal_mail": (*_ACTIVITY, *_ATTACHMENTS, _html("hs_postal_mail_body")),
}

GROUPS: dict[str, str] = {
    "contacts": "contactinformation",
    "companies": "companyinformation",
    "deals": "dealinformation",
    "calls": "call_information",
    "emails": "email_information",
    "meetings": "meeting_information",
    "notes": "note_information",
    "tasks": "task_information",
    "communications": "communication_information",
    "postal_mail": "postal_mail_information",
}
"""The property group that HubSpot's own properties of a type stand in. Custom groups come on top."""

HUBSPOT_PROPERTIES: dict[str, dict[str, Property]] = {
    slug: {definition.name: definition for definition in (*_EVERYWHERE, *own)} for slug, own in _PER_TYPE.items()
}

DEFAULT_PROPERTIES: dict[str, tuple[str, ...]] = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        *("amount", "closedate", "createdate", "dealname", "dealstage"),
        *("hs_lastmodifieddate", "hs_object_id", "pipeline"),
    ),
}
"""What a read returns when it names no properties; activities return the stamps alone."""
