"""The drop folder as a look at it sees it: which files are there, by what the file system says of them alone, and what
became of each (``staging.ic_drop_file``). Opens no file and follows no link. No Dagster here; the sensor and ``status``
ask, the run that looks into a file and the landing answer.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from ic_assets.activities.engine.drop.drop_file import Identity
from ic_assets.core.sql import statement

# A file counts as complete when nobody wrote to it for so long and two looks found it the same.
_QUIET_SECONDS = 3.0
_UNFINISHED_SUFFIXES = (".part", ".tmp")
_KINDS = (
    (stat.S_ISLNK, "a symbolic link, not followed"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class File:
    """A regular file of the folder. ``state`` changes with everything that touches it, a move away and back included, which
    leaves ``identity`` as it was."""

    path: Path
    identity: Identity
    state: str
    modified: float

    @property
    def name(self) -> str:
        """As text that PostgreSQL can hold."""
        return file_name(self.path)

    @property
    def identity_text(self) -> str:
        return identity_text(self.identity)

    def unready(self, now: float) -> str | None:
        """Why its time tells that it may not be complete. A time ahead, of another clock or kept by a copy, tells nothing:
        two equal looks have to do."""
        return "it was written to just now" if 0 <= now - self.modified <= _QUIET_SECONDS else None


@dataclass(frozen=True)
class Listing:
    """``files`` oldest modification first, then by name; ``left_alone`` says of other things by name what they are."""

    files: tuple[File, ...]
    left_alone: dict[str, str]


@dataclass(frozen=True)
class LookedInto:
    """What a look into a file found: its partition, or why it cannot be loaded; whether its content has landed."""

    file_name: str
    drop_key: str | None
    refused: str | None
    is_settled: bool


def file_name(path: Path) -> str:
    """The name as text that PostgreSQL can hold: bytes that are no UTF-8 are escaped."""
    return path.name.encode("utf-8", "backslashreplace").decode()


def identity_text(identity: Identity) -> str:
    return f"{identity.size}:{identity.mtime_ns}:{identity.inode}"


def listing(folder: Path) -> Listing:
    """The folder as it is. Hidden and unfinished files (``.part``, ``.tmp``) are nobody's business; a folder that is not
    there is empty."""
    files: list[File] = []
    left_alone: dict[str, str] = {}
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return Listing((), {})
    for entry in entries:
        path = Path(entry.path)
        if path.name.startswith(".") or path.suffix in _UNFINISHED_SUFFIXES:
            continue
        # A file may vanish between the listing and this look; the next one sees what is there.
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                what = next((what for is_kind, what in _KINDS if is_kind(status.st_mode)), "no regular file")
                left_alone[file_name(path)] = what
                continue
            files.append(_file(path, status))
    ordered = sorted(files, key=lambda file: (file.identity.mtime_ns, file.path.name))
    return Listing(tuple(ordered), dict(sorted(left_alone.items())))


def named(folder: Path, name: str) -> File | None:
    """The regular file of the folder that goes by this name; ``name`` is text from outside and no path."""
    return next((file for file in listing(folder).files if file.name == name), None)


def _file(path: Path, status: os.stat_result) -> File:
    identity = Identity(status.st_size, status.st_mtime_ns, status.st_ino)
    return File(path, identity, f"{identity_text(identity)}:{status.st_ctime_ns}", status.st_mtime)


def looked_into(connection: psycopg.Connection, files: Sequence[File]) -> dict[str, LookedInto]:
    """What is known of the files as they are now, by name."""
    with connection.cursor(row_factory=class_row(LookedInto)) as cursor:
        found = cursor.execute(
            statement("activities/drop_folder/looked_into"),
            {"names": [file.name for file in files], "identities": [file.identity_text for file in files]},
        ).fetchall()
    return {looked.file_name: looked for looked in found}


def remember(
    connection: psycopg.Connection,
    name: str,
    identity: Identity,
    *,
    drop_key: str | None = None,
    refused: str | None = None,
    is_settled: bool = False,
) -> None:
    """Records what a look into the file found, or what became of it."""
    connection.execute(
        statement("activities/drop_folder/remember"),
        {
            "file_name": name,
            "identity": identity_text(identity),
            "drop_key": drop_key,
            "refused": refused,
            "is_settled": is_settled,
        },
    )


def landed_before(connection: psycopg.Connection, content_sha256: str, reading: str) -> str | None:
    """The drop that loaded this content under these settings (``Settings.reading``). One of which no row was loaded does
    not count."""
    row = connection.execute(
        statement("activities/landing/before"), {"content_sha256": content_sha256, "reading": reading}
    ).fetchone()
    return row[0] if row else None


def dated_ahead(file: File) -> bool:
    """Whether its time lies ahead of this machine's clock."""
    return file.modified > time.time()
