"""What people type where an e-mail address is asked for."""

from __future__ import annotations

import time

import pytest

from ic_assets.activities.engine.derivatives.addresses import read_addresses


@pytest.mark.parametrize(
    ("text", "addresses", "is_all"),
    [
        ("ada@example.com", ("ada@example.com",), True),
        ("ada@example.com;bob@example.com", ("ada@example.com", "bob@example.com"), True),
        ("ada@example.com, bob@example.com", ("ada@example.com", "bob@example.com"), True),
        ("ada@example.com\r\nbob@example.com\n", ("ada@example.com", "bob@example.com"), True),
        ("bob@example.com; bob@example.com", ("bob@example.com",), True),
        ("Bob Grim <bob@example.com>", ("bob@example.com",), True),
        ('"Quill, Ada" <ada@example.com>, bob@example.com', ("ada@example.com", "bob@example.com"), True),
        ("ADA@Example.COM ", ("ADA@Example.COM",), True),
        ("ada@exämple.com", ("ada@exämple.com",), True),
        ("mailto:ada@example.com", (), False),
        ("N/A", (), False),
        ("ada@example", (), False),
        ("ada @example.com", (), False),
        ("'ada@example.com'", (), False),
        ("/O=ORG/OU=EXCHANGE/CN=RECIPIENTS/CN=AQUILL", (), False),
        ('a"b\\c@example.com', (), False),
        ("n/a; bob@example.com", ("bob@example.com",), False),
        ("ada@example.test", (), False),
        (" ; ,", (), True),
    ],
)
def test_valid_addresses_are_taken_as_written_and_in_order(text: str, addresses: tuple[str, ...], is_all: bool) -> None:
    read = read_addresses(text)
    assert (read.addresses, read.is_all, read.is_text) == (addresses, is_all, False)


@pytest.mark.parametrize("text", ["<p>Dear Ada,</p><p>please find our quote</p>", "Dear Ada, " + "please call " * 30])
def test_what_a_person_wrote_is_a_text(text: str) -> None:
    assert read_addresses(text).is_text


def test_a_long_list_of_addresses_is_no_text() -> None:
    read = read_addresses("; ".join(f"person{number}@example.com" for number in range(30)))
    assert (len(read.addresses), read.is_all, read.is_text) == (30, True, False)


@pytest.mark.parametrize("hostile", ["a", "a@", "<", "<a", '"', '",', "a.", "@", ";", " <x>", "<p>"])
def test_hostile_text_is_read_in_linear_time(hostile: str) -> None:
    started = time.perf_counter()
    read_addresses(hostile * (400_000 // len(hostile)))
    assert time.perf_counter() - started < 10
