"""Brings records up to date, properties and associations, and archives those that shall not stand. Everything here may
be repeated without harm, so that doubt is settled by sending again; but nothing new is written to a record while an
earlier request may still come through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ic_assets.hubspot.client.client import Declined, Json, Problem, Reply, as_dict, objects, path
from ic_assets.hubspot.ledger.rows import Outcome, Row
from ic_assets.hubspot.portal.spellings import spelled_for
from ic_assets.hubspot.sending import edits, records
from ic_assets.hubspot.sending.batch import MAX_ATTEMPTS, Batch, adopted, halves
from ic_assets.hubspot.sending.records import TARGETS, Link

_GONE = "the record no longer exists in HubSpot (deleted or merged there); roll its push back to have it created anew"


class Change(Batch):
    """One claimed batch of rows to update or to remove."""

    async def update(self, rows: Sequence[Row]) -> None:
        inputs: dict[str, Json] = {}
        live: dict[str, Row] = {}
        edited = await self._edited([row for row in rows if not row.is_in_doubt])
        for row in rows:
            if row.key in edited:
                self.outcomes.append(Outcome(row, "held", problem=Problem(edited[row.key], edits.EDITED)))
                continue
            if row.is_in_doubt:
                # Older contents could come through after ours: it waits with those of unknown outcome.
                self.outcomes.append(
                    Outcome(row, "unknown", problem=Problem("an earlier change may still come through"))
                )
                continue
            changed = records.changed_properties(
                self.state.outgoing, row.payload or {}, row.pushed, self.client.target.id_property
            )
            spelled, fault = spelled_for(self.state.outgoing, self.state.lists, changed)
            if fault:
                self.fail(row, Problem(fault, "INVALID_OPTION"))
                continue
            live[row.key] = row
            if spelled:
                inputs[row.key] = {"id": str(row.hubspot_id), "properties": spelled, "objectWriteTraceId": row.key}
        written = set(live) - set(inputs)
        if inputs:
            written |= await self._update_properties({key: live[key] for key in inputs}, inputs)
        await self._update_links([live[key] for key in live if key in written])

    async def _edited(self, rows: Sequence[Row]) -> dict[str, str]:
        """The records that people changed since we wrote them, which are not to be overwritten."""
        if self.options.overwrite_edits or not rows:
            return {}
        return await edits.before_update(self.client, self.state, rows)

    async def _update_properties(self, rows: dict[str, Row], inputs: dict[str, Json]) -> set[str]:
        """The keys that HubSpot confirms. Others get their outcome here."""
        try:
            reply = await self.post("batch/update", list(inputs.values()))
        except Declined as refusal:
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
            self.fail(row, reply.errors[0] if reply.errors else Problem("HubSpot's answer does not name the record"))
        else:
            self.outcomes.append(Outcome(row, "pending"))
        return written

    async def _update_halves(self, rows: dict[str, Row], inputs: dict[str, Json]) -> set[str]:
        written: set[str] = set()
        for half in halves(list(rows)):
            written |= await self._update_properties(
                {key: rows[key] for key in half}, {key: inputs[key] for key in half}
            )
        return written

    def _update_refused(self, row: Row, status: int, what: Problem) -> None:
        if status == 404 or what.category == "OBJECT_NOT_FOUND":
            gone = Problem(_GONE, what.category or "OBJECT_NOT_FOUND", what.correlation_id)
            self.outcomes.append(Outcome(row, "held", problem=gone))
        else:
            self.fail(row, what)

    async def _update_links(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        unread = [row for row in rows if row.pushed is None]
        standing = await self._read_links(unread) if unread else {}
        wanted = {row.key: records.links(self.state.outgoing, row.payload or {}) for row in rows}
        known = {
            row.key: standing.get(row.key, set()) if row.pushed is None else records.pushed_links(row.pushed)
            for row in rows
        }
        await self._change_links(rows, {key: wanted[key] - known[key] for key in wanted}, "batch/create")
        refused = {outcome.row.key for outcome in self.outcomes if outcome.what == "failed"}
        kept = [row for row in rows if row.key not in refused]
        await self._change_links(kept, {key: known[key] - wanted[key] for key in wanted}, "batch/archive")
        refused = {outcome.row.key for outcome in self.outcomes if outcome.what == "failed"}
        for row in kept:
            if row.key not in refused:
                dropped = self.dropped[row.key]
                self.outcomes.append(
                    adopted(self.state.outgoing, row, row.hubspot_id or 0, is_certain=True, dropped=dropped)
                )

    async def _read_links(self, rows: Sequence[Row]) -> dict[str, set[Link]]:
        by_id = {str(row.hubspot_id): row.key for row in rows}
        found: dict[str, set[Link]] = defaultdict(set)
        for target in TARGETS:
            kind = self.state.outgoing.associations[target]
            try:
                reply = await self._associations(target, "batch/read", [{"id": identifier} for identifier in by_id])
            except Declined as refusal:
                if refusal.status == 404:
                    continue
                raise
            for result in reply.results:
                key = by_id.get(str(as_dict(result.get("from")).get("id")))
                for other in objects(result.get("to")):
                    if key and any(t.get("typeId") == kind for t in objects(other.get("associationTypes"))):
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
        except Declined as refusal:
            problems = [refusal.problem]
        if not problems:
            return
        if len(rows) == 1:
            (row,) = rows
            if operation != "batch/create" or not self.drop(row, problems[0]):
                self.fail(row, problems[0])
            else:
                rest = {link for link in change[row.key] - self.dropped[row.key] if link.target == target}
                await self._change_links(rows, {row.key: rest}, operation)
        else:
            # Both changes can be repeated, so that the halves need not be told apart from the answer.
            for half in halves(rows):
                await self._change_some(half, change, target, operation)

    async def remove(self, rows: Sequence[Row]) -> None:
        try:
            await self.post("batch/archive", [{"id": str(row.hubspot_id)} for row in rows])
        except Declined as refusal:
            if len(rows) > 1:
                for half in halves(rows):
                    await self.remove(half)
            elif refusal.status == 404:
                self.outcomes.append(Outcome(rows[0], "removed"))
            else:
                self.fail(rows[0], refusal.problem)
        else:
            self.outcomes += [Outcome(row, "removed") for row in rows]

    async def _associations(self, target: str, operation: str, inputs: list[Json], *, writes: bool = False) -> Reply:
        return await self.client.send(
            "POST",
            path(self.client.target.api, "associations", self.state.object_type, target, operation),
            {"inputs": inputs},
            operation=f"associations {operation}",
            object_type=self.state.object_type,
            inputs=len(inputs),
            writes=writes,
            on_doubt=self.doubt if writes else lambda: None,
        )
