"""A file of somebody else's as bytes: opening it safely, unpacking gzip, its digest, and whether it stayed the same while it
was read. What the bytes mean is its reader's business.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self, cast

from ic_assets.core.failures import DropRefused

BLOCK_BYTES = 256 * 1024

# CSV packs to a tenth, and to a hundredth where a column repeats itself; what unpacks to more than this is no export.
_HIGHEST_RATIO = 200
_RATIO_FROM_BYTES = 64 * 1024 * 1024
_LARGEST_UNPACKED = 64 * 1024**3


class Identity(NamedTuple):
    """What the file system says of a file; it differs after a write, a truncation or a replacement."""

    size: int
    mtime_ns: int
    inode: int


def refused(path: Path, problem: str) -> DropRefused:
    """The one-line refusal. Names are hostile: control characters in them are shown escaped."""
    return DropRefused(f"{repr(path.name or str(path))[1:-1]}: {problem}")


class InputFile:
    """An open file; ``read`` gives its bytes after decompression and keeps their digest, if wanted, and count.

    Raises ``DropRefused`` for what is no readable regular file and for damaged gzip data.
    """

    def __init__(self, path: Path, *, keep_digest: bool = True) -> None:
        self.path = path
        self._file = _open(path)
        self._keep_digest = keep_digest
        self.rewind()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def rewind(self) -> None:
        """Back to the first byte; digest and count start anew."""
        self._sha256 = hashlib.sha256()
        self.bytes_read = 0
        try:
            self._file.seek(0)
            packed = self._file.read(2) == b"\x1f\x8b"
            self._file.seek(0)
            self._most_bytes = _most_bytes(os.fstat(self._file.fileno()).st_size) if packed else None
        except OSError as error:
            raise self.refused(f"cannot be read: {error.strerror}") from error
        self._stream = cast(IO[bytes], gzip.GzipFile(fileobj=self._file)) if packed else self._file

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; empty at the end."""
        try:
            data = self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.refused("the gzip data is cut short or damaged; copy the file again") from error
        except OSError as error:
            raise self.refused(f"cannot be read: {error.strerror}") from error
        if self._keep_digest:
            self._sha256.update(data)
        self.bytes_read += len(data)
        if self._most_bytes and self.bytes_read > self._most_bytes:
            raise self.refused(
                f"unpacks to more than {self._most_bytes / 1024**2:,.0f} MiB, which no export does; look at it, and load"
                " it unpacked if it is one"
            )
        return data

    def refused(self, problem: str) -> DropRefused:
        return refused(self.path, problem)

    @property
    def content_sha256(self) -> str:
        """Hexadecimal digest of the decompressed bytes read so far."""
        return self._sha256.hexdigest()

    @property
    def identity(self) -> Identity:
        """Of the file that is open and, when another one stands in its place by now, not equal to before."""
        status = os.fstat(self._file.fileno())
        try:
            inode = self.path.stat().st_ino
        except OSError:
            inode = 0
        return Identity(status.st_size, status.st_mtime_ns, inode)

    @contextmanager
    def unchanged(self, identity: Identity) -> Iterator[None]:
        """Refuses the drop when the file is not, or no longer, the one with this identity, whatever else was found:
        a file that is still being written, or was cut, may well look damaged or end before its lines do."""
        try:
            yield
        except Exception:
            if self.identity != identity:
                raise self.changed() from None
            raise
        if self.identity != identity:
            raise self.changed()

    def changed(self) -> DropRefused:
        return self.refused("changed while it was being read; wait until it is complete and load it again")


def _most_bytes(packed: int) -> int:
    return min(max(_RATIO_FROM_BYTES, _HIGHEST_RATIO * packed), _LARGEST_UNPACKED)


def _open(path: Path) -> IO[bytes]:
    try:
        # Without O_NONBLOCK opening a pipe would wait for somebody to write.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError as error:
        raise refused(path, "no such file") from error
    except (OSError, ValueError) as error:
        raise refused(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise refused(path, f"is {what}; name a .csv or .csv.gz file")
    return os.fdopen(descriptor, "rb")
