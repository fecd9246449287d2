"""A folder into which others put files, as a look at it sees it: which files are there and whether they are complete, by
what the file system says of them alone. Opens no file and follows no link.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from ic_assets.core.input_file import Identity

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


def dated_ahead(file: File) -> bool:
    """Whether its time lies ahead of this machine's clock."""
    return file.modified > time.time()
