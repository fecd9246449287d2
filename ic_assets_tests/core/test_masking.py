"""What may leave: no secret, no connection string with its password, no row, whatever the text around them."""

from __future__ import annotations

import pytest

from ic_assets.core.failures import Refused
from ic_assets.core.masking import MASK, mask
from ic_assets.core.settings import Alerts, Execution, Settings
from ic_assets.resources.services import libpq_url

TOKEN = "a-token-of-no-known-shape"
PASSWORD = "s3cret word[%"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv("IC_POSTGRES_URL", "postgresql://crm:s3cret%20word%5B%25@db.example.com/crm")
    monkeypatch.setenv("IC_CELERY_BROKER", "redis://:brokers-word@broker.example.com:6379/0")


@pytest.mark.parametrize(
    "text",
    [
        f"Illegal header value b'Bearer {TOKEN}'",
        f"cannot read 'postgresql://crm:{PASSWORD}@db.example.com/crm'",
        'invalid percent-encoded token: "s3cret%20word%5B%25"',
        "Cannot connect to redis://:brokers-word@broker.example.com:6379/0",
        "postgresql://crm:another@word@db.example.com/crm?sslmode=require",
        "host=db password=another-word sslmode=require",
        "postgresql://db.example.com/crm?user=crm&password=another-word",
        "Authorization: Bearer another-word",
        "token pat-na1-01234567-89ab-cdef-0123-another-word"[:49],
    ],
)
def test_no_secret_leaves(text: str) -> None:
    shown = mask(f"before\n{text}\nafter")
    for secret in (TOKEN, PASSWORD, "s3cret", "brokers-word", "another", "01234567"):
        assert secret not in shown
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter")
    assert MASK in shown


def test_no_row_leaves_with_what_postgresql_or_sqlalchemy_say() -> None:
    said = (
        'psycopg.errors.CheckViolation: new row for relation "t" violates check constraint "c"\n'
        "DETAIL:  Failing row contains (1, Dear Ada,\n\nI am ill., 2020).\n"
        'CONTEXT:  COPY t, line 1: "1,Dear Ada"\n'
    )
    assert mask(said) == 'psycopg.errors.CheckViolation: new row for relation "t" violates check constraint "c"'
    wrapped = "(psycopg2.errors.X) no\nDETAIL:  (Dear Ada)\n\n[SQL: INSERT INTO t]\n[parameters: {'a': 'Dear Ada]'}]\n"
    assert "Ada" not in mask(f"{wrapped}(Background on this error at: https://sqlalche.me/e/20/gkpj)")
    assert "[SQL: INSERT INTO t]" in mask(wrapped)


@pytest.mark.parametrize(
    "text",
    [
        "Dagster's UI:  http://127.0.0.1:3000, write to ada@example.com",
        "HubSpot does not answer (ConnectError); check HUBSPOT_BASE_URL and try again",
        "line 3: the password column is empty",
        "IC_POSTGRES_URL: crm on db.example.com:5432 is PostgreSQL 14; 15 or newer is needed",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


# -- checked when they are read ----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["first\nsecond", "first\r\nX-Other: 1", "first second", "first\x00", "fïrst"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_repeated(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "\x00" not in value:  # the environment holds none
        monkeypatch.setenv("HUBSPOT_TOKEN", value)
        with pytest.raises(Refused, match="HUBSPOT_TOKEN") as refused:
            Settings.from_env()
        assert "first" not in str(refused.value)
        assert "second" not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    ["with space", "nul%00byte", "br[acket", "br]acket", "new\nline", "per%cent", "sla/sh", "ha#sh", "tab\tbed"],
)
def test_an_address_whose_password_is_not_escaped_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(Refused, match="IC_POSTGRES_URL") as refused:
        libpq_url(f"postgresql://crm:{password}@db.example.com/crm")
    assert "\n" not in str(refused.value)
    for word in ("space", "byte", "acket", "line", "per%cent", "sla/sh", "ha#sh", "bed"):
        assert word not in str(refused.value).replace("a space is %20", "")


@pytest.mark.parametrize(
    "rest", ["db.example.com:notaport/crm", "[::1/crm", "db/crm?nosuch=word", "db/crm?password=%zz"]
)
def test_an_address_that_libpq_cannot_read_is_refused_without_it(rest: str) -> None:
    with pytest.raises(Refused, match="IC_POSTGRES_URL") as refused:
        libpq_url(f"postgresql://crm:secret-word@{rest}")
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUBSPOT_BASE_URL", "ftp://user:secret-word@hub.example.com"),
        ("HUBSPOT_BASE_URL", "http://user:secret-word@[hub"),
        ("HUBSPOT_BASE_URL", "http://user:secret-word@hub.example.com/a b"),
        ("IC_CELERY_BROKER", "redis://:secret-word@broker\nX"),
        ("IC_ALERT_WEBHOOK_URL", "https://hooks.example.com/secret-word\nX"),
    ],
)
def test_other_addresses_that_hold_secrets_are_not_repeated_either(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    reads = {"IC_CELERY_BROKER": Execution.from_env, "IC_ALERT_WEBHOOK_URL": Alerts.from_env}
    with pytest.raises(Refused, match=name) as refused:
        reads.get(name, Settings.from_env)()
    assert "secret-word" not in str(refused.value)
