"""A second reading of the data contract, in plain Python, that shares no line with the implementation.

``Oracle`` takes the reconciliation files and the drops as bytes, in order, and holds what the staging tables
must then hold: accounting, rejects, warnings, master, derivatives, payloads. It prefers being obviously right
to being fast, and must never import from ``ic_assets``: it is worth something only while it is independent.
"""

# Legacy timestamps have no zone.
# ruff: noqa: DTZ001

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from striprtf.striprtf import rtf_to_text

ID = "comm_communicationid"
INTEGERS = (ID, "comm_opportunityid", "comm_caseid", "person_id", "company_id")
TIMESTAMPS = (
    "comm_datetime",
    "comm_todatetime",
    "comm_createddate",
    "comm_updateddate",
    "comm_originaldatetime",
    "comm_originaltodatetime",
)
COLUMNS = (
    ID,
    "comm_opportunityid",
    "comm_caseid",
    "comm_type",
    "comm_action",
    "comm_status",
    "comm_priority",
    "comm_datetime",
    "comm_todatetime",
    "comm_note",
    "comm_subject",
    "comm_email_clean",
    "comm_createddate",
    "comm_updateddate",
    "comm_originaldatetime",
    "comm_originaltodatetime",
    "person_id",
    "person_firstname",
    "person_lastname",
    "person_emailaddress",
    "company_id",
    "company_name",
)
REQUIRED = (ID, "comm_type", "comm_datetime", "comm_createddate")
PEOPLE = ("person_id", "person_firstname", "person_lastname", "person_emailaddress", "company_id", "company_name")
DELETED = "comm_deleted"
FREE_TEXTS = (
    "comm_note",
    "comm_subject",
    "comm_email_clean",
    "person_firstname",
    "person_lastname",
    "person_emailaddress",
    "company_name",
)
MAX_RECORD_BYTES = 16 * 1024 * 1024
BODY_LIMIT = 65_536


def _words(table: dict[str, str]) -> dict[str, str]:
    """{result: "a, b"} turned over to {"a": result, "b": result}."""
    return {word.strip(): result for result, words in table.items() for word in words.split(",")}


TYPE_WORDS = _words(
    {
        "calls": "call, phone, voip, zoom, telephone, phonecall",
        "emails": "email, e-mail",
        "meetings": "meeting, appointment, visit, demo, presentation",
        "notes": "note, comment, annotation, memo",
        "tasks": "task, todo, to-do, follow-up, followup, action",
        "communications": "sms, text, linkedin, whatsapp, wa, message",
        "postal_mail": "postal, letter",
    }
)
# What an action makes of a type that says only on which screen the record was made, or that no line names.
ACTION_TYPE_WORDS = _words(
    {
        "calls": "phone, phonein, phoneout",
        "emails": "email, emailin, emailout",
        "meetings": "meeting, demo",
        "notes": "fax, faxin, faxout, vacation",
        "tasks": "todo, to-do",
        "communications": "sms, smsin, smsout",
        "postal_mail": "letter, letterin, letterout",
    }
)
OPEN_TYPES = ("task", "appointment", "email", "letter")
CHANNEL_WORDS = _words({"SMS": "sms, text, message", "LINKEDIN_MESSAGE": "linkedin", "WHATS_APP": "whatsapp, wa"})
INBOUND_WORDS = ("inbound", "incoming", "received", "in", "phonein", "emailin", "letterin", "smsin", "faxin")
OUTBOUND_WORDS = ("outbound", "outgoing", "sent", "out", "phoneout", "emailout", "letterout", "smsout", "faxout")
CASE_TASK_PRIORITIES = ("high", "urgent", "critical")
CALL_STATUS_WORDS = _words(
    {
        "COMPLETED": "completed, done, finished, successful, left message, wrong number, complete",
        "NO_ANSWER": "missed, no answer, noanswer, unanswered, voicemail, left voicemail",
        "BUSY": "busy",
        "CANCELED": "cancelled, canceled",
        "FAILED": "failed, error",
        "IN_PROGRESS": "in progress, ongoing, active",
        "RINGING": "ringing, calling",
        "QUEUED": "pending, scheduled, planned",
    }
)
EMAIL_STATUS_WORDS = _words(
    {
        "SENT": "sent, delivered, completed, successful, complete",
        "BOUNCED": "bounced",
        "FAILED": "failed, error",
        "SCHEDULED": "scheduled, pending",
        "SENDING": "sending, in progress, inprogress",
    }
)
MEETING_OUTCOME_WORDS = _words(
    {
        "SCHEDULED": "scheduled, planned, upcoming, pending, in progress, inprogress",
        "COMPLETED": "completed, done, finished, attended, complete",
        "CANCELED": "cancelled, canceled",
        "NO_SHOW": "no show, noshow, missed",
        "RESCHEDULED": "rescheduled, postponed",
    }
)
TASK_STATUS_WORDS = _words(
    {
        "COMPLETED": "completed, done, finished, closed, complete",
        "IN_PROGRESS": "in progress, ongoing, active, started, inprogress",
        "WAITING": "waiting, on hold, blocked",
        "DEFERRED": "deferred, postponed, cancelled, canceled",
        "NOT_STARTED": "pending, not started",
    }
)
TASK_PRIORITY_WORDS = _words({"HIGH": "high, urgent, critical, 1", "MEDIUM": "medium, normal, 2", "LOW": "low, 3"})

# activity type -> (contact, company, deal) association type ids, HubSpot's own.
ASSOCIATION_TYPES = {
    "calls": (194, 182, 206),
    "emails": (198, 186, 210),
    "meetings": (200, 188, 212),
    "notes": (202, 190, 214),
    "tasks": (204, 192, 216),
    "communications": (81, 87, 85),
    "postal_mail": (453, 459, 457),
}
# Status of a call -> the outcome of that name in every portal.
DISPOSITIONS = _words(
    {
        "f240bbac-87c9-4f6e-bf70-924b57d47db7": "completed, complete, done, finished, successful",
        "73a0d17f-1163-4015-bdd5-ec830791da20": "missed, no answer, noanswer, unanswered",
        "9d9162e7-6cf3-4944-bf63-4dff82258764": "busy",
        "b2cf5968-551e-4856-9783-52b3da59a7d0": "voicemail, left voicemail",
        "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "left message",
        "17b47fee-58de-441e-a44c-c6300d46f273": "wrong number",
    }
)
TAG = re.compile(
    r"</?(?:a|b|blockquote|body|br|code|div|em|font|h[1-6]|hr|html|i|img|li|ol|p|pre|script|span|strong|"
    r"style|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OracleSettings:
    """The settings that change what is read; ``today`` stands for the clock that ends the partition range."""

    timezone: str = "UTC"
    date_order: str = "YMD"
    encoding: str | None = None
    keep_zero_ids: bool = False
    own_email: str | None = None
    task_due: str = "end"
    reference_time: datetime = datetime(2024, 1, 15, 12, 0, tzinfo=UTC)
    partitions_start: date = date(2000, 1, 1)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def reference_local(self) -> datetime:
        return self.reference_time.astimezone(self.zone).replace(tzinfo=None)

    @property
    def range_start(self) -> datetime:
        return datetime(self.partitions_start.year, self.partitions_start.month, 1)

    @property
    def range_end(self) -> datetime:
        """The first moment after the range: 24 months past the current one are included."""
        return datetime(self.today.year + 2 + self.today.month // 12, self.today.month % 12 + 1, 1)


class DropRefusedError(Exception):
    """The drop as a whole is refused."""


# --- values -------------------------------------------------------------------------------------

INTEGER = re.compile(r"[+-]?[0-9]+(?:\.0)?")
ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?( ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)| UTC| GMT)?)?"
)
SLASHED = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ?([AaPp][Mm]))?( UTC| GMT)?)?"
)
UNSEEN = "\u200b\u2060\ufeff" + "".join(chr(code) for code in range(1, 32) if chr(code) not in "\t\r\n")
NULL_DATES_BEFORE = date(1900, 1, 2)
NULL_DATE = date(9999, 12, 31)


def is_missing(raw: str) -> bool:
    return raw.strip() == "" or raw in ("NULL", "NaN")


def seen(raw: str) -> str:
    """A code, an id or a date without what nobody sees."""
    return "".join(character for character in raw if character not in UNSEEN)


def read_integer(raw: str) -> int:
    """A bigint. Raises ValueError for anything but the forms that the contract lists."""
    text = seen(raw).strip()
    if not INTEGER.fullmatch(text):
        raise ValueError(raw)
    value = int(text.split(".")[0])
    if not -(2**63) <= value < 2**63:
        raise ValueError(raw)
    return value


class NullDateError(Exception):
    """A date that stands for none."""


def read_timestamp(raw: str, settings: OracleSettings) -> datetime:
    """A naive timestamp in the source time zone. Raises ValueError for anything but the listed forms."""
    return _moment(raw, settings)[1]


def read_optional_timestamp(raw: str, settings: OracleSettings) -> datetime:
    """The same. Raises NullDateError for a date that stands for none, as it is written or as it is read."""
    try:
        written, moment = _moment(raw, settings)
    except OverflowError:  # the end of the last day is no moment any more, and the first day may begin before time
        raise NullDateError(raw) from None
    if any(day < NULL_DATES_BEFORE or day == NULL_DATE for day in (written.date(), moment.date())):
        raise NullDateError(raw)
    return moment


def _moment(raw: str, settings: OracleSettings) -> tuple[datetime, datetime]:
    """The clock as it is written, and in the source time zone."""
    text = seen(raw)
    for space in "\u00a0\u202f\u2009\u200a":
        text = text.replace(space, " ")
    text = text.strip()
    if match := ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        clock = (int(hour or 0), int(minute or 0), int(second or 0))
    elif (match := SLASHED.fullmatch(text)) and settings.date_order in ("DMY", "MDY"):
        first, other, year, hour, minute, second, half, offset = match.groups()
        day, month = (first, other) if settings.date_order == "DMY" else (other, first)
        fraction, clock = None, (int(hour or 0), int(minute or 0), int(second or 0))
        if half:
            if not 1 <= clock[0] <= 12:
                raise ValueError(raw)
            clock = (clock[0] % 12 + (12 if half.upper() == "PM" else 0), *clock[1:])
    else:
        raise ValueError(raw)
    tomorrow = clock == (24, 0, 0) and not int(fraction or 0)
    written = datetime(int(year), int(month), int(day), *((0, 0, 0) if tomorrow else clock))
    moment = written + timedelta(days=tomorrow)
    if fraction:
        scale = 10 ** len(fraction)
        moment += timedelta(microseconds=(int(fraction) * 1_000_000 * 2 + scale) // (2 * scale))
    if offset is None:
        return written, moment
    shift = timedelta(0)
    if (zone := offset.strip()) not in ("Z", "UTC", "GMT"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        if int(digits[2:]) > 59:
            raise ValueError(offset)
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    aware = moment.replace(tzinfo=timezone(shift))
    return written, aware.astimezone(settings.zone).replace(tzinfo=None)


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """``local AT TIME ZONE zone``: of two readings PostgreSQL takes the one with the smaller offset.

    That is standard time where the clocks repeat an hour, and a step forward where they skip one.
    """
    offsets = [local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    return (local - min(offset for offset in offsets if offset is not None)).replace(tzinfo=UTC)


# --- files --------------------------------------------------------------------------------------


def decode(data: bytes, settings: OracleSettings | None = None) -> str:
    """The text of a drop without its BOM and padding; halves of surrogate pairs stay. Raises DropRefusedError for damaged
    UTF-8."""
    return _decoded(data, settings or OracleSettings()).rstrip("\x1a\0")


def _decoded(data: bytes, settings: OracleSettings) -> str:
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(codec, "surrogatepass")
    if settings.encoding and not data.startswith(b"\xef\xbb\xbf"):
        return data.decode(settings.encoding)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:  # characters as two surrogates each
            text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogatepass")
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        except UnicodeDecodeError:
            pass
        non_ascii = sum(byte >= 0x80 for byte in data)
        kept = data.decode("utf-8", errors="ignore")
        well_formed = len(kept.encode()) - sum(character < "\x80" for character in kept)
        if data.startswith(b"\xef\xbb\xbf") or well_formed * 2 > non_ascii:
            raise DropRefusedError(f"damaged UTF-8 at byte {error.start}") from error
        try:
            return data.decode("cp1252")
        except UnicodeDecodeError as error:
            raise DropRefusedError(f"byte {error.start} is no character of Windows-1252") from error


@dataclass(frozen=True)
class Record:
    line: int
    raw: str
    fields: list[str]
    fault: str | None = None
    """too_large or bad_quote."""


def records(text: str, delimiter: str) -> Iterator[Record]:
    """The records of a CSV text, each with the physical line on which it starts, without blank lines.

    Python's csv reading, character by character: a quote opens a field only at its start, what follows a closing
    quote belongs to the field. Lines end with LF or CRLF, hence a CR by itself is data, where csv gives up.
    """
    fields: list[str] = []
    field: list[str] = []
    state, line, start, opened, begin, bad = "start", 1, 1, 1, 0, False
    for at, character in enumerate(text):
        if state == "quoted":
            if character == '"':
                state = "closing"
            else:
                field.append(character)
                line += character == "\n"
        elif character == '"' and state == "closing":
            field.append(character)
            state = "quoted"
        elif character == '"' and state == "start":
            state, opened = "quoted", line
        elif character == delimiter:
            fields.append("".join(field))
            field, state = [], "start"
        elif character == "\n":
            if text[begin:at].strip():
                yield _record(start, text[begin : at + 1], [*fields, "".join(field)], bad)
            line += 1
            fields, field, state, start, begin, bad = [], [], "start", line, at + 1, False
        elif character != "\r" or text[at + 1 : at + 2] not in ("\n", ""):
            field.append(character)
            bad = bad or state == "closing"
            state = "plain"
    if state == "quoted":
        raise DropRefusedError(f"line {opened}: a quote that never closes")
    if text[begin:].strip():
        yield _record(start, text[begin:], [*fields, "".join(field)], bad)


def _record(line: int, raw: str, fields: list[str], bad: bool) -> Record:
    too_large = len(raw.encode("utf-8", "surrogatepass")) > MAX_RECORD_BYTES
    fault = "too_large" if too_large else "bad_quote" if bad else None
    return Record(line, raw.removesuffix("\n").removesuffix("\r"), fields, fault)


def delimiter_of(text: str) -> str:
    """The one of comma, semicolon and tab under which the header holds most of the known names."""

    def known(delimiter: str) -> int:
        try:
            header = next(records(text, delimiter), None)
        except DropRefusedError:
            return 0
        return sum(name.strip().lower() in COLUMNS for name in header.fields) if header else 0

    return max(",;\t", key=known)


# --- outcomes -----------------------------------------------------------------------------------


@dataclass
class Rejected:
    line: int
    reason: str
    columns: tuple[str, ...]
    id: int | None
    raw: str


@dataclass
class Warned:
    line: int
    column: str
    raw_value: str
    id: int
    reason: str = "unreadable"


@dataclass
class DropOutcome:
    """What one drop did. ``already_loaded`` drops count nothing."""

    key: str
    file_name: str
    already_loaded: bool = False
    rows_in: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    joined: int = 0
    taken_out: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    months: set[str] = field(default_factory=set)
    written: set[int] = field(default_factory=set)
    """Lines of the rows that were inserted or updated, those of their further people included."""

    def accounting(self) -> dict[str, Any]:
        """The counts and months as ``load --json`` prints them for this drop."""
        return {
            "rows_in": self.rows_in,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "joined": self.joined,
            "taken_out": self.taken_out,
            "rejected": len(self.rejected),
            "rejected_by_reason": dict(Counter(row.reason for row in self.rejected)),
            "months": sorted(self.months),
        }


@dataclass
class MasterRow:
    values: dict[str, Any]
    drop_key: str
    line: int
    people: list[dict[str, Any]] = field(default_factory=list)
    """The person and company columns of each beyond the first, in the order of the file."""


@dataclass
class _Candidate:
    line: int
    raw: str
    values: dict[str, Any]
    warnings: list[Warned]
    is_deleted: bool = False

    @property
    def bad_update(self) -> bool:
        """Whether its date of change is there and cannot be read."""
        return any(w.column == "comm_updateddate" and w.reason == "unreadable" for w in self.warnings)


class Text(str):
    """A plain-text body as HTML: escaped, ``<br>`` for line breaks. Compared exactly but for quote entities."""


class Html(str):
    """A body that was HTML already: compared by what a reader sees, since sanitizers differ in details."""


class Plain(str):
    """A body as it was written, for a property that takes plain text."""


class Oracle:
    """The state of staging after the files given so far."""

    def __init__(self, settings: OracleSettings) -> None:
        self.settings = settings
        self.matches: dict[str, dict[int, int | None]] = {"contacts": {}, "companies": {}, "deals": {}}
        self.master: dict[int, MasterRow] = {}
        self.outcomes: list[DropOutcome] = []
        self.deleted: dict[int, datetime | None] = {}
        """What the source deleted and no drop brought back, with the date of that."""
        self._seen: set[str] = set()

    # -- intake -----------------------------------------------------------------------------------

    def reconcile(self, entity: str, data: bytes) -> None:
        """``data`` is UTF-8 CSV with legacy_id, hubspot_id; a file replaces what it names."""
        for row in csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")):
            hubspot_id = row["hubspot_id"].strip()
            self.matches[entity][int(row["legacy_id"])] = int(hubspot_id) if hubspot_id else None

    def load(self, name: str, data: bytes) -> DropOutcome:
        """Lands one drop. Raises DropRefusedError, leaving the state as it was."""
        content = gzip.decompress(data) if name.lower().endswith(".gz") else data
        digest = hashlib.sha256(content).hexdigest()
        outcome = DropOutcome(f"{name}@{digest[:8]}", name)
        if digest in self._seen:
            outcome.already_loaded = True
            self.outcomes.append(outcome)
            return outcome
        header, rows = self._read(content)
        outcome.rows_in = len(rows)
        candidates: dict[int, list[_Candidate]] = {}
        for record in rows:
            result = self._interpret(record, header)
            if isinstance(result, Rejected):
                outcome.rejected.append(result)
            else:
                candidates.setdefault(result.values[ID], []).append(result)
        has_updated = "comm_updateddate" in header
        for versions in candidates.values():
            self._settle(versions, has_updated, outcome)
        self._seen.add(digest)
        self.outcomes.append(outcome)
        return outcome

    def _read(self, content: bytes) -> tuple[list[str], list[Record]]:
        text = decode(content, self.settings)
        delimiter = delimiter_of(text)
        found = list(records(text, delimiter))
        if not found:
            raise DropRefusedError("the file is empty")
        header = [name.strip().lower() for name in found[0].fields]
        absent = [name for name in REQUIRED if name not in header]
        if absent:
            raise DropRefusedError(f"required columns are missing: {', '.join(absent)}")
        return header, found[1:]

    def _interpret(self, record: Record, header: list[str]) -> _Candidate | Rejected:
        shown = record.raw.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
        fault = self._fault(record, header)
        if fault:
            return Rejected(record.line, fault, (), self._id_of(record, header), shown)
        # What lacks its last fields has them empty.
        record.fields.extend([""] * (len(header) - len(record.fields)))
        raw = {name: text for name, text in zip(header, record.fields, strict=True) if name in COLUMNS}
        flag = dict(zip(header, record.fields, strict=True)).get(DELETED, "")
        raw_texts, raw = raw, {name: text if name in FREE_TEXTS else seen(text) for name, text in raw.items()}
        absent = tuple(name for name in REQUIRED if is_missing(raw[name]))
        if absent:
            return Rejected(record.line, "missing_required", absent, self._id_of(record, header), shown)
        values, unreadable = self._values(raw)
        bad = tuple(name for name in REQUIRED if name in unreadable)
        if bad:
            return Rejected(record.line, "unreadable_required", bad, values[ID], shown)
        if not self.settings.range_start <= values["comm_datetime"] < self.settings.range_end:
            return Rejected(record.line, "out_of_range", ("comm_datetime",), values[ID], shown)
        warnings = [
            Warned(record.line, name, raw_texts[name], values[ID], reason) for name, reason in unreadable.items()
        ]
        is_deleted = read_flag(flag)
        if is_deleted is None:
            warnings.append(Warned(record.line, DELETED, flag, values[ID]))
        return _Candidate(record.line, shown, values, warnings, bool(is_deleted))

    def _fault(self, record: Record, header: list[str]) -> str | None:
        """What is wrong with a record as a whole, the first that applies."""
        if "\0" in record.raw:
            return "nul_byte"
        if any("\ud800" <= character <= "\udfff" for character in record.raw):
            return "damaged_text"
        if record.fault:
            return record.fault
        lacking = header[len(record.fields) :]
        return "field_count" if len(record.fields) > len(header) or set(lacking) & set(REQUIRED) else None

    def _id_of(self, record: Record, header: list[str]) -> int | None:
        at = header.index(ID)
        try:
            return read_integer(record.fields[at])
        except (ValueError, IndexError):
            return None

    def _values(self, raw: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The values, and why those that are there and could not be read were not."""
        values: dict[str, Any] = {}
        unreadable = {}
        for name, text in raw.items():
            values[name] = None
            if is_missing(text):
                continue
            try:
                if name in INTEGERS:
                    number = read_integer(text)
                    is_none = number == 0 and name not in REQUIRED and not self.settings.keep_zero_ids
                    values[name] = None if is_none else number
                elif name in TIMESTAMPS:
                    read = read_timestamp if name in REQUIRED else read_optional_timestamp
                    values[name] = read(text, self.settings)
                else:
                    values[name] = text
            except NullDateError:
                unreadable[name] = "null_date"
            except (ValueError, OverflowError):
                unreadable[name] = "unreadable"
        return values, unreadable

    def _settle(self, versions: list[_Candidate], has_updated: bool, outcome: DropOutcome) -> None:
        """The fate of every version of one id in a drop."""

        def place(version: _Candidate) -> tuple[datetime, int]:
            return _age(version.values), version.line

        comm_id = versions[0].values[ID]
        alive = [version for version in versions if not version.is_deleted]
        outcome.rejected += [
            Rejected(version.line, "deleted_in_source", (), comm_id, version.raw)
            for version in versions
            if version.is_deleted
        ]
        newest = max(versions, key=place)
        people = _people(alive)
        winner, others = newest, [version for version in alive if version is not newest]
        if not newest.is_deleted and len(people) > 1:
            winner, others = min(alive, key=lambda version: version.line), []
        outcome.rejected += [
            Rejected(version.line, "superseded_in_drop", (), comm_id, version.raw) for version in others
        ]
        if newest.is_deleted:
            self._delete(comm_id, newest, outcome)
            return
        together = alive if len(people) > 1 else [winner]
        held = self.master.get(comm_id)
        undecided = any(version.bad_update for version in others) or (held and held.values["comm_updateddate"])
        if winner.bad_update and undecided:
            outcome.rejected += [
                Rejected(version.line, "unreadable_update", (), comm_id, version.raw) for version in together
            ]
            return
        if has_updated and self._is_stale(comm_id, winner):
            outcome.rejected += [Rejected(version.line, "stale", (), comm_id, version.raw) for version in together]
            return
        outcome.joined += len(together) - 1
        if self._write(comm_id, winner, people, outcome):
            outcome.warnings += [warning for version in together for warning in version.warnings]
            outcome.written |= {version.line for version in together}

    def _is_stale(self, comm_id: int, winner: _Candidate) -> bool:
        """Older than what stands, or than what the source deleted."""
        if comm_id in self.master:
            return _age(winner.values) < _age(self.master[comm_id].values)
        gone = self.deleted.get(comm_id)
        return gone is not None and _age(winner.values) < gone

    def _delete(self, comm_id: int, deletion: _Candidate, outcome: DropOutcome) -> None:
        """Ends what stands, unless the deletion is known to be older."""
        date_of = deletion.values.get("comm_updateddate")
        held = self.master.get(comm_id)
        known = held.values["comm_updateddate"] if held else self.deleted.get(comm_id)
        if date_of is not None and known is not None and date_of < known:
            return
        if held:
            del self.master[comm_id]
            outcome.taken_out += 1
            outcome.months.add(month_key(held.values["comm_datetime"]))
        self.deleted[comm_id] = date_of

    def _write(self, comm_id: int, winner: _Candidate, people: list[dict[str, Any]], outcome: DropOutcome) -> bool:
        """Whether the version was written: it is new, or differs from what stands."""
        values: dict[str, Any] = dict.fromkeys(COLUMNS) | winner.values
        further = [dict.fromkeys(PEOPLE) | each for each in people[1:]]
        held = self.master.get(comm_id)
        if held is None:
            outcome.inserted += 1
            self.deleted.pop(comm_id, None)
        else:
            old = [{name: held.values[name] for name in PEOPLE}, *held.people]
            values = held.values | winner.values
            if not any(name in winner.values for name in PEOPLE):
                further = held.people
            elif further or held.people:
                # An absent column keeps what the same person and company had.
                given = [{name: winner.values[name] for name in PEOPLE if name in winner.values}, *people[1:]]
                filled = [_same(each, old) | each for each in given]
                values |= filled[0]
                further = [dict.fromkeys(PEOPLE) | each for each in filled[1:]]
            new = [{name: values[name] for name in PEOPLE}, *further]
            rest = {name: value for name, value in values.items() if name not in PEOPLE}
            if all(held.values[name] == value for name, value in rest.items()) and _unordered(new) == _unordered(old):
                outcome.unchanged += 1
                return False
            outcome.updated += 1
            outcome.months.add(month_key(held.values["comm_datetime"]))
        outcome.months.add(month_key(values["comm_datetime"]))
        self.master[comm_id] = MasterRow(values, outcome.key, winner.line, further)
        return True

    # -- master -----------------------------------------------------------------------------------

    def activity_type(self, values: dict[str, Any]) -> str:
        word, action = _word(values["comm_type"]), _word(values.get("comm_action"))
        if word == "case":
            urgent = _word(values["comm_priority"]) in CASE_TASK_PRIORITIES
            return "tasks" if urgent and values["comm_caseid"] is not None else "notes"
        by_action = ACTION_TYPE_WORDS.get(action)
        if by_action and (word in OPEN_TYPES or word not in TYPE_WORDS):
            return by_action
        return TYPE_WORDS.get(word, "notes")

    def references(self, values: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
        """HubSpot ids of contact, company and deal."""
        legacy = (values["person_id"], values["company_id"], values["comm_opportunityid"])
        contact, company, deal = (
            self.matches[entity].get(key) if key is not None else None
            for entity, key in zip(self.matches, legacy, strict=True)
        )
        return contact, company, deal

    def further(self, comm_id: int) -> list[dict[str, Any]]:
        """The expected columns of the people and companies beyond the first."""
        return [
            {
                "position": position,
                **person,
                "hubspot_contact_id": self.matches["contacts"].get(person["person_id"]),
                "hubspot_company_id": self.matches["companies"].get(person["company_id"]),
            }
            for position, person in enumerate(self.master[comm_id].people, 2)
        ]

    def carried(self, comm_id: int) -> set[tuple[str, int, int | None]]:
        """Every reference of a communication once: entity, legacy id, HubSpot id."""
        row = self.master[comm_id]
        legacy = [("deal", "deals", row.values["comm_opportunityid"])]
        for person in (row.values, *row.people):
            legacy += [("contact", "contacts", person["person_id"]), ("company", "companies", person["company_id"])]
        return {(entity, key, self.matches[table].get(key)) for entity, table, key in legacy if key is not None}

    def is_orphan(self, comm_id: int) -> bool:
        return all(found is None for _, _, found in self.carried(comm_id))

    def master_row(self, comm_id: int) -> dict[str, Any]:
        """The expected columns of one master row, surrogate ids and clocks left out."""
        row = self.master[comm_id]
        kind = self.activity_type(row.values)
        contact, company, deal = self.references(row.values)
        return row.values | {
            "derived_activity_type": kind,
            "is_task_eligible": kind == "tasks",
            "hubspot_contact_id": contact,
            "hubspot_company_id": company,
            "hubspot_deal_id": deal,
            "is_orphaned": self.is_orphan(comm_id),
            "staging_status": "processed",
            "error_message": None,
            "source_drop": row.drop_key,
            "source_line": row.line,
        }

    def gate(self) -> dict[str, float]:
        """Percent resolved per entity (100 with nothing to resolve) and percent orphaned."""
        result = {}
        carried = [reference for comm_id in self.master for reference in self.carried(comm_id)]
        for entity in ("contact", "company", "deal"):
            found = [hubspot_id is not None for kind, _, hubspot_id in carried if kind == entity]
            result[entity] = 100 * sum(found) / len(found) if found else 100.0
        orphans = sum(self.is_orphan(comm_id) for comm_id in self.master)
        result["orphaned"] = 100 * orphans / len(self.master) if self.master else 0.0
        return result

    def unresolved(self) -> Counter[tuple[str, int, str]]:
        """(entity, legacy id, month) -> communications, for every reference without a HubSpot id."""
        misses: Counter[tuple[str, int, str]] = Counter()
        for comm_id, row in self.master.items():
            for entity, key, found in self.carried(comm_id):
                if found is None:
                    misses[(entity, key, month_key(row.values["comm_datetime"]))] += 1
        return misses

    # -- derivatives ------------------------------------------------------------------------------

    def derivative(self, comm_id: int) -> tuple[str, dict[str, Any]]:
        """The activity type of a communication and the expected columns of its derivative row."""
        values = self.master[comm_id].values
        kind = self.activity_type(values)
        contact, company, deal = self.references(values)
        common = {
            "activity_date": values["comm_datetime"],
            "activity_assigned_to": None,
            "activity_created_by": None,
            "create_date": values["comm_createddate"],
            "last_modified_date": values["comm_updateddate"],
            "associated_contact_id": contact,
            "associated_company_id": company,
            "associated_deal_id": deal,
            "api_push_status": "held" if self.is_orphan(comm_id) else "pending",
            "hubspot_engagement_id": None,
            "error_message": None,
            "pushed_at": None,
        }
        own: dict[str, Any] = getattr(self, f"_{kind}")(values)
        if kind == "emails" and own["email_direction"] == "OUTGOING":
            own["email_to_address"] = self._all_addresses(own["email_to_address"], self.master[comm_id].people)
        return kind, common | own

    def _all_addresses(self, first: str | None, people: list[dict[str, Any]]) -> str | None:
        """The addresses of all, each once, joined by "; "."""
        found = first.split("; ") if first else []
        for person in people:
            address = (person["person_emailaddress"] or "").strip()
            if re.fullmatch(r"[^\s@;,<>]+@[^\s@;,<>]+", address):
                found += [] if address.lower() in (each.lower() for each in found) else [address]
        return "; ".join(found) or None

    def meeting_ends_too_early(self, comm_id: int) -> bool:
        values = self.master[comm_id].values
        if self.activity_type(values) != "meetings" or values["comm_todatetime"] is None:
            return False
        return self._at(values["comm_todatetime"]) < self._at(values["comm_datetime"])

    def call_lasts_too_long(self, comm_id: int) -> bool:
        values = self.master[comm_id].values
        if self.activity_type(values) != "calls" or values["comm_todatetime"] is None:
            return False
        return self._at(values["comm_todatetime"]) - self._at(values["comm_datetime"]) > timedelta(hours=24)

    def _at(self, local: datetime) -> datetime:
        return to_utc(local, self.settings.zone)

    def meeting_end(self, v: dict[str, Any]) -> datetime:
        """The instant at which a meeting ends."""
        start, end = self._at(v["comm_datetime"]), v["comm_todatetime"]
        if end is not None and self._at(end) >= start:
            return self._at(end)
        return start + timedelta(hours=1)

    def text_warnings(self, comm_id: int) -> set[tuple[str, int, str, str]]:
        """(drop, line, column, reason) of what a communication's texts are warned of."""
        row = self.master[comm_id]
        v, kind = row.values, self.activity_type(row.values)
        found, column, body = set(), "comm_note", v["comm_note"] or ""
        if kind == "emails" and v["comm_email_clean"]:
            _, is_text, has_others = _addresses(v["comm_email_clean"])
            if is_text and not body:
                column, body = "comm_email_clean", v["comm_email_clean"]
            elif has_others:
                found.add((row.drop_key, row.line, "comm_email_clean", "not_an_address"))
        if "[image left out]" in str(as_html(body)):
            found.add((row.drop_key, row.line, column, "content_left_out"))
        return found

    def _calls(self, v: dict[str, Any]) -> dict[str, Any]:
        status = _word(v["comm_status"])
        lasts = self._at(v["comm_todatetime"]) - self._at(v["comm_datetime"]) if v["comm_todatetime"] else timedelta()
        is_told = timedelta() < lasts <= timedelta(hours=24)
        return {
            "call_title": v["comm_subject"] or f"Call - {_person(v) or 'Unknown'}",
            "call_notes": v["comm_note"],
            "call_direction": "INBOUND" if _word(v["comm_action"]) in INBOUND_WORDS else "OUTBOUND",
            "call_duration_ms": lasts // timedelta(milliseconds=1) if is_told else None,
            "call_status": CALL_STATUS_WORDS.get(status, None if status else "COMPLETED"),
            "call_outcome": v["comm_status"],
            "call_source": "Integration",
            "from_number": None,
            "to_number": None,
        }

    def _emails(self, v: dict[str, Any]) -> dict[str, Any]:
        incoming = _word(v["comm_action"]) in INBOUND_WORDS
        found, is_text, _ = _addresses(v["comm_email_clean"] or "")
        them, us = "; ".join(found) or v["person_emailaddress"], self.settings.own_email
        zeros = dict.fromkeys(("number_of_email_opens", "number_of_email_clicks", "number_of_email_replies"), 0)
        return zeros | {
            "email_subject": v["comm_subject"] or "Email - No Subject",
            "email_body": v["comm_note"] or (v["comm_email_clean"] if is_text else None),
            "email_direction": "INCOMING" if incoming else "OUTGOING",
            "email_from_address": them if incoming else us,
            "email_to_address": us if incoming else them,
            "email_send_status": EMAIL_STATUS_WORDS.get(_word(v["comm_status"]), "SENT"),
            "email_open_rate": None,
            "email_click_rate": None,
            "email_reply_rate": None,
        }

    def _meetings(self, v: dict[str, Any]) -> dict[str, Any]:
        start, end = v["comm_datetime"], v["comm_todatetime"]
        by_time = "COMPLETED" if start <= self.settings.reference_local else "SCHEDULED"
        outcome = MEETING_OUTCOME_WORDS.get(_word(v["comm_status"]), by_time)
        return {
            "meeting_name": v["comm_subject"] or "Meeting with " + (_person(v) or v["company_name"] or "Unknown"),
            "meeting_description": v["comm_note"],
            "internal_meeting_notes": v["comm_note"],
            "meeting_start_time": start,
            "meeting_end_time": (
                end
                if end and self._at(end) >= self._at(start) and end >= start
                else self.meeting_end(v).astimezone(self.settings.zone).replace(tzinfo=None)
            ),
            "meeting_location": None,
            "location_type": None,
            "meeting_outcome": outcome,
            "meeting_source": "Import",
            "outcome_completed_count": int(outcome == "COMPLETED"),
            "outcome_canceled_count": int(outcome == "CANCELED"),
            "outcome_no_show_count": int(outcome == "NO_SHOW"),
            "outcome_rescheduled_count": int(outcome == "RESCHEDULED"),
        }

    def _notes(self, v: dict[str, Any]) -> dict[str, Any]:
        return {"note_body": _subject_and_note(v) or "Note (no content)"}

    def _tasks(self, v: dict[str, Any]) -> dict[str, Any]:
        start, original, case = v["comm_datetime"], v["comm_originaldatetime"], v["comm_caseid"]
        due = start if self.settings.task_due == "datetime" else v["comm_todatetime"] or start + timedelta(days=1)
        status = TASK_STATUS_WORDS.get(_word(v["comm_status"]), "NOT_STARTED")
        done = status == "COMPLETED"
        return {
            "task_title": v["comm_subject"] or f"Task - {v['company_name'] or _person(v) or 'General'}",
            "task_notes": v["comm_note"],
            "due_date": due,
            "task_status": status,
            "completed_at": (v["comm_updateddate"] or start) if done else None,
            "task_priority": TASK_PRIORITY_WORDS.get(_word(v["comm_priority"]), "MEDIUM"),
            "task_type": "TODO",
            "is_overdue": due < self.settings.reference_local and status not in ("COMPLETED", "DEFERRED"),
            "reminder_date": original if original != start else None,
            "source_type": "task" if case is None else "case",
            "source_case_id": case,
        }

    def _communications(self, v: dict[str, Any]) -> dict[str, Any]:
        return {
            "communication_body": _subject_and_note(v) or "Message",
            "channel_type": CHANNEL_WORDS.get(_word(v["comm_type"]), "SMS"),
            "logged_from": "CRM",
        }

    def _postal_mail(self, v: dict[str, Any]) -> dict[str, Any]:
        body = _subject_and_note(v) or "Postal mail sent"
        return {"postal_mail_body": body, "body_preview": body[:500]}

    # -- HubSpot ----------------------------------------------------------------------------------

    def payload(self, comm_id: int, id_property: str = "ic_communication_id") -> dict[str, Any]:
        """What HubSpot must be sent for one communication.

        ``properties``: datetime for a UTC time, ``Text``/``Html``/``Plain`` for a body, str otherwise;
        ``associations``: a set of (record id, association type id);
        ``body``: the property that an over-long body fills.
        """
        kind, row = self.derivative(comm_id)
        moment = row["due_date"] if kind == "tasks" else row["activity_date"]
        if kind == "meetings":
            row = row | {"end_at": self.meeting_end(self.master[comm_id].values)}
        properties = {
            id_property: str(comm_id),
            "hs_timestamp": self._utc(moment),
        } | getattr(self, f"_{kind}_properties")(row)
        ids = (row["associated_contact_id"], row["associated_company_id"], row["associated_deal_id"])
        to_contact, to_company, _ = ASSOCIATION_TYPES[kind]
        further = self.further(comm_id)
        everyone = [(person["hubspot_contact_id"], to_contact) for person in further]
        everyone += [(person["hubspot_company_id"], to_company) for person in further]
        return {
            "kind": kind,
            "properties": {name: value for name, value in properties.items() if value is not None},
            "associations": {
                (str(record), association)
                for record, association in (*zip(ids, ASSOCIATION_TYPES[kind], strict=True), *everyone)
                if record is not None
            },
            "body": next((name for name in properties if isinstance(properties[name], Text | Html)), None),
        }

    def _utc(self, local: datetime | None) -> datetime | None:
        return None if local is None else to_utc(local, self.settings.zone)

    def _calls_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        duration = row["call_duration_ms"]
        return {
            "hs_call_title": row["call_title"],
            "hs_call_body": as_html(row["call_notes"]),
            "hs_call_direction": row["call_direction"],
            "hs_call_duration": None if duration is None else str(duration),
            "hs_call_status": row["call_status"],
            "hs_call_disposition": DISPOSITIONS.get(_word(row["call_outcome"])),
            "hs_call_source": "INTEGRATIONS_PLATFORM",
        }

    def _emails_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        headers: dict[str, Any] = {}
        if row["email_from_address"]:
            headers["from"] = {"email": row["email_from_address"].split("; ")[0]}
        if row["email_to_address"]:
            headers["to"] = [{"email": address} for address in row["email_to_address"].split("; ")]
        return {
            "hs_email_subject": row["email_subject"],
            "hs_email_html": as_html(row["email_body"]),
            "hs_email_text": None if row["email_body"] is None else Plain(readable(row["email_body"])),
            "hs_email_direction": "INCOMING_EMAIL" if row["email_direction"] == "INCOMING" else "EMAIL",
            "hs_email_status": row["email_send_status"],
            "hs_email_headers": json.dumps(headers) if headers else None,
        }

    def _meetings_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "hs_meeting_title": row["meeting_name"],
            "hs_meeting_body": as_html(row["meeting_description"]),
            "hs_internal_meeting_notes": as_html(row["internal_meeting_notes"]),
            "hs_meeting_start_time": self._utc(row["meeting_start_time"]),
            "hs_meeting_end_time": row["end_at"],
            "hs_meeting_outcome": row["meeting_outcome"],
        }

    def _notes_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"hs_note_body": as_html(row["note_body"])}

    def _tasks_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "hs_task_subject": row["task_title"],
            "hs_task_body": as_html(row["task_notes"]),
            "hs_task_status": row["task_status"],
            "hs_task_priority": row["task_priority"],
            "hs_task_type": row["task_type"],
            "hs_task_reminders": self._utc(row["reminder_date"]),
        }

    def _communications_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "hs_communication_channel_type": row["channel_type"],
            "hs_communication_logged_from": "CRM",
            "hs_communication_body": as_html(row["communication_body"]),
        }

    def _postal_mail_properties(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"hs_postal_mail_body": as_html(row["postal_mail_body"])}


def month_key(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment.month:02d}-01"


def as_html(text: str | None) -> Text | Html | None:
    """A body for HubSpot: text escaped with ``<br>`` for line breaks, HTML as it is."""
    if text is None:
        return None
    text = readable(text)
    if TAG.search(text):
        # What only the mail itself held cannot be shown.
        return Html(re.sub(r"<img[^<>]*src=['\"]?(?:data|cid):[^<>]*>", "[image left out]", text))
    return Text(re.sub(r"\r\n|\r|\n", "<br>", html.escape(text, quote=False)))


def read_flag(text: str) -> bool | None:
    """Whether Comm_Deleted is set; None when that cannot be read."""
    word = text.strip().lower()
    if is_missing(text) or word in ("false", "f", "no", "n", "off"):
        return False
    if word in ("true", "t", "yes", "y", "on", "x"):
        return True
    try:
        return read_integer(word) != 0
    except ValueError:
        return None


def _age(values: dict[str, Any]) -> datetime:
    return values.get("comm_updateddate") or datetime.min  # noqa: DTZ901


def _people(versions: list[_Candidate]) -> list[dict[str, Any]]:
    """The people of rows that are one communication: equal but for them. One, where the rows are versions of each other
    or repeat each other."""
    rest = {name: value for name, value in versions[0].values.items() if name not in PEOPLE} if versions else {}
    if any({n: v for n, v in version.values.items() if n not in PEOPLE} != rest for version in versions):
        return [{}]
    found: list[dict[str, Any]] = []
    for version in sorted(versions, key=lambda version: version.line):
        person = {name: value for name, value in version.values.items() if name in PEOPLE}
        if person not in found:
            found.append(person)
    return found


def _same(person: dict[str, Any], old: list[dict[str, Any]]) -> dict[str, Any]:
    """What stood of the same person and company, as far as the drop names them."""
    keys = [name for name in ("person_id", "company_id") if name in person]
    return next((each for each in old if all(each[name] == person[name] for name in keys)), {})


def _unordered(people: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(person[name] for name in PEOPLE) for person in people}


def readable(text: str) -> str:
    """What a text says: RTF read, control characters left out, character references decoded where there are no tags."""
    before, rtf, rest = text.partition("{\\rtf")
    if rtf and (not before.strip() or before.endswith("\n\n")):
        text = before + rtf_to_text(rtf + rest, errors="ignore").strip()
    text = "".join(c for c in text if c in "\t\n\r" or ord(c) > 31)
    if not TAG.search(text):
        text = re.sub(r"&#?\w+;", lambda found: html.unescape(found[0]), text)
    return text


def _subject_and_note(values: dict[str, Any]) -> str:
    return "\n\n".join(part for part in (values["comm_subject"], values["comm_note"]) if part)


def _addresses(text: str) -> tuple[list[str], bool, bool]:
    """The valid addresses of a text, whether it is a text that a person wrote, and whether it holds what is no address."""
    found, others = [], 0
    for written in re.findall(r'(?:"[^"]*"|[^;,\r\n"])+', text):
        piece = written.strip()
        if piece.endswith(">") and "<" in piece:
            piece = piece[piece.index("<") + 1 : -1].strip()
        try:
            validate_email(piece, check_deliverability=False)
        except EmailNotValidError:
            others += bool(piece)
        else:
            found.append(piece)
    is_text = others > 0 and (len(text) > 320 or bool(TAG.search(text)))
    return list(dict.fromkeys(found)), is_text, others > 0


def _word(text: str | None) -> str:
    return (text or "").strip().lower()


def _person(values: dict[str, Any]) -> str:
    pieces = ((values[name] or "").strip() for name in ("person_firstname", "person_lastname"))
    return " ".join(piece for piece in pieces if piece)
