"""What is asked of a push and what it answers: options, counts, progress."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import psycopg

from ic_assets.core.failures import Refused
from ic_assets.core.sql import statement
from ic_assets.hubspot.client.client import Json
from ic_assets.hubspot.ledger.outgoing import Outgoings
from ic_assets.hubspot.push.scope import Scope

MODES = ("dry-run", "test", "production")
TEST_RECORDS = 100
ACTIONS = ("create", "update", "remove")
COUNTS = (
    "sent", "created", "updated", "identical", "removed", "rejected", "held", "edited", "left_pending", "unknown",
    "requests", "seconds",
)  # fmt: skip
# Records that are named one by one; all of them are in the ledger.
NAMED = 100


@dataclass(frozen=True)
class PushOptions:
    """``types``: object types of the flow, None: all. ``months``: first days of the first and the last month, both included.
    ``limit``: records that this run takes up. ``recheck_seconds``: how long an unanswered request may still be carried out
    (IC_HUBSPOT_RECHECK_SECONDS, 120).
    ``payload_version``: put on record with the run, so that a test push can stand for what it proved.
    ``drop_missing``: an association to a record that HubSpot does not have is left out, rather than the activity.
    ``overwrite_edits``: also records are updated that people changed in HubSpot."""

    mode: str = "dry-run"
    types: Sequence[str] | None = None
    months: tuple[date, date] | None = None
    limit: int | None = None
    include_orphans: bool = False
    overwrite_edits: bool = False
    approved_by: str | None = None
    run_id: str | None = None
    recheck_seconds: float | None = None
    payload_version: str | None = None
    drop_missing: bool = False

    def scope(self, outgoing: Outgoings) -> Scope:
        """Raises ``Refused`` for a type that the flow has not."""
        return outgoing.scope(
            self.types, self.months, include_orphans=self.include_orphans, overwrite_edits=self.overwrite_edits
        )

    def check(self, outgoing: Outgoings) -> None:
        if self.mode not in MODES:
            raise Refused(f"--mode {self.mode!r} is not one of {', '.join(MODES)}")
        self.scope(outgoing)
        if self.months is not None and self.months[0] > self.months[1]:
            raise Refused(f"--months: {self.months[0]:%Y-%m} is after {self.months[1]:%Y-%m}")
        if self.limit is not None and self.limit < 1:
            raise Refused(f"--limit {self.limit} is not a number of records above 0")

    @property
    def pause(self) -> float:
        if self.recheck_seconds is not None:
            return self.recheck_seconds
        text = os.environ.get("IC_HUBSPOT_RECHECK_SECONDS", "").strip() or "120"
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 86_400:
            raise Refused(f"IC_HUBSPOT_RECHECK_SECONDS={text!r} is not a number of seconds from 0 to 86400")
        return seconds


@dataclass
class PushResult:
    """What a push did, or (dry run) would do: then ``sent`` is 0 and the other figures are the prediction.

    ``sent = created + updated + removed + rejected + unknown``. Rows without a valid payload are not part of a push.
    ``edited``: records that people changed in HubSpot and that are held for it (a dry run counts all that are changed so);
    ``edits`` names the first of them: type, communication, HubSpot's id, what was changed. ``left_pending``: records whose
    payload changed after it was judged and planned; ``left`` says where: ``{"calls 2019-03": 2}``. ``approval``: whose it
    was and when. ``stopped_reason``: why it ended before everything was sent (None: it did not).
    """

    mode: str
    portal_id: int = 0
    push_id: int | None = None
    sent: int = 0
    created: int = 0
    updated: int = 0
    identical: int = 0
    removed: int = 0
    rejected: int = 0
    held: int = 0
    edited: int = 0
    left_pending: int = 0
    unknown: int = 0
    requests: int = 0
    seconds: float = 0.0
    by_type: dict[str, Json] = field(default_factory=dict)
    rejects_by_reason: dict[str, int] = field(default_factory=dict)
    edits: list[Json] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    approval: str | None = None
    conflicts: int = 0
    guarantee: str | None = None
    warnings: list[str] = field(default_factory=list)
    stopped_reason: str | None = None

    @property
    def succeeded(self) -> bool:
        """Nothing was declined, nothing is unknown or had to be left, and the run came to its end."""
        return not (self.rejected or self.unknown or self.left_pending or self.stopped_reason)

    def to_json(self) -> Json:
        """The keys of DESIGN section 6, in all and by type."""
        figures = {name: getattr(self, name) for name in COUNTS}
        named = {"left": self.left, "edits": self.edits} if self.left or self.edits else {}
        return {**figures, **named, "by_type": {name: dict(values) for name, values in self.by_type.items()}}


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` records, with the requests and seconds so far. ``waits_for``: what it begins to wait for, in a
    sentence."""

    done: int
    total: int
    requests: int
    seconds: float
    waits_for: str = ""


def fill(result: PushResult, by_type: dict[str, Counter[str]]) -> None:
    """Writes the counts, by type and in all; requests and seconds in all are the caller's."""
    for object_type, figures in by_type.items():
        figures["sent"] = sum(figures[name] for name in ("created", "updated", "removed", "rejected", "unknown"))
        result.by_type[object_type] = {name: figures[name] for name in COUNTS}
    for name in COUNTS[:-2]:
        setattr(result, name, sum(figures[name] for figures in by_type.values()))


def spread(pending: Counter[str], limit: int) -> Counter[str]:
    """``limit`` records over the types as evenly as what is pending allows."""
    allowance: Counter[str] = Counter()
    left = {name: records for name, records in pending.items() if records > 0}
    while limit > 0 and left:
        share = max(1, limit // len(left))
        for name in sorted(left):
            taken = min(share, left[name], limit)
            allowance[name] += taken
            limit -= taken
            left[name] -= taken
        left = {name: records for name, records in left.items() if records > 0}
    return allowance


def months_sent(connection: psycopg.Connection, portal_id: int, push_id: int) -> dict[tuple[str, date], int]:
    """(activity type, month) -> records that one push sent."""
    rows = connection.execute(
        statement("hubspot/push/months_sent"), {"portal_id": portal_id, "push_id": push_id}
    ).fetchall()
    return {(name, month): records for name, month, records in rows}
