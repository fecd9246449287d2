"""A restore point put back: what ``pg_dump`` wrote before a push becomes the contents of our schemas again, on the embedded
server and on any PostgreSQL from 15 on. All in one transaction, after a dump of what stands; called by the command.

``pg_restore`` only reads the file here. What it sends to a server itself begins with settings that older servers do not know
(``transaction_timeout``, from 17 on), and its clean-up drops schemas that our role may not make again.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from ic_assets.core import locks, schema, session
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.masking import mask
from ic_assets.core.processes import plain_environment
from ic_assets.core.sql import statement
from ic_assets.resources.backup import backup
from ic_assets.resources.embedded.programs import client_binary

# Somebody who reads for longer is told from somebody who is just about to end.
_LOCK_TIMEOUT = "10s"
_COPY_BYTES = 1 << 16
# One entry of pg_restore's list: number; catalogue ids, kind, schema, name, owner.
_ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<kind>[A-Z ]*[A-Z]) (?P<schema>\S+) (?P<rest>.+)$")
_COPY = re.compile(rb"COPY (\S+) .*FROM stdin;\n")
# For psql, and for a server that is not too old for it.
_NOT_FOR_US = (b"\\restrict ", b"\\unrestrict ", b"SET transaction_timeout = 0;")


@dataclass(frozen=True)
class RestorePoint:
    """A dump's file, when it was made, the schemas in it, and its entries as ``pg_restore --use-list`` takes them."""

    file: Path
    made_at: str
    schemas: tuple[str, ...]
    tables: frozenset[str]
    contents: tuple[str, ...]
    rights: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """The dump of what stood before (None: nothing did), the rows by table that stand now, and the rights that were left
    out since their role is not there."""

    kept: Path | None
    rows: dict[str, int]
    rights_left_out: tuple[str, ...]


def look_into(file: Path) -> RestorePoint:
    """What a restore point holds. Raises ``Refused`` for a file that is none."""
    if not file.is_file():
        raise Refused(f"{file}: no such file; restore points are in $IC_HOME/backups")
    listing = _pg_restore(["--list", str(file)])
    made = re.search(r"^; Archive created at (.+)$", listing, re.MULTILINE)
    schemas: set[str] = set()
    tables: set[str] = set()
    contents: list[str] = []
    rights: list[str] = []
    for line in listing.splitlines():
        if not (found := _ENTRY.match(line)):
            continue
        kind, folder, name = found["kind"], found["schema"], found["rest"].split(" ")[0]
        if kind == "TABLE":
            tables.add(f"{folder}.{name}")
        if kind == "SCHEMA":  # ours stay: the role may not be allowed to make them anew
            schemas.add(name)
        elif kind in ("ACL", "DEFAULT ACL"):
            rights.append(line)
        elif not (kind == "COMMENT" and name == "SCHEMA"):
            contents.append(line)
    if "staging.ic_schema_version" not in tables or not schemas <= set(schema.names()):
        raise Refused(f"{file} is no restore point of ic_assets: it does not hold our tables, or others beside them")
    return RestorePoint(
        file,
        made[1] if made else "an unknown time",
        tuple(sorted(schemas)),
        frozenset(tables),
        tuple(contents),
        tuple(rights),
    )


def standing(connection: psycopg.Connection) -> dict[str, int]:
    """The rows of each table in our schemas."""
    rows = {}
    for folder, name in connection.execute(statement("core/restore/tables"), _ours()).fetchall():
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(folder, name))).fetchone()
        rows[f"{folder}.{name}"] = int(found[0]) if found else 0
    return rows


def restore(postgres_url: str, point: RestorePoint, backups: Path) -> Restored:
    """Replaces all that is in our schemas by what the restore point holds, and keeps a dump of it in ``backups`` first.
    Either all of it is done or nothing. Raises ``Refused`` beside a load, a push or a roll-back, and where something of
    somebody else's rests on what would go."""
    with session.connect(postgres_url) as connection, _explained(), connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # pg_dump may take long
        _keep_others_away(connection)
        _refuse_under_others(connection)
        has_tables = connection.execute(statement("core/restore/tables"), _ours()).fetchone() is not None
        kept = backup(postgres_url, backups, before="restore") if has_tables else None
        while drop := connection.execute(statement("core/restore/drops"), _ours()).fetchone():
            connection.execute(drop[0].encode())
        for name in point.schemas:
            if connection.execute("SELECT to_regnamespace(%s)", (name,)).fetchone() == (None,):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        with _script(point, point.contents) as script:
            rows = _run(connection, script)
        left_out = _give_rights(connection, point)
        for name in rows:
            connection.execute(b"ANALYZE " + name.encode())
    return Restored(kept, rows, left_out)


def _ours() -> dict[str, list[str]]:
    return {"schemas": list(schema.names())}


def _keep_others_away(connection: psycopg.Connection) -> None:
    """Takes the locks of those who write, without waiting for one that works, and keeps writers out until the end."""
    refuse_beside_others(connection)
    for key in (locks.SCHEMA, locks.LANDING, locks.LOAD):
        if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (key,)).fetchone() != (True,):
            raise Refused(_busy("a load or a roll-back"))
    tables = connection.execute(statement("core/restore/tables"), _ours()).fetchall()
    if tables:
        names = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
        # Readers may go on, pg_dump among them; whoever holds a worker's lock from here on waits at the tables.
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
    refuse_beside_others(connection)


def refuse_beside_others(connection: psycopg.Connection) -> None:
    """Raises ``Refused`` naming what is at work in the database."""
    for numbers, kind, number in connection.execute(statement("core/restore/others_at_work")).fetchall():
        if numbers == 2 and kind == locks.WORKER:
            raise Refused(_busy(f"push or roll-back {number}"))
        if numbers == 1 and kind == 0 and number in (locks.LANDING, locks.LOAD, locks.SCHEMA):
            raise Refused(_busy("a load or a roll-back"))
        if numbers == 2 and locks.MONTH <= kind < locks.MONTH + 64:
            raise Refused(_busy("a run that brings months up to date"))


def _refuse_under_others(connection: psycopg.Connection) -> None:
    found = connection.execute(statement("core/restore/others_on_ours"), _ours()).fetchall()
    if found:
        named = "; ".join(f"{dependent} rests on {what}" for what, dependent in found)
        raise Refused(f"nothing was restored: {named}. Drop it, run this again, and create it anew")


def _busy(what: str) -> str:
    return f"{what} is at work in this database, nothing was restored; wait for its end or stop it, then run this again"


def _give_rights(connection: psycopg.Connection, point: RestorePoint) -> tuple[str, ...]:
    """Gives others the rights that they had; a role that is not there has none to get."""
    if not point.rights:
        return ()
    left_out = []
    with _script(point, point.rights) as script:
        for line in script:
            if not line.startswith((b"GRANT ", b"REVOKE ", b"ALTER DEFAULT ")):
                continue
            try:
                with connection.transaction():
                    connection.execute(line)
            except (psycopg.errors.UndefinedObject, psycopg.errors.InsufficientPrivilege):
                left_out.append(line.decode().strip())
    return tuple(left_out)


def _run(connection: psycopg.Connection, script: IO[bytes]) -> dict[str, int]:
    """Runs pg_restore's script and returns the rows of each table that it fills."""
    rows: dict[str, int] = {}
    waiting: list[bytes] = []
    for line in script:
        if line.startswith(_NOT_FOR_US):
            continue
        waiting.append(line)
        if found := _COPY.fullmatch(line):
            copy = waiting.pop()
            connection.execute(b"".join(waiting))
            waiting.clear()
            with connection.cursor() as cursor:
                _copy(cursor, copy, script)
                rows[found[1].decode()] = cursor.rowcount
    connection.execute(b"".join(waiting))
    return rows


def _copy(cursor: psycopg.Cursor, command: bytes, script: IO[bytes]) -> None:
    with cursor.copy(command) as copy:
        block: list[bytes] = []
        size = 0
        for line in script:
            if line == b"\\.\n":
                break
            block.append(line)
            size += len(line)
            if size >= _COPY_BYTES:
                copy.write(b"".join(block))
                block, size = [], 0
        copy.write(b"".join(block))


@contextmanager
def _script(point: RestorePoint, entries: Sequence[str]) -> Iterator[IO[bytes]]:
    """What ``pg_restore`` makes of some entries. Raises ``Refused`` in its words where it fails, also at the end: a file
    that is cut off."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as wanted, tempfile.TemporaryFile() as said:
        wanted.write("".join(f"{entry}\n" for entry in entries))
        wanted.flush()
        command = [
            str(client_binary("pg_restore")),
            "--no-owner",
            f"--use-list={wanted.name}",
            "--file=-",
            str(point.file),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=plain_environment()) as process:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            if process.wait():
                said.seek(0)
                raise Refused(_said(point.file, said.read().decode("utf-8", "replace")))


def _pg_restore(arguments: Sequence[str]) -> str:
    done = subprocess.run(
        [client_binary("pg_restore"), *arguments], env=plain_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(_said(arguments[-1], done.stderr))
    return done.stdout


def _said(file: object, words: str) -> str:
    why = (words.strip().splitlines() or ["pg_restore failed"])[-1]
    return f"{file} cannot be read, nothing was restored: {mask(why)}"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise Refused(_busy("a session that reads or writes our tables (BI, psql, `ic-assets status`)")) from error
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName) as error:
        raise Refused(
            f"nothing was restored: {str(error).splitlines()[0]}; run deploy/grants.sql as a superuser, or restore as the "
            "owner of the tables"
        ) from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"nothing was restored, PostgreSQL: {str(error).strip().splitlines()[0]}") from error
