"""Loads hostile drops through the real command line and compares every row and column with the oracle's.

Surrogate ids and clocks apart, nothing is left out. ``ORACLE_ROWS`` (default 700) and ``ORACLE_SEEDS`` (default
``0-1``; ``7`` or ``0,5-9`` work too) make a run bigger; seeds from 3 draw their own file formats.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ic_assets.core.settings import Settings
from ic_assets.resources.services import services
from ic_assets_tests import processes
from ic_assets_tests.e2e.hostile_drops import Scenario, scenario
from ic_assets_tests.e2e.oracle import (
    ASSOCIATION_TYPES,
    BODY_LIMIT,
    DropOutcome,
    Html,
    Oracle,
    Plain,
    Text,
    as_html,
)

TABLES = {
    "calls": "ic_calls",
    "emails": "ic_emails",
    "meetings": "ic_meetings",
    "notes": "ic_notes",
    "tasks": "ic_tasks",
    "communications": "ic_communications",
    "postal_mail": "ic_postal_mail",
}
SHOWN = 10
Row = dict[str, Any]


def seeds() -> list[Any]:
    """Those of ``ORACLE_SEEDS``, or the first one, and with the long tests two more, which cover the other formats."""
    chosen: list[Any] = []
    for part in filter(None, os.environ.get("ORACLE_SEEDS", "").split(",")):
        first, _, last = part.partition("-")
        chosen += range(int(first), int(last or first) + 1)
    return chosen or [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))]


class Differences:
    """What disagrees, by place; ``str()`` shows the first few of each."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = defaultdict(list)

    def add(self, place: str, what: str) -> None:
        self.found[place].append(what)

    def expect(self, place: str, key: object, expected: object, actual: object) -> None:
        if expected != actual or isinstance(expected, bool) is not isinstance(actual, bool):
            self.add(place, f"{key}: contract {shorten(expected)}, database {shorten(actual)}")

    def same_keys(self, place: str, expected: Iterable[Any], actual: Iterable[Any]) -> set[Any]:
        wanted, found = set(expected), set(actual)
        for key in sorted(wanted - found, key=str):
            self.add(place, f"{key}: missing")
        for key in sorted(found - wanted, key=str):
            self.add(place, f"{key}: not in the contract's result")
        return wanted & found

    def __str__(self) -> str:
        lines = []
        for place, found in self.found.items():
            lines += [f"{place}: {len(found)} differences", *(f"  {what}" for what in found[:SHOWN])]
        return "\n".join(lines)


def shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:100]} … {text[-40:]} ({len(text)} characters)"


# -- the command line --------------------------------------------------------------------------------


class Machine:
    """One IC_HOME and the commands that are run in it."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        foreign = ("HUBSPOT_", "IC_", "DAGSTER_", "PG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.environment = kept | environment | {"IC_HOME": str(home / "home")}
        self.before: tuple[str, ...] = ()
        """A command that runs ours."""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if not self.before:
            return processes.run(*arguments, env=self.environment, cwd=self.home)
        return subprocess.run(
            [*self.before, processes.SCRIPT, *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            timeout=1800,
            check=False,
        )

    def json(self, *arguments: str) -> Row:
        done = self.run(*arguments, "--json")
        tail = f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0, f"ic-assets {arguments[0]} ended with {done.returncode}\n{tail}"
        result = json.loads(done.stdout.strip().splitlines()[-1])
        assert isinstance(result, dict), tail
        return result

    def write(self, name: str, data: bytes) -> str:
        path = self.home / name
        path.write_bytes(data)
        return str(path)

    @contextmanager
    def connection(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Row]]:
        with monkeypatch.context() as patch:
            for name in set(os.environ) - set(self.environment):
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            settings = Settings.from_env()
            with (
                services(settings) as running,
                psycopg.connect(running.postgres_url, row_factory=dict_row, autocommit=True) as connection,
            ):
                yield connection


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    path = Path(tempfile.mkdtemp(prefix="oracle-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", seeds())
def test_the_database_holds_what_the_contract_says(seed: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = scenario(seed, int(os.environ.get("ORACLE_ROWS", "700")))
    oracle = Oracle(plan.settings)
    machine = Machine(home, plan.environment)
    differences = Differences()
    # Around the commands too, so that each finds the services up.
    with machine.connection(monkeypatch) as connection:
        load_everything(plan, oracle, machine, differences)
        compare_rejects(oracle, connection, differences)
        compare_warnings(oracle, connection, differences)
        compare_master(oracle, connection, differences)
        compare_people(oracle, connection, differences)
        compare_derivatives(oracle, connection, differences)
        compare_unresolved(oracle, connection, differences)
    assert not differences.found, f"\n{differences}"


def load_everything(plan: Scenario, oracle: Oracle, machine: Machine, differences: Differences) -> None:
    for entity, data in plan.reconciliations.items():
        oracle.reconcile(entity, data)
        machine.json("reconcile", entity, machine.write(f"{entity}.csv", data))
    for at, drops in enumerate(plan.commands):
        if at and at == len(plan.commands) - 1:
            oracle.reconcile("contacts", plan.later_contacts)
            machine.json("reconcile", "contacts", machine.write("later.csv", plan.later_contacts))
        outcomes = [oracle.load(drop.name, drop.data) for drop in drops]
        rates = oracle.gate()
        gate_is_open = min(rates["contact"], rates["company"], rates["deal"]) > 95 and rates["orphaned"] < 5
        assert gate_is_open, f"more rows are needed for the gate to open: {rates}"
        printed = machine.json("load", *(machine.write(drop.name, drop.data) for drop in drops))
        counted = printed.get("drops", [printed])
        assert len(counted) == len(drops), printed
        for outcome, actual in zip(outcomes, counted, strict=True):
            compare_accounting(outcome, actual, differences)


# -- comparisons -------------------------------------------------------------------------------------


def compare_accounting(outcome: DropOutcome, actual: Row, differences: Differences) -> None:
    place = f"load --json, {outcome.file_name}"
    if outcome.already_loaded:
        for name in ("inserted", "updated", "unchanged", "joined", "rejected"):
            differences.expect(place, name, 0, actual.get(name) or 0)
        return
    for name, expected in outcome.accounting().items():
        found = actual.get(name)
        if name == "rejected_by_reason":
            found = {reason: count for reason, count in (found or {}).items() if count}
        elif name == "months":
            found = sorted(found or [])
        differences.expect(place, name, expected, found)
    # Warnings about rows that are not written need not be kept, but may be.
    if actual.get("field_warnings", 0) < len(outcome.warnings):
        differences.expect(place, "field_warnings", len(outcome.warnings), actual.get("field_warnings"))


def compare_rejects(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    place = "ic_rejected_row"
    found = {
        (row["drop_key"], row["line_number"]): row
        for row in connection.execute("select * from staging.ic_rejected_row").fetchall()
    }
    wanted = {(outcome.key, row.line): row for outcome in oracle.outcomes for row in outcome.rejected}
    for key in sorted(differences.same_keys(place, wanted, found)):
        expected, actual = wanted[key], found[key]
        differences.expect(place, (*key, "reason"), expected.reason, actual["reason"])
        differences.expect(place, (*key, "raw_row"), expected.raw, (actual["raw_row"] or "").rstrip("\r\n"))
        # Of a row with a NUL byte or a wrong number of fields the id need not be readable.
        broken = expected.reason in ("nul_byte", "damaged_text", "too_large", "bad_quote", "field_count")
        if not (broken and actual["comm_communicationid"] is None):
            differences.expect(place, (*key, "id"), expected.id, actual["comm_communicationid"])
        if expected.columns and actual["column_name"] not in expected.columns:
            differences.expect(place, (*key, "column_name"), expected.columns, actual["column_name"])


TEXT_WARNINGS = ("not_an_address", "content_left_out", "html_as_text")


def compare_warnings(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    place = "ic_field_warning"
    found = {}
    ends: set[int] = set()
    of_texts: set[tuple[str, int, str, str]] = set()
    for row in connection.execute("select * from staging.ic_field_warning").fetchall():
        if row["reason"] in TEXT_WARNINGS:
            of_texts.add((row["drop_key"], row["line_number"], row["column_name"], row["reason"]))
            continue
        found[(row["drop_key"], row["line_number"], row["column_name"])] = row
        if row["column_name"] == "comm_todatetime":
            ends.add(row["comm_communicationid"])
    wanted = {(outcome.key, row.line, row.column): row for outcome in oracle.outcomes for row in outcome.warnings}
    for key, expected in wanted.items():
        if key not in found:
            differences.add(place, f"{key}: missing")
            continue
        differences.expect(place, (*key, "raw_value"), expected.raw_value, found[key]["raw_value"])
        differences.expect(place, (*key, "id"), expected.id, found[key]["comm_communicationid"])
        differences.expect(place, (*key, "reason"), expected.reason, found[key]["reason"])
    written = {(outcome.key, line) for outcome in oracle.outcomes for line in outcome.written}
    for key in found.keys() - wanted.keys():
        if key[:2] in written and key[2] != "comm_todatetime":
            differences.add(place, f"{key}: not in the contract's result ({found[key]['raw_value']!r})")
    of_the_master = {(row.drop_key, row.line) for row in oracle.master.values()}
    expected_of_texts = {each for comm_id in oracle.master for each in oracle.text_warnings(comm_id)}
    for each in expected_of_texts ^ {one for one in of_texts if one[:2] in of_the_master}:
        differences.add(place, f"{each}: {'missing' if each in expected_of_texts else 'not called for'}")
    for comm_id in oracle.master:
        if oracle.call_lasts_too_long(comm_id) and comm_id not in ends:
            differences.add(place, f"communication {comm_id}: no warning that the call lasts over 24 hours")
        if oracle.meeting_ends_too_early(comm_id) and comm_id not in ends:
            differences.add(place, f"communication {comm_id}: no warning that the meeting ends before it starts")


def compare_master(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    place = "ic_communication_master"
    rows = connection.execute("select * from staging.ic_communication_master").fetchall()
    found = {row["comm_communicationid"]: row for row in rows}
    if len(rows) != len(found):
        differences.add(place, f"{len(rows)} rows, {len(found)} ids")
    for comm_id in sorted(differences.same_keys(place, oracle.master, found)):
        compare_columns(place, comm_id, oracle.master_row(comm_id), found[comm_id], differences)


def compare_people(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    place = "ic_communication_party"
    rows = connection.execute("select * from staging.ic_communication_party").fetchall()
    found = {(row["comm_communicationid"], row["position"]): row for row in rows}
    wanted = {(comm_id, row["position"]): row for comm_id in oracle.master for row in oracle.further(comm_id)}
    for key in sorted(differences.same_keys(place, wanted, found)):
        compare_columns(place, key, wanted[key], found[key], differences)


def compare_columns(place: str, key: object, expected: Row, actual: Row, differences: Differences) -> None:
    for name, value in expected.items():
        if name not in actual:
            differences.add(f"{place}, columns", f"no column {name}")
        else:
            differences.expect(place, f"{key} {name}", value, actual[name])


def compare_derivatives(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    expected: dict[str, dict[int, Row]] = {kind: {} for kind in TABLES}
    for comm_id in oracle.master:
        kind, row = oracle.derivative(comm_id)
        expected[kind][comm_id] = row
    parts = payload_parts(connection)
    traces: set[str] = set()
    for kind, table in TABLES.items():
        rows = connection.execute(
            "select m.comm_communicationid as comm_id, d.* from staging.ic_communication_master m"
            f" join staging.{table} d on d.ic_communication_master_id = m.id"
        ).fetchall()
        found = {row["comm_id"]: row for row in rows}
        for comm_id in sorted(differences.same_keys(table, expected[kind], found)):
            row = found[comm_id]
            compare_columns(table, comm_id, expected[kind][comm_id], row, differences)
            place = f"{table}, payload"
            compare_payload(
                place, comm_id, oracle.payload(comm_id), row["hubspot_api_payload"], parts[comm_id], differences
            )
            for payload in (row["hubspot_api_payload"] or {}, *parts[comm_id]):
                trace = payload.get("objectWriteTraceId")
                if not isinstance(trace, str) or not trace or trace in traces:
                    differences.add(place, f"{comm_id} objectWriteTraceId: {trace!r} is absent or not unique")
                else:
                    traces.add(trace)
    for comm_id in parts.keys() - oracle.master.keys():
        differences.add("ic_payload_part", f"{comm_id}: a part of no communication")


def payload_parts(connection: psycopg.Connection[Row]) -> dict[int, list[Row]]:
    parts: dict[int, list[Row]] = defaultdict(list)
    rows = connection.execute("select * from staging.ic_payload_part order by part").fetchall()
    for row in rows:
        parts[row["comm_communicationid"]].append(row["payload"])
    return parts


def compare_payload(
    place: str, comm_id: int, expected: Row, actual: Row | None, parts: list[Row], differences: Differences
) -> None:
    if actual is None:
        differences.add(place, f"{comm_id}: no payload")
        return
    wanted, found = expected["properties"], actual.get("properties", {})
    body = expected["body"]
    # How much of an over-long HTML is left is up to the sanitizer.
    is_long = len(wanted.get(body, "")) > BODY_LIMIT and (isinstance(wanted[body], Text) or bool(parts))
    first = found.get(body, "")
    for name in sorted(differences.same_keys(f"{place} properties", _pairs(comm_id, wanted), _pairs(comm_id, found))):
        value, sent = wanted[name[1]], found[name[1]]
        key = f"{comm_id} {name[1]}"
        if not isinstance(sent, str):
            differences.add(place, f"{key}: {sent!r} is not a string")
        elif len(sent) > BODY_LIMIT:
            differences.add(place, f"{key}: {len(sent)} characters")
        elif isinstance(value, Plain):
            compare_plain(place, key, value, sent, first if len(value) > BODY_LIMIT else None, differences)
        elif is_long and isinstance(value, Text | Html):
            # Which of the parts hold what is compare_parts' business; other properties show what the first does.
            differences.expect(place, key, plain_quotes(first), plain_quotes(sent))
        else:
            compare_property(place, key, name[1], value, sent, differences)
    differences.expect(place, f"{comm_id} associations", expected["associations"], associations(actual))
    if is_long:
        compare_parts(place, comm_id, expected, [first], parts, differences)
    elif parts:
        differences.add(place, f"{comm_id}: {len(parts)} parts though the body is not over-long")


def compare_plain(
    place: str, key: str, value: Plain, sent: str, first_part: str | None, differences: Differences
) -> None:
    """The text as written; of one that is over the limit itself, the text of the first part (``first_part``, HTML)."""
    if first_part is None:
        differences.expect(place, key, value, sent)
        return
    differences.expect(place, key, visible(first_part), re.sub(r"\s+", "", sent))
    if not isinstance(as_html(value), Html):
        differences.expect(place, key, value[: len(sent)], sent)


def _pairs(comm_id: int, properties: Row) -> set[tuple[int, str]]:
    return {(comm_id, name) for name in properties}


def compare_property(place: str, key: str, name: str, value: object, sent: str, differences: Differences) -> None:
    if isinstance(value, datetime):
        if name == "hs_task_reminders" and not sent.lstrip("-").isdigit():
            differences.add(place, f"{key}: {sent!r} is not Unix milliseconds")
        elif abs(instant(sent) - value) > timedelta(milliseconds=1):
            differences.expect(place, key, value.isoformat(), sent)
    elif isinstance(value, Html):
        differences.expect(place, key, visible(value), visible(sent))
        if re.search(r"<script|\son\w+=|javascript:", sent, re.IGNORECASE):
            differences.add(place, f"{key}: not sanitised: {shorten(sent)}")
    elif isinstance(value, Text):
        differences.expect(place, key, plain_quotes(value), plain_quotes(sent))
    elif name == "hs_email_headers":
        differences.expect(place, key, addresses(str(value)), addresses(sent))
    elif name == "hs_meeting_outcome":
        differences.expect(place, key, value, sent.replace("CANCELLED", "CANCELED"))
    else:
        differences.expect(place, key, value, sent)


def compare_parts(
    place: str, comm_id: int, expected: Row, first: list[str], parts: list[Row], differences: Differences
) -> None:
    """The parts after their openings, put together, are the body; each is a note on the same records."""
    whole = visible(expected["properties"][expected["body"]])
    bodies = first + [part.get("properties", {}).get("hs_note_body", "") for part in parts]
    at = 0
    for number, body in enumerate(bodies, 1):
        text = visible(body)
        skipped = next((n for n in range(min(400, len(text))) if whole.startswith(text[n:], at)), None)
        if len(body) > BODY_LIMIT:
            differences.add(place, f"{comm_id} part {number}: {len(body)} characters")
        if skipped is None:
            differences.add(place, f"{comm_id} part {number}: does not continue the body at {at}: {shorten(text)}")
            return
        if number > 1 and not skipped:
            differences.add(place, f"{comm_id} part {number}: does not open with which part it is")
        at += len(text) - skipped
    if at != len(whole) or not parts:
        differences.add(place, f"{comm_id}: {len(parts)} parts, {at} of {len(whole)} characters")
    types = dict(zip(ASSOCIATION_TYPES[expected["kind"]], ASSOCIATION_TYPES["notes"], strict=True))
    same_records = {(record, types[association]) for record, association in expected["associations"]}
    for number, part in enumerate(parts, 2):
        unique = part.get("properties", {}).get("ic_communication_id")
        differences.expect(place, f"{comm_id} part {number} id", f"{comm_id}/{number}", unique)
        differences.expect(place, f"{comm_id} part {number} associations", same_records, associations(part))


def associations(payload: Row) -> set[tuple[str, int]]:
    return {
        (link["to"]["id"], kind["associationTypeId"])
        for link in payload.get("associations", [])
        for kind in link["types"]
        if kind["associationCategory"] == "HUBSPOT_DEFINED"
    }


def addresses(headers: str) -> dict[str, Any]:
    known = json.loads(headers)
    found = {"from": known.get("from", {}).get("email"), "to": [to["email"] for to in known.get("to", [])]}
    return {name: value for name, value in found.items() if value}


def instant(text: str) -> datetime:
    if text.lstrip("-").isdigit():
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))
    return datetime.fromisoformat(text)


def plain_quotes(text: str) -> str:
    return re.sub("&quot;|&#34;", '"', re.sub("&#x27;|&#39;|&apos;", "'", text))


def visible(body: str) -> str:
    """What a reader sees of an HTML body, without white space, which the browser is free to collapse."""
    hidden = r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<![^<>]*>"
    without_hidden = re.sub(hidden, "", body, flags=re.IGNORECASE | re.DOTALL)
    return re.sub(r"\s+", "", html.unescape(re.sub(r"</?[a-zA-Z][^<>]*>", "", without_hidden)))


def compare_unresolved(oracle: Oracle, connection: psycopg.Connection[Row], differences: Differences) -> None:
    """One log row per unresolved reference and month that the master still holds."""
    rows = connection.execute(
        "select entity_type, legacy_id, to_char(month, 'YYYY-MM-DD') as month, communications_affected"
        " from staging.reconciliation_log where operation = 'FK_RESOLUTION' and hubspot_id is null"
    ).fetchall()
    found = {(row["entity_type"], row["legacy_id"], row["month"]): row["communications_affected"] for row in rows}
    wanted = oracle.unresolved()
    for key in sorted(differences.same_keys("reconciliation_log", wanted, found)):
        differences.expect("reconciliation_log", key, wanted[key], found[key])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", *sys.argv[1:]]))
