"""Dagster's view of HubSpot: the portal that a run talks to, and the records that a local one needs for a rehearsal."""

from __future__ import annotations

from typing import Any

import dagster as dg
import httpx
import psycopg
from pydantic import PrivateAttr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import HubSpotTarget, path
from ic_assets.hubspot.client.replies import parsed
from ic_assets.resources import http
from ic_assets.resources.postgres import Database
from ic_assets.resources.services import Services, running

_SEEDED_AT_ONCE = 5000


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


def seed_local_hubspot(database: Database, services: Services) -> None:
    """Gives the local HubSpot the contacts, companies and deals that the reconciliation tables name, so that a
    rehearsal can associate with them. Records that stand are left as they are."""
    with database.transaction() as connection:
        records = reconciled_records(connection)
    seed(str(services.hubspot_base_url), str(services.hubspot_token), records, database.settings.source_timezone)


def seed(base_url: str, token: str, records: dict[str, list[dict[str, Any]]], zone: str = "UTC") -> None:
    """Gives a local HubSpot records by type, some thousands a request: it takes no body without end. ``zone``: in which its
    pages show times."""
    headers = {"Authorization": f"Bearer {token}"}
    with http.client(base_url, headers=headers, bounds=http.Bounds(seconds=120.0)) as client:
        client.post("/_sandbox/seed", json={"zone": zone}).raise_for_status()
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
