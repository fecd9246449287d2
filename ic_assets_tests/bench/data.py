"""The files that are loaded: the sample generator's rows, spread over a number of months, made once and kept.

Every loader takes the same file. What a bare COPY cannot take, rows with a wrong number of fields or a NUL, six in a
thousand, is therefore left out; values that it cannot read stay in, since it can be told to skip those.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ic_assets.activities.facts.contract import COLUMNS

MONTHS = 178
"""Of an ordinary file; the target asks for more than 150."""
DELTA_SHARE = 0.01
_LAST = 2026 * 12 + 9  # October 2026, the last month of the generator that has no plans in it
_GENERATED = 94  # January 2019 to October 2026
_NAMES = [column.header for column in COLUMNS]
_DATES = [index for index, column in enumerate(COLUMNS) if column.kind == "timestamp"]
_ID, _NOTE, _START = (_NAMES.index(name) for name in ("Comm_CommunicationId", "Comm_Note", "Comm_DateTime"))
_UPDATED = _NAMES.index("Comm_UpdatedDate")
_NEWER = "2026-11-20 12:00:00"
_DELTA_MONTH = "2026-09"
_NEW_ID = 10**9
_DONE = "complete"


@dataclass(frozen=True)
class Drop:
    """A file of ``rows`` communications over ``months`` months, the 1 % of it that comes again changed, and the three
    reconciliation files."""

    folder: Path
    rows: int
    months: int

    @property
    def file(self) -> Path:
        return self.folder / "communications.csv"

    @property
    def delta(self) -> Path:
        return self.folder / "delta.csv"

    def reconciliation(self, entity: str) -> Path:
        return self.folder / f"{entity}.csv"


def drop(home: Path, rows: int, months: int = MONTHS) -> Drop:
    """The files, from ``home`` or made now: same arguments, same bytes."""
    made = Drop(home / f"{rows}-rows-{months}-months", rows, months)
    if not (made.folder / _DONE).exists():
        shutil.rmtree(made.folder, ignore_errors=True)
        generated = made.folder / "generated"
        generated.mkdir(parents=True)
        # A pipe in the place of the file: the generator and the one who spreads its rows have a core each.
        reading, writing = os.pipe()
        (generated / "communications.csv").symlink_to(f"/dev/fd/{writing}")
        command = [sys.executable, "-m", "ic_assets.sample.generate", "--rows", str(rows), "--out", str(generated)]
        with subprocess.Popen(command, pass_fds=(writing,)) as generator:
            os.close(writing)
            with os.fdopen(reading, encoding="utf-8", newline="") as file:
                _spread(_parsed(file), made)
        if generator.returncode != 0:
            raise RuntimeError(f"the sample generator ended with {generator.returncode}")
        for entity in ("contacts", "companies", "deals"):
            (generated / f"{entity}.csv").rename(made.reconciliation(entity))
        shutil.rmtree(generated)
        (made.folder / _DONE).touch()
    return made


def _spread(source: Iterator[list[str]], made: Drop) -> None:
    """Writes the rows that a COPY can take with their dates moved to the file's months, and those of one month again."""
    of_the_month: list[list[str]] = []
    wanted = int(made.rows * DELTA_SHARE)
    with made.file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_NAMES)
        number, last = 0, ""
        for place, row in enumerate(source):
            if len(row) != len(_NAMES) or any("\0" in value for value in row):
                continue
            # The rows of one communication with several people stand together, and stay in one month.
            number, last = (number if row[_ID] == last else place), row[_ID]
            _move(row, number, made.months)
            writer.writerow(row)
            if (
                len(of_the_month) < wanted
                and row[_START].startswith(_DELTA_MONTH)
                and row[_ID].isdigit()
                and row[_UPDATED]
            ):
                of_the_month.append(row)
    with made.delta.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_NAMES)
        writer.writerows(_corrected(of_the_month, wanted))


def _corrected(of_the_month: list[list[str]], wanted: int) -> Iterator[list[str]]:
    """``wanted`` rows: each of the month corrected, then new ones like them where the month has fewer."""
    for number in range(wanted if of_the_month else 0):
        again, index = divmod(number, len(of_the_month))
        row = [*of_the_month[index]]
        if again:
            row[_ID] = str(_NEW_ID + number)
        row[_NOTE] += "\nCorrected after the call."
        row[_UPDATED] = _NEWER
        yield row


def rows(path: Path) -> Iterator[list[str]]:
    """The rows of a file of this module, its header excluded."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from _parsed(file)


def _parsed(file: TextIO) -> Iterator[list[str]]:
    reader = csv.reader(file)
    next(reader, None)
    return reader


def _move(row: list[str], number: int, months: int) -> None:
    """All dates of a row by the same number of months; the newest stay, plans for the future too."""
    start = _month(row[_START])
    if start is None or start > _LAST:
        return
    back = _LAST - start
    moved = (back * 1000 + number * 617 % 1000) * months // (1000 * _GENERATED)
    for index in _DATES:
        month = _month(row[index])
        if month is not None:
            year, month = divmod(month + back - moved, 12)
            # Every month has 28 days.
            row[index] = f"{year:04}-{month + 1:02}-{min(int(row[index][8:10]), 28):02}{row[index][10:]}"


def _month(value: str) -> int | None:
    """Months since year 0; None for what is no ISO date."""
    if len(value) >= 10 and value[4] == value[7] == "-" and value[:4].isdigit() and value[5:7].isdigit():
        return int(value[:4]) * 12 + int(value[5:7]) - 1
    return None
