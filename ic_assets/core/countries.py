"""Country text to ISO 3166 alpha-2. What the standard knows comes from pycountry; what people write besides, from the lines
of ``sql/crm/country_alias.csv`` that are in force, which the caller gives (``crm/countries.py`` reads them).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache


def iso_country(text: str | None, aliases: Mapping[str, str]) -> str | None:
    """The code, or None where the text names no country of the standard: XK, Kosovo and EU do not. Looked up trimmed and in
    any case: alpha-2, alpha-3, numeric code, name, common name, official name, then ``aliases`` (folded to code)."""
    word = folded(text or "")
    return _standard().get(word) or aliases.get(word)


def folded(text: str) -> str:
    """How a country is looked up."""
    return text.strip().casefold()


def codes() -> frozenset[str]:
    """All 249 codes."""
    return frozenset(_standard().values())


@cache
def _standard() -> dict[str, str]:
    import pycountry  # its lists are read from files

    names = ("alpha_2", "alpha_3", "numeric", "name", "common_name", "official_name")
    return {
        folded(str(word)): str(country.alpha_2)
        for country in pycountry.countries
        for name in names
        if (word := getattr(country, name, None))
    }
