"""Whom the embedded server runs as, and what that user can reach.

PostgreSQL refuses to run as root. As root the server gets a user id of its own that no account has. Its working
directory is set while still root and then named ``/proc/self/cwd``, so that the folders above need not let it
through.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ic_assets.core.failures import Unavailable

PORT = 5432  # only names the socket: nothing listens on TCP

IS_LINUX = sys.platform == "linux"

SOCKET_DIR_PREFIX = "ic-pg-"
_SOCKET_PATH_LIMIT = 103  # sun_path holds 108 bytes on Linux and 104 on macOS, the final NUL included
# Nothing is allocated here: systemd's table of user ids (UIDS-GIDS) calls 60706 to 61183 unused, and it lies
# within the 65536 ids that a rootless container has.
PRIVATE_UIDS = range(60706, 61184)


def run_as(uid: int) -> dict[str, Any]:
    return {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}


def has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def nobody() -> int:
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


def as_cwd(folder: Path) -> str:
    """How a process that was started in ``folder`` names it without needing a way there."""
    return "/proc/self/cwd" if IS_LINUX else str(folder)


def environment() -> dict[str, str]:
    # Nothing is inherited: tokens are no business of the server, and PG* variables would steer it.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def new_socket_dir(uid: int) -> str:
    """A new private folder with a short name, which the server's user can reach."""
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108 mkdtemp below
        if len(os.fsencode(place)) + len(f"/{SOCKET_DIR_PREFIX}12345678/.s.PGSQL.{PORT}") > _SOCKET_PATH_LIMIT:
            continue
        with contextlib.suppress(OSError):
            folder = tempfile.mkdtemp(prefix=SOCKET_DIR_PREFIX, dir=place)
            os.chown(folder, uid, -1)
            if uid == os.geteuid() or _can_reach(folder, uid):
                return folder
            shutil.rmtree(folder, ignore_errors=True)
    raise Unavailable("the embedded PostgreSQL cannot start: no temporary folder for its socket; set TMPDIR")


def _can_reach(folder: str, uid: int) -> bool:
    listing = subprocess.run(["ls", "-A", folder], capture_output=True, cwd="/", env=environment(), **run_as(uid))
    return listing.returncode == 0
