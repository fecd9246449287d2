"""What commands that change the database without a run of Dagster share: services up, tables as they should be."""

from collections.abc import Iterator
from contextlib import contextmanager

from ic_assets.core import schema
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import services


@contextmanager
def working(settings: Settings) -> Iterator[Database]:
    """A database with the newest schema. Raises ``Refused``."""
    with services(settings) as up:
        schema.ensure(up.postgres_url)
        database = Database(up.postgres_url, settings)
        try:
            yield database
        finally:
            database.close()
