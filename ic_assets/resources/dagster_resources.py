"""Dagster's view of the services: resources that open them for a run and close them after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import psycopg
from pydantic import PrivateAttr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from ic_assets.core import schema
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import HubSpotTarget, path
from ic_assets.hubspot.client.replies import parsed
from ic_assets.resources import http
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import Services, running

_SEEDED_AT_ONCE = 5000


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
        self._database = Database(url, settings)
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


class HubSpotResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Which HubSpot the push talks to: the local one, or what ``HUBSPOT_BASE_URL`` and ``HUBSPOT_TOKEN`` say.

    It holds no token in its configuration: that is read from the environment when a run begins, and shows nowhere."""

    _settings: Settings | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._settings = Settings.from_env()

    def prepare(self, database: Database) -> None:
        """Seeds the local HubSpot; any other portal has its records."""
        services = running(database.settings)
        if services and services.hubspot_is_local and services.hubspot_base_url:
            seed_local_hubspot(database, services)

    def target(self) -> HubSpotTarget:
        """Raises ``Unavailable`` when the local HubSpot is not up, ``Refused`` without a token."""
        settings = self._settings or Settings.from_env()  # a command asks outside a run
        services = running(settings)
        if services is None or services.hubspot_base_url is None:
            raise Unavailable("the local HubSpot is not up: start `ic-assets up`, or set HUBSPOT_TOKEN")
        if services.hubspot_token is None:
            raise Refused("HUBSPOT_BASE_URL is set and HUBSPOT_TOKEN is not; set the token of that portal")
        return HubSpotTarget(
            base_url=services.hubspot_base_url,
            token=services.hubspot_token,
            api=settings.hubspot_api,
            id_property=settings.hubspot_id_property,
            rps=settings.hubspot_rps,
            proxy=settings.https_proxy,
        )

    def portal_id(self) -> int:
        """Raises ``Unavailable`` when HubSpot does not answer or refuses the token."""
        target = self.target()
        # One reply that is lost on its way does not end a push before it began.
        patient = Retrying(
            retry=retry_if_exception_type((httpx.NetworkError, httpx.RemoteProtocolError)),
            wait=wait_fixed(1),
            stop=stop_after_attempt(4),
            reraise=True,
        )
        try:
            with http.client(headers={"Authorization": f"Bearer {target.token}"}, proxy=target.proxy) as client:
                response = patient(client.get, f"{target.base_url}{path(target.api, 'account', 'details')}")
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise Unavailable(
                f"HubSpot answered {error.response.status_code} to the account query; check HUBSPOT_TOKEN and its scopes"
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"HubSpot does not answer ({type(error).__name__}); try again") from error
        portal_id = parsed(response.content).get("portalId")
        if not isinstance(portal_id, int):
            raise Unavailable(f"{target.base_url} does not answer like HubSpot (no portalId); check HUBSPOT_BASE_URL")
        return portal_id


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
    # Who approves a production push; without it, it needs an approval on record.
    approved_by: str | None = None

    def progress(self, what: str, done: int, total: int, note: str = "", unit: str = "") -> None:
        """``done`` of ``total`` of what ``unit`` names (bytes, records); called often."""

    def waits(self, what_for: str) -> None:
        """What the work waits for, in a sentence; called once a wait."""

    def finished(self, what: str, outcome: object) -> None:
        """The outcome of one asset's work: a ``Landed``, a ``PushResult``."""


def seed_local_hubspot(database: Database, services: Services) -> None:
    """Gives the local HubSpot the contacts, companies and deals that the reconciliation tables name, so that a
    rehearsal can associate with them. Records that stand are left as they are."""
    with database.transaction() as connection:
        records = reconciled_records(connection)
    seed(str(services.hubspot_base_url), str(services.hubspot_token), records)


def seed(base_url: str, token: str, records: dict[str, list[dict[str, Any]]]) -> None:
    """Gives a local HubSpot records by type, some thousands a request: it takes no body without end."""
    headers = {"Authorization": f"Bearer {token}"}
    with http.client(base_url, headers=headers, bounds=http.Bounds(seconds=120.0)) as client:
        for entity, items in records.items():
            for start in range(0, len(items), _SEEDED_AT_ONCE):
                some = {entity: items[start : start + _SEEDED_AT_ONCE]}
                client.post("/_sandbox/seed", json=some).raise_for_status()


def reconciled_records(connection: psycopg.Connection) -> dict[str, list[dict[str, Any]]]:
    """The HubSpot records that the reconciliation tables name, as ``{"contacts": [{"id", "properties"}], ...}``."""
    return {
        entity: [
            {"id": str(hubspot_id), "properties": properties}
            for hubspot_id, properties in connection.execute(statement(f"sandbox/{entity}")).fetchall()
        ]
        for entity in ("contacts", "companies", "deals")
    }
