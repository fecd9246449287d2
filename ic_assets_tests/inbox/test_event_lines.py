"""A file of events as records: JSON Lines and CSV, whole, packed, damaged."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from ic_assets.core.failures import DropRefused
from ic_assets.core.input_file import InputFile
from ic_assets.inbox import lines
from ic_assets.inbox.lines import Record, Rejected, records


def read(path: Path, content: bytes) -> list[Record | Rejected]:
    path.write_bytes(content)
    with InputFile(path) as file:
        return list(records(file))


def told(found: list[Record | Rejected]) -> list[tuple[int, object]]:
    return [(one.line, one.value if isinstance(one, Record) else one.reason) for one in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events"


def test_json_lines_with_bad_ones_between(path: Path) -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n{"a":\n{"a":NaN}\n{"b":"\xff"}\n[1]\n  {"a":0.10}'
    assert told(read(path, content)) == [
        (1, {"a": 1}),
        (3, "not JSON: Expecting value at character 6"),
        (4, "NaN is not JSON"),
        (5, "not UTF-8 at byte 7"),
        (6, [1]),
        (7, {"a": Decimal("0.10")}),
    ]


def test_packed(path: Path) -> None:
    assert told(read(path, gzip.compress(b'{"a":1}\n{"a":2}\n'))) == [(1, {"a": 1}), (2, {"a": 2})]


def test_csv_columns_become_the_body(path: Path) -> None:
    content = 'id; name ;note\n1;Ada;"a;b"\n\n2;;"two\nlines"\n3;"5"" pipe";x\u2028y\n'.encode()
    found = read(path, content)
    assert told(found) == [
        (2, {"id": "1", "name": "Ada", "note": "a;b"}),
        (4, {"id": "2", "name": None, "note": "two\nlines"}),
        (6, {"id": "3", "name": '5" pipe', "note": "x\u2028y"}),
    ]
    assert isinstance(found[1], Record)
    assert found[1].text == '{"id":"2","name":null,"note":"two\\nlines"}'


def test_rows_that_do_not_come_apart_stop_no_other(path: Path) -> None:
    content = b'id,name\n1,a\n2\n3,c,d\n4,"open\n5,e\n6,"f"x\n7,\xff\n8,h\n9,"i\nj"\n10,5" pipe\n11,k\n'
    assert told(read(path, content)) == [
        (2, {"id": "1", "name": "a"}),
        (3, "1 values for 2 columns"),
        (4, "3 values for 2 columns"),
        (5, "not CSV: ',' expected after '\"'"),
        (6, {"id": "5", "name": "e"}),
        (7, "not CSV: ',' expected after '\"'"),
        (8, "not UTF-8 at byte 3"),
        (9, {"id": "8", "name": "h"}),
        (10, {"id": "9", "name": "i\nj"}),
        (12, {"id": "10", "name": '5" pipe'}),
        (13, {"id": "11", "name": "k"}),
    ]


def test_a_quote_that_nobody_closes_costs_one_line(path: Path) -> None:
    rows = b"".join(b"%d,x\n" % n for n in range(5000))
    found = read(path, b'id,name\n0,"open\n' + rows)
    assert found[0] == Rejected(2, "not CSV: unexpected end of data", '0,"open')
    assert len(found) == 5001
    assert all(isinstance(one, Record) for one in found[1:])


def test_a_line_that_is_too_long_is_rejected_and_not_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_BYTES", 20_000)
    long = b'{"a":"' + b"x" * 900_000 + b'"}'
    found = read(path, b'{"a":1}\n' + long + b'\n{"a":2}\n' + long)
    assert told(found) == [
        (1, {"a": 1}),
        (2, "longer than 20,000 bytes"),
        (3, {"a": 2}),
        (4, "longer than 20,000 bytes"),
    ]
    assert isinstance(found[1], Rejected)
    assert len(found[1].raw) == 8000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b'[{"a":1}]', r"is one JSON array; write one event a line \(jq -c '.\[\]' FILE\)"),
        (b"PK\x03\x04...", "is neither JSON Lines nor CSV in UTF-8"),
        ('{"a":1}'.encode("utf-16"), "is neither JSON Lines nor CSV in UTF-8"),
        (b"id,id\n1,2\n", "line 1: the column 'id' stands twice"),
        (b"id,,name\n1,2,3\n", "line 1: a column has no name"),
        (b'"id\n', "line 1: the header cannot be read: not CSV"),
        (gzip.compress(b'{"a":1}', mtime=0)[:-9], "the gzip data is cut short or damaged"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(path: Path, content: bytes, why: str) -> None:
    with pytest.raises(DropRefused, match=why):
        read(path, content)
