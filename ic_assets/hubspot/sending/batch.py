"""What creates, updates and removals share: one claimed batch under way, and its requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TypeVar

from ic_assets.hubspot.client.client import HubSpotClient, Json, Problem, Reply, path
from ic_assets.hubspot.ledger.ledger import Ledger
from ic_assets.hubspot.ledger.outgoing import Outgoing
from ic_assets.hubspot.ledger.rows import Outcome, Row
from ic_assets.hubspot.portal.setup import TypeSetup
from ic_assets.hubspot.push.result import PushOptions
from ic_assets.hubspot.sending import records
from ic_assets.hubspot.sending.records import Link

# A row that was sent this often without any outcome is a failure to look at, not to repeat.
MAX_ATTEMPTS = 8
T = TypeVar("T")


class Batch:
    """One claimed batch under way; ``outcomes`` grows as parts of it are decided. ``dropped``: by key, the associations
    that are left out since HubSpot does not have the record they lead to (``options.drop_missing``). ``in_doubt``: a
    request was repeated whose first attempt may still come through, after whatever is written to these rows next."""

    def __init__(self, client: HubSpotClient, state: TypeSetup, ledger: Ledger, options: PushOptions) -> None:
        self.client = client
        self.state = state
        self.ledger = ledger
        self.options = options
        self.outcomes: list[Outcome] = []
        self.in_doubt = False
        self.dropped: dict[str, set[Link]] = defaultdict(set)

    def fail(self, row: Row, what: Problem) -> None:
        self.outcomes.append(Outcome(row, "failed", problem=what))

    def drop(self, row: Row, what: Problem) -> bool:
        """Leaves out what ``what`` says is missing. True when there was something to leave out."""
        if not self.options.drop_missing:
            return False
        missing = (
            records.named_links(self.state.outgoing, row.payload or {}, what.missing_targets) - self.dropped[row.key]
        )
        self.dropped[row.key] |= missing
        return bool(missing)

    async def post(self, operation: str, inputs: list[Json], *, repeatable: bool = True) -> Reply:
        return await self.client.send(
            "POST",
            path(self.client.target.api, "objects", self.state.object_type, operation),
            {"inputs": inputs},
            operation=operation,
            object_type=self.state.object_type,
            inputs=len(inputs),
            repeatable=repeatable,
            writes=True,
            on_doubt=self.doubt,
        )

    def doubt(self) -> None:
        self.in_doubt = True


def adopted(
    outgoing: Outgoing, row: Row, identifier: int, *, is_certain: bool, dropped: Collection[Link] = ()
) -> Outcome:
    """A record that stands, without the links ``dropped``. When it may hold something other than today's payload, it is
    pushed with unknown content, which the ledger turns into an update."""
    if is_certain and row.payload is not None:
        return Outcome(row, "pushed", identifier, row.hash, records.content(outgoing, row.payload, dropped))
    return Outcome(row, "pushed", identifier)


def halves(rows: Sequence[T]) -> list[Sequence[T]]:
    middle = (len(rows) + 1) // 2
    return [half for half in (rows[:middle], rows[middle:]) if half]
