"""What ``ic-assets load`` says of files and databases that it cannot work with: one line, exit code 2, nothing loaded."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from ic_assets.core.settings import Settings
from ic_assets.resources.embedded.server import SUPERUSER, EmbeddedPostgres
from ic_assets.resources.services import services
from ic_assets_tests.e2e.test_oracle import Machine

HEADER = b"Comm_CommunicationId,Comm_Type,Comm_DateTime,Comm_CreatedDate,Comm_Note\n"
ROWS = b"".join(b"%d,Call,2019-03-01,2019-03-01,note %d\n" % (number, number) for number in range(1, 4))
PASSWORD = "s3cret/p:w@12"


@dataclass(frozen=True)
class Place:
    """An IC_HOME whose services stay up, so that a command costs little more than its start."""

    machine: Machine
    postgres_url: str
    superuser_url: str

    def counts(self) -> list[int]:
        """Rows of the tables that a drop fills; those of a database without our schema are none."""
        tables = ("ic_communication_landing", "ic_communication_master", "ic_rejected_row", "ic_field_warning")
        with psycopg.connect(self.postgres_url) as connection:
            row = connection.execute("SELECT to_regclass('staging.ic_drop')").fetchone()
            if row is None or row[0] is None:
                return [0] * len(tables)
            query = sql.SQL("SELECT count(*) FROM staging.{}")
            found = (connection.execute(query.format(sql.Identifier(table))).fetchone() for table in tables)
            return [row[0] for row in found if row]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bad-input-"))
    machine = Machine(folder, {})
    home = folder / "home"
    with services(Settings(home=home, postgres_url=None, drop_dir=home / "drop")) as up:
        embedded = EmbeddedPostgres(home / "postgres")
        server = embedded.running()
        assert server is not None
        yield Place(machine, up.postgres_url, embedded.url(server, "postgres", role=SUPERUSER))
    shutil.rmtree(folder, ignore_errors=True)


def refused(machine: Machine, *arguments: str) -> str:
    """The one line that a refused command says."""
    done = machine.run(*arguments)
    assert done.returncode == 2, f"{done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def write(name: str, data: bytes) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return prepare


def folder_named_csv(folder: Path) -> Path:
    path = folder / "folder.csv"
    path.mkdir()
    return path


BAD_FILES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "a folder": (folder_named_csv, ("folder.csv", "is a folder")),
    "no file": (lambda folder: folder / "nowhere.csv", ("nowhere.csv", "no such file")),
    "a PDF": (write("report.csv", b"%PDF-1.7\n" + bytes(range(256)) * 50), ("report.csv", "PDF")),
    "an empty file": (write("empty.csv", b""), ("empty.csv", "is empty")),
    "no required column": (
        write("columns.csv", HEADER.replace(b"Comm_DateTime", b"When") + ROWS),
        ("columns.csv", "line 1", "Comm_DateTime"),
    ),
    "an open quote": (
        write("quote.csv", HEADER + ROWS + b'4,Call,2019-03-01,2019-03-01,"never closed\n5,Call,,,\n'),
        ("quote.csv", "line 5", "quote"),
    ),
    "mixed encodings": (
        write("mixed.csv", HEADER + ROWS + "4,Call,2019-03-01,2019-03-01,äöüß ".encode() + b"\xe9\n"),
        ("mixed.csv", "line 5", "0xE9"),
    ),
    "a truncated gzip": (
        write("cut.csv.gz", gzip.compress(HEADER + ROWS + os.urandom(20_000).hex().encode())[:-2_000]),
        ("cut.csv.gz", "cut short"),
    ),
    "other delimiters": (write("pipes.csv", HEADER.replace(b",", b"|")), ("pipes.csv", "stand between '|'")),
    "another text": (write("letter.csv", b"Dear Sir,\nthank you"), ("letter.csv", "it begins 'Dear Sir,'")),
    "a bomb": (
        write("bomb.csv.gz", gzip.compress(HEADER + ROWS + b"\n" * 80_000_000, 1)),
        ("bomb.csv.gz", "unpacks to more than"),
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_be_loaded_is_refused_in_one_line_and_leaves_nothing(
    place: Place, tmp_path: Path, kind: str
) -> None:
    prepare, words = BAD_FILES[kind]
    before = place.counts()
    said = refused(place.machine, "load", str(prepare(tmp_path)), "--json")
    assert all(word in said for word in words), said
    assert place.counts() == before


def test_a_file_without_read_permission_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bad-input-"))
    path = write("closed.csv", HEADER + ROWS)(folder)
    path.chmod(0)
    machine = Machine(folder, {"HOME": str(folder)})
    if os.geteuid() == 0:  # reads everything: the command runs as an ordinary user with an IC_HOME of its own
        if not shutil.which("setpriv"):
            pytest.skip("run as root, and there is no setpriv to become somebody else")
        os.chown(folder, 65534, 65534)
        machine.before = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    said = refused(machine, "load", str(path))
    assert "closed.csv" in said
    assert "ermission denied" in said
    shutil.rmtree(folder)


def test_a_database_that_cannot_be_used_is_refused_in_one_line_without_the_password(
    place: Place, tmp_path: Path
) -> None:
    good = str(write("good.csv", HEADER + ROWS)(tmp_path))
    with psycopg.connect(place.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE closed")
        connection.execute(sql.SQL("CREATE ROLE guest LOGIN PASSWORD {}").format(PASSWORD))
    socket = psycopg.conninfo.conninfo_to_dict(place.superuser_url)["host"]
    port = psycopg.conninfo.conninfo_to_dict(place.superuser_url)["port"]

    def url(password: str, database: str = "closed") -> str:
        where = f"host={quote(str(socket), safe='')}&port={port}"
        return f"postgresql://guest:{quote(password, safe='')}@/{database}?{where}"

    cases = {
        url("wr0ng-pass"): ("password",),
        url(PASSWORD, "nowhere"): ("nowhere",),
        url(PASSWORD): ("deploy/grants.sql", "closed"),
        f"postgresql://guest:{quote(PASSWORD, safe='')}@127.0.0.1:1/closed": ("127.0.0.1", "refused"),
        f"mysql://guest:{quote(PASSWORD, safe='')}@127.0.0.1/closed": ("IC_POSTGRES_URL", "postgresql://"),
    }
    for address, words in cases.items():
        machine = Machine(tmp_path, {"IC_POSTGRES_URL": address})
        said = refused(machine, "load", good)
        assert all(word in said for word in words), said
        assert not any(secret in said for secret in (PASSWORD, quote(PASSWORD, safe=""), "wr0ng-pass")), said


def test_the_next_run_loads_after_a_refusal_and_keeps_what_came_before_it(place: Place, tmp_path: Path) -> None:
    # Neither the name of a file nor that of a column need be anything that a database can hold.
    rows = HEADER.replace(b"Comm_Note", b"odd\0\x1b[31m") + ROWS
    first = write(os.fsdecode(b"first\xff\n.csv"), rows)(tmp_path)
    broken = write("broken.csv", HEADER + b'9,Call,2019-03-01,2019-03-01,"open\n')(tmp_path)
    said = place.machine.run("load", str(first), str(broken))
    assert said.returncode == 2
    assert "broken.csv" in said.stderr.splitlines()[-1]
    assert place.counts() == [3, 3, 0, 0]
    broken.write_bytes(broken.read_bytes() + b'"\n')
    done = place.machine.run("load", str(broken), "--json")
    assert done.returncode == 1, done.stderr  # done, but nothing is reconciled here and the gate is red
    assert json.loads(done.stdout.splitlines()[-1])["inserted"] == 1
    assert place.counts() == [4, 4, 0, 0]


def test_a_drop_that_loads_nothing_fails_and_says_what_would_read_it(place: Place, tmp_path: Path) -> None:
    """On a terminal that knows no more than ASCII, too."""
    rows = b"".join(b"%d,Call,01/03/2019,01/03/2019,Gr\xc3\xbc\xc3\x9fe\n" % number for number in range(100, 103))
    drop = write("slashes.csv", HEADER + rows)(tmp_path)
    place.machine.environment["PYTHONIOENCODING"] = "ascii"
    letter = write("letter.csv", b"Dear Madam,\n")(tmp_path)
    done = place.machine.run("load", str(drop), str(letter))
    assert done.returncode == 2, done.stderr
    assert r"slashes.csv: read as utf-8 (Gr\xfc\xdfe)" in done.stderr
    assert "`IC_DATE_ORDER=DMY` would read `01/03/2019`" in done.stderr
    status = place.machine.run("status")
    assert status.returncode == 1
    assert "NOT LOADED slashes.csv@" in status.stdout
    place.machine.environment["IC_DATE_ORDER"] = "DMY"
    refused = place.machine.run("load", str(drop))
    assert refused.returncode == 2
    assert "ic-assets settings set IC_DATE_ORDER DMY" in refused.stderr, "the others were read by another order"
    del place.machine.environment["IC_DATE_ORDER"]
    assert place.machine.run("settings", "set", "IC_DATE_ORDER", "DMY").returncode == 0
    loaded = json.loads(place.machine.run("load", str(drop), "--json").stdout.splitlines()[-1])
    assert place.machine.run("settings", "set", "IC_DATE_ORDER", "YMD").returncode == 0
    del place.machine.environment["PYTHONIOENCODING"]
    assert (loaded["inserted"], loaded["rejected"]) == (3, 0)
    found = json.loads(place.machine.run("status", "--json").stdout.splitlines()[-1])
    assert found["trouble"] is None
    assert found["drops_refused"] > 0  # the letter
    assert "slashes.csv" in "".join(found["read_as"])
