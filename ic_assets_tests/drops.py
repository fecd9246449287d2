"""Small drops for the tests: rows with as few words as the test needs, every other value filled in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import psycopg

HEADER = [
    "Comm_CommunicationId",
    "Comm_OpportunityId",
    "Comm_CaseId",
    "Comm_Type",
    "Comm_Action",
    "Comm_Status",
    "Comm_Priority",
    "Comm_DateTime",
    "Comm_ToDateTime",
    "Comm_Note",
    "Comm_Subject",
    "Comm_Email_Clean",
    "Comm_CreatedDate",
    "Comm_UpdatedDate",
    "Comm_OriginalDateTime",
    "Comm_OriginalToDateTime",
    "Person_Id",
    "Person_FirstName",
    "Person_LastName",
    "Person_EmailAddress",
    "Company_Id",
    "Company_Name",
]
# What reconcile_everything gives them.
CONTACT, COMPANY, DEAL = 101, 201, 301
HUBSPOT_CONTACT, HUBSPOT_COMPANY, HUBSPOT_DEAL = 9101, 9201, 9301


def row(number: int, when: str = "2019-03-05 10:00:00", kind: str = "Call", **values: object) -> dict[str, object]:
    """One communication of a contact that ``reconcile_everything`` knows."""
    return {
        "Comm_CommunicationId": number,
        "Comm_Type": kind,
        "Comm_DateTime": when,
        "Comm_CreatedDate": "2019-01-01 08:00:00",
        "Comm_UpdatedDate": "2020-01-01 00:00:00",
        "Comm_Subject": f"Subject {number}",
        "Comm_Note": f"Note {number}",
        "Person_Id": CONTACT,
        "Person_FirstName": "Ada",
        "Person_LastName": "Example",
        "Person_EmailAddress": "ada.example@example.com",
        **values,
    }


def write_drop(path: Path, rows: Iterable[dict[str, object]], header: Sequence[str] = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)
    return path


def reconcile_everything(postgres_url: str) -> None:
    """One contact, one company and one deal that HubSpot has."""
    with psycopg.connect(postgres_url) as connection:
        for singular, plural, legacy, hubspot in (
            ("contact", "contacts", CONTACT, HUBSPOT_CONTACT),
            ("company", "companies", COMPANY, HUBSPOT_COMPANY),
            ("deal", "deals", DEAL, HUBSPOT_DEAL),
        ):
            connection.execute(
                f"INSERT INTO staging.{plural}_reconciliation (legacy_{singular}_id, hubspot_{singular}_id)"
                f" VALUES ({legacy}, {hubspot})".encode()
            )
