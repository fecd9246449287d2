"""The columns of the seven derivative tables: names, types, nullability, enumerations and origins, stated once.

Dagster's column schemas and lineage and the frame checks (pandera) derive from it; a test holds it against the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandera.pandas as pa

Kind = Literal["bigint", "integer", "numeric", "boolean", "text", "timestamp", "timestamptz", "jsonb"]


@dataclass(frozen=True)
class DerivativeColumn:
    """One column. ``sources`` are the master columns that its value is made of, ``values`` the only ones it may hold."""

    name: str
    kind: Kind
    description: str
    sources: tuple[str, ...] = ()
    required: bool = False
    values: tuple[str, ...] = ()


def _column(
    name: str, kind: Kind, description: str, sources: str = "", *, required: bool = False, values: str = ""
) -> DerivativeColumn:
    return DerivativeColumn(name, kind, description, tuple(sources.split()), required, tuple(values.split()))


PUSH_STATUSES = "pending in_flight pushed failed held removed"
_PERSON = "person_firstname person_lastname"
_COUNTERPARTY = "comm_email_clean person_emailaddress comm_action"

_HEAD = (
    _column("id", "bigint", "Surrogate key", required=True),
    _column("ic_communication_master_id", "bigint", "The communication", "id", required=True),
    _column("activity_date", "timestamp", "When it took place, legacy local time", "comm_datetime", required=True),
    _column("activity_assigned_to", "text", "Filled by another system"),
    _column("activity_created_by", "text", "Filled by another system"),
    _column("create_date", "timestamp", "When the source record was created", "comm_createddate"),
    _column("last_modified_date", "timestamp", "When the source record was last changed", "comm_updateddate"),
)
_TAIL = (
    _column("associated_contact_id", "bigint", "HubSpot contact", "hubspot_contact_id"),
    _column("associated_company_id", "bigint", "HubSpot company", "hubspot_company_id"),
    _column("associated_deal_id", "bigint", "HubSpot deal", "hubspot_deal_id"),
    _column("hubspot_api_payload", "jsonb", "v3 batch-create input; NULL when HubSpot would refuse it"),
    _column("api_push_status", "text", "Where the push stands", required=True, values=PUSH_STATUSES),
    _column("hubspot_engagement_id", "bigint", "Id of the record in HubSpot"),
    _column("error_message", "text", "Why it failed or is held"),
    _column("created_at", "timestamptz", "When this row was first written", required=True),
    _column("pushed_at", "timestamptz", "When HubSpot confirmed it"),
    _column("last_updated", "timestamptz", "When this row was last written", required=True),
)
_OWN: dict[str, tuple[DerivativeColumn, ...]] = {
    "calls": (
        _column("call_title", "text", "Subject, else Call - {Person}", f"comm_subject {_PERSON}"),
        _column("call_notes", "text", "Body", "comm_note"),
        _column("call_direction", "text", "Direction", "comm_action", values="INBOUND OUTBOUND"),
        _column("call_duration_ms", "bigint", "Milliseconds", "comm_datetime comm_todatetime"),
        _column(
            "call_status",
            "text",
            "HubSpot's call status",
            "comm_status",
            values="BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS NO_ANSWER QUEUED RINGING MISSED",
        ),
        _column("call_outcome", "text", "The status as written", "comm_status"),
        _column("call_source", "text", "Integration"),
        _column("from_number", "text", "Filled by another system"),
        _column("to_number", "text", "Filled by another system"),
    ),
    "emails": (
        _column("email_subject", "text", "Subject", "comm_subject"),
        _column("email_body", "text", "Body", "comm_note"),
        _column("email_direction", "text", "Direction", "comm_action", values="INCOMING OUTGOING"),
        _column("email_from_address", "text", "Sender, as far as known", _COUNTERPARTY),
        _column("email_to_address", "text", "Recipient, as far as known", _COUNTERPARTY),
        _column(
            "email_send_status", "text", "Send status", "comm_status", values="BOUNCED FAILED SCHEDULED SENDING SENT"
        ),
        _column("email_open_rate", "numeric", "Not in the source"),
        _column("email_click_rate", "numeric", "Not in the source"),
        _column("email_reply_rate", "numeric", "Not in the source"),
        _column("number_of_email_opens", "integer", "0: not in the source"),
        _column("number_of_email_clicks", "integer", "0: not in the source"),
        _column("number_of_email_replies", "integer", "0: not in the source"),
    ),
    "meetings": (
        _column(
            "meeting_name",
            "text",
            "Subject, else Meeting with {Person or Company}",
            f"comm_subject {_PERSON} company_name",
        ),
        _column("meeting_description", "text", "Body", "comm_note"),
        _column("meeting_start_time", "timestamp", "Start", "comm_datetime", required=True),
        _column("meeting_end_time", "timestamp", "End, else an hour after the start", "comm_datetime comm_todatetime"),
        _column("internal_meeting_notes", "text", "Body", "comm_note"),
        _column("meeting_location", "text", "Filled by another system"),
        _column("location_type", "text", "Not in the source"),
        _column(
            "meeting_outcome",
            "text",
            "Outcome; without one, by the reference time",
            "comm_status comm_datetime",
            values="SCHEDULED COMPLETED CANCELED NO_SHOW RESCHEDULED",
        ),
        _column("meeting_source", "text", "Import"),
        _column("outcome_completed_count", "integer", "1 when completed", "comm_status comm_datetime"),
        _column("outcome_canceled_count", "integer", "1 when canceled", "comm_status"),
        _column("outcome_no_show_count", "integer", "1 when nobody came", "comm_status"),
        _column("outcome_rescheduled_count", "integer", "1 when rescheduled", "comm_status"),
    ),
    "notes": (_column("note_body", "text", "Subject, blank line, note", "comm_subject comm_note", required=True),),
    "tasks": (
        _column(
            "task_title",
            "text",
            "Subject, else Task - {Company or Person}",
            f"comm_subject company_name {_PERSON}",
            required=True,
        ),
        _column("task_notes", "text", "Body", "comm_note"),
        _column("due_date", "timestamp", "End, else a day after the start", "comm_todatetime comm_datetime"),
        _column(
            "task_status",
            "text",
            "Status",
            "comm_status",
            values="NOT_STARTED COMPLETED IN_PROGRESS WAITING DEFERRED",
        ),
        _column("completed_at", "timestamp", "Last change of a completed task", "comm_updateddate comm_datetime"),
        _column("task_priority", "text", "Priority", "comm_priority", values="LOW MEDIUM HIGH"),
        _column("task_type", "text", "TODO", values="TODO EMAIL CALL"),
        _column("is_overdue", "boolean", "Due before the reference time and open", "comm_todatetime comm_status"),
        _column("reminder_date", "timestamp", "First planned time", "comm_originaldatetime comm_datetime"),
        _column("source_type", "text", "Case or task", "comm_caseid", values="task case"),
        _column("source_case_id", "bigint", "Support case", "comm_caseid"),
    ),
    "communications": (
        _column("communication_body", "text", "Note, else subject", "comm_note comm_subject", required=True),
        _column("channel_type", "text", "Channel", "comm_type", values="SMS LINKEDIN_MESSAGE WHATS_APP"),
        _column("logged_from", "text", "CRM"),
    ),
    "postal_mail": (
        _column("postal_mail_body", "text", "Note, else subject", "comm_note comm_subject", required=True),
        _column("body_preview", "text", "First 500 characters", "comm_note comm_subject"),
    ),
}
DERIVATIVE_COLUMNS = {name: (*_HEAD, *own, *_TAIL) for name, own in _OWN.items()}

# None: pandera coerces every datetime64 to nanoseconds, which end in 2262, and tasks may be due on 9999-12-31.
_DTYPES: dict[Kind, str | None] = {
    "bigint": "Int64",
    "integer": "Int64",
    "numeric": "Float64",
    "boolean": "boolean",
    "text": "string",
    "timestamp": None,
    "timestamptz": "datetime64[us, UTC]",
    "jsonb": "object",
}


def derivative_frame_schema(activity_type: str) -> pa.DataFrameSchema:
    """The columns of one derivative as a pandera schema for frames read from it; values are coerced first, but for
    local timestamps, which must be datetimes in whatever resolution the frame has."""
    import pandera.pandas as pa

    def is_moment(value: object) -> bool:
        return isinstance(value, datetime)

    moments = pa.Check(is_moment, element_wise=True, name="timestamp", error="not a timestamp")

    def checks(column: DerivativeColumn) -> list[pa.Check]:
        of_values = [pa.Check.isin(column.values)] if column.values else []
        return [moments] if column.kind == "timestamp" else of_values

    return pa.DataFrameSchema(
        {
            column.name: pa.Column(
                _DTYPES[column.kind],
                checks=checks(column),
                nullable=not column.required,
                description=column.description,
            )
            for column in DERIVATIVE_COLUMNS[activity_type]
        },
        name=f"ic_{activity_type}",
        coerce=True,
    )
