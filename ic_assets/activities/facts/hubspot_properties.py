"""The properties of HubSpot's seven activity types as data: what may be written, with which values.

From HubSpot's guides of the activity types (developers.hubspot.com, calls to postal mail) and the activity
properties reference of its agent-cli-skills. A portal can add options: the push reads the portal's own lists
before it sends, this module is what a payload is held against before there is a portal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# Characters of a string property (properties guide; the notes guide repeats it for hs_note_body).
MAX_LENGTH = 65_536

PropertyType = Literal["string", "html", "number", "datetime", "enumeration"]


@dataclass(frozen=True)
class Property:
    """One property. ``html`` is a string that HubSpot shows as HTML. Every value travels as a JSON string."""

    type: PropertyType = "string"
    options: tuple[str, ...] = ()
    required: bool = False
    read_only: bool = False


_STRING = Property()
_HTML = Property("html")
_NUMBER = Property("number")
_DATETIME = Property("datetime")
_READ_ONLY = Property(read_only=True)

_COMMON = {
    "hs_timestamp": Property("datetime", required=True),
    "hubspot_owner_id": _NUMBER,
}
_WITH_FILES = {**_COMMON, "hs_attachment_ids": _STRING}


def _options(*values: str, required: bool = False) -> Property:
    return Property("enumeration", values, required=required)


# The outcomes of a call that every portal begins with, by id (calls guide).
CALL_OUTCOMES: Mapping[str, str] = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}

PROPERTIES: Mapping[str, Mapping[str, Property]] = {
    "calls": {
        **_WITH_FILES,
        "hs_activity_type": _STRING,
        "hs_call_body": _HTML,
        "hs_call_callee_object_id": _NUMBER,
        "hs_call_callee_object_type": _STRING,
        "hs_call_direction": _options("INBOUND", "OUTBOUND"),
        # Each portal has outcomes of its own beside these: the push checks a call's against the portal's list.
        "hs_call_disposition": Property("enumeration"),
        "hs_call_duration": _NUMBER,
        "hs_call_from_number": _STRING,
        "hs_call_recording_url": _STRING,
        "hs_call_source": _options("INTEGRATIONS_PLATFORM"),
        "hs_call_status": _options(
            "BUSY",
            "CALLING_CRM_USER",
            "CANCELED",
            "COMPLETED",
            "CONNECTING",
            "FAILED",
            "IN_PROGRESS",
            "MISSED",
            "NO_ANSWER",
            "QUEUED",
            "RINGING",
        ),
        "hs_call_title": _STRING,
        "hs_call_to_number": _STRING,
    },
    "emails": {
        **_WITH_FILES,
        "hs_email_direction": _options("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL", required=True),
        "hs_email_headers": _STRING,
        "hs_email_html": _HTML,
        "hs_email_status": _options("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"),
        "hs_email_subject": _STRING,
        "hs_email_text": _STRING,
        # HubSpot fills these from hs_email_headers.
        "hs_email_from_email": _READ_ONLY,
        "hs_email_from_firstname": _READ_ONLY,
        "hs_email_from_lastname": _READ_ONLY,
        "hs_email_to_email": _READ_ONLY,
        "hs_email_to_firstname": _READ_ONLY,
        "hs_email_to_lastname": _READ_ONLY,
    },
    "meetings": {
        **_WITH_FILES,
        "hs_activity_type": _STRING,
        "hs_internal_meeting_notes": _HTML,
        "hs_meeting_body": _HTML,
        "hs_meeting_end_time": _DATETIME,
        "hs_meeting_external_url": _STRING,
        "hs_meeting_location": _STRING,
        # Some portals list CANCELLED; the push writes the spelling that the portal has.
        "hs_meeting_outcome": _options("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
        "hs_meeting_start_time": _DATETIME,
        "hs_meeting_title": _STRING,
    },
    "notes": {**_WITH_FILES, "hs_note_body": _HTML},
    "tasks": {
        **_WITH_FILES,
        "hs_task_body": _HTML,
        "hs_task_priority": _options("LOW", "MEDIUM", "HIGH"),
        "hs_task_reminders": _DATETIME,
        "hs_task_status": _options("NOT_STARTED", "IN_PROGRESS", "COMPLETED", "DEFERRED", "WAITING"),
        "hs_task_subject": _STRING,
        "hs_task_type": _options("EMAIL", "CALL", "TODO"),
    },
    # The only type whose guide does not list hs_attachment_ids.
    "communications": {
        **_COMMON,
        "hs_communication_body": _HTML,
        "hs_communication_channel_type": _options("WHATS_APP", "LINKEDIN_MESSAGE", "SMS", required=True),
        "hs_communication_logged_from": _options("CRM"),
    },
    "postal_mail": {**_WITH_FILES, "hs_postal_mail_body": _HTML},
}
