"""The restore point before a production push, tested by restoring it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ic_assets.core import schema
from ic_assets.core.failures import Refused
from ic_assets.resources.backup import backup, without_password
from ic_assets.resources.embedded.programs import client_binary
from ic_assets_tests.hubspot import push_cases as cases


@pytest.fixture
def empty_database(superuser_url: str, postgres_url: str) -> Iterator[str]:
    name = f"restored_{secrets.token_hex(6)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER ic_assets").format(sql.Identifier(name)))
        yield postgres_url.replace("/ic_assets?", f"/{name}?")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def contents(database: str) -> dict[str, list[str]]:
    """Every row of every table of both schemas, as text."""
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('staging', 'hubspot') ORDER BY 1, 2"
        ).fetchall()
        return {
            f"{folder}.{table}": [
                row[0]
                for row in connection.execute(
                    sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(folder, table))
                )
            ]
            for folder, table in tables
        }


def test_what_was_damaged_after_the_dump_comes_back_row_by_row(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    with cases.hubspot(tmp_path) as hub:
        activities = [*cases.some(70), cases.Activity(900, "calls", parts=("more", "and 'more'\n;"))]
        cases.stage(database, activities)
        cases.run(database, hub)
        before = contents(database)
        assert len(before["hubspot.push_ledger"]) == 73

        dump = backup(database, tmp_path / "backups")
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM staging.ic_communication_master")
            connection.execute("DELETE FROM hubspot.push_ledger WHERE record_key::bigint > 30")
            connection.execute("UPDATE hubspot.push_ledger SET hubspot_id = hubspot_id + 1")
        assert contents(database) != before

        url, environment = without_password(empty_database)
        done = subprocess.run(
            [client_binary("pg_restore"), "--exit-on-error", f"--dbname={url}", str(dump)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert contents(empty_database) == before

        # It is not only rows: the pipeline works on, and a push knows what stands.
        revision, newest = schema.current(empty_database)
        assert revision == newest
        again = cases.run(empty_database, hub)
        assert (again.sent, again.identical) == (0, 73)
        cases.stage(empty_database, [cases.Activity(901, "calls")])
        assert cases.run(empty_database, hub).created == 1


def test_the_newest_three_are_kept_for_the_owner_alone(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    dumps = [backup(database, folder) for _ in range(4)]
    assert sorted(folder.iterdir()) == dumps[1:]
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700, 0o600}


def test_a_backup_that_fails_is_refused_in_pg_dumps_words_and_leaves_nothing(database: str, tmp_path: Path) -> None:
    nowhere = database.replace("/test_", "/absent_")
    with pytest.raises(Refused, match=r"the backup before the push failed, nothing was sent: .*absent_") as refused:
        backup(nowhere, tmp_path / "backups")
    assert "\n" not in str(refused.value)
    assert list((tmp_path / "backups").iterdir()) == []


def test_the_password_is_not_on_the_command_line_and_no_token_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-secret")
    monkeypatch.setenv("PGSSLMODE", "prefer")
    for address in (
        "postgresql://someone:p%40ss@127.0.0.1:5432/crm?sslmode=require",
        "postgresql://someone@127.0.0.1:5432/crm?sslmode=require&password=p%40ss",
        "postgresql:///crm?user=someone&host=127.0.0.1&port=5432&sslmode=require&password=p%40ss",
    ):
        place, environment = without_password(address)
        assert "p@ss" not in place
        assert conninfo_to_dict(place) == {
            "user": "someone",
            "host": "127.0.0.1",
            "port": "5432",
            "dbname": "crm",
            "sslmode": "require",
        }
        assert environment["PGPASSWORD"] == "p@ss"
        assert environment["PGSSLMODE"] == "prefer"
        assert "HUBSPOT_TOKEN" not in environment
    with pytest.raises(Refused, match="sslpassword"):
        without_password("postgresql://someone@127.0.0.1/crm?sslpassword=secret")
