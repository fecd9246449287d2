"""What real exports hold that a tidy one does not: at fixed places of every thousand rows, what stands there.

All of it loads. Each trait takes a plain row and the number of the thousand that it is in, and changes the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Row = dict[str, str]


class Trait(NamedTuple):
    """``kind`` is the kind of communication that the row has to be, None for any."""

    kind: str | None
    adapt: Callable[[Row, int], None]


ATTENDEES = range(80, 82)
"""Places of a meeting that stands in three rows, one for each who attended."""

SHORT = range(82, 83)
"""Places of a row that ends before its last two, optional fields."""

PLAIN_FROM = 90
"""Rows at places from here on are plain."""

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
_LONGEST_ADDRESS = 320


def _on_screen(comm_type: str, action: str, *statuses: str) -> Callable[[Row, int], None]:
    """The type names the screen on which the record was made, the action what it was."""

    def adapt(row: Row, turn: int) -> None:
        row.update(Comm_Type=comm_type, Comm_Action=action, Comm_Status=statuses[turn % len(statuses)])

    return adapt


def _value(column: str, *values: str) -> Callable[[Row, int], None]:
    def adapt(row: Row, turn: int) -> None:
        row[column] = values[turn % len(values)]

    return adapt


def _address_of(row: Row) -> str:
    return row["Person_EmailAddress"] or "reception@example.com"


def _two_addresses(row: Row, turn: int) -> None:
    address = _address_of(row)
    row["Comm_Email_Clean"] = f"{address}{('; ', ', ', ';')[turn % 3]}purchasing@{address.partition('@')[2]}"


def _named_address(row: Row, turn: int) -> None:
    name = f"{row['Person_FirstName']} {row['Person_LastName']}".strip() or "Reception"
    quoted = f'"{name}"' if turn % 2 else name
    row["Comm_Email_Clean"] = f"{quoted} <{_address_of(row)}>"


def _text_for_address(row: Row, _turn: int) -> None:
    """What was written stands where the address should, and the note is empty."""
    text = row["Comm_Note"] or row["Comm_Subject"] or "As discussed"
    if len(text) <= _LONGEST_ADDRESS and "<" not in text:
        text = "<html><body><p>" + _encoded(text).replace("\n", "<br>") + "</p></body></html>"
    row.update(Comm_Email_Clean=text, Comm_Note="")


def _encoded(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _rtf(row: Row, _turn: int) -> None:
    text = row["Comm_Note"] or "Called back"
    plain = text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}").replace("\n", "\\par\n")
    spelled = "".join(c if c.isascii() else f"\\u{ord(c)}?" for c in plain)
    row["Comm_Note"] = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}\f0\fs20 " + spelled + r"\par}"


def _entities(row: Row, _turn: int) -> None:
    text = f"Price & delivery, 5 < 6: {row['Comm_Note']}".replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
    row["Comm_Note"] = _encoded(text).encode("ascii", "xmlcharrefreplace").decode()


def _stray_break(row: Row, _turn: int) -> None:
    row["Comm_Note"] += "\n-----Original Message-----\n> When does it leave?\n>> See the order.\n<br>Sent from the road"


def _inline_image(row: Row, _turn: int) -> None:
    body = _encoded(row["Comm_Note"]).replace("\n", "<br>")
    row["Comm_Note"] = f'<p>{body}</p><p><img src="data:image/png;base64,{_PIXEL}" alt="sketch"></p>'


TRAITS = {
    50: Trait("call", _on_screen("Task", "PhoneOut", "Complete", "Left message", "Voicemail", "Pending")),
    51: Trait("call", _on_screen("Task", "PhoneIn", "Complete", "Complete", "", "Draft")),
    52: Trait("call", _on_screen("Task", "PhoneOut", "Complete", "Wrong number", "Complete", "InProgress")),
    53: Trait("email", _on_screen("Task", "EmailOut", "Complete", "", "Complete", "Pending")),
    54: Trait("email", _on_screen("Email", "EmailIn", "Complete", "Complete", "Draft")),
    55: Trait("meeting", _on_screen("Appointment", "Meeting", "Complete", "Pending", "Complete", "InProgress")),
    56: Trait("meeting", _on_screen("Task", "Meeting", "Complete", "Cancelled", "")),
    57: Trait("task", _on_screen("Task", "ToDo", "Complete", "Pending", "InProgress", "Draft", "Cancelled")),
    58: Trait("letter", _on_screen("Task", "LetterOut", "Complete")),
    59: Trait("message", _on_screen("Task", "SmsOut", "Complete")),
    60: Trait("note", _on_screen("Task", "FaxIn", "Complete")),
    61: Trait("note", _on_screen("Appointment", "Vacation", "Pending", "Complete")),
    62: Trait("call", _on_screen("Activity", "PhoneOut", "Complete")),  # no line names the type, one the action
    63: Trait("email", _two_addresses),
    64: Trait("email", _named_address),
    65: Trait("email", _value("Comm_Email_Clean", "N/A", "none", "see note", "/O=KESTERLINE/OU=MAIL/CN=AALDOUS")),
    66: Trait("email", _text_for_address),
    67: Trait(None, _value("Comm_ToDateTime", "1899-12-30 00:00:00", "9999-12-31 23:59:59")),
    68: Trait(None, _value("Comm_OriginalDateTime", "1753-01-01 00:00:00", "1900-01-01", "0001-01-01 00:00:00")),
    69: Trait(None, _value("Comm_OpportunityId", "0")),
    70: Trait("case", _value("Comm_CaseId", "0")),
    71: Trait(None, _value("Person_Id", "0", "0.0")),
    72: Trait("note", _rtf),
    73: Trait("note", _entities),
    74: Trait("note", _stray_break),
    75: Trait("note", _inline_image),
}
