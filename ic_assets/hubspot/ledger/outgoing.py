"""What a flow sends to a portal, as the ledger needs to know it: its object types, the views that say what shall stand,
and the statements with which the flow's own tables follow. The flow fills these in; the ledger knows nothing else of it.

The columns of a ``desired`` view, one row for each record that shall stand: ``record_key`` (text COLLATE "C", the value of
the unique property), ``part`` (1; from 2 what continues an over-long text), ``activity_type`` (the object type of the
source's part 1), ``activity_date`` (timestamp), ``payload`` (jsonb, never NULL), ``is_held`` (a person has to let it go).
A look-up by ``record_key`` must be one by an index.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from psycopg import sql

from ic_assets.core.failures import Refused
from ic_assets.core.months import Window
from ic_assets.hubspot.push.scope import Scope

Statement = Callable[[], sql.Composed]


@dataclass(frozen=True)
class Outgoing:
    """One object type. ``associations``: contacts, companies, deals -> HubSpot's type id in the direction to them.
    ``properties``: all that a payload can carry. ``continues``: the records of others are continued in this type, by parts
    from 2. ``options``: enumeration -> the values that are sent. ``labels``: enumerations whose values a portal may know by
    their labels alone, value -> label; such a property is left out where the portal lacks the value. ``least``: what
    HubSpot wants of any record beside its time.

    ``follow`` runs in the transaction that settles records (portal_id, object_type, record_keys), ``adopt`` when another
    portal becomes the current one (object_type, window_start, window_end): both bring the flow's own tables in line."""

    object_type: str
    desired: str
    associations: Mapping[str, int]
    properties: Callable[[], Collection[str]]
    follow: Statement
    adopt: Statement
    continues: bool = False
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    least: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def targets(self) -> dict[int, str]:
        """Association type id -> contacts, companies or deals."""
        return {type_id: target for target, type_id in self.associations.items()}


@dataclass(frozen=True)
class Outgoings:
    """All that a flow sends, in the order in which it is sent. ``sources``: a view (record_key, object_type) of what each
    source is now; ``deleted``: one (record_key) of those that are gone for good. ``held_because``: why a record is held.
    ``id_label``, ``id_description``: of the unique property, in HubSpot. ``shown``: a record key as JSON names it."""

    types: tuple[Outgoing, ...]
    sources: str
    deleted: str
    held_because: str
    id_label: str
    id_description: str
    shown: Callable[[str], Mapping[str, Any]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(one.object_type for one in self.types)

    @cached_property
    def _by_name(self) -> dict[str, Outgoing]:
        return {one.object_type: one for one in self.types}

    def of(self, object_type: str) -> Outgoing:
        return self._by_name[object_type]

    @property
    def views(self) -> dict[str, sql.Identifier]:
        """For statements: ``sources`` and ``deleted``."""
        return {"sources": relation(self.sources), "deleted": relation(self.deleted)}

    def scope(
        self,
        types: Collection[str] | None = None,
        months: tuple[date, date] | None = None,
        *,
        include_orphans: bool = False,
        overwrite_edits: bool = False,
    ) -> Scope:
        """As people say it: types in any order (None: all), and the first and the last month, both included. Raises
        ``Refused`` for a type that the flow has not."""
        unknown = sorted(set(types or ()) - set(self.names))
        if unknown or (types is not None and not types):
            raise Refused(f"--types: {', '.join(unknown) or 'none given'}; the types are {', '.join(self.names)}")
        chosen = tuple(name for name in self.names if types is None or name in types)
        return Scope(chosen, Window.of(*months) if months else None, include_orphans, overwrite_edits)


def relation(name: str) -> sql.Identifier:
    """``schema.view`` for a statement."""
    return sql.Identifier(*name.split("."))


NOTHING = Outgoings((), "", "", "", "", "", lambda _: {})
"""For whoever opens a ledger to ask a portal something, and sends nothing."""
