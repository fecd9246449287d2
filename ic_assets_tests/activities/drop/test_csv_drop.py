"""Whole drops through the reader: what DATA section 1 takes, refuses, rejects and warns of, row by row."""

# ruff: noqa: DTZ001 - the legacy timestamps are local and naive
from __future__ import annotations

import csv
import gzip
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ic_assets.activities.engine.drop import csv_drop, csv_records, drop_file
from ic_assets.activities.engine.drop.drop_info import DropInfo, FieldWarning, Reject
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.core.failures import DropRefused
from ic_assets_tests.budget import examples

HEADERS = [
    "Comm_CommunicationId", "Comm_OpportunityId", "Comm_CaseId", "Comm_Type", "Comm_Action", "Comm_Status",
    "Comm_Priority", "Comm_DateTime", "Comm_ToDateTime", "Comm_Note", "Comm_Subject", "Comm_Email_Clean",
    "Comm_CreatedDate", "Comm_UpdatedDate", "Comm_OriginalDateTime", "Comm_OriginalToDateTime", "Person_Id",
    "Person_FirstName", "Person_LastName", "Person_EmailAddress", "Company_Id", "Company_Name",
]  # fmt: skip
NAMES = [header.lower() for header in HEADERS]
INTEGERS = {"comm_communicationid", "comm_opportunityid", "comm_caseid", "person_id", "company_id"}
TIMESTAMPS = {name for name in NAMES if "date" in name}
CODES = {"comm_type", "comm_action", "comm_status", "comm_priority"}
REQUIRED = ["comm_communicationid", "comm_type", "comm_datetime", "comm_createddate"]

ROW = {
    "comm_communicationid": "1",
    "comm_type": "Call",
    "comm_datetime": "2019-03-01 10:00:00",
    "comm_createddate": "2019-03-01 09:00:00",
}


@dataclass
class Loaded:
    """What a drop became: rows as dictionaries of Python values with ``line_number``."""

    info: DropInfo
    rows: list[dict[str, Any]]
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[FieldWarning] = field(default_factory=list)

    @property
    def reasons(self) -> list[tuple[int, str, str | None]]:
        return [(reject.line_number, reject.reason, reject.column_name) for reject in self.rejects]


def decode_copy(block: bytes) -> list[list[str | None]]:
    """PostgreSQL's COPY text format, read by its manual: tab, LF, backslash escapes, ``\\N``."""
    assert not block or block.endswith(b"\n")
    meaning = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}

    def value(text: str) -> str | None:
        return None if text == r"\N" else re.sub(r"\\(.)", lambda m: meaning[m[1]], text, flags=re.DOTALL)

    return [[value(text) for text in line.split("\t")] for line in block.decode("utf-8").split("\n")[:-1]]


def decode_plain(block: bytes, info: DropInfo) -> list[list[str | None]]:
    """PostgreSQL's COPY in CSV with FORCE_NULL, by its manual, in the order of the contract."""
    names = ["drop_id", "line_number", *sorted(info.columns, key=lambda name: info.columns[name])]
    lines = csv.reader(io.StringIO(block.decode("utf-8"), newline=""), delimiter=info.delimiter)
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    return [[row.get(name) or None for name in ("drop_id", "line_number", *NAMES)] for row in rows]


def load(
    path: Path, *, zone: Any = UTC, order: str = "YMD", encoding: str | None = None, keep_zero_ids: bool = False
) -> Loaded:
    info = csv_drop.inspect(path, encoding)
    loaded = Loaded(info, [])
    reader = csv_drop.read(
        path,
        info,
        drop_id=7,
        source_zone=zone,
        date_order=order,
        first_month=datetime(2000, 1, 1),
        end=datetime(2028, 12, 1),
        on_reject=loaded.rejects.append,
        on_warning=loaded.warnings.append,
        keep_zero_ids=keep_zero_ids,
    )
    for block in reader:
        for drop_id, line_number, *values in (*decode_copy(block.text), *decode_plain(block.plain, info)):
            assert drop_id == "7"
            assert line_number is not None
            row: dict[str, Any] = {"line_number": int(line_number)}
            for name, text in zip(NAMES, values, strict=True):
                row[name] = text
                if text is not None and name in INTEGERS:
                    assert re.fullmatch("-?[0-9]+", text)
                    row[name] = int(text)
                elif text is not None and name in TIMESTAMPS:
                    row[name] = datetime.fromisoformat(text)
            loaded.rows.append(row)
    loaded.rows.sort(key=itemgetter("line_number"))
    assert reader.accepted == len(loaded.rows)
    assert reader.rejected == len(loaded.rejects)
    assert reader.rows_in == reader.accepted + reader.rejected
    assert reader.bytes_read == info.byte_size
    whole = [reject for reject in loaded.rejects if reject.reason != "too_large"]
    raw = dict(csv_drop.raw_rows(path, info, iter(reject.line_number for reject in whole)))
    assert raw == {reject.line_number: reject.raw_row for reject in whole}
    return loaded


def drop(tmp_path: Path, content: str | bytes, name: str = "drop.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def text_of(*rows: dict[str, str], headers: list[str] | None = None, delimiter: str = ",", **how: Any) -> str:
    """A CSV of rows given by master column; columns that a row does not name are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, **{"lineterminator": "\n"} | how)
    writer.writerow(headers or HEADERS)
    writer.writerows([{**ROW, **row}.get(header.strip().lower(), "") for header in headers or HEADERS] for row in rows)
    return buffer.getvalue()


def refusal(path: Path, **how: Any) -> str:
    with pytest.raises(DropRefused) as caught:
        load(path, **how)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    assert message.startswith(path.name)
    return message


def test_the_contract_is_the_data_dictionary() -> None:
    assert [column.header for column in COLUMNS] == HEADERS
    assert [column.name for column in COLUMNS] == NAMES
    assert {column.name for column in COLUMNS if column.kind == "bigint"} == INTEGERS
    assert {column.name for column in COLUMNS if column.kind == "timestamp"} == TIMESTAMPS
    assert [column.name for column in COLUMNS if column.required] == REQUIRED


def test_the_reader_does_not_import_pandas() -> None:
    code = "import sys, ic_assets.activities.engine.drop.csv_drop; sys.exit(bool({'pandas', 'dagster'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_landing_schema_takes_landed_rows_and_refuses_a_missing_required_value() -> None:
    import pandas as pd
    import pandera.errors

    from ic_assets.activities.facts.contract import landing_schema

    schema = landing_schema()
    moments = {name: datetime.fromisoformat(ROW[name]) for name in ROW if name in TIMESTAMPS}
    row: dict[str, Any] = {**dict.fromkeys(NAMES), **ROW, **moments, "comm_todatetime": datetime(9999, 12, 31)}
    valid = schema.validate(pd.DataFrame([row]))
    assert valid["comm_communicationid"].tolist() == [1]
    for wrong in ({"comm_type": None}, {"comm_datetime": "soon"}, {"person_id": "abc"}):
        with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
            schema.validate(pd.DataFrame([{**row, **wrong}]))


class TestTaken:
    @pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    def test_every_encoding_delimiter_and_line_end(
        self, tmp_path: Path, codec: str, delimiter: str, ending: str
    ) -> None:
        note = "Grüße; an, alle\t„Ä€“\nzweite Zeile"
        text = text_of({"comm_note": note}, {"comm_communicationid": "2"}, delimiter=delimiter, lineterminator=ending)
        mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(codec, b"")
        loaded = load(drop(tmp_path, mark + text.encode(codec)))
        assert [(row["line_number"], row["comm_note"]) for row in loaded.rows] == [(2, note), (4, None)]
        assert loaded.info.delimiter == delimiter

    def test_gzip_by_content_whatever_its_name(self, tmp_path: Path) -> None:
        text = text_of({}).encode()
        plain = load(drop(tmp_path, text))
        for name in ("drop.csv.gz", "other.csv"):
            packed = load(drop(tmp_path, gzip.compress(text[:50]) + gzip.compress(text[50:]), name))
            assert packed.rows == plain.rows
            assert packed.info.content_sha256 == plain.info.content_sha256
            assert packed.info.byte_size == len(text)
        assert load(drop(tmp_path, text, "plain.csv.gz")).rows == plain.rows

    def test_headers_in_any_order_case_and_with_stray_spaces_and_quotes(self, tmp_path: Path) -> None:
        headers = [
            f' "{header.upper()}"  ' if n % 2 else f"  {header.lower()}\u00a0" for n, header in enumerate(HEADERS)
        ]
        lines = [",".join(reversed(headers)), ",".join(reversed([ROW.get(name, "") for name in NAMES]))]
        loaded = load(drop(tmp_path, "\n".join(lines)))
        assert loaded.rows[0]["comm_type"] == "Call"
        assert loaded.info.missing_columns == loaded.info.unknown_columns == ()

    def test_missing_optional_and_unknown_columns_are_named_and_the_rest_loads(self, tmp_path: Path) -> None:
        headers = ["Extra", *[h for h in HEADERS if h not in ("Company_Name", "Comm_Note")], ""]
        loaded = load(drop(tmp_path, text_of({"comm_status": "Done"}, headers=headers)))
        assert loaded.info.missing_columns == ("comm_note", "company_name")
        assert loaded.info.unknown_columns == ("Extra", "(column 22, unnamed)")
        assert loaded.rows[0]["comm_status"] == "Done"
        assert loaded.rows[0]["comm_note"] is None

    def test_a_header_without_rows_loads_nothing_and_is_no_error(self, tmp_path: Path) -> None:
        for text in (text_of(), text_of().rstrip("\n"), text_of() + "\n  \n\r\n"):
            loaded = load(drop(tmp_path, text))
            assert (loaded.rows, loaded.rejects) == ([], [])

    def test_values_are_kept_as_written(self, tmp_path: Path) -> None:
        values = {
            "comm_note": ' two  "quoted" \n\n lines,\r\nCR\ralone ',
            "comm_subject": "\\N",
            "comm_status": "back\\slash\\n",
            "comm_action": "\ttab",
            "comm_priority": "null",
            "company_name": "\u2028\x0b\x0c\x1c\x85😀\ufeff",
        }
        (row,) = load(drop(tmp_path, text_of(values))).rows
        assert {name: row[name] for name in values} == values

    def test_missing_words_and_blank_are_missing_in_every_optional_column(self, tmp_path: Path) -> None:
        rows = [
            {**dict.fromkeys([n for n in NAMES if n not in REQUIRED], word), "comm_communicationid": str(n)}
            for n, word in enumerate(["", "NULL", "NaN", "  \t", "\u00a0\n"])
        ]
        loaded = load(drop(tmp_path, text_of(*rows)))
        assert len(loaded.rows) == 5
        assert loaded.warnings == []
        assert all(row[name] is None for row in loaded.rows for name in NAMES if name not in REQUIRED)

    def test_quotes_open_only_at_the_start_of_a_field(self, tmp_path: Path) -> None:
        line = 'a"b, "c",6" pipe,"x""y"'
        text = "Comm_Note,Comm_Action,Comm_Status,Comm_Subject," + ",".join(REQUIRED)
        (row,) = load(drop(tmp_path, f"{text}\n{line},{','.join(ROW[name] for name in REQUIRED)}\n")).rows
        found = [row[name] for name in ("comm_note", "comm_action", "comm_status", "comm_subject")]
        assert found == ['a"b', ' "c"', '6" pipe', 'x"y']

    def test_a_lone_carriage_return_is_data(self, tmp_path: Path) -> None:
        text = text_of(
            {"comm_subject": "AAA", "company_name": "BBB"}, {"comm_communicationid": "2"}, lineterminator="\r\n"
        )
        loaded = load(drop(tmp_path, text.replace("AAA", "a\rb\r").replace("BBB", "end\r")))
        assert [row["line_number"] for row in loaded.rows] == [2, 3]
        assert loaded.rows[0]["comm_subject"] == "a\rb\r"
        assert loaded.rows[0]["company_name"] == "end\r"

    def test_blank_lines_are_no_rows_but_count_as_lines(self, tmp_path: Path) -> None:
        header, first, second = text_of({}, {"comm_communicationid": "2"}).splitlines()
        loaded = load(drop(tmp_path, f"\n \t\r\n{header}\n\n{first}\n\u00a0\n\r\n{second}\n\n"))
        assert [row["line_number"] for row in loaded.rows] == [5, 8]
        assert loaded.rejects == []

    def test_a_blank_line_in_a_tab_separated_file_may_be_tabs(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of({}, delimiter="\t") + "\t" * 21 + "\n"))
        assert (len(loaded.rows), loaded.rejects) == (1, [])

    def test_a_row_of_delimiters_or_quotes_is_a_row(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of() + "," * 21 + '\n"  "\n'))
        assert loaded.reasons == [(2, "missing_required", "comm_communicationid"), (3, "field_count", None)]

    def test_offsets_are_converted_and_slashes_read_as_configured(self, tmp_path: Path) -> None:
        values = {"comm_datetime": "2019-07-01T10:00:00Z", "comm_todatetime": "3/4/2019 1:05 PM"}
        (row,) = load(drop(tmp_path, text_of(values)), zone=ZoneInfo("Europe/Berlin"), order="DMY").rows
        assert row["comm_datetime"] == datetime(2019, 7, 1, 12)
        assert row["comm_todatetime"] == datetime(2019, 4, 3, 13, 5)

    def test_the_delimiter_is_the_one_that_the_header_shows_whatever_the_rows_hold(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of({"comm_note": ",,,,\t\t\t,,,,,,,"}, delimiter=";")))
        assert loaded.info.delimiter == ";"
        assert loaded.rows[0]["comm_note"] == ",,,,\t\t\t,,,,,,,"


class TestRejected:
    def test_each_fault_stands_out_by_itself(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a block with the header or another wrong row all is looked at; here every row is a block of its own."""
        monkeypatch.setattr(csv_records, "BLOCK_BYTES", 16)
        faults = [
            ("missing_required", "comm_type", ""),
            ("missing_required", "comm_createddate", "NULL"),
            ("unreadable_required", "comm_communicationid", "１２"),
            ("unreadable_required", "comm_communicationid", "9" * 19),
            ("unreadable_required", "comm_datetime", "soon"),
            ("out_of_range", "comm_datetime", "1999-12-31"),
            ("out_of_range", "comm_datetime", "2028-12-01 00:00:00"),
        ]
        rows = [{}, {}, {}, *({name: value} for _, name, value in faults), {"person_id": "²"}]
        loaded = load(drop(tmp_path, text_of(*rows) + "," * 21 + "\0\n" + "4\n"))
        expected = [(line, reason, name) for line, (reason, name, _) in enumerate(faults, start=5)]
        assert loaded.reasons == [*expected, (13, "nul_byte", None), (14, "field_count", None)]
        assert [(w.line_number, w.column_name) for w in loaded.warnings] == [(12, "person_id")]

    @pytest.mark.parametrize("name", REQUIRED)
    @pytest.mark.parametrize("value", ["", "NULL", "NaN", " \u00a0"])
    def test_a_missing_required_value(self, tmp_path: Path, name: str, value: str) -> None:
        loaded = load(drop(tmp_path, text_of({name: value}, {"comm_communicationid": "2"})))
        assert loaded.reasons == [(2, "missing_required", name)]
        assert loaded.rejects[0].comm_communicationid == (None if name == "comm_communicationid" else 1)
        assert [row["comm_communicationid"] for row in loaded.rows] == [2]

    @pytest.mark.parametrize("name", [name for name in REQUIRED if name != "comm_type"])
    def test_an_unreadable_required_value(self, tmp_path: Path, name: str) -> None:
        loaded = load(drop(tmp_path, text_of({name: "soon"}, {"comm_communicationid": "2"})))
        assert loaded.reasons == [(2, "unreadable_required", name)]
        assert loaded.rejects[0].comm_communicationid == (None if name == "comm_communicationid" else 1)

    def test_missing_comes_before_unreadable_whichever_column_is_first(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of({"comm_communicationid": "x", "comm_createddate": ""})))
        assert loaded.reasons == [(2, "missing_required", "comm_createddate")]

    @pytest.mark.parametrize(
        ("moment", "taken"),
        [
            ("2000-01-01", True),
            ("2000-01-01 00:00", True),
            ("2000-01-01T00:00:00", True),
            ("1999-12-31 23:59:59.999999", False),
            ("1999-12-31 23:59:59.9999999", True),
            ("1999-12-31T23:30:00-01:00", True),
            ("2000-01-01T00:30:00+01:00", False),
            ("2028-11-30 23:59:59.999999", True),
            ("2028-11-30T23:59", True),
            ("2028-12-01", False),
            ("2028-12-01 00:00", False),
            ("2028-12-01T00:00:00", False),
            ("9999-12-31", False),
            ("0001-01-01", False),
        ],
    )
    def test_the_partition_range_holds_after_conversion(self, tmp_path: Path, moment: str, taken: bool) -> None:
        loaded = load(drop(tmp_path, text_of({"comm_datetime": moment})))
        assert loaded.reasons == ([] if taken else [(2, "out_of_range", "comm_datetime")])

    def test_a_nul_byte_shows_as_text_and_comes_before_all_else(self, tmp_path: Path) -> None:
        text = text_of({"comm_note": "AAA"}, {"comm_communicationid": "2"})
        loaded = load(drop(tmp_path, text.replace("AAA", "a\0b") + "3,\0\n"))
        assert loaded.reasons == [(2, "nul_byte", None), (4, "nul_byte", None)]
        assert [reject.comm_communicationid for reject in loaded.rejects] == [1, 3]
        assert loaded.rejects[1].raw_row == r"3,\x00"
        assert [row["comm_communicationid"] for row in loaded.rows] == [2]

    def test_a_wrong_number_of_fields_keeps_the_raw_row(self, tmp_path: Path) -> None:
        text = text_of() + '7,"two\r\nlines",x\r\n' + "," * 22 + "\n" + text_of({}).splitlines()[1]
        loaded = load(drop(tmp_path, text))
        assert loaded.reasons == [(2, "field_count", None), (4, "field_count", None)]
        assert loaded.rejects[0].raw_row == '7,"two\r\nlines",x'
        assert loaded.rejects[0].comm_communicationid == 7
        assert [row["line_number"] for row in loaded.rows] == [5]

    def test_with_a_wrong_number_of_fields_an_id_that_is_not_first_is_not_trusted(self, tmp_path: Path) -> None:
        headers = [*HEADERS[1:], HEADERS[0]]
        text = text_of({}, headers=headers).rstrip("\n")
        loaded = load(drop(tmp_path, f"{text},9\n"))
        assert [(reject.reason, reject.comm_communicationid) for reject in loaded.rejects] == [("field_count", None)]

    def test_an_optional_value_that_cannot_be_read_is_null_and_warned_of(self, tmp_path: Path) -> None:
        loaded = load(
            drop(tmp_path, text_of({}, {"comm_communicationid": "2", "person_id": "abc", "comm_todatetime": " soon"}))
        )
        assert loaded.rows[1]["person_id"] is loaded.rows[1]["comm_todatetime"] is None
        assert loaded.warnings == [
            FieldWarning(3, 2, "comm_todatetime", " soon", "unreadable"),
            FieldWarning(3, 2, "person_id", "abc", "unreadable"),
        ]

    def test_a_row_that_is_not_loaded_warns_of_nothing(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of({"person_id": "abc", "comm_type": ""})))
        assert (len(loaded.rejects), loaded.warnings) == (1, [])


class TestRefused:
    @pytest.mark.parametrize(
        "content", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\n \r\n\t\n", gzip.compress(b"", mtime=0)]
    )
    def test_an_empty_file(self, tmp_path: Path, content: bytes) -> None:
        assert "is empty" in refusal(drop(tmp_path, content))

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF"),
            (b"PK\x03\x04\x14\x00\x06\x00", "zip"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "xls"),
            (gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0), "gzip inside gzip"),
            ("Comm_Type,Comm_Note\n".encode("utf-32"), "UTF-32"),
            (b"id,name\n1,x\n", "no CSV of communications"),
            (b"sep=;\r\nComm_CommunicationId;Comm_Type\r\n", "line 1: 'sep=;' is a note to Excel"),
            (b"<html><body>Sign in</body></html>", "no CSV of communications"),
            (text_of({}).encode("utf-16-le"), "UTF-16 without a byte-order mark"),
            (b"".join(text_of({}, lineterminator="\r").encode().splitlines(keepends=True)), "CR alone"),
            (text_of({}, delimiter="|").encode(), "the columns stand between '|'"),
        ],
    )
    def test_a_file_that_is_no_csv_of_ours(self, tmp_path: Path, content: bytes, what: str) -> None:
        assert what in refusal(drop(tmp_path, content))

    def test_a_missing_required_column_is_named(self, tmp_path: Path) -> None:
        headers = [header for header in HEADERS if header not in ("Comm_Type", "Comm_DateTime")]
        message = refusal(drop(tmp_path, "\n" + text_of({}, headers=headers)))
        assert "line 2" in message
        assert "Comm_Type, Comm_DateTime" in message

    def test_a_column_that_stands_twice_is_named(self, tmp_path: Path) -> None:
        message = refusal(drop(tmp_path, text_of({}, headers=[*HEADERS, " comm_TYPE"])))
        assert "Comm_Type twice (columns 4 and 23)" in message

    def test_what_is_no_readable_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.csv")
        (tmp_path / "folder.csv").mkdir()
        assert "no such file" in refusal(tmp_path / "none.csv")
        assert "folder" in refusal(tmp_path / "folder.csv")
        assert "not a regular file" in refusal(tmp_path / "pipe.csv")

    def test_a_hostile_file_name_stays_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(DropRefused, match=r"^a\\nb\\x1b\[31m\.csv: is empty") as caught:
            csv_drop.inspect(drop(tmp_path, b"", "a\nb\x1b[31m.csv"))
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("damage", ["short", "corrupt", "trailing"])
    def test_damaged_gzip(self, tmp_path: Path, damage: str) -> None:
        packed = bytearray(gzip.compress(text_of(*({"comm_note": os.urandom(40).hex()} for _ in range(200))).encode()))
        if damage == "corrupt":
            packed[len(packed) // 2] ^= 0xFF
        content = {"short": packed[:-20], "corrupt": packed, "trailing": packed + b"junk"}[damage]
        assert "gzip" in refusal(drop(tmp_path, bytes(content), "drop.csv.gz"))

    def test_one_bad_byte_in_a_utf8_file_refuses_it_and_names_line_and_byte(self, tmp_path: Path) -> None:
        content = text_of({"comm_note": "schön"}, {"comm_note": "größer"}, {"comm_note": "AAA"}).encode()
        offset = content.index(b"AAA")
        message = refusal(drop(tmp_path, content.replace(b"AAA", b"\xfcbel")))
        assert "line 4: byte 0xFC" in message
        assert f"offset {offset} " in message

    def test_a_utf8_file_with_its_mark_is_never_taken_for_windows_1252(self, tmp_path: Path) -> None:
        message = refusal(drop(tmp_path, b"\xef\xbb\xbf" + text_of({"comm_note": "ööööö"}).encode("cp1252")))
        assert "line 2: byte 0xF6" in message

    def test_a_character_cut_off_at_the_end_is_damaged_utf8(self, tmp_path: Path) -> None:
        content = text_of({"comm_note": "Ää", "company_name": "Ö"}).encode().rstrip(b"\n")[:-1]
        assert f"byte 0xC3 at offset {len(content) - 1} " in refusal(drop(tmp_path, content))

    @pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
    def test_bytes_that_windows_1252_does_not_define(self, tmp_path: Path, byte: int) -> None:
        content = text_of({"comm_note": "äöü"}, {"comm_note": "AAA"}).encode("cp1252").replace(b"AAA", bytes([byte]))
        message = refusal(drop(tmp_path, content))
        assert f"line 3: byte 0x{byte:02X} at offset {content.index(byte)} " in message

    def test_damaged_utf16_names_its_line(self, tmp_path: Path) -> None:
        content = text_of({}, {"comm_note": "\u0a0d"}).encode("utf-16")  # whose bytes are those of line ends
        message = refusal(drop(tmp_path, content[:-1]))
        assert f"line 3: byte 0x0A at offset {len(content) - 2} is damaged UTF-16" in message

    def test_a_quote_that_never_closes_refuses_the_drop_and_names_its_line(self, tmp_path: Path) -> None:
        good = text_of({"comm_note": "fine\nlines"})
        assert "line 4: a quote" in refusal(drop(tmp_path, good + '2,"open,\n3,,\n4\n'))

    def test_a_quote_alone_on_the_last_line_is_open_too(self, tmp_path: Path) -> None:
        assert "line 3: a quote" in refusal(drop(tmp_path, text_of({}) + '"'))

    def test_a_quote_that_opens_in_the_header_and_never_closes(self, tmp_path: Path) -> None:
        assert "line 1: a quote" in refusal(drop(tmp_path, 'Comm_CommunicationId,"Comm_Type\n1,Call\n'))

    def test_the_line_named_is_that_of_the_quote_and_not_of_the_record(self, tmp_path: Path) -> None:
        text = text_of() + '2,"closed\n""on"" two\n","open ""\n,\n'
        assert "line 4: a quote" in refusal(drop(tmp_path, text))

    @pytest.mark.parametrize("ending", ["", '"', '"\n"x', '""', '"x""', "\n"])
    def test_only_an_open_quote_refuses_at_the_end(self, tmp_path: Path, ending: str) -> None:
        """Which of these leave the quote open is counted by hand: a doubled quote is text, one after the end too."""
        path = drop(tmp_path, text_of() + f'2,"note{ending}')
        still_open = {"": True, '"': False, '"\n"x': True, '""': True, '"x""': False, "\n": True}[ending]
        if still_open:
            assert "never closes" in refusal(path)
        else:
            assert load(path).reasons == [(2, "field_count" if ending == '"' else "bad_quote", None)]

    def test_a_quote_that_is_open_for_more_than_a_record_may_have_names_its_line(self, tmp_path: Path) -> None:
        long = "x" * 1000 + "\n"
        message = refusal(drop(tmp_path, text_of({}) + '2,"a\nb","' + long * 17_000))
        assert "line 4: a quote that opens on this line never closes" in message

    def test_a_header_over_16_mib_names_its_line_and_the_open_quote(self, tmp_path: Path) -> None:
        message = refusal(drop(tmp_path, 'Comm_Type,"' + "x\n" * 9_000_000))
        assert "line 1: the header that starts here is over 16 MiB: a quote that opens on line 1" in message

    def test_a_line_without_end_takes_little_memory(self, tmp_path: Path) -> None:
        """200 MB of one line; the limit is the process's whole address space, measured 60 MB above start."""
        path = tmp_path / "line.csv"
        with path.open("wb") as file:
            file.write(text_of().encode() + b'1,"')
            for _ in range(200):
                file.write(b"z" * 1_000_000)
        code = (
            "import resource, sys; from pathlib import Path; from ic_assets.activities.engine.drop import csv_drop as c\n"
            "from datetime import datetime, UTC; path = Path(sys.argv[1]); info = c.inspect(path)\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try:\n"
            "    list(c.read(path, info, drop_id=1, source_zone=UTC, date_order='YMD', first_month=datetime(2000, 1, 1),\n"
            "         end=datetime(2028, 1, 1), on_reject=print, on_warning=print))\n"
            "except c.DropRefused as error:\n"
            "    print(error, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, sep='|')\n"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        message, megabytes = done.stdout.strip().split("|")
        assert "line 2: a quote that opens on this line never closes" in message
        assert int(megabytes) < 120


class TestChanged:
    """A file that is still being copied must not load half."""

    CHANGED = "changed while it was being read"

    def start(self, path: Path) -> tuple[DropInfo, Any]:
        info = csv_drop.inspect(path)
        month = {"first_month": datetime(2000, 1, 1), "end": datetime(2028, 1, 1)}
        sinks = {"on_reject": [].append, "on_warning": [].append}
        return info, lambda: iter(
            csv_drop.read(path, info, drop_id=1, source_zone=UTC, date_order="YMD", **month, **sinks)
        )

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return drop(tmp_path, text_of(*({"comm_communicationid": str(n)} for n in range(9000))))

    @pytest.mark.parametrize("change", ["grow", "shrink", "replace", "rewrite", "vanish", "open a quote"])
    @pytest.mark.parametrize("when", ["between", "during"])
    def test_a_change_after_the_inspection_refuses_the_drop(self, path: Path, change: str, when: str) -> None:
        _, blocks = self.start(path)
        reading = blocks()
        if when == "during":
            next(reading)
        content = path.read_bytes()
        if change == "vanish":
            path.unlink()
        elif change == "replace":
            path.with_suffix(".new").write_bytes(content)
            path.with_suffix(".new").replace(path)
        elif change == "shrink":
            os.truncate(path, len(content) // 2)
        else:
            new = {"grow": content + b"9", "rewrite": content[:-3] + b"X,\n", "open a quote": content + b'9,"'}[change]
            path.write_bytes(new)
            os.utime(path, ns=(1, 1))
        expected = "no such file" if (change, when) == ("vanish", "between") else self.CHANGED
        with pytest.raises(DropRefused, match=expected):
            list(reading)

    def test_same_size_and_time_but_other_content_refuses_the_drop(self, path: Path) -> None:
        info, blocks = self.start(path)
        with path.open("r+b") as file:
            file.seek(info.byte_size - 2)
            file.write(b"X")
        os.utime(path, ns=(info.identity.mtime_ns, info.identity.mtime_ns))
        with pytest.raises(DropRefused, match=self.CHANGED):
            list(blocks())

    def test_the_second_pass_notices_too(self, path: Path) -> None:
        info, _ = self.start(path)
        path.write_bytes(path.read_bytes() + b"\n")
        with pytest.raises(DropRefused, match=self.CHANGED):
            list(csv_drop.raw_rows(path, info, iter([5])))

    def test_a_file_that_was_cut_is_refused_where_its_lines_are_missed(self, path: Path) -> None:
        info, blocks = self.start(path)
        assert sum(block.accepted for block in blocks()) == 9000
        os.truncate(path, info.byte_size // 2)
        with pytest.raises(DropRefused, match=self.CHANGED):
            list(csv_drop.raw_rows(path, info, iter([8999])))

    def test_a_file_that_grows_while_it_is_inspected_is_refused(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = drop_file.DropFile.detect_encoding

        def slow(file: drop_file.DropFile, given: str | None) -> str:
            encoding = original(file, given)
            with path.open("ab") as more:
                more.write(b"1,2\n")
            return encoding

        monkeypatch.setattr(drop_file.DropFile, "detect_encoding", slow)
        with pytest.raises(DropRefused, match=self.CHANGED):
            csv_drop.inspect(path)


def test_raw_rows_come_in_one_pass_and_a_line_that_the_file_has_not_is_an_error(tmp_path: Path) -> None:
    path = drop(tmp_path, text_of({"comm_note": "a\nb"}, {}, {"comm_note": "c\nd"}))
    info = csv_drop.inspect(path)
    lines = path.read_text().split("\n")
    assert dict(csv_drop.raw_rows(path, info, iter([2, 5]))) == {2: "\n".join(lines[1:3]), 5: "\n".join(lines[4:6])}
    assert list(csv_drop.raw_rows(path, info, iter([]))) == []
    with pytest.raises(LookupError, match="99"):
        list(csv_drop.raw_rows(path, info, iter([2, 99])))


def test_the_raw_text_of_any_row_is_the_lines_that_it_stands_on(tmp_path: Path) -> None:
    """Over many blocks, with records that begin in one and end in the next."""
    rows: list[dict[str, str]] = [{"comm_note": f"{n}\n" * (n % 90)} if n % 3 else {} for n in range(3000)]
    path = drop(tmp_path, text_of(*rows))
    info = csv_drop.inspect(path)
    lines = path.read_text().split("\n")
    starts = list(accumulate((1 + len(row.get("comm_note", "").split("\n")) - 1 for row in rows), initial=2))
    for step in (1, 7, 500):
        chosen = list(range(0, len(rows), step))
        found = csv_drop.raw_rows(path, info, iter([starts[at] for at in chosen]))
        assert list(found) == [(starts[at], "\n".join(lines[starts[at] - 1 : starts[at + 1] - 1])) for at in chosen]


# Printable text of several scripts, with everything that CSV, COPY and line splitting could stumble over.
TEXT = st.text(alphabet=st.sampled_from("ab ,;\t\"\n\r\\N'äß€€ \u2028\x0b\x85😀|/0"), max_size=12)
NARROW = st.text(alphabet=st.sampled_from("ab ,;\t\"\n\r\\N'äß€|/0"), max_size=12)
MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2028, 11, 30, 23, 59, 59))


@st.composite
def typed_rows(draw: st.DrawFn, text: st.SearchStrategy[str]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Rows as values and the same rows as somebody might write them."""
    values, written = [], []
    for number in range(draw(st.integers(0, 8))):
        row: dict[str, Any] = {}
        forms: dict[str, str] = {}
        for name in NAMES:
            if name not in REQUIRED and draw(st.booleans()):
                row[name], forms[name] = None, draw(st.sampled_from(["", "NULL", "NaN", " "]))
            elif name in INTEGERS:
                row[name] = draw(st.integers(-(2**63), 2**63 - 1)) if name != "comm_communicationid" else number
                forms[name] = draw(st.sampled_from(["{}", "{}.0", " {} ", "\x1f{}\x07"])).format(row[name])
                if row[name] == 0 and name not in REQUIRED:
                    row[name] = None
            elif name in TIMESTAMPS:
                moment = draw(MOMENT)
                form = draw(st.sampled_from([" ", "T", "short", "day", "offset"]))
                row[name] = {
                    "short": moment.replace(second=0, microsecond=0),
                    "day": datetime.combine(moment, datetime.min.time()),
                }.get(form, moment)
                forms[name] = {
                    "short": f"{moment:%Y-%m-%d %H:%M}",
                    "day": f"{moment:%Y-%m-%d}",
                    "offset": (moment + timedelta(hours=3)).isoformat() + "+03:00",
                }.get(form) or moment.isoformat(form if form in " T" else " ")
            else:
                value = "x" + draw(text)
                row[name], forms[name] = value.replace("\x0b", "") if name in CODES else value, value
        values.append(row)
        written.append(forms)
    return values, written


FORMATS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t"),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    }
)


@given(st.data())
@settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_a_csv_writer_writes_reads_back_the_same(tmp_path: Path, data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    values, written = data.draw(typed_rows(NARROW if codec == "cp1252" else TEXT))
    how = data.draw(FORMATS)
    headers = data.draw(st.permutations(HEADERS))
    if any(row[headers[-1].lower()].endswith("\r") for row in written):
        how["quoting"] = csv.QUOTE_ALL  # Python 3.11 leaves a CR unquoted, and with the LF it reads as a line end
    text = text_of(*written, headers=headers, **how)
    # The writer gives each record's text; its lines are counted apart from the reader.
    line, starts = 1 + text_of(headers=headers, **how).count("\n"), []
    for row in written:
        starts.append(line)
        line += text_of(row, headers=headers, **how).count("\n") - 1
    content = text.encode(codec)
    try:
        certain = codec != "cp1252" or not content.decode("utf-8")
    except UnicodeDecodeError:
        certain = content.decode("utf-8", "ignore").isascii()
    if not certain and not content.isascii():
        return  # Windows-1252 that looks like UTF-8: nobody can tell
    size = data.draw(st.sampled_from([1, 2, 3, 7, 64, 1000]))
    usual = (csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES)
    csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES = size, max(size, 16)
    try:
        loaded = load(drop(tmp_path, content))
    finally:
        csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES = usual
    assert loaded.reasons == []
    assert [row.pop("line_number") for row in loaded.rows] == starts
    assert loaded.rows == values


def outcome(path: Path) -> Any:
    try:
        loaded = load(path)
    except DropRefused as refused:
        return str(refused)
    return (loaded.rows, loaded.rejects, loaded.warnings, loaded.info.encoding)


PIECES = st.lists(
    st.sampled_from(
        [
            b"\n",
            b"\r\n",
            b"\r",
            b'"',
            b",",
            b";",
            b"\t",
            b"\0",
            b" ",
            b"\xc3\xb6",
            b"\xf6",
            b"\x81",
            b"\xe2\x82",
            b"abc",
            text_of({"person_id": "x"}).encode().split(b"\n")[1],
            text_of({}).encode(),
            b'1,"two\nlines",Call\n',
        ]
    ),
    max_size=25,
)


@given(PIECES, st.sampled_from([b"", text_of().encode(), b"\xff\xfe" + text_of().encode("utf-16-le")]))
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_bytes_are_refused_or_accounted_for_the_same_way_in_any_block_size(
    tmp_path: Path, pieces: list[bytes], head: bytes
) -> None:
    path = drop(tmp_path, head + b"".join(pieces))
    whole = outcome(path)
    usual = (csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES)
    csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES = 5, 16
    try:
        assert outcome(path) == whole
    finally:
        csv_records.BLOCK_BYTES, drop_file.BLOCK_BYTES = usual


@given(st.binary(max_size=300))
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_bytes_are_refused_and_never_crash(tmp_path: Path, content: bytes) -> None:
    assert isinstance(outcome(drop(tmp_path, content)), str)
