"""Fixtures that every test may use: a clean environment, and databases of a real PostgreSQL."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
from psycopg import sql

from ic_assets.core.settings import Settings
from ic_assets.resources.embedded.server import SUPERUSER, EmbeddedPostgres
from ic_assets.resources.services import services
from ic_assets_tests.budget import Budget

if TYPE_CHECKING:
    from ic_assets_tests.graph_cases import Graph

# A developer's own settings, tokens included, must reach no test. Scrubbed here and not in a fixture alone,
# since session fixtures and test modules run before the first test's own fixtures do.
for _name in list(os.environ):
    if _name.startswith(("HUBSPOT_", "IC_", "DAGSTER_", "PG")):
        del os.environ[_name]

# A shell starts what it runs in the background with SIGINT ignored, and the commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# `--hypothesis-profile=many` for ten times the examples (make test-long).
hypothesis.settings.register_profile("few")
hypothesis.settings.register_profile("many")
hypothesis.settings.load_profile("few")

# Those that take longest begin first, so that no worker is left with one of them in the end.
_LONGEST = (
    "test_celery",
    "test_cli",
    "test_docs",
    "test_ui",
    "test_commands",
    "test_oracle",
    "test_bad_input",
    "test_daemon",
)
# Folders whose tests are about servers. Elsewhere a test is one with a server when it asks for PostgreSQL, or says so.
_WITH_SERVERS = {"e2e", "sandbox", "soak"}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Budget())


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "postgres_home" in names or _WITH_SERVERS & set(item.path.relative_to(item.config.rootpath).parts):
            item.add_marker(pytest.mark.server)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What one test sets in the environment ends with it, and none writes into the working directory."""
    monkeypatch.setenv("IC_HOME", str(tmp_path / "ic_home"))
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):  # the code under test sets them for its process
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An IC_HOME with its embedded server up (one per pytest-xdist worker)."""
    home = tmp_path_factory.mktemp("postgres_home")
    embedded = EmbeddedPostgres(home / "postgres")
    with services(_settings(home)):
        server = embedded.running()
        assert server is not None
        # Tests kill processes, not the machine: each of some thousand databases is spared its waits for the disk.
        with psycopg.connect(embedded.url(server, "postgres", role=SUPERUSER), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        yield home


@pytest.fixture(scope="session")
def postgres_url(postgres_home: Path) -> str:
    """An empty database of the session's server, as the pipeline's role."""
    server = EmbeddedPostgres(postgres_home / "postgres").running()
    assert server is not None
    return EmbeddedPostgres(postgres_home / "postgres").url(server, "ic_assets")


@pytest.fixture(scope="session")
def superuser_url(postgres_home: Path) -> str:
    """The session's server as its superuser, database ``postgres``."""
    server = EmbeddedPostgres(postgres_home / "postgres").running()
    assert server is not None
    return EmbeddedPostgres(postgres_home / "postgres").url(server, "postgres", role=SUPERUSER)


@pytest.fixture(scope="session")
def _template(superuser_url: str, postgres_url: str) -> str:
    from ic_assets.core.schema import upgrade

    upgrade(_create_database(superuser_url, postgres_url, "ic_template", template="template1"))
    return "ic_template"


@pytest.fixture
def database(superuser_url: str, postgres_url: str, _template: str) -> Iterator[str]:
    """The address of a fresh database with the current schema, cloned from a template; dropped afterwards."""
    yield from fresh_database(superuser_url, postgres_url, _template)


@pytest.fixture(scope="module")
def module_database(superuser_url: str, postgres_url: str, _template: str) -> Iterator[str]:
    """The same, one for all tests of a module: for what is set up once and only read."""
    yield from fresh_database(superuser_url, postgres_url, _template)


def fresh_database(superuser_url: str, postgres_url: str, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    yield _create_database(superuser_url, postgres_url, name, template=template)
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _create_database(superuser_url: str, postgres_url: str, name: str, *, template: str) -> str:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            # A copy of the files: at wal_level minimal it is quicker than logging every page.
            sql.SQL("CREATE DATABASE {} OWNER ic_assets TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return postgres_url.replace("/ic_assets?", f"/{name}?")


def _settings(home: Path) -> Settings:
    return Settings(home=home, postgres_url=None, drop_dir=home / "drop")


@pytest.fixture
def graph(database: str, tmp_path: Path) -> Iterator[Graph]:
    """The graph on the database, where everything is reconciled, with a Dagster instance of the test's own."""
    import dagster as dg

    from ic_assets_tests.drops import reconcile_everything
    from ic_assets_tests.graph_cases import Graph

    reconcile_everything(database)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(instance, database, tmp_path / "drops")
