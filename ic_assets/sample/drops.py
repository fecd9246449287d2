"""The rows of the two drops, defects included, in the order of the files. `generate` writes them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ic_assets.sample.accounts import Accounts
from ic_assets.sample.dice import Dice
from ic_assets.sample.export import EXPORTED, LOST_ACCOUNT, START, Export, stamp, workday
from ic_assets.sample.legacy_values import KINDS, TYPES
from ic_assets.sample.oddities import ENDS_BEFORE_START, ODD_PLACES, SUPERSEDED, again, spoiled
from ic_assets.sample.real_exports import ATTENDEES, PLAIN_FROM, SHORT, TRAITS, Row

CYCLE = 1_000  # rows after which the pattern of defects and unresolved references repeats

DELTA_EXPORTED = datetime(2026, 11, 20)  # noqa: DTZ001

FIRST_ID = 10_432

DELETED = "Comm_Deleted"
"""The column by which the second drop says what was deleted since the first."""


def _created(dice: Dice, share: float) -> datetime:
    """When the row at ``share`` (0 to 1) of the file was entered: more than twice as many a month at the end
    as at the start. Square roots are exact to the last bit everywhere, powers are not."""
    elapsed = (math.sqrt(0.36 + 1.6 * share) - 0.6) / 0.8
    day = workday(START + timedelta(days=int(elapsed * (EXPORTED - START).days)))
    return day + timedelta(hours=dice.between(7, 17), minutes=dice.below(60), seconds=dice.below(60))


@dataclass
class Sources:
    """Plain rows of the first drop that the delta refers to: its first ones, and the last few hundred."""

    first: list[Row] = field(default_factory=list)
    last: deque[Row] = field(default_factory=lambda: deque(maxlen=420))
    superseded: set[str] = field(default_factory=set)

    def remember(self, row: Row) -> None:
        if len(self.first) < 12:
            self.first.append(row)
        self.last.append(row)

    def usable(self) -> list[Row]:
        by_id = {row["Comm_CommunicationId"]: row for row in (*self.first, *self.last)}
        return [row for number, row in by_id.items() if number not in self.superseded]


def communications(dice: Dice, accounts: Accounts, rows: int, sources: Sources) -> Iterator[list[str]]:
    """The rows of the first drop, header excluded, as lists of fields; fills ``sources`` on the way."""
    export = Export(dice, accounts)
    latest: Row | None = None
    others: deque[Row] = deque()
    long_note_pending = True
    for position in range(rows):
        turn = position // CYCLE
        # Two permutations of 0..999, so that neither pattern bunches nor follows the other.
        reference_place, odd_place = (position * 617 + 331) % CYCLE, (position * 389 + 517) % CYCLE
        created = _created(dice, position / rows)
        if odd_place in SUPERSEDED and latest is not None:
            sources.superseded.add(latest["Comm_CommunicationId"])
            yield list(again(latest, turn + odd_place).values())
            latest = None
            continue
        if others and odd_place >= PLAIN_FROM:
            yield list(others.popleft().values())
            continue
        kind = _kind_at(odd_place) or dice.pick(KINDS)
        row = export.row(FIRST_ID + position * 3 + dice.below(3), reference_place, created, kind)
        if odd_place < ODD_PLACES:
            yield spoiled(row, odd_place, turn)
            continue
        if odd_place < PLAIN_FROM:
            if odd_place in TRAITS:
                TRAITS[odd_place].adapt(row, turn)
            elif odd_place in ATTENDEES:
                others.extend(export.further_attendees(row))
            yield list(row.values())[: -2 if odd_place in SHORT else None]
            continue
        if long_note_pending and kind == "note" and position >= rows // 2:
            row["Comm_Note"] = export.long_note()
            long_note_pending = False
        elif row["Comm_UpdatedDate"]:
            latest = row
            sources.remember(row)
        yield list(row.values())


def _kind_at(odd_place: int) -> str | None:
    if odd_place in ENDS_BEFORE_START or odd_place in ATTENDEES:
        return "meeting"
    return TRAITS[odd_place].kind if odd_place in TRAITS else None


def delta(dice: Dice, accounts: Accounts, rows: int, sources: Sources) -> Iterator[list[str]]:
    """The rows of the second drop, about 120: corrections, repeats, late versions and deletions of what the first
    drop holds, then new communications of October and November 2026."""
    export = Export(dice, accounts)
    usable = sources.usable()
    step = len(usable) / 62
    picked = iter([usable[int(index * step)] for index in range(62)])

    def take(count: int) -> Iterator[Row]:
        return ({**next(picked), DELETED: ""} for _ in range(count))

    for row in take(18):
        old = row["Comm_Type"].strip().lower()
        # None of these is what a case or an unrecognised value already counts as.
        kinds = ("call", "email", "meeting", "message", "letter")
        others = [kind for kind in kinds if old not in map(str.lower, TYPES[kind])]
        row.update(Comm_Type=TYPES[dice.pick(others)][0], Comm_Action="")
        yield _corrected(dice, row)
    for row in take(12):
        shift = timedelta(days=dice.between(29, 36) * (-1 if dice.chance(50) else 1))
        for column in ("Comm_DateTime", "Comm_ToDateTime"):
            row[column] = stamp(datetime.fromisoformat(row[column]) + shift) if row[column] else ""
        yield _corrected(dice, row)
    for row in take(12):
        row["Comm_Note"] = f'{row["Comm_Note"]}\n\nCorrected after the call: see offer "final, v2".'
        yield _corrected(dice, row)
    for row in take(8):
        row["Comm_UpdatedDate"] = stamp(datetime.fromisoformat(row["Comm_UpdatedDate"]) - timedelta(days=30))
        row["Comm_Note"] = row["Comm_Note"][: len(row["Comm_Note"]) // 2]
        yield list(row.values())
    for row in take(9):
        yield list(row.values())
    for row in take(1):
        row["Comm_Subject"] = "Same date of change, other subject"
        yield list(row.values())
    for row in take(2):
        row[DELETED] = "Y"
        yield _corrected(dice, row)
    for index in range(58):
        day = datetime(2026, 10, 5) if index % 3 == 0 else datetime(2026, 11, 2)  # noqa: DTZ001
        created = workday(day + timedelta(days=index % 17)) + timedelta(hours=8 + index % 9, minutes=index)
        number = FIRST_ID + (rows + index) * 3
        # One in twenty of a lost account: a delta meets new orphans too.
        place = dice.below(len(LOST_ACCOUNT)) if index % 20 == 10 else 500
        row = export.row(number, place, created, dice.pick(KINDS), plans=False)
        row["Comm_UpdatedDate"] = stamp(created + timedelta(minutes=10))
        if index == 40:
            row["Comm_DateTime"] = "asap"
        yield [*row.values(), ""]


def _corrected(dice: Dice, row: Row) -> list[str]:
    row["Comm_UpdatedDate"] = stamp(DELTA_EXPORTED - timedelta(minutes=dice.between(60, 15 * 24 * 60)))
    return list(row.values())
