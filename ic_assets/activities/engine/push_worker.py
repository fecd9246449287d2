"""Sends batches of claimed rows and settles them: each row ends as written, refused, or of unknown outcome.

Rows are matched by trace id or by the id property, never by position. A create is sent again only after a look-up has
shown that it was not carried out; updates and removals may be repeated freely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ic_assets.activities.engine import push_lookup, push_records
from ic_assets.activities.engine.ledger import Ledger, Outcome, Row
from ic_assets.activities.engine.portal import SetupReport, TypeSetup, spelled_for
from ic_assets.activities.engine.push_lookup import record_id
from ic_assets.activities.engine.push_records import TARGETS, Link
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.resources.hubspot import (
    HubSpotClient,
    Json,
    OutcomeUnknown,
    Problem,
    Rejected,
    Reply,
    StopForNow,
    path,
)

# A row that was sent this often without any outcome is a failure to look at, not to repeat.
MAX_ATTEMPTS = 8
# From here on a row is sent alone, so that an answer that names no record is about this one.
ALONE_FROM = 4
T = TypeVar("T")
_GONE = "the record no longer exists in HubSpot (deleted or merged there); roll its push back to have it created anew"


class Sender:
    """Pushes batches of one object type and action. ``settled`` hears of every outcome that was written."""

    def __init__(
        self,
        client: HubSpotClient,
        ledger: Ledger,
        setup: Callable[[], SetupReport],
        settled: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._setup = setup
        self._settled = settled

    async def push(self, rows: Sequence[Row]) -> None:
        """Sends rows of one object type and action, and settles each. What was not sent when HubSpot or the run stops
        is pending again; the error goes on to the caller."""
        batch = _Batch(self._client, self._type(rows), self._ledger)
        try:
            if rows[0].action == "create":
                await batch.create_all(rows)
            elif rows[0].action == "update":
                await batch.update(rows)
            else:
                await batch.remove(rows)
        except (StopForNow, Unavailable, Refused):
            done = {id(outcome.row) for outcome in batch.outcomes}
            batch.outcomes += [Outcome(row, "pending") for row in rows if id(row) not in done]
            await self._settle(batch.outcomes)
            raise
        await self._settle(batch.outcomes)
        unknown = [outcome.row for outcome in batch.outcomes if outcome.what == "unknown"]
        if unknown:
            # Most lost replies are about records that stand: one look now spares the pause.
            await self.resolve(unknown, is_first_look=True)

    async def resolve(self, rows: Sequence[Row], *, is_first_look: bool = False) -> None:
        """Looks rows of unknown outcome up. What stands is pushed; what is absent waits for the second look or, after
        it, is sent again."""
        state = self._type(rows)
        creates = [row for row in rows if row.action == "create"]
        outcomes = [Outcome(row, "pending") for row in rows if row.action != "create"]
        found = await self.find(state, [row.key for row in creates])
        for row in creates:
            identifier = found.get(row.key)
            if identifier is not None:
                outcomes.append(_adopted(row, identifier, is_certain=row.sent_hash == row.hash))
            elif is_first_look or not row.is_settled:
                outcomes.append(Outcome(row, "unknown"))
            elif row.attempts >= MAX_ATTEMPTS:
                outcomes.append(Outcome(row, "failed", problem=Problem(f"no outcome in {row.attempts} attempts")))
            else:
                outcomes.append(Outcome(row, "pending"))
        await self._settle(outcomes)

    async def find(self, state: TypeSetup, keys: Sequence[str]) -> dict[str, int]:
        if not keys:
            return {}
        return await _find(self._client, self._ledger, state, keys)

    def _type(self, rows: Sequence[Row]) -> TypeSetup:
        return self._setup().types[rows[0].object_type]

    async def _settle(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            await self._ledger.settle(outcomes[0].row.object_type, outcomes)
            self._settled(outcomes)


async def _find(client: HubSpotClient, ledger: Ledger, state: TypeSetup, keys: Sequence[str]) -> dict[str, int]:
    newest, records = (0, 0) if state.is_unique else await ledger.newest(state.object_type)
    return await push_lookup.find(client, state, keys, newest_known=newest, known_records=records)


def _adopted(row: Row, identifier: int, *, is_certain: bool) -> Outcome:
    """A record that was found. When it may hold something other than today's payload, it is pushed with unknown
    content, which the ledger turns into an update."""
    if is_certain and row.payload is not None:
        return Outcome(row, "pushed", identifier, row.hash, push_records.content(row.payload))
    return Outcome(row, "pushed", identifier)


class _Batch:
    """One claimed batch under way; ``outcomes`` grows as parts of it are decided."""

    def __init__(self, client: HubSpotClient, state: TypeSetup, ledger: Ledger) -> None:
        self.client = client
        self.state = state
        self.ledger = ledger
        self.outcomes: list[Outcome] = []

    def _fail(self, row: Row, what: Problem) -> None:
        self.outcomes.append(Outcome(row, "failed", problem=what))

    # -- create ---------------------------------------------------------------------------------------------------

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
            properties, fault = spelled_for(self.state, push_records.properties(payload))
            if fault:
                self._fail(row, Problem(fault, "INVALID_OPTION"))
                continue
            inputs[row.key] = {
                "properties": {**properties, self.client.target.id_property: row.key},
                "associations": payload.get("associations") or [],
                "objectWriteTraceId": row.key,
            }
            sent[row.key] = row
        if not sent:
            return
        try:
            reply = await self._post("batch/create", list(inputs.values()), repeatable=False)
        except OutcomeUnknown as error:
            self._unknown(sent.values(), Problem(str(error)))
        except Rejected as refusal:
            await self._create_refused(list(sent.values()), refusal)
        else:
            await self._read_created(sent, reply)

    async def _read_created(self, sent: dict[str, Row], reply: Reply) -> None:
        created: dict[str, set[int]] = defaultdict(set)
        for result in reply.results:
            key, identifier = self._key_of(result), record_id(result.get("id"))
            if key in sent and identifier:
                created[key].add(identifier)
        failed: dict[str, Problem] = {}
        for error in reply.errors:
            for key in error.ids("objectWriteTraceId"):
                if key in sent and key not in created:
                    failed[key] = error
        conflicts = [sent[key] for key, error in failed.items() if error.is_conflict]
        for key, row in sent.items():
            if len(created.get(key, ())) == 1:
                (identifier,) = created[key]
                self.outcomes.append(_adopted(row, identifier, is_certain=True))
            elif key not in failed:
                # Not mentioned, or mentioned with two ids: the look-up tells.
                self._unknown([row], Problem("HubSpot's answer does not name the record"))
            elif not failed[key].is_conflict:
                self._fail(row, failed[key])
        if conflicts:
            await self._conflicts(conflicts, failed[conflicts[0].key])

    async def _create_refused(self, rows: list[Row], refusal: Rejected) -> None:
        """The whole request was refused, so none of it was written: what is there already is adopted, then halves are
        tried until the bad record stands alone with HubSpot's words."""
        self._check_set_up(refusal)
        if refusal.problem.is_conflict:
            await self._conflicts(rows, refusal.problem)
        elif len(rows) == 1:
            self._fail(rows[0], refusal.problem)
        else:
            for half in _halves(rows):
                await self.create(half)

    async def _conflicts(self, rows: Sequence[Row], what: Problem) -> None:
        """One of ``rows`` or all have a unique value that another record holds. A live one is this very
        communication: it is adopted and brought up to date. An archived one keeps the value: the next attempt uses
        another."""
        found = await _find(self.client, self.ledger, self.state, [row.key for row in rows])
        rest = [row for row in rows if row.key not in found]
        self.outcomes += [_adopted(row, found[row.key], is_certain=False) for row in rows if row.key in found]
        if not rest:
            return
        archived = await push_lookup.find_archived(self.client, self.state, [row.key for row in rest])
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
            for half in _halves(rest):
                await self.create(half)

    def _unknown(self, rows: Any, what: Problem) -> None:
        self.outcomes += [Outcome(row, "unknown", problem=what) for row in rows]

    def _key_of(self, result: Json) -> str:
        """The row that a result is about; "" when trace id and property disagree or neither is there."""
        properties = result.get("properties")
        by_property = properties.get(self.client.target.id_property) if isinstance(properties, dict) else None
        by_trace = result.get("objectWriteTraceId")
        named = {str(value) for value in (by_trace, by_property) if value}
        return named.pop() if len(named) == 1 else ""

    # -- update ---------------------------------------------------------------------------------------------------

    async def update(self, rows: Sequence[Row]) -> None:
        inputs: dict[str, Json] = {}
        live: dict[str, Row] = {}
        for row in rows:
            changed = push_records.changed_properties(row.payload or {}, row.pushed, self.client.target.id_property)
            spelled, fault = spelled_for(self.state, changed)
            if fault:
                self._fail(row, Problem(fault, "INVALID_OPTION"))
                continue
            live[row.key] = row
            if spelled:
                inputs[row.key] = {"id": str(row.hubspot_id), "properties": spelled, "objectWriteTraceId": row.key}
        written = set(live) - set(inputs)
        if inputs:
            written |= await self._update_properties({key: live[key] for key in inputs}, inputs)
        await self._update_links([live[key] for key in live if key in written])

    async def _update_properties(self, rows: dict[str, Row], inputs: dict[str, Json]) -> set[str]:
        """The keys that HubSpot confirms. Others get their outcome here."""
        try:
            reply = await self._post("batch/update", list(inputs.values()))
        except Rejected as refusal:
            if len(rows) == 1:
                (row,) = rows.values()
                self._update_refused(row, refusal.status, refusal.problem)
                return set()
            return await self._update_halves(rows, inputs)
        by_id = {str(row.hubspot_id): key for key, row in rows.items()}
        written = {by_id[str(r.get("id"))] for r in reply.results if str(r.get("id")) in by_id}
        for error in reply.errors:
            named = error.ids("objectWriteTraceId") + [by_id.get(i, "") for i in error.ids("ids") + error.ids("id")]
            for key in {key for key in named if key in rows and key not in written}:
                self._update_refused(rows[key], 400, error)
        decided = written | {outcome.row.key for outcome in self.outcomes}
        left = {key: row for key, row in rows.items() if key not in decided}
        if not left:
            return written
        if len(left) < len(rows) or len(rows) > 1:
            return written | await self._update_halves(left, inputs)
        # Alone and not mentioned: the same update can be sent again without harm.
        (row,) = left.values()
        if row.attempts >= MAX_ATTEMPTS:
            self._fail(row, reply.errors[0] if reply.errors else Problem("HubSpot's answer does not name the record"))
        else:
            self.outcomes.append(Outcome(row, "pending"))
        return written

    async def _update_halves(self, rows: dict[str, Row], inputs: dict[str, Json]) -> set[str]:
        written: set[str] = set()
        for half in _halves(list(rows)):
            written |= await self._update_properties(
                {key: rows[key] for key in half}, {key: inputs[key] for key in half}
            )
        return written

    def _update_refused(self, row: Row, status: int, what: Problem) -> None:
        if status == 404 or what.category == "OBJECT_NOT_FOUND":
            gone = Problem(_GONE, what.category or "OBJECT_NOT_FOUND", what.correlation_id)
            self.outcomes.append(Outcome(row, "held", problem=gone))
        else:
            self._fail(row, what)

    async def _update_links(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        unread = [row for row in rows if row.pushed is None]
        standing = await self._read_links(unread) if unread else {}
        wanted = {row.key: push_records.links(row.payload or {}) for row in rows}
        known = {
            row.key: standing.get(row.key, set()) if row.pushed is None else push_records.pushed_links(row.pushed)
            for row in rows
        }
        await self._change_links(rows, {key: wanted[key] - known[key] for key in wanted}, "batch/create")
        refused = {outcome.row.key for outcome in self.outcomes if outcome.what == "failed"}
        kept = [row for row in rows if row.key not in refused]
        await self._change_links(kept, {key: known[key] - wanted[key] for key in wanted}, "batch/archive")
        refused = {outcome.row.key for outcome in self.outcomes if outcome.what == "failed"}
        for row in kept:
            if row.key not in refused:
                self.outcomes.append(_adopted(row, row.hubspot_id or 0, is_certain=True))

    async def _read_links(self, rows: Sequence[Row]) -> dict[str, set[Link]]:
        by_id = {str(row.hubspot_id): row.key for row in rows}
        found: dict[str, set[Link]] = defaultdict(set)
        for target in TARGETS:
            kind = push_records.type_id(self.state.object_type, target)
            try:
                reply = await self._associations(target, "batch/read", [{"id": identifier} for identifier in by_id])
            except Rejected as refusal:
                if refusal.status == 404:
                    continue
                raise
            for result in reply.results:
                key = by_id.get(str((result.get("from") or {}).get("id")))
                for other in result.get("to") or []:
                    if key and any(t.get("typeId") == kind for t in other.get("associationTypes") or []):
                        found[key].add(Link(target, str(other.get("toObjectId")), kind))
        return found

    async def _change_links(self, rows: Sequence[Row], change: dict[str, set[Link]], operation: str) -> None:
        for target in TARGETS:
            some = [row for row in rows if any(link.target == target for link in change[row.key])]
            if some:
                await self._change_some(some, change, target, operation)

    async def _change_some(
        self, rows: Sequence[Row], change: dict[str, set[Link]], target: str, operation: str
    ) -> None:
        inputs: list[Json] = []
        for row in rows:
            for link in sorted(change[row.key]):
                if link.target != target:
                    continue
                this: Json = {"from": {"id": str(row.hubspot_id)}}
                if operation == "batch/create":
                    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": link.type_id}
                    inputs.append({**this, "to": {"id": link.id}, "types": [kind]})
                else:
                    inputs.append({**this, "to": [{"id": link.id}]})
        try:
            reply = await self._associations(target, operation, inputs, writes=True)
            problems = reply.errors
        except Rejected as refusal:
            problems = [refusal.problem]
        if not problems:
            return
        if len(rows) == 1:
            self._fail(rows[0], problems[0])
        else:
            # Both changes can be repeated, so that the halves need not be told apart from the answer.
            for half in _halves(rows):
                await self._change_some(half, change, target, operation)

    # -- remove ---------------------------------------------------------------------------------------------------

    async def remove(self, rows: Sequence[Row]) -> None:
        try:
            await self._post("batch/archive", [{"id": str(row.hubspot_id)} for row in rows])
        except Rejected as refusal:
            if len(rows) > 1:
                for half in _halves(rows):
                    await self.remove(half)
            elif refusal.status == 404:
                self.outcomes.append(Outcome(rows[0], "removed"))
            else:
                self._fail(rows[0], refusal.problem)
        else:
            self.outcomes += [Outcome(row, "removed") for row in rows]

    # -- requests -------------------------------------------------------------------------------------------------

    async def _post(self, operation: str, inputs: list[Json], *, repeatable: bool = True) -> Reply:
        return await self.client.send(
            "POST",
            path(self.client.target.api, "objects", self.state.object_type, operation),
            {"inputs": inputs},
            operation=operation,
            object_type=self.state.object_type,
            inputs=len(inputs),
            repeatable=repeatable,
            writes=True,
        )

    async def _associations(self, target: str, operation: str, inputs: list[Json], *, writes: bool = False) -> Reply:
        return await self.client.send(
            "POST",
            path(self.client.target.api, "associations", self.state.object_type, target, operation),
            {"inputs": inputs},
            operation=f"associations {operation}",
            object_type=self.state.object_type,
            inputs=len(inputs),
            writes=writes,
        )

    def _check_set_up(self, refusal: Rejected) -> None:
        """A property that went missing under the run would otherwise fail every single record."""
        name = self.client.target.id_property
        if "PROPERTY_DOESNT_EXIST" in refusal.problem.words and f'"{name}"' in refusal.problem.words:
            raise Refused(f"HubSpot's {self.state.object_type} have no property {name}; run `ic-assets hubspot setup`")


def _halves(rows: Sequence[T]) -> list[Sequence[T]]:
    middle = (len(rows) + 1) // 2
    return [half for half in (rows[:middle], rows[middle:]) if half]
