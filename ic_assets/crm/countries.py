"""The aliases of countries: ``sql/crm/country_alias.csv``, its mirror ``crm.country_alias``, and the reading of a country by
what is in force. Whoever reads countries calls ``sync_aliases`` first, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from ic_assets.core.countries import codes, folded, iso_country
from ic_assets.core.rules_data import Line, Mirror, RuleFile

Alias = tuple[str, str]
"""Text as it is looked up, alpha-2 code."""


def _alias(line: Line) -> Alias:
    word = folded(line["alias"])
    if not word:
        raise line.refused("alias", "empty; write what stands for the country")
    if line["country"] not in codes():
        raise line.refused("country", f"{line['country']!r} is no ISO 3166 alpha-2 code")
    if iso_country(word, {}) not in (None, line["country"]):
        raise line.refused("alias", f"{line['alias']!r} is {iso_country(word, {})} by the standard, which goes before")
    return word, line["country"]


COUNTRY_ALIASES = RuleFile(
    "crm/country_alias.csv",
    columns=("alias", "country"),
    parse=_alias,
    key=lambda row: row[0],
    key_columns=("alias",),
)
RULE_FILES = (COUNTRY_ALIASES,)
_MIRROR = Mirror(COUNTRY_ALIASES, "crm.country_alias", ("alias", "country"), keys=1)


def sync_aliases(connection: psycopg.Connection) -> list[str]:
    """Brings the mirror in line with the file, once for each state of it. Returns the aliases that changed."""
    return [word for (word,) in _MIRROR.sync(connection)]


def reader(connection: psycopg.Connection) -> Callable[[str | None], str | None]:
    """Text to alpha-2 code or None, by the aliases that are in force now. For one transaction."""
    aliases: dict[str, str] = dict(connection.execute("SELECT alias, country FROM crm.country_alias").fetchall())
    return lambda text: iso_country(text, aliases)
