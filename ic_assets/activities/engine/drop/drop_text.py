"""The bytes of a drop as text: decoders for what Python has no codec for, and the words by which a person sees whether an
encoding is right. Which encoding a file has is ``drop_file``'s business.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Protocol

# Half a surrogate pair passes: it rejects its row, not the file.
_PASSES_HALVES = ("utf-16-le", "utf-16-be")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_MOST_WORDS = 3
_LONGEST_WORD = 40
# A file whose characters beyond ASCII are all dashes is not searched to its end.
_MOST_LOOKS = 10_000


class Decoder(Protocol):
    def decode(self, data: bytes, final: bool = False) -> str: ...


def decoder(encoding: str) -> Decoder:
    """An incremental decoder. Raises ``UnicodeDecodeError`` while decoding; half a surrogate pair in UTF-16 or CESU-8
    comes out as it is."""
    if encoding == "cesu-8":
        return _Cesu8()
    return codecs.getincrementaldecoder(encoding)("surrogatepass" if encoding in _PASSES_HALVES else "strict")


def byte_length(text: str, encoding: str) -> int:
    """Bytes of ``text`` in the file."""
    if encoding == "cesu-8":
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2
        return len(text.encode("utf-8", "surrogatepass")) + 2 * (units - len(text))
    return len(text.encode(encoding, "surrogatepass" if encoding.startswith("utf-") else "replace"))


class _Cesu8:
    """UTF-8 in which characters beyond U+FFFF are written as two surrogates of three bytes each, as Java and Oracle do."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogatepass").decode
        self._bytes = b""
        self._text = ""

    def decode(self, data: bytes, final: bool = False) -> str:
        data = self._bytes + data
        # Python takes a surrogate that the end of its input cuts for an error.
        cut = 0 if final else next((n for n in (1, 2) if data[-n : len(data) - n + 1] == b"\xed"), 0)
        self._bytes = data[len(data) - cut :]
        text = self._text + self._decode(data[: len(data) - cut], final)
        cut = int(not final and "\ud800" <= text[-1:] <= "\udbff")
        self._text = text[len(text) - cut :]
        return _PAIR.sub(_joined, text[: len(text) - cut])


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


class Words:
    """The first three different words of a text with a letter beyond ASCII, shortened, printable."""

    def __init__(self) -> None:
        self.found: tuple[str, ...] = ()
        self._looks = 0

    def see(self, text: str) -> None:
        if len(self.found) == _MOST_WORDS or self._looks > _MOST_LOOKS or text.isascii():
            return
        seen = 0
        for match in _NOT_ASCII.finditer(text):
            self._looks += 1
            if self._looks > _MOST_LOOKS:
                return
            if match.start() < seen:
                continue
            start, end = match.start(), match.end()
            while start > seen and end - start < _LONGEST_WORD and _is_of_word(text[start - 1]):
                start -= 1
            while end < len(text) and end - start < _LONGEST_WORD and _is_of_word(text[end]):
                end += 1
            seen = end
            word = text[start:end]
            if any(map(str.isalpha, word)) and word.isprintable() and word not in self.found:
                self.found = (*self.found, word)
                if len(self.found) == _MOST_WORDS:
                    return


def _is_of_word(character: str) -> bool:
    return character.isalnum() or (character > "\x7f" and not character.isspace())


def read_as(encoding: str, words: Sequence[str]) -> str:
    """``windows-1252 (Grüße, Köln)``."""
    return f"{encoding} ({', '.join(words)})" if words else encoding
