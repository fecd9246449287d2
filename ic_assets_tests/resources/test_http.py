"""The makers of HTTP clients: no proxy but ours, replies bounded in size and time. Real sockets."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import time
import tracemalloc

import httpx
import pytest

from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings, https_proxy
from ic_assets.resources import http
from ic_assets.resources.http import Bounds, UnreadableReply
from ic_assets_tests.raw_server import raw_server, reply

SMALL = Bounds(seconds=1.0, reply_bytes=100_000)
PACKED = "Content-Encoding: gzip"


def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(reply(b"proxy")) as proxy, raw_server(reply(b"portal")) as portal:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
            monkeypatch.setenv(name.lower(), proxy.base_url)
        with http.client() as client:
            assert client.get(portal.base_url).text == "portal"
        # Not resolved by anybody: whoever asked the proxy would get its answer.
        with http.client() as client, pytest.raises(httpx.ConnectError):
            client.get("http://portal.invalid/")
        assert proxy.requests == []


def test_our_proxy_is_asked_for_https_to_other_machines_and_for_nothing_else() -> None:
    with raw_server(reply(b"", status="502 No")) as proxy, raw_server(reply(b"portal")) as portal:
        with http.client(proxy=proxy.base_url) as client:
            assert client.get(portal.base_url).text == "portal"
            with pytest.raises(httpx.ConnectError):
                client.get("http://portal.invalid/", headers={"Authorization": "Bearer hidden"})
            assert proxy.requests == []
            with pytest.raises(httpx.ProxyError):
                client.get("https://portal.invalid/", headers={"Authorization": "Bearer hidden"})
        assert [request.split(b"\r\n")[0] for request in proxy.requests] == [b"CONNECT portal.invalid:443 HTTP/1.1"]
        assert b"hidden" not in proxy.requests[0]


def test_a_request_that_waits_for_its_turn_does_not_wait_for_the_proxy_too() -> None:
    turns: list[str] = []

    async def turn(event: str, _info: object) -> None:
        turns.append(event)

    async def main(proxy: str) -> None:
        async with http.async_client(proxy=proxy) as client:
            with pytest.raises(httpx.ProxyError):
                await client.get("https://portal.invalid/", extensions={"trace": turn})

    with raw_server(reply(b"", status="502 No")) as proxy:
        asyncio.run(main(proxy.base_url))
    assert "http11.send_request_headers.started" not in turns


@pytest.mark.parametrize(
    "value",
    [
        "secret:3128",
        "socks5://secret:1",
        "http://",
        "http://secret b:1",
        "http://secret:0",
        "http://secret/path",
        "http://secret:99999",
        "http://[secret",
    ],
)
def test_a_proxy_that_is_no_address_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("IC_HTTPS_PROXY", value)
    with pytest.raises(Refused) as refusal:
        https_proxy()
    assert str(refusal.value).startswith("IC_HTTPS_PROXY is not the address of a proxy such as http://user:password@")
    assert "secret" not in str(refusal.value)


def test_a_proxy_may_have_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_HTTPS_PROXY", " http://user:pass%20word@proxy.example:3128 ")
    assert https_proxy() == "http://user:pass%20word@proxy.example:3128"


@pytest.mark.parametrize("host", ["api.hubapi.com", "10.0.0.1", "localhost.evil.test", "127.0.0.1.evil.test"])
def test_a_token_does_not_go_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HUBSPOT_BASE_URL", f"http://{host}:8080")
    with pytest.raises(Refused, match="use https"):
        Settings.from_env()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_needs_no_tls(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HUBSPOT_BASE_URL", f"http://{host}:8080/")
    assert Settings.from_env().hubspot_base_url == f"http://{host}:8080"


def test_a_packed_reply_is_unpacked() -> None:
    with raw_server(reply(gzip.compress(b'{"a": 1}'), PACKED)) as server, http.client() as client:
        response = client.get(server.base_url)
    assert response.json() == {"a": 1}
    assert b"accept-encoding: gzip\r\n" in server.requests[0].lower()


def test_a_small_reply_that_unpacks_to_gigabytes_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), 1)
    assert len(bomb) < 1_000_000
    with raw_server(reply(bomb, PACKED)) as server, http.client(bounds=Bounds(reply_bytes=2_000_000)) as client:
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableReply, match="200 with a body of more than 2,000,000 bytes"):
                client.get(server.base_url)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b"x" * 100_001), "a body of more than 100,000 bytes"),
        (reply(b"this is not gzip", PACKED), "not the gzip it is said to be"),
        (reply(gzip.compress(os.urandom(5000))[:-100], PACKED), "cut"),
        (reply(gzip.compress(gzip.compress(b"{}")), "Content-Encoding: gzip, gzip"), "not asked for"),
        (reply(b"{}", "Content-Encoding: br"), "not asked for"),
        (reply(b"x" * 100_001, status="503 Away"), "503"),
    ],
)
def test_a_reply_that_cannot_be_read_says_its_status_and_why(answer: bytes, why: str) -> None:
    with raw_server(answer) as server, http.client(bounds=SMALL) as client:
        with pytest.raises(UnreadableReply, match=why) as error:
            client.get(server.base_url)
        assert error.value.status in (200, 503)


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_reply_that_drips_ends_at_the_deadline(first: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            time.sleep(0.1)
            connection.sendall(b"x")

    with raw_server(drip) as server, http.client(bounds=SMALL) as client:
        begun = time.monotonic()
        with pytest.raises(httpx.ReadTimeout, match="no whole reply within 1 s"):
            client.get(server.base_url)
        assert time.monotonic() - begun < 4


def test_several_large_replies_at_a_time_are_bounded_together() -> None:
    def slow(connection: socket.socket) -> None:
        connection.sendall(reply(b"x" * 80_000)[:-1])
        time.sleep(0.5)
        connection.sendall(b"x")

    async def main(url: str) -> list[object]:
        bounds = Bounds(reply_bytes=100_000, held_bytes=200_000)
        async with http.async_client(url, bounds=bounds) as client:
            some = [client.get("/") for _ in range(4)]
            return [str(found) for found in await asyncio.gather(*some, return_exceptions=True)]

    with raw_server(slow) as server:
        found = asyncio.run(main(server.base_url))
    assert sorted(found) == sorted(["<Response [200 OK]>"] * 2 + ["200 with a body that is one too many at a time"] * 2)


def test_a_redirect_is_not_followed() -> None:
    with raw_server(reply(b"mine now")) as elsewhere:
        redirect = reply(b"", f"Location: {elsewhere.base_url}/", status="307 Over there")
        with raw_server(redirect) as server, http.client(headers={"Authorization": "Bearer hidden"}) as client:
            assert client.get(server.base_url).status_code == 307
        assert elsewhere.requests == []
