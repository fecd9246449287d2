"""The receiver's settings, where it may listen, budgets, and how it reads JSON in a hurry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic_assets.core.failures import Refused
from ic_assets.core.masking import mask
from ic_assets.core.receiving import Receiving
from ic_assets.inbox import exact_json, glance
from ic_assets.inbox.budgets import Budgets
from ic_assets.inbox.endpoints import ENDPOINTS, opened
from ic_assets.inbox.exact_json import NotJson
from ic_assets.inbox.reading_requests import base_of
from ic_assets_tests.receiver_cases import SECRETS


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IC_RECEIVE_PORT", "65536"),
        ("IC_RECEIVE_PORT", "three"),
        ("IC_RECEIVE_HOST", "example.com"),
        ("IC_RECEIVE_MAX_BYTES", "12"),
        ("IC_RECEIVE_HUBSPOT_RPS", "0"),
        ("IC_RECEIVE_RPS", "nan"),
        ("IC_RECEIVE_PROXIES", "proxy"),
        ("IC_PUBLIC_URL", "http://in.example.com"),
        ("IC_PUBLIC_URL", "https://in.example.com/?x=1"),
        ("IC_HUBSPOT_LEGACY_SIGNATURES", "v3"),
        ("IC_OWN_DOMAINS", "https://example.com"),
        ("IC_RECEIVE_SOURCES", "chargebe"),
        ("IC_RECEIVE_UNVERIFIED", "all"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(configured: pytest.MonkeyPatch, name: str, value: str) -> None:
    configured.setenv(name, value)
    with pytest.raises(Refused, match=name):
        opened(Receiving.from_env())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_it_does_not_listen_elsewhere_without_a_secret_for_each_endpoint(
    configured: pytest.MonkeyPatch, host: str
) -> None:
    configured.setenv("IC_RECEIVE_HOST", host)
    assert len(opened(Receiving.from_env())) == len(ENDPOINTS)
    for name in SECRETS:
        if name.endswith(("SECRETS", "SECRET", "KEYS", "DOMAINS")) and "CHARGEBEE" not in name:
            with configured.context() as without:
                without.delenv(name)
                with pytest.raises(Refused, match=name):
                    opened(Receiving.from_env())
    # One of the two ways of Chargebee is enough.
    configured.delenv("IC_CHARGEBEE_BASIC_AUTH")
    opened(Receiving.from_env())
    configured.delenv("IC_CHARGEBEE_WEBHOOK_SECRETS")
    with pytest.raises(Refused, match="IC_CHARGEBEE_BASIC_AUTH or IC_CHARGEBEE_WEBHOOK_SECRETS"):
        opened(Receiving.from_env())
    configured.setenv("IC_RECEIVE_SOURCES", "hubspot, jira")
    assert {one.endpoint.source for one in opened(Receiving.from_env())} == {"hubspot", "jira"}
    configured.setenv("IC_RECEIVE_UNVERIFIED", "jira")
    with pytest.raises(Refused, match="IC_RECEIVE_UNVERIFIED"):
        opened(Receiving.from_env())
    configured.setenv("IC_RECEIVE_HOST", "127.0.0.1")
    opened(Receiving.from_env())


def test_secrets_and_passwords_of_the_lists_are_masked(configured: pytest.MonkeyPatch) -> None:
    said = mask(
        "old:secret-of-last-year pass:word yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy whsec_MfKQ9r8GKYqTwjUPD8ILPZIo2LaLaSw0"
    )
    assert said == "… … … …"
    assert "secret-of-last-year" not in repr(Receiving.from_env())


def test_the_address_that_hubspot_signs_comes_from_the_setting_or_a_proxy_that_is_believed() -> None:
    forwarded = {
        "host": "evil.test",
        "x-forwarded-host": "evil.test, in.example.com",
        "x-forwarded-proto": "http, https",
    }
    scope = {"client": ("10.0.0.7", 1)}
    own = "http://127.0.0.1:3100"
    assert base_of(scope, forwarded, Receiving(), own) == own
    believed = Receiving(proxies=frozenset({"10.0.0.7"}))
    assert base_of(scope, forwarded, believed, own) == "https://in.example.com"
    assert base_of({"client": ("10.0.0.8", 1)}, forwarded, believed, own) == own
    assert base_of(scope, forwarded, Receiving(public_url="https://set.test"), own) == "https://set.test"


def test_a_budget_fills_again_at_its_pace() -> None:
    now = [100.0]
    budgets = Budgets({"a": 2.0, "b": 0.1}.__getitem__, lambda: now[0])
    assert [budgets.take("a") for _ in range(3)] == [0, 0, 1]
    assert [budgets.take("b") for _ in range(2)] == [0, 10]
    now[0] += 0.5
    assert [budgets.take("a") for _ in range(2)] == [0, 1]
    now[0] += 1000
    assert [budgets.take("a") for _ in range(3)] == [0, 0, 1]


TEXTS = st.text(st.sampled_from('a":{}[],1 \\é'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.booleans(), st.sampled_from([(",", ":"), (" , ", " : "), (",\n", ":\t")]))
def test_the_quick_reader_says_what_the_exact_one_does(value: object, ascii_only: bool, marks: tuple[str, str]) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=marks)
    assert json.loads(json.dumps(glance.value_of(text)[0], default=float)) == json.loads(text)
    listed = json.dumps([value, value], ensure_ascii=ascii_only, separators=marks)
    elements = glance.elements_of(f" {listed}\n")
    assert [own for _, own in elements] == [text, text]
    assert [exact_json.dumps(each) for each, _ in elements] == [exact_json.dumps(exact_json.loads(text))] * 2


@given(
    st.lists(st.tuples(TEXTS, VALUES), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([":", " :", ": ", "\n: "]),
)
def test_a_name_that_stands_twice_is_always_seen(pairs: list[tuple[str, object]], ascii_only: bool, colon: str) -> None:
    """Whatever the other names and texts hold."""
    written = [f"{json.dumps(name, ensure_ascii=ascii_only)}{colon}{json.dumps(value)}" for name, value in pairs]
    text = "{" + ",".join([*written, written[0]]) + "}"
    for read in (glance.value_of, glance.elements_of):
        with pytest.raises(NotJson, match="twice"):
            read(text)
        with pytest.raises(NotJson, match="twice"):
            read(f"[1, {text}]")


@pytest.mark.parametrize("text", ["[1 2]", "[1,]", "[,1]", "[", "[1", "[1]]", "[]x", "", " ", "[1,2}"])
def test_a_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotJson):
        glance.elements_of(text)


def test_an_empty_list_is_no_event() -> None:
    assert glance.elements_of(" [ ]\n") == []
