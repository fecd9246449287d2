"""How often a sensor has started work that is still not done (``staging.ic_attempt``): when it may try again, and what it
has given up. Sensors write this through ``operations.sensors``; ``status`` reads it. No Dagster here.

A row stands for as long as its subject is not done and its cause is the same. Whatever changes the cause (a new drop, a
file put back, an edited rule) begins with the first attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import class_row

from ic_assets.core.sql import statement

MOST_ATTEMPTS = 5
# A server that restarts is back in seconds, a full disk in minutes: 10 s, 50 s, 4 min, 21 min after each failure.
_FIRST_PAUSE = timedelta(seconds=10)
_FACTOR = 5


@dataclass(frozen=True)
class Work:
    """What is not done: ``subject`` names it for people, ``cause`` is the state that asks for it."""

    subject: str
    cause: str


@dataclass(frozen=True)
class Attempt:
    """The last attempt at a subject. ``reason`` is empty until somebody has seen how it ended, which is what ``tried_at``
    then tells. ``age`` is the time since, by the database's clock."""

    sensor: str
    subject: str
    cause: str
    attempts: int
    tried_at: datetime
    run_key: str
    reason: str | None
    age: timedelta

    @property
    def is_given_up(self) -> bool:
        return self.reason is not None and self.attempts >= MOST_ATTEMPTS

    @property
    def is_due_again(self) -> bool:
        return self.reason is not None and not self.is_given_up and self.age >= self._pause

    @property
    def _pause(self) -> timedelta:
        return timedelta(seconds=_FIRST_PAUSE.total_seconds() * _FACTOR ** (self.attempts - 1))

    def __str__(self) -> str:
        if self.reason is None:
            return f"attempt {self.attempts} of {MOST_ATTEMPTS} is under way"
        if self.is_given_up:
            return f"given up after {self.attempts} attempts: {self.reason}"
        at = (self.tried_at + self._pause).astimezone(UTC)
        return f"attempt {self.attempts + 1} of {MOST_ATTEMPTS} from {at:%H:%M:%S} UTC on: {self.reason}"


def standing(connection: psycopg.Connection, sensor: str | None = None) -> list[Attempt]:
    """The attempts of one sensor, or of all."""
    with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(statement("operations/attempts/standing"), {"sensor": sensor}).fetchall()


def keep(connection: psycopg.Connection, sensor: str, works: Sequence[Work]) -> dict[str, Attempt]:
    """Forgets the sensor's attempts at all but these works: those are done, gone, or have another cause. Returns the others
    by subject."""
    connection.execute(
        statement("operations/attempts/forget"),
        {"sensor": sensor, "subjects": [w.subject for w in works], "causes": [w.cause for w in works]},
    )
    return {attempt.subject: attempt for attempt in standing(connection, sensor)}


def begin(connection: psycopg.Connection, sensor: str, works: Iterable[tuple[Work, int]], run_key: str) -> None:
    """Records that a run is asked for: its works, each with the number of its attempt."""
    with connection.cursor() as cursor:
        cursor.executemany(
            statement("operations/attempts/begin"),
            [
                {
                    "sensor": sensor,
                    "subject": work.subject,
                    "cause": work.cause,
                    "attempts": number,
                    "run_key": run_key,
                }
                for work, number in works
            ],
        )


def ended(connection: psycopg.Connection, sensor: str, run_key: str, reason: str) -> None:
    """Records why the works of a run are still not done."""
    connection.execute(statement("operations/attempts/ended"), {"sensor": sensor, "run_key": run_key, "reason": reason})


INBOX = "inbox of "
"""How the subject of what waits in a flow's inbox begins."""


def begin_anew(connection: psycopg.Connection, other_than: Sequence[str]) -> None:
    """Forgets the attempts of all sensors but these: a person has mended something."""
    connection.execute("DELETE FROM staging.ic_attempt WHERE NOT sensor = ANY(%s)", (list(other_than),))
