"""Sends batches of claimed rows and settles them: each row ends as written, declined, or of unknown outcome.

Rows are matched by trace id or by the id property, never by position. A create is sent again only after a look-up has
shown that it was not carried out; updates and removals may be repeated freely.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.logs import log
from ic_assets.hubspot.client.client import MAX_INPUTS, HubSpotClient, Problem, StopForNow
from ic_assets.hubspot.ledger.ledger import Ledger
from ic_assets.hubspot.ledger.rows import Outcome, Row
from ic_assets.hubspot.portal.setup import SetupReport, TypeSetup
from ic_assets.hubspot.push.result import PushOptions
from ic_assets.hubspot.sending.batch import MAX_ATTEMPTS, Batch, adopted
from ic_assets.hubspot.sending.change import Change
from ic_assets.hubspot.sending.create import Creation, find_rows
from ic_assets.hubspot.sending.lookup import standing


class Sender:
    """Pushes batches of one object type and action. ``settled`` hears of every outcome that was written. ``takes_back``:
    for a roll-back, which may archive what stands whatever is still on its way to it; only a record that is not there yet
    is waited for."""

    def __init__(
        self,
        client: HubSpotClient,
        ledger: Ledger,
        setup: Callable[[], SetupReport],
        settled: Callable[[Sequence[Outcome]], None],
        options: PushOptions,
        *,
        takes_back: bool = False,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._setup = setup
        self._settled = settled
        self._options = options
        self._takes_back = takes_back

    async def push(self, rows: Sequence[Row]) -> None:
        """Sends rows of one object type and action, and settles each. What was not sent when HubSpot or the run stops
        is pending again; the error goes on to the caller."""
        batch, work = self._batch(rows)
        try:
            await work(rows)
        except (StopForNow, Unavailable, Refused):
            done = {id(outcome.row) for outcome in batch.outcomes}
            left = "unknown" if batch.in_doubt else "pending"
            batch.outcomes += [Outcome(row, left) for row in rows if id(row) not in done]
            await self._settle(batch.outcomes, in_doubt=batch.in_doubt)
            raise
        await self._settle(batch.outcomes, in_doubt=batch.in_doubt)
        unknown = [outcome.row for outcome in batch.outcomes if outcome.what == "unknown"]
        if unknown:
            # Most lost replies are about records that stand: one look now spares the pause.
            await self.resolve(unknown, is_first_look=True)

    async def resolve_due(self, object_types: Iterable[str]) -> bool:
        """Looks up what may be looked up now of these types. Returns whether there was any."""
        resolved = False
        for object_type in object_types:
            while rows := await self._ledger.unknown_due(object_type, MAX_INPUTS):
                await self.resolve(rows)
                resolved = True
        return resolved

    async def resolve(self, rows: Sequence[Row], *, is_first_look: bool = False) -> None:
        """Looks rows of unknown outcome up. What stands is pushed; what is absent waits for the second look or, after
        it, is sent again. Changes are simply sent again, once the earlier ones can no longer come through."""
        state = self._type(rows)
        creates = [row for row in rows if row.action == "create"]
        again = {row.key: "pending" if row.is_settled or self._takes_back else "unknown" for row in rows}
        outcomes = [Outcome(row, again[row.key]) for row in rows if row.action == "update"]
        removals = [row for row in rows if row.action == "remove"]
        if removals:
            # Not simply sent again: a roll-back that died may have been given up, and the rows be wanted by now.
            there = await standing(self._client, state, [row.hubspot_id or 0 for row in removals])
            outcomes += [Outcome(row, again[row.key] if row.hubspot_id in there else "removed") for row in removals]
        found = await find_rows(self._client, self._ledger, state, [row.key for row in creates])
        for row in creates:
            identifier = found.get(row.key)
            if identifier is not None:
                # Which associations were left out of the attempt is not on record.
                is_certain = row.sent_hash == row.hash and not self._options.drop_missing
                outcomes.append(adopted(state.outgoing, row, identifier, is_certain=is_certain))
            elif is_first_look or not row.is_settled:
                outcomes.append(Outcome(row, "unknown"))
            elif row.attempts >= MAX_ATTEMPTS:
                outcomes.append(Outcome(row, "failed", problem=Problem(f"no outcome in {row.attempts} attempts")))
            else:
                outcomes.append(Outcome(row, "pending"))
        stand = sum(outcome.what == "pushed" for outcome in outcomes)
        if stand:
            log.info("adopted", push=self._ledger.push_id, type=state.object_type, records=stand, of=len(rows))
        await self._settle(outcomes)

    def _batch(self, rows: Sequence[Row]) -> tuple[Batch, Callable[[Sequence[Row]], Awaitable[None]]]:
        state = self._type(rows)
        if rows[0].action == "create":
            creation = Creation(self._client, state, self._ledger, self._options)
            return creation, creation.create_all
        change = Change(self._client, state, self._ledger, self._options)
        return change, change.update if rows[0].action == "update" else change.remove

    def _type(self, rows: Sequence[Row]) -> TypeSetup:
        return self._setup().types[rows[0].object_type]

    async def _settle(self, outcomes: Sequence[Outcome], *, in_doubt: bool = False) -> None:
        if outcomes:
            await self._ledger.settle(outcomes[0].row.object_type, outcomes, in_doubt=in_doubt)
            self._settled(outcomes)
