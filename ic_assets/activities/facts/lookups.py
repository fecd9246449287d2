"""The indexes of the master and the seven derivative tables, each with the question that it answers: what the data
dictionary says of them, and what a test asks PostgreSQL's planner. Queries are to be copied into psql; a parameter stands
as :name. No Dagster, no connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES

_MASTER = "ic_communication_master"


@dataclass(frozen=True)
class Lookup:
    """``index`` of ``staging.table`` finds what ``asks`` wants by ``where``, the condition of a query on the table."""

    table: str
    index: str
    asks: str
    where: str

    @property
    def query(self) -> str:
        return f"SELECT * FROM staging.{self.table} WHERE {self.where}"  # noqa: S608 - texts of this module


def lookups() -> tuple[Lookup, ...]:
    """All of them, table by table in the order of the graph."""
    return (
        *(Lookup(_MASTER, f"{_MASTER}_{name}", asks, where) for name, asks, where in _OF_MASTER),
        *(
            Lookup(activity.table, f"{activity.table}_{name}", asks.format(activity.name.replace("_", " ")), where)
            for activity in ACTIVITY_TYPES
            for name, asks, where in (*_OF_EACH, *(_OF_TASKS if activity.name == "tasks" else ()))
        ),
    )


_OF_MASTER = (
    ("pkey", "The communication of a derivative row", "id = :id"),
    ("comm_communicationid_key", "One communication by its legacy id", "comm_communicationid = :id"),
    (
        "record_key",
        "The communication of a record of the push ledger",
        'CAST(comm_communicationid AS text) = :key COLLATE "C"',
    ),
    ("datetime", "A month; what was said on a day", "comm_datetime >= :since AND comm_datetime < :until"),
    ("type", "All of one activity type", "derived_activity_type = :type"),
    ("person", "Everything with a person, by the legacy id; what a change of contacts affects", "person_id = :id"),
    ("company", "Everything with a company, by the legacy id; what a change of companies affects", "company_id = :id"),
    (
        "opportunity",
        "Everything about a deal, by the legacy id; what a change of deals affects",
        "comm_opportunityid = :id",
    ),
    ("case", "Everything about a support case", "comm_caseid = :id"),
    (
        "orphan",
        "What leads to no HubSpot record, by date",
        "is_orphaned AND comm_datetime >= :since AND comm_datetime < :until",
    ),
    ("source", "What the master shows of one drop", "source_drop = :drop"),
)
_OF_EACH = (
    ("pkey", "One row by its own id", "id = :id"),
    (
        "ic_communication_master_id_key",
        "The record of a communication; what the deletion of a master row takes along",
        "ic_communication_master_id = :id",
    ),
    ("activity_date", "The {} of a month", "activity_date >= :since AND activity_date < :until"),
    ("contact", "The {} of a HubSpot contact", "associated_contact_id = :id"),
    ("company", "The {} of a HubSpot company", "associated_company_id = :id"),
    ("deal", "The {} of a HubSpot deal", "associated_deal_id = :id"),
    ("engagement", "Which of the {} a record of HubSpot is", "hubspot_engagement_id = :id"),
    (
        "attention",
        "The {} that somebody must look at: refused or held, by date",
        "api_push_status IN ('failed', 'held') AND activity_date >= :since AND activity_date < :until",
    ),
)
_OF_TASKS = (
    (
        "open",
        "Tasks still to be done, by due date",
        "task_status NOT IN ('COMPLETED', 'DEFERRED') AND due_date >= :since AND due_date < :until",
    ),
    ("case", "The tasks of a support case", "source_case_id = :id"),
)
