"""The command line as people and scripts call it: real processes on one IC_HOME, exit codes, the JSON of the last line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets import sample
from ic_assets.core.settings import Settings
from ic_assets.resources.services import services
from ic_assets_tests import processes
from ic_assets_tests.drops import CONTACT, HUBSPOT_CONTACT, row, write_drop
from ic_assets_tests.sample.test_sample_data import activity, read_drop

JUNK = {
    "HUBSPOT_TOKEN": "pat-junk-token",
    "HUBSPOT_BASE_URL": "http://127.0.0.1:9",
    "IC_POSTGRES_URL": "postgresql://nobody:junk-password@127.0.0.1:9/nowhere",
    "DAGSTER_HOME": "/nonexistent/dagster",
}
HEAVY = ("dagster", "pandas", "sqlalchemy", "psycopg", "alembic", "matplotlib", "httpx", "starlette", "jinja2")


class Machine:
    """One IC_HOME and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def run(self, *arguments: str, answer: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        spoken = {**os.environ, "IC_HOME": str(self.home), **environment}
        return processes.run(*arguments, env=spoken, cwd=self.folder, input=answer)

    def done(self, *arguments: str, answer: str = "", **environment: str) -> str:
        """Standard output of a command that ends with 0."""
        done = self.run(*arguments, answer=answer, **environment)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        result = json.loads(self.done(*arguments, "--json").rstrip("\n").split("\n")[-1])
        assert isinstance(result, dict)
        return result

    def refusal(self, *arguments: str, answer: str = "", **environment: str) -> str:
        """The one line of a command that was refused."""
        done = self.run(*arguments, answer=answer, **environment)
        assert done.returncode == 2, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr + done.stdout
        # A question that was answered through a pipe stands on the same line.
        (line,) = re.findall(r"ic-assets: (.*)", done.stderr)
        return str(line)

    def query(self, query: str, home: Path | None = None) -> list[tuple[Any, ...]]:
        settings = Settings.from_env().model_copy(update={"home": home or self.home})
        with services(settings) as up, psycopg.connect(up.postgres_url) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture(scope="module")
def empty_machine() -> Iterator[Machine]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="cli-"))
    yield Machine(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(empty_machine: Machine) -> Iterator[Machine]:
    """With its servers up for all of the module's commands, which saves a start and a stop each, and two rows loaded."""
    settings = Settings.from_env().model_copy(
        update={"home": empty_machine.home, "drop_dir": empty_machine.home / "drop"}
    )
    with services(settings, hubspot=True):
        contacts = empty_machine.folder / "contacts.csv"
        contacts.write_text(f"legacy_id,hubspot_id\n{CONTACT},{HUBSPOT_CONTACT}\n", encoding="utf-8")
        empty_machine.done("reconcile", "contacts", str(contacts))
        drop = write_drop(empty_machine.folder / "two.csv", [row(1, "2019-03-05"), row(2, "2019-04-05", "Email")])
        empty_machine.done("load", str(drop))
        yield empty_machine


# -- starting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["load", "--help"], ["rollback", "--help"], ["push", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ic_assets.cli import main\n"
        f"sys.argv = ['ic-assets', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n"
        "    sys.stderr.write(','.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Usage: ic-assets" in done.stdout
    assert not set(done.stderr.split(",")) & set(HEAVY)


def test_the_module_and_the_script_are_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ic_assets", "load", "--no-such-option"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr


# -- payloads and their templates ---------------------------------------------------------------------


def test_older_payloads_are_named_by_status_and_made_again_by_one_option(machine: Machine) -> None:
    other = {"IC_HUBSPOT_ID_PROPERTY": "crm_id"}
    line = (
        "2 payloads were made with other templates or settings than those in force (2019-03 to 2019-04): "
        "`ic-assets load --renew` makes them again."
    )
    assert "payloads were made" not in machine.done("status")
    assert line in machine.done("status", **other).splitlines()
    assert machine.run("load", **other).stderr.splitlines() == [line]
    assert machine.done("load", "--renew", **other) == "2 months brought up to date.\n"
    assert "payloads were made" not in machine.done("status", **other)
    assert machine.json("load", "--renew")["months_brought_up_to_date"] == 2


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["load", "absent.csv"], {}, ["absent.csv"]),
        (["push", "--months", "2019-13"], {}, ["--months '2019-13'", "2019-03"]),
        (["push", "--types", "calls,faxes"], {}, ["faxes", "postal_mail"]),
        (["status"], {"IC_SOURCE_TIMEZONE": "Mars/Olympus"}, ["IC_SOURCE_TIMEZONE='Mars/Olympus'", "Europe/Berlin"]),
        (["load", "two.csv"], {"IC_PARTITIONS_START": "soon"}, ["IC_PARTITIONS_START='soon'"]),
        (
            ["status"],
            {"IC_POSTGRES_URL": "postgresql://someone:secret-word@127.0.0.1:9/nowhere"},
            ["IC_POSTGRES_URL", "is the server running"],
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_with_exit_code_2(
    machine: Machine, arguments: list[str], environment: dict[str, str], words: list[str]
) -> None:
    line = machine.refusal(*arguments, **environment)
    assert [word for word in words if word not in line] == []
    assert "secret-word" not in line


# -- load --------------------------------------------------------------------------------------------


def test_load_says_per_drop_where_its_rows_went_in_json_on_the_last_line(machine: Machine) -> None:
    first = write_drop(
        machine.folder / "first.csv",
        [row(11, "2020-01-05"), row(12, "2020-02-05", "Email"), row(13, "soon"), row(14, "2020-02-07", Company_Id="x")],
    )
    second = write_drop(machine.folder / "second.csv", [row(11, "2020-03-05", "SMS", Comm_UpdatedDate="2021-01-01")])
    found = machine.json("load", str(first), str(second))
    drops = [{name: drop[name] for name in drop if name not in ("drop", "missing_columns")} for drop in found["drops"]]
    nothing = {"already_landed": False, "unknown_columns": [], "encoding": "utf-8", "words": []}
    assert drops == [
        {
            **nothing,
            "file": "first.csv",
            "rows_in": 4,
            "inserted": 3,
            "updated": 0,
            "unchanged": 0,
            "joined": 0,
            "taken_out": 0,
            "rejected": 1,
            "rejected_by_reason": {"unreadable_required": 1},
            "field_warnings": 1,
            "months": ["2020-01-01", "2020-02-01"],
        },
        {
            **nothing,
            "file": "second.csv",
            "rows_in": 1,
            "inserted": 0,
            "updated": 1,
            "unchanged": 0,
            "joined": 0,
            "taken_out": 0,
            "rejected": 0,
            "rejected_by_reason": {},
            "field_warnings": 0,
            "months": ["2020-01-01", "2020-03-01"],
        },
    ]
    assert found["rows_in"] == 5
    assert found["failed_checks"] == []
    assert machine.query(
        "SELECT count(*) FROM staging.ic_communications AS c"
        " INNER JOIN staging.ic_communication_master AS m ON m.id = c.ic_communication_master_id"
        " WHERE m.comm_communicationid = 11"
    ) == [(1,)]
    again = machine.json("load", str(first))
    assert again["drops"][0]["already_landed"] is True
    assert again["rows_in"] == 0


def test_a_red_gate_ends_a_load_with_1_and_says_which_and_what_to_do(machine: Machine) -> None:
    """In a home of its own: the gate judges everything that is loaded."""
    other = Machine(machine.folder / "red")
    other.folder.mkdir()
    drop = write_drop(other.folder / "red.csv", [row(1), row(2, Person_Id=777)])
    with services(Settings.from_env().model_copy(update={"home": other.home})):
        done = other.run("load", str(drop), "--json")
        assert done.returncode == 1
        assert "ic-assets reconcile contacts FILE" in done.stderr
        failed = json.loads(done.stdout.rstrip("\n").split("\n")[-1])["failed_checks"]
        assert any("0.00 % of 2 references to contacts" in sentence for sentence in failed), failed
        status = other.run("status", "--json")
        assert status.returncode == 1
        gates = {
            gate["name"]: gate["passed"] for gate in json.loads(status.stdout)["gates"] if gate["on"] == "resolved"
        }
        assert gates["contacts_resolved"] is False
        assert gates["deals_resolved"] is True
        contacts = other.folder / "contacts.csv"
        contacts.write_text(f"legacy_id,hubspot_id\n{CONTACT},9101\n777,9777\n", encoding="utf-8")
        reconciled = other.json("reconcile", "contacts", str(contacts))
        assert (reconciled["changed"], reconciled["months"]) == (2, ["2019-03-01"])
        other.done("load")
        assert other.query("SELECT count(*) FROM staging.ic_calls", other.home) == [(2,)]


def test_a_refused_file_keeps_what_landed_before_it_and_the_rest_stays_out(machine: Machine) -> None:
    good = write_drop(machine.folder / "good.csv", [row(21, "2021-01-05")])
    bad = machine.folder / "bad.csv"
    bad.write_text("Comm_CommunicationId,Comm_Type\n1,Call\n", encoding="utf-8")
    after = write_drop(machine.folder / "after.csv", [row(22, "2021-01-05")])
    line = machine.refusal("load", str(good), str(bad), str(after))
    assert "bad.csv" in line
    assert "comm_datetime" in line.lower()
    assert machine.query(
        "SELECT m.comm_communicationid FROM staging.ic_calls AS c INNER JOIN staging.ic_communication_master AS m"
        " ON m.id = c.ic_communication_master_id WHERE m.comm_communicationid IN (21, 22)"
    ) == [(21,)]


# -- status, doctor, report --------------------------------------------------------------------------


def test_status_says_what_is_loaded_and_that_nothing_waits(machine: Machine) -> None:
    text = machine.done("status")
    assert re.search(r"\d+ drops landed with \d+ rows", text), text
    assert "Every month is up to date." in text
    assert re.search(r"(\d+) of \1 gates are green", text), text
    for name in ("calls", "emails", "meetings", "notes", "tasks", "communications", "postal_mail"):
        assert re.search(rf"{name} +│ +\d+", text), name


def test_doctor_finds_nothing_wrong_where_nothing_is(machine: Machine) -> None:
    text = machine.done("doctor")
    assert text.rstrip().endswith("Nothing is wrong.")
    for what in ("Python", "settings", "disk", "PostgreSQL", "schema", "months", "HubSpot"):
        assert f"ok    {what}:" in text, text


def test_doctor_says_what_is_wrong_and_ends_with_1(machine: Machine) -> None:
    done = machine.run("doctor", HUBSPOT_TOKEN="junk-token", HUBSPOT_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "WRONG HubSpot: http://127.0.0.1:9 does not answer" in done.stdout
    assert "junk-token" not in done.stdout + done.stderr


def test_report_writes_both_reports_where_it_is_told(machine: Machine) -> None:
    folder = machine.folder / "out"
    text = machine.done("report", "--out", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "data_quality.html",
        "data_quality.md",
        "push_completion.html",
        "push_completion.md",
    ]
    assert str(folder / "data_quality.html") in text


# -- push and roll-back ------------------------------------------------------------------------------


def test_a_push_is_a_dry_run_by_default_and_a_test_push_writes(machine: Machine) -> None:
    dry = machine.json("push", "--types", "calls", "--months", "2019-03")
    assert (dry["mode"], dry["created"]) == ("dry-run", 1)
    assert machine.query("SELECT count(*) FROM hubspot.push_ledger WHERE hubspot_id IS NOT NULL") == [(0,)]
    assert machine.query("SELECT api_push_status FROM staging.ic_calls WHERE activity_date < '2020-01-01'") == [
        ("pending",)
    ]
    written = machine.json("push", "--types", "calls", "--months", "2019-03", "--mode", "test")
    assert (written["mode"], written["created"], written["unknown"]) == ("test", 1, 0)
    assert machine.query("SELECT record_key FROM hubspot.push_ledger WHERE state = 'pushed'") == [("1",)]
    assert "stand in HubSpot" in machine.refusal("rollback", "schema", "--yes")


def test_a_push_is_rolled_back_in_hubspot_after_a_look_and_an_answer(machine: Machine) -> None:
    """Of the call and the email that stand by then, only what is named."""
    pushed = machine.json("push", "--types", "emails", "--months", "2019-04", "--mode", "test")
    assert pushed["created"] == 1
    standing = "SELECT object_type, state FROM hubspot.push_ledger WHERE record_key IN ('1', '2') ORDER BY 1"
    run = str(machine.query("SELECT max(push_id) FROM hubspot.push_run WHERE mode = 'test'")[0][0])
    line = machine.refusal("rollback", "push", "--run", run, answer="n\n")
    assert "nothing was rolled back" in line
    assert machine.query(standing) == [("calls", "pushed"), ("emails", "pushed")]

    done = machine.run("rollback", "push", "--run", run, answer="y\n")
    assert done.returncode == 0, done.stderr
    assert "would be archived" in done.stdout
    assert re.search(rf"Roll back in portal \d+: what push {run} created\?", done.stdout + done.stderr)
    assert machine.query(standing) == [("calls", "pushed"), ("emails", "removed")]
    again = machine.json("rollback", "push", "--ids", "2", "--types", "emails", "--months", "2019-04", "--yes")
    assert (again["found"], again["archived"]) == (0, 0)
    assert "'x' is not a communication id" in machine.refusal("rollback", "push", "--ids", "1,x")


def test_rolling_back_the_master_asks_and_then_the_same_file_loads_again(machine: Machine) -> None:
    """Last of the shared home: it empties it."""
    before = machine.query("SELECT count(*) FROM staging.ic_communication_master")
    assert before != [(0,)]
    assert "nothing was rolled back" in machine.refusal("rollback", "master", answer="n\n")
    assert machine.query("SELECT count(*) FROM staging.ic_communication_master") == before
    text = machine.done("rollback", "master", answer="y\n")
    assert f"staging.ic_communication_master: {before[0][0]} rows" in text
    assert machine.query("SELECT count(*) FROM staging.ic_drop") == [(0,)]
    found = machine.json("load", str(machine.folder / "two.csv"))
    assert found["inserted"] == 2
    assert machine.query("SELECT scope FROM staging.ic_rollback") == [("master",)]


# -- the tour ----------------------------------------------------------------------------------------


def test_the_demo_adds_up_can_be_repeated_and_never_leaves_this_machine(empty_machine: Machine) -> None:
    settings = Settings.from_env().model_copy(update={"home": empty_machine.home / "demo"})
    lines = sum(1 for _ in sample_rows())
    with services(settings, hubspot=True):
        text = empty_machine.done("demo", "--no-ui", **JUNK)
        assert "ignores HUBSPOT_TOKEN, HUBSPOT_BASE_URL, IC_POSTGRES_URL, DAGSTER_HOME" in text
        assert "junk" not in text

        def standing() -> list[tuple[Any, ...]]:
            return empty_machine.query(
                "SELECT state, count(*), count(DISTINCT (object_type, hubspot_id)), max(hubspot_id),"
                " (SELECT sum(rows_in) FROM staging.ic_drop), (SELECT sum(rejected) FROM staging.ic_drop),"
                " (SELECT sum(joined) FROM staging.ic_drop), (SELECT count(*) FROM staging.ic_communication_master),"
                " (SELECT count(*) FROM hubspot.portal)"
                " FROM hubspot.push_ledger GROUP BY 1 ORDER BY 1",
                settings.home,
            )

        first = standing()
        assert {line[0] for line in first} <= {"pushed", "held"}
        rows_in, rejected, joined, communications, portals = first[0][4:]
        assert rows_in == lines
        assert communications == rows_in - rejected - joined
        assert portals == 1
        counted = read_drop(sample.COMMUNICATIONS)
        assert (rejected, joined) == (counted.rejected.total(), sum(map(len, counted.joined.values())))
        types = "SELECT derived_activity_type, count(*) FROM staging.ic_communication_master GROUP BY 1"
        assert dict(empty_machine.query(types, settings.home)) == Counter(map(activity, counted.kept.values()))
        warnings = "SELECT reason, count(*) FROM staging.ic_field_warning GROUP BY 1"
        assert dict(empty_machine.query(warnings, settings.home)) == {
            "unreadable": counted.unreadable_optional.total(),
            "null_date": counted.no_dates.total(),
            "end_before_start": 10,
            "not_an_address": 5,
            "content_left_out": 5,
        }
        pushed = next(line for line in first if line[0] == "pushed")
        assert pushed[1] == pushed[2], "one HubSpot record for each"
        again = empty_machine.done("demo", "--no-ui")
        assert standing() == first
        assert "ignores" not in again


def sample_rows() -> Iterator[list[str]]:
    import csv

    with sample.COMMUNICATIONS.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        yield from (line for line in reader if any(value.strip() for value in line))
