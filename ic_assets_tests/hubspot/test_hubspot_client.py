"""The HubSpot client against replies that HubSpot would not send, and the shared budget in a real database."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import hubspot.crm.objects as models
import orjson
import psycopg
import pytest

from ic_assets.commands.budget import budget
from ic_assets.core import rate_budget
from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.rate_budget import DailyLimit, RateBudget
from ic_assets.hubspot.client import limits
from ic_assets.hubspot.client.client import Declined, HubSpotClient, HubSpotTarget, OutcomeUnknown, Reply, StopForNow
from ic_assets.hubspot.client.search import search_all
from ic_assets_tests.raw_server import Answer, RawServer, raw_server, reply

pytestmark = pytest.mark.server

PORTAL = 77
FINE = reply(b'{"results": []}')
RATE = ("X-HubSpot-RateLimit-Max: 190", "X-HubSpot-RateLimit-Interval-Milliseconds: 10000")
ACCOUNT = orjson.dumps({"portalId": PORTAL, "timeZone": "Europe/Berlin"})


class Sleep:
    """Sleeps that are not slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def ask(
    *answers: bytes | Answer, sleep: Sleep | None = None, **how: Any
) -> tuple[Reply | BaseException, RawServer, list[bool]]:
    """What one request comes to, the server that was asked, and whether there was doubt."""
    doubts: list[bool] = []

    async def main(base_url: str) -> Reply | BaseException:
        client = HubSpotClient(HubSpotTarget(base_url, "t0ken", timeout=2.0), sleep=sleep or Sleep())
        try:
            return await client.send("POST", "/x", {}, operation="x", on_doubt=lambda: doubts.append(True), **how)
        except BaseException as error:  # noqa: BLE001 - the outcome
            return error
        finally:
            await client.close()

    with raw_server(*answers) as server:
        return asyncio.run(main(server.base_url)), server, doubts


def too_many(retry_after: str | None = None) -> bytes:
    body = b'{"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"}'
    return reply(body, *([f"Retry-After: {retry_after}"] if retry_after else []), status="429 Too Many")


USELESS = {
    "a bomb": reply(gzip.compress(bytes(200_000_000), 1), "Content-Encoding: gzip"),
    "no gzip": reply(b"{}", "Content-Encoding: gzip"),
    "half a gzip": reply(gzip.compress(bytes(range(256)) * 99)[:-9], "Content-Encoding: gzip"),
    "another packing": reply(b"{}", "Content-Encoding: br"),
    "half a body": reply(b'{"results": []}')[:-4],
    "no HTTP": b"220 smtp.example ESMTP\r\n",
}


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS.keys())
def test_a_useless_reply_is_asked_for_again_or_of_unknown_outcome(useless: bytes) -> None:
    outcome, _, doubts = ask(useless, FINE)
    assert isinstance(outcome, Reply)
    assert doubts == [True]
    outcome, server, _ = ask(useless, FINE, repeatable=False, writes=True)
    assert isinstance(outcome, OutcomeUnknown)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[1, 2]", b"null", b"\xff\xfe", b"[" * 50_000])
def test_a_body_of_another_shape_says_nothing(body: bytes) -> None:
    outcome, server, _ = ask(reply(body), FINE)
    assert isinstance(outcome, Reply)
    assert len(server.requests) == 2
    outcome, _, _ = ask(reply(body), repeatable=False, writes=True)
    assert isinstance(outcome, Reply)
    assert outcome.results == []


def test_a_refusal_whose_words_cannot_be_read_is_a_refusal() -> None:
    for status, error in (("400 Bad", Declined), ("401 Who", Refused), ("403 No", Refused)):
        outcome, server, _ = ask(reply(b"junk", "Content-Encoding: gzip", status=status), repeatable=False, writes=True)
        assert isinstance(outcome, error)
        assert len(server.requests) == 1


def test_a_redirect_gets_no_token() -> None:
    with raw_server(FINE) as elsewhere:
        outcome, server, _ = ask(reply(b"", f"Location: {elsewhere.base_url}/", status="308 Moved"))
    assert isinstance(outcome, Unavailable)
    assert b"t0ken" in server.requests[0]
    assert elsewhere.requests == []


def test_more_429s_than_attempts_are_waited_out_each_longer() -> None:
    sleep = Sleep()
    outcome, server, _ = ask(*[too_many("0.5")] * 12, FINE, sleep=sleep, repeatable=False, writes=True)
    assert isinstance(outcome, Reply)
    assert len(server.requests) == 13
    for wait, least in zip(sleep.slept, (1, 2, 4, 8, 16, 32, *[60] * 6), strict=True):
        assert least <= wait <= least * 1.25


def test_nothing_but_429_ends_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 5.0)
    outcome, server, _ = ask(too_many("0.5"), repeatable=False, writes=True)
    assert isinstance(outcome, StopForNow)
    assert re.match(
        r"HubSpot has answered 429 to everything for \d+ minutes \(other applications are at the portal's limit\);"
        r" push again after \d{4}-\d\d-\d\d \d\d:\d\d UTC$",
        str(outcome),
    )
    assert len(server.requests) > 2


@pytest.mark.parametrize("status", ["429 Too Many", "477 Moving", "503 Away"])
def test_a_long_retry_after_is_not_slept(status: str) -> None:
    sleep = Sleep()
    outcome, server, doubts = ask(reply(b"{}", "Retry-After: 1e11", status=status), sleep=sleep, writes=True)
    assert isinstance(outcome, StopForNow)
    assert str(outcome).startswith("HubSpot asks for a long pause; push again after ")
    assert outcome.resume_at - datetime.now(UTC) <= timedelta(days=1)
    assert (sleep.slept, len(server.requests)) == ([], 1)
    assert doubts == ([True] if status[0] == "5" else [])


def test_the_waits_that_hubspot_asks_for_are_bounded_together() -> None:
    sleep = Sleep()
    outcome, _, _ = ask(reply(b"{}", "Retry-After: 800", status="477 Moving"), sleep=sleep)
    assert isinstance(outcome, Unavailable)
    assert sum(sleep.slept) < 1500


@pytest.mark.parametrize(
    "body", [{}, {"portalId": True}, {"portalId": 10**18 * 15}, {"portalId": -1}, {"portalId": "7"}, {"portalId": [7]}]
)
def test_an_account_without_a_portal_is_refused(body: dict[str, Any]) -> None:
    async def main(base_url: str) -> None:
        client = HubSpotClient(HubSpotTarget(base_url, "t0ken"), sleep=Sleep())
        try:
            with pytest.raises(Unavailable):
                await client.open()
        finally:
            await client.close()

    with raw_server(reply(orjson.dumps(body))) as server:
        asyncio.run(main(server.base_url))


def test_a_search_sends_what_hubspot_requires_and_reads_every_page() -> None:
    def page(*ids: int, is_last: bool) -> bytes:
        more = {} if is_last else {"paging": {"next": {"after": "200"}}}
        return reply(orjson.dumps({"results": [{"id": str(one)} for one in ids], **more}))

    async def main(base_url: str) -> list[str]:
        client = HubSpotClient(HubSpotTarget(base_url, "t0ken"), sleep=Sleep())
        filters = [{"propertyName": "p", "operator": "HAS_PROPERTY"}]
        try:
            return [one["id"] async for one in search_all(client, "notes", filters, ["p"])]
        finally:
            await client.close()

    with raw_server(page(3, 5, is_last=False), page(8, 9, is_last=False), page(11, is_last=True)) as server:
        assert asyncio.run(main(server.base_url)) == ["3", "5", "8", "9", "11"]
    bodies = [orjson.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    required = {
        models.PublicObjectSearchRequest.attribute_map[name] for name in ("after", "sorts", "limit", "properties")
    }
    for body, last in zip(bodies, (None, "5", "9"), strict=True):
        assert {*required, "filterGroups"} == set(body)
        assert (body["after"], body["sorts"]) == ("0", ["hs_object_id"])
        above = [f["value"] for f in body["filterGroups"][0]["filters"] if f["operator"] == "GT"]
        assert above == ([last] if last else [])


# -- the budget in the database ----------------------------------------------------------------------------------


@asynccontextmanager
async def opened(
    url: str, rps: float, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        budget = RateBudget(connection, PORTAL, rps, sleep=sleep)
        await budget.open()
        yield budget


def stored(database: str, columns: str) -> tuple[Any, ...]:
    with psycopg.connect(database) as connection:
        row = connection.execute(f"SELECT {columns} FROM hubspot.rate_budget WHERE portal_id = {PORTAL}").fetchone()
    assert row is not None
    return row


def test_an_emptied_table_lifts_no_limit(database: str) -> None:
    async def main() -> float:
        async with opened(database, 2.0) as one, await psycopg.AsyncConnection.connect(database) as other:
            begun = time.perf_counter()
            for _ in range(6):
                one.left(await one.acquire())
                await other.execute("DELETE FROM hubspot.rate_budget")
                await other.commit()
            return time.perf_counter() - begun

    assert asyncio.run(main()) >= 2.0


def test_a_hostile_rate_is_not_stored_and_logged_once(database: str, caplog: pytest.LogCaptureFixture) -> None:
    hostile = "X-HubSpot-RateLimit-Max: 1", "X-HubSpot-RateLimit-Interval-Milliseconds: 100000000000"

    async def main(base_url: str) -> None:
        async with opened(database, 100.0) as budget:
            client = HubSpotClient(HubSpotTarget(base_url, "t0ken"), sleep=Sleep())
            client.budget = budget
            await client.open()
            for _ in range(3):
                await client.send("GET", "/x", operation="x")
            await client.close()

    fine = reply(b'{"results": []}', *RATE)
    with (
        caplog.at_level(logging.INFO, "ic_assets"),
        raw_server(reply(ACCOUNT, *hostile), reply(b'{"a": 1}', *hostile)) as one,
    ):
        asyncio.run(main(one.base_url))
    assert stored(database, "portal_rps") == (None,)
    assert [r.getMessage() for r in caplog.records if "rate_headers_ignored" in r.getMessage()] == [
        "event='rate_headers_ignored' portal=0 Max='1' Interval-Milliseconds='100000000000'"
    ]
    with raw_server(reply(ACCOUNT, *RATE), fine) as two:
        asyncio.run(main(two.base_url))
    assert stored(database, "portal_rps, portal_rps_seen_at > now() - interval '1 minute'") == (19.0, True)


def test_the_daily_reserve_is_kept_by_all_processes_together(database: str) -> None:
    async def main() -> int:
        until = time.time() + 3600
        async with opened(database, 200.0) as one, opened(database, 200.0) as other:
            await one.heard(19.0, 16, until)
            sent = 0
            while True:
                try:
                    for budget in (one, other):
                        await budget.acquire(daily_reserve=10)
                        sent += 1
                except DailyLimit:
                    break
            await other.acquire()  # a read may use the reserve
            await one.used_up(until)
            with pytest.raises(DailyLimit) as limit:
                await other.acquire()
            assert abs(limit.value.until - until) < 1
            return sent

    assert asyncio.run(main()) == 6


def test_a_daily_limit_that_one_process_met_stops_the_next_with_a_reason(database: str) -> None:
    body = orjson.dumps({"message": "You have reached your daily limit.", "policyName": "DAILY"})
    left = "X-HubSpot-RateLimit-Daily: 1000", "X-HubSpot-RateLimit-Daily-Remaining: 900"

    async def main(base_url: str) -> int:
        async with opened(database, 100.0) as budget:
            client = HubSpotClient(HubSpotTarget(base_url, "t0ken"), sleep=Sleep())
            client.budget = budget

            async def go() -> None:
                await client.open()
                await client.send("GET", "/x", operation="x")

            with pytest.raises(StopForNow, match=r"HubSpot's daily limit is used up; push again after .* 2[23]:00 UTC"):
                await go()
            await client.close()
            return client.requests

    with raw_server(reply(ACCOUNT, *left), reply(body, status="429 Too Many")) as server:
        assert asyncio.run(main(server.base_url)) == 2
        # Berlin's midnight, as the portal that is not asked any more had said.
        assert asyncio.run(main(server.base_url)) == 0


def test_another_application_at_the_limit_has_everybody_wait_then_go_slower(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(base_url: str) -> list[float]:
        async with opened(database, 20.0) as budget:
            client = HubSpotClient(HubSpotTarget(base_url, "t0ken"))
            client.budget = budget
            times: list[float] = []

            async def one() -> None:
                await client.send("GET", "/x", operation="x")
                times.append(time.perf_counter())

            await asyncio.gather(*(one() for _ in range(8)))
            await client.close()
            return times

    def late(connection: Any) -> None:
        time.sleep(0.4)
        connection.sendall(too_many("0.2"))

    found = reply(b'{"a": 1}')
    with caplog.at_level(logging.INFO, "ic_assets"), raw_server(*[late] * 5, found) as server:
        begun = time.perf_counter()
        times = asyncio.run(main(server.base_url))
    blocks = [r.getMessage() for r in caplog.records if "blocked_by_429" in r.getMessage()]
    # Several were under way when the first was refused: one wait, told once.
    assert len(blocks) == 1
    assert "kind='any'" in blocks[0]
    assert max(times) - begun >= 1.4
    assert stored(database, "slow_rps, slow_until > now()") == (10.0, True)
    assert rate_budget.SLOW_SECONDS == 60.0


def test_the_command_shows_what_holds_us_back_and_forgets_it(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    assert budget(reset=False, as_json=False) == 0
    assert capsys.readouterr().out == "No portal has been asked yet.\n"

    async def main() -> None:
        async with opened(database, 10.0) as one:
            await one.heard(2.5, 9000, time.time() + 3600)
            await one.block(300.0, slow_down=True)

    asyncio.run(main())
    assert budget(reset=False, as_json=False) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in (
        "portal 77: 10 requests a second for all processes, HubSpot takes 2.5 (told ",
        "slowed to 1.25 until ",
        "nothing is sent until ",
        "9,000 left today",
    ):
        assert part in shown
    assert budget(reset=True, as_json=True) == 0
    (row,) = orjson.loads(capsys.readouterr().out)["budgets"]
    assert {row[name] for name in ("portal_rps", "slow_rps", "blocked_until", "daily_remaining")} == {None}

    async def go() -> float:
        async with opened(database, 10.0) as one:
            begun = time.perf_counter()
            await one.acquire()
            return time.perf_counter() - begun

    assert asyncio.run(go()) < 2
