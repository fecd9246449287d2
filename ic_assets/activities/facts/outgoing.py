"""What this flow sends to HubSpot: its seven object types as the push ledger needs them (``hubspot/ledger/outgoing.py``).
No Dagster, no connection.
"""

from __future__ import annotations

import re
from functools import cache, partial

from psycopg import sql

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, ActivityType
from ic_assets.activities.facts.hubspot_properties import CALL_OUTCOMES
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.sql import statement
from ic_assets.hubspot.ledger.outgoing import Outgoing, Outgoings

_PROPERTY = re.compile(r'"(hs_\w+)"\s*:')

# What the payload templates can send (DATA section 4), apart from the spellings of portals.
_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "calls": {"hs_call_direction": ("INBOUND", "OUTBOUND")},
    "emails": {"hs_email_direction": ("EMAIL", "INCOMING_EMAIL")},
    "meetings": {"hs_meeting_outcome": ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED")},
    "tasks": {
        "hs_task_status": ("NOT_STARTED", "COMPLETED", "IN_PROGRESS", "WAITING", "DEFERRED"),
        "hs_task_priority": ("LOW", "MEDIUM", "HIGH"),
    },
    "communications": {"hs_communication_channel_type": ("SMS", "LINKEDIN_MESSAGE", "WHATS_APP")},
}
_LEAST = {
    "emails": {"hs_email_direction": "EMAIL"},
    "communications": {"hs_communication_channel_type": "SMS", "hs_communication_logged_from": "CRM"},
}


@cache
def template_properties(activity: ActivityType) -> frozenset[str]:
    """The properties that a payload of this type can carry: those that its template names."""
    return frozenset(_PROPERTY.findall((TEMPLATES_DIR / activity.template).read_text(encoding="utf-8")))


def _outgoing(activity: ActivityType) -> Outgoing:
    table = sql.Identifier("staging", activity.table)
    return Outgoing(
        activity.name,
        desired=f"staging.{activity.outgoing}",
        associations={
            "contacts": activity.to_contact,
            "companies": activity.to_company,
            "deals": activity.to_deal,
        },
        properties=partial(template_properties, activity),
        follow=partial(statement, "activities/push/follow", table=table),
        adopt=partial(statement, "activities/push/adopt_from_ledger", table=table),
        # Over-long bodies of all types go on in notes.
        continues=activity.name == "notes",
        options=_OPTIONS.get(activity.name, {}),
        # Derived from the call's status, which is pushed as well. A portal's own outcomes have ids that only it knows.
        labels={"hs_call_disposition": CALL_OUTCOMES} if activity.name == "calls" else {},
        least=_LEAST.get(activity.name, {}),
    )


OUTGOING = Outgoings(
    types=tuple(_outgoing(activity) for activity in ACTIVITY_TYPES),
    sources="staging.v_ic_outgoing_source",
    deleted="staging.v_ic_outgoing_deleted",
    held_because="orphan: no contact, company or deal in HubSpot",
    id_label="Legacy communication id",
    id_description="Identifies the communication of the former CRM that this activity came from.",
    shown=lambda key: {"communication": int(key)},
)
