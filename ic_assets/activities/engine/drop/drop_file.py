"""A dropped file as bytes of a text: what kind of file it is, and its encoding. What the bytes mean as text is
``drop_text``'s business, and as CSV ``csv_drop``'s.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from ic_assets.activities.engine.drop.drop_text import Words, decoder
from ic_assets.core.failures import DropRefused
from ic_assets.core.input_file import BLOCK_BYTES, Identity, InputFile, refused

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

_ASCII = bytes(range(128))


class DropFile(InputFile):
    """An open drop."""

    def __init__(self, path: Path, *, keep_digest: bool = True) -> None:
        super().__init__(path, keep_digest=keep_digest)
        self.words: tuple[str, ...] = ()

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


__all__ = ["BLOCK_BYTES", "DropFile", "Identity", "refused"]
