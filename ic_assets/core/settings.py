"""The project's environment variables, read in one place (DESIGN section 6 of the contract; README lists them).

Nothing here is read at import: ``Settings.from_env()`` is called by a command or a resource when it starts.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from ic_assets.core.failures import Refused
from ic_assets.core.hosts import is_loopback
from ic_assets.core.masking import checked_secret
from ic_assets.core.months import DEFAULT_START, checked_start

HUBSPOT_URL = "https://api.hubapi.com"
DATE_ORDERS = ("YMD", "DMY", "MDY")
HUBSPOT_APIS = ("v3", "2026-03", "2026-09")
TASK_DUE = ("end", "datetime")
MISSING_ASSOCIATION = ("fail", "drop")
ZERO_IDS = ("missing", "keep")
EXECUTORS = ("in_process", "celery", "k8s")
BROKERS = ("redis", "rediss", "amqp", "amqps")


def _get(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return value or None


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _token(text: str) -> str | None:
    return checked_secret("HUBSPOT_TOKEN", text)


def _proxy(url: str) -> str:
    """The proxy of all https requests to other machines: an address without a path."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"[!-~]+", url) or parts.path.strip("/") or parts.query:
        # Not repeated: it may hold a password.
        raise Refused("IC_HTTPS_PROXY is not the address of a proxy such as http://user:password@proxy.example:3128")
    return url


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"[!-~]+", url):
        # Not repeated: it may hold a password.
        raise Refused(f"HUBSPOT_BASE_URL is not an address such as {HUBSPOT_URL}; unset it for HubSpot itself")
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise Refused("HUBSPOT_BASE_URL is http:// to another machine: the token would go in clear; use https://")
    return url.rstrip("/")


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(f"IC_SOURCE_TIMEZONE={name!r} is not a time zone; use a name such as Europe/Berlin") from error
    return name


# Python's codecs for other things than the text of a file.
_NO_ENCODINGS = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7")


def _encoding(name: str) -> str:
    """Python's name of the codec."""
    try:
        found = codecs.lookup(name).name.replace("utf-8-sig", "utf-8")
        usable = found.replace("_", "-") not in {other.replace("_", "-") for other in _NO_ENCODINGS}
        if usable and "Comm_Type,\n".encode(found).decode(found) == "Comm_Type,\n":
            return found
    except (LookupError, ValueError, AttributeError, TypeError):  # what is no codec of text fails in all these ways
        pass
    raise Refused(
        f"IC_ENCODING={name!r} is no encoding that Python knows; use a name such as cp1250, latin9 or shift_jis"
    )


def _email(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Refused(f"IC_OWN_EMAIL={address!r} is not an e-mail address: {error}") from error
    return address


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(
            f"IC_REFERENCE_TIME={text!r} is not a time; use ISO 8601, for example 2026-01-31T12:00:00Z"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _one_of(name: str, allowed: tuple[str, ...]) -> BeforeValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise Refused(f"{name}={value!r} is not one of {', '.join(allowed)}")
        return value

    return BeforeValidator(check)


def _rps(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise Refused(f"IC_HUBSPOT_RPS={text!r} is not a number of requests a second above 0 and up to 1000")
    return value


def _lock_days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3650):
        raise Refused(f"IC_MANUAL_LOCK_DAYS={text!r} is not a number of days from 1 to 3650")
    return int(text)


def _id_property(name: str) -> str:
    if not (name[:1].isalpha() and name.replace("_", "").isalnum() and name.isascii() and name == name.lower()):
        raise Refused(
            f"IC_HUBSPOT_ID_PROPERTY={name!r} is not a HubSpot property name: small letters, digits and _, a letter first"
        )
    return name


def _broker(url: str) -> str:
    if url.partition("://")[0] not in BROKERS or not re.fullmatch(r"[!-~]+", url):
        # Not repeated: it may hold a password.
        raise Refused(f"IC_CELERY_BROKER is not an address that starts with {', '.join(f'{b}://' for b in BROKERS)}")
    return url


def _takeover(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86_400:
        raise Refused(f"IC_CELERY_TAKEOVER_SECONDS={text!r} is not a number of seconds from 1 to 86400")
    return value


def _web_address(name: str, value: str) -> str:
    if not (re.fullmatch(r"https?://[!-~]+", value) and value.partition("://")[2].strip("/")):
        # Not repeated: the address of a webhook is a secret.
        raise Refused(f"{name} is not an address that starts with https:// or http://")
    return value


T = TypeVar("T")


def _read(check: Callable[[str], T]) -> BeforeValidator:
    """Reads a variable's text; what code passes as another type is taken as it is."""
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


def _variable(name: str, default: Any = ..., *, is_secret: bool = False) -> Any:
    """The field that the variable ``name`` sets. One that holds a secret is not in the representation."""
    return Field(default, validation_alias=name, repr=not is_secret)


class _Environment(BaseSettings):
    """Variables of one purpose. Made in code it holds what it is given, and defaults; ``from_env`` alone reads variables."""

    model_config = SettingsConfigDict(
        frozen=True, case_sensitive=True, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @classmethod
    def from_env(cls) -> Self:
        """Raises ``Refused`` naming the variable and what it may be. An empty variable is one that is not set."""
        found = {name: str(value).strip() for name, value in EnvSettingsSource(cls)().items()}
        return cls(**{name: value for name, value in found.items() if value})


class Settings(_Environment):
    """The environment, checked."""

    home: Annotated[Path, _read(_folder)] = Field(default_factory=lambda: home_folder(), validation_alias="IC_HOME")
    postgres_url: str | None = _variable("IC_POSTGRES_URL", None, is_secret=True)
    drop_dir: Annotated[Path, _read(_folder)] = Field(
        default_factory=lambda others: others["home"] / "drop", validation_alias="IC_DROP_DIR"
    )
    source_timezone: Annotated[str, _read(_timezone)] = _variable("IC_SOURCE_TIMEZONE", "UTC")
    reference_time: Annotated[datetime, _read(_instant)] = Field(
        default_factory=lambda: datetime.now(UTC), validation_alias="IC_REFERENCE_TIME"
    )
    date_order: Annotated[str, _one_of("IC_DATE_ORDER", DATE_ORDERS)] = _variable("IC_DATE_ORDER", "YMD")
    encoding: Annotated[str | None, _read(_encoding)] = _variable("IC_ENCODING", None)
    zero_ids: Annotated[str, _one_of("IC_ZERO_IDS", ZERO_IDS)] = _variable("IC_ZERO_IDS", "missing")
    own_email: Annotated[str | None, _read(_email)] = _variable("IC_OWN_EMAIL", None)
    task_due: Annotated[str, _one_of("IC_TASK_DUE", TASK_DUE)] = _variable("IC_TASK_DUE", "end")
    hubspot_base_url: Annotated[str | None, _read(_base_url)] = _variable("HUBSPOT_BASE_URL", None)
    hubspot_token: Annotated[str | None, _read(_token)] = _variable("HUBSPOT_TOKEN", None, is_secret=True)
    hubspot_rps: Annotated[float, _read(_rps)] = _variable("IC_HUBSPOT_RPS", 10.0)
    hubspot_api: Annotated[str, _one_of("IC_HUBSPOT_API", HUBSPOT_APIS)] = _variable("IC_HUBSPOT_API", "v3")
    hubspot_id_property: Annotated[str, _read(_id_property)] = _variable(
        "IC_HUBSPOT_ID_PROPERTY", "ic_communication_id"
    )
    hubspot_missing_association: Annotated[str, _one_of("IC_HUBSPOT_MISSING_ASSOCIATION", MISSING_ASSOCIATION)] = (
        _variable("IC_HUBSPOT_MISSING_ASSOCIATION", "fail")
    )
    manual_lock_days: Annotated[int, _read(_lock_days)] = _variable("IC_MANUAL_LOCK_DAYS", 90)
    https_proxy: Annotated[str | None, _read(_proxy)] = _variable("IC_HTTPS_PROXY", None, is_secret=True)
    partitions_start: Annotated[date, _read(checked_start)] = Field(
        default_factory=lambda: checked_start(""), validation_alias="IC_PARTITIONS_START"
    )

    @property
    def keep_zero_ids(self) -> bool:
        return self.zero_ids == "keep"

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.source_timezone)

    @property
    def reading(self) -> str:
        """How drops are read, as it is recorded with each: under other settings the same content is another drop."""
        # Left out as the default: drops were recorded without it before.
        is_default = self.partitions_start == date.fromisoformat(DEFAULT_START)
        start = "" if is_default else f" IC_PARTITIONS_START={self.partitions_start}"
        return (
            f"IC_ENCODING={self.encoding or ''} IC_DATE_ORDER={self.date_order} "
            f"IC_SOURCE_TIMEZONE={self.source_timezone} IC_ZERO_IDS={self.zero_ids}{start}"
        )

    @property
    def uses_local_hubspot(self) -> bool:
        """Without a token and without an address the local HubSpot is the target."""
        return self.hubspot_token is None and self.hubspot_base_url is None


class Execution(_Environment):
    """Where the steps of a run are executed (docs/scaling.md). Read when definitions load, and by a Celery worker."""

    executor: Annotated[str, _one_of("IC_EXECUTOR", EXECUTORS)] = _variable("IC_EXECUTOR", "in_process")
    celery_broker: Annotated[str | None, _read(_broker)] = _variable("IC_CELERY_BROKER", None, is_secret=True)
    celery_takeover_seconds: Annotated[float, _read(_takeover)] = _variable("IC_CELERY_TAKEOVER_SECONDS", 3600.0)


class Alerts(_Environment):
    """Where failures are posted (docs/runbook.md, Alerts). Read by the two sensors that post, so that a wrong value stops
    neither a run nor a command."""

    # Whoever knows it may post there.
    webhook_url: Annotated[str | None, _read(lambda url: _web_address("IC_ALERT_WEBHOOK_URL", url))] = _variable(
        "IC_ALERT_WEBHOOK_URL", None, is_secret=True
    )
    ui_url: Annotated[str | None, _read(lambda url: _web_address("IC_UI_URL", url).rstrip("/"))] = _variable(
        "IC_UI_URL", None
    )


def https_proxy() -> str | None:
    """``IC_HTTPS_PROXY``, for what has no settings yet. Raises ``Refused``."""
    url = _get("IC_HTTPS_PROXY")
    return None if url is None else _proxy(url)


def home_folder() -> Path:
    """``IC_HOME``: the embedded server, the drop folder, and files of one's own that go before the packaged ones."""
    return _folder(_get("IC_HOME") or ".ic_assets")


RULES_FOLDERS = {
    "activities": "IC_ACTIVITIES_RULES",
    "crm": "IC_CRM_RULES",
    "payments": "IC_PAYMENTS_RULES",
    "attribution": "IC_ATTRIBUTION_RULES",
    "funnel": "IC_FUNNEL_RULES",
    "conversions": "IC_CONVERSIONS_RULES",
    "hubspot_sync": "IC_HUBSPOT_SYNC_RULES",
    "sinks": "IC_SINKS_RULES",
}


def rules_folder(flow: str) -> Path:
    """Where a company's own rule files of a flow stand; one that stands there goes before the packaged one. Raises
    ``Refused`` for a folder that is not there."""
    variable = RULES_FOLDERS.get(flow)
    if variable and (named := _get(variable)):
        folder = _folder(named)
        if not folder.is_dir():
            raise Refused(f"{variable}={named!r} is no folder; name the one with your rule files, or unset it")
        return folder
    # The files of the first flow have always stood in the folder itself.
    return home_folder() if flow in ("activities", "") else home_folder() / "rules" / flow


def fixed_time() -> datetime | None:
    """``IC_REFERENCE_TIME`` where it is set: the "now" of a run that is to give what it gave then. None: each transaction
    takes the database's clock. Raises ``Refused``."""
    text = _get("IC_REFERENCE_TIME")
    return None if text is None else _instant(text)
