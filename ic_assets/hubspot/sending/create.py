"""Creates records and settles them by trace id or id property, whatever the answer is worth.

A create is never sent twice unless a look-up in between has shown that the first was not carried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ic_assets.core.failures import Refused
from ic_assets.hubspot.client.client import Declined, HubSpotClient, Json, OutcomeUnknown, Problem, Reply
from ic_assets.hubspot.ledger.ledger import Ledger
from ic_assets.hubspot.ledger.rows import Outcome, Row
from ic_assets.hubspot.portal.setup import TypeSetup
from ic_assets.hubspot.portal.spellings import spelled_for
from ic_assets.hubspot.sending import lookup, records
from ic_assets.hubspot.sending.batch import MAX_ATTEMPTS, Batch, adopted, halves
from ic_assets.hubspot.sending.lookup import record_id

# From here on a row is sent alone, so that an answer that names no record is about this one.
ALONE_FROM = 4


async def find_rows(client: HubSpotClient, ledger: Ledger, state: TypeSetup, keys: Sequence[str]) -> dict[str, int]:
    """Live records of one type by key: key -> HubSpot id."""
    if not keys:
        return {}
    newest, records = (0, 0) if state.is_unique else await ledger.newest(state.object_type)
    return await lookup.find(client, state, keys, newest_known=newest, known_records=records)


class Creation(Batch):
    """One claimed batch of rows to create."""

    async def create_all(self, rows: Sequence[Row]) -> None:
        together = [row for row in rows if row.attempts < ALONE_FROM]
        if together:
            await self.create(together)
        for row in rows:
            if row.attempts >= ALONE_FROM:
                await self.create([row])

    async def create(self, rows: Sequence[Row]) -> None:
        inputs: dict[str, Json] = {}
        sent: dict[str, Row] = {}
        for row in rows:
            payload = row.payload or {}
            properties, fault = spelled_for(self.state.outgoing, self.state.lists, records.properties(payload))
            if fault:
                self.fail(row, Problem(fault, "INVALID_OPTION"))
                continue
            inputs[row.key] = {
                "properties": {**properties, self.client.target.id_property: row.key},
                "associations": records.without(payload, self.dropped[row.key]),
                "objectWriteTraceId": row.key,
            }
            sent[row.key] = row
        if not sent:
            return
        try:
            reply = await self.post("batch/create", list(inputs.values()), repeatable=False)
        except OutcomeUnknown as error:
            self._unknown(sent.values(), Problem(str(error)))
        except Declined as refusal:
            await self._create_refused(list(sent.values()), refusal)
        else:
            await self._read_created(sent, reply)

    async def _read_created(self, sent: dict[str, Row], reply: Reply) -> None:
        created: dict[str, set[int]] = defaultdict(set)
        for result in reply.results:
            key, identifier = self._key_of(result), record_id(result.get("id"))
            if key in sent and identifier:
                created[key].add(identifier)
        failed = {
            key: error
            for error in reply.errors
            for key in error.ids("objectWriteTraceId")
            if key in sent and key not in created
        }
        again = [sent[key] for key, error in failed.items() if self.drop(sent[key], error)]
        for row in again:
            del failed[row.key], sent[row.key]
        conflicts = [sent[key] for key, error in failed.items() if error.is_conflict]
        for key, row in sent.items():
            if len(created.get(key, ())) == 1:
                (identifier,) = created[key]
                self.outcomes.append(
                    adopted(self.state.outgoing, row, identifier, is_certain=True, dropped=self.dropped[key])
                )
            elif key not in failed:
                # Not mentioned, or mentioned with two ids: the look-up tells.
                self._unknown([row], Problem("HubSpot's answer does not name the record"))
            elif not failed[key].is_conflict:
                self.fail(row, failed[key])
        if conflicts:
            await self._conflicts(conflicts, failed[conflicts[0].key])
        if again:
            await self.create(again)

    async def _create_refused(self, rows: list[Row], refusal: Declined) -> None:
        """The whole request was refused, so none of it was written: what is there already is adopted, then halves are
        tried until the bad record stands alone with HubSpot's words."""
        self._check_set_up(refusal)
        if refusal.problem.is_conflict:
            await self._conflicts(rows, refusal.problem)
        elif len(rows) == 1:
            if self.drop(rows[0], refusal.problem):
                await self.create(rows)
            else:
                self.fail(rows[0], refusal.problem)
        else:
            for half in halves(rows):
                await self.create(half)

    async def _conflicts(self, rows: Sequence[Row], what: Problem) -> None:
        """One of ``rows`` or all have a unique value that another record holds. A live one is this very
        communication: it is adopted and brought up to date. An archived one keeps the value: the next attempt uses
        another."""
        found = await find_rows(self.client, self.ledger, self.state, [row.key for row in rows])
        rest = [row for row in rows if row.key not in found]
        self.outcomes += [
            adopted(self.state.outgoing, row, found[row.key], is_certain=False) for row in rows if row.key in found
        ]
        if not rest:
            return
        archived = await lookup.find_archived(self.client, self.state, [row.key for row in rest])
        self.outcomes += [Outcome(row, "archived_holder") for row in rest if row.key in archived]
        rest = [row for row in rest if row.key not in archived]
        if len(rest) < len(rows):
            if rest:
                await self.create(rest)
        elif len(rest) == 1:
            # Held by something that can be neither read nor seen among the archived.
            held = Outcome(rest[0], "archived_holder", problem=what) if self.state.is_unique else None
            self.outcomes.append(
                held if held and rest[0].revision < MAX_ATTEMPTS else Outcome(rest[0], "failed", problem=what)
            )
        else:
            for half in halves(rest):
                await self.create(half)

    def _unknown(self, rows: Iterable[Row], what: Problem) -> None:
        self.outcomes += [Outcome(row, "unknown", problem=what) for row in rows]

    def _key_of(self, result: Json) -> str:
        """The row that a result is about; "" when trace id and property disagree or neither is there."""
        properties = result.get("properties")
        by_property = properties.get(self.client.target.id_property) if isinstance(properties, dict) else None
        by_trace = result.get("objectWriteTraceId")
        named = {str(value) for value in (by_trace, by_property) if value}
        return named.pop() if len(named) == 1 else ""

    def _check_set_up(self, refusal: Declined) -> None:
        """A property that went missing under the run would otherwise fail every single record."""
        name = self.client.target.id_property
        if "PROPERTY_DOESNT_EXIST" in refusal.problem.words and f'"{name}"' in refusal.problem.words:
            raise Refused(f"HubSpot's {self.state.object_type} have no property {name}; run `ic-assets hubspot setup`")
