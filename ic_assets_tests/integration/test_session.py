"""What each connection sets, beside a role, a database and an environment that say otherwise, and what is tried again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from ic_assets.core import schema, session
from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database, connected
from ic_assets.resources.services import running
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop
from ic_assets_tests.integration.test_refill import contents

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
