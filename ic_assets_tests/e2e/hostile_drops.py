"""Seeded drops that hold everything the data contract says a reader must take, refuse or correct.

``scenario(seed, rows)`` gives reconciliation files and a sequence of drops: a first load, a drop of corrections, the
first file again under another name, a small delta. What must become of them is the oracle's business, not ours.
"""

# Legacy timestamps have no zone; the generator is seeded and guards nothing.
# ruff: noqa: DTZ001

from __future__ import annotations

import gzip
import random
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from ic_assets_tests.e2e import oracle
from ic_assets_tests.e2e.oracle import COLUMNS, ID, REQUIRED, OracleSettings

HEADER_NAMES = dict(
    zip(
        COLUMNS,
        (
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
        ),
        strict=True,
    )
)

NOTES = (
    "Called about the renewal.",
    'She said "yes", then; left\tearly\nsecond line\r\nthird ""quoted"" line',
    "Grüße aus Köln – 5 € für Zoë’s Büro",
    "日本語のメモ 🎉🎉",
    "  outer blanks stay  ",
    "\u00a0no-break space around\u00a0",
    "a < b && b > c",
    "Mail from <ann@example.com>, see \\\\server\\new",
    "R&amp;D &lt;kept&gt;",
    "L&#39;offre, &eacute;t&eacute; &copying &unknown; &amp;lt;",
    "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0\\fs20 Called the \\b customer\\b0 .\\par}",
    "<p>Photo:</p><img src='data:image/png;base64,iVBORw0KGgo='><p>after it</p>",
    "<p>Hello <b>Bob</b></p>",
    "<div>ok<script>alert(1)</script><br>next &amp; last</div>",
    "<HTML><HEAD><TITLE>no text</TITLE><style>p{color:red}</style></HEAD>\r\n<BODY><P>Dear Ann,</P></BODY></HTML>",
    "<table><tr><td>a</td><td>b &lt; c &eacute;</td></tr></table>",
    '<a href="javascript:alert(1)">one</a> <a href="https://example.com/?a=1&amp;b=2">two</a>',
    '<img src="https://example.com/x.png" onerror="alert(1)">beside a picture',
    "<ul><li>one<li>two</ul>",
    "first<br>second<BR/>third\nfourth",
    "<!-- hidden --><p>3 < 4 && 5 > 4</p>",
    "5\" pipe, 3' long",
    'a "word" in the middle',
    ' "after a blank"',
    "lone\rreturn, \r\rtwo more",
    "a lone\rreturn and a line\nfeed",
    " NULL ",
    "NaN\u00a0",
    "bytes \u0a0d \u0d0a \u2c22 \u220a like line ends, commas and quotes",
    "\\N",
    "before\n\\.\nafter",
    "'; drop schema staging cascade; -- %s %(x)s %%",
    "{{ 7 * 7 }} {% if x %} {# y #} ${z}",
    "null",
    "nan",
    '=HYPERLINK("https://example.com")',
    "zero\u200bwidth and \ufeffmark",
    "separators \u2028 and \u2029 and \x0b and \x0c stay",
    "control \x01 and \x1b[31m stay",
    "1.0",
    "a literal \\x00",
    "p" * 499 + "é🎉tail",
    "\n\nstarts and ends with line breaks\n",
)
SUBJECTS = (
    "Re: budget, 50 %",
    "Two\nlines",
    "  padded  ",
    "Ünïcode ✓ 🎉",
    "5 < 6 & 7 'quoted' \"twice\"",
    "007",
    '27" screen',
    "re\rturn",
    " NaN",
)
COMPANIES = ("Example GmbH & Co. KG", 'O\'Brien "Quotes", Inc', "株式会社例", " Padded Ltd\u00a0", "Ærø A/S")
FIRST_NAMES = ("Ann", " Zoë ", "Jean-Luc", "\u00a0José\t", "李")
LAST_NAMES = ("Example", "O'Neill", " van der Berg", "Łukasz\n")
ADDRESSES = ("ann@example.com", "BOB@Example.ORG", '"Bob, B." <bob@example.com>', "zoe@mail.test")
NO_ADDRESSES = (
    "ann@example.com;bob@example.com",
    "ann@example.com, Bob <bob@example.com>",
    "N/A",
    "mailto:ann@example.com",
    "n/a\nbob@example.com",
    "ann @example.com",
    "<p>Dear Ann,</p><p>please find our quote</p>",
    "Dear Ann, " + "please call us back. " * 20,
)
MISSING = ("", "", "NULL", "NaN", "  ", "\u00a0", "\u2003\u3000\n")
NEARLY_MISSING = (" NULL ", "\u00a0NaN", "null", "nan", "None")
UNSEEN = ("\u200b", "\ufeff", "\u2060", "\x07", "\x1f")
NULL_DATES = (
    "1899-12-30 00:00:00",
    "1900-01-01",
    "1753-01-01 00:00:00.000",
    "0001-01-01T00:00:00",
    "9999-12-31 23:59:59",
    "9999-12-31T23:59:59.9999999Z",
    "1900-01-02",
    "9999-12-30",
)
PADDING = ("", "", "", "", "", " ", "\t", "\u00a0", "\u2003", "\u3000\u202f", " \n", "\r", "\x0b\x0c", "\x85")
UNKNOWN_TYPES = ("mail", "fax", "E-Mail Out", "phone call", "Besuch", "42", "cases", "SMS/Text")
BAD_INTEGERS: tuple[str, ...] = (
    "abc",
    "1e5",
    "1.5E+05",
    "1_000",
    "٣٤",
    "12.5",
    "9223372036854775808",
    "0x1F",
    "1,234",
    "--5",
    "1 2",
    "12.000",
    "1.000",
    "5.",
    "-",
    *NEARLY_MISSING,
)
BAD_TIMES = (
    "soon",
    "now",
    "epoch",
    "today",
    "infinity",
    "Mar 1 2019",
    "2019-02-29",
    "2019-13-01",
    "2019-3-1",
    "32/13/2019",
    "1/2/19",
    "1551434400",
    "2019-03-01 25:00",
    "2019-03-01 10:61",
    "0000-01-01",
    "2019-03-01T10:00:00+25:00",
    "2019-03-01 10:00:00 BC",
    "２０１９-03-01",
    "2019-03-01 24:01",
    "2019-03-01 10:00:60",
    "2019-03-01 10:00 CET",
    "20190301",
    "12019-03-01",
    "2019-03-01\r",  # only white space, hence fine
    *NEARLY_MISSING,
)
# A match lost, one that changes, and some that are gained, of an id that no file named before too.
LATER_CONTACTS = b"""legacy_id,hubspot_id,email
7,,ann@example.com
8,51000999999,bob@example.com
500001,51000888888,
900001,51000777777,
900003,51000666666,
"""
OFFSETS = ("Z", "+02", "+0200", "+02:00", "-05:00", "+05:30", "-0930", "-11")
CLOCK_CHANGES = (
    datetime(2019, 3, 31, 2, 30),
    datetime(2019, 10, 27, 2, 30),
    datetime(2019, 10, 27, 3, 0),
    datetime(2019, 3, 10, 2, 30),
    datetime(2019, 11, 3, 1, 30),
)


@dataclass(frozen=True)
class Format:
    """How a drop is written."""

    encoding: str = "utf-8"
    delimiter: str = ","
    newline: str = "\n"
    compressed: bool = False
    absent: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    final_newline: bool = True
    opening: str = ""
    """Lines before the header, without text."""
    has_deleted: bool = False
    """Whether it has Comm_Deleted."""


@dataclass(frozen=True)
class Drop:
    name: str
    data: bytes


@dataclass(frozen=True)
class Scenario:
    """``commands``: the drops of each ``load`` command, in order. Before the last of several the contacts are
    reconciled once more, with ``later_contacts``."""

    settings: OracleSettings
    reconciliations: dict[str, bytes]
    later_contacts: bytes
    commands: list[list[Drop]]

    @property
    def environment(self) -> dict[str, str]:
        settings = self.settings
        named = {
            "IC_SOURCE_TIMEZONE": settings.timezone,
            "IC_DATE_ORDER": settings.date_order,
            "IC_REFERENCE_TIME": settings.reference_time.isoformat(),
            "IC_PARTITIONS_START": settings.partitions_start.isoformat(),
        }
        return named | ({"IC_OWN_EMAIL": settings.own_email} if settings.own_email else {})


@dataclass
class Row:
    """Raw texts by column; ``shape`` drops fields from the end (negative) or adds some."""

    fields: dict[str, str]
    shape: int = 0
    verbatim: str | None = None
    mark: str = ""
    """Stands inside a quoted subject, where no quote may."""


@dataclass
class _Setting:
    zone: str
    order: str
    own_email: str | None
    start: date
    first: Format
    second: Format
    grouping: tuple[int, ...]


_VARIANTS = (
    _Setting(
        "UTC",
        "YMD",
        None,
        date(2019, 1, 1),
        Format(),
        Format("utf-8-sig", ";", "\r\n", compressed=True, absent=("comm_note", "person_emailaddress")),
        (1, 1, 2),
    ),
    _Setting(
        "Europe/Berlin",
        "DMY",
        "crm@example.org",
        date(2019, 1, 15),
        Format("utf-16-le", "\t", "\r\n", extra=("Extra",), final_newline=False),
        Format(
            "cp1252",
            absent=("comm_updateddate", "comm_todatetime"),
            extra=("Legacy\nFlag",),
            opening="\n \t\n",
        ),
        (4,),
    ),
    _Setting(
        "America/New_York",
        "MDY",
        "sales@example.com",
        date(2019, 1, 1),
        Format(
            "cp1252", ";", "\r\n", compressed=True, absent=("comm_originaltodatetime",), extra=("A", "b ", "odd\0name")
        ),
        Format("utf-16-be", ",", "\n", final_newline=False),
        (2, 2),
    ),
)


def scenario(seed: int, rows: int = 700, today: date | None = None) -> Scenario:
    """The scenario of a seed: the first three cover the formats between them, later ones draw them."""
    variant = _VARIANTS[seed % len(_VARIANTS)]
    if seed >= len(_VARIANTS):
        rng = random.Random(f"format {seed}")
        variant = replace(variant, first=_any_format(rng, ()), second=_any_format(rng, variant.second.absent))
    settings = OracleSettings(
        timezone=variant.zone,
        date_order=variant.order,
        own_email=variant.own_email,
        reference_time=datetime(2020, 1, 15, 12, 0, tzinfo=UTC),
        partitions_start=variant.start,
        today=today or datetime.now(UTC).date(),
    )
    return _Generator(seed, rows, settings, variant).scenario()


def _any_format(rng: random.Random, absent: tuple[str, ...]) -> Format:
    return Format(
        encoding=rng.choice(("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252")),
        delimiter=rng.choice(",;\t"),
        newline=rng.choice(("\n", "\r\n")),
        compressed=rng.random() < 0.5,
        absent=absent,
        extra=rng.choice(((), ("Extra",), ("Legacy\nFlag", "x y"))),
        final_newline=rng.random() < 0.5,
        opening=rng.choice(("", "\n", " \n\n")),
    )


@dataclass
class _Generator:
    seed: int
    rows: int
    settings: OracleSettings
    variant: _Setting
    rng: random.Random = field(init=False)
    used: set[int] = field(default_factory=set)
    attendances: dict[str, tuple[Row, list[Row]]] = field(default_factory=dict)
    """The communications of the first drop that have several people: their rows."""
    words: int = 0
    """How many of the first rows hold the words of the mappings; no later version may replace them."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        last = self.settings.range_end - timedelta(days=15)
        # Three stretches, since each is a run: every load brings all of them up to date.
        months = (2019, 1), (2019, 3), (2019, 10), (2019, 11), (2019, 12), (2020, 1), (2020, 2)
        self.months = [*(datetime(year, month, 1) for year, month in months), last.replace(day=1)]

    def scenario(self) -> Scenario:
        base = [self.row(at) for at in range(self.rows)]
        self.cover_the_mappings(base)
        base[-1].fields |= {"comm_type": "call", "comm_datetime": "2019-01-10", "person_id": "900100"}
        first = base + self.faulty() + self.repeats(base) + self.people(base)
        self.rng.shuffle(first)
        second = self.corrections(base) + [self.row(at) for at in range(self.rows // 10)] + self.faulty()
        second += self.other_people(base) + self.deleted(base)
        self.rng.shuffle(second)
        # Of what every encoding can write, so that it is the same in each.
        same = self.row(1)
        same.fields |= dict.fromkeys(("comm_action", "comm_status", "comm_priority", "comm_email_clean"), "")
        same.fields |= {"comm_type": "call", "comm_note": "the same", "comm_subject": "", "company_name": "Same Ltd"}
        same.fields |= {"person_firstname": "Ann", "person_lastname": "Same", "person_emailaddress": "ann@example.com"}
        first.append(same)
        second.append(same)
        first_data = self.write(first, self.variant.first)
        second_data = self.write(second, replace(self.variant.second, has_deleted=True))
        plain = gzip.decompress(first_data) if self.variant.first.compressed else first_data
        drops = [
            self.drop("crm export 1", first_data, self.variant.first),
            self.drop("Änderungen-2", second_data, self.variant.second),
            Drop("again.csv", plain),
            Drop("header only.csv", (",".join(HEADER_NAMES.values()) + "\n").encode()),
        ]
        queue = iter(drops)
        commands = [[next(queue) for _ in range(count)] for count in self.variant.grouping]
        return Scenario(self.settings, self.reconciliations(), LATER_CONTACTS, commands)

    # -- reference data ----------------------------------------------------------------------------------

    def reconciliations(self) -> dict[str, bytes]:
        """Ids from 1 are matched, from 500001 known but not in HubSpot; those from 900001 are not named."""

        def lines(count: int, first: int, column: str) -> bytes:
            rows = [f"legacy_id,hubspot_id,{column}"]
            rows += [f"{key},{first + key * 7},{column}{key}@example.com" for key in range(1, count + 1)]
            rows += [f"{key},," for key in range(500_001, 500_010)]
            return ("\n".join(rows) + "\n").encode()

        return {
            "contacts": lines(200, 51_000_000_000, "email"),
            "companies": lines(80, 7_000_000_000, "name"),
            "deals": lines(60, 9_000_000, "name"),
        }

    def references(self, at: int) -> dict[str, str]:
        """Three references of which few enough are unmatched for the gate to stay open."""
        rng = self.rng
        if at % 90 == 13:
            return {"person_id": "", "company_id": "", "comm_opportunityid": ""}
        miss = rng.choice((500_001, 500_009, 900_001, 900_002))
        person = miss if at % 90 == 37 else rng.randint(1, 200)
        company = miss if at % 90 == 53 else rng.randint(1, 80)
        deal = miss if at % 90 == 71 else rng.randint(1, 60)
        if at % 180 == 89:
            return {"person_id": "900003", "company_id": "", "comm_opportunityid": ""}
        return {
            "person_id": self.integer(person),
            "company_id": self.integer(company) if at % 90 == 53 or rng.random() < 0.8 else rng.choice(MISSING),
            "comm_opportunityid": self.integer(deal) if at % 90 == 71 or rng.random() < 0.6 else "",
        }

    # -- fields ------------------------------------------------------------------------------------------

    def integer(self, value: int) -> str:
        forms = (str(value), str(value), f"{value}.0", f"+{value}", f"00{value}", self.padded(value))
        return self.rng.choice(forms)

    def padded(self, value: object) -> str:
        return f"{self.rng.choice(PADDING)}{value}{self.rng.choice(PADDING)}"

    def new_id(self) -> str:
        while True:
            exotic = self.rng.random() < 0.01
            value = 2**63 - 1 - self.rng.randint(0, 99) if exotic else self.rng.randint(1, 10_000_000)
            if value not in self.used:
                self.used.add(value)
                return self.integer(value)

    def moment(self) -> datetime:
        if self.rng.random() < 0.05:
            return self.rng.choice(CLOCK_CHANGES)
        day = timedelta(days=self.rng.randint(1, 26), seconds=self.rng.randint(0, 86_399))
        return self.rng.choice(self.months) + day

    def time(self, moment: datetime, fine: bool = False) -> str:
        """``moment`` in one of the listed forms; ``fine`` allows more digits than milliseconds."""
        rng = self.rng
        day, clock = moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")
        midnight = f"{moment - timedelta(days=1):%Y-%m-%d} 24:00:00"
        forms = [
            f"{day} {clock}",
            f"{day} {clock}",
            f"{day}\u00a0{clock}",
            f"{day} {clock},{rng.randint(0, 999):03d}",
            f"\u200b{day} {clock}\x1f",
            midnight,
            f"{day}T{clock}",
            f"{day} {clock[:5]}",
            f"{day}T{clock}.{rng.randint(0, 999):03d}",
            f"{day}",
            self.padded(f"{day} {clock}"),
        ]
        if 2 <= moment.day <= 27:
            forms.append(f"{day}T{clock}{rng.choice(OFFSETS)}")
            forms.append(f"{day} {clock} {rng.choice(OFFSETS)}")
            forms.append(f"{day} {clock} {rng.choice(('UTC', 'GMT'))}")
        if fine:
            forms.append(f"{day} {clock}.{rng.randint(0, 999_999):06d}")
            forms.append(f"{day} {clock}.{rng.randint(0, 99_999_999):08d}{rng.choice('12346789')}")
            forms.append(f"{day} 23:59:59.9999999")
        if self.settings.date_order != "YMD":
            slashed = moment.strftime("%d/%m/%Y" if self.settings.date_order == "DMY" else "%m/%d/%Y")
            forms += [f"{slashed}", f"{slashed} {clock}", f"{slashed} {clock[:5]}"]
            forms += [f"{slashed} {moment.strftime('%I:%M %p')}", f"{slashed} {moment.strftime('%I:%M:%S %p')}"]
        return rng.choice(forms)

    def mixed(self, word: str) -> str:
        forms = (word, word, word.upper(), word.title(), self.padded(word), self.padded(word.upper()))
        return self.rng.choice(forms)

    def some(self, values: tuple[str, ...] | list[str], blank: float = 0.3) -> str:
        return self.rng.choice(MISSING) if self.rng.random() < blank else self.rng.choice(values)

    def row(self, at: int) -> Row:
        rng = self.rng
        start = self.moment()
        ends = rng.random() < 0.6
        end = start + timedelta(minutes=rng.choice((-90, 0, 15, 60, 2880)), milliseconds=rng.choice((0, 0, 250)))
        end_text = rng.choice(("9999-12-31", self.time(end), self.time(end), self.time(end)))
        changed = start + timedelta(days=rng.randint(1, 60))
        kind = rng.choice([*oracle.TYPE_WORDS, "case", "case"])
        fields = {
            ID: self.new_id(),
            "comm_caseid": self.integer(rng.randint(1, 9999)) if rng.random() < 0.4 else rng.choice(MISSING),
            "comm_type": self.mixed(kind if rng.random() < 0.95 else rng.choice(UNKNOWN_TYPES)),
            "comm_action": self.some([self.mixed(word) for word in ACTIONS]),
            "comm_status": self.some([self.mixed(word) for word in STATUSES]),
            "comm_priority": self.some([self.mixed(word) for word in PRIORITIES]),
            "comm_datetime": self.time(start, fine=not ends),
            "comm_todatetime": end_text if ends else rng.choice(MISSING),
            "comm_note": self.some(NOTES),
            "comm_subject": self.some(SUBJECTS, blank=0.5),
            "comm_email_clean": self.some(ADDRESSES + NO_ADDRESSES, blank=0.5),
            "comm_createddate": self.time(start - timedelta(days=2), fine=True),
            "comm_updateddate": self.time(changed, fine=True) if rng.random() < 0.8 else rng.choice(MISSING),
            "comm_originaldatetime": self.time(rng.choice((start, changed))),
            "comm_originaltodatetime": self.some(["0001-01-01", "1753-01-01 00:00:00.000", "2019-05-05"]),
            "person_firstname": self.some(FIRST_NAMES),
            "person_lastname": self.some(LAST_NAMES),
            "person_emailaddress": self.some(ADDRESSES),
            "company_name": self.some(COMPANIES),
        }
        return Row(fields | self.references(at))

    def cover_the_mappings(self, base: list[Row]) -> None:
        """Gives the first rows every word of every mapping, in the type where it counts, and the edges."""
        plans: list[dict[str, str]] = [
            {"comm_type": word} for word in (*oracle.TYPE_WORDS, *UNKNOWN_TYPES, "case", "null", "nan")
        ]
        words = {
            "call": oracle.CALL_STATUS_WORDS,
            "email": oracle.EMAIL_STATUS_WORDS,
            "visit": oracle.MEETING_OUTCOME_WORDS,
            "todo": oracle.TASK_STATUS_WORDS,
        }
        for kind, statuses in words.items():
            plans += [{"comm_type": kind, "comm_status": word} for word in (*statuses, "unheard-of", "")]
        for kind in ("call", "e-mail"):
            plans += [{"comm_type": kind, "comm_action": word} for word in (*ACTIONS, "")]
        # What a CRM writes whose type says only the screen: the action decides, but for a type that a line names.
        kinds = (*oracle.OPEN_TYPES, "Besuch", "call", "case")
        for at, word in enumerate(oracle.ACTION_TYPE_WORDS):
            plans += [{"comm_type": kind, "comm_action": word} for kind in ("task", kinds[at % 7], kinds[(at + 3) % 7])]
        for priority in (*PRIORITIES, ""):
            plans += [{"comm_type": "task", "comm_priority": priority}]
            plans += [{"comm_type": "case", "comm_priority": priority, "comm_caseid": case} for case in ("7", "x", "")]
        plans = [{"comm_action": ""} | plan for plan in plans]
        self.words = len(plans)
        plans += [{"comm_type": kind, "comm_note": note} for note in NOTES for kind in ("note", "letter", "call")]
        nothing = {"comm_note": "", "comm_subject": ""}
        names = {"person_firstname": "", "person_lastname": "", "company_name": ""}
        for kind in ("call", "email", "visit", "note", "task", "sms", "letter"):
            plans += [{"comm_type": kind, **nothing, **names}, {"comm_type": kind, **nothing}]
            plans += [{"comm_type": kind, **nothing, **names, "company_name": " Sole Ltd "}]
            plans += [{"comm_type": kind, **nothing, **names, "person_lastname": " Sole\u00a0"}]
        plans += self.edges()
        assert len(plans) < len(base), f"{len(plans)} rows hold every word and edge; ask for more than {len(base)}"
        for row, plan in zip(base, plans, strict=False):
            row.fields |= {name: self.mixed(text) if name in MIXED else text for name, text in plan.items()}

    def edges(self) -> list[dict[str, str]]:
        settings = self.settings
        reference = settings.reference_local.strftime("%Y-%m-%d %H:%M:%S")
        last = (settings.range_end - timedelta(microseconds=1)).isoformat(sep=" ")
        no_end = {"comm_todatetime": "", "comm_status": ""}
        edges = [
            {"comm_datetime": settings.range_start.strftime("%Y-%m-%d"), "comm_todatetime": ""},
            {"comm_datetime": last, "comm_todatetime": ""},
            {"comm_type": "visit", "comm_datetime": reference, **no_end},
            {"comm_type": "visit", "comm_datetime": f"{reference}.000001", **no_end},
            {"comm_type": "task", "comm_datetime": "2020-01-01", "comm_todatetime": reference, "comm_status": ""},
            {"comm_type": "visit", "comm_datetime": "2019-03-01", "comm_todatetime": "2019-03-01 00:00"},
            {"comm_type": "visit", "comm_datetime": "2019-03-01 10:00", "comm_todatetime": "2019-03-01 09:59:59.999"},
        ]
        texts = ["x" * 65_536, "x" * 65_537, _tokens(150_000), "&" * 20_000, _tokens(40_000).replace(" ", "\n<\n")]
        html = _tokens(120_000).replace("0 ", "0</p>\n<p>")
        texts += [f"<p>{html}</p>", f"<div><b>{_tokens(70_000).replace('9 ', '9<br>')} &amp; more</b></div>"]
        kinds = ("note", "letter", "call", "email", "visit", "task", "sms")
        for at, text in enumerate(texts):
            # Each text as an e-mail, which has two bodies, and as two other types in turn.
            for kind in dict.fromkeys(("email", kinds[at % 7], kinds[(at + 2) % 7])):
                edges.append({"comm_type": kind, "comm_note": text, "comm_subject": ""})
        edges += [{"comm_datetime": moment.isoformat(), "comm_todatetime": ""} for moment in CLOCK_CHANGES]
        return edges

    # -- people and deletions ----------------------------------------------------------------------------

    def person(self) -> dict[str, str]:
        """The columns of somebody, seldom without a match."""
        rng = self.rng
        return {
            "person_id": self.integer(rng.choice((500_002, 900_001)) if rng.random() < 0.02 else rng.randint(1, 200)),
            "person_firstname": self.some(FIRST_NAMES),
            "person_lastname": self.some(LAST_NAMES),
            "person_emailaddress": self.some(ADDRESSES),
            "company_id": self.integer(rng.randint(1, 80)) if rng.random() < 0.5 else rng.choice(MISSING),
            "company_name": self.some(COMPANIES),
        }

    def attended(self, row: Row) -> list[Row]:
        """Further rows of a communication: other people, the same person of another company, somebody once more."""
        further = [Row(row.fields | self.person()) for _ in range(self.rng.choice((1, 1, 2, 4)))]
        if self.rng.random() < 0.2:
            further.append(Row(dict(self.rng.choice([row, *further]).fields)))
        if self.rng.random() < 0.2:
            further.append(Row(row.fields | {"company_id": "17", "company_name": "Seventeen"}))
        return further

    def people(self, base: list[Row]) -> list[Row]:
        """Some of the words too: each type has communications with several people."""
        chosen = self.rng.sample(base, len(base) // 12)
        self.attendances = {row.fields[ID]: (row, self.attended(row)) for row in chosen}
        return [row for _, further in self.attendances.values() for row in further]

    def other_people(self, base: list[Row]) -> list[Row]:
        """The same communications with the same people in another order, with fewer, with more, with one alone."""
        known = [*self.attendances.values()]
        rows: list[Row] = []
        for at, (first, further) in enumerate(self.rng.sample(known, len(known) // 2)):
            again = [Row(dict(row.fields)) for row in (first, *further)]
            again = [again, again[:-1], [*again, Row(first.fields | self.person())], again[-1:]][at % 4]
            newer = {"comm_updateddate": "2031-03-01"} if at % 3 else {}
            rows += [Row(row.fields | newer) for row in again]
        return rows

    def deleted(self, base: list[Row]) -> list[Row]:
        """Rows that the source deleted: newer, older, undated; beside one that is not; new ones; and unreadable flags."""
        rows: list[Row] = []
        flags = ("1", "true", " Yes ", "-1", "T", "1.0")
        for at, row in enumerate(self.rng.sample(base[self.words :], max(len(base) // 30, 12))):
            gone = self.version(row, ("newer", "older", "same date", "undated")[at % 4])
            gone.fields["comm_deleted"] = self.rng.choice(flags)
            rows.append(gone)
            if at % 3 == 0:
                rows.append(self.version(row, self.rng.choice(("newer", "older", "same date"))))
        for flag in (*flags, "0", "False", "n", "NULL", "perhaps", "2019-03-01"):
            new = self.row(1)
            new.fields["comm_deleted"] = flag
            rows.append(new)
        return rows

    # -- faults and corrections --------------------------------------------------------------------------

    def faulty(self) -> list[Row]:
        """Rows with something wrong, each fault at least once."""
        rng, settings = self.rng, self.settings
        plans: list[dict[str, str]] = [{name: text} for name in REQUIRED for text in ("", "NULL", "NaN", " \t")]
        plans += [{ID: text} for text in BAD_INTEGERS]
        plans += [{"comm_datetime": text} for text in BAD_TIMES]
        plans += [{"comm_createddate": text} for text in BAD_TIMES[:4]]
        if settings.date_order == "YMD":
            plans += [{"comm_datetime": "28/02/2019"}, {"comm_todatetime": "02/28/2019 10:00"}]
        before = (settings.range_start - timedelta(microseconds=1)).isoformat()
        after = settings.range_end.strftime("%Y-%m-%d")
        late = (settings.range_end - timedelta(days=1)).strftime("%Y-%m-%d 23:59:59.9999999")
        for text in (before, after, late, "1999-12-31 23:59:59", "9999-12-31"):
            plans.append({"comm_datetime": text})
        plans += [{"comm_datetime": f"{settings.range_start:%Y-%m-%d}T00:30:00{offset}"} for offset in OFFSETS]
        plans += [{"comm_type": text} for text in NEARLY_MISSING]
        plans += [{"comm_type": "", "comm_datetime": "soon"}, {"comm_createddate": "soon", ID: "x"}]
        optional = [name for name in (*oracle.INTEGERS, *oracle.TIMESTAMPS) if name not in REQUIRED]
        for name in optional:
            bad = BAD_INTEGERS if name in oracle.INTEGERS else BAD_TIMES
            plans += [{name: text} for text in rng.sample(bad, 4)]
        plans += [{name: text} for name in optional if name in oracle.TIMESTAMPS for text in NULL_DATES]
        plans += [{name: text} for name in optional if name in oracle.INTEGERS for text in ("0", "0.0", "-0", "\u200b")]
        plans += [{name: f"{sign}{text}{sign}"} for name, text in CODES.items() for sign in UNSEEN]
        plans += [{name: sign} for name in (*CODES, "comm_updateddate") for sign in UNSEEN]
        plans += [{"comm_note": "a\0b"}, {ID: "12\0"}, {"comm_type": "\0"}]
        rows = []
        for plan in plans:
            row = self.row(1)
            row.fields |= {"person_id": "3", "company_id": "4", "comm_opportunityid": "5"} | plan
            rows.append(row)
        for shape in (-1, -2, -5, -12, 1, 3):
            rows += [replace(self.row(1), shape=shape) for _ in range(3)]
        rows += [replace(self.row(1), mark=mark) for mark in ('\\"', '" ', '"x', '"\r') for _ in range(3)]
        rows += [Row({}, verbatim=text) for text in ("", " ", "\t", "\u00a0 \t", "\0", "lonely", '"  "')]
        return rows

    def repeats(self, base: list[Row]) -> list[Row]:
        """Second and third versions of ids within one drop."""
        return [
            self.version(row, self.rng.choice(("newer", "older", "same date", "undated", "bad date", "identical")))
            for row in self.rng.sample(base[self.words :], len(base) // 25)
            for _ in range(self.rng.choice((1, 1, 2)))
        ]

    def corrections(self, base: list[Row]) -> list[Row]:
        kinds = (
            "newer",
            "newer type",
            "newer month",
            "older",
            "identical",
            "same date",
            "undated",
            "bad date",
            "out of range",
            "unreadable",
        )
        chosen = self.rng.sample(base[self.words :], len(base) // 5)
        rows = [self.version(row, kinds[at % len(kinds)]) for at, row in enumerate(chosen)]
        # Losers beside a winner that may itself be stale.
        rows += [self.version(row, self.rng.choice(("older", "same date"))) for row in chosen[:: len(kinds) - 1]]
        # A reference without a match moves to a month that is brought up to date by a later run than the one it leaves.
        far = self.version(base[-1], "newer")
        far.fields |= {"comm_datetime": "2020-02-10", "comm_updateddate": "2033-01-01"}
        return [*rows, far]

    def version(self, row: Row, kind: str) -> Row:
        fields = dict(row.fields)
        if kind != "identical":
            fields["comm_note"] = self.some(NOTES)
            fields["comm_status"] = self.some(STATUSES)
        else:
            value = oracle.read_integer(fields[ID])
            fields[ID] = self.integer(value)
        if kind.startswith("newer"):
            fields["comm_updateddate"] = f"2031-01-{self.rng.randint(1, 28):02d} 10:00:00.5"
        elif kind == "older":
            fields["comm_updateddate"] = "2001-01-01T00:00:00Z"
        elif kind == "undated":
            fields["comm_updateddate"] = self.rng.choice(MISSING)
        elif kind == "bad date":
            fields["comm_updateddate"] = "yesterday"
        if kind == "newer type":
            fields["comm_type"] = self.mixed(self.rng.choice(list(oracle.TYPE_WORDS)))
        elif kind == "newer month":
            fields["comm_datetime"] = self.time(self.moment())
        elif kind == "out of range":
            fields |= {"comm_datetime": "1970-01-01", "comm_updateddate": "2032-01-01"}
        elif kind == "unreadable":
            fields |= {"comm_originaldatetime": "soon", "comm_caseid": "1e3", "comm_updateddate": "2031-02-01"}
        return Row(fields)

    # -- files -------------------------------------------------------------------------------------------

    def drop(self, stem: str, data: bytes, form: Format) -> Drop:
        return Drop(f"{stem}.csv.gz" if form.compressed else f"{stem}.csv", data)

    def write(self, rows: list[Row], form: Format) -> bytes:
        rng = self.rng
        columns = [name for name in COLUMNS if name not in form.absent] + list(form.extra)
        columns += ["comm_deleted"] if form.has_deleted else []
        rng.shuffle(columns)
        lines = [form.opening + form.delimiter.join(self.cell(self.header_name(name), form) for name in columns)]
        for row in rows:
            if row.verbatim is not None:
                lines.append(row.verbatim)
                continue
            texts = [row.fields.get(name, "" if name == "comm_deleted" else "extra") for name in columns]
            texts = texts[: row.shape] if row.shape < 0 else texts + ["surplus"] * row.shape
            cells = [self.cell(text, form) for text in texts]
            if row.mark:
                cells[columns.index("comm_subject")] = f'"before{row.mark}after"'
            lines.append(form.delimiter.join(cells))
        text = form.newline.join(lines) + (form.newline if form.final_newline else "")
        if form.encoding == "cp1252":
            # Spaces that it lacks would become question marks and few values would be readable.
            text = re.sub(r"[^\S\x00-\x7f]", "\u00a0", text)
            text = re.sub("[\u200b\u2060\ufeff]", "\x07", text)
        boms = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
        data = boms.get(form.encoding, b"") + text.encode(form.encoding, errors="replace")
        # Two members, as `cat a.gz b.gz` makes them.
        middle = len(data) // 2
        packed = (gzip.compress(part, mtime=0) for part in (data[:middle], data[middle:]))
        return b"".join(packed) if form.compressed else data

    def header_name(self, name: str) -> str:
        written = HEADER_NAMES.get(name, name)
        return self.rng.choice((written, written, written.lower(), written.upper(), f" {written} "))

    def cell(self, text: str, form: Format) -> str:
        """``text`` in quotes, or without them where it can do without."""
        # A CR at the end of a field may meet the LF of the line.
        bare = not (text.startswith('"') or text.endswith("\r") or form.delimiter in text or "\n" in text)
        if bare and self.rng.random() < 0.78:
            return text
        return '"' + text.replace('"', '""') + '"'


CODES = {"comm_type": "Call", "comm_action": "out", "comm_status": "Completed", "comm_priority": "high"}
MIXED = ("comm_type", "comm_status", "comm_action", "comm_priority")
ACTIONS = tuple(
    dict.fromkeys((*oracle.INBOUND_WORDS, *oracle.OUTBOUND_WORDS, *oracle.ACTION_TYPE_WORDS, "transferred"))
)
STATUSES = tuple(
    sorted(
        {
            *oracle.CALL_STATUS_WORDS,
            *oracle.EMAIL_STATUS_WORDS,
            *oracle.MEETING_OUTCOME_WORDS,
            *oracle.TASK_STATUS_WORDS,
            "unheard-of",
        }
    )
)
PRIORITIES = (*oracle.TASK_PRIORITY_WORDS, "whatever")


def _tokens(length: int) -> str:
    """About ``length`` characters in which every word is another, so that a lost or doubled one shows."""
    return " ".join(f"w{number:06d}" for number in range(length // 8))
