"""What a rule and its verdict are, and the share that decides. The rules themselves are in `rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ic_assets.activities.engine.judging.figures import NOTHING_FRESH, Count, Fresh, Source, total


@dataclass(frozen=True)
class Rule:
    """One checkpoint: a ``query`` that gives one row (failing, checked, sample), or a ``Figure`` that is counted by month.

    ``on`` names what it judges: landing, master, resolved or an activity type; ``demand`` says what must hold.
    ``allowed`` is the share of failing rows from which on it fails: 0 means none may, and any other bound is itself a
    failure (the gates are strict) unless ``bound_passes``. ``sentence`` is filled with failing, checked, good and shares.
    ``tell`` makes of a failure's sample what to do next, where that depends on it. ``in_force`` gives parameters that may
    change between two judgements.
    """

    name: str
    on: str
    demand: str
    query: sql.Composed | Figure
    sentence: str
    next_step: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    allowed: float = 0.0
    bound_passes: bool = False
    blocking: bool = True
    gate: bool = False
    tell: Callable[[Any], str] | None = None
    in_force: Callable[[psycopg.Connection], Mapping[str, Any]] | None = None

    def judge(
        self,
        connection: psycopg.Connection,
        parameters: Mapping[str, Any] | None = None,
        fresh: Mapping[str, Fresh] = MappingProxyType({}),
    ) -> Verdict:
        """The verdict on what is there, or by what was counted last: ``judge`` below counts first."""
        if isinstance(self.query, Figure):
            return Verdict(self, *self.query.read(connection, fresh.get(self.query.source.name, NOTHING_FRESH)))
        now = self.in_force(connection) if self.in_force else {}
        row = connection.execute(self.query, {**self.parameters, **now, **(parameters or {})}).fetchone()
        failing, checked, sample = row or (0, 0, None)
        return Verdict(self, int(failing), int(checked), sample)


# Failing, checked and a sample: JSON without personal data.
Found = tuple[int, int, list[Any] | None]


@dataclass(frozen=True)
class Figure:
    """What a rule reads of a source's counts, folded to failing, checked and a sample. ``sample`` is a query for rows to
    show when something fails."""

    source: Source
    name: str
    fold: Callable[[Sequence[Count]], Found]
    ready: str | None = None
    sample: sql.Composed | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def read(self, connection: psycopg.Connection, fresh: Fresh = NOTHING_FRESH) -> Found:
        failing, checked, sample = self.fold(total(connection, self.source, self.name, self.ready, fresh))
        if failing and self.sample:
            with connection.cursor(row_factory=dict_row) as cursor:
                sample = [dict(row) for row in cursor.execute(self.sample, self.parameters)]
        return failing, checked, sample


@dataclass(frozen=True)
class Verdict:
    rule: Rule
    failing: int
    checked: int
    sample: list[Any] | None

    @property
    def share(self) -> float:
        """The failing share; 0 where there is nothing to judge, which passes."""
        return self.failing / self.checked if self.checked else 0.0

    @property
    def passed(self) -> bool:
        if self.failing == 0:
            return True
        allowed = self.rule.allowed
        return self.share <= allowed if self.rule.bound_passes else self.share < allowed

    @property
    def figure(self) -> str:
        """What was found, as a sentence."""
        if not self.checked:
            return "Nothing to judge yet."
        text = self.rule.sentence.format(
            failing=f"{self.failing:,}",
            checked=f"{self.checked:,}",
            good=f"{self.checked - self.failing:,}",
            share=percent(self.failing, self.checked),
            good_share=percent(self.checked - self.failing, self.checked),
        )
        return text if self.passed else f"{text} {self.next_step}"

    @property
    def next_step(self) -> str:
        """What to do about a failure."""
        return self.rule.tell(self.sample) if self.rule.tell and self.sample else self.rule.next_step


def percentage(part: int, whole: int) -> float:
    """Two decimals, but never rounded up to a bound that is not reached: 94.999 % is not shown as 95 %."""
    return part * 10_000 // whole / 100


def percent(part: int, whole: int) -> str:
    return f"{percentage(part, whole):.2f} %"
