"""``python -m ic_assets_tests.bench.sender``: posts Chargebee events over 64 connections for some seconds, each the next when
the last is answered, and prints rates and latencies as JSON. A process of its own, on the same cores as the server."""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import sys
import time
from collections import Counter


class _Sender(asyncio.Protocol):
    """One connection. Bare, so that what is measured is the server."""

    def __init__(self, requests: itertools.count[int], head: bytes, body: tuple[bytes, bytes], until: float) -> None:
        self._numbers = requests
        self._head = head
        self._body = body
        self._until = until
        self._sent_at = 0.0
        self._answer = b""
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        before, behind = self._body
        self._transport.write(b"".join((self._head, before, b"%012d" % next(self._numbers), behind)))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
        if len(body) < int(length):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        self.statuses[head[9:12].decode()] += 1
        self._answer = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def event(size: int) -> tuple[bytes, bytes]:
    """A Chargebee event of ``size`` bytes, before and behind the digits of its number."""
    line = {
        "id": "li_16BQVhUcl6jcqjx",
        "date_from": 1700000000,
        "unit_amount": 4900,
        "quantity": 7,
        "amount": 34300,
        "pricing_model": "per_unit",
        "is_taxed": False,
        "object": "line_item",
        "description": "Pro plan, seats",
        "entity_id": "pro-usd-monthly",
        "discount_amount": 0,
    }
    lines = [line] * 40
    while True:
        value = {
            "id": "ev_000000000000",
            "occurred_at": int(time.time()) - 60,
            "source": "scheduled_job",
            "object": "event",
            "api_version": "v2",
            "event_type": "subscription_renewed",
            "content": {
                "subscription": {"id": "sub_1", "customer_id": "cus_1", "mrr": 4900, "exchange_rate": 1.0},
                "invoice": {"id": "inv_1", "total": 34300, "line_items": lines, "notes": ""},
            },
        }
        text = json.dumps(value)
        if len(text) <= size:
            value["content"]["invoice"]["notes"] = "x" * (size - len(text))  # type: ignore[index]
            before, behind = json.dumps(value).split("000000000000")
            return before.encode(), behind.encode()
        lines = lines[:-1]


async def send(port: int, path: str, pair: str, connections: int, size: int, seconds: float) -> dict[str, object]:
    before, behind = event(size)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        f"Content-Length: {len(before) + 12 + len(behind)}\r\n\r\n"
    ).encode()
    numbers = itertools.count(int(time.time() * 1000) % 1_000_000 * 1_000_000)
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    senders = []
    for _ in range(connections):
        _, sender = await loop.create_connection(
            lambda: _Sender(numbers, head, (before, behind), begun + seconds), "127.0.0.1", port
        )
        senders.append(sender)
    await asyncio.gather(*(sender.ended for sender in senders))
    took = time.perf_counter() - begun
    latencies = sorted(itertools.chain.from_iterable(sender.latencies for sender in senders))
    statuses: Counter[str] = sum((sender.statuses for sender in senders), Counter())
    return {
        "seconds": took,
        "requests": len(latencies),
        "rate": len(latencies) / took,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
        "statuses": dict(statuses),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/bi/api/PaymentEvents/")
    parser.add_argument("--pair", required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    found = asyncio.run(
        send(options.port, options.path, options.pair, options.connections, options.size, options.seconds)
    )
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
