"""How fast the receiver takes events, beside the same server that answers 204 without a database, and beside one commit a
request. In turns, in one run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ic_assets.core import processes
from ic_assets.core.schema import upgrade
from ic_assets_tests.bench.server import Server, ic_assets

CONNECTIONS, SIZE = 64, 8192
PAIR = "bench:bench-password"
PLAIN, GROUPED, SINGLE = "204 without a database", "the receiver", "one commit a request"


@dataclass
class Received:
    """The rounds of each kind of server: requests a second, and the 99th part of a hundred of the latencies in ms."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        return statistics.median(self.rates[name])


def receive(server: Server, rounds: int, seconds: float) -> Received:
    """Raises ``RuntimeError`` when anything but 200 and 204 was answered."""
    found = Received()
    upgrade(server.url("ic_assets"))
    with _plain() as plain, _receiver(server) as grouped, _single(server) as single:
        ports = {PLAIN: plain, GROUPED: grouped, SINGLE: single}
        for port in ports.values():
            _send(port, 1.0)
        for _ in range(rounds):
            for name, port in ports.items():
                measured = _send(port, seconds)
                found.rates.setdefault(name, []).append(measured["rate"])
                found.p99.setdefault(name, []).append(measured["p99_ms"])
                for status, count in measured["statuses"].items():
                    found.statuses[status] = found.statuses.get(status, 0) + count
            server.checkpoint()
    if set(found.statuses) - {"200", "204"}:
        raise RuntimeError(f"answers of the receiver: {found.statuses}")
    return found


def _send(port: int, seconds: float) -> dict[str, float | dict[str, int]]:
    done = subprocess.run(
        [
            *processes.python("ic_assets_tests.bench.sender", "--port", str(port), "--pair", PAIR),
            "--connections",
            str(CONNECTIONS),
            "--size",
            str(SIZE),
            "--seconds",
            str(seconds),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@contextmanager
def _receiver(server: Server) -> Iterator[int]:
    environment = {**server.environment, "IC_CHARGEBEE_BASIC_AUTH": PAIR, "IC_RECEIVE_RPS": "100000"}
    with _process(ic_assets("receive", "--port", "0"), environment) as port:
        yield port


@contextmanager
def _single(server: Server) -> Iterator[int]:
    with _process(_own("single", server.url("ic_assets")), server.environment) as port:
        yield port


@contextmanager
def _plain() -> Iterator[int]:
    with _process(_own("plain"), dict(os.environ)) as port:
        yield port


def _own(*arguments: str) -> list[str]:
    return processes.python("ic_assets_tests.bench.receiver", *arguments)


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str]) -> Iterator[int]:
    environment = {**environment, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", line)
        if found is None:
            raise RuntimeError(f"a server of the bench said {line!r}")
        yield int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


# --- the servers beside it, each in a process of its own -----------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    """``plain``: 204 for any body. ``single URL``: the receiver with a transaction for each request."""
    from ic_assets.core.receiving import Receiving
    from ic_assets.inbox import receiver
    from ic_assets.inbox.endpoints import opened
    from ic_assets.inbox.group_commit import Bounds, GroupCommit
    from ic_assets.inbox.listening import serve
    from ic_assets.inbox.registry import Registry

    if arguments[0] == "plain":
        _serve_plain()
        return
    url = arguments[1]
    receiver.GroupCommit = lambda address, registry: GroupCommit(  # type: ignore[misc,assignment]
        address, registry, Bounds(batch_requests=1)
    )
    receiving = Receiving(port=0, other_rps=1e9, secrets={"IC_CHARGEBEE_BASIC_AUTH": (PAIR,)})
    serve(lambda: url, Registry(), receiving, opened(receiving), lambda address: print(address, flush=True))  # noqa: T201


def _serve_plain() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from ic_assets.core.serving import ServerLimits, configuration

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    app = Starlette(routes=[Route("/bi/api/PaymentEvents/", answer, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    uvicorn.Server(configuration(app, ServerLimits(), log_level="error", lifespan="off")).run([listener])


if __name__ == "__main__":
    main(sys.argv[1:])
