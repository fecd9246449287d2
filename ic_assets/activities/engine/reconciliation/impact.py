"""For the references that lead to no HubSpot record: which missing records matter most, and how many of them the gate
wants. Read from the log of misses and the counts that the gates judge by; the communications are passed over only for the
names of companies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.judging.rules import judge, resolution_rules
from ic_assets.activities.engine.judging.verdicts import Verdict, percent
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, Entity, known_columns
from ic_assets.core.sql import statement

# The names of persons stay where they are: a table to act on is passed from hand to hand.
_NAMED = ("companies", "deals")
REASONS = {
    "unknown": "not in the reconciliation table",
    "not_in_hubspot": "known, without a HubSpot id",
    "matched": "matched by now; ic-assets load brings it in",
}


@dataclass(frozen=True)
class ImpactRow:
    """One legacy id that leads nowhere. ``name``: of a company or deal, where known; of a person, and
    ``email``, only where asked for. ``reason``: a key
    of ``REASONS``. ``cumulative_resolved`` and ``rate_after`` (a share, 0 to 1) hold once this id and all before it of
    its entity lead to HubSpot. ``hubspot_id``: only where it is matched by now."""

    entity: str
    legacy_id: int
    name: str | None
    reason: str
    communications: int
    cumulative_resolved: int
    rate_after: float
    hubspot_id: int | None = None
    email: str | None = None

    @property
    def why(self) -> str:
        return REASONS[self.reason]


@dataclass(frozen=True)
class EntityImpact:
    """One kind of reference: ``references`` that communications carry, ``unresolved`` of them, to ``ids`` different legacy
    ids. ``needed``: so many ids, taken by their weight, turn the gate green (0: it is), resolving ``needed_references``."""

    entity: str
    references: int
    unresolved: int
    ids: int
    needed: int
    needed_references: int
    rows: tuple[ImpactRow, ...]

    @property
    def rate(self) -> float:
        """The share that is resolved, 0 to 1; 1 where nothing refers to the entity."""
        return (self.references - self.unresolved) / self.references if self.references else 1.0

    def percent_after(self, more: int) -> str:
        """The rate once so many more references lead to HubSpot, as text; never rounded up to a bound not reached."""
        return percent(self.references - self.unresolved + more, self.references)

    @property
    def sentence(self) -> str:
        """What to do first, with its figures."""
        if not self.references:
            return f"No communication refers to {self.entity} yet."
        if not self.unresolved:
            return f"All {self.references:,} references to {self.entity} lead to HubSpot."
        if self.needed:
            return (
                f"{self._named(self.needed)} would resolve {self.needed_references:,} references and bring the rate from "
                f"{self.percent_after(0)} to {self.percent_after(self.needed_references)} (more than 95 % must); "
                f"{self.ids:,} are missing in all."
            )
        if not self.rows:
            return (
                f"{self.percent_after(0)} of {self.references:,} references to {self.entity} lead to HubSpot: "
                "the gate is met."
            )
        first, gain = len(self.rows), self.rows[-1].cumulative_resolved
        if first == self.ids:
            those = f"The {self._named(first)} missing"
        else:
            those = (
                f"The {self._named(first)} that {'weighs' if first == 1 else 'weigh'} most, of {self.ids:,} missing,"
            )
        return (
            f"The gate for {self.entity} is met with {self.percent_after(0)}. {those} would resolve {gain:,} more references "
            f"and bring the rate to {self.percent_after(gain)}."
        )

    def _named(self, count: int) -> str:
        return f"{count:,} {self.entity if count != 1 else ENTITIES[self.entity].singular}"

    def to_json(self) -> dict[str, Any]:
        return {
            "references": self.references,
            "unresolved": self.unresolved,
            "missing_ids": self.ids,
            "rate": self.rate,
            "needed_ids": self.needed,
            "needed_references": self.needed_references,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Impact:
    entities: tuple[EntityImpact, ...]

    @property
    def rows(self) -> list[ImpactRow]:
        """Contacts, companies, deals; within each what brings most first."""
        return [row for one in self.entities for row in one.rows]

    @property
    def sentences(self) -> list[str]:
        return [one.sentence for one in self.entities]

    def to_json(self) -> dict[str, Any]:
        return {
            "entities": {one.entity: one.to_json() for one in self.entities},
            "rows": [asdict(row) for row in self.rows],
        }


def impact(
    connection: psycopg.Connection,
    *,
    limit: int | None = 20,
    entities: Sequence[str] = tuple(ENTITIES),
    persons: bool = False,
) -> Impact:
    """At most ``limit`` ids of each entity (None: all), in the months that are resolved; with ``persons`` their names and
    e-mail addresses too. The figures of an entity count
    all ids, whatever the limit."""
    wanted = {f"{name}_resolved": ENTITIES[name] for name in entities}
    verdicts = judge(connection, resolution_rules(), lambda rule: rule.name in wanted, recount=False, keeps=False)
    found = Impact(tuple(_of(connection, wanted[verdict.rule.name], verdict, limit) for verdict in verdicts))
    return _with_persons(connection, found) if persons else found


def _of(connection: psycopg.Connection, entity: Entity, verdict: Verdict, limit: int | None) -> EntityImpact:
    references = verdict.checked
    name = f"{entity.singular}_name"
    has_name = entity.name in _NAMED and name in known_columns(connection, entity)
    found = connection.execute(
        statement(
            "activities/resolution/impact",
            table=sql.Identifier(entity.table),
            legacy_id=sql.Identifier(entity.legacy_id),
            hubspot_id=sql.Identifier(entity.hubspot_id),
            label=sql.SQL("known.{}").format(sql.Identifier(name)) if has_name else sql.SQL("NULL::text"),
        ),
        {"entity_type": entity.singular, "checked": references, "allowed": verdict.rule.allowed, "row_limit": limit},
    ).fetchall()
    names = _crm_names(connection, [row[0] for row in found if row[9] is None]) if entity.name == "companies" else {}
    unresolved, ids, needed, needed_references = found[0][3:7] if found else (0, 0, 0, 0)
    rows = [
        ImpactRow(
            entity.name,
            row[0],
            row[9] or names.get(row[0]),
            "unknown" if not row[7] else "not_in_hubspot" if row[8] is None else "matched",
            row[1],
            row[2],
            (references - unresolved + row[2]) / references if references else 1.0,
            row[8],
        )
        for row in found
    ]
    return EntityImpact(entity.name, references, unresolved, ids, needed, needed_references, tuple(rows))


def _with_persons(connection: psycopg.Connection, found: Impact) -> Impact:
    contacts = ENTITIES["contacts"]
    ids = [row.legacy_id for row in found.rows if row.entity == contacts.name]
    known = known_columns(connection, contacts)
    label, address = (
        sql.Identifier(column) if column in known else sql.SQL("NULL::text")
        for column in ("contact_name", "contact_email")
    )
    listed = sql.SQL("SELECT {}, {}, {} FROM staging.{} WHERE {} = ANY(%s)").format(
        sql.Identifier(contacts.legacy_id), label, address, *map(sql.Identifier, (contacts.table, contacts.legacy_id))
    )
    table = {row[0]: row[1:] for row in connection.execute(listed, (ids,))}
    crm = connection.execute(statement("activities/resolution/impact_contact_names"), {"legacy_ids": ids})
    persons = {row[0]: row[1:] for row in crm}

    def named(row: ImpactRow) -> ImpactRow:
        ours, theirs = table.get(row.legacy_id, (None, None)), persons.get(row.legacy_id, (None, None))
        return replace(row, name=ours[0] or theirs[0], email=ours[1] or theirs[1])

    return Impact(
        tuple(
            replace(one, rows=tuple(map(named, one.rows))) if one.entity == contacts.name else one
            for one in found.entities
        )
    )


def _crm_names(connection: psycopg.Connection, legacy_ids: Sequence[int]) -> Mapping[int, str]:
    if not legacy_ids:
        return {}
    rows = connection.execute(statement("activities/resolution/impact_company_names"), {"legacy_ids": list(legacy_ids)})
    return dict(rows.fetchall())
