"""What is amiss with a drop of which no row, or less than half, is loaded: the reason, an example, and what would help.
No database."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ic_assets.activities.engine.drop.drop_info import Reject, Slashes
from ic_assets.activities.engine.drop.reasons import HARMLESS, advice
from ic_assets.activities.engine.reports.masked_values import mask_raw, shortened
from ic_assets.activities.facts.contract import BY_NAME

_LONGEST_EXAMPLE = 40


class Examples:
    """The first rejected row of each reason and column."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str | None], Reject] = {}
        self._columns: Counter[tuple[str, str | None]] = Counter()

    def add(self, reject: Reject) -> None:
        kind = (reject.reason, reject.column_name)
        self._columns[kind] += 1
        self._first.setdefault(kind, reject)

    def of(self, reason: str) -> Reject | None:
        """One of the column that is at fault most often."""
        kinds = [kind for kind, _ in self._columns.most_common() if kind[0] == reason]
        return self._first[kinds[0]] if kinds else None


def trouble(reasons: Counter[str], rows_in: int, examples: Examples, slashes: Slashes) -> dict[str, Any] | None:
    """None for a drop that loads. Rows that are rejected since a newer version is loaded are no trouble."""
    harmful = Counter({reason: rows for reason, rows in reasons.items() if reason not in HARMLESS})
    if not harmful:
        return None
    reason, rows = harmful.most_common(1)[0]
    if rows_in > reasons.total() and 2 * rows <= rows_in:
        return None
    example = examples.of(reason)
    column = BY_NAME[example.column_name].header if example and example.column_name else None
    value = _shown(example, reason, slashes)
    return {
        "reason": reason,
        "rows": rows,
        "rows_in": rows_in,
        "line": example.line_number if example else None,
        "column": column,
        "value": value,
        "advice": _advice(reason, value, slashes, example.column_name if example else None),
    }


def _is_date(example: Reject | None) -> bool:
    return bool(example and example.column_name and BY_NAME[example.column_name].kind == "timestamp")


def _shown(example: Reject | None, reason: str, slashes: Slashes) -> str | None:
    if example is None or reason not in ("unreadable_required", "out_of_range") or example.value is None:
        return None
    if slashes.order and _is_date(example) and Slashes.of(example.value).any:
        return slashes.order[1]
    return shortened(mask_raw(example.value[:200]), _LONGEST_EXAMPLE)


def _advice(reason: str, value: str | None, slashes: Slashes, column: str | None) -> str:
    if reason == "unreadable_required" and slashes.order and value == slashes.order[1]:
        order = slashes.order[0]
        which = "" if slashes.day_first or slashes.month_first else " (`MDY` if the month comes first)"
        return f"`IC_DATE_ORDER={order}` would read `{value}`{which}; set it and load the file again."
    if reason == "out_of_range":
        return (
            "`IC_PARTITIONS_START` names the first month that is taken; set it to an earlier one, or correct the dates."
        )
    return advice(reason, column)
