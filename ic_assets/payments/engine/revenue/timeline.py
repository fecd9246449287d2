"""The history of one subscription: a row from each version and from each instant at which the clock alone changes what it
is worth. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ic_assets.payments.engine.reading.models import Subscription
from ic_assets.payments.engine.revenue.figures import Figures, figures, turns
from ic_assets.payments.engine.revenue.rules import Rules
from ic_assets.payments.engine.revenue.versions import Version


@dataclass(frozen=True)
class Row:
    """What a subscription is worth from ``valid_from`` until ``valid_to`` (None: still)."""

    subscription_id: str
    valid_from: int
    valid_to: int | None
    cause: str
    version: Version[Subscription]
    figures: Figures


@dataclass(frozen=True)
class Timeline:
    """``samples``: the rows, and the instants at which a rule turned without a difference to any of their figures.
    ``due_at``: the next instant after the reference time at which a rule turns; None when none will."""

    subscription_id: str
    rows: tuple[Row, ...]
    samples: tuple[Row, ...]
    due_at: int | None


def timeline(versions: Sequence[Version[Subscription]], rules: Rules, until: int) -> Timeline:
    """The rows of one subscription up to ``until``, the reference time, in Unix seconds."""
    rows: list[Row] = []
    samples: list[Row] = []
    due: list[int] = []
    held = [one for one in versions if one.holds and one.valid_from <= until]
    for version in held:
        for when, cause in _instants(version, rules):
            if when > until:
                due.append(when)
                break
            row = Row(version.value.id, when, None, cause, version, figures(version, when, rules))
            samples.append(row)
            if when == version.valid_from or row.figures != rows[-1].figures:
                rows.append(row)
    for place, row in enumerate(rows[:-1]):
        rows[place] = replace(row, valid_to=rows[place + 1].valid_from)
    identifier = versions[0].value.id
    return Timeline(identifier, tuple(rows), tuple(samples), min(due, default=None))


def _instants(version: Version[Subscription], rules: Rules) -> Iterator[tuple[int, str]]:
    """The version's beginning and the instants at which a rule turns while it holds, in order, with the cause of each."""
    yield version.valid_from, version.first.event_id
    causes: dict[int, list[str]] = defaultdict(list)
    for when, what in turns(version, rules):
        if when > version.valid_from and (version.valid_to is None or when < version.valid_to):
            causes[when].append(f"clock:{what}")
    for when in sorted(causes):
        yield when, min(causes[when])
