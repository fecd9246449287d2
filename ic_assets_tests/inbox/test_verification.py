"""The verifiers alone: official vectors, independent implementations, forgeries, rotation, windows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from ic_assets.core.failures import Refused
from ic_assets.inbox.verification.base import Arrived, Verdict, Verifier, judge
from ic_assets.inbox.verification.basic import Basic
from ic_assets.inbox.verification.github import BodySignature
from ic_assets.inbox.verification.hmac import StandardWebhooks
from ic_assets.inbox.verification.hubspot import HubSpot
from ic_assets.inbox.verification.write_key import WriteKey

NOW = 1_760_000_000.0
BODY = b'{"a": 1}'
SECRET = "whsec_MfKQ9r8GKYqTwjUPD8ILPZIo2LaLaSw0"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def arrive(
    headers: dict[str, str],
    body: bytes = BODY,
    *,
    at: float = NOW,
    method: str = "POST",
    target: str = "/in",
    base: str = "https://www.example.com",
) -> Arrived:
    return Arrived(method, target, {name.lower(): value for name, value in headers.items()}, body, at, base)


def told(verdict: Verdict) -> str:
    return verdict.by or verdict.reason


# Standard Webhooks


def signed(
    secret: str = SECRET, *, at: float = NOW, body: bytes = BODY, id: str = "msg_p5jXN8AQM9LWM0D4loKWxJek"
) -> dict[str, str]:
    """By the library that the specification's authors publish."""
    signature = Webhook(secret).sign(id, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(at)), "webhook-signature": signature}


def hmac_verifier(*secrets: str) -> StandardWebhooks:
    return StandardWebhooks(secrets or (SECRET,), "IC_X")


def test_a_secret_without_its_padding_passes_as_in_the_specifications_example() -> None:
    unpadded = "whsec_MfKQ9r8GKYqTwjUPD8ILPZIo2LaLaSw"
    assert told(hmac_verifier(unpadded).verify(arrive(signed(unpadded)))) == "hmac"


def test_what_the_publishers_library_signs_passes_under_each_secret_of_the_list() -> None:
    verifier = hmac_verifier(SECRET, OTHER)
    assert told(verifier.verify(arrive(signed(SECRET)))) == "hmac"
    assert told(verifier.verify(arrive(signed(OTHER)))) == "hmac"
    assert told(hmac_verifier(SECRET).verify(arrive(signed(OTHER)))) == "wrong_signature"


def test_one_good_signature_among_others_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"
    assert told(hmac_verifier().verify(arrive(headers))) == "hmac"


@pytest.mark.parametrize(
    ("ahead", "wanted"),
    [(-300, "hmac"), (-301, "too_old"), (300, "hmac"), (301, "from_the_future")],
)
def test_a_signed_time_holds_within_300_seconds_both_ways(ahead: int, wanted: str) -> None:
    assert told(hmac_verifier().verify(arrive(signed(at=NOW + ahead)))) == wanted


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_is_needed_and_signed(name: str) -> None:
    headers = signed()
    changed = {**headers, name: headers[name] + "0"}
    assert told(hmac_verifier().verify(arrive(changed))) == "wrong_signature"
    del headers[name]
    assert told(hmac_verifier().verify(arrive(headers))) == "no_signature"


def test_one_changed_byte_of_the_body_is_seen() -> None:
    assert told(hmac_verifier().verify(arrive(signed(), b'{"a": 2}'))) == "wrong_signature"


def test_time_and_body_cannot_be_cut_elsewhere_under_the_same_signature() -> None:
    """``id.time.body`` of one message read as another id: what was signed for a.1 at 5 would do for a at 1."""
    headers = signed(id="msg", body=b"1760000000.{}")
    moved = {**headers, "webhook-id": f"msg.{headers['webhook-timestamp']}", "webhook-timestamp": "1760000000"}
    assert told(hmac_verifier().verify(arrive(moved, b"{}"))) == "wrong_signature"


@pytest.mark.parametrize("time", ["", "now", "-1", "1e9", "1760000000.0", " 1760000000", "٣", "9" * 400])
def test_a_time_that_is_no_number_of_seconds_is_refused_even_where_it_is_signed(time: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    made = base64.b64encode(hmac.digest(key, f"m.{time}.".encode() + BODY, hashlib.sha256)).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": time, "webhook-signature": f"v1,{made}"}
    assert hmac_verifier().verify(arrive(headers)).by is None


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", "whsec_a"])
def test_a_secret_that_is_none_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(Refused, match="IC_X holds a secret") as refused:
        hmac_verifier(secret)
    assert secret not in str(refused.value)


# Basic


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_a_password_may_hold_colons_and_letters_of_any_script() -> None:
    verifier = Basic(["user:pa:ss", "old:alt-pässwort"], "IC_X")
    assert told(verifier.verify(arrive(basic("user:pa:ss")))) == "basic"
    assert told(verifier.verify(arrive(basic("old:alt-pässwort")))) == "basic"
    assert verifier.verify(arrive(basic("user:pa:ss"))).future_seconds == 600


@pytest.mark.parametrize(
    "headers",
    [
        basic("user:pa"),
        basic("user"),
        basic(""),
        basic("user:pa:ss "),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer dXNlcjpwYTpzcw=="},
        {"Authorization": "dXNlcjpwYTpzcw=="},
        {"Authorization": "Basic dXNlcjpwYTpzcw==, Basic dXNlcjpwYTpzcw=="},
    ],
)
def test_anything_else_is_a_wrong_signature(headers: dict[str, str]) -> None:
    assert told(Basic(["user:pa:ss"], "IC_X").verify(arrive(headers))) == "wrong_signature"


def test_no_header_is_no_signature() -> None:
    assert told(Basic(["user:pa:ss"], "IC_X").verify(arrive({}))) == "no_signature"


@pytest.mark.parametrize("pair", ["user", "user:", ":secret"])
def test_a_pair_that_is_none_is_refused_without_being_repeated(pair: str) -> None:
    with pytest.raises(Refused, match="IC_X") as refused:
        Basic([pair], "IC_X")
    assert "secret" not in str(refused.value)


# HubSpot

CLIENT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
DELIVERY = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
    b'"changeFlag":"NEW","appId":54321}]'
)
URI = "/webhook_uri"


def hubspot(*legacy: str, secrets: Sequence[str] = (CLIENT_SECRET,)) -> HubSpot:
    return HubSpot(secrets, legacy)


def old(version: str, digest: str) -> dict[str, str]:
    return {"X-HubSpot-Signature": digest, "X-HubSpot-Signature-Version": version}


def v3(target: str = URI, *, at: float = NOW, secret: str = CLIENT_SECRET, signed_target: str = "") -> dict[str, str]:
    time = str(int(at * 1000))
    message = f"POSThttps://www.example.com{signed_target or target}".encode() + DELIVERY + time.encode()
    made = base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()
    return {"X-HubSpot-Signature-v3": made, "X-HubSpot-Request-Timestamp": time}


def test_hubspots_own_vectors_pass() -> None:
    first = old("v1", "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de")
    assert told(hubspot("v1").verify(arrive(first, DELIVERY, target=URI))) == "hubspot_v1"
    get = old("v2", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e")
    assert told(hubspot("v2").verify(arrive(get, b"", target=URI, method="GET"))) == "hubspot_v2"
    post = old("v2", "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900")
    body = b'{"example_field":"example_value"}'
    assert told(hubspot("v2").verify(arrive(post, body, target=URI))) == "hubspot_v2"
    third = {
        "X-HubSpot-Signature-v3": "DxmVAjFNa2xfF3YgQjdZP6TNcok9k1oaH7UXombPtvw=",
        "X-HubSpot-Request-Timestamp": "1564113600000",
    }
    assert told(hubspot().verify(arrive(third, DELIVERY, target=URI, at=1564113600))) == "hubspot_v3"


def test_hubspots_own_library_agrees_on_v3() -> None:
    from hubspot.utils.signature import Signature

    time = str(int(NOW * 1000))
    made = Signature.get_signature(
        client_secret=CLIENT_SECRET,
        request_body=DELIVERY.decode(),
        signature_version="v3",
        http_method="POST",
        http_uri=f"https://www.example.com{URI}",
        timestamp=time,
    )
    headers = {"X-HubSpot-Signature-v3": made, "X-HubSpot-Request-Timestamp": time}
    assert told(hubspot().verify(arrive(headers, DELIVERY, target=URI))) == "hubspot_v3"


def test_the_old_versions_pass_only_where_they_are_named_and_sign_no_time() -> None:
    first = old("v1", hashlib.sha256(CLIENT_SECRET.encode() + DELIVERY).hexdigest())
    assert told(hubspot().verify(arrive(first, DELIVERY))) == "no_signature"
    assert told(hubspot("v2").verify(arrive(first, DELIVERY))) == "no_signature"
    assert hubspot("v1").verify(arrive(first, DELIVERY)).future_seconds == 300


def test_a_third_signature_is_judged_alone() -> None:
    first = old("v1", hashlib.sha256(CLIENT_SECRET.encode() + DELIVERY).hexdigest())
    assert told(hubspot("v1").verify(arrive({**first, **v3(secret="forged")}, DELIVERY))) == "wrong_signature"
    assert told(hubspot("v1").verify(arrive({**first, **v3(at=NOW - 999)}, DELIVERY, target=URI))) == "too_old"


@pytest.mark.parametrize(("ahead", "wanted"), [(-300, "hubspot_v3"), (-301, "too_old"), (301, "from_the_future")])
def test_hubspots_time_has_the_same_window(ahead: int, wanted: str) -> None:
    assert told(hubspot().verify(arrive(v3(at=NOW + ahead), DELIVERY, target=URI))) == wanted


@pytest.mark.parametrize(
    ("received", "what_hubspot_signs"),
    [
        ("/in?a=b%3Ac", "/in?a=b:c"),
        ("/in?a=%2f%2F%40", "/in?a=//@"),
        ("/in?a=b%3Ac", "/in?a=b%3Ac"),
        ("/in?a=%20%25", "/in?a=%20%25"),
        ("/in?q=%3Fx", "/in?q=?x"),
    ],
)
def test_the_uri_fits_with_hubspots_escapes_decoded_or_as_received(received: str, what_hubspot_signs: str) -> None:
    headers = v3(received, signed_target=what_hubspot_signs)
    assert told(hubspot().verify(arrive(headers, DELIVERY, target=received))) == "hubspot_v3"


def test_another_path_query_host_or_secret_is_a_forgery() -> None:
    good = v3()
    assert told(hubspot().verify(arrive(good, DELIVERY, target="/other"))) == "wrong_signature"
    assert told(hubspot().verify(arrive(good, DELIVERY, target=f"{URI}?x=1"))) == "wrong_signature"
    assert told(hubspot().verify(arrive(good, DELIVERY, target=URI, base="https://evil.test"))) == "wrong_signature"
    assert told(hubspot(secrets=["other"]).verify(arrive(good, DELIVERY, target=URI))) == "wrong_signature"
    assert told(hubspot(secrets=["other", CLIENT_SECRET]).verify(arrive(good, DELIVERY, target=URI))) == "hubspot_v3"
    del good["X-HubSpot-Request-Timestamp"]
    assert told(hubspot().verify(arrive(good, DELIVERY, target=URI))) == "no_signature"


# GitHub's way, write keys, several verifiers


def test_githubs_own_example_passes_and_sha1_does_not() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    verifier = BodySignature(["old", "It's a Secret to Everybody"])
    for name in ("X-Hub-Signature-256", "X-Hub-Signature"):
        assert told(verifier.verify(arrive({name: f"sha256={digest}"}, b"Hello, World!"))) == "sha256"
    assert told(verifier.verify(arrive({"X-Hub-Signature": f"sha256={digest}"}, b"Hello, World?"))) == "wrong_signature"
    sha1 = hmac.new(b"old", BODY, hashlib.sha1).hexdigest()
    assert told(verifier.verify(arrive({"X-Hub-Signature": f"sha1={sha1}"}))) == "wrong_signature"
    assert told(verifier.verify(arrive({}))) == "no_signature"


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        ("https://example.com", "write_key"),
        ("https://shop.example.com:8443", "write_key"),
        ("https://example.com.evil.test", "wrong_signature"),
        ("https://notexample.com", "wrong_signature"),
        ("null", "wrong_signature"),
        ("https://[", "wrong_signature"),
        ("", "wrong_signature"),
    ],
)
def test_a_write_key_counts_from_pages_of_own_domains(origin: str, wanted: str) -> None:
    verifier = WriteKey(["wk_old", "wk_1"], ["example.com"])
    assert told(verifier.verify(arrive({"X-Write-Key": "wk_1", "Origin": origin}))) == wanted
    assert told(verifier.verify(arrive({"X-Write-Key": "wk_2", "Origin": "https://example.com"}))) == "wrong_signature"


def test_one_verifier_that_passes_is_enough_and_none_lets_nobody_in() -> None:
    both: list[Verifier] = [Basic(["user:pass"], "IC_X"), hmac_verifier()]
    assert told(judge(arrive(basic("user:pass")), both)) == "basic"
    assert told(judge(arrive(signed()), both)) == "hmac"
    assert told(judge(arrive({**signed(at=NOW - 999), **basic("user:wrong")}), both)) == "too_old"
    assert told(judge(arrive({}), both)) == "no_signature"
    assert told(judge(arrive(basic("user:pass")), [])) == "no_verifier"


def test_what_is_signed_is_bytes_not_json() -> None:
    same_value = json.dumps({"a": 1}, separators=(",", ":")).encode()
    assert told(hmac_verifier().verify(arrive(signed(), same_value))) == "wrong_signature"
