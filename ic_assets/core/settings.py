"""The project's environment variables, read in one place (DESIGN section 6 of the contract; README lists them).

Nothing here is read at import: ``Settings.from_env()`` is called by a command or a resource when it starts.
"""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ic_assets.core.failures import Refused
from ic_assets.core.hosts import is_loopback
from ic_assets.core.masking import checked_secret
from ic_assets.core.months import partitions_start

HUBSPOT_URL = "https://api.hubapi.com"
DATE_ORDERS = ("YMD", "DMY", "MDY")
HUBSPOT_APIS = ("v3", "2026-03", "2026-09")
TASK_DUE = ("end", "datetime")
MISSING_ASSOCIATION = ("fail", "drop")
ZERO_IDS = ("missing", "keep")
EXECUTORS = ("in_process", "celery", "k8s")
BROKERS = ("redis", "rediss", "amqp", "amqps")


@dataclass(frozen=True)
class Settings:
    """The environment, checked. ``from_env`` raises ``Refused`` naming the variable and what it may be."""

    home: Path
    postgres_url: str | None
    drop_dir: Path
    source_timezone: str = "UTC"
    reference_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    date_order: str = "YMD"
    encoding: str | None = None
    keep_zero_ids: bool = False
    own_email: str | None = None
    task_due: str = "end"
    hubspot_base_url: str | None = None
    hubspot_token: str | None = field(default=None, repr=False)
    hubspot_rps: float = 10.0
    hubspot_api: str = "v3"
    hubspot_id_property: str = "ic_communication_id"
    hubspot_missing_association: str = "fail"
    https_proxy: str | None = field(default=None, repr=False)  # it may hold a password

    @classmethod
    def from_env(cls) -> Settings:
        partitions_start()
        home = home_folder()
        return cls(
            home=home,
            postgres_url=_get("IC_POSTGRES_URL"),
            drop_dir=Path(_get("IC_DROP_DIR") or home / "drop").expanduser().absolute(),
            source_timezone=_timezone(_get("IC_SOURCE_TIMEZONE") or "UTC"),
            reference_time=_instant(_get("IC_REFERENCE_TIME")),
            date_order=_one_of("IC_DATE_ORDER", DATE_ORDERS),
            encoding=_encoding(_get("IC_ENCODING")),
            keep_zero_ids=_one_of("IC_ZERO_IDS", ZERO_IDS) == "keep",
            own_email=_email(_get("IC_OWN_EMAIL")),
            task_due=_one_of("IC_TASK_DUE", TASK_DUE),
            hubspot_base_url=_base_url(_get("HUBSPOT_BASE_URL")),
            hubspot_token=checked_secret("HUBSPOT_TOKEN", _get("HUBSPOT_TOKEN")),
            hubspot_rps=_rps(_get("IC_HUBSPOT_RPS")),
            hubspot_api=_one_of("IC_HUBSPOT_API", HUBSPOT_APIS),
            hubspot_id_property=_id_property(_get("IC_HUBSPOT_ID_PROPERTY") or "ic_communication_id"),
            hubspot_missing_association=_one_of("IC_HUBSPOT_MISSING_ASSOCIATION", MISSING_ASSOCIATION),
            https_proxy=https_proxy(),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.source_timezone)

    @property
    def reading(self) -> str:
        """How drops are read, as it is recorded with each: under other settings the same content is another drop."""
        zero_ids = "keep" if self.keep_zero_ids else "missing"
        return (
            f"IC_ENCODING={self.encoding or ''} IC_DATE_ORDER={self.date_order} "
            f"IC_SOURCE_TIMEZONE={self.source_timezone} IC_ZERO_IDS={zero_ids}"
        )

    @property
    def uses_local_hubspot(self) -> bool:
        """Without a token and without an address the local HubSpot is the target."""
        return self.hubspot_token is None and self.hubspot_base_url is None


@dataclass(frozen=True)
class Execution:
    """Where the steps of a run are executed (docs/scaling.md). Read when definitions load, and by a Celery worker."""

    executor: str = "in_process"
    celery_broker: str | None = field(default=None, repr=False)  # it may hold a password
    celery_takeover_seconds: float = 3600.0

    @classmethod
    def from_env(cls) -> Execution:
        """Raises ``Refused`` naming the variable and what it may be."""
        return cls(
            executor=_one_of("IC_EXECUTOR", EXECUTORS),
            celery_broker=_broker(_get("IC_CELERY_BROKER")),
            celery_takeover_seconds=_takeover(_get("IC_CELERY_TAKEOVER_SECONDS")),
        )


@dataclass(frozen=True)
class Alerts:
    """Where failures are posted (docs/runbook.md, Alerts). Read by the two sensors that post, so that a wrong value stops
    neither a run nor a command."""

    webhook_url: str | None = field(default=None, repr=False)  # whoever knows it may post there
    ui_url: str | None = None

    @classmethod
    def from_env(cls) -> Alerts:
        """Raises ``Refused`` naming the variable and what it may be."""
        return cls(
            webhook_url=_web_address("IC_ALERT_WEBHOOK_URL"),
            ui_url=(_web_address("IC_UI_URL") or "").rstrip("/") or None,
        )


def https_proxy() -> str | None:
    """``IC_HTTPS_PROXY``, the proxy of all https requests to other machines: an address without a path. Secret, since it
    may hold a password. Raises ``Refused``."""
    url = _get("IC_HTTPS_PROXY")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"[!-~]+", url) or parts.path.strip("/") or parts.query:
        # Not repeated: it may hold a password.
        raise Refused("IC_HTTPS_PROXY is not the address of a proxy such as http://user:password@proxy.example:3128")
    return url


def home_folder() -> Path:
    """``IC_HOME``: the embedded server, the drop folder, and files of one's own that go before the packaged ones."""
    return Path(_get("IC_HOME") or ".ic_assets").expanduser().absolute()


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
        folder = Path(named).expanduser().absolute()
        if not folder.is_dir():
            raise Refused(f"{variable}={named!r} is no folder; name the one with your rule files, or unset it")
        return folder
    # The files of the first flow have always stood in the folder itself.
    return home_folder() if flow in ("activities", "") else home_folder() / "rules" / flow


def manual_lock_days() -> int:
    """``IC_MANUAL_LOCK_DAYS``: for how many days a person's edit in HubSpot keeps the flows from a field. Raises
    ``Refused``."""
    text = _get("IC_MANUAL_LOCK_DAYS") or "90"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3650):
        raise Refused(f"IC_MANUAL_LOCK_DAYS={text!r} is not a number of days from 1 to 3650")
    return int(text)


def fixed_time() -> datetime | None:
    """``IC_REFERENCE_TIME`` where it is set: the time of a run that is to give what it gave then. None: each transaction
    takes the database's clock. Raises ``Refused``."""
    text = _get("IC_REFERENCE_TIME")
    return _instant(text) if text else None


def _get(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return value or None


def _base_url(url: str | None) -> str | None:
    if url is None:
        return None
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


def _encoding(name: str | None) -> str | None:
    """Python's name of the codec."""
    if name is None:
        return None
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


def _email(address: str | None) -> str | None:
    if address is None:
        return None
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Refused(f"IC_OWN_EMAIL={address!r} is not an e-mail address: {error}") from error
    return address


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


def _broker(url: str | None) -> str | None:
    if url and (url.partition("://")[0] not in BROKERS or not re.fullmatch(r"[!-~]+", url)):
        # Not repeated: it may hold a password.
        raise Refused(f"IC_CELERY_BROKER is not an address that starts with {', '.join(f'{b}://' for b in BROKERS)}")
    return url


def _takeover(text: str | None) -> float:
    try:
        value = float(text) if text else 3600.0
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86_400:
        raise Refused(f"IC_CELERY_TAKEOVER_SECONDS={text!r} is not a number of seconds from 1 to 86400")
    return value


def _web_address(name: str) -> str | None:
    value = _get(name)
    if value and not (re.fullmatch(r"https?://[!-~]+", value) and value.partition("://")[2].strip("/")):
        # Not repeated: the address of a webhook is a secret.
        raise Refused(f"{name} is not an address that starts with https:// or http://")
    return value
