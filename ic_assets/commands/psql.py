"""``ic-assets psql``: a prompt on the database in use, the embedded one or ``IC_POSTGRES_URL``."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.schema import NothingYet
from ic_assets.core.settings import Settings
from ic_assets.resources.backup import without_password
from ic_assets.resources.embedded.programs import client_binary
from ic_assets.resources.services import services

# Of the user's, beside what every process gets: how psql looks and behaves on a terminal.
_TERMINAL = ("TERM", "COLUMNS", "LINES", "PAGER", "LESS", "EDITOR", "VISUAL", "INPUTRC", "TERMINFO")


def psql(arguments: Sequence[str]) -> int:
    """Runs psql with ``arguments`` until it ends and returns its exit code. The password goes by the environment. Raises
    ``Refused`` when there is no psql or no database."""
    settings = Settings.from_env()
    program = _program()
    if not settings.postgres_url and not (settings.home / "postgres" / "data").exists():
        raise NothingYet
    with services(settings, looks=True) as up:
        address, environment = without_password(up.postgres_url)
        kept = {name: value for name, value in os.environ.items() if name in _TERMINAL or name.startswith("PSQL")}
        # Ctrl-C is for the statement that runs in psql; a handler, unlike SIG_IGN, is not handed down.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            done = subprocess.run(
                [program, f"--dbname={address}", *arguments], env={**kept, **environment}, check=False
            )
        finally:
            signal.signal(signal.SIGINT, before)
    return done.returncode


def _program() -> str:
    try:
        return str(client_binary("psql"))
    except Unavailable:
        if found := shutil.which("psql"):
            return found
    raise Refused(
        "there is no psql here; install PostgreSQL's client (Debian: postgresql-client), or put psql into PATH"
    )
