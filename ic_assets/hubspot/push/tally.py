"""The running figures of one push, by object type, and how much of a limited push is still allowed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from ic_assets.hubspot.client.client import RequestRecord
from ic_assets.hubspot.ledger.rows import Outcome
from ic_assets.hubspot.push.result import NAMED, PushResult, fill, spread
from ic_assets.hubspot.sending.edits import EDITED

_WRITTEN = {"create": "created", "update": "updated"}


class Tally:
    """Hears of every request and outcome; ``write`` fills a result. ``must_plan_again``: an outcome shows a row that the
    plan could not queue, since somebody had it in hand then. ``shown``: of a record key, as ``Outgoings`` has it."""

    def __init__(self, types: Sequence[str], shown: Callable[[str], Mapping[str, Any]]) -> None:
        self.by_type: dict[str, Counter[str]] = {name: Counter() for name in types}
        self.must_plan_again = False
        self.total = 0
        self._shown = shown
        self._allowance: Counter[str] | None = None
        self._reasons: Counter[str] = Counter()
        self._edits: list[dict[str, object]] = []
        self._dropped = 0
        self._first_at: dict[str, float] = {}
        self._last_at: dict[str, float] = {}

    @property
    def done(self) -> int:
        return sum(f["created"] + f["updated"] + f["removed"] + f["rejected"] for f in self.by_type.values())

    def of(self, object_type: str) -> Counter[str]:
        return self.by_type.setdefault(object_type, Counter())

    def request(self, record: RequestRecord) -> None:
        if record.object_type:
            self.of(record.object_type)["requests"] += 1

    def planned(self, counts: Mapping[tuple[str, str, str], int], limit: int | None) -> set[str]:
        """Takes the ledger's counts after the plan. Returns the types that have work."""
        pending: Counter[str] = Counter()
        for (object_type, state, _action), records in counts.items():
            if state == "pushed":
                self.of(object_type)["identical"] += records
            elif state == "pending":
                pending[object_type] += records
        if limit is not None:
            self._allowance = spread(pending, limit)
        planned = pending if self._allowance is None else self._allowance
        self.total = sum(planned.values())
        return {name for name, records in planned.items() if records > 0}

    def allowed(self, object_type: str, most: int) -> int:
        return most if self._allowance is None else min(most, self._allowance[object_type])

    def claimed(self, object_type: str, records: int) -> None:
        if records:
            self._first_at.setdefault(object_type, time.monotonic())
        if self._allowance is not None:
            self._allowance[object_type] -= records

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            row = outcome.row
            figures = self.of(row.object_type)
            self._dropped += bool(outcome.content and outcome.content.get("dropped"))
            self._last_at[row.object_type] = time.monotonic()
            # A removal of what staging wants by now, or a record of what it no longer has there.
            is_out_of_plan = (row.action == "remove") == (row.hash is not None)
            self.must_plan_again |= is_out_of_plan and outcome.what != "unknown"
            if outcome.what == "pushed" and outcome.hash is not None:
                figures[_WRITTEN[row.action]] += 1
            elif outcome.what == "removed":
                figures["removed"] += 1
            elif outcome.problem and outcome.problem.category == EDITED:
                figures["edited"] += 1
                self._edit(outcome)
            elif outcome.what in ("failed", "held"):
                figures["rejected"] += 1
                self._reasons[outcome.problem.words if outcome.problem else "no reason given"] += 1
            elif outcome.what != "unknown" and self._allowance is not None:
                # To be sent again, or adopted and still to be brought up to date.
                self._allowance[row.object_type] += 1

    def _edit(self, outcome: Outcome) -> None:
        if len(self._edits) < NAMED:
            self._edits.append(
                {
                    "type": outcome.row.object_type,
                    **self._shown(outcome.row.record_key),
                    "hubspot_id": outcome.row.hubspot_id,
                    "reason": outcome.problem.words if outcome.problem else None,
                }
            )

    def write(self, result: PushResult, left: Mapping[tuple[str, date], int], started: float) -> None:
        """``left``: what was left pending, by activity type and month."""
        for (name, month), records in sorted(left.items()):
            self.of(name)["left_pending"] += records
            result.left[f"{name} {month:%Y-%m}"] = records
        fill(result, self.by_type)
        result.edits = list(self._edits)
        result.rejects_by_reason = dict(self._reasons)
        for object_type, last in self._last_at.items():
            began = self._first_at.get(object_type, started)
            result.by_type[object_type]["seconds"] = round(last - began, 3)
        if self._dropped:
            result.warnings.append(
                "pushed without an association, since HubSpot does not have the record that it leads to: "
                f"{self._dropped:,} (see the push completion report)"
            )
