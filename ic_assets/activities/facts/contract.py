"""The 22 columns of a CSV drop: the one statement from which the reader, the landing table, Dagster's column
schemas and the frame checks derive.

Nothing heavy is imported here, so that the command line starts fast; pandera comes in with ``landing_schema``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandera.pandas as pa

Kind = Literal["bigint", "timestamp", "text"]


@dataclass(frozen=True)
class Column:
    """One column of the drop. ``kind`` is its PostgreSQL type; timestamps are in the legacy system's local time."""

    header: str
    kind: Kind
    description: str
    required: bool = False

    @property
    def name(self) -> str:
        """The column of the landing and the master."""
        return self.header.lower()

    @property
    def is_code(self) -> bool:
        """A text that is compared with a list of words."""
        return self.name in ("comm_type", "comm_action", "comm_status", "comm_priority")


COLUMNS = (
    Column("Comm_CommunicationId", "bigint", "Legacy id of the communication; unique in the master", required=True),
    Column("Comm_OpportunityId", "bigint", "Legacy id of the deal that the communication belongs to"),
    Column("Comm_CaseId", "bigint", "Legacy id of the support case that the communication belongs to"),
    Column("Comm_Type", "text", "Kind of communication, as typed; decides the activity type", required=True),
    Column("Comm_Action", "text", "What was done; the direction of calls and e-mails comes from it"),
    Column("Comm_Status", "text", "State of the communication; statuses and outcomes come from it"),
    Column("Comm_Priority", "text", "Priority, as typed"),
    Column("Comm_DateTime", "timestamp", "When it took place; decides the month", required=True),
    Column("Comm_ToDateTime", "timestamp", "When it ended"),
    Column("Comm_Note", "text", "Body of the communication"),
    Column("Comm_Subject", "text", "Subject line"),
    Column("Comm_Email_Clean", "text", "E-mail address of the other side, cleaned by the legacy system"),
    Column("Comm_CreatedDate", "timestamp", "When the record was created", required=True),
    Column("Comm_UpdatedDate", "timestamp", "When the record was last changed; decides which version is newer"),
    Column("Comm_OriginalDateTime", "timestamp", "When it was first planned to take place"),
    Column("Comm_OriginalToDateTime", "timestamp", "When it was first planned to end"),
    Column("Person_Id", "bigint", "Legacy id of the person"),
    Column("Person_FirstName", "text", "First name of the person"),
    Column("Person_LastName", "text", "Last name of the person"),
    Column("Person_EmailAddress", "text", "E-mail address of the person"),
    Column("Company_Id", "bigint", "Legacy id of the company"),
    Column("Company_Name", "text", "Name of the company"),
)
BY_NAME = {column.name: column for column in COLUMNS}
# What the rows of one communication with several people differ in.
PEOPLE_COLUMNS = frozenset(name for name in BY_NAME if name.startswith(("person_", "company_")))

# Not one of the 22: set, it says that the source has deleted the row.
DELETED_HEADER = "Comm_Deleted"

# None: pandera coerces every datetime64 to nanoseconds, which end in 2262, and legacy systems write 9999-12-31.
_DTYPES: dict[Kind, str | None] = {"bigint": "Int64", "timestamp": None, "text": "string"}


def landing_schema() -> pa.DataFrameSchema:
    """The columns as a pandera schema for frames of landed rows. Integers and text are coerced to pandas' nullable
    types; timestamps must be datetimes, in whatever resolution the frame has."""
    import pandera.pandas as pa

    def is_moment(value: object) -> bool:
        return isinstance(value, datetime)

    moments = pa.Check(is_moment, element_wise=True, name="timestamp", error="not a timestamp")
    return pa.DataFrameSchema(
        {
            column.name: pa.Column(
                _DTYPES[column.kind],
                checks=moments if column.kind == "timestamp" else None,
                nullable=not column.required,
                title=column.header,
                description=column.description,
                metadata={"kind": column.kind},
            )
            for column in COLUMNS
        },
        name="ic_landing",
        coerce=True,
    )
