"""Small drops for the tests: rows with as few words as the test needs, every other value filled in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.activities.engine.landing.landed import Landed
from ic_assets.activities.engine.staging import classification, slices, stages
from ic_assets.activities.engine.staging.changed_settings import Changed, change
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core import kept_settings
from ic_assets.core.months import windows
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database

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


@contextmanager
def opened(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url, Settings.from_env())
    try:
        yield database
    finally:
        database.close()


def change_setting(postgres_url: str, name: str, value: str) -> Changed:
    """As ``ic-assets settings set`` does it; the shell's own is left to the test."""
    with opened(postgres_url) as database, database.transaction() as connection:
        return change(connection, kept_settings.in_force(connection, Settings.from_env()), name, value)


def land(postgres_url: str, path: Path) -> Landed:
    with opened(postgres_url) as database:
        return drop_landing.land(database, Settings.from_env(), path)


def bring_up_to_date(postgres_url: str) -> None:
    """Master, resolution and derivatives of the months that are out of date, without Dagster."""
    settings = Settings.from_env()
    with opened(postgres_url) as database, database.transaction() as connection:
        classification.sync_classification(connection)
        for window in windows(month for month, _, _ in slices.out_of_date(connection)):
            stages.apply_master(connection, window, settings)
            stages.apply_resolution(connection, window, settings)
            for activity in ACTIVITY_TYPES:
                slice_derivatives.apply_derivative(connection, activity, window, settings)
