"""A dropped file as bytes: opening it safely, unpacking gzip, its digest, its encoding, and whether it stayed the
same while it was read. What the bytes mean as text is ``drop_text``'s business, and as CSV ``csv_drop``'s.
"""

from __future__ import annotations

import codecs
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

from ic_assets.activities.engine.drop.drop_text import Words, decoder
from ic_assets.core.failures import DropRefused

BLOCK_BYTES = 256 * 1024

_NOT_CSV = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet (xlsx, ods)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (xls)"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "gzip inside gzip"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"(\xb5/\xfd", "a zstd archive"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
)
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

# CSV packs to a tenth, and to a hundredth where a column repeats itself; what unpacks to more than this is no export.
_HIGHEST_RATIO = 200
_RATIO_FROM_BYTES = 64 * 1024 * 1024
_LARGEST_UNPACKED = 64 * 1024**3

_ASCII = bytes(range(128))


class Identity(NamedTuple):
    """What the file system says of a file; it differs after a write, a truncation or a replacement."""

    size: int
    mtime_ns: int
    inode: int


def refused(path: Path, problem: str) -> DropRefused:
    """The one-line refusal. Names are hostile: control characters in them are shown escaped."""
    return DropRefused(f"{repr(path.name or str(path))[1:-1]}: {problem}")


class DropFile:
    """An open drop; ``read`` gives its bytes after decompression and keeps their digest, if wanted, and count.

    Raises ``DropRefused`` for what is no readable regular file and for damaged gzip data.
    """

    def __init__(self, path: Path, *, keep_digest: bool = True) -> None:
        self.path = path
        self._file = _open(path)
        self.words: tuple[str, ...] = ()
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

    def detect_encoding(self, given: str | None = None) -> str:
        """Reads the whole file and says which of utf-8, cesu-8, utf-16-le, utf-16-be, windows-1252 and ``given`` it is;
        a byte-order mark counts for more than ``given``. ``words`` are then the first that are not ASCII, as read.

        Raises ``DropRefused`` for an empty file, another format, and damaged text (naming line and byte). A
        file that is not UTF-8 is read several times; digest and count are those of the whole file in any case.
        """
        head = self.read(BLOCK_BYTES)
        if not head:
            raise self.refused("is empty; a drop has at least the header line")
        for magic, what in _NOT_CSV:
            if head.startswith(magic):
                raise self.refused(f"is {what}, not CSV; export it as CSV (UTF-8)")
        marked = _UTF16.get(head[:2]) or ("utf-8" if head.startswith(codecs.BOM_UTF8) else None)
        encoding = marked or given or "utf-8"
        bad_at = self._first_undecodable(encoding, head)
        if bad_at is None:
            return encoding
        if encoding == "utf-8" and self._first_undecodable("cesu-8") is None:
            return "cesu-8"
        if encoding != "utf-8":
            said = f"is damaged {encoding.upper()}; export it again" if marked else f"is no {encoding} (IC_ENCODING)"
            raise self._damaged(bad_at, encoding, said)
        if marked or given or self._mostly_utf8():
            raise self._damaged(
                bad_at, encoding, "is damaged UTF-8 (most of the file is sound); repair it or export again"
            )
        undefined_at = self._first_undecodable("windows-1252")
        if undefined_at is not None:
            raise self._damaged(
                undefined_at,
                "windows-1252",
                "is neither UTF-8 nor Windows-1252; export the file as UTF-8, or name its encoding with IC_ENCODING"
                " (cp1250, shift_jis, ...)",
            )
        return "windows-1252"

    def _first_undecodable(self, encoding: str, head: bytes = b"") -> int | None:
        """Offset of the first byte that is none of the encoding's. Reads to the end; ``head`` is what was read before."""
        if not head:
            self.rewind()
            head = self.read(BLOCK_BYTES)
        decode, words = decoder(encoding).decode, Words()
        bad_at, data = None, head
        while True:
            try:
                if bad_at is None:
                    words.see(decode(data, not data))
            except UnicodeDecodeError as error:
                bad_at = max(self.bytes_read - len(error.object) + error.start, 0)
            except UnicodeError:
                bad_at = self.bytes_read - len(data)
            if not data:
                self.words = words.found
                return bad_at
            data = self.read(BLOCK_BYTES)

    def _mostly_utf8(self) -> bool:
        """Whether most of the non-ASCII bytes form valid UTF-8."""
        self.rewind()
        decode = codecs.getincrementaldecoder("utf-8")("ignore").decode
        high = kept = 0
        while data := self.read(BLOCK_BYTES):
            high += len(data.translate(None, _ASCII))
            kept += len(decode(data).encode())
        bad = self.bytes_read - kept
        return high - bad > bad

    def _damaged(self, offset: int, encoding: str, problem: str) -> DropRefused:
        """The refusal for one byte, with its line and value looked up in a pass of its own."""
        self.rewind()
        decode = codecs.getincrementaldecoder(encoding)("replace").decode
        line = 1
        while data := self.read(BLOCK_BYTES):
            start = self.bytes_read - len(data)
            line += decode(data[: max(offset - start, 0)]).count("\n")
            if start <= offset < self.bytes_read:
                return self.refused(f"line {line}: byte 0x{data[offset - start]:02X} at offset {offset} {problem}")
        return self.changed()


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
