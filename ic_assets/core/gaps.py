"""The validation gaps of the system that this one succeeds: what it did not check, by which mechanism each is closed, and
where that stands. ``gaps.csv`` is the one list; tests that do the bad thing carry ``@pytest.mark.gap(id)``, and a test
holds the two together.

``where`` names, joined by ``;``, columns (``schema.table.column``) whose constraint refuses the bad value, and code
(``ic_assets.module:name``). Empty: not closed yet.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import psycopg

from ic_assets.core.sql import statement

FILE = Path(__file__).with_name("gaps.csv")
OPEN, CLOSED, BROKEN = "open", "closed", "broken"


@dataclass(frozen=True)
class Gap:
    """``priority``: P0 is the gravest. ``gap``: where, and what was not checked."""

    id: str
    flow: str
    priority: str
    gap: str
    mechanism: str
    where: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        return [place for place in self.where if ":" not in place]


@dataclass(frozen=True)
class State:
    """``state``: open; closed; or broken, when what closes it is not there. ``note`` says why it is not closed."""

    state: str
    note: str = ""


def gaps() -> tuple[Gap, ...]:
    """In the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Gap(
                row["id"],
                row["flow"],
                row["priority"],
                row["gap"],
                row["mechanism"],
                tuple(place.strip() for place in row["where"].split(";") if place.strip()),
            )
            for row in csv.DictReader(file)
        )


def states(found: Sequence[Gap], connection: psycopg.Connection | None) -> Mapping[str, State]:
    """Of each gap, by id, as it is now: code is looked for where it is installed, constraints in the database (None: there
    is none yet, and columns count as they are declared). Changes nothing."""
    columns = [column for gap in found for column in gap.columns]
    held = set(columns) if connection is None else _held(connection, columns)
    return {gap.id: _state(gap, held) for gap in found}


def _state(gap: Gap, held: set[str]) -> State:
    if find_spec(f"ic_assets.{gap.flow}") is None:
        return State(OPEN, f"the flow {gap.flow} is not there yet")
    if not gap.where:
        return State(OPEN, "nothing closes it yet")
    missing = [place for place in gap.where if not (_is_there(place) if ":" in place else place in held)]
    if missing:
        return State(BROKEN, f"not there: {', '.join(missing)}")
    return State(CLOSED)


def _is_there(place: str) -> bool:
    try:
        resolve_name(place)
    except (ImportError, AttributeError):
        return False
    return True


def _held(connection: psycopg.Connection, columns: Sequence[str]) -> set[str]:
    """Those of the columns that a constraint of the database speaks of."""
    rows = connection.execute(statement("core/gaps/held_columns"), {"columns": sorted(set(columns))}).fetchall()
    return {row[0] for row in rows}
