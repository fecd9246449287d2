"""How records read to people: names of types, titles, facts, times and excerpts, out of HubSpot's properties."""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo

import nh3

from ic_assets.sandbox.hubspot.objects import ObjectType
from ic_assets.sandbox.hubspot.properties import CALL_DISPOSITIONS
from ic_assets.sandbox.hubspot.values import parse_time

Values = Mapping[str, str]

SINGULAR = {
    "contacts": "Contact",
    "companies": "Company",
    "deals": "Deal",
    "calls": "Call",
    "emails": "Email",
    "meetings": "Meeting",
    "notes": "Note",
    "tasks": "Task",
    "communications": "Message",
    "postal_mail": "Postal mail",
}
PLURAL = {
    "contacts": "Contacts",
    "companies": "Companies",
    "deals": "Deals",
    "calls": "Calls",
    "emails": "Emails",
    "meetings": "Meetings",
    "notes": "Notes",
    "tasks": "Tasks",
    "communications": "Messages",
    "postal_mail": "Postal mail",
}
# 24 by 24, drawn as lines.
ICONS = {
    "calls": "M6 3l3 1 1 4-2 2c1 3 3 5 6 6l2-2 4 1 1 3-2 3C10 21 3 14 3 5z",
    "emails": "M3 6h18v12H3zM3 7l9 7 9-7",
    "meetings": "M4 6h16v14H4zM4 10h16M8 3v5M16 3v5",
    "notes": "M5 3h10l4 4v14H5zM15 3v5h4M8 12h8M8 16h8",
    "tasks": "M4 4h16v16H4zM8 12l3 3 5-6",
    "communications": "M4 4h16v12H11l-5 5v-5H4z",
    "postal_mail": "M4 20V9l8-6 8 6v11zM4 10l8 6 8-6",
    "contacts": "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-5 4-7 8-7s8 2 8 7",
    "companies": "M5 21V4h9v17M14 9h5v12M3 21h18M8 8h3M8 12h3M8 16h3",
    "deals": "M3 8l4-3 5 2 5-2 4 3v7l-9 5-9-5z",
}
BODIES = {
    "calls": "hs_call_body",
    "emails": "hs_email_html",
    "meetings": "hs_meeting_body",
    "notes": "hs_note_body",
    "tasks": "hs_task_body",
    "communications": "hs_communication_body",
    "postal_mail": "hs_postal_mail_body",
}
_CHANNELS = {"SMS": "SMS", "WHATS_APP": "WhatsApp message", "LINKEDIN_MESSAGE": "LinkedIn message"}
_DIRECTIONS = {"EMAIL": "Sent", "INCOMING_EMAIL": "Received", "FORWARDED_EMAIL": "Forwarded"}
_LABELS = {
    "email": "Email",
    "firstname": "First name",
    "lastname": "Last name",
    "jobtitle": "Job title",
    "company": "Company name",
    "phone": "Phone number",
    "mobilephone": "Mobile phone number",
    "name": "Company name",
    "dealname": "Deal name",
    "dealstage": "Deal stage",
    "closedate": "Close date",
    "lifecyclestage": "Lifecycle stage",
    "zip": "Postal code",
    "country": "Country/Region",
    "numberofemployees": "Number of employees",
    "annualrevenue": "Annual revenue",
}
# Without pictures: the pages load nothing from elsewhere, and a broken one tells nobody anything.
_TAGS = nh3.ALLOWED_TAGS - {"img", "map", "area"}


def name_of(kind: ObjectType, id_: int, values: Values) -> str:
    """What people call a contact, company or deal."""
    if kind.slug == "contacts":
        person = " ".join(values[p] for p in ("firstname", "lastname") if values.get(p))
        if person:
            return person
    return values.get(kind.title) or f"{SINGULAR[kind.slug]} {id_}"


def title_of(kind: ObjectType, values: Values) -> str:
    """The heading of an activity; empty where it has none of its own."""
    return values.get(kind.title, "") if kind.title else ""


def label_of(slug: str, values: Values) -> str:
    """``Call``, ``WhatsApp message`` …"""
    channel = values.get("hs_communication_channel_type", "")
    return _CHANNELS.get(channel, SINGULAR[slug])


def property_label(name: str) -> str:
    return _LABELS.get(name) or name.removeprefix("hs_").replace("_", " ").capitalize()


def facts_of(slug: str, values: Values) -> list[str]:
    """The line below an activity's heading."""
    facts: list[str] = []
    if slug == "calls":
        facts = [_plain(values.get("hs_call_direction")), _plain(values.get("hs_call_status"))]
        facts += [CALL_DISPOSITIONS.get(values.get("hs_call_disposition", ""), ""), _lasting(values)]
    elif slug == "emails":
        facts = [_DIRECTIONS.get(values.get("hs_email_direction", ""), "")]
        facts += [f"{word} {values[name]}" for word, name in _ENDS if values.get(name)]
        status = values.get("hs_email_status", "")
        facts += [_plain(status)] if status != "SENT" else []
    elif slug == "meetings":
        facts = [_plain(values.get("hs_meeting_outcome")), _span(values), values.get("hs_meeting_location", "")]
    elif slug == "tasks":
        facts = [_plain(values.get("hs_task_status"))]
        facts += [f"{_plain(values['hs_task_priority'])} priority"] if values.get("hs_task_priority") else []
    return [fact for fact in facts if fact]


_ENDS = (("from", "hs_email_from_email"), ("to", "hs_email_to_email"))


def is_overdue(slug: str, values: Values, now: datetime) -> bool:
    due = moment(values.get("hs_timestamp", ""))
    return slug == "tasks" and values.get("hs_task_status") != "COMPLETED" and due is not None and due < now


def body_of(slug: str, values: Values) -> str:
    """The body as HTML that is safe to show, an internal note to a meeting that says something else below it."""
    body = values.get(BODIES[slug], "")
    inner = values.get("hs_internal_meeting_notes", "")
    if inner and inner != body:
        body += f"<p><em>Internal note:</em></p>{inner}"
    return nh3.clean(body, tags=_TAGS)


def excerpt(slug: str, values: Values, length: int = 160) -> str:
    """The beginning of the body as plain text."""
    # A space for each tag, or the words around a line break would grow together.
    text = nh3.clean(values.get(BODIES[slug], "").replace("<", " <"), tags=set())
    text = " ".join(html.unescape(text).split())
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0] + " …"


ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
"""The zone in which the pages of a request show times."""


def moment(text: str) -> datetime | None:
    """A stored time as a datetime in the zone of the pages."""
    milliseconds = parse_time(text)
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, ZONE.get())


def day_and_time(at: datetime | None) -> str:
    """``5 March 2019, 10:00``."""
    return "no date" if at is None else f"{at.day} {at:%B %Y, %H:%M}"


def month(at: datetime | None) -> str:
    return "No date" if at is None else f"{at:%B %Y}"


def _plain(value: str | None) -> str:
    return (value or "").replace("_", " ").capitalize()


def _lasting(values: Values) -> str:
    text = values.get("hs_call_duration", "")
    if not text.isascii() or not text.isdigit():
        return ""
    seconds = int(text) // 1000
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


def _span(values: Values) -> str:
    start, end = (moment(values.get(f"hs_meeting_{end}_time", "")) for end in ("start", "end"))
    if start is None or end is None:
        return ""
    return f"{start:%H:%M} to {end:%H:%M}" if start.date() == end.date() else f"to {day_and_time(end)}"
