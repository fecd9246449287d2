"""HubSpot's API as the push uses it: paths, and one asynchronous client with retry and budget.

The client decides what may be sent again; what a reply says about single records is read by the engine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.logs import log
from ic_assets.core.rate_budget import DailyLimit, RateBudget
from ic_assets.hubspot.client.limits import (
    LONGEST_WAIT,
    PATIENCE,
    OutOfPatience,
    Patience,
    RateHeaders,
    next_midnight,
    rate_headers,
    retry_after,
)
from ic_assets.hubspot.client.replies import (
    Declined,
    Json,
    MissingScopes,
    OutcomeUnknown,
    Problem,
    Reply,
    StopForNow,
    as_dict,
    as_list,
    as_text,
    objects,
    parsed,
    problem,
)
from ic_assets.hubspot.client.target import HubSpotTarget, Portal, RequestRecord, path
from ic_assets.resources import http
from ic_assets.resources.http import Bounds, UnreadableReply

__all__ = [
    "MAX_INPUTS",
    "Declined",
    "HubSpotClient",
    "HubSpotTarget",
    "Json",
    "MissingScopes",
    "OutcomeUnknown",
    "Portal",
    "Problem",
    "Reply",
    "RequestRecord",
    "StopForNow",
    "as_dict",
    "as_list",
    "objects",
    "path",
    "problem",
]

MAX_INPUTS = 100
# HubSpot's records stay locked for about two seconds (423).
LOCK_SECONDS = 2.0
ATTEMPTS = 8
# A hundred records with texts of 65,536 characters, told twice, are 13 MB in ASCII.
LARGEST_REPLY = 32 << 20
_backoff = wait_random_exponential(multiplier=0.5, max=60)


class _Again(Exception):
    """Worth another attempt, after at least ``seconds``. ``in_doubt``: this one may still be carried out."""

    def __init__(self, why: str, seconds: float = 0.0, *, in_doubt: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.in_doubt = in_doubt


class _TooMany(Exception):
    """A 429: nothing was done. ``asked``: the seconds that HubSpot wants us to wait; ``left_at``: when it had left."""

    def __init__(self, asked: float, left_at: float) -> None:
        super().__init__("429: too many requests")
        self.asked = asked
        self.left_at = left_at


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    content: bytes | None
    operation: str
    object_type: str | None
    inputs: int
    repeatable: bool
    writes: bool
    search: bool


async def _nothing() -> None:
    pass


class HubSpotClient:
    """One portal, one token. ``open()`` first; then ``budget`` is to be set, so that every process shares it."""

    def __init__(
        self,
        target: HubSpotTarget,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_request: Callable[[RequestRecord], None] = lambda _record: None,
    ) -> None:
        if not target.token:
            raise Refused("HUBSPOT_TOKEN is not set; set it to a private-app token or a service key")
        self.target = target
        self.budget: RateBudget | None = None
        self.search_budget: RateBudget | None = None
        self.portal = Portal(0, "UTC", None)
        self.requests = 0
        self.quota_reserve = 10
        # Asked when a request has its slot, right before its first byte leaves; what it raises keeps it back.
        self.before_send: Callable[[], Awaitable[None]] = _nothing
        self._sleep = sleep
        self._on_request = on_request
        self._on_their_way = 0
        self._patience = {False: Patience(), True: Patience()}
        self._has_told_nonsense = False
        self._http = http.async_client(
            target.base_url,
            headers={"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"},
            proxy=target.proxy,
            bounds=Bounds(seconds=target.timeout, reply_bytes=LARGEST_REPLY),
            connections=128,
        )

    async def open(self) -> Portal:
        """Asks which portal the token belongs to. Raises ``Unavailable`` or ``Refused``."""
        reply = await self.send("GET", path(self.target.api, "account", "details"), operation="account")
        number = reply.body.get("portalId")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**63:
            raise Unavailable(
                f"{self.target.base_url} does not answer like HubSpot (no portalId); check HUBSPOT_BASE_URL"
            )
        zone = as_text(reply.body.get("timeZone")) or "UTC"
        self.portal = Portal(number, zone, as_text(reply.body.get("accountType")))
        return self.portal

    async def close(self) -> None:
        await self._http.aclose()

    async def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        operation: str,
        object_type: str | None = None,
        inputs: int = 0,
        repeatable: bool = True,
        writes: bool = False,
        search: bool = False,
        on_doubt: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Sends until HubSpot answers. ``repeatable`` False: never again once it may have been carried out.
        ``on_doubt`` is called when an attempt may be carried out later than the one that is answered.

        Raises ``Declined`` (4xx), ``OutcomeUnknown``, ``StopForNow``, ``Unavailable``, ``Refused`` (401, 403).
        """
        content = None if body is None else orjson.dumps(body)
        request = _Request(method, url, content, operation, object_type, inputs, repeatable, writes, search)

        async def attempt() -> Reply:
            try:
                reply = await self._until_taken(request)
            except _Again as error:
                if error.in_doubt:
                    on_doubt()
                if error.seconds > LONGEST_WAIT:
                    raise _stop_for("HubSpot asks for a long pause", error.seconds) from error
                raise
            if repeatable and not writes and not reply.body:
                # Taken for an answer, it would say that nothing of what was asked for is there.
                raise _Again(f"{reply.status} without an answer")
            return reply

        def tell(state: RetryCallState) -> None:
            seconds = round(state.upcoming_sleep, 3)
            why = str(state.outcome.exception()) if state.outcome else ""
            log.info("sent_again", operation=operation, type=object_type, why=why, seconds=seconds)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Again),
            wait=_wait,
            stop=_is_enough,
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except _Again as error:
            attempts = retrying.statistics.get("attempt_number", ATTEMPTS)
            raise Unavailable(
                f"HubSpot at {self.target.base_url} did not take a request in {attempts} attempts ({error}); "
                "what was not settled is resumed by the next push"
            ) from error

    async def _until_taken(self, request: _Request) -> Reply:
        """As often as HubSpot answers 429, for as long as our patience lasts: nothing was done then, and it is other
        applications that take the portal's share."""
        while True:
            try:
                return await self._once(request)
            except _TooMany as refusal:
                await self._stand_back(refusal, search=request.search)
            except DailyLimit as limit:
                raise StopForNow(str(limit), datetime.fromtimestamp(limit.until, UTC)) from limit

    async def _stand_back(self, refusal: _TooMany, *, search: bool) -> None:
        if refusal.asked > LONGEST_WAIT:
            raise _stop_for("HubSpot asks for a long pause", refusal.asked)
        patience, budget = self._patience[search], self.search_budget if search else self.budget
        try:
            seconds = patience.refused(refusal.left_at, refusal.asked)
        except OutOfPatience as error:
            raise _stop_for(
                f"HubSpot has answered 429 to everything for {error.seconds / 60:.0f} minutes (other applications are at "
                "the portal's limit)",
                PATIENCE,
            ) from refusal
        if seconds is not None:
            log.warning(
                "blocked_by_429",
                portal=self.portal.portal_id,
                kind="search" if search else "any",
                seconds=round(seconds, 1),
                in_a_row=patience.in_a_row,
            )
        if budget is None:
            await self._sleep(seconds or refusal.asked)
        elif seconds is not None:
            await budget.block(seconds, slow_down=True)

    async def _once(self, asked: _Request) -> Reply:
        # HubSpot exempts searches from its ten-second limit, but what the user allows a second is for all requests.
        budgets = [one for one in (self.search_budget if asked.search else None, self.budget) if one is not None]
        reserve = self.quota_reserve if asked.writes else 0
        sent_at, started, has_left, is_withheld = datetime.now(UTC), time.perf_counter(), False, False

        async def before_sending(event: str, _info: Mapping[str, Any]) -> None:
            # The connection stands by now: the next thing to happen is that the request's first bytes leave.
            nonlocal sent_at, started, has_left
            if event == "http11.send_request_headers.started":
                slots = [(one, await one.acquire(daily_reserve=reserve)) for one in budgets]
                await self.before_send()
                self.requests += 1
                self._on_their_way += 1
                sent_at, started, has_left = datetime.now(UTC), time.perf_counter(), True
                for one, slot in slots:
                    one.left(slot)

        extensions = {"trace": before_sending}
        request = self._http.build_request(asked.method, asked.url, content=asked.content, extensions=extensions)
        status: int | None = None
        try:
            response = await self._http.send(request)
            status, headers, body = response.status_code, response.headers, parsed(response.content)
            why = str(status)
        except UnreadableReply as error:
            status, headers, body, why = error.status, error.headers, {}, str(error)
            if 200 <= status < 300:
                status = None
        except (DailyLimit, Unavailable):
            is_withheld = True
            raise
        except httpx.TransportError as error:
            if not has_left:
                raise _Again(f"no connection: {type(error).__name__}") from error
            raise self._unanswered(f"no answer: {type(error).__name__}", asked) from error
        finally:
            self._on_their_way -= has_left
            if not is_withheld:
                took = (time.perf_counter() - started) * 1000
                self._on_request(RequestRecord(sent_at, asked.operation, asked.object_type, asked.inputs, status, took))
        if status is None:
            raise self._unanswered(why, asked)
        told = rate_headers(headers)
        await self._hear(told)
        if status != 429:
            self._patience[asked.search].taken(started)
        return await self._judge(status, headers, body, asked, started, told)

    def _unanswered(self, why: str, asked: _Request, seconds: float = 0.0) -> Exception:
        """For a request that may have been carried out."""
        return _Again(why, seconds, in_doubt=True) if asked.repeatable else OutcomeUnknown(why)

    async def _judge(
        self, status: int, headers: httpx.Headers, body: Json, asked: _Request, left_at: float, told: RateHeaders
    ) -> Reply:
        if 200 <= status < 300:
            return Reply(status, body)
        what, wait = problem(body), retry_after(headers)
        if status == 429:
            if body.get("policyName") == "DAILY" or "daily limit" in what.words:
                midnight = next_midnight(self.portal.time_zone)
                if self.budget is not None:
                    await self.budget.used_up(midnight.timestamp())
                raise DailyLimit(midnight.timestamp())
            raise _TooMany(min(told.interval or 1.0, 10.0) if wait is None else wait, left_at)
        if status == 423:
            raise _Again("423: the record is locked", LOCK_SECONDS)
        if status == 477:
            raise _Again("477: the account is moving", 60.0 if wait is None else wait)
        if status >= 500 or status == 408:
            raise self._unanswered(f"HubSpot answered {status}", asked, wait or 0.0)
        if status == 401:
            raise Refused(f"HubSpot refuses the token (401, {what.words}); check HUBSPOT_TOKEN")
        if status == 403:
            raise MissingScopes(what)
        if status < 400:
            raise Unavailable(f"{self.target.base_url} redirects instead of answering; check HUBSPOT_BASE_URL")
        raise Declined(status, what)

    async def _hear(self, told: RateHeaders) -> None:
        if told.nonsense and not self._has_told_nonsense:
            self._has_told_nonsense = True  # once
            log.warning("rate_headers_ignored", portal=self.portal.portal_id, **told.nonsense)
        if self.budget is not None and (told.rps is not None or told.daily_remaining is not None):
            # Until the portal is known, so is not when its day ends.
            remaining = told.daily_remaining if self.portal.portal_id else None
            midnight = next_midnight(self.portal.time_zone).timestamp()
            await self.budget.heard(told.rps, remaining, midnight, self._on_their_way)


def _stop_for(reason: str, seconds: float) -> StopForNow:
    return StopForNow(reason, datetime.now(UTC) + timedelta(seconds=seconds))


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _Again) else 0.0
    return asked + _backoff(state)


def _is_enough(state: RetryCallState) -> bool:
    return state.attempt_number >= ATTEMPTS or state.idle_for + state.upcoming_sleep > LONGEST_WAIT + ATTEMPTS * 60
