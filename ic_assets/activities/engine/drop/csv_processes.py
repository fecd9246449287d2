"""Reads a large drop on several cores: the file is cut into pieces at line ends, and other processes make rows of them.

Where a line ends a record also ends only if no quote is open, which nobody knows before what comes earlier is parsed. The
cut is a guess by the number of quotes; the process that parses a piece finds out whether a record ended with it, and if
not the rest of the file is read by one process, which is right whatever the quotes are. Run as a module, this is
such a process.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NamedTuple

from ic_assets.activities.engine.drop.csv_plain import plain_of
from ic_assets.activities.engine.drop.csv_records import Source
from ic_assets.activities.engine.drop.csv_rows import Block, Converter
from ic_assets.activities.engine.drop.drop_file import DropFile, refused
from ic_assets.activities.engine.drop.drop_info import Reading, Slashes
from ic_assets.core.failures import DropRefused
from ic_assets.core.processes import plain_environment, python

# Below this the processes take longer to start than they save.
_FROM_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
# A line end with even quotes is not found in so much: one process reads the rest.
_LONGEST_PIECE = 8 * _PIECE_BYTES
# PostgreSQL takes rows no faster than three of them make.
_MOST_PROCESSES = 3
# A process that finds so little of a piece to be plain looks for it no more.
_FEW_PLAIN = 0.3


class Piece(NamedTuple):
    """Some lines of a drop. ``is_whole`` where the last of them ends in it."""

    data: bytes
    lines_before: int
    is_whole: bool


Ask = Callable[[Piece], "Future[Block | None]"]


def blocks(file: DropFile, reading: Reading) -> Iterator[Block] | None:
    """The blocks of an open drop, in its order; None where one process does as well."""
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
    if processes == 1 or reading.info.byte_size < _FROM_BYTES or not is_like_ascii(reading.info.encoding):
        return None
    return _asked(file, reading, processes)


def is_like_ascii(encoding: str) -> bool:
    """Whether a byte 0x0A is always a line feed and 0x22 a quote: UTF-8, and encodings of one byte a character that begin
    like ASCII."""
    if encoding == "utf-8":
        return True
    with suppress(UnicodeError, LookupError):
        text = bytes(range(256)).decode(encoding, "replace")
        return len(text) == 256 and text[:128] == bytes(range(128)).decode()
    return False


def _asked(file: DropFile, reading: Reading, processes: int) -> Iterator[Block]:
    with _answering(reading, processes) as ask:
        yield from in_order(file, reading, ask, ahead=2 * processes)


def in_order(file: DropFile, reading: Reading, ask: Ask, *, ahead: int) -> Iterator[Block]:
    """What ``ask`` answers for each piece of the file, ``ahead`` of them under way. The first piece that it has no answer
    for, and all that follows, is read here."""
    pieces = _Pieces(file)
    remaining = iter(pieces)
    asked = deque((piece, ask(piece)) for piece in islice(remaining, ahead))
    while asked:
        piece, answer = asked.popleft()
        block = answer.result()
        if block is None:
            unread = b"".join((piece.data, *(later.data for later, _ in asked), pieces.rest))
            yield from Converter(reading).blocks(_Bytes(reading.path, unread, file), piece.lines_before)
            return
        yield block
        asked.extend((later, ask(later)) for later in islice(remaining, 1))


class _Pieces:
    """The file cut at line ends before which the quotes are even. ``rest`` is what was read and is in no piece yet."""

    def __init__(self, file: Source) -> None:
        self._file = file
        self.rest = b""

    def __iter__(self) -> Iterator[Piece]:
        lines = 0
        while data := self._file.read(_PIECE_BYTES):
            data = self.rest + data
            cut = _last_cut(data)
            is_whole = cut > 0
            if not is_whole and len(data) > _LONGEST_PIECE:
                cut = len(data)
            self.rest = data[cut:]
            if cut:
                yield Piece(data[:cut], lines, is_whole)
                lines += data.count(b"\n", 0, cut)
        last, self.rest = self.rest, b""
        if last:
            yield Piece(last, lines, is_whole=True)


def _last_cut(data: bytes) -> int:
    """The length up to the last line end with an even number of quotes before it; 0 when there is none."""
    cut = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, cut)
    while quotes % 2:
        earlier = data.rfind(b"\n", 0, cut - 1) + 1
        quotes -= data.count(b'"', earlier, cut)
        cut = earlier
    return cut


class Answers:
    """Makes rows of pieces of one drop."""

    def __init__(self, reading: Reading) -> None:
        self._path = reading.path
        self._encoding = reading.info.encoding
        self._plain = plain_of(reading)
        # Pieces that are not UTF-8 become it.
        self._converter = Converter(replace(reading, info=replace(reading.info, encoding="utf-8")))

    def __call__(self, piece: Piece) -> Block | None:
        """The rows of a piece as one block; None when no record ends with it, or something else is amiss: whoever reads
        from there with the rest at hand says what."""
        if not piece.is_whole:
            return None
        data = piece.data if self._encoding == "utf-8" else piece.data.decode(self._encoding).encode()
        plain, rows, others = b"", 0, [(data, piece.lines_before)]
        if self._plain:
            plain, rows, others = self._plain.split(data, piece.lines_before)
            if len(plain) < _FEW_PLAIN * len(data):
                self._plain = None
        try:
            made = [
                block
                for text, lines_before in others
                for block in self._converter.blocks(_Bytes(self._path, text), lines_before)
            ]
        except DropRefused:
            return None
        return Block(
            b"".join(block.text for block in made),
            rows + sum(block.accepted for block in made),
            [reject for block in made for reject in block.rejects],
            [warning for block in made for warning in block.warnings],
            plain,
            made[-1].slashes if made else Slashes(),
        )


class _Bytes:
    """Bytes that were read before, and then those of the file."""

    def __init__(self, path: Path, data: bytes, file: DropFile | None = None) -> None:
        self._path = path
        self._data = io.BytesIO(data)
        self._file = file

    def read(self, size: int) -> bytes:
        return self._data.read(size) or (self._file.read(size) if self._file else b"")

    def refused(self, problem: str) -> DropRefused:
        return refused(self._path, problem)

    def changed(self) -> DropRefused:
        return self._file.changed() if self._file else self.refused("changed")


@contextmanager
def _answering(reading: Reading, processes: int) -> Iterator[Ask]:
    """Gives ``Answers`` in so many processes. A process that dies answers None from then on."""
    children = [
        subprocess.Popen(
            python(__name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=plain_environment(),
            # An interrupt in the terminal is this process's business, which then ends the others.
            process_group=0,
        )
        for _ in range(processes)
    ]
    idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    pool = ThreadPoolExecutor(processes)
    try:
        for child in children:
            _send(child, reading)
            idle.put(child)

        def asked(piece: Piece) -> Block | None:
            child = idle.get()
            try:
                _send(child, piece)
                return _receive(child)
            finally:
                idle.put(child)

        yield lambda piece: pool.submit(asked, piece)
    finally:
        for child in children:
            child.kill()
        pool.shutdown(cancel_futures=True)
        for child in children:
            with suppress(OSError), child:  # what it did not take is lost with it
                pass


def _send(child: subprocess.Popen[bytes], message: Reading | Piece) -> None:
    assert child.stdin is not None  # noqa: S101 - it was opened with one
    with suppress(OSError):  # one that is dead does not answer either
        _write(child.stdin, message)


def _receive(child: subprocess.Popen[bytes]) -> Block | None:
    assert child.stdout is not None  # noqa: S101
    try:
        block: Block | None = pickle.load(child.stdout)  # noqa: S301 - our own process
    except (EOFError, OSError, pickle.UnpicklingError):
        return None
    return block


def _write(target: IO[bytes], message: Reading | Piece | Block | None) -> None:
    target.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
    target.flush()


def _serve() -> None:
    """Answers until nobody asks any more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, OSError):
        reading: Reading = pickle.load(requests)  # noqa: S301 - from the process that started this one
        answer = Answers(reading)
        while True:
            _write(answers, answer(Piece(*pickle.load(requests))))  # noqa: S301
    os._exit(0)  # closing what nobody reads any more would complain


if __name__ == "__main__":
    _serve()
