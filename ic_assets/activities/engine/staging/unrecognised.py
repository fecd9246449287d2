"""The values of the CRM that no line of the mapping names, as the master stage counted them: read for the checks, `status`,
the run's metadata and the report. Counts nothing itself (``figures``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ic_assets.activities.engine.judging.figures import OF_MASTER, Count, total
from ic_assets.activities.engine.reports.masked_values import mask_value

_SHOWN = 20
_NAMED = 3


@dataclass(frozen=True)
class Unrecognised:
    """A value of the CRM that no line of the mapping names. ``value`` is trimmed and in lower case, None for the rarer ones
    of a month together; ``became`` is the activity type, direction, status or priority that it was given, empty for none;
    ``share`` is of the activity type's communications."""

    kind: str
    activity_type: str
    value: str | None
    communications: int
    share: float
    became: str | None

    @property
    def shown(self) -> str:
        """The value for people: an address that got into it is masked."""
        return "(rarer ones)" if self.value is None else str(mask_value(KINDS[self.kind], self.value))

    def to_json(self) -> dict[str, Any]:
        return {
            KINDS[self.kind]: self.shown,
            "activity_type": self.activity_type,
            "communications": self.communications,
            "share": round(self.share, 4),
            "became": self.became,
        }


KINDS = {"types": "comm_type", "actions": "comm_action", "statuses": "comm_status", "priorities": "comm_priority"}


def unrecognised(connection: psycopg.Connection) -> list[Unrecognised]:
    """By what was counted last; those of most communications first."""
    found = [
        each for kind in KINDS for each in _unnamed(kind, total(connection, OF_MASTER, f"unrecognised_{kind}", None))
    ]
    return sorted(found, key=lambda each: (-each.communications, each.kind, each.value or "", each.activity_type))


def _unnamed(kind: str, counts: Sequence[Count]) -> list[Unrecognised]:
    items = [(json.loads(count.item), count) for count in counts]
    whole = {item[0]: count.checked for item, count in items if len(item) == 1}
    return [
        Unrecognised(kind, item[0], item[1], count.failing, count.failing / (whole.get(item[0]) or 1), item[2])
        for item, count in items
        if len(item) == 3
    ]


def least_recognised(kind: str) -> Callable[[Sequence[Count]], tuple[int, int, list[Any] | None]]:
    """Of the activity type with the largest share of communications that have an unnamed value, these and all; and the
    values of every type as a sample."""

    def fold(counts: Sequence[Count]) -> tuple[int, int, list[Any] | None]:
        unnamed = sorted(_unnamed(kind, counts), key=lambda each: -each.communications)
        shares = [
            (sum(each.communications for each in unnamed if each.activity_type == item[0]), count.checked)
            for count in counts
            if len(item := json.loads(count.item)) == 1
        ]
        failing, checked = max(shares, key=lambda pair: (pair[0] / (pair[1] or 1), pair[1]), default=(0, 0))
        return failing, checked, [each.to_json() for each in unnamed[:_SHOWN]] or None

    return fold


def most_frequent(file: str, sample: Sequence[dict[str, Any]]) -> str:
    """What to do about the values of a sample, the first of them named."""
    values = [next(each[column] for column in KINDS.values() if column in each) for each in sample[:_NAMED]]
    named = ", ".join(
        f"{value} ({each['communications']:,} {each['activity_type']})"
        for value, each in zip(values, sample, strict=False)
    )
    return f"Give them lines in {file} (a copy in IC_HOME counts) and run `ic-assets load`. Most often: {named}."
