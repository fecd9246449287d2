"""Exports that name their columns otherwise: a CSV of their names and ours, ``--columns FILE`` or ``$IC_HOME/columns.csv``.
It is read wherever the header of a drop is; from there on a column is a position, and everything later agrees. No database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ic_assets.activities.facts.contract import BY_NAME, COLUMNS, DELETED_HEADER
from ic_assets.core.failures import Refused
from ic_assets.core.rules_data import Line, RuleFile

# Their name, as a header is compared, and ours.
Names = tuple[tuple[str, str], ...]

EDGES = re.compile(r"^[\s\"'\ufeff]+|(?<![\s\"'\ufeff])[\s\"'\ufeff]+$")


def plain(header: str) -> str:
    """A header as a column name: case, outer white space and stray quotes do not matter."""
    return EDGES.sub("", header).lower()


def _parsed(line: Line) -> tuple[str, str]:
    ours = line.filled("ours").lower()
    if ours not in BY_NAME and ours != DELETED_HEADER.lower():
        raise line.refused("ours", f"{line['ours']!r} is no column of a drop; those are {_OURS}")
    return plain(line.filled("theirs")), ours


_OURS = ", ".join([*(column.header for column in COLUMNS), DELETED_HEADER])


def _together(lines: Sequence[tuple[Line, tuple[str, str]]]) -> None:
    seen: dict[str, str] = {}
    for line, (_, ours) in lines:
        if earlier := seen.get(ours):
            raise line.refused("ours", f"{line['ours']!r} stands twice ({earlier} too); one of their columns is ours")
        seen[ours] = line.where.rpartition(", ")[2]


COLUMN_MAP = RuleFile(
    "columns.csv",
    columns=("theirs", "ours"),
    parse=_parsed,
    key=lambda pair: pair[0],
    key_columns=("theirs",),
    together=_together,
)


def names_of(file: Path) -> Names:
    """The names of a file. Raises ``Refused`` naming its line and column."""
    if not file.is_file():
        raise Refused(f"{file}: no such file; a column map is a CSV with the columns theirs,ours")
    return COLUMN_MAP.read(file).rows


def names_in_force() -> Names:
    """Those of ``$IC_HOME/columns.csv``; none where there is no such file. Raises as ``names_of``."""
    return names_of(COLUMN_MAP.own) if COLUMN_MAP.own.is_file() else ()
