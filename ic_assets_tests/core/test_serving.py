"""What a peer may do to a server of ours, with real sockets: slow, large and many requests, beside good ones."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ic_assets.core.serving import ServerLimits, configuration

pytestmark = pytest.mark.server

QUICK = ServerLimits(
    head_seconds=1.0,
    body_seconds=1.5,
    idle_seconds=1,
    write_seconds=1.0,
    body_bytes=1_000_000,
    held_bytes=1_500_000,
    connections=400,
)


async def echo(request: Request) -> Response:
    return Response(str(len(await request.body())))


async def large(_: Request) -> Response:
    return Response(bytes(30_000_000))


@contextmanager
def served(limits: ServerLimits) -> Iterator[str]:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), Route("/large", large)])
    server = uvicorn.Server(configuration(app, limits, log_level="error", lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(QUICK) as one:
        yield one


def connect(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)


def ended(connection: socket.socket) -> bool:
    """Whether the server has closed it, with or without an answer."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def good(url: str, count: int = 5) -> float:
    """The longest time of some ordinary requests, each on a connection of its own."""
    times = []
    for _ in range(count):
        begun = time.monotonic()
        assert httpx.post(url, content=b"x" * 1000, trust_env=False, timeout=10).text == "1000"
        times.append(time.monotonic() - begun)
    return max(times)


HALVES = {
    "nothing": b"",
    "a blank line": b"\r\n",
    "half a head": b"POST / HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf",
    "half a chunk": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    "a promise": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
}


def test_300_half_sent_requests_are_dropped_within_seconds_and_good_ones_are_served_meanwhile(url: str) -> None:
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        held = []
        for number in range(300):
            held.append(stack.enter_context(connect(url)))
            held[-1].sendall(list(HALVES.values())[number % len(HALVES)])
        assert good(url) < 2
        assert all(ended(one) for one in held)
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("begin", [HALVES["half a head"], HALVES["half a body"]])
def test_a_byte_now_and_then_does_not_renew_the_time(url: str, begin: bytes) -> None:
    begun = time.monotonic()
    with connect(url) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(begin)
        while time.monotonic() - begun < 8:
            connection.sendall(b"x")
            time.sleep(0.1)
    assert 0.9 < time.monotonic() - begun < 4


def test_a_connection_that_is_kept_open_for_nothing_is_closed(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        assert ended(connection)
        assert time.monotonic() - begun < 4


def test_a_second_request_on_a_connection_has_its_time_too(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        assert ended(connection)
        assert 0.5 < time.monotonic() - begun < 4


def test_a_peer_that_does_not_take_its_answer_is_dropped(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(3)
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 20):
                received += len(part)
    assert received < 30_000_000


def test_a_head_of_two_megabytes_or_of_many_lines_is_refused(url: str) -> None:
    with connect(url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 2_000_000)
        assert ended(connection)
    with connect(url) as connection:
        lines = b"".join(b"X-%d: a\r\n" % number for number in range(200))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 431")
    assert good(url) < 2


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_of_200_megabytes_is_refused_and_not_held(url: str, is_chunked: bool) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    piece = bytes(1 << 20)

    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield piece

    headers = {} if is_chunked else {"Content-Length": str(200 << 20)}
    response = httpx.post(url, content=pieces(), headers=headers, trust_env=False, timeout=20)
    assert response.status_code == 413
    assert response.text == "a body of more than 1,000,000 bytes\n"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
    assert good(url) < 2


def test_many_bodies_at_a_time_are_bounded_together(url: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            held = stack.enter_context(connect(url))
            held.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n" + b"x" * 700_000)
        time.sleep(0.3)
        response = httpx.post(url, content=b"x" * 500_000, trust_env=False, timeout=10)
        assert (response.status_code, response.text) == (503, "too many bodies at a time\n")
    time.sleep(0.3)
    assert good(url) < 2


def test_more_connections_than_the_server_takes_do_not_lock_good_ones_out() -> None:
    with served(ServerLimits(connections=20)) as url, contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(url)).sendall(HALVES["half a head"])
        # Long before the time of any of them is over.
        assert good(url, 10) < 2
