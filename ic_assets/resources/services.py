"""The services that a command needs (PostgreSQL, and HubSpot or the local HubSpot): started, shared and stopped.

Commands that run at the same time share one embedded server and one local HubSpot. Each holds a shared lock on
``$IC_HOME/run/users.lock``; the last to leave finds itself alone and stops them. ``start.lock`` is held for as long
as anything starts or stops. The kernel drops the locks of a killed command, so that the count is never wrong; what
it left running is found and adopted by the next command. A program that a command starts does not
inherit the locks (Python opens files close-on-exec): a leftover child must not keep the servers up.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ic_assets.core import locks, masking, processes, session
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.settings import HUBSPOT_URL, Settings
from ic_assets.resources.embedded.messages import telling_line
from ic_assets.resources.embedded.processes import keep
from ic_assets.resources.embedded.server import EmbeddedPostgres
from ic_assets.resources.private_file import write_private

# Processes of this name carry runs: a run is dead when none of them is connected. A Celery worker has another name, since
# it outlives the runs whose steps it executes.
PROGRAM = "ic-assets"
DAGSTER_SCHEMA = "ic_dagster"
# How long Dagster's transactions last is its own affair; each event is one, and the last half second may be lost.
_DAGSTER = {"idle_in_transaction_session_timeout": "0", "synchronous_commit": "off"}
_OLDEST_POSTGRES = 15
_UNESCAPED = re.compile(r"[/?#@\[\]]|%(?![0-9A-Fa-f]{2})")
_SANDBOX_START_SECONDS = 30.0
# Of the first home of a machine; another one gets a free port, and keeps it too.
_SANDBOX_PORT = 8090
# Parameters and variables of libpq that name files, and other variables that do.
_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir", "passfile")
_PATHS = (
    *(f"PG{name.upper()}" for name in _FILES),
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


@dataclass(frozen=True)
class Services:
    """Where the services are. Addresses of PostgreSQL are libpq's (``postgresql://…``) with the password in them. Dagster's
    is ``session.pinned`` already, with its own schema in the search path: ``psycopg.connect`` takes it as it is."""

    postgres_url: str = field(repr=False)
    dagster_postgres_url: str = field(repr=False)
    hubspot_base_url: str | None
    hubspot_token: str | None = field(repr=False)
    hubspot_is_local: bool


@contextmanager
def services(settings: Settings, *, hubspot: bool = False, looks: bool = False) -> Iterator[Services]:
    """Everything up for as long as the block lasts. Nothing is started that ``settings`` points elsewhere; the
    local HubSpot only with ``hubspot``. With ``looks`` nothing is made in a PostgreSQL of the user's. Raises
    ``Unavailable`` with one line."""
    local_hubspot = hubspot and settings.uses_local_hubspot
    if settings.postgres_url:
        _check_external(settings.postgres_url, makes=not looks)
    home = _Home(settings.home)
    with home.shared():
        with home.changing():
            if not settings.postgres_url:
                home.postgres.start()
            if local_hubspot:
                home.sandbox.start()
            found = _found(settings)
        yield found


def running(settings: Settings) -> Services | None:
    """What is up now; starts nothing and connects to nothing. None when the embedded PostgreSQL is not up."""
    try:
        return _found(settings)
    except Unavailable:
        return None


def process_name() -> str:
    """The name under which this process is connected to Dagster's database, on whatever machine it is."""
    return f"{_processes()}{os.getpid()}"


def process_of(name: str) -> int | None:
    """The process with this name, when it is one of this machine."""
    number = name.removeprefix(_processes())
    return int(number) if number != name and number.isdigit() else None


def _processes() -> str:
    return f"{PROGRAM}-{platform.node()[:36]}-"  # PostgreSQL cuts the whole off after 63 bytes


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment for Dagster's processes, which do what commands do: the user's own, with every path in it absolute,
    since they do not stand in the user's folder. They find the services through ``IC_HOME`` with ``running``."""
    paths = {name: str(Path(os.environ[name]).absolute()) for name in _PATHS if os.environ.get(name)}
    found = {**os.environ, **paths, "IC_HOME": str(settings.home), "IC_DROP_DIR": str(settings.drop_dir)}
    if settings.postgres_url:
        found["IC_POSTGRES_URL"] = _with_absolute_files(settings.postgres_url)
    return processes.safe(found)


def _with_absolute_files(url: str) -> str:
    for name, value in parse_qsl(urlsplit(url).query):
        # "system": the certificates of the machine.
        if name in _FILES and value and not (value == "system" and name == "sslrootcert"):
            url = session.with_parameter(url, name, str(Path(value).absolute()))
    return url


def _found(settings: Settings) -> Services:
    home = _Home(settings.home)
    if settings.postgres_url:
        postgres_url = libpq_url(settings.postgres_url)
        dagster_url = session.pinned(postgres_url, {**_DAGSTER, "search_path": DAGSTER_SCHEMA})
    else:
        server = home.postgres.running()
        if server is None:
            raise Unavailable("PostgreSQL is not up; start `ic-assets up`, or set IC_POSTGRES_URL")
        postgres_url = home.postgres.url(server, "ic_assets")
        dagster_url = session.pinned(home.postgres.url(server, "dagster"), {**_DAGSTER, "search_path": "public"})
    dagster_url = session.with_parameter(dagster_url, "application_name", process_name())
    base_url, token = settings.hubspot_base_url, settings.hubspot_token
    if settings.uses_local_hubspot:
        base_url = home.sandbox.base_url()
        token = home.sandbox.token() if base_url else None
    elif base_url is None:
        base_url = HUBSPOT_URL
    return Services(postgres_url, dagster_url, base_url, token, settings.uses_local_hubspot)


class _Home:
    """``IC_HOME`` as the commands share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self.sandbox = _Sandbox(folder)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Counted as a user for as long as the block lasts. The last one stops what runs."""
        with self._open("users.lock") as users:
            # Taken under start.lock: the last user cannot be stopping the servers just now.
            with self.changing():
                fcntl.flock(users, fcntl.LOCK_SH)
            try:
                yield
            finally:
                with self.changing():
                    if _try_lock(users, fcntl.LOCK_EX):
                        self._stop()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Held while something is started or stopped: one process at a time."""
        with self._open("start.lock") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            yield

    def _stop(self) -> None:
        self.sandbox.stop()
        server = self.postgres.running()
        if server:
            self.postgres.stop(server)

    def _open(self, name: str) -> IO[bytes]:
        path = self.folder / "run" / name
        with _usable():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return path.open("ab")


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"IC_HOME cannot be used: {error.filename}: {error.strerror}; "
            "set IC_HOME to a folder that this user may write to, with space left"
        ) from error


class _Sandbox:
    """The local HubSpot of one ``IC_HOME``. It inherits a lock, on purpose: whether it lives is whether that is
    taken, which no reused pid can feign."""

    def __init__(self, home: Path) -> None:
        self._lock = home / "run" / "sandbox.lock"
        self._ready = home / "run" / "sandbox.json"
        self._token = home / "hubspot" / "token"
        self._database = home / "hubspot" / "sandbox.sqlite"
        self._port = home / "hubspot" / "port"
        self._log = home / "hubspot" / "sandbox.log"

    def base_url(self) -> str | None:
        """Its address, None when it is not up."""
        ready = self._read_ready()
        return f"http://127.0.0.1:{ready['port']}" if ready and self._is_alive() else None

    def token(self) -> str:
        """The bearer token that it takes: made once, readable by the owner alone."""
        with _usable():
            if not self._token.exists():
                write_private(self._token, secrets.token_urlsafe(24))
            return self._token.read_text(encoding="ascii").strip()

    def start(self) -> None:
        if not self._is_alive():
            with _usable():
                self._ready.unlink(missing_ok=True)
                self._launch()
        deadline = time.monotonic() + _SANDBOX_START_SECONDS
        while self._read_ready() is None:  # also for one whose starter was killed before it was up
            if not self._is_alive() or time.monotonic() > deadline:
                why = telling_line(self._log.read_text(encoding="utf-8", errors="replace"))
                raise Unavailable(f"the local HubSpot did not start: {why} (log: {self._log})")
            time.sleep(0.02)
        if not self._port.exists():
            with _usable():
                write_private(self._port, str((self._read_ready() or {}).get("port", _SANDBOX_PORT)))

    def _wanted_port(self) -> str:
        """The one that it had first, so that links to its records stay what they are."""
        try:
            text = self._port.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            text = ""
        return text if text.isdigit() and 0 < int(text) < 65536 else str(_SANDBOX_PORT)

    def stop(self) -> None:
        ready = self._read_ready()
        for sign, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            if ready is None or not self._is_alive():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(ready["pid"], sign)
            deadline = time.monotonic() + patience
            while self._is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        self._ready.unlink(missing_ok=True)

    def _launch(self) -> None:
        self._database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = ["--database", str(self._database), "--ready-file", str(self._ready)]
        with self._lock.open("ab") as lock, self._log.open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(
                processes.python("ic_assets.sandbox", "--port", self._wanted_port(), "--or-any", *files),
                cwd=self._database.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=processes.plain_environment(IC_SANDBOX_TOKEN=self.token()),
                start_new_session=True,  # Ctrl-C in the terminal is for the command
                pass_fds=(lock.fileno(),),
            )
        keep(process)

    def _is_alive(self) -> bool:
        with _usable():
            if not self._lock.exists():
                return False
            lock = self._lock.open("ab")
        with lock:
            return not _try_lock(lock, fcntl.LOCK_SH)  # shared: two that ask at once do not see each other

    def _read_ready(self) -> dict[str, int] | None:
        try:
            ready: dict[str, int] = json.loads(self._ready.read_bytes())
        except (OSError, ValueError):  # not there yet, or half written
            return None
        return ready


def _try_lock(file: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- a PostgreSQL of the user's ---------------------------------------------------------------------------------


def libpq_url(url: str) -> str:
    """``IC_POSTGRES_URL`` as libpq reads it: a driver name that SQLAlchemy would want is dropped."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise Refused("IC_POSTGRES_URL is not an address of the form postgresql://user:password@host:5432/database")
    # libpq would take a part of such a password for a host or a port, and quote it in its error, or the whole address.
    if _UNESCAPED.search(rest.rpartition("@")[0]) or "%00" in rest or not re.fullmatch(r"[!-~]*", rest):
        raise Refused(
            "IC_POSTGRES_URL: write special characters of the user and the password as %XX (@ is %40, / is %2F, % is %25, "
            "a space is %20)"
        )
    try:
        parts = urlsplit(f"postgresql://{rest}")
        if "," not in parts.netloc:  # libpq takes several hosts, each with its port
            _ = parts.port
        conninfo_to_dict(f"postgresql://{rest}")
    except (ValueError, psycopg.Error):
        raise Refused(
            "IC_POSTGRES_URL cannot be read; write postgresql://user:password@host:5432/database, and special characters "
            "of the password as %XX"
        ) from None
    return f"postgresql://{rest}"


def _check_external(url: str, *, makes: bool) -> None:
    """Connects once and, if it ``makes``, makes Dagster's schema. Raises ``Unavailable`` with what is wrong, without the
    password."""
    try:
        with session.connect(libpq_url(url), connect_timeout=10, autocommit=True) as connection:
            where = f"{connection.info.dbname} on {connection.info.host}:{connection.info.port}"
            version = connection.info.server_version
            if version < _OLDEST_POSTGRES * 10_000:
                raise Unavailable(
                    f"IC_POSTGRES_URL: {where} is PostgreSQL {version // 10_000}; {_OLDEST_POSTGRES} or newer is needed"
                )
            session.refuse_unfit(connection)
            _make_dagster_schema(connection, where, makes=makes)
    except psycopg.Error as error:
        raise Unavailable(f"IC_POSTGRES_URL: {_reason(error)}") from None


def _make_dagster_schema(connection: psycopg.Connection, where: str, *, makes: bool) -> None:
    """Dagster's schema, or whether it could be made; whoever may create that may create the pipeline's own."""
    row = connection.execute(
        "SELECT has_database_privilege(current_database(), 'CREATE'), current_user,"
        " (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s)",
        [DAGSTER_SCHEMA],
    ).fetchone()
    may_create, user, may_use = row or (False, "", None)
    if may_use:
        return
    if not may_create or may_use is False:
        raise Unavailable(
            f"IC_POSTGRES_URL: the role {user} may not create schemas in {where}; let its owner run deploy/grants.sql"
        )
    if makes:
        with connection.transaction():
            # IF NOT EXISTS alone fails for one of two that look at the same time.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (locks.DAGSTER_TABLES,))
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(DAGSTER_SCHEMA)))


def _reason(error: psycopg.Error) -> str:
    """What libpq says, in one line, and what to do about it. libpq never repeats the password."""
    said = masking.mask(" ".join(str(error).split()))
    for sign, advice in (
        ("password authentication failed", "check the user and the password"),
        ("no password supplied", "add the password: postgresql://user:password@host/database"),
        ("pg_hba.conf", "let the server's pg_hba.conf admit this client"),
        ("does not exist", "create it first (createdb, createuser), or correct the address"),
        ("refused", "is the server running and listening there?"),
        ("could not translate host name", "check the host name"),
        ("failed to resolve host", "check the host name"),
        ("timeout", "check the host, the port and the firewall"),
    ):
        if sign in said:
            return f"{said}; {advice}"
    return f"{said}; check the address"
