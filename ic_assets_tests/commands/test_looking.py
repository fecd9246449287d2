"""The commands that only look migrate, make, write and lock nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.judging.figures import OF_MASTER
from ic_assets.commands.erd import erd
from ic_assets.commands.history import history
from ic_assets.commands.push import push
from ic_assets.commands.reconcile import reconcile_file, reconcile_from_hubspot
from ic_assets.commands.rejects import rejects
from ic_assets.commands.status import status
from ic_assets.commands.trace import trace
from ic_assets.commands.unresolved import unresolved
from ic_assets.core import locks, schema
from ic_assets.core.failures import Refused
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop


def looks(folder: Path) -> dict[str, Callable[[], int]]:
    matches = folder / "matches.csv"
    matches.write_text("legacy_id,hubspot_id\n777,9777\n", encoding="utf-8")
    return {
        "status": lambda: status(as_json=True),
        "trace": lambda: trace(None, None, 1, full=False, as_json=True),
        "rejects": lambda: rejects(None, None, warnings=True, limit=None, full=False, as_json=True),
        "history": lambda: history(20, as_json=True),
        "unresolved": lambda: unresolved(None, csv_file=None, limit=None, as_json=True),
        "what-if": lambda: reconcile_file("contacts", matches, dry=True, as_json=True),
        "erd": lambda: erd("mermaid", folder / "erd.md"),
    }


def rehearsals() -> dict[str, Callable[[], int]]:
    """What only looks as well, with HubSpot's help."""
    return {
        "dry run": lambda: push(
            types=[],
            months=None,
            limit=None,
            include_orphans=False,
            overwrite_edits=False,
            mode="dry-run",
            approved_by=None,
            as_json=True,
            quiet=True,
        ),
        "what-if from HubSpot": lambda: reconcile_from_hubspot("contacts", None, dry=True, as_json=True, quiet=True),
    }


@pytest.fixture
def empty(superuser_url: str, postgres_url: str) -> Iterator[str]:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE looked_at OWNER ic_assets")
    yield postgres_url.replace("/ic_assets?", "/looked_at?")
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE looked_at WITH (FORCE)")


def test_a_look_at_an_empty_database_or_home_makes_nothing(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = looks(tmp_path) | rehearsals()
    assert wanted.pop("status")() == 0
    for look in wanted.values():
        with pytest.raises(Refused, match=r"nothing is loaded yet.*`ic-assets load FILE` makes them"):
            look()
    assert not (tmp_path / "ic_home").exists()
    monkeypatch.setenv("IC_POSTGRES_URL", empty)
    assert status(as_json=True) == 0
    for look in wanted.values():
        with pytest.raises(Refused, match="nothing is loaded yet"):
            look()
    with psycopg.connect(empty) as connection:
        made = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('staging', 'hubspot', 'ic_dagster')"
        ).fetchall()
    assert made == []


def test_a_look_at_an_older_schema_says_which_command_upgrades_it(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE staging.ic_schema_version SET version_num = '0003'")
    for look in (looks(tmp_path) | rehearsals()).values():
        with pytest.raises(Refused, match=r"older version \(revision 0003.*then `ic-assets load` upgrades them"):
            look()
    assert schema.current(database)[0] == "0003"


def test_a_look_writes_nothing_and_waits_for_nobody(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "calls.csv", [row(number) for number in range(1, 11)]))
    bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        # Months that were written since they were counted: a look counts them for itself.
        connection.execute("UPDATE staging.ic_figure_month SET applied_at = '2000-01-01'")
        connection.execute("UPDATE staging.ic_figure SET failing = 7777, checked = 7777")
        written = (
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname <> 'ic_dagster'"
        )
    with psycopg.connect(database, autocommit=True) as counting:
        before = counting.execute(written).fetchone()
        for source in ("master", "resolution", "calls"):
            counting.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (locks.FIGURES, source))
        assert OF_MASTER.name == "master"
        for name, look in looks(tmp_path).items():
            assert look() == 0, name
        counting.execute("SELECT pg_stat_force_next_flush()")
        counting.execute("SELECT pg_stat_clear_snapshot()")
        assert counting.execute(written).fetchone() == before
        assert counting.execute("SELECT DISTINCT failing FROM staging.ic_figure").fetchall() == [(7777,)]
    said = capsys.readouterr().out
    assert '"rows_in":10' in said
    assert "7777" not in said
