"""The first start of the embedded server: its password, its owner and ``initdb``. Called by `server` when there are no data.

``initdb`` insists on a passwd entry for its user and therefore runs as ``nobody`` where the server's own user has none;
the result is handed over.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from ic_assets.resources.embedded.messages import telling_line, unavailable
from ic_assets.resources.embedded.parameters import SCRAM_ITERATIONS
from ic_assets.resources.embedded.programs import bin_dir
from ic_assets.resources.embedded.users import PRIVATE_UIDS, as_cwd, environment, has_account, nobody, run_as
from ic_assets.resources.private_file import write_private

SUPERUSER = "postgres"


def initialise(folder: Path, data: Path, password: str) -> None:
    """``initdb`` into a folder beside the final one, which appears whole or not at all."""
    for half in folder.glob("data.*"):  # a first start that was killed
        shutil.rmtree(half, ignore_errors=True)
    owner = _choose_owner(folder)
    as_user = owner if has_account(owner) else nobody()
    new = Path(tempfile.mkdtemp(prefix="data.", dir=folder))
    os.chown(new, as_user, -1)
    (to_read, hand_over) = os.pipe()
    try:
        if as_user != os.geteuid():
            os.fchown(to_read, as_user, -1)  # opened anew through /dev/stdin, as that user
        os.write(hand_over, password.encode() + b"\n")
        os.close(hand_over)
        done = subprocess.run(
            [
                str(bin_dir(as_user) / "initdb"),
                f"--pgdata={as_cwd(new)}",
                f"--username={SUPERUSER}",
                "--pwfile=/dev/stdin",
                "--auth=scram-sha-256",
                # Rules of Unicode that are the server's own: the same order and lower() on every machine.
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                f"--set=scram_iterations={SCRAM_ITERATIONS}",
                "--no-instructions",
            ],
            stdin=to_read,
            capture_output=True,
            text=True,
            cwd=new,
            env=environment(),
            **run_as(as_user),
        )
    finally:
        os.close(to_read)
    if done.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        unavailable(telling_line(done.stderr))
    if as_user != owner:
        for path in (new, *new.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
    new.rename(data)


def _choose_owner(folder: Path) -> int:
    if os.geteuid() != 0:
        return os.geteuid()
    start = int.from_bytes(hashlib.sha256(os.fsencode(folder)).digest()[:4], "big")
    candidates = (PRIVATE_UIDS[(start + i) % len(PRIVATE_UIDS)] for i in range(len(PRIVATE_UIDS)))
    return next(uid for uid in candidates if not has_account(uid))


def password(folder: Path, data: Path) -> str:
    """The superuser's password and the role's, made where there are no data yet."""
    path = folder / "password"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if data.exists():
            unavailable(f"{path} is missing, and the data beside it cannot be opened without it")
    except PermissionError:
        unavailable(f"{path} belongs to another user; run as that user or set IC_HOME")
    write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="ascii").strip()
