"""What a flow says of itself to the inbox, as data: its doors, its topics with their models, its handler, its archive and
how it is replayed. No flow is named here: ``core/parts.py`` lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import psycopg
from pydantic import BaseModel

from ic_assets.core import parts
from ic_assets.core.failures import Refused
from ic_assets.inbox.envelope import Reader, read_plain

if TYPE_CHECKING:
    from ic_assets.inbox.taking import Batch


@dataclass(frozen=True)
class Door:
    """A name under which events of one source come in: a folder of ``$IC_HOME/events``, the first argument of
    ``load-events``. Several doors may have one source. ``topic``: of events that name none."""

    name: str
    source: str
    topic: str | None = None
    read: Reader = read_plain


DOORS = (
    *(Door(name, name) for name in ("chargebee", "hubspot", "site", "forms", "mobile", "calls")),
    *(Door(name, name) for name in ("product", "milestones", "journey", "models")),
    Door("scores", "models"),
)
"""The doors of the house with the plain reader; the flow whose events look otherwise replaces its own."""


@dataclass(frozen=True)
class Takes:
    """Events of one source that a flow takes: a topic, or all that begin with what stands before a last ``*``. ``model``
    reads their bodies (None: the flow reads them in SQL)."""

    source: str
    topic: str
    model: type[BaseModel] | None = None

    def has(self, topic: str) -> bool:
        return topic.startswith(self.topic[:-1]) if self.topic.endswith("*") else topic == self.topic

    @property
    def pattern(self) -> str:
        """The same as a regular expression, of Python and of PostgreSQL."""
        plain = re.escape(self.topic.removesuffix("*"))
        return f"{plain}.*" if self.topic.endswith("*") else plain


@dataclass(frozen=True)
class Rebuilt:
    """A table of the flow that ``replay`` builds anew. ``key``: what names a row in both. ``ignored``: columns that may
    differ (surrogate ids, wall-clock times). ``since``: the column by which ``--since`` leaves older rows as they are."""

    table: str
    key: Sequence[str]
    ignored: Sequence[str] = ()
    since: str | None = None


@dataclass(frozen=True)
class Replay:
    """How the flow's tables in ``schema`` are built anew. ``tables``: those that are, in the order in which rows may be
    written. ``given``: tables that are taken as they are (ledgers, choices among people, the archive). All SQL of the
    flow's handler comes from ``core.sql.statement`` and names its tables in full, since that is where the other place is
    put in."""

    schema: str
    tables: Sequence[Rebuilt]
    given: Sequence[str] = ()


@dataclass(frozen=True)
class Flow:
    """``handle`` does in the transaction of ``taking.take`` what a batch of events changes. An event that it has had may
    come again with another content (the greatest one stands), so what it wrote of it is replaced.

    ``ready``: a condition in SQL on ``e``, a row of inbox.event; what does not meet it waits. ``archive``: a table or view
    with source, topic, event_id, occurred_at, received_at, verified_by and body of what the flow has dealt with; without
    one nothing of it is pruned. ``replay``: how its tables are built anew. ``finish``: what is left to be done there after
    the last batch, for a flow whose handler only takes events in and works out their effects later."""

    name: str
    takes: Sequence[Takes]
    handle: Callable[[Batch], None]
    doors: Sequence[Door] = ()
    ready: str = "TRUE"
    archive: str | None = None
    replay: Replay | None = None
    finish: Callable[[psycopg.Connection], None] | None = None

    @property
    def sources(self) -> list[str]:
        return sorted({one.source for one in self.takes})


@dataclass(frozen=True)
class Registry:
    """All doors and flows. Raises ``ValueError`` where two flows take one topic, or two doors have one name."""

    flows: Sequence[Flow] = ()
    doors: Sequence[Door] = DOORS

    def __post_init__(self) -> None:
        owners: dict[tuple[str, str], str] = {}
        for flow in self.flows:
            for one in flow.takes:
                for (source, topic), other in owners.items():
                    overlaps = Takes(source, topic).has(one.topic) or one.has(topic)
                    if source == one.source and other != flow.name and overlaps:
                        raise ValueError(f"{other} and {flow.name} both take {one.source} {one.topic}")
                owners[one.source, one.topic] = flow.name
        names = [door.name for flow in self.flows for door in flow.doors]
        if len(names) != len(set(names)):
            raise ValueError("two flows bring a door of one name")

    @cached_property
    def by_door(self) -> Mapping[str, Door]:
        """A flow's own door goes before the plain one of that name."""
        return {door.name: door for door in (*self.doors, *(door for flow in self.flows for door in flow.doors))}

    def door(self, name: str) -> Door:
        """Raises ``Refused`` naming those that there are."""
        found = self.by_door.get(name)
        if found is None:
            raise Refused(f"there is no door {name!r}; the doors are {', '.join(sorted(self.by_door))}")
        return found

    def flow(self, name: str) -> Flow:
        """Raises ``Refused`` naming those that there are."""
        found = next((flow for flow in self.flows if flow.name == name), None)
        if found is None:
            names = ", ".join(flow.name for flow in self.flows) or "none yet"
            raise Refused(f"there is no flow {name!r} that takes events; there are: {names}")
        return found

    @cached_property
    def known(self) -> str:
        """A regular expression on ``source topic`` of what flows take."""
        found = [f"{re.escape(one.source)} {one.pattern}" for flow in self.flows for one in flow.takes]
        return f"^({'|'.join(found)})$" if found else "^$"

    def owner(self, source: str, topic: str | None) -> Flow | None:
        """The flow that takes events of this source and topic."""
        for flow in self.flows:
            if any(one.source == source and one.has(topic or "") for one in flow.takes):
                return flow
        return None


@cache
def registry() -> Registry:
    """Of all flows that ``core/parts.py`` lists."""
    return Registry(flows=tuple(parts.brought(parts.INBOX_FLOWS)))
