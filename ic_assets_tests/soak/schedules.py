"""What happens to one push, drawn from a seed: the portal, the rows, and rounds of corrections, faults and kills.

A schedule holds no clock and no connection; ``harness`` carries it out. The same seed gives the same schedule.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ic_assets.sandbox.http.chaos import FAULTS
from ic_assets_tests.hubspot.push_cases import COMPANY, CONTACTS, NAMES, Activity

PORTALS: dict[str, dict[str, Any]] = {
    "unique": {"unique_on_activities": "accepted", "archive_frees_unique": True},
    "sticky": {"unique_on_activities": "accepted", "archive_frees_unique": False, "meeting_canceled": "CANCELLED"},
    "plain": {"unique_on_activities": "refused", "multi_status_on_update": False},
}
"""Options of the local HubSpot: unique values enforced and freed by archiving; enforced and kept by archived records;
refused on activities."""
RECHECK = 0.5
"""Seconds that a request of unknown outcome gets. All that the faults below delay is over sooner (but see
``Schedule.is_overdue``), with room for a busy machine."""
LONGEST_DELAY = 0.3
SHORT_DELAY = 0.04
NO_SUCH_CONTACT = "123456789"
AMBIGUOUS = ("lost_reply", "cut_reply", "late_commit", "empty", "short", "repeat", "http_504_after", "http_500_after")
WRITES = (
    "batch/create",
    "batch/update",
    "batch/archive",
    "associations/.*batch/create",
    "associations/.*batch/archive",
)


@dataclass(frozen=True)
class Kill:
    """kill -9: when the worker reaches its n-th point (it kills itself there; a point lies before and after everything
    that it sends to PostgreSQL or HubSpot), or ``seconds`` after its start (from outside)."""

    point: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Round:
    """``corrections`` reach staging before the first worker starts, or (``is_late``) before the second does, while the
    first is at work. ``gap``: seconds between the two. None kills nothing."""

    chaos: dict[str, Any]
    workers: tuple[Kill | None, ...]
    gap: float = 0.0
    corrections: tuple[Activity, ...] = ()
    is_late: bool = False


@dataclass(frozen=True)
class Schedule:
    """``is_slow``: so few requests a second that the budget is what limits. ``is_overdue``: creates may be carried out
    long after ``RECHECK``, which a unique property must make good."""

    seed: int
    portal: str
    api: str
    rps: float
    is_slow: bool
    is_overdue: bool
    include_orphans: bool
    rows: tuple[Activity, ...]
    rounds: tuple[Round, ...] = field(default=())
    take_back: tuple[Kill | None, ...] = ()
    """Roll-backs of everything after the rounds, one after the other; a last one that nobody kills must be complete."""
    take_back_chaos: dict[str, Any] = field(default_factory=dict)

    def final(self) -> dict[int, Activity]:
        """The rows as they stand in staging at the end."""
        rows = {row.id: row for row in self.rows}
        for one in self.rounds:
            rows |= {row.id: row for row in one.corrections}
        return rows

    def told(self) -> list[str]:
        """For people: a line for the setting and one for each round."""
        kinds = sorted({row.type for row in self.rows})
        head = f"portal {self.portal}, api {self.api}, {self.rps:g} requests/s, {len(self.rows)} rows of {', '.join(kinds)}"
        lines = [head + (", orphans included" if self.include_orphans else "")]
        for number, one in enumerate(self.rounds, 1):
            workers = [
                "runs" if k is None else f"killed at point {k.point}" if k.point else f"killed after {k.seconds:.3f} s"
                for k in one.workers
            ]
            text = f"round {number}: workers {' + '.join(workers)} (gap {one.gap:.3f} s)"
            if one.corrections:
                ids = ", ".join(f"{row.id}→{row.type}" for row in one.corrections)
                text += f"; corrected {'while the first works' if one.is_late else 'before'}: {ids}"
            lines.append(f"{text}; faults {one.chaos}")
        if self.take_back:
            kills = [f"killed at point {k.point}" if k and k.point else f"{k}" for k in self.take_back]
            lines.append(f"taken back: {', '.join(kills)}; faults {self.take_back_chaos}")
        return lines


def draw(seed: int) -> Schedule:
    """The schedule of one seed."""
    rng = random.Random(seed)
    portal = rng.choices(list(PORTALS), (4, 2, 4))[0]
    is_slow = rng.random() < 0.06
    is_overdue = not is_slow and portal != "plain" and rng.random() < 0.06
    types = rng.sample(NAMES, rng.randint(1, 2) if is_slow else rng.choices((1, 2, 3, 7), (3, 5, 3, 1))[0])
    count = rng.randint(3, 6) if is_slow else rng.randint(5, 40)
    rows = {number: _row(rng, number, types) for number in range(1, count + 1)}
    started = tuple(rows.values())
    rounds = []
    for number in range(rng.choices((1, 2, 3), (4, 4, 1))[0]):
        corrections: tuple[Activity, ...] = ()
        if number or rng.random() < 0.4:
            corrections = _corrections(rng, rows, types, number, may_move=not is_overdue)
        rows |= {row.id: row for row in corrections}
        workers = tuple(_kill(rng) for _ in range(rng.choices((1, 2), (3, 2))[0]))
        rounds.append(
            Round(
                chaos=_overdue(rng) if is_overdue else _chaos(rng, portal),
                workers=workers,
                gap=rng.choice((0.0, rng.uniform(0.0, 0.15))),
                corrections=corrections,
                is_late=len(workers) == 2 and rng.random() < 0.5,
            )
        )
    api = rng.choice(("v3", "v3", "2026-03", "2026-09"))
    rps = float(rng.choice((4, 6, 9))) if is_slow else 400.0
    include_orphans = rng.random() < 0.3
    is_taken_back = not is_slow and not is_overdue and rng.random() < 0.4
    return Schedule(
        seed=seed,
        portal=portal,
        api=api,
        rps=rps,
        is_slow=is_slow,
        is_overdue=is_overdue,
        include_orphans=include_orphans,
        rows=started,
        rounds=tuple(rounds),
        take_back=tuple(_kill(rng) for _ in range(rng.randint(1, 2))) if is_taken_back else (),
        take_back_chaos=_chaos(rng, portal) if is_taken_back else {},
    )


def _row(rng: random.Random, number: int, types: list[str]) -> Activity:
    row = Activity(
        number,
        rng.choice(types),
        contact=rng.choice(CONTACTS),
        company=COMPANY if rng.random() < 0.3 else None,
        text=f"text {number}",
        month=rng.choice(("2018-12", "2019-01", "2019-03")),
        parts=tuple(f"part {n} of {number}" for n in range(2, rng.randint(2, 3) + 1)) if rng.random() < 0.12 else (),
    )
    fate = rng.random()
    if fate < 0.06:
        return replace(row, contact=None, company=None)
    if fate < 0.10:
        return replace(row, contact=NO_SUCH_CONTACT)
    if fate < 0.13:
        return replace(row, status="failed", parts=())
    return replace(row, extra={"hs_call_status": "BUSY"}) if row.type == "calls" and fate > 0.6 else row


def is_refused(row: Activity) -> bool:
    """HubSpot refuses it, whatever else happens."""
    return row.contact == NO_SUCH_CONTACT


def _corrections(
    rng: random.Random, rows: dict[int, Activity], types: list[str], number: int, *, may_move: bool
) -> tuple[Activity, ...]:
    chosen = rng.sample(sorted(rows), rng.randint(1, max(1, len(rows) // 2)))
    changed = [_corrected(rng, rows[one], number, may_move=may_move) for one in chosen]
    new = [_row(rng, max(rows) + n, types) for n in range(1, rng.choice((0, 0, 1, 4)) + 1)]
    return (*changed, *new)


def _corrected(rng: random.Random, row: Activity, number: int, *, may_move: bool) -> Activity:
    """The row after a correction. What can stand never becomes what cannot: what would have to be in HubSpot then
    depended on how far the push before had come."""
    if row.contact is None and row.company is None:
        return replace(row, contact=rng.choice(CONTACTS), text=f"released {number}")
    if is_refused(row):
        return replace(row, contact=rng.choice(CONTACTS))
    if row.status == "failed":
        return replace(row, status="pending")
    changes: list[Callable[[], Activity]] = [
        lambda: replace(row, text=f"text {row.id} corrected {number}"),
        lambda: replace(row, contact=rng.choice([c for c in CONTACTS if c != row.contact])),
        lambda: replace(row, company=None if row.company else COMPANY),
        lambda: replace(row, text=f"both {row.id} {number}", contact=rng.choice(CONTACTS), extra={}),
    ]
    if may_move:
        changes += [
            lambda: replace(row, type=rng.choice([t for t in NAMES if t != row.type]), extra={}),
            lambda: replace(row, parts=row.parts[:-1]),
            lambda: replace(row, parts=(*row.parts, f"part {len(row.parts) + 2} of {row.id}, {number}")),
        ]
    return rng.choice(changes)()


def _kill(rng: random.Random) -> Kill | None:
    kind = rng.random()
    if kind < 0.45:
        return Kill(point=round(math.exp(rng.uniform(math.log(20), math.log(700)))))
    if kind < 0.75:
        return Kill(seconds=rng.uniform(0.02, 0.5))
    return None


def _chaos(rng: random.Random, portal: str) -> dict[str, Any]:
    # Mostly short, for speed; long ones let an old request come through after the next worker's.
    latency, late = (1000 * rng.choice((SHORT_DELAY, SHORT_DELAY, LONGEST_DELAY)) for _ in range(2))
    chaos: dict[str, Any] = {
        "seed": rng.randrange(1 << 30),
        "latency": round(rng.choice((0, 0, latency / 3)), 1),
        "jitter": round(rng.choice((0, latency / 3)), 1),
        "index_lag": rng.choice((0, 60)),
        "late": round(rng.uniform(0.1, 1) * late, 1),
        "retry_after": 0.02,
        "shuffle": rng.choice((0, 0.5)),
    }
    if rng.random() < 0.7:
        # A list that leaves records out tells lies about what is there, and a plain portal has nothing else.
        for name in rng.sample([f for f in FAULTS if portal != "plain" or f != "short"], rng.randint(1, 4)):
            chaos[name] = round(rng.uniform(0.03, 0.2), 3)
    if rng.random() < 0.15:
        chaos["bad_record"] = 0.1
    if rng.random() < 0.5:
        chaos["script"] = [
            {
                "match": f"POST .*{rng.choice(WRITES)}",
                "fault": rng.choice(AMBIGUOUS),
                "times": rng.randint(1, 3),
                "skip": rng.randint(0, 2),
            }
            for _ in range(rng.randint(1, 2))
        ]
    return chaos


def _overdue(rng: random.Random) -> dict[str, Any]:
    return {
        "late": round(rng.uniform(1.2, 2.5) * RECHECK * 1000),
        "retry_after": 0.02,
        "script": [
            {
                "match": "POST .*batch/create",
                "fault": "late_commit",
                "times": rng.randint(1, 4),
                "skip": rng.randint(0, 1),
            }
        ],
    }
