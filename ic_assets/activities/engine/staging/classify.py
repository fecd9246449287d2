"""Counts what a drop holds by type, action and status, with what each combination would become. Reads the file as the
landing does and writes nothing, neither here nor in a database."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ic_assets.activities.engine.drop.column_map import Names
from ic_assets.activities.engine.drop.csv_drop import inspect, read
from ic_assets.activities.engine.drop.csv_rows import Block
from ic_assets.activities.engine.drop.drop_info import DropInfo, FieldWarning, Reject
from ic_assets.activities.engine.staging.mapping import Becomes, Mapping, key
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.core.months import at_midnight, partitions_end
from ic_assets.core.settings import Settings

# Combinations that are kept apart: what people typed freely may make as many as there are rows.
_MOST = 50_000
_LONGEST = 200
_WANTED = ("comm_type", "comm_action", "comm_status", "comm_priority", "comm_caseid")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True)
class Combination:
    """``words``: type, action and status, trimmed and in lower case."""

    words: tuple[str, str, str]
    becomes: Becomes
    rows: int


@dataclass
class Classified:
    """``combinations``: first those with a value that no line names, the most frequent first; ``further_rows`` are those
    of rarer combinations than can be kept."""

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    further_rows: int = 0
    combinations: list[Combination] = field(default_factory=list)


@dataclass
class Look:
    """How a drop is read: its first rows by line, rejected rows and fields that could not be read, a few of each with how
    many there are. Values are as they would land: personal data."""

    most: int = 5
    info: DropInfo | None = None
    rows: dict[int, dict[str, str | None]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    warned: list[FieldWarning] = field(default_factory=list)

    def see(self, block: Block) -> None:
        if len(self.rows) >= self.most:
            return
        assert self.info is not None  # noqa: S101 - set before the file is read
        wanted = tuple(column.name for column in COLUMNS)
        found = {int(row["line_number"] or 0): row for row in _rows(block, self.info, ("line_number", *wanted))}
        for line in sorted(found)[: self.most - len(self.rows)]:
            self.rows[line] = {name: found[line][name] for name in wanted}

    def warn(self, warning: FieldWarning) -> None:
        self.warnings[warning.column_name, warning.reason] += 1
        if len(self.warned) < self.most:
            self.warned.append(warning)


def _rejected(found: Classified, look: Look, reject: Reject) -> None:
    found.rejected[reject.reason] += 1
    if len(look.rejects) < look.most:
        look.rejects.append(reject)


def classify(path: Path, settings: Settings, names: Names = (), look: Look | None = None) -> Classified:
    """What the rows become; ``look`` is filled with how they are read. ``names`` are a column map's. Raises ``DropRefused``
    for a file that the landing would refuse, ``Refused`` for a mapping that cannot stand."""
    mapping, found, look = Mapping(), Classified(), look or Look()
    look.info = info = inspect(path, settings.encoding, names)
    kinds: Counter[tuple[str, str, str, str, bool]] = Counter()
    reader = read(
        path,
        info,
        drop_id=0,
        source_zone=settings.zone,
        date_order=settings.date_order,
        first_month=at_midnight(settings.partitions_start),
        end=at_midnight(partitions_end()),
        on_reject=lambda reject: _rejected(found, look, reject),
        on_warning=look.warn,
        keep_zero_ids=settings.keep_zero_ids,
    )
    for block in reader:
        look.see(block)
        for row in _rows(block, info):
            comm_type, action, status, priority = (key(row[name] or "") for name in _WANTED[:4])
            kind = (comm_type, action, status, priority, row["comm_caseid"] is not None)
            if kind in kinds or len(kinds) < _MOST:
                kinds[kind] += 1
            else:
                found.further_rows += 1
    found.rows = reader.rows_in
    together: Counter[tuple[tuple[str, str, str], Becomes]] = Counter()
    for (comm_type, action, status, priority, has_case), rows in kinds.items():
        becomes = mapping.becomes(comm_type, action, status, priority, has_case=has_case)
        together[(comm_type[:_LONGEST], action[:_LONGEST], status[:_LONGEST]), becomes] += rows
    found.combinations = sorted(
        (Combination(words, becomes, rows) for (words, becomes), rows in together.items()),
        key=lambda each: (not each.becomes.unnamed, -each.rows, each.words),
    )
    return found


def _rows(block: Block, info: DropInfo, wanted: Sequence[str] = _WANTED) -> Iterator[dict[str, str | None]]:
    """The wanted columns of a block's rows, None for none."""
    names = ["drop_id", "line_number", *(column.name for column in COLUMNS)]
    at = {name: names.index(name) for name in wanted}
    for line in block.text.decode().split("\n"):
        if line:
            fields = line.split("\t")
            yield {name: _unescaped(fields[position]) for name, position in at.items()}
    if block.plain:
        names = ["drop_id", "line_number", *info.columns_in_order]
        present = {name: names.index(name) for name in wanted if name in names}
        # Read as COPY reads it: empty values are none.
        for values in csv.reader(io.StringIO(block.plain.decode(), newline=""), delimiter=info.delimiter):
            yield {name: values[present[name]] or None if name in present else None for name in wanted}


def _unescaped(text: str) -> str | None:
    """A value of COPY text."""
    if text == "\\N":
        return None
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), text) if "\\" in text else text
