"""What an engineer does when a gate is red, when something is broken, and what a terminal shows meanwhile: real commands
on one IC_HOME, real servers with planted faults."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ic_assets.commands.doctor.doctor import Doctor
from ic_assets.commands.doctor.hubspot import account
from ic_assets.core import locks
from ic_assets.core.settings import Settings
from ic_assets.resources.services import Services, services
from ic_assets_tests.drops import CONTACT, HUBSPOT_CONTACT, row, write_drop
from ic_assets_tests.e2e.test_cli import Machine

COMMAND = str(Path(sys.executable).with_name("ic-assets"))


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Machine, Services]]:
    """20 calls of March 2019 with its servers up: 18 of a contact that HubSpot has, 2 of person 777, so 90 %."""
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="commands-"))
    machine = Machine(folder)
    with services(Settings.from_env().model_copy(update={"home": machine.home}), hubspot=True) as up:
        contacts = folder / "contacts.csv"
        contacts.write_text(f"legacy_id,hubspot_id\n{CONTACT},{HUBSPOT_CONTACT}\n", encoding="utf-8")
        machine.done("reconcile", "contacts", str(contacts))
        rows = [row(number) for number in range(1, 19)]
        rows += [row(number, Person_Id=777, Company_Id=888, Company_Name="=1+1") for number in (19, 20)]
        assert machine.run("load", str(write_drop(folder / "calls.csv", rows))).returncode == 1
        yield machine, up
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def machine(place: tuple[Machine, Services]) -> Machine:
    return place[0]


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout.rstrip("\n").split("\n")[-1])


# -- a red gate --------------------------------------------------------------------------------------


def test_the_missing_records_are_handed_over_filled_in_tried_and_taken_back(machine: Machine) -> None:
    """From a red gate to a green one, as the texts of the commands say."""
    contacts, companies = machine.folder / "missing.csv", machine.folder / "companies.csv"
    shown = machine.run("unresolved", "contacts", "--csv", str(contacts))
    assert shown.returncode == 1, "the gate is red"
    assert "1 contact would resolve 2 references and bring the rate from 90.00 % to 100.00 %" in shown.stdout
    assert "It holds no names." in shown.stdout
    assert f"ic-assets reconcile contacts {contacts} --what-if" in shown.stdout
    with contacts.open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file)
    assert found == {
        "legacy_id": "777",
        "hubspot_id": "",
        "name": "",
        "communications": "2",
        "reason": "not in the reconciliation table",
    }
    machine.run("unresolved", "companies", "--csv", str(companies))
    # A spreadsheet would compute the name.
    assert companies.read_text(encoding="utf-8-sig").splitlines()[1].startswith("888,,'=1+1,2,")

    contacts.write_text(contacts.read_text(encoding="utf-8-sig").replace("777,,", "777,9777,"), encoding="utf-8")
    tried = machine.run("reconcile", "contacts", str(contacts), "--what-if", "--json")
    gates = {gate["name"]: gate for gate in last_line(tried)["gates"]}
    assert tried.returncode == 1, "the companies stay red"
    assert (gates["contacts_resolved"]["passed_now"], gates["contacts_resolved"]["passed_then"]) == (False, True)
    assert (gates["orphans"]["failing_now"], gates["orphans"]["failing_then"]) == (2, 0)
    assert machine.query("SELECT count(*) FROM staging.contacts_reconciliation") == [(1,)]
    table = machine.run("reconcile", "contacts", str(contacts), "--what-if").stdout
    assert re.search(r"contacts resolved +│ +20 │ 90\.00 % +│ red +│ 100\.00 % +│ green", table), table
    assert "Nothing was written." in table

    machine.done("reconcile", "contacts", str(contacts))
    companies.write_text(companies.read_text(encoding="utf-8-sig").replace("888,,", "888,9888,"), encoding="utf-8-sig")
    machine.done("reconcile", "companies", str(companies))
    assert machine.query("SELECT company_name FROM staging.companies_reconciliation") == [("=1+1",)]
    status = machine.run("status")
    assert "1 month out of date (2019-03), since the reconciliation that they refer to changed" in status.stdout
    machine.done("load")
    assert machine.json("unresolved")["rows"] == []


def control(up: Services, name: str, body: dict[str, object]) -> None:
    """Tells the local HubSpot what to hold or how to misbehave."""
    headers = {"Authorization": f"Bearer {up.hubspot_token}"}
    address = f"{up.hubspot_base_url}/_sandbox/{name}"
    httpx.post(address, json=body, headers=headers, trust_env=False).raise_for_status()


def test_a_table_is_refreshed_from_hubspot_and_dagster_is_told(place: tuple[Machine, Services]) -> None:
    machine, up = place
    records = [
        {"id": "9500", "properties": {"legacy_deal_id": "500"}},
        {"id": "9501", "properties": {"legacy_deal_id": "501"}},
        {"id": "9502", "properties": {"legacy_deal_id": "501"}},
    ]
    control(up, "seed", {"deals": records})
    done = machine.run("reconcile", "deals", "--from-hubspot")
    assert done.returncode == 1, "somebody must decide about 501"
    assert "3 deals listed, 3 of them carry a legacy id in legacy_deal_id" in done.stdout
    assert "501: records 9501, 9502" in done.stderr
    assert machine.query("SELECT legacy_deal_id, hubspot_deal_id FROM staging.deals_reconciliation") == [(500, 9500)]
    with psycopg.connect(up.dagster_postgres_url) as connection:
        events = connection.execute(
            "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'"
            ' AND asset_key = \'["staging", "deals_reconciliation"]\''
        ).fetchone()
    assert events == (1,)
    assert "--property" in machine.refusal("reconcile", "deals", "--from-hubspot", "--property", "old_id")
    assert "FILE or --from-hubspot" in machine.refusal("reconcile", "deals")


# -- doctor ------------------------------------------------------------------------------------------


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """The most serious finding of each kind."""
    order = ("ok", "note", "WRONG")
    found: dict[str, tuple[str, str]] = {}
    for one in last_line(done)["findings"]:
        if order.index(one["state"]) >= order.index(found.get(one["what"], ("ok", ""))[0]):
            found[one["what"]] = (one["state"], one["text"])
    return found


def test_doctor_finds_a_push_that_died_a_run_that_died_and_a_drop_folder_that_is_none(
    place: tuple[Machine, Services],
) -> None:
    machine, up = place
    with psycopg.connect(up.postgres_url) as connection:
        connection.execute("INSERT INTO hubspot.portal (portal_id, base_url) VALUES (1, 'http://portal.test')")
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, record_key, object_type, activity_type, activity_month,"
            " state, action, worker) VALUES (1, 1, 'calls', 'calls', '2019-03-01', 'in_flight', 'create', 999)"
        )
    with psycopg.connect(up.dagster_postgres_url) as connection:
        connection.execute(
            "INSERT INTO runs (run_id, pipeline_name, status, run_body) VALUES ('dead-run', 'land_drop', 'STARTED', '{}')"
        )
        connection.execute(
            "INSERT INTO run_tags (run_id, key, value) VALUES ('dead-run', '.dagster/ic_assets_process', 'ic-assets-1')"
        )
    try:
        done = machine.run("doctor", "--json", IC_DROP_DIR=str(machine.folder / "calls.csv"))
    finally:
        with psycopg.connect(up.postgres_url) as connection:
            connection.execute("DELETE FROM hubspot.push_ledger WHERE portal_id = 1")
        with psycopg.connect(up.dagster_postgres_url) as connection:
            connection.execute("DELETE FROM run_tags WHERE run_id = 'dead-run'")
            connection.execute("DELETE FROM runs WHERE run_id = 'dead-run'")
    assert done.returncode == 1
    found = findings(done)
    assert found["pushes"] == (
        "WRONG",
        "1 record in portal 1 of unknown outcome, left by push 999, which has ended: run the same `ic-assets push` again, "
        "it asks HubSpot before it sends",
    )
    assert found["drop folder"][0] == "WRONG"
    (told,) = [one for one in last_line(done)["findings"] if "dead-run" in one["text"]]
    assert (told["what"], told["state"]) == ("runs", "note")
    assert "its process is gone" in told["text"]
    assert {what for what, (state, _) in found.items() if state == "WRONG"} - {"months"} == {"pushes", "drop folder"}
    assert found["HubSpot scopes"][0] == "ok"


class FaultyHubSpot(BaseHTTPRequestHandler):
    """A portal whose token may not read deals; its clock is what ``date`` says."""

    date: str | None = None

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer pat-good":
            self._answer(401, {"message": "no", "category": "INVALID_AUTHENTICATION"})
        elif self.path.startswith("/account-info/"):
            self._answer(200, {"portalId": 4711, "timeZone": "UTC", "accountType": "SANDBOX"})
        elif "/deals" in self.path:
            scopes = {"requiredGranularScopes": ["crm.objects.deals.read"]}
            self._answer(
                403, {"message": "no", "category": "MISSING_SCOPES", "errors": [{"message": "", "context": scopes}]}
            )
        else:
            self._answer(200, {"results": []})

    def do_POST(self) -> None:
        self._answer(404, {})

    def date_time_string(self, timestamp: float | None = None) -> str:
        return type(self).date or super().date_time_string(timestamp)

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def faulty_hubspot(**values: Any) -> Iterator[str]:
    handler = type("Handler", (FaultyHubSpot,), values)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_doctor_names_the_scope_that_the_token_lacks_and_not_the_token(machine: Machine) -> None:
    with faulty_hubspot() as address:
        done = machine.run("doctor", "--json", HUBSPOT_TOKEN="pat-good", HUBSPOT_BASE_URL=address)
    assert done.returncode == 1
    state, text = findings(done)["HubSpot scopes"]
    assert state == "WRONG"
    assert "the token may not read deals; add crm.objects.deals.read" in text
    assert "pat-good" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("token", "date", "words"),
    [
        ("pat-revoked", None, "the token is not accepted (401)"),
        ("pat-good", "Tue, 03 Mar 2020 10:00:00 GMT", "s off HubSpot's; set it right"),
    ],
    ids=["token", "clock"],
)
def test_doctor_tells_a_revoked_token_and_a_wrong_clock(token: str, date: str | None, words: str) -> None:
    found = Doctor(prints=False)
    with faulty_hubspot(date=date) as address:
        up = Services("", "", address, token, hubspot_is_local=False)
        assert not found.look("HubSpot", lambda: account(up, Settings.from_env()))
    (finding,) = found.findings
    assert words in finding.text


def test_doctor_looks_at_hubspot_also_when_the_database_is_out_of_reach(machine: Machine) -> None:
    with faulty_hubspot() as address:
        done = machine.run(
            "doctor",
            HUBSPOT_TOKEN="pat-good",
            HUBSPOT_BASE_URL=address,
            IC_POSTGRES_URL="postgresql://someone:secret-word@127.0.0.1:9/nowhere",
        )
    assert done.returncode == 1
    assert re.search(r"^WRONG services: IC_POSTGRES_URL: .*is the server running", done.stdout, re.MULTILINE)
    assert "ok    HubSpot: portal 4711 (SANDBOX)" in done.stdout
    assert "secret-word" not in done.stdout + done.stderr


# -- errors that nobody likes ------------------------------------------------------------------------


def test_a_full_disk_a_closed_pipe_and_an_unwritable_home_are_no_tracebacks(machine: Machine) -> None:
    environment = {**os.environ, "IC_HOME": str(machine.home)}

    def shell(line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", line],
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    full = shell(f"{COMMAND} status > /dev/full")
    assert (full.returncode, len(full.stderr.splitlines())) == (2, 1), full.stderr
    assert "No space left on device" in full.stderr
    head = shell(f"{COMMAND} status | head -1")
    assert (head.returncode, head.stderr, len(head.stdout.splitlines())) == (0, "", 1)
    home = shell(f"{COMMAND} up", IC_HOME="/proc/nowhere")
    assert (home.returncode, len(home.stderr.splitlines())) == (2, 1), home.stderr
    assert "/proc/nowhere" in home.stderr


def test_the_question_of_a_rollback_and_its_refusal_stand_on_lines_of_their_own(machine: Machine) -> None:
    done = machine.run("rollback", "resolution", answer="n\n")
    assert done.returncode == 2
    question, refusal = done.stderr.splitlines()[-2:]
    assert question.startswith("Roll back resolution?")
    assert refusal.startswith("ic-assets: nothing was rolled back")


# -- what a terminal shows ---------------------------------------------------------------------------


def on_a_terminal(machine: Machine, *arguments: str, **environment: str) -> str:
    """Everything that a command writes to a terminal of 120 columns."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env={**os.environ, "IC_HOME": str(machine.home), "TERM": "xterm-256color", "COLUMNS": "120", **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                block = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            seen += block
        elif process.poll() is not None:
            break
    os.close(master)
    assert process.wait(10) in (0, 1), seen.decode()  # 1: a gate may be red here
    return seen.decode()


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7])(?:;\d+)*m")


def test_a_terminal_shows_the_steps_of_a_month_in_colour_and_quiet_or_a_pipe_does_not(machine: Machine) -> None:
    months = ("load", "--months", "2019-03")
    shown = on_a_terminal(machine, *months)
    assert "month 2019-03" in shown
    assert re.search(r"\d+ %", shown)
    assert "ic communication master" in shown
    assert COLOUR.search(shown)
    plain = on_a_terminal(machine, *months, NO_COLOR="1")
    assert "month 2019-03" in plain
    assert not COLOUR.search(plain)
    assert "ic communication master" not in on_a_terminal(machine, *months, "--quiet")
    piped = machine.run("status")
    assert "\x1b" not in piped.stdout + piped.stderr


def test_a_second_push_says_which_run_it_waits_for_and_can_be_stopped(place: tuple[Machine, Services]) -> None:
    machine, up = place
    both = {"contacts": f"{CONTACT},{HUBSPOT_CONTACT}\n777,9777", "companies": "888,9888"}
    for entity, lines in both.items():
        file = machine.folder / f"all_{entity}.csv"
        file.write_text(f"legacy_id,hubspot_id\n{lines}\n", encoding="utf-8")
        machine.done("reconcile", entity, str(file))
    machine.done("load")
    chaos = {"latency": 1500}
    control(up, "chaos", chaos)
    environment = {**os.environ, "IC_HOME": str(machine.home)}
    push = [COMMAND, "push", "--mode", "test", "--json"]
    first = subprocess.Popen(push, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    second: subprocess.Popen[str] | None = None
    try:
        with psycopg.connect(up.dagster_postgres_url, autocommit=True) as connection:
            holder = None
            deadline = time.monotonic() + 60
            while holder is None and first.poll() is None and time.monotonic() < deadline:
                found = connection.execute("SELECT run_id FROM concurrency_slots WHERE run_id IS NOT NULL").fetchone()
                holder = found[0] if found else None
                time.sleep(0.05)
        assert holder is not None
        second = subprocess.Popen(push, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        line = second.stderr.readline()
        assert f"Run {holder} (push_to_hubspot" in line
        assert "this one starts when that has ended" in line
        second.send_signal(signal.SIGINT)
        _, said = second.communicate(timeout=60)
        assert second.returncode in (130, -signal.SIGINT)
        assert "ic-assets: stopped" in said
        control(up, "chaos", {})
        out, said = first.communicate(timeout=120)
        assert first.returncode == 0, said
        assert json.loads(out.rstrip("\n").split("\n")[-1])["created"] == 20
    finally:
        for process in (first, second):
            if process is not None and process.poll() is None:
                process.kill()
                process.communicate()
        control(up, "chaos", {})


def test_a_load_that_is_stopped_says_so_in_one_line_and_goes_on_with_the_same_command(
    place: tuple[Machine, Services],
) -> None:
    machine, up = place
    drop = write_drop(machine.folder / "stopped.csv", [row(901, "2019-03-09")])
    command = [COMMAND, "load", str(drop), "--json"]
    environment = {**os.environ, "IC_HOME": str(machine.home)}
    with psycopg.connect(up.postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (locks.LANDING,))
        # As from a terminal, whose Ctrl-C reaches the helpers of a step as well.
        waiting = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
                assert waiting.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.killpg(waiting.pid, signal.SIGINT)
            out, said = waiting.communicate(timeout=60)
        finally:
            waiting.kill()
    assert waiting.returncode == 130, said
    assert out == ""
    (line,) = said.splitlines()
    assert line.startswith("ic-assets: stopped")
    assert last_line(machine.run("load", str(drop), "--json"))["drops"][0]["inserted"] == 1


def test_a_drop_of_few_columns_says_what_becomes_of_the_others_and_psql_shows_it(machine: Machine) -> None:
    columns = ["Comm_CommunicationId", "Comm_Type", "Comm_DateTime", "Comm_CreatedDate", "Comm_Subject"]
    machine.run("load", str(write_drop(machine.folder / "whole.csv", [row(911, "2019-03-09")])))
    few = {name: value for name, value in row(911, "2019-03-09", Comm_Subject="anew").items() if name in columns}
    said = machine.run("load", str(write_drop(machine.folder / "few.csv", [few], columns))).stderr
    assert "company_name; they are empty in new rows, and keep their values in those it updates" in said
    query = "SELECT comm_subject, comm_note FROM staging.ic_communication_master WHERE comm_communicationid = 911"
    assert machine.done("psql", "--", "-Atc", query) == "anew|Note 911\n"
