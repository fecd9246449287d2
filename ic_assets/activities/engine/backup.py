"""A restore point before a production push: ``pg_dump`` of what staging and the ledger hold."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ic_assets.core.failures import Refused
from ic_assets.resources.embedded_postgres import client_binary

_SCHEMAS = ("staging", "hubspot")
_KEPT = 3


def backup(postgres_url: str, folder: Path) -> Path:
    """Writes ``<folder>/before-push-<time>.dump`` (pg_restore's custom format, for the owner's eyes only), keeps the
    newest three, and returns its path. Raises ``Refused`` with pg_dump's own words."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"before-push-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.dump"
    unfinished = target.with_suffix(".part")
    url, environment = without_password(postgres_url)
    arguments = [
        "--format=custom",
        "--compress=1",
        *(f"--schema={schema}" for schema in _SCHEMAS),
        f"--file={unfinished}",
    ]
    unfinished.touch(mode=0o600)
    done = subprocess.run(
        [client_binary("pg_dump"), *arguments, url], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        why = (done.stderr.strip().splitlines() or ["pg_dump failed"])[-1]
        raise Refused(f"the backup before the push failed, nothing was sent: {why}")
    unfinished.replace(target)
    for old in sorted(folder.glob("before-push-*.dump"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return target


def without_password(postgres_url: str) -> tuple[str, dict[str, str]]:
    """The address for a command line, which other users can read, and the environment with its password."""
    parts = urlsplit(postgres_url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    environment = dict(os.environ)
    if password:
        environment["PGPASSWORD"] = unquote(password)
    netloc = f"{name}@{host}" if name else host
    return parts._replace(netloc=netloc).geturl(), environment
