"""The receiver as a process, over real HTTP and a real database: what it keeps, what it refuses, and what it says of that."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from ic_assets_tests.receiver_cases import (
    HUBSPOT_SECRET,
    ORIGIN,
    OTHER_USER,
    OTHER_WEBHOOK_SECRET,
    PAYMENTS,
    SECRETS,
    WEBHOOK_SECRET,
    WRITE_KEY,
    Running,
    basic,
    github,
    hubspot_event,
    hubspot_old,
    hubspot_v3,
    payment,
    receiving,
    standard,
    text,
)

GENERAL, LEGACY, CONTACTS = "/Hubspot/Webhooks/General", "/Hubspot/Webhooks/", "/Hubspot/ContactWebhooks/"
MARK = "body-that-no-log-may-hold"


@pytest.fixture(scope="module")
def receiver(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with receiving(tmp_path_factory.mktemp("receiver"), module_database, **SECRETS) as running:
        yield running


@pytest.fixture
def rows(module_database: str) -> Iterator[Any]:
    """Looks events up by their id."""
    with psycopg.connect(module_database, autocommit=True) as connection:

        def find(event_id: str) -> list[tuple[Any, ...]]:
            return connection.execute(
                "SELECT source, topic, occurred_at, verified_by, body::text, state, reason FROM inbox.event"
                " WHERE event_id = %s",
                (event_id,),
            ).fetchall()

        yield find


@pytest.fixture
def stored(module_database: str) -> Iterator[Any]:
    """How many events are stored."""
    with psycopg.connect(module_database, autocommit=True) as connection:
        yield lambda: connection.execute("SELECT count(*) FROM inbox.event").fetchone()


def test_an_event_is_there_when_it_is_answered_and_its_numbers_are_as_they_were_sent(
    receiver: Running, rows: Any
) -> None:
    body = (
        b' {"id":"ev_exact" , "occurred_at":1790000000,"api_version":"v2","event_type":"payment_succeeded",'
        b'"content":{"a":1.10,"b":12345678901234567890.123456789012345678,"c":1e2,"d":"\xc5\xbb\\u00f3\xc5\x82\xc4\x87"}}\n'
    )
    answer = receiver.post(PAYMENTS, body, {**basic(), "Content-Type": "application/json; charset=UTF-8"})
    assert (answer.status_code, answer.json()) == (200, {"stored": 1, "known": 0})
    ((source, topic, occurred_at, verified_by, kept, state, reason),) = rows("ev_exact")
    assert (source, topic, verified_by, state, reason) == (
        "chargebee",
        "payment_succeeded",
        "basic",
        "new",
        None,
    )
    assert occurred_at.timestamp() == 1790000000
    assert '"a": 1.10' in kept
    assert '"b": 12345678901234567890.123456789012345678' in kept
    assert '"c": 100,' in kept
    assert '"d": "Żółć"' in kept


def test_a_known_event_is_stored_once_and_another_content_of_its_id_is_kept_beside(
    receiver: Running, rows: Any, module_database: str
) -> None:
    event = payment("twice")
    assert receiver.post(PAYMENTS, text(event), basic()).json() == {"stored": 1, "known": 0}
    same = json.dumps(event, indent=1, sort_keys=True)
    assert receiver.post(PAYMENTS.rstrip("/"), same, basic(OTHER_USER)).json() == {"stored": 0, "known": 1}
    event["content"]["subscription"]["mrr"] = 1
    assert receiver.post(PAYMENTS, text(event), basic()).status_code == 200
    assert len(rows("ev_twice")) == 1
    with psycopg.connect(module_database) as connection:
        kept = connection.execute(
            "SELECT d.body #>> '{content,subscription,mrr}' FROM inbox.duplicate AS d JOIN inbox.event AS e"
            " ON d.event = e.id WHERE e.event_id = 'ev_twice'"
        ).fetchall()
    assert kept == [("1",)]


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET])
def test_a_relay_that_signs_gets_in_by_each_secret_and_a_replay_of_it_is_a_duplicate(
    receiver: Running, rows: Any, secret: str
) -> None:
    body = text(payment(f"relay{secret[-3:-1]}"))
    headers = standard(body, secret=secret)
    Webhook(secret).verify(body, headers)  # the specification's own library agrees
    assert receiver.post(PAYMENTS, body, headers).json() == {"stored": 1, "known": 0}
    assert receiver.post(PAYMENTS, body, headers).json() == {"stored": 0, "known": 1}
    assert [row[3] for row in rows(f"ev_relay{secret[-3:-1]}")] == ["hmac"]


GOOD = text(payment("refused", note=MARK))
DEEP = b'{"id":"ev_refused","a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BOMB = gzip.compress(b'{"a":"' + b"x" * 50_000_000 + b'"}')
REFUSED: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no signature": (GOOD, {}, 401, "no_signature"),
    "a wrong password": (GOOD, basic("chargebee:wrong"), 401, "wrong_signature"),
    "another secret": (GOOD, standard(GOOD, secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 401, "wrong_signature"),
    "another body": (GOOD + b" ", standard(GOOD), 401, "wrong_signature"),
    "an old one": (GOOD, standard(GOOD, at=time.time() - 100_000), 401, "too_old"),
    "from the future": (GOOD, standard(GOOD, at=time.time() + 100_000), 401, "from_the_future"),
    "no JSON": (MARK.encode(), basic(), 400, "JSON"),
    "nothing": (b"", basic(), 400, "JSON"),
    "cut": (GOOD[:-5], basic(), 400, "JSON"),
    "more behind it": (GOOD + GOOD, basic(), 400, "JSON"),
    "NaN": (b'{"id":"ev_refused","x":NaN}', basic(), 400, "NaN"),
    "Infinity": (b'{"id":"ev_refused","x":-Infinity}', basic(), 400, "Infinity"),
    "a key twice": (b'{"id":"ev_refused","x":1,"x":2}', basic(), 400, "twice"),
    "a key twice, once escaped": (b'{"id":"ev_refused","x":1,"\\u0078":2}', basic(), 400, "twice"),
    "a key twice, blanks before colons": (b'{"x" :1,"x" :2,"s":"\\":"}', basic(), 400, "twice"),
    "deep": (DEEP, basic(), 400, "deep"),
    "no UTF-8": (b'{"id":"\xff"}', basic(), 400, "UTF-8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), basic(), 400, "UTF-8"),
    "another charset": (GOOD, {**basic(), "Content-Type": "application/json; charset=cp1250"}, 400, "charset"),
    "another encoding": (GOOD, {**basic(), "Content-Encoding": "br"}, 415, "encoding"),
    "gzip that is none": (GOOD, {**basic(), "Content-Encoding": "gzip"}, 400, "gzip"),
    "gzip that is cut": (gzip.compress(GOOD)[:-9], {**basic(), "Content-Encoding": "gzip"}, 400, "gzip"),
    "a gzip bomb": (BOMB, {**basic(), "Content-Encoding": "gzip"}, 413, "unpacked"),
    "too large": (b'{"a":"' + b"x" * (1 << 20) + b'"}', basic(), 413, "bytes"),
    "a form": (b"id=1&event_type=x", {**basic(), "Content-Type": "application/x-www-form-urlencoded"}, 400, "JSON"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_in_one_line_and_nothing_of_it_is_kept(
    receiver: Running, stored: Any, what: str
) -> None:
    body, headers, status, why = REFUSED[what]
    before = stored()
    answer = receiver.post(PAYMENTS, body, headers)
    assert answer.status_code == status
    assert stored() == before
    (line,) = receiver.lines(answer.headers["x-request-id"])
    assert f"status={status}" in line
    assert "source='chargebee'" in line
    assert why in line
    assert MARK not in receiver.log + answer.text


def test_a_body_without_an_announced_length_is_bounded_as_well(receiver: Running, stored: Any) -> None:
    before = stored()

    def parts() -> Iterator[bytes]:
        yield b'{"a":"'
        for _ in range(40):
            yield b"x" * 65_536

    try:
        answer = receiver.client.post(receiver.url + PAYMENTS, content=parts(), headers=basic())
        assert answer.status_code == 413
    except httpx.WriteError:  # it is not read to its end
        pass
    assert stored() == before


@pytest.mark.parametrize("count", [200, 10_000])
def test_a_head_of_too_many_lines_is_refused_and_others_are_served(receiver: Running, count: int) -> None:
    port = int(receiver.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        lines = "".join(f"X-{number}: a\r\n" for number in range(count))
        connection.sendall(f"POST {PAYMENTS} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())
        first = connection.recv(65_536).split(b"\r\n")[0]
    assert first in (b"HTTP/1.1 431 Request Header Fields Too Large", b"HTTP/1.1 431 ", b"HTTP/1.1 400 Bad Request")
    assert receiver.client.get(f"{receiver.url}/health").status_code == 200


def test_a_drop_now_and_then_is_cut_off_while_others_are_served(receiver: Running) -> None:
    port = int(receiver.url.rpartition(":")[2])
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            for byte in b"POST / HTTP/1.1\r\nX-Slow: " + b"a" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
                assert receiver.client.get(f"{receiver.url}/health").status_code == 200
        except (ConnectionError, OSError):
            pass
    assert 4 < time.monotonic() - begun < 9


def test_unknown_paths_and_methods_are_told(receiver: Running) -> None:
    answer = receiver.post("/nowhere", b"{}", basic())
    assert answer.status_code == 404
    assert "status=404" in receiver.lines(answer.headers["x-request-id"])[0]
    assert receiver.client.get(receiver.url + PAYMENTS, headers=basic()).status_code == 405
    assert receiver.post(PAYMENTS + "//", b"{}", basic()).status_code == 404


def test_gzip_is_taken_whether_the_packed_or_the_plain_bytes_were_signed(receiver: Running, rows: Any) -> None:
    for name, signs_packed in (("packed", True), ("plain", False)):
        body = text(payment(name))
        packed = gzip.compress(body)
        headers = {**standard(packed if signs_packed else body), "Content-Encoding": "gzip"}
        assert receiver.post(PAYMENTS, packed, headers).json() == {"stored": 1, "known": 0}
        assert len(rows(f"ev_{name}")) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (payment("future", occurred_at=int(time.time()) + 3600), "from_the_future"),
        (payment("v1", api_version="v1"), "api_version"),
        (payment("typeless", event_type=None), "bad_envelope"),
        (payment("timeless", occurred_at="yesterday"), "bad_envelope"),
        (payment("flat", content=[]), "bad_content"),
    ],
)
def test_an_event_that_no_flow_could_take_is_kept_aside_with_its_reason(
    receiver: Running, rows: Any, event: dict[str, Any], reason: str
) -> None:
    assert receiver.post(PAYMENTS, text(event), basic()).json() == {"stored": 1, "known": 0}
    ((*_, state, found),) = rows(event["id"])
    assert (state, found) == ("set_aside", reason)


def test_an_event_without_an_id_is_kept_under_a_digest_of_its_content(receiver: Running, module_database: str) -> None:
    event = payment("", id=None, content={"rate": 1.50})
    assert receiver.post(PAYMENTS, text(event), basic()).json() == {"stored": 1, "known": 0}
    assert receiver.post(PAYMENTS, text(event), basic()).json() == {"stored": 0, "known": 1}
    with psycopg.connect(module_database) as connection:
        found = connection.execute(
            "SELECT event_id LIKE 'sha256:%', reason FROM inbox.event WHERE body @> '{\"content\": {\"rate\": 1.5}}'"
        ).fetchall()
    assert found == [(True, "bad_envelope")]


def test_what_jsonb_cannot_hold_is_kept_as_text(receiver: Running, rows: Any) -> None:
    body = text(payment("nul"))[:-1] + b', "x": "a\\u0000b", "y": "\\ud800", "z": 1e-99999}'
    assert receiver.post(PAYMENTS, body, basic()).json() == {"stored": 1, "known": 0}
    ((_, topic, *_, kept, _, _),) = rows("ev_nul")
    assert topic == "subscription_changed"
    assert json.loads(kept).encode() == body


# HubSpot


def element_id(event: dict[str, Any]) -> str:
    said = {name: value for name, value in event.items() if name not in ("attemptNumber", "subscriptionId")}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.md5(canonical.encode()).hexdigest()


def post_hubspot(receiver: Running, path: str, events: Any) -> httpx.Response:
    body = events if isinstance(events, bytes) else text(events)
    return receiver.post(path, body, hubspot_v3(path, body))


def test_a_delivery_is_a_row_for_each_event_and_a_retry_of_it_is_known(receiver: Running, rows: Any) -> None:
    events = [hubspot_event(number, propertyValue="Żółć") for number in range(1, 101)]
    assert post_hubspot(receiver, GENERAL, events).json() == {"stored": 100, "known": 0}
    again = [{**event, "attemptNumber": 3, "subscriptionId": 9} for event in events[50:]] + [hubspot_event(101)]
    assert post_hubspot(receiver, f"{GENERAL}?a=b%2Fc", again).json() == {"stored": 1, "known": 50}
    ((source, topic, occurred_at, verified_by, kept, _, reason),) = rows(element_id(events[7]))
    assert (source, topic, verified_by, reason) == (
        "hubspot",
        "hubspot_general_webhook.company.propertyChange",
        "hubspot_v3",
        None,
    )
    assert int(occurred_at.timestamp() * 1000) == events[7]["occurredAt"]
    assert json.loads(kept) == events[7]
    assert rows(element_id(again[0]))[0][4] == rows(element_id(events[50]))[0][4]


def test_an_element_that_is_no_event_is_kept_as_unknown_beside_the_others(
    receiver: Running, module_database: str
) -> None:
    odd = [hubspot_event(111, subscriptionType="planet.creation"), "text", hubspot_event(112)]
    assert post_hubspot(receiver, GENERAL, odd).json() == {"stored": 3, "known": 0}
    with psycopg.connect(module_database) as connection:
        found = connection.execute(
            "SELECT topic, state FROM inbox.event WHERE body = '\"text\"' OR body @> '{\"eventId\": 111}' ORDER BY id"
        ).fetchall()
    assert found == [("hubspot_general_webhook.planet.creation", "unknown_topic"), (None, "unknown_topic")]


def test_a_single_object_counts_as_a_list_of_one_and_an_empty_list_is_nothing(receiver: Running, stored: Any) -> None:
    assert post_hubspot(receiver, LEGACY, hubspot_event(201)).json() == {"stored": 1, "known": 0}
    before = stored()
    assert post_hubspot(receiver, LEGACY, []).json() == {"stored": 0, "known": 0}
    assert stored() == before


def test_a_delivery_with_one_unreadable_event_is_refused_as_a_whole(receiver: Running, stored: Any) -> None:
    before = stored()
    body = text([hubspot_event(301)])[:-1] + b',{"a":1,"a":2}]'
    assert post_hubspot(receiver, GENERAL, body).status_code == 400
    assert stored() == before


@pytest.mark.parametrize(
    "lacking",
    [
        {"objectId": None},
        {"objectId": -1},
        {"objectId": 1.5},
        {"objectId": 1 << 63},
        {"subscriptionType": 7},
        {"portalId": None},
        {"occurredAt": "soon"},
        {"occurredAt": 1_000_000},
        {"subscriptionType": "company.merge", "objectId": 5},
        {"subscriptionType": "company.associationChange", "fromObjectId": 5, "objectId": None},
    ],
    ids=json.dumps,
)
def test_an_element_that_does_not_say_what_happened_to_which_record_is_set_aside(
    receiver: Running, rows: Any, lacking: dict[str, Any]
) -> None:
    event = {name: value for name, value in (hubspot_event(401) | lacking).items() if value is not None}
    assert post_hubspot(receiver, GENERAL, [event]).json() == {"stored": 1, "known": 0}
    ((*_, state, reason),) = rows(element_id(event))
    assert (state, reason) == ("set_aside", "missing_field")


def test_an_association_needs_both_ends_a_merge_its_primary_and_digits_are_ids(receiver: Running, rows: Any) -> None:
    plain = hubspot_event(501)
    del plain["objectId"]
    both = {**plain, "subscriptionType": "company.associationChange", "fromObjectId": 5, "toObjectId": "7"}
    merge = {**plain, "subscriptionType": "company.merge", "primaryObjectId": "123"}
    assert post_hubspot(receiver, GENERAL, [both, merge]).json() == {"stored": 2, "known": 0}
    assert [rows(element_id(event))[0][6] for event in (both, merge)] == [None, None]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_old_signatures_open_the_old_endpoint_alone_and_no_event_of_the_future(
    receiver: Running, stored: Any, rows: Any, version: str
) -> None:
    event = hubspot_event(600, propertyValue=version)
    body = text([event])
    assert receiver.post(LEGACY, body, hubspot_old(version, LEGACY, body)).json() == {"stored": 1, "known": 0}
    assert rows(element_id(event))[0][3] == f"hubspot_{version}"
    before = stored()
    body = text([hubspot_event(601, propertyValue=version)])
    assert receiver.post(GENERAL, body, hubspot_old(version, GENERAL, body)).status_code == 401
    body = text([hubspot_event(602), hubspot_event(603, occurredAt=int((time.time() + 400) * 1000))])
    answer = receiver.post(LEGACY, body, hubspot_old(version, LEGACY, body))
    assert (answer.status_code, answer.json()) == (401, {"error": "from_the_future"})
    assert stored() == before


def test_a_host_header_moves_no_signature(receiver: Running) -> None:
    body = text([hubspot_event(701)])
    forged = hubspot_v3(GENERAL, body, base="http://evil.test")
    extra = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"}
    assert receiver.post(GENERAL, body, {**forged, **extra}).status_code == 401
    assert receiver.post(GENERAL, body, {**hubspot_v3(GENERAL, body), **extra}).status_code == 200


def test_another_object_at_the_contacts_endpoint_is_kept_and_told(receiver: Running) -> None:
    answer = post_hubspot(receiver, CONTACTS, [hubspot_event(801)])
    assert answer.json() == {"stored": 1, "known": 0}
    assert "wrong_endpoint" in receiver.lines(answer.headers["x-request-id"])[0]


def test_an_old_or_forged_delivery_is_refused(receiver: Running, stored: Any) -> None:
    body, before = text([hubspot_event(901)]), stored()
    for headers in (
        {},
        hubspot_v3(GENERAL, body, at=time.time() - 301),
        hubspot_v3(GENERAL, body, at=time.time() + 310),
        hubspot_v3(GENERAL, body, secret=f"{HUBSPOT_SECRET}x"),
        hubspot_v3(LEGACY, body),
    ):
        assert receiver.post(GENERAL, body, headers).status_code == 401
    assert stored() == before
    rotated = hubspot_v3(GENERAL, body, secret="old-client-secret")
    assert receiver.post(GENERAL, body, rotated).status_code == 200


# The site, servers of our own, Jira


def hit(number: int, topic: str = "session_webhook") -> dict[str, Any]:
    return {"topic": topic, "event_id": f"hit_{number}", "occurred_at": "2026-03-03T12:00:00Z", "client_id": "c"}


def test_a_browser_may_send_hits_and_nothing_that_changes_a_company(receiver: Running, rows: Any) -> None:
    headers = {"X-Write-Key": WRITE_KEY, "Origin": ORIGIN, "Content-Type": "text/plain"}
    for number, topic in enumerate(["session_webhook", "event_hit.pricing", "event_hit.signup", "companyCreated"]):
        answer = receiver.post("/site/events", text(hit(number, topic)), headers)
        assert answer.json() == {"stored": 1, "known": 0}
        assert answer.headers["access-control-allow-origin"] == ORIGIN
    found = [rows(f"hit_{number}")[0] for number in range(4)]
    assert [row[6] for row in found] == [None, None, "needs_signature", "needs_signature"]
    assert {row[3] for row in found} == {"write_key"}
    for wrong in ({"X-Write-Key": "x"}, {"Origin": "https://evil.test"}, {"X-Write-Key": ""}):
        answer = receiver.post("/site/events", text(hit(9)), {**headers, **wrong})
        assert answer.status_code == 401
    assert (
        "access-control-allow-origin"
        not in receiver.post("/site/events", b"{}", {**headers, "Origin": "https://evil.test"}).headers
    )


def test_a_browser_that_asks_first_is_told_by_own_domains_alone(receiver: Running) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-write-key"}
    answer = receiver.client.options(f"{receiver.url}/site/events", headers={**asks, "Origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, ORIGIN)
    assert "x-write-key" in answer.headers["access-control-allow-headers"]
    other = receiver.client.options(f"{receiver.url}/site/events", headers={**asks, "Origin": "https://evil.test"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("source", ["site", "forms", "mobile", "calls", "product"])
def test_a_server_of_our_own_signs_what_it_sends(receiver: Running, rows: Any, source: str) -> None:
    event = {
        "topic": "event_hit.signup",
        "eventId": f"server_{source}",
        "occurredAt": 1_772_539_200_000,
        "company": "C1",
    }
    body = text(event)
    assert receiver.post(f"/{source}/server", body, standard(body)).json() == {"stored": 1, "known": 0}
    ((found, topic, occurred_at, verified_by, *_, reason),) = rows(f"server_{source}")
    assert (found, topic, verified_by, reason) == (source, "event_hit.signup", "hmac", None)
    assert occurred_at.isoformat() == "2026-03-03T12:00:00+00:00"
    assert receiver.post(f"/{source}/server", body, {"X-Write-Key": WRITE_KEY, "Origin": ORIGIN}).status_code == 401


def test_jira_signs_the_body_and_its_id_is_what_it_says(receiver: Running, module_database: str) -> None:
    event = {
        "timestamp": int(time.time() * 1000),
        "webhookEvent": "jira:issue_updated",
        "issue": {"key": "IC-12", "x": 1.5},
    }
    body = text(event)
    headers = {**github(body), "X-Atlassian-Webhook-Identifier": "abc"}
    assert receiver.post("/Jira/Webhooks/", body, headers).json() == {"stored": 1, "known": 0}
    replayed = {**headers, "X-Atlassian-Webhook-Identifier": "another"}
    assert receiver.post("/Jira/Webhooks", body, replayed).json() == {"stored": 0, "known": 1}
    assert receiver.post("/Jira/Webhooks", body, github(body, secret="other")).status_code == 401
    late = text({**event, "timestamp": int((time.time() + 3600) * 1000)})
    assert receiver.post("/Jira/Webhooks", late, github(late)).json() == {"stored": 1, "known": 0}
    with psycopg.connect(module_database) as connection:
        found = connection.execute("SELECT topic, reason FROM inbox.event WHERE source = 'jira' ORDER BY id").fetchall()
    assert found == [("jira_events_webhook", None), ("jira_events_webhook", "from_the_future")]


# The database slow; settings


def test_a_database_that_is_behind_is_told_in_time_and_what_was_sent_comes_in_once(
    receiver: Running, module_database: str, rows: Any
) -> None:
    body = text(payment("behind"))
    with psycopg.connect(module_database) as connection:
        connection.execute("LOCK TABLE inbox.event IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        answer = receiver.post(PAYMENTS, body, basic())
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert 3 < time.monotonic() - begun < 5
        # From now on nobody waits for it.
        begun = time.monotonic()
        assert receiver.post(PAYMENTS, body, basic()).status_code == 429
        assert time.monotonic() - begun < 1
    assert _when_it_can(receiver, body) == 200
    assert len(rows("ev_behind")) == 1


def _when_it_can(receiver: Running, body: bytes) -> int:
    deadline = time.monotonic() + 10
    while (status := receiver.post(PAYMENTS, body, basic()).status_code) != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    return status


def test_it_says_that_it_lives_and_whether_it_can_work(receiver: Running) -> None:
    assert receiver.client.get(f"{receiver.url}/health").json() == {"alive": True}
    ready = receiver.client.get(f"{receiver.url}/ready")
    assert (ready.status_code, ready.json()["database"], ready.json()["ready"]) == (200, "reachable", True)


def test_budgets_sources_and_who_may_post_unverified_are_settings(database: str, tmp_path: Path) -> None:
    settings = {
        "IC_HUBSPOT_CLIENT_SECRET": HUBSPOT_SECRET,
        "IC_PUBLIC_URL": SECRETS["IC_PUBLIC_URL"],
        "IC_RECEIVE_HUBSPOT_RPS": "2",
        "IC_RECEIVE_SOURCES": "hubspot chargebee product",
        "IC_RECEIVE_UNVERIFIED": "product",
        "IC_RECEIVE_MAX_BYTES": "2048",
    }
    with receiving(tmp_path, database, **settings) as running:
        assert "ANYBODY may post as product" in running.told
        body = text([hubspot_event(1)])
        answers = [post_hubspot(running, GENERAL, body) for _ in range(5)]
        assert [answer.status_code for answer in answers[:2]] == [200, 200]
        assert {answer.status_code for answer in answers[2:]} == {429}
        assert answers[-1].headers["retry-after"] == "1"
        # Forgeries do not use up the budget of who can sign.
        time.sleep(1.1)
        for _ in range(5):
            assert running.post(GENERAL, body, {}).status_code == 401
        assert post_hubspot(running, GENERAL, body).status_code == 200
        event = text({"topic": "company_usage_changed", "event_id": "p1", "occurred_at": "2026-03-03T12:00:00Z"})
        assert running.post("/product/server", event).json() == {"stored": 1, "known": 0}
        assert running.post(PAYMENTS, text(payment(1)), basic()).status_code == 401
        assert running.post("/forms/server", event, standard(event)).status_code == 404
        assert running.post("/product/server", event + b" " * 2048).status_code == 413
        assert running.stop() == 0
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT verified_by FROM inbox.event WHERE event_id = 'p1'").fetchall() == [
            ("unverified",)
        ]
        counted = connection.execute(
            "SELECT source, status, reason, sum(requests)::int FROM inbox.refused_request GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).fetchall()
    assert counted == [
        ("chargebee", 401, "no_verifier", 1),
        ("hubspot", 401, "no_signature", 5),
        ("hubspot", 429, "over the source's budget", 3),
        ("none", 404, "no such endpoint", 1),
        ("product", 413, "a body of more than 2,048 bytes", 1),
    ]
