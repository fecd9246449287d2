"""``ic-assets doctor``: looks at everything that a load or a push rests on and says what is wrong and what to do."""

import platform
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ic_assets.activities.engine.schema_check import schema_problems
from ic_assets.activities.engine.stages import out_of_date
from ic_assets.commands.terminal import counted, out
from ic_assets.core import schema
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.core.windows import partitions_end, partitions_start
from ic_assets.resources.hubspot import path
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import Services, services

_LEAST_FREE_GIB = 2
_CLOCK_SECONDS = 60


def doctor() -> int:
    """Returns 0 when nothing is wrong, else 1."""
    problems = 0

    def look(what: str, find: Callable[[], str]) -> None:
        nonlocal problems
        try:
            found = find()
            state = "ok"
        except Refused as refused:
            problems += 1
            found, state = str(refused), "WRONG"
        out.print(f"{state:6}{what}: {found}", markup=False)

    look("Python", _python)
    look("settings", lambda: _settings(Settings.from_env()))
    try:
        settings = Settings.from_env()
    except Refused:
        return 1
    look("disk", lambda: _disk(settings))
    try:
        with services(settings, hubspot=True) as up:
            look("PostgreSQL", lambda: _postgres(up))
            look("schema", lambda: _schema(up, settings))
            look("months", lambda: _months(up, settings))
            look("HubSpot", lambda: _hubspot(up, settings))
    except Refused as refused:
        problems += 1
        out.print(f"WRONG services: {refused}", markup=False)
    out.print("Nothing is wrong." if not problems else f"{counted(problems, 'thing')} to look at.")
    return 1 if problems else 0


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Refused(f"{platform.python_version()} is not supported; use 3.11, 3.12 or 3.13")
    return platform.python_version()


def _settings(settings: Settings) -> str:
    return (
        f"IC_HOME {settings.home}, months {partitions_start():%Y-%m} to {partitions_end():%Y-%m} (excluded), "
        f"source time zone {settings.source_timezone}, date order {settings.date_order}"
    )


def _disk(settings: Settings) -> str:
    folder = next(parent for parent in (settings.home, *settings.home.parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if free < _LEAST_FREE_GIB:
        raise Refused(f"{free:.1f} GiB free at {folder}; make room, a load needs about six times the size of its file")
    return f"{free:.0f} GiB free"


def _postgres(up: Services) -> str:
    with connected(up.postgres_url, Settings.from_env()) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database())),"
            " current_setting('fsync')"
        ).fetchone() or ("?", "?", "?")
    if row[2] != "on":
        raise Refused("fsync is off: a power cut would lose the ledger; switch it on")
    return f"{row[0]}, {row[1]}"


def _schema(up: Services, settings: Settings) -> str:
    revision, newest = schema.current(up.postgres_url)
    schema.ensure(up.postgres_url)
    with connected(up.postgres_url, settings) as connection:
        problems = schema_problems(connection)
    if problems:
        raise Refused(" ".join(problems))
    return f"revision {newest}" + ("" if revision == newest else f" (was {revision or 'empty'}, upgraded now)")


def _months(up: Services, settings: Settings) -> str:
    with connected(up.postgres_url, settings) as connection:
        waiting = out_of_date(connection)
    if waiting:
        raise Refused(
            f"{counted(len(waiting), 'month')} half-way, {waiting[0][0]:%Y-%m} to {waiting[-1][0]:%Y-%m}: "
            "run `ic-assets load`, it goes on from there"
        )
    return "all up to date"


def _hubspot(up: Services, settings: Settings) -> str:
    if up.hubspot_base_url is None:
        raise Refused("no HubSpot is configured")
    if up.hubspot_token is None:
        raise Refused("HUBSPOT_BASE_URL is set and HUBSPOT_TOKEN is not; set the token of that portal")
    try:
        response = httpx.get(
            f"{up.hubspot_base_url}{path(settings.hubspot_api, 'account', 'details')}",
            headers={"Authorization": f"Bearer {up.hubspot_token}"},
            timeout=20,
        )
    except httpx.HTTPError as error:
        raise Refused(f"{up.hubspot_base_url} does not answer ({type(error).__name__}); check the address") from error
    if response.status_code == 401:
        raise Refused("the token is not accepted; set HUBSPOT_TOKEN to a valid private-app token or service key")
    if response.is_error:
        raise Refused(f"answered {response.status_code}; try again, or check the token's scopes")
    if "date" in response.headers:
        drift = abs((datetime.now(UTC) - parsedate_to_datetime(response.headers["date"])).total_seconds())
        if drift > _CLOCK_SECONDS:
            raise Refused(f"this machine's clock is {drift:.0f} s off HubSpot's; set it right")
    portal = response.json().get("portalId")
    return f"portal {portal} at {up.hubspot_base_url}{' (local)' if up.hubspot_is_local else ''}"
