"""Texts and addresses as real exports have them, from the drop to the payload, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from ic_assets_tests.budget import examples
from ic_assets_tests.drops import bring_up_to_date, land, row, write_drop

IMAGE = "<p>Photo of the crack:</p><img src='data:image/png;base64,iVBORw0KGgo='><p>after the photo</p>"
TEXT_AS_ADDRESS = "<p>Dear Ada,</p><p>please find our quote</p>"
ROWS = [
    row(1, kind="Email", Comm_Email_Clean="ada@example.com;bob@example.com"),
    row(2, kind="Email", Comm_Action="Received", Comm_Email_Clean='"Grim, Bob" <bob@example.com>, cy@example.com'),
    row(3, kind="Email", Comm_Email_Clean="N/A"),
    row(4, kind="Email", Comm_Email_Clean=TEXT_AS_ADDRESS, Comm_Note=""),
    row(5, kind="Email", Comm_Email_Clean=TEXT_AS_ADDRESS),
    row(6, kind="Email", Comm_Email_Clean="n/a, bob@example.com"),
    row(7, kind="Email", Comm_Email_Clean="", Person_EmailAddress=""),
    row(11, kind="Letter", Comm_Subject="Contract of 3 May", Comm_Note="sent by courier"),
    row(12, kind="SMS", Comm_Subject="Delivery window", Comm_Note="Arriving 9-11"),
    row(13, kind="Letter", Comm_Subject="", Comm_Note="sent by courier"),
    row(21, kind="Note", Comm_Subject="", Comm_Note=r"{\rtf1\ansi Called the \b customer\b0 .\par}"),
    row(22, kind="Note", Comm_Subject="", Comm_Note="L&#39;offre &amp; la r&eacute;ponse, 5 &lt; 6"),
    row(23, kind="Note", Comm_Subject="", Comm_Note="> quoted\n>> twice\n<br>tail"),
    row(24, kind="Note", Comm_Subject="", Comm_Note="bell\x07 esc\x1b end"),
    row(25, kind="Note", Comm_Subject="", Comm_Note=IMAGE),
    row(26, kind="Note", Comm_Subject="", Comm_Note="<p>" + "<b>x" * 70_000 + "</p>"),
]


@pytest.fixture(scope="module")
def loaded(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    land(module_database, write_drop(tmp_path_factory.mktemp("drop") / "drop.csv", ROWS))
    bring_up_to_date(module_database)
    return module_database


def one(postgres_url: str, table: str, number: int) -> dict[str, Any]:
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute(
            f"SELECT to_jsonb(d) FROM staging.{table} AS d INNER JOIN staging.ic_communication_master AS m"
            " ON m.id = d.ic_communication_master_id WHERE m.comm_communicationid = %s".encode(),
            (number,),
        ).fetchone()
    assert found is not None
    result: dict[str, Any] = found[0]
    return result


@pytest.mark.parametrize(
    ("number", "address"),
    [
        (1, "ada@example.com; bob@example.com"),
        (2, "bob@example.com; cy@example.com"),
        (3, "ada.example@example.com"),
        (4, "ada.example@example.com"),
        (6, "bob@example.com"),
        (7, None),
    ],
)
def test_an_email_goes_to_the_valid_addresses(loaded: str, number: int, address: str | None) -> None:
    email = one(loaded, "ic_emails", number)
    ours, theirs = ("email_to_address", "email_from_address")[:: -1 if email["email_direction"] == "OUTGOING" else 1]
    assert (email[theirs], email[ours]) == (address, None)
    headers = email["hubspot_api_payload"]["properties"].get("hs_email_headers")
    if email["email_direction"] == "OUTGOING" and address:
        each = ", ".join(f'{{"email":"{one}"}}' for one in address.split("; ")).replace(", ", ",")
        assert headers == f'{{"to":[{each}]}}'


def test_a_text_in_place_of_an_address_is_the_body_where_there_is_none(loaded: str) -> None:
    assert one(loaded, "ic_emails", 4)["hubspot_api_payload"]["properties"]["hs_email_html"] == TEXT_AS_ADDRESS
    assert one(loaded, "ic_emails", 5)["email_body"] == "Note 5"


@pytest.mark.parametrize(
    ("table", "column", "number", "body"),
    [
        ("ic_postal_mail", "postal_mail_body", 11, "Contract of 3 May\n\nsent by courier"),
        ("ic_postal_mail", "body_preview", 11, "Contract of 3 May\n\nsent by courier"),
        ("ic_postal_mail", "postal_mail_body", 13, "sent by courier"),
        ("ic_communications", "communication_body", 12, "Delivery window\n\nArriving 9-11"),
    ],
)
def test_letters_and_messages_have_subject_and_note(
    loaded: str, table: str, column: str, number: int, body: str
) -> None:
    assert one(loaded, table, number)[column] == body


@pytest.mark.parametrize(
    ("number", "html"),
    [
        (21, "Called the customer."),
        (22, "L'offre &amp; la réponse, 5 &lt; 6"),
        (23, "&gt; quoted<br>&gt;&gt; twice<br><br>tail"),
        (24, "bell esc end"),
        (25, "<p>Photo of the crack:</p>[image left out]<p>after the photo</p>"),
    ],
)
def test_a_note_says_in_hubspot_what_its_text_says(loaded: str, number: int, html: str) -> None:
    assert one(loaded, "ic_notes", number)["hubspot_api_payload"]["properties"]["hs_note_body"] == html


def test_what_is_not_used_or_not_shown_is_warned_of(loaded: str) -> None:
    with psycopg.connect(loaded) as connection:
        warnings = connection.execute(
            "SELECT comm_communicationid, column_name, reason, raw_value FROM staging.ic_field_warning ORDER BY 1"
        ).fetchall()
    assert warnings == [
        (3, "comm_email_clean", "not_an_address", "N/A"),
        (5, "comm_email_clean", "not_an_address", TEXT_AS_ADDRESS),
        (6, "comm_email_clean", "not_an_address", "n/a, bob@example.com"),
        (25, "comm_note", "content_left_out", "1 x [image left out]"),
        (26, "comm_note", "html_as_text", "280,007 characters"),
    ]


PARTS = st.text(st.sampled_from("aZ9._+-@x'\"(),:;<> é\n"), max_size=12)
DOMAINS = st.sampled_from(
    ["example.com", "ex-ample.co.uk", "-x.com", "x-.com", "a--b.com", "xn--exmple-cua.com", "x.c", "x.9a", "1.2.3.4"]
    + [f"x.{name}" for name in SPECIAL_USE_DOMAIN_NAMES]
    + [name.upper() for name in SPECIAL_USE_DOMAIN_NAMES]
    + ["b" * 64 + ".com", "a.b" * 20 + ".com"]
)


@given(st.lists(PARTS | st.builds("{}@{}".format, PARTS, DOMAINS), min_size=100, max_size=300))
@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_postgresql_takes_for_an_address_the_library_takes_as_it_is(loaded: str, texts: list[str]) -> None:
    with psycopg.connect(loaded) as connection:
        taken = connection.execute(
            "SELECT value FROM jsonb_array_elements_text(%s) AS value WHERE staging.ic_is_address(value)",
            (Jsonb(texts),),
        ).fetchall()
    for (text,) in taken:
        try:
            found = validate_email(text, check_deliverability=False)
        except EmailNotValidError as error:
            raise AssertionError(text) from error
        assert found.normalized.lower() == text.lower()
