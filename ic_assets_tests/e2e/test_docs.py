"""Every command of README.md and docs/ is run, page by page in the order in which it is read, in one home with its servers
up. What a page leaves to the reader is filled in by PLACEHOLDERS; what cannot run here is in NOT_RUN, with the reason."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
import pytest

from ic_assets import sample
from ic_assets.core.settings import Settings
from ic_assets.resources.services import services

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
# A newcomer's order; any further page comes after these.
FIRST = ("README.md", "summary.md", "runbook.md", "classification.md", "extending.md", "architecture.md", "security.md")
WALKED = ("README.md", "runbook.md")
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md")],
    key=lambda page: (FIRST.index(page.name) if page.name in FIRST else len(FIRST), page.name),
)
# A code span that begins so is a command; in a block of shell lines every line is one.
PROGRAMS = ("ic-assets", "make", "dg", "dagster", "psql", "pg_restore", "python", "export", ".")
CODE = re.compile(r"^ *```(?P<language>\w*)\n(?P<block>.*?)^ *```|`(?P<span>[^`]+)`", re.MULTILINE | re.DOTALL)

# What stands in for the words that a page leaves to its reader, the longer sample files included. {folder} holds the
# files that the fixture writes; {push} is the number of the newest push. A whole command stands in for a whole one.
PLACEHOLDERS = {
    "ic-assets trace communications.csv 1234": "ic-assets trace communications.csv 123",
    "ic-assets trace communications.csv --row 1234": "ic-assets trace communications.csv --row 123",
    "ic-assets classify FILE": "ic-assets classify {folder}/communications.csv",
    "ic-assets load FILE": "ic-assets load {folder}/communications.csv",
    "ic-assets load FILE --what-if": "ic-assets load {folder}/communications.csv --what-if",
    "ic-assets load-events DOOR FILE…": "ic-assets load-events chargebee {folder}/billing.jsonl",
    "ic-assets load-events chargebee FILE…": "ic-assets load-events chargebee {folder}/billing.jsonl",
    "ic-assets load-events site march.jsonl.gz april.csv": "ic-assets load-events site {folder}/site.jsonl",
    "ic-assets load-events exchange_rates FILE.csv": "ic-assets load-events exchange_rates {folder}/rates.csv",
    "ic-assets load-events free_months FILE.csv": "ic-assets load-events free_months {folder}/grants.csv",
    "ic-assets inbox show f-17": "ic-assets inbox show ev-1",
    "ic-assets replay FLOW": "ic-assets replay payments",
    "ic_assets/sample/communications.csv": "{folder}/communications.csv",
    "ic_assets/sample/communications_delta.csv": "{folder}/communications_delta.csv",
    "communications.csv": "{folder}/communications.csv",
    "contacts.csv": "ic_assets/sample/contacts.csv",
    "missing.csv": "{folder}/missing.csv",
    "FILE": "ic_assets/sample/contacts.csv",
    "NAME": "A. Person",
    "RUN": "{push}",
    "erd.png": "{folder}/erd.png",
}

# What the fixture writes beside the communications.
FILES = {
    "missing.csv": "legacy_id,hubspot_id\n999999,9999990001\n",
    "billing.jsonl": '{"id": "ev-1", "occurred_at": 1767225600, "event_type": "card_added", "api_version": "v2",'
    ' "content": {}}\n',
    "site.jsonl": '{"topic": "session_webhook", "event_id": "h-1", "occurred_at": "2026-03-03T12:00:00Z"}\n',
    "rates.csv": "currency,rate_date,usd_per_unit\nEUR,2026-01-01,1.08\n",
    "grants.csv": "subscription_id,free_months,starts_on,term_months\nS-1,3,2026-01-01,12\n",
}

_SERVES = "serves until Ctrl-C; e2e/test_ui.py starts it"
_NAME = "its name in a sentence: it wants arguments, or serves"
_YOURS = "needs a PostgreSQL server of your own; integration/test_services.py has one"
_KEPT = "changes what the pages rest on; integration/test_settings.py runs it"
_CLUSTER = "needs a cluster, and a registry to build from"
_MACHINES = "needs a broker and more machines; e2e/test_celery.py has both"
NOT_RUN = {
    "IC_HOME=.ic_assets/demo .venv/bin/ic-assets up": _SERVES,
    "ic-assets psql": "reads the terminal; e2e/test_commands.py runs it",
    "ic-assets up": _SERVES,
    "ic-assets receive": "serves until Ctrl-C; integration/test_receiver.py starts it",
    "export IC_CHARGEBEE_BASIC_AUTH='chargebee:PASSWORD'": "for the receiver, which is not started",
    "ic-assets up --port 3001": _SERVES,
    "ic-assets up --link": "wants a UI that is up; e2e/test_ui.py runs it",
    "dg dev": _SERVES,
    "dagster dev": _NAME,
    "dagster dev -w workspace.yaml": _SERVES,
    "ic-assets demo": "e2e/test_cli.py runs it",
    "ic-assets settings set": _NAME,
    "ic-assets rollback push --ids 12,13": "names records of the reader",
    "ic-assets load FILE --columns map.csv": "wants a file of other names; activities/drop/test_column_map.py has one",
    "ic-assets rollback drop DROP": "takes the pages' data back; integration/test_drop_rollback.py runs it",
    "ic-assets settings set IC_PARTITIONS_START 1995-01-01": _KEPT,
    "ic-assets settings set IC_OWN_EMAIL sales@example.com": _KEPT,
    "ic-assets reconcile": _NAME,
    "ic-assets approve": _NAME,
    "ic-assets trace": _NAME,
    "ic-assets trace --full": _NAME,
    "psql --dbname=crm --file=deploy/grants.sql": _YOURS,
    "psql --dbname=crm --command='\\password ic_assets'": _YOURS,
    "export IC_POSTGRES_URL='postgresql://ic_assets:PASSWORD@db.example.com:5432/crm'": _YOURS,
    "ic-assets restore FILE": "takes the pages' database back; integration/test_restore.py runs it",
    "export HUBSPOT_TOKEN=…": "needs a token of a real portal",
    'export DAGSTER_HOME="$PWD/.ic_assets/dagster"': "the fixture does it, for its own home",
    ". .venv/bin/activate": "the tests run in the environment already",
    "dg check defs": "part of `make check`",
    "pip install --constraint constraints.txt '.[celery]'": "installs; the tests run with what it brings",
    "export IC_EXECUTOR=celery": _MACHINES,
    "export IC_CELERY_BROKER='redis://:PASSWORD@broker.example.com:6379/0'": _MACHINES,
    "celery -A ic_assets.celery_app worker --concurrency 2": _MACHINES,
    "dg launch --job bring_months_up_to_date --partition-range 2015-01-01...2018-12-01": _MACHINES,
    "dg launch --job bring_months_up_to_date --partition-range 2019-01-01...2022-12-01": _MACHINES,
    "docker build --file deploy/kubernetes/Dockerfile --tag ic-assets:0.1.0 .": _CLUSTER,
    "kubectl apply --filename secrets.yaml": _CLUSTER,
    "helm repo add dagster https://dagster-io.github.io/helm": _CLUSTER,
    "helm install ic-assets dagster/dagster --version 1.13.27 --values deploy/kubernetes/values.yaml": _CLUSTER,
    "python -m ic_assets_tests.soak --seed 2208 --times 20": "takes minutes; the soak slice runs the same",
    "python -m ic_assets_tests.soak --prove": "takes minutes; `pytest -m soak` runs the same",
    "python -m pytest -m soak": "takes minutes",
}
# Commands that a page shows for what they refuse, or that find something: anything else has to end with 0.
ENDS_WITH = {
    "ic-assets explain company C-1": (2, "no company 'C-1' is known"),
    "ic-assets rollback schema": (2, "stand in HubSpot"),
    "ic-assets explain company ID": (2, "no company 'ID' is known"),
    "ic-assets explain company ID --at 2026-03-01T00:00:00Z": (2, "no company 'ID' is known"),
    # Nothing takes events here: no daemon is up.
    "ic-assets mrr --from 2026-01 --to 2026-06 --company C-1 --json": (2, "company 'C-1' has no revenue"),
}
# Serve until they are told to stop: they are started, and stopped once they say this.
SERVERS = {"ic-assets sandbox": "Local HubSpot: http://127.0.0.1:"}

# In one interpreter, since starting one takes longer than most commands do. Each line of its input is a command as JSON;
# it answers with exit code, standard output and standard error.
_INTERPRETER = """
import contextlib, io, json, os, sys
from ic_assets.cli import main
for line in sys.stdin:
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    sys.argv, code, own, before = json.loads(line), 0, sys.stdin, dict(os.environ)
    sys.stdin = io.StringIO("y\\n")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException as error:
            code, _ = 70, err.write(f"{type(error).__name__}: {error}")
    sys.stdin = own
    os.environ.clear()
    os.environ.update(before)
    out.flush()
    out.seek(0)
    sys.__stdout__.write(json.dumps([code, out.read(), err.getvalue()]) + "\\n")
    sys.__stdout__.flush()
"""


@dataclass(frozen=True)
class Command:
    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """Without the path of the environment and what is set for it."""
        words = shlex.split(self.line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        return [words[0].removeprefix(".venv/bin/"), *words[1:]]


def commands() -> list[Command]:
    """In reading order: on a page that is walked each command once, elsewhere what no earlier page has. A program's bare
    name in a sentence is no command."""
    found: dict[Command, None] = {}
    for page in PAGES:
        for match in CODE.finditer(page.read_text(encoding="utf-8")):
            if match["language"] == "sh":
                found.update((Command(page.name, line.strip()), None) for line in match["block"].splitlines() if line)
            elif match["span"]:
                line = " ".join(match["span"].split())
                start = re.match(r"(?:[A-Z_]+=\S+ +)*(?:\.venv/bin/)?(\S+) +\S", line)
                if start and start[1] in PROGRAMS:
                    found[Command(page.name, line)] = None
    result: list[Command] = []
    for command in found:
        if command.page in WALKED or all(command.line != earlier.line for earlier in result):
            result.append(command)
    return result


class Reader:
    """Someone who types what the pages say."""

    def __init__(self, folder: Path, interpreter: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, "IC_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
        self._interpreter = interpreter

    def ic_assets(self, words: list[str]) -> tuple[int, str]:
        """Exit code, and everything that was said."""
        if server := next((said for start, said in SERVERS.items() if " ".join(words).startswith(start)), None):
            return self._serve(words, server)
        assert self._interpreter.stdin
        assert self._interpreter.stdout
        self._interpreter.stdin.write(json.dumps(words) + "\n")
        self._interpreter.stdin.flush()
        code, out, err = json.loads(self._interpreter.stdout.readline())
        return code, f"{out}{err}"

    def process(self, words: list[str]) -> tuple[int, str]:
        program = Path(sys.executable).with_name(words[0])
        if not program.exists():
            return 127, f"{words[0]} is not there; name the command in NOT_RUN, with the reason"
        done = subprocess.run(
            [str(program), *words[1:]],
            env={**self.environment, "DAGSTER_HOME": str(self.folder / "home" / "dagster")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def make(self, words: list[str]) -> tuple[int, str]:
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def filled_in(self, command: Command) -> list[str]:
        values = {"folder": str(self.folder), "push": str(self._newest_push())}
        if command.line in PLACEHOLDERS:
            return shlex.split(PLACEHOLDERS[command.line].format(**values))
        return [PLACEHOLDERS[word].format(**values) if word in PLACEHOLDERS else word for word in command.words]

    def query(self, query: str) -> list[tuple[object, ...]]:
        settings = Settings.from_env().model_copy(update={"home": self.folder / "home"})
        with services(settings) as up, psycopg.connect(up.postgres_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def _newest_push(self) -> object:
        if not self.query("SELECT 1 FROM pg_tables WHERE schemaname = 'hubspot' AND tablename = 'push_run'"):
            return 0
        return self.query("SELECT coalesce(max(push_id), 0) FROM hubspot.push_run WHERE mode <> 'rollback'")[0][0]

    def _serve(self, words: list[str], said: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "ic_assets", *words[1:], "--port", "0"]
        with subprocess.Popen(
            command, env={**self.environment, "PYTHONUNBUFFERED": "1"}, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout
            line = server.stdout.readline()
            server.terminate()
            server.communicate()
        return (0 if said in line else 70), line


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="docs-"))
    for file in (sample.COMMUNICATIONS, sample.COMMUNICATIONS.with_name("communications_delta.csv")):
        cut(file, folder / file.name, ("2019", "2020"))
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    home = folder / "home"
    settings = Settings.from_env().model_copy(update={"home": home, "drop_dir": home / "drop"})
    with (
        services(settings, hubspot=True),
        subprocess.Popen(
            [sys.executable, "-c", _INTERPRETER],
            env={**os.environ, "IC_HOME": str(home)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        ) as interpreter,
    ):
        yield Reader(folder, interpreter)
        assert interpreter.stdin
        interpreter.stdin.close()
    shutil.rmtree(folder, ignore_errors=True)


def cut(source: Path, target: Path, months: tuple[str, ...]) -> None:
    """The rows of the months that start so, enough that the gates are green.

    The whole of the sample is what `ic-assets demo` loads, in e2e/test_cli.py."""
    with source.open(encoding="utf-8-sig", newline="") as file, target.open("w", encoding="utf-8", newline="") as kept:
        delimiter = ";" if ";" in file.readline() else ","
        file.seek(0)
        rows = csv.reader(_without_bom(file), delimiter=delimiter)
        writer = csv.writer(kept, delimiter=delimiter)
        header = next(rows)
        writer.writerow(header)
        place = header.index("Comm_DateTime")
        writer.writerows(row for row in rows if len(row) == len(header) and row[place].startswith(months))


def _without_bom(file: IO[str]) -> Iterator[str]:
    return (line.removeprefix("\ufeff") for line in file)


def test_the_tables_of_this_module_name_what_the_pages_say_and_nothing_else() -> None:
    lines = {command.line for command in commands()}
    assert set(NOT_RUN) - lines == set()
    assert {line.partition(".md: ")[2] or line for line in ENDS_WITH} - lines == set()
    words = {word for command in commands() for word in [command.line, *command.words]}
    assert set(PLACEHOLDERS) - words == set()


def test_every_command_of_the_pages_runs_in_the_order_of_the_pages(reader: Reader) -> None:
    failed, ran = [], 0
    for command in commands():
        if command.line in NOT_RUN:
            continue
        words = reader.filled_in(command)
        run = {"ic-assets": reader.ic_assets, "make": reader.make}.get(words[0], reader.process)
        code, said = run(words)
        ran += 1
        wanted, must_say = ENDS_WITH.get(f"{command.page}: {command.line}") or ENDS_WITH.get(command.line, (0, ""))
        if code != wanted or must_say not in said or "Traceback" in said:
            failed.append(f"{command.page}: {command.line}\n  ended with {code}, not {wanted}: {said.strip()[-600:]}")
    assert failed == [], "\n".join(failed)
    assert ran > 50


def test_the_queries_of_the_pages_run(reader: Reader) -> None:
    queries = [
        (page.name, match["block"])
        for page in PAGES
        for match in CODE.finditer(page.read_text(encoding="utf-8"))
        if match["language"] == "sql" and "…" not in match["block"]
    ]
    assert queries
    for _, query in queries:
        reader.query(query)
