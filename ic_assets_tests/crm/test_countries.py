"""Country text to ISO alpha-2 by the standard and by the aliases that are in force."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ic_assets.core.countries import codes
from ic_assets.core.failures import Refused
from ic_assets.crm.countries import COUNTRY_ALIASES, reader, sync_aliases


@pytest.fixture
def connection(module_database: str) -> Iterator[psycopg.Connection]:
    """A transaction that is taken back."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()


KNOWN = {
    "DE": "DE",
    " deu\u00a0": "DE",
    "276": "DE",
    "gErManY": "DE",
    "Federal Republic of Germany": "DE",
    "USA": "US",
    "u.s.": "US",
    "America": "US",
    "UK": "GB",
    "Great Britain": "GB",
    "Northern Ireland": "GB",
    "Russia": "RU",
    "Turkey": "TR",
    "Türkiye": "TR",
    "South Korea": "KR",
    "Korea": "KR",
    "Ivory Coast": "CI",
    "Côte d'Ivoire": "CI",
    "Palestine": "PS",
    "Holland": "NL",
    "Macedonia": "MK",
    "Swaziland": "SZ",
    "Burma": "MM",
    "Cape Verde": "CV",
    "XK": None,
    "Kosovo": None,
    "EU": None,
    "Gondor": None,
    "": None,
    "8": None,
}


def test_countries_are_read_as_the_standard_and_the_aliases_have_them(connection: psycopg.Connection) -> None:
    sync_aliases(connection)
    read = reader(connection)
    assert {text: read(text) for text in KNOWN} == KNOWN
    assert read(None) is None
    assert len(codes()) == 249


def test_an_alias_of_ones_own_counts_from_its_file_on_and_is_named_as_changed(
    connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_CRM_RULES", str(tmp_path))
    sync_aliases(connection)
    (tmp_path / "country_alias.csv").write_text("alias,country\nUK,GB\nGondor,IT\n")
    assert "gondor" in sync_aliases(connection)
    read = reader(connection)
    assert (read("GONDOR"), read("England")) == ("IT", None)
    assert sync_aliases(connection) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Gondor,GO", "country_alias.csv, line 2, column country: 'GO' is no ISO 3166 alpha-2 code"),
        (",IT", "country_alias.csv, line 2, column alias: empty; write what stands for the country"),
        ("Germany,IT", "country_alias.csv, line 2, column alias: 'Germany' is DE by the standard, which goes before"),
    ],
)
def test_an_alias_that_cannot_stand_is_refused(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "country_alias.csv"
    file.write_text(f"alias,country\n{line}\n")
    with pytest.raises(Refused) as refusal:
        COUNTRY_ALIASES.read(file)
    assert str(refusal.value) == said


def test_a_folder_of_rules_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_CRM_RULES", os.devnull)
    with pytest.raises(Refused, match=r"^IC_CRM_RULES='/dev/null' is no folder"):
        COUNTRY_ALIASES.load()
