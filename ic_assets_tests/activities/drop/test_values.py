"""One value of a drop at a time: what is missing, which integers and timestamps are read, and as what."""

# ruff: noqa: DTZ001 - the legacy timestamps are local and naive
from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic_assets.activities.engine.drop.values import (
    PLAIN_OPTIONAL_TIMESTAMP,
    PLAIN_TIMESTAMP,
    PLAIN_TIMESTAMPS,
    is_missing,
    read_integer,
    read_timestamp,
    stands_for_none,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("value", ["", " ", "\t\r\n", "\u00a0", "\u2003\u3000", "\x1c\x85", "NULL", "NaN"])
def test_blank_null_and_nan_are_missing(value: str) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", ["null", "nan", "NAN", " NULL", "NaN ", "N/A", "-", "0", "None", "\u200b"])
def test_nothing_else_is_missing(value: str) -> None:
    assert not is_missing(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("123", 123),
        ("123.0", 123),
        ("\u200b123\x1f", 123),
        ("\ufeff12\u20603", 123),
        ("+5", 5),
        ("-5", -5),
        ("007", 7),
        ("0", 0),
        ("-0", 0),
        ("000", 0),
        (" 12\t", 12),
        ("\u00a012\u2003\n", 12),
        ("9223372036854775807", 9223372036854775807),
        ("-9223372036854775808", -9223372036854775808),
        ("0" * 5000 + "1", 1),
    ],
)
def test_integers_are_read_as_people_and_spreadsheets_write_them(value: str, number: int) -> None:
    assert read_integer(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "abc", "1e5", "1.23E+15", "1.5", "123.", "12.000", "1.000", "1.00", "1.234", "123.01",
        ".0", "1_000", "1,000", "1 000", "+", "--5", "+ 5", "0x1F", "١٢٣",
        "１２", "9223372036854775808", "-9223372036854775809", "1" * 5000, "12\x00", "12\n13", "NULL ", "True",
        "²", "12.0.0",
    ],
)  # fmt: skip
def test_other_integers_are_unreadable(value: str) -> None:
    assert read_integer(value) is None


ISO = [
    ("2019-03-01 10:20:30", datetime(2019, 3, 1, 10, 20, 30)),
    ("2019-03-01T10:20:30", datetime(2019, 3, 1, 10, 20, 30)),
    ("2019-03-01 10:20", datetime(2019, 3, 1, 10, 20)),
    ("2019-03-01T10:20", datetime(2019, 3, 1, 10, 20)),
    ("2019-03-01", datetime(2019, 3, 1)),
    ("2019-03-01 10:20:30.5", datetime(2019, 3, 1, 10, 20, 30, 500_000)),
    ("2019-03-01 10:20:30.123456", datetime(2019, 3, 1, 10, 20, 30, 123_456)),
    ("2019-03-01 10:20:30.1234567", datetime(2019, 3, 1, 10, 20, 30, 123_457)),
    ("2019-03-01 10:20:30.12345649", datetime(2019, 3, 1, 10, 20, 30, 123_456)),
    ("2019-12-31 23:59:59.9999996", datetime(2020, 1, 1)),
    ("2020-02-29 00:00:00", datetime(2020, 2, 29)),
    ("2000-02-29", datetime(2000, 2, 29)),
    ("0001-01-01 00:00:00", datetime(1, 1, 1)),
    ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
    (" \u00a02019-03-01 10:20:30\n", datetime(2019, 3, 1, 10, 20, 30)),
]


@pytest.mark.parametrize("order", ["YMD", "DMY", "MDY"])
@pytest.mark.parametrize(("value", "moment"), ISO)
def test_iso_timestamps_without_an_offset_are_local_as_they_stand(value: str, moment: datetime, order: str) -> None:
    assert read_timestamp(value, zone=BERLIN, date_order=order) == moment


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2019-03-01\u00a010:20:30", datetime(2019, 3, 1, 10, 20, 30)),
        ("2019-03-01\u200910:20:30", datetime(2019, 3, 1, 10, 20, 30)),
        ("2019-03-01 10:20:30,5", datetime(2019, 3, 1, 10, 20, 30, 500_000)),
        ("2019-03-01 10:20:30,1234567", datetime(2019, 3, 1, 10, 20, 30, 123_457)),
        ("2019-03-01 24:00", datetime(2019, 3, 2)),
        ("2019-12-31T24:00:00", datetime(2020, 1, 1)),
        ("2019-12-31 24:00:00.000", datetime(2020, 1, 1)),
        ("\u200b2019-03-01\x1f 10:20:30\ufeff", datetime(2019, 3, 1, 10, 20, 30)),
        ("2019-03-01 10:20:30 UTC", datetime(2019, 3, 1, 11, 20, 30)),
        ("2019-07-01 10:20:30 GMT", datetime(2019, 7, 1, 12, 20, 30)),
        ("2019-07-01 24:00:00 UTC", datetime(2019, 7, 2, 2)),
        ("2019-07-01 10:20:30 +0100", datetime(2019, 7, 1, 11, 20, 30)),
        ("2019-07-01 10:20:30,25 -08:00", datetime(2019, 7, 1, 20, 20, 30, 250_000)),
    ],
)
def test_the_other_forms_that_exports_have(value: str, moment: datetime) -> None:
    assert read_timestamp(value, zone=BERLIN, date_order="YMD") == moment
    assert not PLAIN_TIMESTAMP.fullmatch(value)


@pytest.mark.parametrize(
    ("value", "is_none"),
    [
        ("1899-12-30 00:00:00", True),
        ("1900-01-01", True),
        ("1900-01-01T23:59:59.999999", True),
        ("1900-01-02", False),
        ("1753-01-01", True),
        ("0001-01-01", True),
        ("0001-01-01T00:00:00+05:00", True),
        ("9999-12-31", True),
        ("9999-12-31 23:59:59.9999999", True),
        ("9999-12-31 24:00:00", True),
        ("9999-12-31T23:59:59Z", True),
        ("9999-12-31T23:59:59-11", True),
        ("9999-12-30", False),
        ("31/12/9999", True),
        ("1/1/1900 10:00", True),
        ("1901-01-01", False),
        ("1899-02-30", False),
        ("9999-12-31 soon", False),
        ("soon", False),
    ],
)
def test_dates_that_stand_for_none(value: str, is_none: bool) -> None:
    assert stands_for_none(value, zone=BERLIN, date_order="DMY") == is_none
    assert not (is_none and PLAIN_OPTIONAL_TIMESTAMP.fullmatch(value))


@given(st.dates(date(1900, 1, 2), date(9999, 12, 30)))
def test_the_short_cut_of_optional_columns_takes_no_day_that_may_stand_for_none(day: date) -> None:
    assert bool(PLAIN_OPTIONAL_TIMESTAMP.fullmatch(f"{day}")) == (1901 <= day.year < 3000)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2019-07-01T10:00:00Z", datetime(2019, 7, 1, 12)),
        ("2019-01-01 10:00:00Z", datetime(2019, 1, 1, 11)),
        ("2019-07-01 10:00:00+02", datetime(2019, 7, 1, 10)),
        ("2019-07-01 10:00:00+0200", datetime(2019, 7, 1, 10)),
        ("2019-07-01 10:00:00+02:00", datetime(2019, 7, 1, 10)),
        ("2019-07-01 10:00+05:30", datetime(2019, 7, 1, 6, 30)),
        ("2019-07-01 10:00:00.25-08:00", datetime(2019, 7, 1, 20, 0, 0, 250_000)),
        ("2019-07-01 10:00:00-0030", datetime(2019, 7, 1, 12, 30)),
        ("2019-12-31T23:30:00Z", datetime(2020, 1, 1, 0, 30)),
        # The clocks of 27 October 2019 repeat 02:30; both instants read so locally.
        ("2019-10-27T00:30:00Z", datetime(2019, 10, 27, 2, 30)),
        ("2019-10-27T01:30:00Z", datetime(2019, 10, 27, 2, 30)),
    ],
)
def test_a_timestamp_with_an_offset_becomes_local_time_of_the_source(value: str, moment: datetime) -> None:
    assert read_timestamp(value, zone=BERLIN, date_order="YMD") == moment


def test_a_local_time_that_the_clocks_skip_is_kept_as_written() -> None:
    assert read_timestamp("2019-03-31 02:30:00", zone=BERLIN, date_order="YMD") == datetime(2019, 3, 31, 2, 30)


@pytest.mark.parametrize(
    ("value", "dmy", "mdy"),
    [
        ("03/04/2019", datetime(2019, 4, 3), datetime(2019, 3, 4)),
        ("3/4/2019", datetime(2019, 4, 3), datetime(2019, 3, 4)),
        ("3/4/2019 9:05", datetime(2019, 4, 3, 9, 5), datetime(2019, 3, 4, 9, 5)),
        ("03/04/2019 21:05:06", datetime(2019, 4, 3, 21, 5, 6), datetime(2019, 3, 4, 21, 5, 6)),
        ("03/04/2019 21:05:06.5", datetime(2019, 4, 3, 21, 5, 6, 500_000), datetime(2019, 3, 4, 21, 5, 6, 500_000)),
        ("3/4/2019 9:05 PM", datetime(2019, 4, 3, 21, 5), datetime(2019, 3, 4, 21, 5)),
        ("3/4/2019 9:05:07am", datetime(2019, 4, 3, 9, 5, 7), datetime(2019, 3, 4, 9, 5, 7)),
        ("3/4/2019 12:00 AM", datetime(2019, 4, 3), datetime(2019, 3, 4)),
        ("3/4/2019 12:00 pm", datetime(2019, 4, 3, 12), datetime(2019, 3, 4, 12)),
        ("31/12/2019", datetime(2019, 12, 31), None),
        ("12/31/2019", None, datetime(2019, 12, 31)),
        ("3/4/2019 13:00 PM", None, None),
        ("3/4/2019 0:30 AM", None, None),
        ("3/4/2019 24:00", datetime(2019, 4, 4), datetime(2019, 3, 5)),
        ("3/4/2019 23:30:01,5 UTC", datetime(2019, 4, 3, 23, 30, 1, 500_000), datetime(2019, 3, 4, 23, 30, 1, 500_000)),
        ("3/4/2019\u202f9:05\u00a0PM", datetime(2019, 4, 3, 21, 5), datetime(2019, 3, 4, 21, 5)),
        ("3/4/2019 24:00 AM", None, None),
        ("3/4/2019 UTC", None, None),
        ("3/4/19", None, None),
        ("2019/03/04", None, None),
        ("3-4-2019", None, None),
        ("3/4/2019T10:00", None, None),
        ("3/4/2019 10:00Z", None, None),
    ],
)
def test_slashes_follow_the_configured_order_and_are_unreadable_without_one(
    value: str, dmy: datetime | None, mdy: datetime | None
) -> None:
    read = {order: read_timestamp(value, zone=UTC, date_order=order) for order in ("YMD", "DMY", "MDY")}
    assert read == {"YMD": None, "DMY": dmy, "MDY": mdy}


UNLISTED = [
    "now", "epoch", "today", "infinity", "Mar 1 2019", "1 March 2019", "20190301", "20190301T102030", "2019-3-1",
    "19-03-01",
    "2019-03-01 1:02:03", "2019-03-01 10", "2019-03-01T10:20:30.", "2019-03-01 10:20:60",
    "2019-03-01 24:00:01", "2019-03-01 24:01", "2019-03-01 24:00:00.1", "2019-03-01 10:20,5", "2019-03-01 UTC",
    "2019-03-01 10:20:30 CET", "2019-03-01 10:20:30UTC", "2019-03-01T10:20:30+01:00[Europe/Paris]", "12019-03-01",
    "2019-03-01 10:20:30 utc", "2019-03-01 10:20:30  +01", "2019-02-29",
    "2019-02-30 10:00:00", "1900-02-29", "2019-04-31", "2019-13-01", "2019-00-01",
    "2019-01-00", "0000-01-01", "2019-03-01  10:20:30", "2019-03-01t10:20:30", "2019-03-01T10:20:30z",
    "2019-03-01Z", "2019-03-01 10:20:30+2", "2019-03-01 10:20:30+16:00",
    "2019-03-01 10:20:30+02:60", "2019-03-01 10:20:30+02:", "2019-03-01 10:20 PM", "2019-W09-5", "2019-060", "soon",
    "1551434430", "٢٠١٩-03-01", "2019-03-01 10:20:30 BC", "9999-12-31 23:59:59.9999999", "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+01:00", "+2019-03-01", "2019-03-01 10:20:30.1234567.5",
    "2019-03-01 10:20.1234567", "2019-03-01 10:20:30.1234567 ?",
]  # fmt: skip


@pytest.mark.parametrize("value", UNLISTED)
def test_no_other_form_of_a_timestamp_is_read(value: str) -> None:
    assert read_timestamp(value, zone=UTC, date_order="YMD") is None
    assert not PLAIN_TIMESTAMP.fullmatch(value)
    assert not PLAIN_TIMESTAMPS.fullmatch(f"2019-03-01\0{value}\0NULL")


def test_the_short_cut_knows_every_day_of_the_calendar_and_no_other() -> None:
    """Two whole leap cycles of a century and their borders: 1896 to 2004, each day 1 to 31 of each month."""
    real = {f"{datetime(1896, 1, 1) + timedelta(days=n):%Y-%m-%d}" for n in range(39812)}
    written = (f"{y}-{m:02}-{d:02}" for y in range(1896, 2005) for m in range(14) for d in range(33))
    assert {day for day in written if PLAIN_TIMESTAMP.fullmatch(day)} == real


@given(st.lists(st.sampled_from([value for value, _ in ISO if value == value.strip()] + UNLISTED + ["", "NULL"])))
def test_the_short_cut_takes_a_column_when_it_takes_each_value(values: list[str]) -> None:
    each = all(value in ("", "NULL", "NaN") or PLAIN_TIMESTAMP.fullmatch(value) for value in values)
    assert bool(PLAIN_TIMESTAMPS.fullmatch("\0".join(values))) == each


@given(st.text(alphabet="0123456789-+:. TZ/apmAPM", max_size=30))
def test_the_short_cut_takes_nothing_that_the_rules_do_not(value: str) -> None:
    if PLAIN_TIMESTAMP.fullmatch(value):
        assert read_timestamp(value, zone=UTC, date_order="YMD") is not None


@given(st.datetimes(timezones=st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/St_Johns")])))
def test_any_instant_written_with_its_offset_reads_as_the_same_instant(moment: datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    if offset % timedelta(minutes=1) or not 2 < moment.year < 9998:
        return
    read = read_timestamp(moment.isoformat(), zone=UTC, date_order="YMD")
    assert read == moment.astimezone(UTC).replace(tzinfo=None)
