"""A restore point before a production push, or before another is restored: ``pg_dump`` of all that is ours. Restored by
``restore``."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ic_assets.core import schema
from ic_assets.core.failures import Refused
from ic_assets.core.masking import mask
from ic_assets.core.processes import plain_environment
from ic_assets.resources.embedded.programs import client_binary

_KEPT = 3
_DONE = {"push": "sent", "restore": "restored"}
# Beside the password.
_SECRET = frozenset({"sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})


def backup(postgres_url: str, folder: Path, before: str = "push") -> Path:
    """Writes ``<folder>/before-<before>-<time>.dump`` (pg_restore's custom format, for the owner's eyes only), keeps the
    newest three of these, and returns its path. Raises ``Refused`` with pg_dump's own words."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"before-{before}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.dump"
    unfinished = target.with_suffix(".part")
    url, environment = without_password(postgres_url)
    arguments = [
        "--format=custom",
        "--compress=1",
        *(f"--schema={name}" for name in schema.names()),
        f"--file={unfinished}",
    ]
    unfinished.touch(mode=0o600)
    done = subprocess.run(
        [client_binary("pg_dump"), *arguments, url], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        why = (done.stderr.strip().splitlines() or ["pg_dump failed"])[-1]
        raise Refused(f"the backup before the {before} failed, nothing was {_DONE[before]}: {mask(why)}")
    unfinished.replace(target)
    for old in sorted(folder.glob(f"before-{before}-*.dump"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return target


def without_password(postgres_url: str) -> tuple[str, dict[str, str]]:
    """What to connect to, for a command line, which other users can read, and the environment with its password, wherever
    in the address that stands. The environment holds nothing else of ours.

    Raises ``Refused`` for a secret that libpq takes in an address alone."""
    words = conninfo_to_dict(postgres_url)
    environment = plain_environment(**{name: value for name, value in os.environ.items() if name.startswith("PG")})
    if password := words.pop("password", None):
        environment["PGPASSWORD"] = str(password)
    if others := sorted(_SECRET & {name for name, value in words.items() if value}):
        raise Refused(
            f"IC_POSTGRES_URL: pg_dump cannot be given {others[0]} without showing it to other users of this machine; put it "
            "into a service file (PGSERVICEFILE), or use a key without it"
        )
    return make_conninfo("", **words), environment
