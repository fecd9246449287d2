"""The defects and oddities of a real export at fixed places of every thousand rows, so that their shares hold at any
size. `drops` applies them; what whole exports look like is in `real_exports`."""

from __future__ import annotations

from datetime import datetime, timedelta

from ic_assets.sample.export import stamp
from ic_assets.sample.real_exports import Row

# Places in every thousand rows, and what stands there. A value is taken in turn, one per thousand rows.
REPLACED: dict[int, tuple[str, tuple[str, ...]]] = {
    # rejected as missing_required
    5: ("Comm_CommunicationId", ("", "NULL", "NaN", "  ")),
    6: ("Comm_Type", ("", "NULL", " ")),
    7: ("Comm_Type", ("NaN", "")),
    8: ("Comm_DateTime", ("", "NULL", "NaN")),
    9: ("Comm_CreatedDate", ("NULL", "", "   ")),
    # rejected as unreadable_required
    10: ("Comm_CommunicationId", ("C-10432", "1.04E+05", "12a7", "1_000", "10432.5")),
    11: ("Comm_DateTime", ("Mar 1 2019", "yesterday", "2021-02-30 10:00:00", "43525.375", "now")),
    12: ("Comm_DateTime", ("01.03.2019 09:00", "2019-13-04 10:00:00", "next week", "2022-06-01 25:00", "?")),
    13: ("Comm_CreatedDate", ("last year", "0000-00-00 00:00:00", "2020-06-31", "epoch", "12:30")),
    # rejected as out_of_range: the zero dates of three systems and two typing errors
    14: ("Comm_DateTime", ("1899-12-30 00:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00")),
    15: ("Comm_DateTime", ("9999-12-31 23:59:59", "1919-03-11 14:30:00", "2109-05-04 10:00")),
    # loaded, with a field warning
    20: ("Person_Id", ("abc", "unknown", "n/a", "see note", "#REF!")),
    21: ("Comm_ToDateTime", ("soon", "tbd", "2020-02-30 11:00:00", "17:00", "end of week")),
    22: ("Comm_UpdatedDate", ("31.02.2021 10:00", "never", "1.6E+09", "2020-11-31 08:00", "Jan 5")),
    23: ("Comm_OpportunityId", ("1.2E+05", "see quote", "12-34", "6.5", "?")),
    24: ("Comm_CaseId", ("#4711", "CASE 88", "4,711", "1e3", "none")),
    25: ("Comm_OriginalDateTime", ("tbd", "2019-02-29 12:00", "in March", "24.12.", "-")),
    # loaded without complaint
    38: ("Comm_Subject", ("NULL",)),
    39: ("Comm_Priority", ("NaN",)),
    40: ("Comm_Note", ("NULL", "NaN")),
    41: ("Comm_ToDateTime", ("NULL", "NaN")),
    48: ("Comm_Subject", ("  ", "null")),
}
NUL_BYTE, TOO_FEW, TOO_MANY, SUPERSEDED = range(1), range(1, 3), range(3, 5), range(16, 20)
ENDS_BEFORE_START = range(26, 28)
ODD_PLACES = 50  # at places from here on stand what real exports hold, then plain rows


def _as_floats(row: Row) -> None:
    for column in ("Comm_CommunicationId", "Person_Id", "Company_Id", "Comm_OpportunityId"):
        row[column] += ".0" if row[column] else ""


def _with_plus(row: Row) -> None:
    for column in ("Person_Id", "Company_Id"):
        row[column] = "+" + row[column] if row[column] else ""


def _zero_padded(row: Row) -> None:
    row["Comm_CommunicationId"] = row["Comm_CommunicationId"].zfill(9)
    row["Company_Id"] = row["Company_Id"].zfill(7) if row["Company_Id"] else ""


def _with_offset(row: Row) -> None:
    for column, offset in (
        ("Comm_DateTime", "+02:00"),
        ("Comm_CreatedDate", "Z"),
        ("Comm_UpdatedDate", "+0200"),
    ):
        row[column] = row[column].replace(" ", "T") + offset if row[column] else ""


def _bare_date(row: Row) -> None:
    row["Comm_DateTime"] = row["Comm_DateTime"][:10]
    row["Comm_ToDateTime"] = ""


def _with_t(row: Row) -> None:
    row["Comm_DateTime"] = row["Comm_DateTime"][:16].replace(" ", "T")


def _with_fraction(row: Row) -> None:
    row["Comm_DateTime"] += ".1234567"
    row["Comm_CreatedDate"] += ".997"
    row["Comm_ToDateTime"] = ""


def _spaced(row: Row) -> None:
    row["Comm_Type"] = f" {row['Comm_Type']}\t"
    row["Comm_Status"] = f"{row['Comm_Status']} " if row["Comm_Status"] else ""
    row["Person_LastName"] = f"\u00a0{row['Person_LastName']} " if row["Person_LastName"] else ""


def _with_crlf(row: Row) -> None:
    row["Comm_Note"] = row["Comm_Note"].replace("\n", "\r\n") + '\r\n\r\n-- \r\n"as agreed"'


def _not_html(row: Row) -> None:
    row["Comm_Note"] = "Margin < 12 % & price > 4,000: <ask> Tom; a<b and b>c. " + row["Comm_Note"]


def _emoji(row: Row) -> None:
    row["Comm_Note"] = f"👍 {row['Comm_Note']}\tсм. также 見積書"


ADAPTED = {
    30: _as_floats,
    31: _as_floats,
    32: _with_plus,
    33: _zero_padded,
    34: _with_offset,
    35: _bare_date,
    36: _with_t,
    37: _with_fraction,
    42: _spaced,
    43: _with_crlf,
    44: _not_html,
    45: _emoji,
}


def spoiled(row: Row, place: int, turn: int) -> list[str]:
    """The fields of one row after the defect or oddity of its place."""
    if place in REPLACED:
        column, values = REPLACED[place]
        row[column] = values[turn % len(values)]
    elif place in ADAPTED:
        ADAPTED[place](row)
    elif place in NUL_BYTE:
        column = ("Comm_Note", "Comm_Subject", "Person_LastName")[turn % 3]
        row[column] = f"{row[column][:4]}\0{row[column][4:]}"
    elif place in ENDS_BEFORE_START:
        start = datetime.fromisoformat(row["Comm_DateTime"])
        row["Comm_ToDateTime"] = stamp(start - timedelta(minutes=30 + 15 * turn))
    fields = list(row.values())
    if place in TOO_FEW:
        # A required field is among those that are lacking: without the last, optional ones a row would load.
        return fields[: 5 + (turn * 5 + place * 3) % 8]
    if place in TOO_MANY:
        # What an unquoted comma in a note does to its row.
        return [*fields[:10], " see above", *fields[10:]]
    return fields


def again(row: Row, turn: int) -> Row:
    """A second version of a row for the same drop: newer, older, without a date, or the same."""
    newer = datetime.fromisoformat(row["Comm_UpdatedDate"])
    updated = (
        stamp(newer + timedelta(hours=5)),
        stamp(newer - timedelta(days=3)),
        "",
        row["Comm_UpdatedDate"],
    )
    note = row["Comm_Note"] if turn % 4 == 3 else f"{row['Comm_Note']} (version {turn % 4 + 1})"
    return {**row, "Comm_UpdatedDate": updated[turn % 4], "Comm_Note": note}
