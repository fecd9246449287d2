"""Which HubSpot is talked to, where its API is, and what is kept of each request. No HTTP here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote


@dataclass(frozen=True)
class HubSpotTarget:
    """Which HubSpot, with which token and budget. ``timeout`` in seconds, per request."""

    base_url: str
    token: str | None = field(repr=False)
    api: str = "v3"
    id_property: str = "ic_communication_id"
    rps: float = 10.0
    timeout: float = 60.0
    proxy: str | None = field(default=None, repr=False)  # it may hold a password


def path(api: str, family: str, *tail: str) -> str:
    """The path of one of HubSpot's API families (objects, properties, associations, account) in one version.

    v3 pairs with associations v4; the dated versions put the version behind the family.
    """
    end = "".join(f"/{quote(part, safe='/')}" for part in tail)
    if family == "account":
        return f"/account-info/v3{end}"
    if api == "v3":
        return f"/crm/{'v4' if family == 'associations' else 'v3'}/{family}{end}"
    return f"/crm/{family}/{api}{end}"


@dataclass(frozen=True)
class RequestRecord:
    """One request as the report wants it. ``status`` None: no answer came."""

    sent_at: datetime
    operation: str
    object_type: str | None
    inputs: int
    status: int | None
    milliseconds: float


@dataclass(frozen=True)
class Portal:
    portal_id: int
    time_zone: str
    account_type: str | None
