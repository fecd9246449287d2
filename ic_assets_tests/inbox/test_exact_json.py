"""JSON without loss, and what of an event makes its envelope."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ic_assets.inbox import exact_json
from ic_assets.inbox.envelope import Arrival, enveloped, instant, read_plain
from ic_assets.inbox.exact_json import NotJson
from ic_assets_tests.inbox_cases import envelope


def test_numbers_stay_as_they_are_written() -> None:
    text = '{"a":0.1,"b":12345678901234567890.123456789,"c":1E+3,"d":100.00,"e":-7}'
    value = exact_json.loads(text)
    assert value == {
        "a": Decimal("0.1"),
        "b": Decimal("12345678901234567890.123456789"),
        "c": Decimal("1E+3"),
        "d": Decimal("100.00"),
        "e": -7,
    }
    assert exact_json.dumps(value) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1, "a": 2}', "a key stands twice in one object"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("[" * 200_000 + "]" * 200_000, "nested more than 100 deep"),
        ('{"secret": 1', "not JSON: Expecting ',' delimiter at character 13"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        ("", "not JSON: Expecting value at character 1"),
    ],
)
def test_what_is_not_json_says_why_without_the_content(text: str | bytes, why: str) -> None:
    with pytest.raises(NotJson) as caught:
        exact_json.loads(text)
    assert str(caught.value) == why


def test_canonical_json_does_not_depend_on_how_it_was_written() -> None:
    one = exact_json.loads('{"b": [1, {"z": "é", "y": null}], "a": true}')
    other = exact_json.loads('{"a":true,"b":[1,{"y":null,"z":"\\u00e9"}]}')
    assert exact_json.dumps(one, canonical=True) == exact_json.dumps(other, canonical=True)
    assert exact_json.dumps(one, canonical=True) == '{"a":true,"b":[1,{"y":null,"z":"é"}]}'


@pytest.mark.parametrize(
    "text", ['{"a":"x\\u0000y"}', '{"a":"\\ud800"}', '{"\\uDFFF":1}', '{"a":1e99999}', '{"a":1E-99999}']
)
def test_what_jsonb_cannot_hold_is_kept_as_text(text: str) -> None:
    value = exact_json.loads(text)
    kept = exact_json.for_jsonb(text, value)
    assert exact_json.loads(kept) == text
    assert exact_json.kept(kept) == value


@pytest.mark.parametrize("text", ['{"a":"\\\\u0000"}', '{"a":"\\ud83d\\ude00"}', '{"a":1e300}'])
def test_what_only_looks_so_is_kept_as_it_is(text: str) -> None:
    assert exact_json.for_jsonb(text, exact_json.loads(text)) == text


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456+02:00", datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        (1772366400000, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("1772366400123", datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T12:00:00", None),
        ("2026-02-30T12:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        (Decimal("1E+999999999"), None),
        ("NaN", None),
        (10**30, None),
    ],
)
def test_moments(value: Any, moment: datetime | None) -> None:
    assert instant(value) == moment


def test_in_files_a_time_without_an_offset_is_utc() -> None:
    assert instant("2026-03-01 12:00:00", naive_is_utc=True) == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_event_in_camel_case() -> None:
    found = envelope('{"topic":"t","eventId":17,"occurredAt":1772366400000}')
    assert (found.topic, found.event_id, found.reason) == ("t", "17", None)
    assert found.occurred_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"event_id":"1","occurred_at":"2026-03-01T12:00:00Z"}', "missing_topic"),
        ('{"topic":"t","occurred_at":"2026-03-01T12:00:00Z"}', "missing_id"),
        ('{"topic":"t","event_id":"1"}', "missing_time"),
        ('{"topic":"t","event_id":"1","occurred_at":"2026-03-01T12:00:00"}', "missing_time"),
        ('{"topic":"t","event_id":"a\\u0000b","occurred_at":"2026-03-01T12:00:00Z"}', "bad_id"),
        (f'{{"topic":"t","event_id":"{"x" * 513}","occurred_at":"2026-03-01T12:00:00Z"}}', "bad_id"),
        (f'{{"topic":"{"t" * 257}","event_id":"1","occurred_at":"2026-03-01T12:00:00Z"}}', "bad_topic"),
        ("[1, 2]", "not_an_object"),
        ("null", "not_an_object"),
    ],
)
def test_an_event_that_lacks_something_is_kept_with_the_reason(text: str, reason: str) -> None:
    found = envelope(text)
    assert found.reason == reason
    assert exact_json.kept(found.body) == exact_json.loads(text)


def test_the_same_content_without_an_id_has_the_same_id() -> None:
    one, other = envelope('{"b":1,"a":2}'), envelope('{"a": 2, "b": 1}')
    assert one.event_id == other.event_id == "sha256:d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772"


def test_a_topic_may_come_from_the_door() -> None:
    text = '{"event_id":"1","occurred_at":"2026-03-01T12:00:00Z"}'
    found = enveloped("shop", text, exact_json.loads(text), read_plain, Arrival("file", is_file=True, topic="added"))
    assert (found.topic, found.reason, found.verified_by) == ("added", None, "file")
