"""What people did to a record since we wrote it: asked before an update overwrites it, and before a roll-back archives it.

A property counts as edited when HubSpot holds neither what we wrote nor what an unconfirmed attempt of ours may have
written. An association that we did not make counts as a person's, unless HubSpot may have made it by itself: it
associates an activity with the companies, deals and tickets of the records that the activity is logged on (its setting
"associate activities automatically"), under the type that has no label, which is the one that we use as well. So who made
it cannot be told; that such a company is one of the contact's, or such a deal one of the contact's or the company's, can,
and an association that says no more than HubSpot itself would have said is nobody's work to protect. A label, a type of
the portal's own, or a contact is always a person's or another application's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ic_assets.hubspot.client.client import Declined, HubSpotClient, as_dict, objects, path
from ic_assets.hubspot.ledger.outgoing import Outgoing
from ic_assets.hubspot.ledger.rows import Row
from ic_assets.hubspot.portal.setup import TypeSetup
from ic_assets.hubspot.portal.spellings import SPELLINGS
from ic_assets.hubspot.sending import lookup, records
from ic_assets.hubspot.sending.records import TARGETS

# The ledger's error category of a record that is held since people changed it.
EDITED = "EDITED_IN_HUBSPOT"
UNCERTAIN = "what was pushed last is not known for certain; push once more first"
# What an activity can be associated with, beside other activities.
ALL_TARGETS = (*TARGETS, "tickets")
# What HubSpot associates an activity with by itself: records of the second kind that belong to one of the first.
_BY_ITSELF = (
    ("contacts", "companies"), ("contacts", "deals"), ("contacts", "tickets"),
    ("companies", "deals"), ("companies", "tickets"),
)  # fmt: skip
Pair = tuple[str, str]
"""(contacts, "123")"""


@dataclass(frozen=True)
class Found:
    """One record as it stands. ``links``: what it is associated with, each with whether a label or a type of the portal's
    own is on it; those that HubSpot may have made by itself are not among them."""

    properties: Mapping[str, str | None]
    links: Mapping[Pair, bool]
    by_itself: frozenset[Pair] = frozenset()


async def look(
    client: HubSpotClient, state: TypeSetup, rows: Sequence[Row], targets: Mapping[str, Collection[str]]
) -> dict[int, Found]:
    """At most 100 records by HubSpot's id; archived ones are absent. ``targets``: by key, which associations to read."""
    names = sorted({name for row in rows if row.pushed for name in row.pushed["properties"]})
    standing = await lookup.standing(client, state, [row.hubspot_id or 0 for row in rows], names)
    links: dict[int, dict[Pair, bool]] = defaultdict(dict)
    for target in ALL_TARGETS:
        ids = [row.hubspot_id for row in rows if row.hubspot_id in standing and target in targets.get(row.key, ())]
        for record, others in (await associations(client, state.object_type, target, ids)).items():
            links[record] |= {(target, other): labelled for other, labelled in others.items()}
    own = {row.hubspot_id or 0: _ours(state.outgoing, row) for row in rows}
    by_itself = await _made_by_itself(
        client, {record: set(found) - own[record] for record, found in links.items()}, own
    )
    return {
        record: Found(
            properties,
            {pair: labelled for pair, labelled in links[record].items() if pair not in by_itself[record] or labelled},
            frozenset(by_itself[record]),
        )
        for record, properties in standing.items()
    }


def changed_property(outgoing: Outgoing, row: Row, current: Mapping[str, str | None], id_property: str) -> str | None:
    """Why a record counts as edited by its properties; None: it does not, or that cannot be told."""
    if row.pushed is None or is_untellable(row):
        return None
    ours = [row.pushed["properties"]]
    if row.earlier_hash is not None:
        ours.append(records.digests(row.payload or {}))
    return changed(ours, current, {row.key: id_property}, optional=outgoing.labels)


def changed(
    ours: Sequence[Mapping[str, str]],
    current: Mapping[str, str | None],
    key: Mapping[str, str],
    *,
    optional: Collection[str] = (),
) -> str | None:
    """``ours``: digests of the values that we may have written, the confirmed ones first. ``key``: the value of the id
    property -> its name. ``optional``: what may have been left out."""
    for name, digest in sorted(ours[0].items()):
        value = current.get(name)
        if (value is None and name in optional) or key.get(value or "") == name:
            continue
        accepted = [digest, *(other.get(name, _NOTHING) for other in ours[1:])]
        if not any(records.is_digest_of(one, form) for one in accepted for form in _forms(value or "")):
            return f"{name} was changed in HubSpot"
    return None


_NOTHING = records.digest("")


def is_untellable(row: Row) -> bool:
    """An attempt of ours that sent something else was never confirmed: HubSpot may hold that."""
    return row.earlier_hash is not None and row.earlier_hash != row.hash


def changed_link(outgoing: Outgoing, row: Row, found: Found) -> str | None:
    """Why a record counts as edited by its associations."""
    own = _ours(outgoing, row)
    for (target, other), labelled in sorted(found.links.items()):
        if (target, other) not in own:
            return f"associated with {target} by someone else"
        if labelled:
            return f"its association with {target} was labelled in HubSpot"
    return None


def removed_link(row: Row, found: Found, targets: Collection[str]) -> str | None:
    """An association of ours that is gone, among ``targets``, which were read. None where one of ours is unconfirmed."""
    if row.earlier_hash is not None or row.pushed is None:
        return None
    known = {(link.target, link.id) for link in records.pushed_links(row.pushed) if link.target in targets}
    gone = sorted(known - set(found.links) - found.by_itself)
    return f"its association with {gone[0][0]} was removed in HubSpot" if gone else None


async def before_update(client: HubSpotClient, state: TypeSetup, rows: Sequence[Row]) -> dict[str, str]:
    """Key -> why the record counts as edited. Properties of each, associations where the update changes some. One request
    for a hundred rows, and one for each kind of record whose associations change."""
    certain = [row for row in rows if row.pushed is not None and not is_untellable(row)]
    if not certain:
        return {}
    targets = {row.key: _changing(state.outgoing, row) for row in certain}
    standing = await look(client, state, certain, targets)
    reasons: dict[str, str] = {}
    for row in certain:
        found = standing.get(row.hubspot_id or 0)
        if found is None:
            continue  # the update itself finds out that it is gone
        reason = changed_property(state.outgoing, row, found.properties, client.target.id_property)
        if reason is None and targets[row.key]:
            reason = changed_link(state.outgoing, row, found) or removed_link(row, found, targets[row.key])
        if reason:
            reasons[row.key] = reason
    return reasons


def _changing(outgoing: Outgoing, row: Row) -> set[str]:
    known = records.pushed_links(row.pushed) if row.pushed else set()
    return {link.target for link in records.links(outgoing, row.payload or {}) ^ known}


def _ours(outgoing: Outgoing, row: Row) -> set[Pair]:
    """What we have associated it with, or an unconfirmed attempt may have."""
    links = records.pushed_links(row.pushed) if row.pushed else set()
    if row.earlier_hash is not None:
        links = links | records.links(outgoing, row.payload or {})
    return {(link.target, link.id) for link in links}


def _forms(value: str) -> set[str]:
    """The ways in which one value may have been written before HubSpot stored it."""
    forms = {value, SPELLINGS.get(value, value)}
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return forms
    if len(value) > 10 and instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
        forms.add(f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z")
        forms.add(str(int(instant.timestamp() * 1000)))
    return forms


async def _made_by_itself(
    client: HubSpotClient, foreign: Mapping[int, Iterable[Pair]], own: Mapping[int, set[Pair]]
) -> dict[int, set[Pair]]:
    """Of the associations that we did not make, those with records that belong to what we associated. Asks only where
    there are such, and no more than one request for each pair of kinds and hundred records."""
    candidates: dict[int, set[Pair]] = defaultdict(set)
    left = {record: set(pairs) for record, pairs in foreign.items() if pairs}
    # A company that HubSpot added brings deals and tickets of its own along.
    for source, target in _BY_ITSELF:
        asking = {
            record: {other for kind, other in own[record] | candidates[record] if kind == source}
            for record, pairs in left.items()
            if any(kind == target for kind, _ in pairs - candidates[record])
        }
        ids = sorted({int(other) for others in asking.values() for other in others})
        belonging: dict[int, dict[str, bool]] = {}
        for some in lookup.hundreds(ids):
            belonging |= await associations(client, source, target, some)
        for record, others in asking.items():
            theirs = {(target, found) for other in others for found in belonging.get(int(other), ())}
            candidates[record] |= theirs & left[record]
    return candidates


async def associations(
    client: HubSpotClient, source: str, target: str, ids: Sequence[int | None]
) -> dict[int, dict[str, bool]]:
    """At most 100 records: id -> the other record's id -> whether a label or a type of the portal's own is on it."""
    found: dict[int, dict[str, bool]] = defaultdict(dict)
    if not ids:
        return found
    try:
        reply = await client.send(
            "POST",
            path(client.target.api, "associations", source, target, "batch/read"),
            {"inputs": [{"id": str(identifier)} for identifier in ids]},
            operation="associations batch/read",
            object_type=source,
            inputs=len(ids),
        )
    except Declined as refusal:
        if refusal.status == 404 or (refusal.status == 400 and target not in TARGETS):
            return found  # none of them, or this portal has no such objects
        raise
    for result in reply.results:
        record = lookup.record_id(as_dict(result.get("from")).get("id"))
        for other in objects(result.get("to")):
            if record:
                types = objects(other.get("associationTypes"))
                # Between other kinds of records a label says which: "Primary" is HubSpot's.
                labelled = any(one.get("category", "HUBSPOT_DEFINED") != "HUBSPOT_DEFINED" for one in types)
                found[record][str(other.get("toObjectId"))] = labelled
    return found
