"""``ic-assets psql`` opens the database in use and shows its password to nobody."""

from __future__ import annotations

from pathlib import Path

import psycopg.conninfo
import pytest

from ic_assets.commands import psql as command
from ic_assets.core.failures import Refused, Unavailable


def test_psql_opens_the_database_in_use_without_its_password_on_the_command_line(
    database: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    asked = ["--no-psqlrc", "-At", "-c", "SELECT current_database()", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline"]
    assert command.psql(asked) == 0
    name, line = capfd.readouterr().out.splitlines()
    words = psycopg.conninfo.conninfo_to_dict(database)
    assert name == words["dbname"]
    assert f"dbname={name}" in line
    assert str(words["password"]) not in line
    assert command.psql(["-c", "SELECT no_such_thing"]) == 1


def test_without_a_psql_it_is_refused_in_one_line(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> Path:
        raise Unavailable(f"no {name}")

    monkeypatch.setenv("IC_POSTGRES_URL", database)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(command, "client_binary", none)
    with pytest.raises(Refused, match=r"there is no psql here; install PostgreSQL's client"):
        command.psql([])
