"""What each connection sets, beside a role, a database and an environment that say otherwise, and what is tried again."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from tenacity import wait_none

from ic_assets.activities.engine.derivatives import slice_derivatives
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.activities.engine.staging import classification, stages
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.core import schema, session
from ic_assets.core.failures import Unavailable
from ic_assets.core.months import Window
from ic_assets.core.settings import Settings
from ic_assets.resources import postgres
from ic_assets.resources.postgres import Database, connected
from ic_assets.resources.services import running
from ic_assets_tests.activities.staging.test_refill import contents
from ic_assets_tests.drops import bring_up_to_date, land, opened, reconcile_everything, row, write_drop

# What a role or a database may say, and what it is for us.
HOSTILE = {
    "client_encoding": ("LATIN1", "UTF8"),
    "DateStyle": ("German, DMY", "ISO, MDY"),
    "IntervalStyle": ("iso_8601", "postgres"),
    "TimeZone": ("Asia/Tokyo", "UTC"),
    "search_path": ("nowhere", "pg_catalog,public,pg_temp"),
    "standard_conforming_strings": ("off", "on"),
    "transform_null_equals": ("on", "off"),
    "array_nulls": ("off", "on"),
    "bytea_output": ("escape", "hex"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "default_transaction_read_only": ("on", "off"),
    "synchronous_commit": ("off", "on"),
    "statement_timeout": ("1", "0"),
    "lock_timeout": ("1", "0"),
    "idle_session_timeout": ("1", "0"),
    "idle_in_transaction_session_timeout": ("1", "15min"),
    "transaction_timeout": ("1000", "0"),
}
ENVIRONMENT = {
    "PGOPTIONS": "-cdatestyle=SQL,DMY -cclient_encoding=LATIN1 -cstatement_timeout=1",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "Asia/Tokyo",
    "PGHOSTADDR": "192.0.2.1",
    "PGSSLMODE": "verify-full",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
}
OF_A_SERVER = ("PGHOSTADDR", "PGSSLMODE", "PGTARGETSESSIONATTRS", "PGREQUIREAUTH", "PGCHANNELBINDING")
SHOWN = sql.SQL("SELECT {}").format(
    sql.SQL(", ").join(sql.SQL("current_setting({})").format(sql.Literal(name)) for name in HOSTILE)
)


def turn_hostile(superuser_url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the database, for ``turn_back``."""
    name = make_url(database).database or ""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for setting, (value, _) in HOSTILE.items():
            # A role's setting for a database outranks its others and the database's.
            connection.execute(
                sql.SQL("ALTER ROLE ic_assets IN DATABASE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                )
            )
    for variable, value in ENVIRONMENT.items():
        # Those about a server are for one of the user's, whose address may leave them out; see the embedded one below.
        if variable not in OF_A_SERVER:
            monkeypatch.setenv(variable, value)
    return name


def turn_back(superuser_url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE ic_assets IN DATABASE {} RESET ALL").format(sql.Identifier(name)))


@pytest.fixture
def hostile(superuser_url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database whose role and environment say the opposite of all that we rely on."""
    name = turn_hostile(superuser_url, database, monkeypatch)
    yield database
    turn_back(superuser_url, name, monkeypatch)


def test_every_way_in_sets_what_it_relies_on(hostile: str) -> None:
    wanted = tuple(ours for _, ours in HOSTILE.values())
    with session.connect(hostile) as connection:
        assert connection.execute(SHOWN).fetchone() == wanted

    async def look() -> tuple[object, ...] | None:
        async with await session.connect_async(hostile, autocommit=True) as connection:
            return await (await connection.execute(SHOWN)).fetchone()

    assert asyncio.run(look()) == wanted
    settings = Settings.from_env()
    database = Database(hostile, settings)
    with database.transaction() as connection:
        assert connection.execute(SHOWN).fetchone() == wanted
    database.close()
    with connected(hostile, settings) as connection:
        shown = dict(zip(HOSTILE, connection.execute(SHOWN).fetchone() or (), strict=True))
        assert shown == {**dict(zip(HOSTILE, wanted, strict=True)), "lock_timeout": "10s"}
    # A driver that is not ours: Dagster's storage.
    engine = create_engine(make_url(session.pinned(hostile)).set(drivername="postgresql+psycopg2"))
    with engine.connect() as other:
        values = other.execute(text(SHOWN.as_string().replace(":", "\\:"))).one()
    engine.dispose()
    shown = dict(zip(HOSTILE, values, strict=True))
    assert shown.pop("transaction_timeout") == "1s", "servers before 17 would let nobody in who names it"
    assert tuple(shown.values()) == wanted[:-1]


def test_a_load_beside_a_hostile_role_is_the_same_load(
    database: str, module_database: str, superuser_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "Comm_Subject": "Grüße, Ørsted & 東京",
        "Comm_Note": "naïve “quotes” \\ back\\slash €",
        "Company_Name": "Łódź",
    }
    rows = [row(number, f"2019-0{1 + number % 9}-05 10:00:00", **words) for number in range(1, 30)]
    file = write_drop(tmp_path / "words.csv", rows)
    for url in (module_database, database):
        reconcile_everything(url)
    land(module_database, file)
    bring_up_to_date(module_database)
    expected = contents(module_database)
    assert any("Grüße, Ørsted & 東京" in line for line in expected["ic_calls"])

    name = turn_hostile(superuser_url, database, monkeypatch)
    try:
        schema.ensure(database)
        land(database, file)
        bring_up_to_date(database)
    finally:
        turn_back(superuser_url, name, monkeypatch)
    assert contents(database) == expected


def test_what_the_environment_says_of_a_server_is_not_meant_for_the_embedded_one(
    postgres_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    found = running(Settings(home=postgres_home, postgres_url=None, drop_dir=postgres_home))
    assert found is not None
    for url in (found.postgres_url, found.dagster_postgres_url):
        with session.connect(url) as connection:
            assert connection.execute("SELECT 'ä'").fetchone() == ("ä",)
    assert not {"PGOPTIONS", "PGCLIENTENCODING", "PGDATESTYLE", "PGTZ"} & set(os.environ), (
        "pg_dump and workers get none"
    )


def test_a_database_that_is_not_utf8_is_refused_in_a_line(superuser_url: str, postgres_url: str) -> None:
    name = f"ascii_{os.getpid()}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER ic_assets ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with session.connect(postgres_url.replace("/ic_assets?", f"/{name}?")) as connection:
            with pytest.raises(Unavailable, match=rf"{name} is SQL_ASCII and not UTF8.*ENCODING 'UTF8'") as refused:
                session.refuse_unfit(connection)
            assert "\n" not in str(refused.value)
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# --- what is tried again --------------------------------------------------------------------------------------------


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PAUSE", wait_none())


def killed(postgres_url: str, pid: int) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_deadlock_is_tried_again_and_logged(database: str, no_pause: None, caplog: pytest.LogCaptureFixture) -> None:
    """Two that lock the same rows in opposite order: PostgreSQL ends one of them."""
    reached = threading.Barrier(2)
    attempts = {"up": 0, "down": 0}

    def work(name: str, order: tuple[int, int]) -> str:
        def once(connection: psycopg.Connection) -> str:
            attempts[name] += 1
            connection.execute("SELECT pg_advisory_xact_lock(77, %s)", (order[0],))
            if attempts[name] == 1:
                reached.wait(30)
            connection.execute("SELECT pg_advisory_xact_lock(77, %s)", (order[1],))
            return name

        with opened(database) as opened_database:
            return opened_database.repeated(name, once)

    with caplog.at_level("WARNING", logger="ic_assets"), ThreadPoolExecutor(2) as pool:
        done = [pool.submit(work, "up", (1, 2)), pool.submit(work, "down", (2, 1))]
        assert [each.result(30) for each in done] == ["up", "down"]
    assert sorted(attempts.values()) == [1, 2]
    assert len(caplog.records) == 1
    assert "event='tried_again'" in caplog.text
    assert "sqlstate='40P01' attempt=1" in caplog.text


def test_a_load_whose_connections_are_ended_in_the_middle_ends_right(
    database: str, tmp_path: Path, no_pause: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_drop(
        tmp_path / "a.csv", [row(number, kind="Call" if number % 2 else "Email") for number in range(1, 21)]
    )
    broken: list[str] = []

    def once_broken(name: str, work: Any) -> Any:
        def breaking(first: Any, *arguments: Any) -> Any:
            connection = getattr(first, "connection", first)
            result = work(first, *arguments)
            if name not in broken:
                broken.append(name)
                killed(database, connection.info.backend_pid)
            return result

        return breaking

    def load() -> None:
        reconcile_everything(database)
        assert land(database, file).inserted == 20
        settings, window = Settings.from_env(), Window(date(2019, 3, 1), date(2019, 4, 1))
        with opened(database) as opened_database:
            opened_database.repeated("classification", classification.sync_classification)
            opened_database.repeated("master", lambda c: stages.apply_master(c, window, settings))
            opened_database.repeated("resolution", lambda c: stages.apply_resolution(c, window, settings))
            done = list(slice_derivatives.apply_derivatives(opened_database, ACTIVITY_TYPES, window, settings))
        assert len(done) == len(ACTIVITY_TYPES)

    load()
    expected = contents(database)
    schema.downgrade(database)
    schema.upgrade(database)
    for place, name in (
        (drop_landing._Landing, "_decide"),
        (stages, "apply_master"),
        (stages, "apply_resolution"),
        (slice_derivatives, "apply_derivative"),
    ):
        monkeypatch.setattr(place, name, once_broken(name, getattr(place, name)))
    load()
    assert sorted(broken) == ["_decide", "apply_derivative", "apply_master", "apply_resolution"]
    found = contents(database)
    for table in ("ic_drop", "ic_communication_landing"):  # the number of the drop that was not to be is used up
        found[table] = [line.replace("(2,", "(1,", 1) for line in found[table]]
    assert found == expected


def test_what_does_not_pass_and_what_passes_too_late_is_raised(
    database: str, no_pause: None, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[str] = []

    def failing(state: str) -> Callable[[psycopg.Connection], None]:
        def once(connection: psycopg.Connection) -> None:
            attempts.append(state)
            connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$".encode())

        return once

    with opened(database) as opened_database:
        for state, times in (("40001", 6), ("57P03", 6), ("08006", 6), ("23505", 1), ("53100", 1), ("57014", 1)):
            attempts.clear()
            with pytest.raises((Unavailable, psycopg.Error)):
                opened_database.repeated("failing", failing(state))
            assert len(attempts) == times, state


def test_a_settlement_that_gave_way_is_written_again_and_one_that_lost_its_connection_is_not(
    no_pause: None, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    async def failing_once(error: type[psycopg.Error]) -> str:
        done.append(error.__name__)
        if done.count(error.__name__) == 1:
            raise error("no")
        return "written"

    with caplog.at_level("WARNING", logger="ic_assets"):
        assert (
            asyncio.run(postgres.again_async("settle", lambda: failing_once(psycopg.errors.DeadlockDetected)))
            == "written"
        )
        with pytest.raises(psycopg.errors.AdminShutdown):
            asyncio.run(postgres.again_async("settle", lambda: failing_once(psycopg.errors.AdminShutdown)))
    assert done == ["DeadlockDetected", "DeadlockDetected", "AdminShutdown"]
    assert [record.message for record in caplog.records] == [
        "event='tried_again' what='settle' sqlstate='40P01' attempt=1 pause_s=0.0"
    ]
