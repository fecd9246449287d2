"""The companies, contacts and deals of the sample data, in pools by what of them HubSpot does not know. `export` and
`drops` hand them out, `generate` writes their reconciliation files."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from ic_assets.sample.dice import Dice
from ic_assets.sample.languages.language import Language
from ic_assets.sample.phrases import COMPANY_STEMS, LANGUAGES


@dataclass
class Deal:
    number: int
    name: str
    match: str


@dataclass
class Contact:
    number: int
    first_name: str
    last_name: str
    email: str
    match: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass
class Company:
    """An account with its people and deals. ``match`` is ``found``, ``empty`` (in the reconciliation file
    without a HubSpot id) or ``absent`` (not in the file)."""

    number: int
    name: str
    domain: str
    language: Language
    match: str
    contacts: list[Contact] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)


def _ascii(text: str) -> str:
    spelled = text.replace("ł", "l").replace("Ł", "L").replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return "".join(c for c in plain.lower() if c.isalnum())


class Accounts:
    """Companies, contacts and deals, in pools by what of them HubSpot does not know."""

    def __init__(self, dice: Dice, rows: int) -> None:
        self._dice = dice
        self._contacts = 2_000
        self._deals = 500
        self.companies = [self._company(index) for index in range(max(60, rows // 28))]
        sound = [c for index, c in enumerate(self.companies) if index % 20 not in (7, 13)]
        self.sound = sound
        self.lost = self.companies[7::20]
        self.merged = self.companies[13::20]
        for company in self.lost:
            company.match = self._unmatched()
            for contact in company.contacts:
                contact.match = self._unmatched()
            for deal in company.deals:
                deal.match = self._unmatched()
        for company in self.merged:
            company.match = self._unmatched()
        # The last contact and the last deal of some companies are unknown; `known` never hands them out.
        self.left_contact = sound[3::9]
        self.dead_deal = sound[5::9]
        for company in self.left_contact:
            company.contacts[-1].match = self._unmatched()
        for company in self.dead_deal:
            company.deals[-1].match = self._unmatched()

    def _unmatched(self) -> str:
        return self._dice.pick(("empty", "absent"))

    def _company(self, index: int) -> Company:
        dice = self._dice
        language = LANGUAGES[index % len(LANGUAGES)]
        stem = COMPANY_STEMS[index % len(COMPANY_STEMS)]
        suffix = "" if index < len(COMPANY_STEMS) else f"-{index}"
        domain = stem.lower() + suffix + dice.pick((".example.com", ".example.org", ".example.net"))
        name = f"{stem} {dice.pick(language.trades)} {dice.pick(language.legal_forms)}"
        company = Company(101 + index * 3, name, domain, language, "found")
        for _ in range(dice.between(2, 4)):
            company.contacts.append(self._contact(company))
        for _ in range(dice.between(1, 3) + 1):
            self._deals += dice.between(1, 4)
            deal_name = f"{stem} - {dice.pick(language.products)}"
            company.deals.append(Deal(self._deals, deal_name, "found"))
        return company

    def _contact(self, company: Company) -> Contact:
        dice = self._dice
        self._contacts += dice.between(1, 5)
        first, last = dice.pick(company.language.first_names), dice.pick(company.language.last_names)
        email = f"{_ascii(first)}.{_ascii(last)}@{company.domain}"
        if dice.chance(4):
            first = ""
        elif dice.chance(3):
            last = ""
        return Contact(self._contacts, first, last, "" if dice.chance(6) else email, "found")
