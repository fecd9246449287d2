"""``ic-assets restore``: a restore point put back, on each server version that is installed here. Debian's packages are
found by themselves; other servers below POSTGRES_SERVERS, as <version>/bin."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ic_assets.commands import restore as command
from ic_assets.core import locks, schema
from ic_assets.core.failures import Refused
from ic_assets.resources import restore
from ic_assets.resources.backup import backup
from ic_assets_tests.hubspot import push_cases as cases
from ic_assets_tests.resources.test_backup import contents

VERSIONS = (15, 16, 17, 18)


@dataclass(frozen=True)
class Taken:
    """A restore point, what the database held then, and that database, damaged since."""

    dump: Path
    before: dict[str, list[str]]
    database: str


@pytest.fixture(scope="module")
def taken(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("taken")
    with psycopg.connect(module_database) as connection:
        connection.execute("GRANT SELECT ON staging.ic_calls TO PUBLIC")
    with cases.hubspot(folder) as hub:
        cases.stage(
            module_database, [*cases.some(14), cases.Activity(900, "calls", parts=("more", "a 'quote'\n; \\.\tté"))]
        )
        cases.run(module_database, hub)
    before = contents(module_database)
    assert len(before["hubspot.push_ledger"]) == 17
    return Taken(backup(module_database, folder / "backups"), before, module_database)


def damage(database: str) -> dict[str, list[str]]:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM staging.ic_communication_master")
        connection.execute("UPDATE hubspot.push_ledger SET hubspot_id = hubspot_id + 1")
        connection.execute("CREATE TABLE IF NOT EXISTS staging.of_a_later_version (a integer)")
        connection.execute("CREATE OR REPLACE VIEW staging.its_view AS SELECT a FROM staging.of_a_later_version")
    return contents(database)


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database on a server of that version, whose role may make nothing beyond its schemas."""
    version: int = request.param
    folders = [Path(f"/usr/lib/postgresql/{version}/bin")]
    if more := os.environ.get("POSTGRES_SERVERS"):
        folders.append(Path(more) / str(version) / "bin")
    programs = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if programs is None:
        pytest.skip(f"PostgreSQL {version} is not installed here (looked in {', '.join(map(str, folders))})")
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    place = Path(tempfile.mkdtemp(prefix="ic-restore-", dir="/tmp"))
    os.chown(place, user, -1)
    keys = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}

    def program(name: str, *arguments: str) -> None:
        command = [str(programs / name), f"--pgdata={place / 'data'}", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=place, env={"LC_ALL": "C"}, **keys)  # type: ignore[call-overload]

    try:
        program("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        program("pg_ctl", "start", "--wait", f"--log={place / 'log'}", f"-o -c listen_addresses= -k {place}")
        super_url = f"postgresql://postgres@/postgres?host={place}"
        with psycopg.connect(super_url, autocommit=True) as connection:
            assert connection.info.server_version // 10_000 == version
            connection.execute("CREATE DATABASE crm")
        with psycopg.connect(super_url.replace("/postgres?", "/crm?"), autocommit=True) as connection:
            connection.execute((Path(__file__).parents[2] / "deploy" / "grants.sql").read_bytes())
        yield f"postgresql://ic_assets@/crm?host={place}"
    finally:
        subprocess.run(
            [str(programs / "pg_ctl"), f"--pgdata={place / 'data'}", "stop", "--mode=immediate"], **keys, check=False
        )  # type: ignore[call-overload]
        shutil.rmtree(place, ignore_errors=True)


def test_it_comes_back_row_by_row_on_each_version(taken: Taken, server: str, tmp_path: Path) -> None:
    schema.upgrade(server)
    damage(server)
    point = restore.look_into(taken.dump)
    done = restore.restore(server, point, tmp_path / "backups")
    assert contents(server) == taken.before
    assert done.rows["hubspot.push_ledger"] == 17
    assert schema.is_current(server)
    schema.upgrade(server)
    # What stood before can be had again, by the same command.
    assert done.kept is not None
    restore.restore(server, restore.look_into(done.kept), tmp_path / "backups")
    assert contents(server).keys() - taken.before.keys() == {"staging.of_a_later_version"}


def test_the_embedded_database_gets_it_back_and_works_on(taken: Taken, tmp_path: Path) -> None:
    damaged = damage(taken.database)
    done = restore.restore(taken.database, restore.look_into(taken.dump), tmp_path / "backups")
    assert contents(taken.database) == taken.before != damaged
    assert done.kept is not None
    assert done.kept.parent == tmp_path / "backups"
    assert done.rights_left_out == ()
    with psycopg.connect(taken.database) as connection:
        public = (
            "SELECT 1 FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_name = 'ic_calls'"
        )
        assert connection.execute(public).fetchone() == (1,)
    schema.upgrade(taken.database)
    cases.stage(taken.database, [cases.Activity(901, "calls")])


def test_it_is_refused_beside_a_push_and_a_load_and_changes_nothing(taken: Taken, tmp_path: Path) -> None:
    point = restore.look_into(taken.dump)
    before = contents(taken.database)
    with psycopg.connect(taken.database, autocommit=True) as other:
        for statement, said in (
            (f"SELECT pg_advisory_lock({locks.WORKER}, 12)", "push or roll-back 12 is at work"),
            (f"SELECT pg_advisory_lock_shared({locks.LOAD})", "a load or a roll-back is at work"),
            (f"SELECT pg_advisory_lock({locks.MONTH + 2}, 24230)", "brings months up to date is at work"),
        ):
            other.execute(statement.encode())
            with pytest.raises(Refused, match=said):
                restore.restore(taken.database, point, tmp_path / "backups")
            other.execute("SELECT pg_advisory_unlock_all()")
    assert contents(taken.database) == before
    assert not (tmp_path / "backups").exists()


def test_what_somebody_built_on_our_tables_is_named_and_all_stays(taken: Taken, tmp_path: Path) -> None:
    before = contents(taken.database)
    with psycopg.connect(taken.database) as connection:
        connection.execute("CREATE SCHEMA bi")
        connection.execute("CREATE VIEW bi.calls AS SELECT id FROM staging.ic_calls")
    try:
        with pytest.raises(Refused, match=r"nothing was restored: view bi\.calls rests on table staging\.ic_calls"):
            restore.restore(taken.database, restore.look_into(taken.dump), tmp_path / "backups")
    finally:
        with psycopg.connect(taken.database) as connection:
            connection.execute("DROP SCHEMA bi CASCADE")
    assert contents(taken.database) == before


def test_files_that_are_no_restore_points_are_refused(taken: Taken, database: str, tmp_path: Path) -> None:
    text = tmp_path / "text.dump"
    text.write_text("CREATE TABLE a ();\n")
    for file, said in ((text, "cannot be read, nothing was restored"), (tmp_path / "none", "no such file")):
        with pytest.raises(Refused, match=said):
            restore.look_into(file)
    # One that was cut off by a full disk begins well.
    half = tmp_path / "half.dump"
    half.write_bytes(taken.dump.read_bytes()[:-9000])
    before = contents(database)
    with pytest.raises(Refused, match="cannot be read, nothing was restored"):
        restore.restore(database, restore.look_into(half), tmp_path / "backups")
    assert contents(database) == before


def test_the_command_says_what_goes_and_asks(
    taken: Taken, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(taken.database)
    monkeypatch.setenv("IC_POSTGRES_URL", taken.database)
    monkeypatch.setattr(command, "agreed", lambda _: False)
    with pytest.raises(Refused, match="nothing was restored; add --yes"):
        command.restore(taken.dump, yes=False, as_json=False)
    said = capsys.readouterr()
    assert "goes: hubspot.push_ledger, 17 rows" in said.out
    assert "HubSpot is not touched" in said.err
    assert command.restore(taken.dump, yes=True, as_json=False) == 0
    assert "`ic-assets restore` takes that file too" in capsys.readouterr().out
    left = contents(taken.database)
    assert [row.split(",")[1].strip('"') for row in left.pop("staging.ic_rollback")] == [f"restore {taken.dump.name}"]
    expected = dict(taken.before)
    expected.pop("staging.ic_rollback")
    assert left == expected
    with psycopg.connect(taken.database) as connection:
        connection.execute(sql.SQL("DELETE FROM staging.ic_rollback"))
