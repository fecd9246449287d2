"""What people reported of such exports: quotes, lengths, padding, damaged text, encodings, dates and ids that mean nothing,
files that are none of ours. Each becomes what DATA section 1 says, and the rest of the file loads."""

# ruff: noqa: DTZ001 - the legacy timestamps are local and naive
from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic_assets.activities.engine.drop import column_map, csv_drop, csv_quotes, csv_records, drop_file, values
from ic_assets.activities.engine.drop.csv_quotes import RecordEnd
from ic_assets.activities.engine.drop.csv_rows import well_quoted
from ic_assets.activities.engine.drop.drop_info import FieldWarning
from ic_assets.activities.engine.drop.drop_text import Words
from ic_assets.activities.engine.reports.masked_values import mask_raw, mask_text
from ic_assets.core import input_file
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.core.masking import mask_addresses
from ic_assets.core.settings import Settings
from ic_assets_tests.activities.drop.test_csv_drop import HEADERS, ROW, drop, load, refusal, text_of

WHOLE = csv_records.MAX_RECORD_BYTES


class TestQuotes:
    @pytest.mark.parametrize(
        "note", ['He said \\"yes\\" to it', '"" and" more', 'ends with "x', '5" pipe', '" ', '"\rx']
    )
    def test_a_quote_that_is_neither_doubled_nor_the_end_rejects_its_record(self, tmp_path: Path, note: str) -> None:
        good = text_of({}, {"comm_communicationid": "2"}, quoting=csv.QUOTE_ALL)
        header, first, second = good.splitlines()
        bad = first.replace('"Call"', f'"{note}"')
        loaded = load(drop(tmp_path, f"{header}\n{bad}\n{second}\n"))
        assert loaded.reasons == [(2, "bad_quote", None)]
        assert loaded.rejects[0].comm_communicationid == 1
        assert loaded.rejects[0].raw_row == bad
        assert [row["line_number"] for row in loaded.rows] == [3]

    def test_what_is_quoted_well_is_read(self, tmp_path: Path) -> None:
        row = {"comm_note": 'C:\\dir\\"', "comm_subject": '"""', "company_name": "\n\r\n", "comm_status": 'a"b'}
        text = text_of(row, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        for content in (text, text.rstrip("\r\n"), text.rstrip("\n")):
            (read,) = load(drop(tmp_path, content)).rows
            assert [read["comm_note"], read["comm_subject"], read["comm_status"]] == ['C:\\dir\\"', '"""', 'a"b']

    def test_it_comes_before_the_number_of_fields(self, tmp_path: Path) -> None:
        loaded = load(drop(tmp_path, text_of() + '1,"He wrote: \\"ship it\\", then left"\n2,3\n'))
        assert loaded.reasons == [(2, "bad_quote", None), (3, "field_count", None)]


class TestLengths:
    def test_a_record_that_lacks_only_its_last_optional_fields_has_them_empty(self, tmp_path: Path) -> None:
        full = text_of({"person_id": "5", "company_name": "Example"}).splitlines()[1].split(",")
        lines = [",".join(full[:length]) for length in (22, 21, 13, 12, 4)]
        loaded = load(drop(tmp_path, text_of() + "\n".join(lines) + "\n"))
        assert [row["line_number"] for row in loaded.rows] == [2, 3, 4]
        assert [row["company_name"] for row in loaded.rows] == ["Example", None, None]
        assert [row["person_id"] for row in loaded.rows] == [5, 5, None]
        assert loaded.reasons == [(5, "field_count", None), (6, "field_count", None)]

    def test_a_required_column_at_the_end_may_not_be_missing(self, tmp_path: Path) -> None:
        headers = [header for header in HEADERS if header != "Comm_Type"] + ["Comm_Type"]
        lines = text_of({}, {}, headers=headers).splitlines()
        loaded = load(drop(tmp_path, "\n".join([*lines[:2], lines[2].rpartition(",")[0]])))
        assert loaded.reasons == [(3, "field_count", None)]

    @pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
    def test_a_record_over_16_mib_is_rejected_and_the_rest_loads(self, tmp_path: Path, codec: str) -> None:
        """By its bytes in the file, line end included; csv's own limit is lower by default."""
        row = text_of({"comm_note": "AAA"}).splitlines(keepends=True)[1]
        width = len("a".encode("utf-16-le")) if codec == "utf-16" else 1
        room = WHOLE // width - len(row) + 3
        for length, fits in ((room, True), (room + 1, False)):
            content = text_of() + row.replace("AAA", "y" * length) + row
            loaded = load(drop(tmp_path, content.encode(codec)))
            assert [row["line_number"] for row in loaded.rows] == ([2, 3] if fits else [3])
            assert loaded.reasons == ([] if fits else [(2, "too_large", None)])

    @pytest.mark.parametrize("shape", ["one line", "lines in quotes", "many fields", "last of the file"])
    def test_records_of_any_length_and_shape_are_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
    ) -> None:
        monkeypatch.setattr(csv_records, "MAX_RECORD_BYTES", 1 << 16)
        monkeypatch.setattr(csv_records, "BLOCK_BYTES", 1 << 12)
        good = [text_of({"comm_communicationid": f"{n}"}).splitlines()[1] for n in range(1, 9)]
        long = {
            "one line": "77,Call," + "x" * 300_000,
            "lines in quotes": '"77",Call,"' + 'a ""quoted"",\nline,"",\n' * 20_000 + '",end',
            "many fields": "77," + ',"",a,"b,c"' * 30_000,
            "last of the file": "77," + "z," * 100_000,
        }[shape]
        rows = [*good, long] if shape == "last of the file" else [*good[:4], long, *good[4:], long, good[7]]
        loaded = load(drop(tmp_path, text_of() + "\n".join(rows)))
        assert [reason for _, reason, _ in loaded.reasons] == ["too_large"] * rows.count(long)
        assert {reject.comm_communicationid for reject in loaded.rejects} == {77}
        lines = long.count("\n") + 1
        starts = [2 + sum(lines if row == long else 1 for row in rows[:at]) for at in range(len(rows))]
        assert [row["line_number"] for row in loaded.rows] == [
            s for s, row in zip(starts, rows, strict=True) if row != long
        ]
        assert [line for line, _, _ in loaded.reasons] == [
            s for s, row in zip(starts, rows, strict=True) if row == long
        ]
        assert loaded.rejects[0].raw_row.startswith(long[:60_000])
        assert f"({len(long) + (shape != 'last of the file'):,} characters in all)" in loaded.rejects[0].raw_row

    @given(st.text('ab",\n', max_size=60), st.lists(st.integers(0, 60), max_size=4))
    def test_the_end_of_a_record_is_where_csv_has_it(self, text: str, cuts: list[int]) -> None:
        bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        end_of, found = RecordEnd(","), None
        for start, end in pairwise(bounds):
            within = end_of.within(text[start:end])
            if within is not None:
                found = start + within
                break
        reader = csv.reader(io.StringIO(text, newline=""))
        next(reader, None)
        lines = text.splitlines(keepends=True)[: reader.line_num]
        ends = len("".join(lines))
        row = next(csv.reader([*lines, "?"]), [])
        closed = text[:ends].endswith("\n") and not (row and row[-1].endswith("?"))
        assert found == (ends if closed else None)


class TestTheEndOfTheFile:
    @pytest.mark.parametrize("padding", ["\x1a", "\0" * 5000, "\x1a\0\0\0"])
    @pytest.mark.parametrize("newline", [True, False])
    @pytest.mark.parametrize("block", [7, 1 << 18])
    def test_a_final_ctrl_z_and_padding_are_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, padding: str, newline: bool, block: int
    ) -> None:
        monkeypatch.setattr(csv_records, "BLOCK_BYTES", block)
        text = text_of({"company_name": "Example"})
        loaded = load(drop(tmp_path, (text if newline else text.rstrip("\n")) + padding))
        assert ([row["company_name"] for row in loaded.rows], loaded.rejects) == (["Example"], [])

    def test_elsewhere_they_are_not(self, tmp_path: Path) -> None:
        header, first = text_of({"comm_note": "A"}).splitlines()
        first = first.replace("A", "a\x1ab")
        loaded = load(drop(tmp_path, f"{header}\n\0\0\n{first}\n"))
        assert loaded.reasons == [(2, "nul_byte", None)]
        assert loaded.rows[0]["comm_note"] == "a\x1ab"


class TestEncodings:
    @pytest.mark.parametrize("code", [0xD83D, 0xDE00, 0xDC0D, 0xDC1A])
    @pytest.mark.parametrize("codec", ["utf-16", "utf-8"])
    def test_half_a_character_rejects_its_row(self, tmp_path: Path, code: int, codec: str) -> None:
        text = text_of({"comm_note": f"a{chr(code)}b"}, {"comm_communicationid": "2", "comm_note": "ö 😀"})
        loaded = load(drop(tmp_path, text.encode(codec, "surrogatepass")))
        assert loaded.reasons == [(2, "damaged_text", None)]
        assert "a\\ud" in loaded.rejects[0].raw_row
        assert loaded.rows[0]["comm_note"] == "ö 😀"

    @pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 1 << 18])
    def test_surrogates_that_are_encoded_one_by_one_are_what_they_mean(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
    ) -> None:
        monkeypatch.setattr(csv_records, "BLOCK_BYTES", block)
        monkeypatch.setattr(drop_file, "BLOCK_BYTES", max(block, 16))
        pair = "\ud83d\ude00".encode("utf-8", "surrogatepass")
        content = text_of({"comm_note": "ö AAA 日本"}).encode().replace(b"AAA", pair)
        loaded = load(drop(tmp_path, content))
        assert loaded.info.encoding == "cesu-8"
        assert loaded.rows[0]["comm_note"] == "ö 😀 日本"

    @pytest.mark.parametrize(
        ("codec", "given", "note"),
        [
            ("cp1250", "cp1250", "Zażółć gęślą jaźń"),
            ("iso8859-15", "latin9", "Œuvre à 5 €"),
            ("shift_jis", "shift_jis", "お客様に電話表"),
            ("utf-16-le", "utf-16-le", "Grüße"),
            ("mac-roman", "macroman", "Zoë"),
        ],
    )
    def test_a_named_encoding_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, given: str, note: str
    ) -> None:
        monkeypatch.setenv("IC_ENCODING", given)
        encoding = Settings.from_env().encoding
        loaded = load(drop(tmp_path, text_of({"comm_note": note}).encode(codec)), encoding=encoding)
        assert loaded.rows[0]["comm_note"] == note
        assert loaded.info.words == tuple(word for word in note.split() if not word.isascii() and word != "€")[:3]

    def test_a_mark_at_its_beginning_counts_for_more(self, tmp_path: Path) -> None:
        for codec in ("utf-8-sig", "utf-16"):
            loaded = load(drop(tmp_path, text_of({"comm_note": "Zoë"}).encode(codec)), encoding="cp1250")
            assert loaded.rows[0]["comm_note"] == "Zoë"

    def test_what_is_none_of_the_named_encoding_is_refused(self, tmp_path: Path) -> None:
        content = text_of({}, {"comm_note": "a\x81b"}).encode("latin-1")
        with pytest.raises(DropRefused, match=r"line 3: byte 0x81 at offset \d+ is no cp1250"):
            csv_drop.inspect(drop(tmp_path, content), "cp1250")

    @pytest.mark.parametrize("name", ["rot13", "hex", "no-such", "idna", "unicode_escape", "base64", "a b"])
    def test_a_setting_that_names_no_encoding_is_refused(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv("IC_ENCODING", name)
        with pytest.raises(Refused, match=r"IC_ENCODING='.*' is no encoding"):
            Settings.from_env()

    def test_the_words_show_whether_it_is_right(self, tmp_path: Path) -> None:
        notes = ["plain text only", "– a dash", "Za¿ó³æ gêœl¹ ja\u0178ñ Za¿ó³æ"]
        content = text_of(*({"comm_note": note} for note in notes)).encode("cp1252")
        info = csv_drop.inspect(drop(tmp_path, content))
        assert (info.encoding, info.words) == ("windows-1252", ("Za¿ó³æ", "gêœl¹", "jaŸñ"))
        assert csv_drop.inspect(drop(tmp_path, text_of({}))).words == ()


class TestValues:
    def test_dates_that_stand_for_none_are_missing_with_a_warning(self, tmp_path: Path) -> None:
        nothing = {"comm_todatetime": "1899-12-30 00:00:00", "comm_updateddate": "9999-12-31T23:59:59Z"}
        kept = {"comm_todatetime": "1900-01-02", "comm_createddate": "1899-12-30"}
        loaded = load(
            drop(tmp_path, text_of(nothing, {"comm_communicationid": "2", **kept})), zone=ZoneInfo("Europe/Berlin")
        )
        assert loaded.warnings == [
            FieldWarning(2, 1, "comm_todatetime", "1899-12-30 00:00:00", "null_date"),
            FieldWarning(2, 1, "comm_updateddate", "9999-12-31T23:59:59Z", "null_date"),
        ]
        assert [loaded.rows[0][name] for name in nothing] == [None, None]
        assert loaded.rows[1]["comm_todatetime"] == datetime(1900, 1, 2)
        assert loaded.rows[1]["comm_createddate"] == datetime(1899, 12, 30)

    @pytest.mark.parametrize("zero", ["0", "0.0", "000", "-0"])
    def test_an_optional_id_of_0_is_missing(self, tmp_path: Path, zero: str) -> None:
        row = {"comm_communicationid": zero, "comm_caseid": zero, "person_id": zero, "company_id": "7"}
        path = drop(tmp_path, text_of(row))
        names = ("comm_communicationid", "comm_caseid", "person_id", "company_id")
        loaded = load(path)
        assert [loaded.rows[0][name] for name in names] == [0, None, None, 7]
        assert loaded.warnings == []
        kept = load(path, keep_zero_ids=True)
        assert [kept.rows[0][name] for name in names] == [0, 0, 0, 7]

    def test_thousands_are_no_ids(self, tmp_path: Path) -> None:
        rows = [{"person_id": "1.000", "company_id": "3.0"}, {"comm_communicationid": "12.000"}]
        loaded = load(drop(tmp_path, text_of(*rows, delimiter=";")))
        assert loaded.reasons == [(3, "unreadable_required", "comm_communicationid")]
        assert loaded.warnings == [FieldWarning(2, 1, "person_id", "1.000", "unreadable")]
        assert loaded.rows[0]["company_id"] == 3

    def test_characters_that_nobody_sees_are_left_out_of_codes_ids_and_dates_only(self, tmp_path: Path) -> None:
        row = {
            "comm_communicationid": "\ufeff1",
            "comm_type": "Call\u200b",
            "comm_status": "\x0b Do\x07ne\u2060",
            "comm_priority": "\u200b",
            "comm_datetime": "2019-03-01 10:00:00\u200b",
            "person_id": "\u200b5",
            "company_id": "\u2060",
            "comm_note": "a\u200bb\x07",
        }
        loaded = load(drop(tmp_path, text_of(row)))
        expected = {
            **row,
            "comm_communicationid": 1,
            "comm_type": "Call",
            "comm_status": " Done",
            "comm_priority": None,
        }
        expected |= {"comm_datetime": datetime(2019, 3, 1, 10), "person_id": 5, "company_id": None}
        assert {name: loaded.rows[0][name] for name in row} == expected
        assert loaded.warnings == []

    @pytest.mark.parametrize(
        ("order", "other", "wrong", "right"), [("DMY", "MDY", "3/25", "25/3"), ("MDY", "DMY", "25/3", "3/25")]
    )
    def test_dates_that_contradict_the_configured_order_refuse_the_file(
        self, tmp_path: Path, order: str, other: str, wrong: str, right: str
    ) -> None:
        rows = [{"comm_datetime": "3/4/2019"}, {"comm_todatetime": f"{wrong}/2019 10:00"}]
        message = refusal(drop(tmp_path, text_of(*rows)), order=order)
        assert f"IC_DATE_ORDER={order}: '{wrong}/2019 10:00' is none" in message
        assert f"IC_DATE_ORDER={other} would read it" in message
        rows.append({"comm_originaldatetime": f"{right}/2019"})
        assert len(load(drop(tmp_path, text_of(*rows)), order=order).rows) == 3
        assert load(drop(tmp_path, text_of({"comm_todatetime": f"{wrong}/2019"}))).warnings[0].reason == "unreadable"


class TestFilesThatAreNone:
    def test_the_delimiter_that_nobody_reads_is_named(self, tmp_path: Path) -> None:
        for delimiter in "|^~":
            message = refusal(drop(tmp_path, text_of({}, delimiter=delimiter)))
            assert f"the columns stand between {delimiter!r}" in message

    def test_the_first_line_is_shown_bounded_and_printable(self, tmp_path: Path) -> None:
        message = refusal(drop(tmp_path, "Dear\x1b[31m Sir\u2028, " + "x" * 10_000 + "\nmore"))
        assert "it begins 'Dear\\x1b[31m Sir\\u2028, xxx" in message
        assert len(message) < 400

    def test_a_million_columns_are_a_few_names_and_a_count(self, tmp_path: Path) -> None:
        extra = ["y" * 500, *map(str, range(199_999))]
        info = csv_drop.inspect(drop(tmp_path, text_of(headers=[*HEADERS, *extra])))
        assert len(info.unknown_columns) == 21
        assert info.unknown_columns[-1] == "and 199,980 more"
        assert sum(map(len, info.unknown_columns)) < 1500

    def test_gzip_that_unpacks_to_what_no_export_does_is_refused_early(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(input_file, "_RATIO_FROM_BYTES", 1 << 20)
        packed = gzip.compress(text_of({}).encode() + b"\n" * (1 << 26), 1, mtime=0)
        path = drop(tmp_path, packed, "drop.csv.gz")
        message = refusal(path)
        assert "unpacks to more than" in message
        with drop_file.DropFile(path) as file, pytest.raises(DropRefused):
            list(iter(lambda: file.read(1 << 16), b""))
        assert file.bytes_read <= max(1 << 20, 200 * len(packed)) + (1 << 16)


HOSTILE = [
    "a" * 100_000,
    "a." * 50_000,
    "a@" * 50_000,
    "a@a." * 25_000,
    "1" * 100_000,
    "1/" * 50_000,
    "2019-" * 20_000,
    " " * 100_000,
    '"' * 99_999,
    '""x' * 33_333,
    "é" * 100_000,
    "…@" * 50_000,
    "a…@a…." * 14_000,
    "2019-03-01 10:00:00" + "0" * 100_000,
    "\u200b" * 100_000,
]
PATTERNS: list[Callable[[str], object]] = [
    mask_addresses,
    mask_text,
    mask_raw,
    values.read_integer,
    lambda text: values.read_timestamp(text, zone=ZoneInfo("UTC"), date_order="DMY"),
    lambda text: values.stands_for_none(text, zone=ZoneInfo("UTC"), date_order="DMY"),
    values.PLAIN_TIMESTAMPS.fullmatch,
    values.PLAIN_OPTIONAL_TIMESTAMPS.fullmatch,
    well_quoted(","),
    lambda text: column_map.EDGES.sub("", text + "x" + text),
    lambda text: csv_quotes.open_quote_line(text, ",", 1),
    lambda text: RecordEnd(",").within(text),
    lambda text: Words().see(text),
]


@pytest.mark.parametrize("pattern", range(len(PATTERNS)))
def test_every_pattern_that_meets_data_is_linear(pattern: int) -> None:
    """100,000 characters take milliseconds where a pattern is linear, and minutes where it is not."""
    before = time.process_time()
    for text in HOSTILE:
        PATTERNS[pattern](text)
    assert time.process_time() - before < 3.0


def test_a_row_is_what_the_tests_take_it_for() -> None:
    assert ROW["comm_communicationid"] == "1"
