"""What the commands that only look share: a read of the database as it stands, which migrates, makes and locks nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from ic_assets.core import kept_settings, schema
from ic_assets.core.schema import NothingYet
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import services


def settings_in_use(settings: Settings) -> Settings:
    """Those of the database where there is one, for who reads a file and nothing else. Raises ``Refused`` as ``looking``."""
    if not settings.postgres_url and not (settings.home / "postgres" / "data").exists():
        return settings
    with services(settings, looks=True) as up:
        return kept_settings.settings_for(up.postgres_url, settings)


@contextmanager
def looking(settings: Settings, *, read_only: bool = True) -> Iterator[psycopg.Connection]:
    """A transaction of which nothing is kept. Raises ``Refused`` where the tables are missing or those of another version,
    with the command that makes them, and beside a shell
    whose settings are not those of the data."""
    if not settings.postgres_url and not (settings.home / "postgres" / "data").exists():
        raise NothingYet
    with services(settings, looks=True) as up:
        schema.require(up.postgres_url)
        settings = kept_settings.settings_for(up.postgres_url, settings)
        with connected(up.postgres_url, settings, read_only=read_only) as connection:
            yield connection
