"""The seven HubSpot activity types as data: tables, HubSpot object types and association type ids.

An eighth type is one entry here, one table, one view and one template. Association ids are those of the
direction activity -> record (HubSpot's "associate records" guide, type-id tables).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActivityType:
    """One HubSpot activity type. ``name`` is HubSpot's slug (``/crm/v3/objects/<name>``) and the value of
    ``derived_activity_type``; ``body`` is the column of the table whose text HubSpot shows as HTML, ``title`` the
    one that people know the record by."""

    name: str
    object_type_id: str
    to_contact: int
    to_company: int
    to_deal: int
    body: str
    title: str | None
    singular: str

    @property
    def table(self) -> str:
        return f"ic_{self.name}"

    @property
    def view(self) -> str:
        return f"v_ic_{self.name}_staging"

    @property
    def outgoing(self) -> str:
        """The view of what shall stand in HubSpot."""
        return f"v_ic_{self.name}_outgoing"

    @property
    def template(self) -> str:
        return f"hubspot/{self.name}.json.j2"


ACTIVITY_TYPES = (
    ActivityType(
        "calls",
        "0-48",
        to_contact=194,
        to_company=182,
        to_deal=206,
        body="call_notes",
        title="call_title",
        singular="call",
    ),
    ActivityType(
        "emails",
        "0-49",
        to_contact=198,
        to_company=186,
        to_deal=210,
        body="email_body",
        title="email_subject",
        singular="email",
    ),
    ActivityType(
        "meetings",
        "0-47",
        to_contact=200,
        to_company=188,
        to_deal=212,
        body="meeting_description",
        title="meeting_name",
        singular="meeting",
    ),
    ActivityType(
        "notes",
        "0-46",
        to_contact=202,
        to_company=190,
        to_deal=214,
        body="note_body",
        title=None,
        singular="note",
    ),
    ActivityType(
        "tasks",
        "0-27",
        to_contact=204,
        to_company=192,
        to_deal=216,
        body="task_notes",
        title="task_title",
        singular="task",
    ),
    ActivityType(
        "communications",
        "0-18",
        to_contact=81,
        to_company=87,
        to_deal=85,
        body="communication_body",
        title=None,
        singular="communication",
    ),
    ActivityType(
        "postal_mail",
        "0-116",
        to_contact=453,
        to_company=459,
        to_deal=457,
        body="postal_mail_body",
        title=None,
        singular="postal mail",
    ),
)
BY_NAME = {activity.name: activity for activity in ACTIVITY_TYPES}
