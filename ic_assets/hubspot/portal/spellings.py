"""How a portal writes the values of its enumerations, and how ours become one of them. No HTTP here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ic_assets.hubspot.client.client import Json, objects
from ic_assets.hubspot.ledger.outgoing import Outgoing

SPELLINGS = {"CANCELED": "CANCELLED", "CANCELLED": "CANCELED"}
"""Spellings of one value in different portals (FACTS 2.3)."""


@dataclass
class Options:
    """What a portal lists for one object type. ``values``: enumeration -> its values, for enumerations with a list;
    ``labels``: enumeration that people know by its labels -> label in lower case -> value."""

    values: dict[str, frozenset[str]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)

    def read(self, outgoing: Outgoing, definition: Json) -> None:
        """Takes in one property definition of HubSpot's."""
        name, listed = str(definition.get("name")), objects(definition.get("options"))
        if definition.get("type") == "enumeration" and listed:
            self.values[name] = frozenset(str(option.get("value")) for option in listed)
        if name in outgoing.labels:
            self.labels[name] = {str(o.get("label")).strip().lower(): str(o.get("value")) for o in listed}


def spelled_for(outgoing: Outgoing, lists: Options, properties: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """``properties`` in the portal's own spelling, and what is wrong with them (None: nothing)."""
    spelled = dict(properties)
    for name, value in properties.items():
        options, known = lists.values.get(name), outgoing.labels.get(name)
        is_label = known is not None and value not in known
        if value == "" or value in (options or ()) or not (options or is_label):
            continue
        label = (known or {}).get(value, value).lower()
        other = SPELLINGS.get(value) or lists.labels.get(name, {}).get(label)
        if options and other in options:
            spelled[name] = str(other)
        elif known is not None:
            del spelled[name]
        else:
            return spelled, f"{name}: {value!r} is not among the portal's options ({', '.join(sorted(options or ()))})"
    return spelled, None


def missing_options(outgoing: Outgoing, lists: Options) -> Iterator[str]:
    """What we may send and the portal does not list, in words, an enumeration each."""
    for name, values in outgoing.options.items():
        missing = [v for v in values if spelled_for(outgoing, lists, {name: v})[1]]
        if missing:
            yield f"the portal's {name} does not list {', '.join(missing)}; such rows fail"
