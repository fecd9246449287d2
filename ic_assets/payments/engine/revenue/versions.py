"""The versions of an object: which content each has, and from when to when it holds. The same whatever the order, the
doubling and the delay in which the events came. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from ic_assets.payments.engine.reading.events import Carried, Event
from ic_assets.payments.engine.reading.models import Versioned

Model = TypeVar("Model", bound=Versioned)


@dataclass(frozen=True)
class Version(Generic[Model]):
    """Holds from ``valid_from`` until ``valid_to`` (None: still), both in Unix seconds."""

    number: int
    valid_from: int
    valid_to: int | None
    value: Model
    deleted: bool
    first: Event
    """The first of the events that carried it: its cause."""

    @property
    def holds(self) -> bool:
        """False for a version that a later one replaced before it began."""
        return self.valid_to is None or self.valid_from < self.valid_to


def versions_of(carried: Iterable[tuple[Event, Carried]], _model: type[Model]) -> list[Version[Model]]:
    """All versions of ONE object, oldest first, those that hold for no time too.

    Of a version the content is that of its greatest event by (occurred_at, event_id), and it holds from the least
    occurred_at; a version that began after a newer one is moved ahead to where that one begins."""
    groups: dict[int, list[tuple[Event, Carried]]] = defaultdict(list)
    for event, one in carried:
        groups[one.version].append((event, one))
    found: list[Version[Model]] = []
    later: int | None = None
    for number in sorted(groups, reverse=True):
        events = sorted(groups[number], key=lambda pair: pair[0].at)
        first, newest = events[0][0], events[-1][1]
        start = first.occurred_at if later is None else min(first.occurred_at, later)
        found.append(Version(number, start, later, cast(Model, newest.value), newest.deleted, first))
        later = start
    return found[::-1]


def at(versions: Iterable[Version[Model]], when: int) -> Version[Model] | None:
    """The highest version that holds at ``when``."""
    held = None
    for one in versions:
        if one.valid_from <= when:
            held = one
    return held
