"""What must hold when a schedule is over: HubSpot's contents against staging, the ledger against HubSpot, the runs' own
counts, and the rate budget. HubSpot's side is read straight from the local HubSpot's SQLite file.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from ic_assets.hubspot.portal.setup import PROBE
from ic_assets.hubspot.sending.edits import UNCERTAIN
from ic_assets_tests.hubspot.push_cases import NAMES, TO_COMPANY, TO_CONTACT, Activity
from ic_assets_tests.soak.schedules import Schedule, is_refused

Key = tuple[str, str]
"""(object type, ``<id>`` or ``<id>/<part>``)"""
ID_PROPERTY = "ic_communication_id"
ON_THE_WAY = 0.1
"""Seconds by which a request may arrive later than it left: the budget counts at sending, the local HubSpot on arrival."""


class Standing(NamedTuple):
    """A record as it shall stand, or stands: its properties without the communication id, and (object, id, type)."""

    properties: dict[str, str]
    associations: frozenset[tuple[str, int, int]]


@dataclass
class Portal:
    """What the local HubSpot holds: live records by key, how many were ever created, and its request log."""

    live: dict[Key, list[tuple[int, Standing]]]
    probes: Counter[str]
    created: int
    requests: list[tuple[float, str, int, str | None]]
    """(arrived at, path, status, fault)"""


def expected(schedule: Schedule) -> dict[Key, Standing]:
    """Each record that shall stand, from the rows alone."""
    wanted: dict[Key, Standing] = {}
    for row in schedule.final().values():
        if row.status == "failed" or is_refused(row) or (row.is_orphan and not schedule.include_orphans):
            continue
        wanted[row.type, str(row.id)] = _standing(schedule, row, row.type, row.payload)
        for number in range(2, len(row.parts) + 2):
            wanted["notes", f"{row.id}/{number}"] = _standing(schedule, row, "notes", row.part_payload(number))
    return wanted


def _standing(schedule: Schedule, row: Activity, object_type: str, payload: dict[str, Any]) -> Standing:
    properties = {name: value for name, value in payload["properties"].items() if name != ID_PROPERTY}
    # The local HubSpot gives times without an empty fraction, and one of its portals spells this outcome otherwise.
    properties["hs_timestamp"] = f"{row.date:%Y-%m-%dT%H:%M:%S}Z"
    if schedule.portal == "sticky" and properties.get("hs_meeting_outcome") == "CANCELED":
        properties["hs_meeting_outcome"] = "CANCELLED"
    links = set()
    if row.contact:
        links.add(("contacts", int(row.contact), TO_CONTACT[object_type]))
    if row.company:
        links.add(("companies", int(row.company), TO_COMPANY[object_type]))
    return Standing(properties, frozenset(links))


def read_portal(file: Path) -> Portal:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=15)) as connection:
        marks = ",".join("?" * len(NAMES))
        records = connection.execute(
            f"select type, id, properties, archived_at from record where type in ({marks})", NAMES
        ).fetchall()
        links: dict[tuple[str, int], set[tuple[str, int, int]]] = defaultdict(set)
        for slug, identifier, *link in connection.execute(
            f"select from_type, from_id, to_type, to_id, type_id from association where from_type in ({marks})", NAMES
        ):
            links[slug, identifier].add((link[0], link[1], link[2]))
        requests = connection.execute("select at, path, status, fault from request order by at").fetchall()
    portal = Portal({}, Counter(), 0, requests)
    for slug, identifier, text, archived_at in records:
        properties = json.loads(text)
        key = properties.pop(ID_PROPERTY, "")
        is_probe = key == PROBE
        portal.created += not is_probe
        if archived_at is None and is_probe:
            portal.probes[slug] += 1
        elif archived_at is None:
            standing = Standing(properties, frozenset(links[slug, identifier]))
            # Where archived records keep their unique values, a record that came back has another: <id>~<n>.
            portal.live.setdefault((slug, key.partition("~")[0]), []).append((identifier, standing))
    return portal


def violations(
    schedule: Schedule, portal: Portal, database: str, answers: Iterable[dict[str, Any]], final: dict[str, Any]
) -> list[str]:
    """Everything that is wrong, a line each; empty when the push kept its promise. ``answers``: what every worker that
    was not killed said, ``final`` included."""
    answers = list(answers)
    found = [*_contents(expected(schedule), portal), *_runs(answers, portal, final), *_guarantees(schedule, answers)]
    with psycopg.connect(database) as connection:
        found += _ledger(schedule, portal, connection, final)
        found += _derivatives(portal, connection)
        found += _probes(portal, connection)
        found += _budget(schedule, portal, connection)
    return found


def taken_back(portal: Portal, database: str, answer: dict[str, Any]) -> Iterator[str]:
    """What must hold after a roll-back of everything that nobody killed: nobody edited anything, so that nothing stands but
    what it held back since what was pushed last is not known; and nothing went without a record."""
    if "found" not in answer or answer["stopped_reason"]:
        yield f"ROLL-BACK did not end: {answer}"
        return
    standing = sorted(identifier for records in portal.live.values() for identifier, _ in records)
    if len(standing) != answer["held_back"]:
        yield f"ROLL-BACK: {len(standing)} records stand ({standing[:5]}), it says that it held back {answer['held_back']}"
    if set(answer["held_back_by_reason"]) - {UNCERTAIN}:
        yield f"ROLL-BACK held back what nobody touched: {answer['held_back_by_reason']}"
    if answer["found"] != sum(answer[name] for name in ("archived", "held_back", "already_gone", "failed")):
        yield f"ROLL-BACK: its counts do not add up: {answer}"
    with psycopg.connect(database) as connection:
        left = connection.execute(
            "SELECT l.object_type, l.record_key, l.state FROM hubspot.push_ledger AS l"
            " WHERE l.state IN ('in_flight', 'unknown')"
        ).fetchall()
        unrecorded = connection.execute(
            "SELECT count(*) FROM hubspot.push_rollback_record WHERE outcome = 'intended'"
        ).fetchone()
    if left:
        yield f"ROLL-BACK left in hand: {left[:5]}"
    if unrecorded != (0,):
        yield f"ROLL-BACK: of {unrecorded} records nobody knows what became of them"


def _contents(wanted: dict[Key, Standing], portal: Portal) -> Iterator[str]:
    for key, records in sorted(portal.live.items()):
        ids = ", ".join(str(identifier) for identifier, _ in records)
        if len(records) > 1:
            yield f"DOUBLED {_name(key)}: records {ids}"
        if key not in wanted:
            yield f"UNWANTED {_name(key)}: record {ids} shall not stand"
    for key, standing in sorted(wanted.items()):
        if key not in portal.live:
            yield f"LOST {_name(key)}: no live record"
            continue
        for identifier, found in portal.live[key]:
            if found.properties != standing.properties:
                differing = sorted(dict(found.properties.items() ^ standing.properties.items()))
                pairs = [f"{n}={found.properties.get(n)!r} not {standing.properties.get(n)!r}" for n in differing]
                yield f"WRONG {_name(key)}, record {identifier}: {'; '.join(pairs)}"
            if found.associations != standing.associations:
                yield (
                    f"MISATTACHED {_name(key)}, record {identifier}: {sorted(found.associations)}"
                    f" not {sorted(standing.associations)}"
                )


def _ledger(
    schedule: Schedule, portal: Portal, connection: psycopg.Connection[Any], final: dict[str, Any]
) -> Iterator[str]:
    rows = connection.execute(
        "SELECT object_type, record_key, part, state, action, hubspot_id, pushed_hash = desired_hash"
        " FROM hubspot.push_ledger"
    ).fetchall()
    live_ids = {identifier for records in portal.live.values() for identifier, _ in records}
    pushed: set[tuple[Key, int]] = set()
    failed = 0
    staged = schedule.final()
    for object_type, record_key, part, state, action, hubspot_id, is_current in rows:
        key = (object_type, f"{record_key}/{part}" if part > 1 else record_key)
        row = staged[int(record_key)]
        if state == "pushed":
            pushed.add((key, hubspot_id))
            if not is_current:
                yield f"LEDGER {_name(key)}: pushed, but not with the payload that is wanted"
        elif hubspot_id in live_ids:
            yield f"LEDGER {_name(key)}: {state}, and its record {hubspot_id} stands"
        if state in ("pending", "in_flight", "unknown"):
            yield f"LEDGER {_name(key)}: left {state} ({action})"
        failed += state == "failed"
        if state == "failed" and not is_refused(row):
            yield f"LEDGER {_name(key)}: failed, and nothing is wrong with it"
        if state == "held" and not row.is_orphan:
            yield f"LEDGER {_name(key)}: held, and is no orphan"
    standing = {(key, identifier) for key, records in portal.live.items() for identifier, _ in records}
    for key, identifier in sorted(pushed - standing):
        yield f"LEDGER {_name(key)}: pushed as {identifier}, which is no live record of that key"
    for key, identifier in sorted(standing - pushed):
        yield f"LEDGER {_name(key)}: record {identifier} stands, and the ledger does not know it"
    if final.get("rejected") != failed:
        yield f"COUNTS: the last push counts {final.get('rejected')} rejected, the ledger has {failed}"


def _derivatives(portal: Portal, connection: psycopg.Connection[Any]) -> Iterator[str]:
    for name in NAMES:
        shown = connection.execute(
            f"SELECT m.comm_communicationid, d.api_push_status, d.hubspot_engagement_id FROM staging.ic_{name} AS d"
            " JOIN staging.ic_communication_master AS m ON m.id = d.ic_communication_master_id"
        ).fetchall()
        for communication_id, status, hubspot_id in shown:
            key = (name, str(communication_id))
            live = [identifier for identifier, _ in portal.live.get(key, [])]
            if (status == "pushed") != bool(live) or (live and hubspot_id not in live):
                yield f"DERIVATIVE {_name(key)}: shows {status} as {hubspot_id}, HubSpot has {live or 'none'}"


def _probes(portal: Portal, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Setup's probe must not stay behind. Where an answer was lost, setup has not ended and its next run clears up; only
    a creation that comes through after setup has archived its probe is out of its reach."""
    ended = connection.execute("SELECT object_type FROM hubspot.portal_property WHERE is_unique").fetchall()
    for (object_type,) in ended:
        is_late = any(fault == "late_commit" and f"/{object_type}/" in path for _, path, _, fault in portal.requests)
        if portal.probes[object_type] and not is_late:
            yield f"PROBE {object_type} stands, and setup takes itself for ended"


def _runs(answers: list[dict[str, Any]], portal: Portal, final: dict[str, Any]) -> Iterator[str]:
    parts = ("created", "updated", "removed", "rejected", "unknown")
    for answer in answers:
        run = f"run {answer['push_id']}"
        for name, figures in (("all", answer), *answer["by_type"].items()):
            if figures["sent"] != sum(figures[part] for part in parts):
                yield f"COUNTS: {run}, {name}: sent {figures['sent']} is not the sum of {parts}"
        summed = Counter[str]()
        for figures in answer["by_type"].values():
            summed.update({part: figures[part] for part in parts})
        if any(answer[part] != summed[part] for part in parts):
            yield f"COUNTS: {run}: the types do not add up to the whole"
        if answer["unknown"] and not answer["stopped_reason"]:
            yield f"COUNTS: {run} reports success with {answer['unknown']} unknown"
    created = sum(answer["created"] for answer in answers)
    if created > portal.created:
        yield f"COUNTS: the runs claim {created} created, HubSpot ever made {portal.created}"
    if final["unknown"] or final["stopped_reason"]:
        yield f"COUNTS: the last push ended with {final['unknown']} unknown, {final['stopped_reason']!r}"


def _guarantees(schedule: Schedule, answers: list[dict[str, Any]]) -> Iterator[str]:
    for answer in answers:
        if schedule.portal == "plain" and (answer["guarantee"] or "").startswith("exactly once"):
            yield f"GUARANTEE: run {answer['push_id']} promises what this portal does not enforce"


def _budget(schedule: Schedule, portal: Portal, connection: psycopg.Connection[Any]) -> Iterator[str]:
    arrived = [request[0] for request in portal.requests]
    sent = [
        row[0].timestamp()
        for row in connection.execute("SELECT sent_at FROM hubspot.push_request ORDER BY sent_at").fetchall()
    ]
    for what, times, seconds, most in (
        ("sent in one second", sent, 1.0, schedule.rps),
        ("arrived in one second", arrived, 1.0 - ON_THE_WAY, schedule.rps),
        ("arrived in ten seconds", arrived, 10.0, 10 * schedule.rps),
    ):
        densest = _densest(times, seconds)
        if densest > most:
            yield f"BUDGET: {densest} requests {what}, the budget is {most:g}"


def _densest(times: list[float], seconds: float) -> int:
    """The most of ``times`` (sorted) in any stretch of ``seconds``."""
    first = most = 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]}"
