"""The records of a drop that PostgreSQL reads from the file's own bytes just as it reads what ``csv_rows`` makes of them:
those go to ``COPY … (FORMAT csv)`` as they stand, at a third of the price. All others are left to ``csv_rows``.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from ic_assets.activities.engine.drop.drop_info import Reading
from ic_assets.activities.engine.drop.values import PLAIN_OPTIONAL_TIMESTAMP, PLAIN_TIMESTAMP
from ic_assets.activities.facts.contract import BY_NAME, Column

# Neither zeros in front nor a look at bigint's bounds.
_INTEGER = rb"[1-9][0-9]{0,17}+"
_TIMESTAMP = PLAIN_TIMESTAMP.pattern.encode()
_OPTIONAL_TIMESTAMP = PLAIN_OPTIONAL_TIMESTAMP.pattern.encode()
# What a code has none of: C0 controls but the tab, and how zero-width characters (and some others) begin.
_NOT_OF_A_CODE = rb"\x01-\x08\x0B\x0C\x0E-\x1F\xE2\xEF"
# How characters begin that are no white space (str.isspace), beyond ASCII: a text of white space alone is none.
_BEYOND_ASCII = (
    rb"[\xC3-\xE0\xE4-\xF4]|\xC2[\xA1-\xBF]|\xE1(?!\x9A)|\xE2(?:\x80[\x90-\xA7\xB0-\xBF]|[\x82-\xBF])|\xE3[\x81-\xBF]"
)


class Split(NamedTuple):
    """A piece of a drop. ``plain``: rows for COPY in CSV, with the columns drop_id and line_number in front of the
    file's. ``others``: consecutive records that are not, as they came, with the number of lines before them."""

    plain: bytes
    rows: int
    others: list[tuple[bytes, int]]


class Plain:
    """Tells the two kinds of records of one drop apart."""

    def __init__(self, reading: Reading) -> None:
        info = reading.info
        self._prefix = f"{reading.drop_id}{info.delimiter}%d{info.delimiter}".encode()
        mark = re.escape(info.delimiter.encode())
        fields = mark.join(_field(BY_NAME[name], info.delimiter, reading) for name in info.columns_in_order)
        self._plain = re.compile(fields + rb"(?=\r?\n)").match
        # As Python's csv has it: a quote opens a field at its start only, and what follows the closing one is the field's.
        rest = rb"[^\r\n%s]*+" % mark
        value = rb"(?:\"(?:[^\"]++|\"\")*+\"%s|[^\"\r\n%s]%s|)" % (rest, mark, rest)
        self._any = re.compile(rb"%s(?:%s%s)*+\r?\n" % (value, mark, value)).match

    def split(self, data: bytes, lines_before: int) -> Split:
        """``data`` is UTF-8 and begins with a record. What follows something that is no record is among the others."""
        # PostgreSQL holds no NUL. A pattern that minds it takes five times as long for a quoted text.
        if b"\0" in data:
            return Split(b"", 0, [(data, lines_before)])
        plain, any_record, prefix = self._plain, self._any, self._prefix
        parts: list[bytes] = []
        others: list[tuple[bytes, int]] = []
        begin, lines, size = 0, lines_before, len(data)
        run, lines_before_run = size, 0  # of records that are not plain
        while begin < size:
            if match := plain(data, begin):
                if run < begin:
                    others.append((data[run:begin], lines_before_run))
                    run = size
                parts += (prefix % (lines + 1), data[begin : match.end()], b"\n")
                end = data.index(b"\n", match.end()) + 1
            else:
                if run == size:
                    run, lines_before_run = begin, lines
                record = any_record(data, begin)
                end = record.end() if record else size
            lines += data.count(b"\n", begin, end)
            begin = end
        if run < size:
            others.append((data[run:], lines_before_run))
        return Split(b"".join(parts), len(parts) // 3, others)


def plain_of(reading: Reading) -> Plain | None:
    """None where the file has columns that COPY would not know."""
    info = reading.info
    return None if info.unknown_columns or info.deleted is not None else Plain(reading)


def _field(column: Column, delimiter: str, reading: Reading) -> bytes:
    if column.kind == "text":
        return _code(delimiter, required=column.required) if column.is_code else _text(delimiter)
    value = _INTEGER
    if column.kind == "timestamp":
        value = _TIMESTAMP if column.required else _OPTIONAL_TIMESTAMP
    if column.name == "comm_datetime":
        value = rb"(?=%s)%s" % (_years(reading.first_month, reading.end), value)
    return rb"(?:%s|\"%s\")" % (value, value) if column.required else rb"(?:%s|\"(?:%s)?+\")?+" % (value, value)


def _text(delimiter: str) -> bytes:
    visible, mark = _visible(delimiter), re.escape(delimiter.encode())
    bare = rb" *+%s[^\"\r\n%s]*+" % (visible, mark)
    inside = rb"[ \t\r\n]*+(?:%s|\"\")(?:[^\"]++|\"\")*+" % visible
    return rb"(?:%s|\"(?:%s)?+\")?+" % (bare, inside)


def _code(delimiter: str, *, required: bool) -> bytes:
    visible, mark = _visible(delimiter), re.escape(delimiter.encode())
    bare = rb" *+(?![%s])%s[^\"\r\n%s%s]*+" % (_NOT_OF_A_CODE, visible, _NOT_OF_A_CODE, mark)
    inside = rb" *+(?![%s])%s[^\"%s]*+" % (_NOT_OF_A_CODE, visible, _NOT_OF_A_CODE)
    return rb"(?:%s|\"%s\")" % (bare, inside) if required else rb"(?:%s|\"(?:%s)?+\")?+" % (bare, inside)


def _visible(delimiter: str) -> bytes:
    """How a text begins that is not missing. The words for a missing value are left to who knows them."""
    first = bytes(set(range(0x21, 0x7F)) - {*b'"N', ord(delimiter)})
    mark = re.escape(delimiter.encode())
    return rb"(?:[%s]|N(?!(?:ULL|aN)[\"\r\n%s])|%s)" % (re.escape(first), mark, _BEYOND_ASCII)


def _years(first_month: datetime, end: datetime) -> bytes:
    """The years that lie within the months that are taken, as what a date may begin with."""
    years = [
        year
        for year in range(first_month.year, end.year)
        if first_month <= datetime(year, 1, 1)  # noqa: DTZ001 - local
    ]
    decades: dict[str, str] = {}
    for year in years:
        decades[f"{year // 10:03}"] = decades.get(f"{year // 10:03}", "") + str(year % 10)
    listed = "|".join(f"{decade}[{digits}]" for decade, digits in decades.items())
    return f"(?:{listed})-".encode() if years else b"(?!)"
