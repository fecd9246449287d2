"""One communication as the legacy system would have exported it, whole and plain. `drops` asks for them and spoils some
with `oddities`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from ic_assets.sample.accounts import Accounts, Company, Contact, Deal
from ic_assets.sample.dice import Dice
from ic_assets.sample.languages.language import Language
from ic_assets.sample.legacy_values import (
    ACTIONS,
    OTHER_ACTIONS,
    OTHER_STATUSES,
    PLANNED_STATUSES,
    PRIORITIES,
    STATUSES,
    TYPES,
)
from ic_assets.sample.phrases import LANGUAGES
from ic_assets.sample.real_exports import Row

HEADER = (
    "Comm_CommunicationId",
    "Comm_OpportunityId",
    "Comm_CaseId",
    "Comm_Type",
    "Comm_Action",
    "Comm_Status",
    "Comm_Priority",
    "Comm_DateTime",
    "Comm_ToDateTime",
    "Comm_Note",
    "Comm_Subject",
    "Comm_Email_Clean",
    "Comm_CreatedDate",
    "Comm_UpdatedDate",
    "Comm_OriginalDateTime",
    "Comm_OriginalToDateTime",
    "Person_Id",
    "Person_FirstName",
    "Person_LastName",
    "Person_EmailAddress",
    "Company_Id",
    "Company_Name",
)

START = datetime(2019, 1, 2)  # noqa: DTZ001  legacy timestamps are local and carry no zone
EXPORTED = datetime(2026, 10, 30)  # noqa: DTZ001

LAST_PLANNED = datetime(2027, 3, 26)  # noqa: DTZ001

LONG_NOTE_CHARACTERS = 70_000  # HubSpot takes 65,536 in one body
"""Length at which the one over-long note stops growing."""

Times = tuple[datetime, datetime | None, datetime | None]

LOST_ACCOUNT, NO_REFERENCE = range(13), range(13, 22)
LEFT_CONTACT, DEAD_DEAL, MERGED_COMPANY = range(22, 29), range(29, 35), range(35, 38)
CONTACT_ONLY = range(38, 58)


class Export:
    """Draws communications as the legacy system would have exported them."""

    def __init__(self, dice: Dice, accounts: Accounts) -> None:
        self._dice = dice
        self._accounts = accounts

    def row(self, number: int, place: int, created: datetime, kind: str, *, plans: bool = True) -> Row:
        """One plain communication. ``place`` (0 to 999) decides which of its references HubSpot knows;
        ``plans`` lets meetings and tasks lie after ``created``."""
        dice = self._dice
        row = dict.fromkeys(HEADER, "")
        company, contact, deal = self._references(place)
        start, end, original = self._times(kind, created, plans=plans)
        updated = min(start + timedelta(minutes=dice.between(0, 20 * 24 * 60)), EXPORTED)
        speaker = contact or dice.pick(company.contacts)
        priority = dice.pick(PRIORITIES)
        row.update(
            Comm_CommunicationId=str(number),
            Comm_OpportunityId=str(deal.number) if deal else "",
            Comm_CaseId=str(40_000 + number // 7) if self._has_case(kind) else "",
            Comm_Type=self._as_typed(dice.pick(TYPES[kind])),
            Comm_Action=dice.pick(ACTIONS.get(kind) or OTHER_ACTIONS.get(kind, ("",))),
            Comm_Status=self._as_typed(self._status(kind, start)),
            Comm_Priority=priority,
            Comm_DateTime=stamp(start),
            Comm_ToDateTime=stamp(end),
            Comm_CreatedDate=stamp(created),
            Comm_UpdatedDate="" if dice.chance(3) else stamp(max(updated, created)),
            Comm_OriginalDateTime=stamp(original),
            Comm_OriginalToDateTime=stamp(end) if original else "",
        )
        words = self._words(company.language, speaker)
        subjects = company.language.subjects[_vocabulary(kind)]
        row["Comm_Subject"] = "" if dice.chance(12) else dice.pick(subjects).format_map(words)
        row["Comm_Note"] = "" if dice.chance(5) else self._note(kind, company, speaker, words)
        if contact:
            row["Person_Id"] = str(contact.number)
        if contact or (place in NO_REFERENCE and dice.chance(50)):
            row["Person_FirstName"], row["Person_LastName"] = speaker.first_name, speaker.last_name
            row["Person_EmailAddress"] = speaker.email
        if kind == "email" and dice.chance(85):
            row["Comm_Email_Clean"] = speaker.email
        if place not in NO_REFERENCE and place not in CONTACT_ONLY:
            row["Company_Id"], row["Company_Name"] = str(company.number), company.name
        return row

    def further_attendees(self, row: Row) -> Iterator[Row]:
        """The rows of one communication for two people more, one of them at another company."""
        company = self._accounts.sound[self._dice.below(len(self._accounts.sound) - 1)]
        later = self._accounts.sound[self._accounts.sound.index(company) + 1]
        for host, contact in ((company, company.contacts[0]), (later, later.contacts[0])):
            yield {
                **row,
                "Person_Id": str(contact.number),
                "Person_FirstName": contact.first_name,
                "Person_LastName": contact.last_name,
                "Person_EmailAddress": contact.email,
                "Company_Id": str(host.number),
                "Company_Name": host.name,
            }

    def long_note(self) -> str:
        """A service log pasted into one field, longer than HubSpot takes in one body."""
        language = LANGUAGES[0]
        lines: list[str] = ["Service log, copied from the old maintenance database:"]
        length = 0
        while length < LONG_NOTE_CHARACTERS:
            company = self._dice.pick(self._accounts.sound)
            words = self._words(language, company.contacts[0])
            kind = self._dice.pick(tuple(language.sentences))
            lines.append(f"{len(lines):04d}: {self._sentences(language, kind, 2, words)}")
            length += len(lines[-1])
        return "\n".join(lines)

    def _references(self, place: int) -> tuple[Company, Contact | None, Deal | None]:
        dice, accounts = self._dice, self._accounts
        if place in NO_REFERENCE:
            return dice.pick(accounts.sound), None, None
        if place in LOST_ACCOUNT:
            company = dice.pick(accounts.lost)
            return company, dice.pick(company.contacts), dice.pick(company.deals) if dice.chance(25) else None
        if place in LEFT_CONTACT:
            company = dice.pick(accounts.left_contact)
            return company, company.contacts[-1], None
        if place in DEAD_DEAL:
            company = dice.pick(accounts.dead_deal)
            return company, company.contacts[0], company.deals[-1]
        if place in MERGED_COMPANY:
            company = dice.pick(accounts.merged)
            return company, dice.pick(company.contacts), None
        sound = accounts.sound
        # The product of two draws: a few accounts have most of the traffic.
        company = sound[min(dice.below(len(sound)), dice.below(len(sound)))]
        contact = dice.pick(company.contacts[:-1]) if place in CONTACT_ONLY or dice.chance(91) else None
        deal = dice.pick(company.deals[:-1]) if place not in CONTACT_ONLY and dice.chance(42) else None
        return company, contact, deal

    def _times(self, kind: str, created: datetime, *, plans: bool) -> Times:
        """Start, end and, where it was moved or has a reminder, the original time."""
        dice = self._dice
        start = created
        if kind in ("meeting", "task") and plans:
            ahead = dice.between(30, 150) if dice.chance(25) else dice.between(0, 21)
            start = min(workday(created + timedelta(days=ahead)), LAST_PLANNED).replace(
                hour=dice.between(8, 16), minute=dice.pick((0, 15, 30, 45)), second=0
            )
            start = max(start, created)
        end: datetime | None = None
        original: datetime | None = None
        if kind == "call":
            end = start + timedelta(seconds=dice.between(20, 2_700)) if dice.chance(85) else None
        elif kind == "meeting":
            end = start + timedelta(minutes=dice.pick((30, 45, 60, 60, 90, 120, 240))) if dice.chance(85) else None
            original = start - timedelta(days=7) if dice.chance(6) else None
        elif kind in ("task", "case"):
            end = start + timedelta(days=dice.between(0, 10)) if dice.chance(60) else None
            original = start - timedelta(days=dice.between(0, 2)) if dice.chance(25) else None
        return start, end, original

    def _status(self, kind: str, start: datetime) -> str:
        if start > EXPORTED and kind in PLANNED_STATUSES:
            return self._dice.pick(PLANNED_STATUSES[kind])
        if kind == "meeting" and self._dice.chance(5):
            return self._dice.pick(PLANNED_STATUSES[kind])
        return self._dice.pick(STATUSES.get(kind, OTHER_STATUSES))

    def _has_case(self, kind: str) -> bool:
        return self._dice.chance({"case": 85, "task": 15}.get(kind, 2))

    def _as_typed(self, value: str) -> str:
        draw = self._dice.below(100)
        if draw < 5:
            return value.upper()
        if draw < 10:
            return value.lower()
        return value

    def _words(self, language: Language, speaker: Contact) -> Mapping[str, str]:
        dice = self._dice
        return {
            "product": dice.pick(language.products),
            "qty": str(dice.between(2, 48)),
            "price": str(dice.between(8, 960) * 25),
            "week": str(dice.between(2, 51)),
            "days": str(dice.between(2, 60)),
            "no": f"{dice.pick('QAR')}-{dice.between(10_000, 99_999)}",
            "city": dice.pick(language.cities),
            "person": speaker.name,
        }

    def _sentences(self, language: Language, kind: str, count: int, words: Mapping[str, str], glue: str = " ") -> str:
        options = list(language.sentences[kind])
        chosen = [options.pop(self._dice.below(len(options))) for _ in range(min(count, len(options)))]
        if self._dice.chance(30):
            chosen.append(self._dice.pick(language.asides))
        return glue.join(sentence.format_map(words) for sentence in chosen)

    def _note(self, kind: str, company: Company, speaker: Contact, words: Mapping[str, str]) -> str:
        dice, language = self._dice, company.language
        if kind == "email":
            return self._email(company, speaker, words)
        lengths = (1, 1, 2) if kind in ("message", "letter") else (1, 2, 2, 3)
        glue = "\n- " if dice.chance(15) else "\n" if dice.chance(25) else " "
        text = self._sentences(language, _vocabulary(kind), dice.pick(lengths), words, glue)
        return "- " + text if glue == "\n- " else text

    def _email(self, company: Company, speaker: Contact, words: Mapping[str, str]) -> str:
        dice, language = self._dice, company.language
        greeting = language.greeting.format_map(words)
        body = self._sentences(language, "email", dice.between(1, 3), words, "\n")
        sender = dice.pick(("Marta Lindqvist", "Tom Aldous", "Renée Okafor"))
        phone = f"+1 312-555-01{dice.below(100):02d}"
        if not dice.chance(14):
            signature = f"\n{sender}\nKesterline Ltd, Phone {phone}" if dice.chance(30) else f"\n{sender}"
            return f"{greeting}\n\n{body}\n\n{language.closing}{signature}"
        paragraphs = "".join(f"<p>{_escaped(line)}</p>" for line in body.split("\n"))
        extra = dice.pick(
            (
                f"<ul><li>{words['qty']} pcs</li><li>{words['price']} EUR</li></ul>",
                f'<p><a href="https://www.{company.domain}/">www.{company.domain}</a></p>',
                '<img src="https://mail.kesterline.test/open.gif" width="1" height="1">',
                '<p style="color:#1f497d;font-family:Calibri">&nbsp;</p>',
                "",
            )
        )
        return (
            f"<html><body><p>{_escaped(greeting)}</p>\n{paragraphs}{extra}\n"
            f"<p>{language.closing}<br><b>{sender}</b><br>Phone {phone}</p></body></html>"
        )


def _vocabulary(kind: str) -> str:
    return "letter" if kind == "other" else kind


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def stamp(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def workday(moment: datetime) -> datetime:
    return moment + timedelta(days=max(0, 7 - moment.weekday()) if moment.weekday() > 4 else 0)
