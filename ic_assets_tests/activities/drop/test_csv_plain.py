"""Records that go to PostgreSQL as the file has them, beside the same file read value by value: the same landing."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from ic_assets.activities.engine.drop import csv_processes
from ic_assets.activities.engine.drop.csv_rows import Block
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.core.settings import Settings
from ic_assets_tests.activities.drop.test_csv_drop import FORMATS, HEADERS, NARROW, TEXT, text_of, typed_rows
from ic_assets_tests.activities.drop.test_csv_processes import in_this_process
from ic_assets_tests.budget import examples
from ic_assets_tests.drops import HEADER, opened, row

INCIDENTAL = ["id", "drop_id", "landed_at", "rejected_at"]
TABLES = ("ic_communication_landing", "ic_rejected_row", "ic_field_warning", "ic_drop")


def landed(database: str, path: Path) -> dict[str, list[str]]:
    """What the drop leaves, as text, without the numbers and clocks of the run; and nothing of it after that."""
    with opened(database) as opened_database:
        drop_landing.land(opened_database, Settings.from_env(), path)
    with psycopg.connect(database) as connection:
        query = "SELECT to_jsonb(t) - %s::text[] FROM staging.{} AS t"
        found = {
            table: sorted(
                str(values)
                for (values,) in connection.execute(sql.SQL(query).format(sql.Identifier(table)), (INCIDENTAL,))
            )
            for table in TABLES
        }
        connection.execute(f"TRUNCATE {', '.join(f'staging.{table}' for table in TABLES)} CASCADE".encode())
    return found


def landed_in_pieces(
    database: str, path: Path, piece_bytes: int = 1 << 20, delimiter: str = ","
) -> tuple[dict[str, list[str]], int]:
    """The same with pieces of the file, and how many of its rows were plain."""
    with pytest.MonkeyPatch.context() as patch:
        answers: list[Block | None] = in_this_process(patch, piece_bytes)
        found = landed(database, path)
    plain = "".join(answer.plain.decode() for answer in answers if answer)
    return found, sum(1 for _ in csv.reader(io.StringIO(plain, newline=""), delimiter=delimiter))


@given(st.data())
@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_a_csv_writer_writes_lands_the_same(database: str, tmp_path: Path, data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]))
    _, written = data.draw(typed_rows(NARROW if codec == "cp1252" else TEXT))
    text = text_of(*written, headers=data.draw(st.permutations(HEADERS)), **data.draw(FORMATS))
    path = tmp_path / "drop.csv"
    path.write_bytes(text.encode(codec))
    expected = landed(database, path)
    assert landed_in_pieces(database, path, data.draw(st.integers(1, 2000)))[0] == expected


PLAIN: list[dict[str, object]] = [
    {"Comm_Note": 'He said "no", twice', "Comm_Subject": '"Quoted" from the start'},
    {"Comm_Note": '"', "Comm_Subject": '""', "Person_FirstName": 'ends with "'},
    {"Comm_Note": "\\.", "Comm_Subject": "\\N", "Person_FirstName": "back\\slash\\", "Company_Name": "a\tb"},
    {"Comm_Note": "a\n\\.\nb", "Comm_Subject": "one\r\ntwo\rthree\n"},
    {"Comm_Note": "  indented", "Comm_Subject": "\n\nafter two lines", "Company_Name": "trailing  "},
    {"Comm_DateTime": "2019-03-05T10:00", "Comm_ToDateTime": "2019-03-05T10:00:01.123456"},
    {"Comm_DateTime": "2016-02-29", "Comm_ToDateTime": "2999-12-31 23:59:59", "Comm_OriginalDateTime": "1901-01-01"},
    {"Comm_Note": "bell\x07 and zero\u200bwidth stay in a text", "Comm_Status": " with a\ttab", "Comm_Action": "Née"},
    {"Person_Id": "9" * 18, "Company_Id": "1"},
    {"Comm_Note": "NULLABLE", "Comm_Subject": "Nancy", "Person_FirstName": "NaNa", "Company_Name": "N"},
    {
        "Comm_Note": "“typographic”",
        "Comm_Subject": "€ 5",
        "Company_Name": "Ünïcode 株式会社",
        "Person_LastName": "かな",
    },
    {"Comm_Note": "null", "Comm_Subject": "nan", "Company_Name": "Null"},
    {"Comm_Note": "😀", "Comm_Subject": "•\u00a0item", "Company_Name": "ⴰⵎⴰⵣⵉⵖ"},
]
# One thing each that PostgreSQL would take otherwise, or not at all.
OTHERS: list[dict[str, object]] = [
    *({"Comm_Note": word} for word in ("NULL", "NaN", " ", "\t", "\u00a0", "\u0085", "\u1680", "\u2003", "\u2028", "\u3000")),
    *({"Comm_Status": code} for code in ("Done\u200b", "\ufeffDone", "\u2060", "Do\x1fne", "\x0b", "Done\x07")),
    *({"Person_Id": number} for number in ("0", "0.0", "-0", "12.000", "\u200b5")),
    *({"Person_Id": number} for number in ("007", "5.0", "-1", "+1", " 5", "9" * 19, "1e3", "NULL")),
    *(
        {"Comm_ToDateTime": moment}
        for moment in (
            "2019-03-05T10:00:00+02:00", "2019-03-05 10:00:00.1234567", "2019-02-29", "0000-01-01", "2019-03-05 24:00",
            "2019-13-01", "2019-1-1", "NaN", "1899-12-30 00:00:00", "1900-01-01", "1753-01-01", "0001-01-01",
            "9999-12-31 23:59:59", "2019-03-05 24:00:00", "2019-03-05 10:00:00 UTC", "2019-03-05\u00a010:00",
        )
    ),
    *({"Comm_DateTime": moment} for moment in ("1970-01-01", "2999-01-01", "", "someday")),
    *({"Comm_Type": kind} for kind in ("", "NULL", " ")),
    {"Comm_CommunicationId": ""},
    {"Comm_CreatedDate": ""},
]  # fmt: skip
REJECTED = 9


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_plain_records_are_those_that_postgresql_reads_as_we_do(
    database: str, tmp_path: Path, quoting: int, delimiter: str
) -> None:
    how: dict[str, Any] = {"delimiter": delimiter, "quoting": quoting}
    path = drop_of(tmp_path, [*PLAIN, *OTHERS], **how)
    expected = landed(database, path)
    assert len(expected["ic_communication_landing"]) == len(PLAIN) + len(OTHERS) - REJECTED
    found, _ = landed_in_pieces(database, path)
    assert found == expected
    _, plain = landed_in_pieces(database, drop_of(tmp_path, PLAIN, **how), delimiter=delimiter)
    assert plain == len(PLAIN)
    _, plain = landed_in_pieces(database, drop_of(tmp_path, OTHERS, **how), delimiter=delimiter)
    assert plain == 0


def test_a_nul_is_rejected_whatever_stands_around_it(database: str, tmp_path: Path) -> None:
    path = drop_of(tmp_path, [*PLAIN, {"Comm_Note": "a\0b"}, {"Comm_Subject": "c\0"}, *PLAIN])
    found, _ = landed_in_pieces(database, path)
    assert [row.count("nul_byte") for row in found["ic_rejected_row"]] == [1, 1]
    assert found == landed(database, path)


def drop_of(tmp_path: Path, rows: list[dict[str, object]], **how: Any) -> Path:
    path = tmp_path / "part.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, **how)
        writer.writeheader()
        writer.writerows(row(number, **values) for number, values in enumerate(rows, 1))
    return path


def test_rows_of_both_kinds_alternate_in_a_drop_of_any_size(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes, and more of the others than wait at a time."""
    monkeypatch.setattr(csv_processes, "_FROM_BYTES", 0)
    monkeypatch.setattr(csv_processes, "_PIECE_BYTES", 3000)
    monkeypatch.setattr(drop_landing, "_TEXT_BYTES", 5000)
    many: list[dict[str, Any]] = [(OTHERS if number % 3 == 0 else PLAIN)[number % 9] for number in range(1500)]
    path = drop_of(tmp_path, many)
    found = landed(database, path)
    monkeypatch.undo()
    assert found == landed(database, path)
    assert len(found["ic_communication_landing"]) == 1500


def test_a_year_that_is_taken_in_part_is_left_to_who_judges_dates(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_PARTITIONS_START", "2018-07-01")
    monkeypatch.setattr(drop_landing, "partitions_end", lambda: date(2020, 3, 1))
    dates = ("2018-06-30", "2018-07-01", "2018-12-31", "2019-01-01", "2019-12-31 23:59:59", "2020-02-29", "2020-03-01")
    path = drop_of(tmp_path, [{"Comm_DateTime": moment} for moment in dates])
    found, plain = landed_in_pieces(database, path)
    assert plain == 2
    assert len(found["ic_rejected_row"]) == 2
    assert found == landed(database, path)
