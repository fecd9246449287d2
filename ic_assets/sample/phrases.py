"""The words the sample data is made of: the languages in the mix of a company's customers, and the companies' names. Data
only; `accounts` and `export` put them together.
"""

from __future__ import annotations

from ic_assets.sample.languages.english import ENGLISH
from ic_assets.sample.languages.french import FRENCH
from ic_assets.sample.languages.german import GERMAN
from ic_assets.sample.languages.polish import POLISH
from ic_assets.sample.languages.spanish import SPANISH

# Ten entries, so that a company's number modulo ten gives the mix: mostly English, some of each other.
LANGUAGES = (ENGLISH, ENGLISH, GERMAN, ENGLISH, FRENCH, ENGLISH, GERMAN, SPANISH, ENGLISH, POLISH)

COMPANY_STEMS = (
    "Quillmoor",
    "Tarnvik",
    "Ostrabel",
    "Vellaforge",
    "Brackenfold",
    "Zylmark",
    "Harrowquay",
    "Pellingsk",
    "Norvendal",
    "Kastrowe",
    "Umbrefield",
    "Dorvanna",
    "Lysterby",
    "Grenwold",
    "Saltmerrin",
    "Fjellburne",
    "Mirabrook",
    "Cindersyke",
    "Wolvarden",
    "Thornavel",
    "Ravelstok",
    "Ashkettle",
    "Polderwyn",
    "Jessamund",
    "Eldrivane",
    "Yarrowex",
    "Crambeck",
    "Osmundale",
    "Ivelhurst",
    "Skerrivor",
)
