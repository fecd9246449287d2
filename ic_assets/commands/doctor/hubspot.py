"""What ``ic-assets doctor`` looks at in HubSpot: the portal, the clock, the quota, what the token may. Reads only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.commands.budget import budgets
from ic_assets.commands.doctor.database import CLOCK_SECONDS
from ic_assets.commands.doctor.doctor import NOTE, OK, Found
from ic_assets.core.failures import Refused
from ic_assets.core.settings import HUBSPOT_URL, Settings
from ic_assets.hubspot.client.client import Declined, HubSpotClient, HubSpotTarget, MissingScopes, path
from ic_assets.hubspot.client.limits import rate_headers
from ic_assets.hubspot.client.replies import as_text, parsed
from ic_assets.hubspot.ledger.ledger import open_ledger
from ic_assets.hubspot.push.run import enter_portal
from ic_assets.resources import http
from ic_assets.resources.http import Bounds
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import Services

_RECORDS = ("contacts", "companies", "deals")
_TYPES = (*(activity.name for activity in ACTIVITY_TYPES), *_RECORDS)
# What a push needs beyond reading, as HubSpot documents it.
_WRITES = "crm.objects.contacts.write"
_SCHEMAS = {f"crm.schemas.{kind}.write" for kind in ("contacts", "companies", "deals", "tickets", "custom")}
_LOW_QUOTA = 0.1
_BOUNDS = Bounds(seconds=20.0)


def without_database(settings: Settings) -> Services:
    """For a look at HubSpot when PostgreSQL is out of reach."""
    return Services("", "", settings.hubspot_base_url or HUBSPOT_URL, settings.hubspot_token, hubspot_is_local=False)


def account(up: Services, settings: Settings) -> Found:
    if up.hubspot_base_url is None:
        raise Refused("no HubSpot is configured; set HUBSPOT_TOKEN, or unset HUBSPOT_BASE_URL for the local one")
    if up.hubspot_token is None:
        raise Refused("HUBSPOT_BASE_URL is set and HUBSPOT_TOKEN is not; set the token of that portal")
    try:
        with http.client(proxy=settings.https_proxy, bounds=_BOUNDS) as client:
            response = client.get(
                f"{up.hubspot_base_url}{path(settings.hubspot_api, 'account', 'details')}",
                headers={"Authorization": f"Bearer {up.hubspot_token}"},
            )
    except httpx.HTTPError as error:
        raise Refused(
            f"{up.hubspot_base_url} does not answer ({type(error).__name__}); "
            "check the address, the network and IC_HTTPS_PROXY"
        ) from error
    if response.status_code == 401:
        raise Refused(
            "the token is not accepted (401); set HUBSPOT_TOKEN to a valid private-app token or service key of that portal"
        )
    if response.status_code == 429:
        raise Refused(
            "HubSpot takes no more requests for now (429); wait, or let the other applications of the account pause"
        )
    if response.is_error:
        raise Refused(f"answered {response.status_code}; try again, or check the token's scopes")
    body = parsed(response.content)
    if not isinstance(body.get("portalId"), int):
        raise Refused(f"{up.hubspot_base_url} does not answer like HubSpot (no portalId); check HUBSPOT_BASE_URL")
    told_at = _date(response)
    if told_at is not None:
        drift = abs((datetime.now(UTC) - told_at).total_seconds())
        if drift > CLOCK_SECONDS:
            raise Refused(f"this machine's clock is {drift:.0f} s off HubSpot's; set it right (NTP)")
    named = as_text(body.get("accountType"))
    kind = f" ({named})" if named else ""
    yield (
        OK,
        f"portal {body['portalId']}{kind} at {up.hubspot_base_url}{' (local)' if up.hubspot_is_local else ''}, "
        f"API {settings.hubspot_api}, {settings.hubspot_rps:g} requests a second, clocks agree",
    )
    told = rate_headers(response.headers)
    left, limit = told.daily_remaining, told.daily
    if left is not None and limit and left < limit * _LOW_QUOTA:
        yield NOTE, f"{left:,} of {limit:,} requests are left today; a push stops by itself when they are used up"
    if told.nonsense:
        yield NOTE, f"rate headers that make no sense are not believed: {', '.join(sorted(told.nonsense))}"


def scopes(up: Services, settings: Settings) -> Found:
    """One list of one record per type, within the shared budget. What may be written cannot be tried without writing."""
    granted = _granted(up, settings)
    lacking = asyncio.run(_lacking(up, settings))
    if lacking:
        missing = sorted({scope for refusal in lacking.values() for scope in refusal})
        raise Refused(
            f"the token may not read {', '.join(lacking)}; add {', '.join(missing) or 'the scopes of these types'} "
            "to the private app or service key"
        )
    if granted is None:
        yield OK, f"reads all {len(_TYPES)} types; whether it may write shows in `ic-assets hubspot setup`"
        return
    if _WRITES not in granted:
        raise Refused(f"the token may not write: add {_WRITES} to the private app")
    yield OK, f"reads all {len(_TYPES)} types and may write"
    if not granted & _SCHEMAS:
        yield (
            NOTE,
            "the token may not create properties (crm.schemas.*.write): fine once `ic-assets hubspot setup` was run",
        )
    if "sales-email-read" not in granted:
        yield NOTE, "the token lacks sales-email-read: the content of e-mails cannot be read back"


def budget(up: Services, settings: Settings) -> Found:
    """What holds requests back, before the first one that goes by it."""
    with connected(up.postgres_url, settings) as connection:
        known = budgets(connection)
    for one in known:
        hint = "; `ic-assets hubspot budget --reset` forgets what HubSpot told" if one.holds_back else ""
        yield NOTE if one.holds_back else OK, f"{one}{hint}"
    if not known:
        yield OK, f"{settings.hubspot_rps:g} requests a second; no portal has been asked yet"


def id_property(up: Services, settings: Settings) -> Found:
    """What `hubspot setup` found out about the unique property in this portal."""
    with connected(up.postgres_url, settings) as connection:
        rows = connection.execute(
            "SELECT p.object_type, p.is_unique AND p.is_enforced FROM hubspot.portal_property AS p"
            " INNER JOIN hubspot.portal AS known ON known.portal_id = p.portal_id"
            " WHERE known.base_url = %s AND p.property_name = %s",
            (up.hubspot_base_url, settings.hubspot_id_property),
        ).fetchall()
    known = dict(rows)
    missing = [activity.name for activity in ACTIVITY_TYPES if activity.name not in known]
    weak = sorted(name for name, is_enforced in known.items() if not is_enforced)
    if missing:
        yield (
            OK,
            f"{settings.hubspot_id_property} is not set up for {', '.join(missing)}; the first push does that",
        )
    if weak:
        yield NOTE, f"the portal does not enforce that {settings.hubspot_id_property} is unique on {', '.join(weak)}"
    if not missing and not weak:
        yield OK, f"{settings.hubspot_id_property} is there on all seven types, unique and enforced"


def _granted(up: Services, settings: Settings) -> set[str] | None:
    """The scopes of a private-app token by HubSpot's own account; None where it does not say (service keys)."""
    try:
        with http.client(proxy=settings.https_proxy, bounds=_BOUNDS) as client:
            response = client.post(
                f"{up.hubspot_base_url}/oauth/v2/private-apps/get/access-token-info",
                json={"tokenKey": up.hubspot_token},
            )
    except httpx.HTTPError:
        return None
    found = parsed(response.content).get("scopes") if response.is_success else None
    return {str(scope) for scope in found} if isinstance(found, list) else None


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


async def _lacking(up: Services, settings: Settings) -> dict[str, list[str]]:
    """Types that the token may not read, and the scopes that HubSpot names."""
    lacking: dict[str, list[str]] = {}
    target = HubSpotTarget(
        str(up.hubspot_base_url),
        up.hubspot_token,
        settings.hubspot_api,
        settings.hubspot_id_property,
        settings.hubspot_rps,
        timeout=_BOUNDS.seconds,
        proxy=settings.https_proxy,
    )
    async with open_ledger(up.postgres_url) as ledger:
        client = HubSpotClient(target)
        opened: list[Any] = []
        try:
            await enter_portal(up.postgres_url, ledger, client, asyncio.sleep, opened)
            for name in _TYPES:
                url = f"{path(target.api, 'objects', name)}?limit=1&properties=hs_object_id"
                try:
                    await client.send("GET", url, operation="look", object_type=name)
                except MissingScopes as refusal:
                    lacking[name] = refusal.scopes
                except Declined as refusal:
                    raise Refused(f"HubSpot refuses to list {name} ({refusal}); check IC_HUBSPOT_API") from refusal
        finally:
            await client.close()
            for connection in opened:
                await connection.close()
    return lacking
