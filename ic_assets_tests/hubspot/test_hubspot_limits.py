"""How far HubSpot's headers are believed, how long a 429 is borne, and what a portal's row allows. No clock, no HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ic_assets.core.masking import mask_addresses
from ic_assets.core.rate_budget import Standing
from ic_assets.hubspot.client.limits import OutOfPatience, Patience, next_midnight, rate_headers, retry_after
from ic_assets.hubspot.client.replies import Reply, parsed, problem


def headers(**values: str) -> httpx.Headers:
    return httpx.Headers(
        {f"X-HubSpot-RateLimit-{name.replace('_', '-')}": value.encode("latin-1") for name, value in values.items()}
    )


def test_the_documented_headers_are_believed() -> None:
    told = rate_headers(
        headers(Max="190", Interval_Milliseconds="10000", Daily="625000", Daily_Remaining="624999", Remaining="189")
    )
    assert (told.rps, told.interval, told.daily, told.daily_remaining, told.nonsense) == (19, 10, 625000, 624999, {})


@pytest.mark.parametrize(
    "values",
    [
        {"Max": "1", "Interval_Milliseconds": "100000000000"},
        {"Max": "1", "Interval_Milliseconds": "10000"},
        {"Max": "0", "Interval_Milliseconds": "10000"},
        {"Max": "-190", "Interval_Milliseconds": "10000"},
        {"Max": "nan", "Interval_Milliseconds": "10000"},
        {"Max": "1e9", "Interval_Milliseconds": "10000"},
        {"Max": "9" * 5000, "Interval_Milliseconds": "10000"},
        {"Max": "190", "Interval_Milliseconds": "0"},
        {"Max": "20", "Interval_Milliseconds": "60000"},
        {"Max": "\xb2", "Interval_Milliseconds": "10000"},
    ],
)
def test_a_rate_that_makes_no_sense_is_none(values: dict[str, str]) -> None:
    told = rate_headers(headers(**values))
    assert told.rps is None
    assert told.nonsense
    assert all(len(value) <= 40 for value in told.nonsense.values())


@pytest.mark.parametrize("remaining", ["-1", "625001", "inf", "99999999999999999999", "12.5", ""])
def test_a_rest_of_the_day_that_makes_no_sense_is_none(remaining: str) -> None:
    told = rate_headers(headers(Daily="625000", Daily_Remaining=remaining))
    assert (told.daily_remaining, list(told.nonsense)) == (None, ["Daily-Remaining"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("0", 0.0), ("1e11", 86_400.0), ("9" * 400, 86_400.0), ("-5", 0.0), ("nan", None), ("soon", None)],
)
def test_a_retry_after_is_at_most_a_day(text: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"Retry-After": text})) == seconds


def test_a_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=120)
    seconds = retry_after(httpx.Headers({"Retry-After": later.strftime("%a, %d %b %Y %H:%M:%S GMT")}))
    assert seconds is not None
    assert 110 < seconds <= 120


@pytest.mark.parametrize("zone", ["Europe/Berlin", "US/Eastern", "nowhere", "../../etc/passwd", "\x00"])
def test_a_day_ends_within_a_day_whatever_the_portal_calls_its_zone(zone: str) -> None:
    assert timedelta(0) < next_midnight(zone) - datetime.now(UTC) <= timedelta(hours=25)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def patient(clock: Clock) -> Patience:
    return Patience(clock=clock, spread=lambda low, _high: low)


def test_each_429_in_a_row_is_waited_out_longer_up_to_a_minute() -> None:
    clock = Clock()
    patience, waits = patient(clock), []
    for _ in range(9):
        waits.append(patience.refused(clock.now, 2.0))
        clock.now += waits[-1] or 0.0
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
    patience.taken(clock.now)
    assert patience.refused(clock.now, 2.0) == 2.0


def test_what_hubspot_asks_for_is_the_least_that_is_waited() -> None:
    assert patient(Clock()).refused(1000.0, 300.0) == 300.0


def test_requests_that_were_under_way_tell_nothing_new() -> None:
    clock = Clock()
    patience = patient(clock)
    assert patience.refused(999.0, 10.0) == 10.0
    clock.now += 0.2
    assert [patience.refused(at, 10.0) for at in (999.1, 999.2, 999.9)] == [None, None, None]
    patience.taken(999.95)  # nor does the answer to one of them end the row
    clock.now += 10
    assert patience.refused(clock.now, 10.0) == 20.0


def test_a_quarter_of_an_hour_of_nothing_but_429_is_enough() -> None:
    clock = Clock()
    patience = patient(clock)

    def go_on() -> None:
        while True:
            clock.now += (patience.refused(clock.now, 10.0) or 0.0) + 0.2

    with pytest.raises(OutOfPatience) as ended:
        go_on()
    assert 840 <= ended.value.seconds <= 900
    assert patience.in_a_row > 8


NOW = 1_000_000.0
ROW = Standing(10.0)


def test_a_rate_that_the_portal_told_counts_for_a_quarter_of_an_hour() -> None:
    told = replace(ROW, portal_rps=2.0, portal_rps_seen_at=NOW)
    assert [told.rate(10.0, NOW + later) for later in (0, 899, 901)] == [2.0, 2.0, 10.0]


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(ROW, portal_rps=1e-8),
        replace(ROW, portal_rps=1e-8, portal_rps_seen_at=NOW + 86_400),
        replace(ROW, slow_rps=1e-8, slow_until=NOW + 1e9),
        replace(ROW, next_at=NOW + 1e9, slots=(NOW + 1e9,)),
        replace(ROW, daily_remaining=0, daily_seen_at=NOW - 1000, daily_until=NOW + 1e9),
        replace(ROW, daily_remaining=0, daily_seen_at=NOW + 1000, daily_until=NOW + 1e9),
    ],
)
def test_what_somebody_else_or_another_clock_wrote_holds_nothing_up(spoilt: Standing) -> None:
    assert spoilt.pace(10.0, NOW).take(NOW)[1] == 0.0
    assert spoilt.left_today(NOW) is None


def test_the_pace_is_halved_for_a_minute_at_each_429_and_never_to_nothing() -> None:
    slower = ROW.slowed(10.0, NOW)
    assert [slower.rate(10.0, NOW + later) for later in (0, 59, 61)] == [5.0, 5.0, 10.0]
    for _ in range(20):
        slower = slower.slowed(10.0, NOW)
    assert slower.rate(10.0, NOW) == 0.5


def test_what_is_left_of_the_day_goes_down_with_what_was_sent_and_begins_anew_at_midnight() -> None:
    row = ROW.daily(NOW, 100, NOW + 200)
    assert row.left_today(NOW + 1) == 100
    # A reply that was written before our last requests says more; another application's requests make it say less.
    sent = replace(row, daily_remaining=90)
    assert sent.daily(NOW + 2, 98, NOW + 200).left_today(NOW + 2) == 90
    assert sent.daily(NOW + 2, 40, NOW + 200).left_today(NOW + 2) == 40
    # After a while, and when the limit was raised, the portal's word counts again, less what it may not have seen.
    assert sent.daily(NOW + 61, 98, NOW + 200, 3).left_today(NOW + 61) == 95
    assert sent.daily(NOW + 2, 500_000, NOW + 200, 3).left_today(NOW + 2) == 499_997
    assert row.left_today(NOW + 199) == 100
    assert row.left_today(NOW + 201) is None


def test_a_body_that_would_blow_up_or_is_no_object_is_an_empty_one() -> None:
    assert parsed(b'{"a": [1]}') == {"a": [1]}
    for body in (
        b"",
        b"[1]",
        b"null",
        b"<html>",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"a": [' + b"{}," * 600_000 + b"1]}",
    ):
        assert parsed(body) == {}


@pytest.mark.parametrize("errors", [None, 3, "x", [1, None, {"context": 5}, {"context": {"ids": "7"}}], {"a": 1}])
def test_errors_of_any_shape_are_read(errors: object) -> None:
    body = {"message": ["x"], "category": 7, "correlationId": "a\x00b", "context": [], "errors": errors}
    assert problem(body).correlation_id == "ab"
    assert all(one.words for one in Reply(207, {"errors": errors, "results": errors}).errors)


def test_masking_hostile_words_takes_no_time_and_leaves_no_address() -> None:
    text = "a" * 300_000 + " " + "a@" * 100_000 + "x " + "a.b@c-" * 50_000 + " ada.l@example.com"
    begun = datetime.now(UTC)
    assert mask_addresses(text).endswith(" a…@e….com")
    assert (datetime.now(UTC) - begun).total_seconds() < 2
