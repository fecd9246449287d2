"""Where every row went, from the files to HubSpot, as one list of counted steps: the picture, its table and its words are
made from the same numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg

from ic_assets.activities.engine.judging.verdicts import percent
from ic_assets.activities.engine.reports.report import Section, read_frame
from ic_assets.activities.engine.reports.report_pictures import Link, Node, flow
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES

ROWS = "rows in the files"
FATES = ("inserted", "updated", "unchanged", "joined", "rejected")
STATES = ("ready", "held", "failed", "waiting")
PLACES = ("in HubSpot", "not in HubSpot")
NOT_APPLIED = "not in the master yet"
TAKEN_OUT = "deleted in the source since"
_TYPES = tuple(activity.name for activity in ACTIVITY_TYPES)
_NOTE = (
    "inserted: a new communication. updated: a later version of one that stood. unchanged: the same as it stood. joined: a "
    "further person or company of a communication. rejected: set aside with a reason (below). ready: HubSpot may have it. "
    "held: an orphan, or a conflict that a person must decide. failed: no valid payload, or HubSpot refused it. waiting: its "
    "month is out of date. in HubSpot: a record of it stands there, in this or an earlier version."
)


@dataclass(frozen=True)
class Flow:
    """The counted steps. ``landed`` and ``refused`` count drops; ``steps`` go from the files to HubSpot in order."""

    landed: int
    refused: int
    rows: dict[str, int]
    steps: tuple[Link, ...]

    @property
    def communications(self) -> int:
        return sum(self.into(name) for name in _TYPES)

    @property
    def ready_to_push(self) -> int:
        """Ready, and no record of it in HubSpot yet."""
        return next((s.count for s in self.steps if (s.source, s.target) == ("ready", PLACES[1])), 0)

    def into(self, node: str) -> int:
        return sum(step.count for step in self.steps if step.target == node)

    @property
    def sentence(self) -> str:
        fates = " + ".join(f"{self.rows[fate]:,} {fate}" for fate in FATES)
        return f"{self.rows['rows_in']:,} rows in the files = {fates}."

    @property
    def words(self) -> str:
        """The whole picture as sentences."""
        types = ", ".join(f"{self.into(name):,} {_plain(name)}" for name in _TYPES)
        states = ", ".join(f"{self.into(name):,} {name}" for name in STATES)
        places = ", ".join(f"{self.into(name):,} {name}" for name in PLACES)
        waiting = self.into(NOT_APPLIED)
        late = f" {waiting:,} inserted rows are {NOT_APPLIED}." if waiting else ""
        if gone := self.into(TAKEN_OUT):
            late += f" {gone:,} were {TAKEN_OUT}."
        return f"{self.sentence} The master holds {types}.{late} Of them {states}; {places}."


def read_flow(connection: psycopg.Connection) -> Flow:
    (totals,) = _records(read_frame(connection, "drop_totals"))
    types: Counter[tuple[str, str]] = Counter()
    places: Counter[tuple[str, bool]] = Counter()
    for line in _records(read_frame(connection, "flow")):
        types[line["activity_type"], line["state"]] += line["communications"]
        places[line["state"], line["in_hubspot"]] += line["communications"]
    late = max(totals["inserted"] - totals["taken_out"] - types.total(), 0)
    of_type: Counter[str] = Counter()
    for (name, _), count in types.items():
        of_type[name] += count
    if late:
        types[NOT_APPLIED, "waiting"] += late
        places["waiting", False] += late
    columns = [*_TYPES, *([NOT_APPLIED] if late else [])]
    gone = [Link("inserted", TAKEN_OUT, totals["taken_out"])] if totals["taken_out"] else []
    steps = [
        *(Link(ROWS, fate, totals[fate]) for fate in FATES),
        *(Link("inserted", name, of_type[name] if name in _TYPES else late) for name in columns),
        *gone,
        *(Link(name, state, types[name, state]) for name in columns for state in STATES),
        *(Link(state, place, places[state, place == PLACES[0]]) for state in STATES for place in PLACES),
    ]
    return Flow(totals["landed"], totals["refused"], totals, tuple(steps))


def flow_section(found: Flow) -> Section:
    title = "Where every row went"
    if not found.rows["rows_in"] and not found.communications:
        return Section(title, empty="Nothing is loaded yet.")
    table = pd.DataFrame(
        [
            (_plain(step.source), _plain(step.target), step.count, _share(step.count, _out_of(found, step.source)))
            for step in found.steps
            if step.count or step.source == ROWS
        ],
        columns=["from", "to", "rows", "share"],
    )
    extra = found.communications + found.rows["taken_out"] - found.rows["inserted"]
    return Section(
        title,
        table,
        found.sentence
        + (f" {extra:,} communications of the master came with no drop: look at the gates." if extra > 0 else ""),
        figure=_picture(found),
        figure_text=found.words,
        caption="The same figures: from where to where, how many rows, and their share of where they came from",
        note=_NOTE,
        grouped=True,
    )


def _records(found: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in record.items()} for record in found.to_dict("records")]


def _out_of(found: Flow, node: str) -> int:
    return sum(step.count for step in found.steps if step.source == node)


def _picture(found: Flow) -> str:
    late, gone = found.into(NOT_APPLIED), found.into(TAKEN_OUT)
    return flow(
        [
            [Node(ROWS, ROWS, found.rows["rows_in"], "inserted")],
            [Node(fate, fate, found.rows[fate], fate) for fate in FATES],
            [
                *(Node(name, _plain(name), found.into(name), name) for name in _TYPES),
                *([Node(NOT_APPLIED, NOT_APPLIED, late, "waiting")] if late else []),
                *([Node(TAKEN_OUT, TAKEN_OUT, gone, "removed")] if gone else []),
            ],
            [Node(state, state, found.into(state), state) for state in STATES],
            [Node(place, place, found.into(place), place) for place in PLACES],
        ],
        found.steps,
        "Where every row went, from the files to HubSpot",
        found.words,
    )


def _share(part: int, whole: int) -> str:
    return percent(part, whole) if whole else ""


def _plain(name: str) -> str:
    return name.replace("_", " ")
