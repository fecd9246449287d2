"""What each table and column of the flow is, in words. The columns of the drop, the master and the derivatives are
described where they are declared (contract, derivative_contract, metadata); here are the books around them.

The data dictionary and the ERD join this with the database's own catalog; a test holds that nothing there is left
without words.
"""

from __future__ import annotations

from dataclasses import replace

import psycopg

from ic_assets.activities.engine.reconciliation.matches import ENTITIES
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.activities.facts.derivative_contract import DERIVATIVE_COLUMNS
from ic_assets.activities.metadata import landing_schema, master_schema, reconciliation_schema
from ic_assets.core.catalog import Catalog, Reference, Table, read_catalog

SCHEMAS = ("staging", "hubspot")

TABLES = {
    "staging.ic_drop": "One row per dropped file: what it was and where its rows went.",
    "staging.ic_communication_landing": "One readable row of one drop, with its line and its fate.",
    "staging.ic_rejected_row": "One row of a drop that could not be loaded.",
    "staging.ic_field_warning": "One field of a loaded row that could not be read and became NULL.",
    "staging.ic_month": "One month that a drop, a reconciliation or the classification has changed.",
    "staging.ic_month_stage": "One month and stage: up to which change the stage has brought the month.",
    "staging.ic_figure": "One thing that a stage or a check counted of one month.",
    "staging.ic_figure_month": "One month whose figures were counted, and in which state.",
    "staging.ic_activity_classification": "One type and action of the CRM and the activity type that they become.",
    "staging.ic_direction_rule": "One action of the CRM and its direction.",
    "staging.ic_status_rule": "One status of the CRM and what it becomes in one activity type.",
    "staging.ic_priority_rule": "One priority of the CRM and HubSpot's.",
    "staging.ic_rule_file": "One version of a file of rules that was applied; the highest turn is in force.",
    "staging.ic_drop_file": "One file of the drop folder, in one state, that was looked into.",
    "staging.ic_attempt": "One piece of work that a sensor has started and that is not done.",
    "staging.ic_communication_master": "One communication, typed and classified, with its HubSpot ids.",
    "staging.ic_communication_party": "One person and company of a communication beyond the first.",
    "staging.ic_deleted_communication": "One communication that the source has deleted.",
    "staging.reconciliation_log": "One legacy id of one month that leads to no HubSpot record.",
    "staging.ic_address_text": "One text that stood where an e-mail address was asked for, and what it was read as.",
    "staging.ic_payload_part": "One note that continues a body over HubSpot's limit.",
    "staging.ic_rollback": "One roll-back of staging and what it removed.",
    "staging.ic_schema_version": "The revision of `sql/schema` that the database is at.",
    "staging.ic_schema_text": "The text of views and functions that the database was made with.",
    **{f"staging.{a.table}": f"One communication as HubSpot's {a.name}, with its payload." for a in ACTIVITY_TYPES},
    **{
        f"staging.{e.table}": f"One legacy id of a {e.singular} and its HubSpot id. Yours: filled by `ic-assets reconcile`."
        for e in ENTITIES.values()
    },
    "staging.v_ic_activities_summary": "One activity type: how many communications, how many with each HubSpot record.",
    "staging.v_ic_communication_normalised": "One communication with what several types need of it, worked out once.",
    "staging.v_ic_derivative_coverage": "One activity type: derivative rows beside master rows.",
    "staging.v_ic_month_ready": "One month and stage that stands at what the master holds; the gates judge these.",
    "staging.v_ic_communication_people": "One communication with several people: records and addresses of the further ones.",
    "staging.v_ic_party_reference": "One reference of a communication beyond those of its master row.",
    "staging.v_ic_push_status": "One communication and where its push stands in the portal that was pushed to last.",
    **{f"staging.{a.view}": f"The mapping rules of {a.name}: one communication each." for a in ACTIVITY_TYPES},
    "hubspot.approval": "One approval: who let which data go to which portal.",
    "hubspot.portal": "One HubSpot portal that was met.",
    "hubspot.portal_property": "One object type of a portal: what setup found out about its id property.",
    "hubspot.push_ledger": "One record that stands, or shall stand, in one portal.",
    "hubspot.push_plan": "One record that a push under way shall create, change or remove, as it was judged.",
    "hubspot.push_preview": "One record that the last dry run would create, update or remove.",
    "hubspot.push_request": "One request to HubSpot.",
    "hubspot.push_rollback_record": "One record that a roll-back looked at, and what it did.",
    "hubspot.push_run": "One call of the push or of its roll-back.",
    "hubspot.rate_budget": "One portal and kind of request: the budget that all processes share.",
    "hubspot.v_current_portal": "The portal that was pushed to last.",
}
"""One sentence per table and view, which says its grain."""

_PORTAL = "The portal's id"
_LEDGER_KEY = {
    "portal_id": _PORTAL,
    "communication_id": "Legacy id of the communication",
    "object_type": "HubSpot's name of the object type",
    "part": "1, or the number of the note that continues the body",
}
_BOOKS: dict[str, dict[str, str]] = {
    "staging.ic_drop": {
        "drop_id": "Surrogate key; rises in drop order",
        "drop_key": "name@sha256[:8], the partition in Dagster",
        "file_name": "Name of the file",
        "content_sha256": "SHA-256 of its content: the same content lands once",
        "byte_size": "Bytes",
        "encoding": "Encoding that it was read in",
        "words": "Its first words that are not ASCII, as read",
        "reading": "Settings under which it was read; under others the same content is loaded again",
        "trouble": "Why no row, or less than half, was loaded: reason, example, what would help",
        "delimiter": "Delimiter that it was read with",
        "columns": "Its headers by position, empty for a column that is not of the drop",
        "state": "landed, or refused as a whole",
        "rows_in": "Rows in the file = inserted + updated + unchanged + joined + rejected",
        "inserted": "New communications",
        "updated": "Newer versions of known communications",
        "unchanged": "Rows equal to what stood",
        "joined": "Rows of further people and companies of a communication",
        "taken_out": "Communications that stood and that its deleted rows took out",
        "rejected": "Rows in ic_rejected_row",
        "first_date": "Earliest Comm_DateTime that was loaded",
        "last_date": "Latest Comm_DateTime that was loaded",
        "months": "Months that it put out of date",
        "missing_columns": "Optional columns that the header lacks",
        "unknown_columns": "Columns of the header that are not of the drop",
        "error_message": "Why it was refused",
        "landed_at": "When it landed or was refused",
    },
    "staging.ic_rejected_row": {
        "drop_key": "The drop",
        "line_number": "Physical line of the file on which the row starts",
        "reason": "The first reason that applies",
        "column_name": "The column at fault",
        "comm_communicationid": "Its id, where it could be read",
        "raw_row": "The row as it was in the file",
        "rejected_at": "When",
    },
    "staging.ic_field_warning": {
        "drop_key": "The drop",
        "line_number": "Physical line of the file on which the row starts",
        "comm_communicationid": "The communication",
        "column_name": "The column",
        "raw_value": "The field as it was in the file",
        "reason": "What is wrong with it",
    },
    "staging.ic_month": {
        "comm_month": "First day of the month",
        "change_number": "Number of its last change",
        "cause": "What changed it",
        "changed_at": "When",
    },
    "staging.ic_month_stage": {
        "comm_month": "First day of the month",
        "stage": "master, resolved or an activity type",
        "change_number": "The change up to which it was brought",
        "reference_time": "The run's now, which decides what is overdue",
        "applied_at": "When",
        "payload_version": "With which templates and settings its payloads were made; empty for master and resolved",
    },
    "staging.ic_figure": {
        "source": "What was counted over: a stage or an activity type",
        "figure": "What was counted",
        "item": "Column, type or reason, where a figure has several",
        "comm_month": "First day of the month",
        "failing": "Rows that do not hold, or that were counted",
        "checked": "Rows that were looked at",
    },
    "staging.ic_figure_month": {
        "source": "What was counted over",
        "comm_month": "First day of the month",
        "applied_at": "The state that was counted: the applied_at of its stage in ic_month_stage",
    },
    "staging.ic_activity_classification": {
        "comm_type": "Value of Comm_Type, trimmed and in lower case; `*` is any",
        "comm_action": "Value of Comm_Action, likewise",
        "activity_type": "What it becomes; case: decided by case id and priority",
        "channel_type": "Channel of a communication",
    },
    "staging.ic_direction_rule": {
        "comm_action": "Value of Comm_Action, trimmed and in lower case; `(blank)` is none, `*` any other",
        "direction": "Direction of a call or e-mail",
    },
    "staging.ic_status_rule": {
        "activity_type": "The type whose status it is",
        "comm_status": "Value of Comm_Status, trimmed and in lower case; `(blank)` is none, `*` any other",
        "result": "The type's own value, or BY_DATE; empty: none",
        "disposition": "Outcome of a call, by its label in HubSpot",
    },
    "staging.ic_priority_rule": {
        "comm_priority": "Value of Comm_Priority, trimmed and in lower case; `(blank)` is none, `*` any other",
        "result": "Priority of a task; empty: none",
    },
    "staging.ic_rule_file": {
        "name": "The file, under sql/",
        "digest": "SHA-256 of its bytes",
        "modified_at": "When the file was written",
        "applied_at": "When it was applied",
        "is_own": "Whether it came from IC_HOME and not from the package",
        "turn": "Counts up with each version that is applied, one that comes back too",
    },
    "staging.ic_drop_file": {
        "file_name": "Its name in the folder",
        "identity": "Size, modification time and inode",
        "drop_key": "Name and digest of its content: its partition",
        "refused": "Why it cannot be loaded, in one line",
        "is_settled": "Whether its content has landed, here or under another name",
        "looked_at": "When it was looked into",
    },
    "staging.ic_attempt": {
        "sensor": "The sensor",
        "subject": "What is not done: a file, a month",
        "cause": "The state that asks for it; another one begins with the first attempt",
        "attempts": "How often it was started",
        "tried_at": "When it was started last",
        "run_key": "The run of the last attempt",
        "reason": "Why the last attempt failed, in one line",
    },
    "staging.reconciliation_log": {
        "id": "Surrogate key",
        "operation": "FK_RESOLUTION",
        "entity_type": "What was looked up",
        "legacy_id": "The legacy id",
        "month": "First day of the month of the communications",
        "hubspot_id": "The HubSpot id; empty for a miss",
        "status": "What was found",
        "error_message": "Why not",
        "communications_affected": "Communications of the month that refer to it",
        "logged_at": "When",
    },
    "staging.ic_communication_party": {
        "ic_communication_master_id": "The communication",
        "comm_communicationid": "Its legacy id",
        "position": "Its place among the people in the order of the file; the master row is the first",
        "person_id": "Legacy id of the person",
        "person_firstname": "First name of the person",
        "person_lastname": "Last name of the person",
        "person_emailaddress": "E-mail address of the person",
        "company_id": "Legacy id of the company",
        "company_name": "Name of the company",
        "hubspot_contact_id": "HubSpot contact of person_id",
        "hubspot_company_id": "HubSpot company of company_id",
        "source_line": "The line in the drop that its people came with",
    },
    "staging.ic_deleted_communication": {
        "comm_communicationid": "Its legacy id",
        "comm_updateddate": "When it was last changed, as the deleted row has it",
        "source_drop": "The drop that gave it as deleted",
        "source_line": "The line in that drop",
        "deleted_at": "When that drop landed",
    },
    "staging.ic_address_text": {
        "written": "MD5 of the text, which is in the master",
        "addresses": "The valid addresses in it, joined by `; `",
        "is_all": "Whether all of it is addresses",
        "is_text": "Whether it is no list of addresses but what a person wrote",
        "read_by": "Which version of the reader read it",
    },
    "staging.ic_payload_part": {
        "activity_type": "Type of the communication",
        "ic_communication_master_id": "The communication",
        "comm_communicationid": "Its legacy id",
        "part": "Its place among the parts; the first is the record itself",
        "payload": "v3 batch-create input of a note",
    },
    "staging.ic_rollback": {
        "id": "Surrogate key",
        "scope": "activities, resolution, master or schema",
        "removed": "Rows removed by table",
        "rolled_back_at": "When",
    },
    "staging.ic_schema_version": {"version_num": "The revision"},
    "staging.ic_schema_text": {
        "digest": "SHA-256 of `functions.sql` and `views.sql`, its first 16 digits",
        "made_at": "When they were made",
    },
    "hubspot.approval": {
        "approval_id": "Surrogate key",
        "approved_by": "Who",
        "approved_at": "When",
        "portal_id": _PORTAL,
        "types": "Activity types that it covers",
        "first_month": "First month that it covers; empty: all",
        "last_month": "Last month that it covers",
        "include_orphans": "Whether orphans may go along",
        "overwrite_edits": "Whether records that people changed in HubSpot may be overwritten",
        "records": "How many records it covers",
        "orphans": "How many of them are orphans",
        "fingerprint": "Digest of every payload that it covers: a change ends it",
    },
    "hubspot.portal": {
        "portal_id": _PORTAL,
        "base_url": "Address of its API",
        "time_zone": "The account's time zone: when its day ends",
        "account_type": "HubSpot's word for the kind of account",
        "first_seen_at": "When it was first met",
        "last_pushed_at": "When a push to it last began",
    },
    "hubspot.portal_property": {
        "portal_id": _PORTAL,
        "object_type": "HubSpot's name of the object type",
        "property_name": "The property that carries the communication's id",
        "is_unique": "Whether the portal declares it unique",
        "is_enforced": "Whether a second record with one value was really refused",
        "note": "What setup has to say about it",
        "checked_at": "When",
    },
    "hubspot.push_run": {
        "push_id": "Surrogate key; also the worker's name in the ledger",
        "run_id": "The Dagster run",
        "portal_id": _PORTAL,
        "mode": "What was asked for",
        "options": "Its options",
        "approved_by": "Who approved it",
        "approval_id": "The approval that it used",
        "counts": "sent, created, updated, … in all and by type",
        "result": "How it ended",
        "stopped_reason": "Why it stopped",
        "started_at": "When it began",
        "ended_at": "When it ended",
    },
    "hubspot.push_request": {
        "push_id": "The push",
        "sent_at": "When it was sent",
        "operation": "What was asked",
        "object_type": "HubSpot's name of the object type",
        "inputs": "Records in it",
        "status": "HTTP status; empty: no answer",
        "milliseconds": "How long it took",
    },
    "hubspot.push_ledger": {
        **_LEDGER_KEY,
        "activity_type": "Type of the communication; differs from object_type for parts from 2",
        "activity_month": "First day of the month",
        "state": "Where it stands",
        "action": "What is to be done next",
        "desired_hash": "md5 of the payload that stands in staging",
        "sent_hash": "md5 of what the last attempt sent",
        "pushed_hash": "md5 of what HubSpot holds; empty when that is not known for certain",
        "pushed": "Hash of each property and the associations that HubSpot holds",
        "hubspot_id": "Id of the record in HubSpot",
        "revision": "Part of the unique value once an archived record keeps the plain one",
        "attempts": "How often it was sent",
        "last_error": "HubSpot's words, or why it is held",
        "error_category": "HubSpot's category of the error",
        "correlation_id": "HubSpot's number for the request, for its support",
        "worker": "The push that has it in hand",
        "claimed_at": "Since when",
        "check_after": "When an unknown outcome may be looked up",
        "in_doubt_until": "Until when an unanswered request may still be carried out",
        "push_id": "The push that last had it in hand",
        "created_push_id": "The push that created what stands in HubSpot",
        "pushed_at": "When HubSpot confirmed it",
        "updated_at": "When this row was last written",
    },
    "hubspot.push_plan": {
        "push_id": "The push",
        "object_type": "HubSpot's name of the object type",
        "communication_id": "Legacy id of the communication",
        "part": "1, or the number of the note that continues the body",
        "activity_type": "Type that the communication has",
        "activity_month": "First day of the month",
        "is_held": "Whether it is planned as held",
        "hash": "md5 of the payload as it was judged; empty: the record shall not stand",
    },
    "hubspot.push_preview": {
        **_LEDGER_KEY,
        "verdict": "What a push would do",
        "hubspot_id": "Id of the record in HubSpot, where there is one",
    },
    "hubspot.push_rollback_record": {
        **_LEDGER_KEY,
        "record_id": "Surrogate key",
        "push_id": "The roll-back",
        "hubspot_id": "Id of the record in HubSpot",
        "outcome": "What was done; intended: it was broken off, and nobody has looked since",
        "before": "What HubSpot held",
        "reason": "Why it was held back or failed",
        "recorded_at": "When",
    },
    "hubspot.rate_budget": {
        "portal_id": _PORTAL,
        "kind": "Kind of request",
        "rps": "Requests a second",
        "next_at": "When the next may go, Unix seconds",
        "slots": "When the last ones went, Unix seconds",
        "portal_rps": "What the portal's headers allow a second; believed for 15 minutes",
        "portal_rps_seen_at": "When they last said so",
        "slow_rps": "What is sent a second after a 429, until slow_until",
        "slow_until": "When the full pace is taken up again",
        "daily_remaining": "What is left of the portal's day: what the portal said, less what was sent since",
        "daily_seen_at": "When it said so; believed for 5 minutes",
        "daily_until": "The portal's next midnight, when the count starts anew",
    },
}

_MASTER = "staging.ic_communication_master"
# Equal values that no foreign key states: what HubSpot holds outlives staging, and reconciliation tables may be yours.
REFERENCES = (
    *(
        Reference(_MASTER, (e.reference,), f"staging.{e.table}", (e.legacy_id,), is_declared=False)
        for e in ENTITIES.values()
    ),
    *(
        Reference(f"staging.{table}", (own,), f"staging.{target}", (other,), is_declared=False)
        for table, own, target, other in (
            ("ic_communication_landing", "drop_id", "ic_drop", "drop_id"),
            ("ic_communication_landing", "comm_communicationid", "ic_communication_master", "comm_communicationid"),
            ("ic_communication_master", "source_drop", "ic_drop", "drop_key"),
            ("ic_deleted_communication", "source_drop", "ic_drop", "drop_key"),
            ("ic_rejected_row", "drop_key", "ic_drop", "drop_key"),
            ("ic_field_warning", "drop_key", "ic_drop", "drop_key"),
            ("ic_month_stage", "comm_month", "ic_month", "comm_month"),
            ("ic_figure_month", "comm_month", "ic_month", "comm_month"),
            ("ic_figure", "comm_month", "ic_month", "comm_month"),
            ("reconciliation_log", "month", "ic_month", "comm_month"),
        )
    ),
    Reference("hubspot.push_ledger", ("communication_id",), _MASTER, ("comm_communicationid",), is_declared=False),
    *(
        Reference(f"hubspot.{table}", (column,), f"hubspot.{target}", (column,), is_declared=False)
        for table, column, target in (
            ("push_ledger", "portal_id", "portal"),
            ("push_ledger", "push_id", "push_run"),
            ("push_plan", "push_id", "push_run"),
            ("push_rollback_record", "push_id", "push_run"),
            ("push_preview", "portal_id", "portal"),
            ("rate_budget", "portal_id", "portal"),
            ("approval", "portal_id", "portal"),
        )
    ),
)
"""What leads where by equal values, without a foreign key."""


def described(connection: psycopg.Connection) -> Catalog:
    """The catalog of the flow's schemas with the words of this module, and the references that no foreign key states.
    A comment that somebody has set in the database comes before ours."""
    catalog = read_catalog(connection, SCHEMAS)
    words = _words()
    tables = tuple(_described(table, words.get(table.full_name, {})) for table in catalog.tables)
    return replace(catalog, tables=tables).with_references(REFERENCES)


def _described(table: Table, words: dict[str, str]) -> Table:
    # The migration's own mark on reconciliation tables says who made them, not what they are.
    own = "" if table.comment == "Created by ic_assets." else table.comment
    return replace(
        table,
        comment=own or TABLES.get(table.full_name, ""),
        columns=tuple(replace(c, comment=c.comment or words.get(c.name, "")) for c in table.columns),
    )


def _words() -> dict[str, dict[str, str]]:
    """Table -> column -> what it holds."""
    declared = {
        "staging.ic_communication_landing": landing_schema(),
        _MASTER: master_schema(),
        **{f"staging.{entity.table}": reconciliation_schema(entity) for entity in ENTITIES.values()},
    }
    words = dict(_BOOKS)
    words |= {name: {c.name: c.description or "" for c in schema.columns} for name, schema in declared.items()}
    for activity in ACTIVITY_TYPES:
        words[f"staging.{activity.table}"] = {c.name: c.description for c in DERIVATIVE_COLUMNS[activity.name]}
    return words


def origins() -> dict[str, dict[str, str]]:
    """Table -> column -> what it is made of: the column of the drop, or the columns of the master."""
    of_drop = {column.name: f"`{column.header}`" for column in COLUMNS}
    of_derivatives = {
        f"staging.{activity.table}": {
            column.name: ", ".join(f"`{source}`" for source in column.sources)
            for column in DERIVATIVE_COLUMNS[activity.name]
            if column.sources
        }
        for activity in ACTIVITY_TYPES
    }
    return {"staging.ic_communication_landing": of_drop, _MASTER: of_drop, **of_derivatives}
