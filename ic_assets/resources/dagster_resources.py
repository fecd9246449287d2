"""Dagster's view of the database: resources that open it for a run and close it after that, and what a command and its run
tell each other. HubSpot's is ``operations/hubspot_resource.py``, since this room knows no portal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from ic_assets.core import kept_settings, schema
from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import running


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The staging database, found as every command finds it: ``IC_POSTGRES_URL``, or the embedded server that
    ``ic-assets up`` started. No run configuration can name another one: it would stand in the run, password and all."""

    _url: str | None = PrivateAttr(default=None)
    _database: Database | None = PrivateAttr(default=None)

    @staticmethod
    def at(postgres_url: str) -> PostgresResource:
        """One on a database that the code of this process names."""

        # Dagster makes a resource anew for each run, from its class and its configuration alone.
        class At(PostgresResource):
            _url: str | None = PrivateAttr(default=postgres_url)

        return At()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PostgresResource]:
        settings = Settings.from_env()
        url = self._url
        if url is None:
            services = running(settings)
            if services is None:
                raise Unavailable("PostgreSQL is not up: start `ic-assets up`, or set IC_POSTGRES_URL")
            url = services.postgres_url
        schema.ensure(url)
        self._database = Database(url, kept_settings.settings_for(url, settings))
        try:
            yield self
        finally:
            self._database.close()

    @property
    def database(self) -> Database:
        assert self._database is not None, "used outside a run"  # noqa: S101
        return self._database

    @property
    def settings(self) -> Settings:
        """The settings of this run, read once: what it records is what its statements used."""
        return self.database.settings


class Nowhere(dg.IOManager):
    """Keeps nothing: what assets make is in the database, and none takes another's value. Dagster's own manager would write
    to whatever folder a launchpad names."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        pass

    def load_input(self, context: dg.InputContext) -> None:
        raise NotImplementedError("assets read the database")


class Reporter:
    """What a command and its run, in one process, tell each other, and no run configuration can say: whoever reaches
    the UI could say it too. A run of the UI has this one, which tells and hears nothing."""

    # The drop to land, wherever it lies; without it, the one in the drop folder that the partition names.
    file: Path | None = None
    # Their names and ours of its columns; without them, those of $IC_HOME/columns.csv.
    columns: tuple[tuple[str, str], ...] = ()
    # Who approves a production push; without it, it needs an approval on record.
    approved_by: str | None = None

    def progress(self, what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
        """``done`` of ``total`` of what ``unit`` names (bytes, records); called often."""

    def waits(self, what_for: str) -> None:
        """What the work waits for, in a sentence; called once a wait."""

    def finished(self, what: str, outcome: object) -> None:
        """The outcome of one asset's work: a ``Landed``, a ``PushResult``."""
