"""The project's environment variables, read in one place (DESIGN section 6 of the contract; README lists them).

Nothing here is read at import: ``Settings.from_env()`` is called by a command or a resource when it starts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ic_assets.core.failures import Refused
from ic_assets.core.windows import partitions_start

HUBSPOT_URL = "https://api.hubapi.com"
DATE_ORDERS = ("YMD", "DMY", "MDY")
HUBSPOT_APIS = ("v3", "2026-03", "2026-09")
MISSING_ASSOCIATION = ("fail", "drop")


@dataclass(frozen=True)
class Settings:
    """The environment, checked. ``from_env`` raises ``Refused`` naming the variable and what it may be."""

    home: Path
    postgres_url: str | None
    drop_dir: Path
    source_timezone: str = "UTC"
    reference_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    date_order: str = "YMD"
    own_email: str | None = None
    hubspot_base_url: str | None = None
    hubspot_token: str | None = field(default=None, repr=False)
    hubspot_rps: float = 10.0
    hubspot_api: str = "v3"
    hubspot_id_property: str = "ic_communication_id"
    hubspot_missing_association: str = "fail"

    @classmethod
    def from_env(cls) -> Settings:
        partitions_start()
        home = Path(_get("IC_HOME") or ".ic_assets").expanduser().absolute()
        return cls(
            home=home,
            postgres_url=_get("IC_POSTGRES_URL"),
            drop_dir=Path(_get("IC_DROP_DIR") or home / "drop").expanduser().absolute(),
            source_timezone=_timezone(_get("IC_SOURCE_TIMEZONE") or "UTC"),
            reference_time=_instant(_get("IC_REFERENCE_TIME")),
            date_order=_one_of("IC_DATE_ORDER", DATE_ORDERS),
            own_email=_get("IC_OWN_EMAIL"),
            hubspot_base_url=_get("HUBSPOT_BASE_URL"),
            hubspot_token=_get("HUBSPOT_TOKEN"),
            hubspot_rps=_rps(_get("IC_HUBSPOT_RPS")),
            hubspot_api=_one_of("IC_HUBSPOT_API", HUBSPOT_APIS),
            hubspot_id_property=_id_property(_get("IC_HUBSPOT_ID_PROPERTY") or "ic_communication_id"),
            hubspot_missing_association=_one_of("IC_HUBSPOT_MISSING_ASSOCIATION", MISSING_ASSOCIATION),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.source_timezone)

    @property
    def uses_local_hubspot(self) -> bool:
        """Without a token and without an address the local HubSpot is the target."""
        return self.hubspot_token is None and self.hubspot_base_url is None


def _get(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return value or None


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(f"IC_SOURCE_TIMEZONE={name!r} is not a time zone; use a name such as Europe/Berlin") from error
    return name


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(
            f"IC_REFERENCE_TIME={text!r} is not a time; use ISO 8601, for example 2026-01-31T12:00:00Z"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _one_of(name: str, allowed: tuple[str, ...]) -> str:
    value = _get(name) or allowed[0]
    if value not in allowed:
        raise Refused(f"{name}={value!r} is not one of {', '.join(allowed)}")
    return value


def _rps(text: str | None) -> float:
    try:
        value = float(text) if text else 10.0
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise Refused(f"IC_HUBSPOT_RPS={text!r} is not a number of requests a second above 0 and up to 1000")
    return value


def _id_property(name: str) -> str:
    if not (name[:1].isalpha() and name.replace("_", "").isalnum() and name.isascii() and name == name.lower()):
        raise Refused(
            f"IC_HUBSPOT_ID_PROPERTY={name!r} is not a HubSpot property name: small letters, digits and _, a letter first"
        )
    return name
