"""What the push tests share: rows for the master and the derivatives, made without the transformation, and the local
HubSpot's contents read through its own API.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import psycopg

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.settings import Settings
from ic_assets.hubspot.client.client import HubSpotTarget
from ic_assets.hubspot.push.run import PushOptions, PushResult, push
from ic_assets.sandbox.process import RunningSandbox, running


class Killable(Protocol):
    """A process, of ``subprocess`` or of ``ic_assets_tests.processes``."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


CONTACTS = [str(number) for number in range(9001, 9011)]
COMPANY, DEAL = "7001", "5001"
# object type -> (own columns, own properties); association ids as in HubSpot's published tables.
TYPES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "calls": ({"call_title": "T"}, {"hs_call_title": "T", "hs_call_direction": "OUTBOUND"}),
    "emails": ({"email_subject": "T"}, {"hs_email_subject": "T", "hs_email_direction": "EMAIL"}),
    "meetings": (
        {"meeting_name": "T", "meeting_start_time": "2019-03-05"},
        {"hs_meeting_title": "T", "hs_meeting_outcome": "CANCELED"},
    ),
    "notes": ({"note_body": "T"}, {"hs_note_body": "T"}),
    "tasks": ({"task_title": "T"}, {"hs_task_subject": "T", "hs_task_status": "NOT_STARTED"}),
    "communications": (
        {"communication_body": "T"},
        {
            "hs_communication_channel_type": "SMS",
            "hs_communication_logged_from": "CRM",
            "hs_communication_body": "T",
        },
    ),
    "postal_mail": ({"postal_mail_body": "T"}, {"hs_postal_mail_body": "T"}),
}
NAMES = tuple(TYPES)
TO_CONTACT = dict(zip(NAMES, (194, 198, 200, 202, 204, 81, 453), strict=True))
TO_COMPANY = dict(zip(NAMES, (182, 186, 188, 190, 192, 87, 459), strict=True))


@dataclass
class Activity:
    """One communication as the tests want it to stand in HubSpot."""

    id: int
    type: str
    contact: str | None = CONTACTS[0]
    company: str | None = None
    text: str = "T"
    month: str = "2019-03"
    extra: dict[str, str] = field(default_factory=dict)
    status: str = "pending"
    parts: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    """Contacts beyond the first."""

    @property
    def date(self) -> datetime:
        return datetime.fromisoformat(f"{self.month}-05T10:00:00")

    @property
    def is_orphan(self) -> bool:
        return self.contact is None and self.company is None

    @property
    def payload(self) -> dict[str, Any]:
        properties = {k: (self.text if v == "T" else v) for k, v in TYPES[self.type][1].items()}
        return {
            "properties": {
                **properties,
                "hs_timestamp": f"{self.month}-05T10:00:00.000Z",
                "ic_communication_id": str(self.id),
                **self.extra,
            },
            "associations": self._associations(self.type),
            "objectWriteTraceId": str(self.id),
        }

    def part_payload(self, number: int) -> dict[str, Any]:
        key = f"{self.id}/{number}"
        return {
            "properties": {
                "hs_timestamp": f"{self.month}-05T10:00:00.000Z",
                "hs_note_body": self.parts[number - 2],
                "ic_communication_id": key,
            },
            "associations": self._associations("notes"),
            "objectWriteTraceId": key,
        }

    def _associations(self, object_type: str) -> list[dict[str, Any]]:
        targets = (
            (self.contact, TO_CONTACT[object_type]),
            (self.company, TO_COMPANY[object_type]),
            *((contact, TO_CONTACT[object_type]) for contact in self.further),
        )
        return [
            {
                "to": {"id": identifier},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}],
            }
            for identifier, kind in targets
            if identifier
        ]


def some(count: int, types: Iterable[str] = NAMES, *, first: int = 1, **values: Any) -> list[Activity]:
    names = list(types)
    return [
        Activity(first + n, names[n % len(names)], **{"contact": CONTACTS[n % len(CONTACTS)], **values})
        for n in range(count)
    ]


def stage(database: str, activities: Iterable[Activity]) -> None:
    """Writes master and derivative rows as the derivatives stage would leave them."""
    rows = list(activities)
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO staging.ic_communication_master AS m (comm_communicationid, comm_type, comm_datetime,
            comm_createddate, derived_activity_type, is_task_eligible, is_orphaned, source_drop, source_line)
            VALUES (%s, 'x', %s, %s, %s, false, %s, 'd', 1)
            ON CONFLICT (comm_communicationid) DO UPDATE SET derived_activity_type = excluded.derived_activity_type,
            is_orphaned = excluded.is_orphaned""",
            [(one.id, one.date, one.date, one.type, one.is_orphan) for one in rows],
        )
        cursor.execute(
            "SELECT comm_communicationid, id FROM staging.ic_communication_master WHERE comm_communicationid = ANY(%s)",
            ([one.id for one in rows],),
        )
        masters: dict[int, int] = dict(cursor.fetchall())
        for name in (*NAMES, "payload_part"):
            left = [masters[one.id] for one in rows if one.type != name]
            cursor.execute(f"DELETE FROM staging.ic_{name} WHERE ic_communication_master_id = ANY(%s)", (left,))
        for name in NAMES:
            columns = ["ic_communication_master_id", "activity_date", "hubspot_api_payload", "api_push_status"]
            columns += list(TYPES[name][0])
            cursor.executemany(
                f"INSERT INTO staging.ic_{name} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
                " ON CONFLICT (ic_communication_master_id) DO UPDATE SET"
                " hubspot_api_payload = excluded.hubspot_api_payload, api_push_status = excluded.api_push_status",
                [
                    (
                        masters[one.id],
                        one.date,
                        json.dumps(one.payload),
                        "held" if one.is_orphan else one.status,
                        *(one.text if value == "T" else value for value in TYPES[name][0].values()),
                    )
                    for one in rows
                    if one.type == name
                ],
            )
        cursor.executemany(
            "INSERT INTO staging.ic_payload_part VALUES (%s, %s, %s, %s, %s)",
            [
                (one.type, masters[one.id], one.id, number, json.dumps(one.part_payload(number)))
                for one in rows
                for number in range(2, len(one.parts) + 2)
            ],
        )


def delete_in_source(database: str, *communications: int) -> None:
    """As a drop with Comm_Deleted and the master stage leave it."""
    ids = list(communications)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_communication_master WHERE comm_communicationid = ANY(%s)", (ids,))
        connection.execute(
            "INSERT INTO staging.ic_deleted_communication (comm_communicationid, source_drop, source_line)"
            " SELECT unnest(%s::bigint[]), 'd', 2",
            (ids,),
        )


def bring_back(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_deleted_communication")


def kill_with_records_in_flight(database: str, process: Killable) -> None:
    """Kills the process that pushes while records of the ledger are in flight, and its connections with it. Under a lock
    that nothing can be settled beside: that some are in flight when the kill comes is certain and no luck."""
    while True:
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE hubspot.push_ledger IN SHARE MODE")
            row = connection.execute("SELECT count(*) FROM hubspot.push_ledger WHERE state = 'in_flight'").fetchone()
            if row and row[0]:
                process.kill()
                process.wait()
                # One that waits for the lock would settle after its process has died.
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                return
        assert process.poll() is None, "the process ended before it could be killed"
        time.sleep(0.01)


class HubSpot:
    """The local HubSpot, asked through its API."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(
            base_url=sandbox.base_url, headers={"Authorization": f"Bearer {sandbox.token}"}, timeout=60, trust_env=False
        )

    def seed(self) -> None:
        self.http.post(
            "/_sandbox/seed",
            json={
                "contacts": [{"id": c, "properties": {"firstname": "A"}} for c in CONTACTS],
                "companies": [{"id": COMPANY, "properties": {"name": "C"}}],
                "deals": [{"id": DEAL, "properties": {"dealname": "D"}}],
            },
        ).raise_for_status()

    def reset(self) -> None:
        """Empty but for the seeded records, and well-behaved again."""
        self.http.post("/_sandbox/reset").raise_for_status()
        self.chaos()
        self.seed()

    def chaos(self, **values: Any) -> None:
        self.http.post("/_sandbox/chaos", json=values).raise_for_status()

    def requests(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Those after a moment (Unix seconds), oldest first."""
        answer = self.http.get("/_sandbox/requests", params={"since": since}).json()
        return list(answer["requests"] if isinstance(answer, dict) else answer)

    def wait_for(self, count: int, tail: str, process: Killable) -> None:
        """Until so many requests whose path ends with ``tail`` have succeeded from now on; ``process`` must live on."""
        began = time.time()
        while sum(r["path"].endswith(tail) and r["status"] in (200, 201, 204) for r in self.requests(began)) < count:
            assert process.poll() is None, "the process ended before it could be killed"
            time.sleep(0.02)

    def records(self, object_type: str, *, archived: bool = False) -> list[dict[str, Any]]:
        """Every record of a type with its properties and contact associations."""
        names = sorted({*TYPES[object_type][1], "ic_communication_id", "hs_timestamp"})
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            parameters: dict[str, Any] = {
                "limit": 100,
                "properties": ",".join(names),
                "associations": "contacts,companies",
                "archived": str(archived).lower(),
            }
            if after:
                parameters["after"] = after
            page = self.http.get(f"/crm/v3/objects/{object_type}", params=parameters).raise_for_status().json()
            found += page["results"]
            after = ((page.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return found

    def contents(self) -> dict[tuple[str, str], list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]]:
        """(type, communication id) -> [(record id, text, contacts, companies)] of live records."""
        contents: dict[tuple[str, str], list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]] = {}
        for name in NAMES:
            text = next(k for k, v in TYPES[name][1].items() if v == "T")
            for record in self.records(name):
                key = (name, record["properties"].get("ic_communication_id"))
                contents.setdefault(key, []).append(
                    (
                        record["id"],
                        record["properties"].get(text),
                        _linked(record, "contacts"),
                        _linked(record, "companies"),
                    )
                )
        return contents


def _linked(record: dict[str, Any], target: str) -> tuple[str, ...]:
    results = ((record.get("associations") or {}).get(target) or {}).get("results") or []
    return tuple(sorted({str(r["id"]) for r in results}))


@contextmanager
def hubspot(folder: Path, **options: object) -> Iterator[HubSpot]:
    with running(folder / "hubspot.sqlite", **{"requests_per_10s": 100_000, **options}) as sandbox:
        one = HubSpot(sandbox)
        one.seed()
        yield one


def target(hub: HubSpot, **values: Any) -> HubSpotTarget:
    return HubSpotTarget(hub.sandbox.base_url, hub.sandbox.token, **{"rps": 200.0, "timeout": 10.0, **values})


def run(database: str, hub: HubSpot, *, mode: str = "production", **options: Any) -> PushResult:
    missing = options.pop("missing_association", "fail")
    settings = Settings(home=Path(), postgres_url=None, drop_dir=Path(), hubspot_missing_association=missing)
    rps = options.pop("rps", 200.0)
    api = options.pop("api", "v3")
    options.setdefault("recheck_seconds", 0.3)
    return push(database, settings, target(hub, rps=rps, api=api), OUTGOING, PushOptions(mode=mode, **options))


def assert_stands(hub: HubSpot, activities: Iterable[Activity]) -> None:
    """HubSpot holds exactly these, once each, with their text and their associations, and nothing else."""
    expected = {
        (one.type, str(one.id)): (
            one.text,
            tuple(sorted({one.contact, *one.further} - {None})),
            (one.company,) if one.company else (),
        )
        for one in activities
    }
    contents = hub.contents()
    assert {key: [found[1:] for found in records] for key, records in contents.items()} == {
        key: [value] for key, value in expected.items()
    }


def assert_stands_by_text(hub: HubSpot, activities: Iterable[Activity]) -> None:
    """As ``assert_stands`` where archived records keep their unique values, so that ids carry a revision."""
    found = {
        (key[0], key[1].partition("~")[0]): [record[1:] for record in records]
        for key, records in hub.contents().items()
    }
    assert found == {
        (one.type, str(one.id)): [(one.text, (one.contact,) if one.contact else (), ())] for one in activities
    }


def assert_ledger_agrees(database: str, hub: HubSpot) -> None:
    """Every pushed ledger row names the record that HubSpot holds under its key, and no record is without one."""
    standing = {key: int(records[0][0]) for key, records in hub.contents().items()}
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT object_type, record_key, part, hubspot_id FROM hubspot.push_ledger WHERE state = 'pushed'"
        ).fetchall()
        derivatives = {
            (name, str(row[0])): row[1]
            for name in NAMES
            for row in connection.execute(
                f"SELECT m.comm_communicationid, d.hubspot_engagement_id FROM staging.ic_{name} d JOIN"
                " staging.ic_communication_master m ON m.id = d.ic_communication_master_id"
                " WHERE d.api_push_status = 'pushed'"
            )
        }
    ledger = {(r[0], f"{r[1]}/{r[2]}" if r[2] > 1 else r[1]): r[3] for r in rows}
    assert ledger == standing
    assert derivatives == {key: value for key, value in ledger.items() if "/" not in key[1]}
