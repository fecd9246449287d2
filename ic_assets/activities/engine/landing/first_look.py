"""Looks into a file before it lands: its content, its key, and each file only once. Called by the landing, by commands that
name a drop before its run lands it, and by the sensor of the drop folder."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ic_assets.activities.engine.drop.column_map import Names, names_in_force, names_of
from ic_assets.activities.engine.drop.csv_drop import inspect, inspect_beside
from ic_assets.activities.engine.drop.drop_info import DropInfo
from ic_assets.core.settings import Settings

# Smaller drops are looked at in the time that a process takes to start.
_BESIDE_FROM_BYTES = 32 * 1024 * 1024


def drop_key(path: Path, content_sha256: str) -> str:
    """``name@sha256[:8]``, the drop's partition key. Characters that a partition key may not hold become ``_``."""
    name = "".join(character if character.isprintable() else "_" for character in path.name).replace("...", "_")
    return f"{name}@{content_sha256[:8]}"


def inspected(path: Path, encoding: str | None = None, names: Names = ()) -> DropInfo:
    """``inspect``, once for a file that stays as it is: a command names the drop before its run lands it."""
    try:
        status = path.stat()
    except OSError:
        return inspect(path, encoding, names)
    with _looking:
        return _inspected(path, encoding, names, status.st_size, status.st_mtime_ns, status.st_ino)


def look_ahead(path: Path, columns: Path | None = None) -> None:
    """Begins ``inspected``, for a command that has other things to get ready meanwhile."""

    def look() -> None:
        with suppress(Exception):  # the command finds the same
            names = names_of(columns) if columns else names_in_force()
            inspected(path, Settings.from_env().encoding, names)

    threading.Thread(target=look, daemon=True).start()


_looking = threading.Lock()


@lru_cache(maxsize=8)
def _inspected(path: Path, encoding: str | None, names: Names, size: int, _mtime_ns: int, _inode: int) -> DropInfo:
    beside = inspect_beside(path, encoding, names) if size >= _BESIDE_FROM_BYTES else None
    return beside or inspect(path, encoding, names)
