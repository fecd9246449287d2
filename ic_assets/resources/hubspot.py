"""HubSpot's API as the push uses it: paths, one asynchronous client with retry and budget, and what a reply means.

The client decides what may be sent again; what a reply says about single records is read by the engine.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.resources.rate_budget import RateBudget

Json = dict[str, Any]

MAX_INPUTS = 100
# HubSpot's records stay locked for about two seconds (423).
LOCK_SECONDS = 2.0
# A wait that HubSpot asks for beyond this ends the run, to be resumed later, rather than holding it open.
LONGEST_WAIT = 900.0
ATTEMPTS = 8
# Begins where a run of its characters does, and gives nothing back: a text without an @ is looked at once.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_backoff = wait_random_exponential(multiplier=0.5, max=60)


@dataclass(frozen=True)
class HubSpotTarget:
    """Which HubSpot, with which token and budget. ``timeout`` in seconds, per request."""

    base_url: str
    token: str | None = field(repr=False)
    api: str = "v3"
    id_property: str = "ic_communication_id"
    rps: float = 10.0
    timeout: float = 60.0


def path(api: str, family: str, *tail: str) -> str:
    """The path of one of HubSpot's API families (objects, properties, associations, account) in one version.

    v3 pairs with associations v4; the dated versions put the version behind the family.
    """
    end = "".join(f"/{quote(part, safe='/')}" for part in tail)
    if family == "account":
        return f"/account-info/v3{end}"
    if api == "v3":
        return f"/crm/{'v4' if family == 'associations' else 'v3'}/{family}{end}"
    return f"/crm/{family}/{api}{end}"


@dataclass(frozen=True)
class Problem:
    """HubSpot's words about a refusal, safe to store and to show (e-mail addresses masked)."""

    words: str
    category: str | None = None
    correlation_id: str | None = None
    context: Mapping[str, list[str]] = field(default_factory=dict)
    codes: frozenset[str] = frozenset()

    @property
    def is_conflict(self) -> bool:
        """Another record holds the unique value (FACTS 3.2 lists both wordings)."""
        return "already has that value" in self.words or self.category == "CONFLICT"

    @property
    def missing_targets(self) -> list[str]:
        """The records that an association names and HubSpot does not have, as HubSpot writes them."""
        return self.context.get("INVALID_OBJECT_IDS", [])

    def ids(self, key: str) -> list[str]:
        return self.context.get(key, [])


def problem(body: Any, *, correlation_id: str | None = None) -> Problem:
    """Reads an error body or one entry of ``errors``. Every field is optional in HubSpot's answers."""
    if not isinstance(body, dict):
        return Problem("HubSpot gave no reason", correlation_id=correlation_id)
    details = [entry for entry in _list(body.get("errors")) if isinstance(entry, dict)]
    context: dict[str, list[str]] = {}
    for source in (body, *details):
        for key, values in _dict(source.get("context")).items():
            context.setdefault(str(key), []).extend(str(value) for value in _list(values))
    words = str(body.get("message") or "; ".join(str(d.get("message", "")) for d in details) or "no reason given")
    if context.get("INVALID_OBJECT_IDS"):
        words = (
            f"association to a record that HubSpot does not have: {', '.join(context['INVALID_OBJECT_IDS'])} ({words})"
        )
    return Problem(
        words=masked(words).replace("\x00", "")[:1000],
        category=_text(body.get("category") or body.get("errorType")),
        correlation_id=_text(body.get("correlationId")) or correlation_id,
        context=context,
        codes=frozenset(str(d["code"]) for d in details if d.get("code")),
    )


def masked(text: str) -> str:
    """``text`` without readable e-mail addresses."""
    return _EMAIL.sub(lambda m: f"{m[0][0]}…@{m[0].rpartition('@')[2][:1]}….{m[0].rpartition('.')[2]}", text)


class Rejected(Exception):
    """HubSpot refused the request as a whole; nothing of it was written."""

    def __init__(self, status: int, what: Problem) -> None:
        super().__init__(f"{status}: {what.words}")
        self.status = status
        self.problem = what


class MissingScopes(Refused):
    """The token may not do this (403). ``scopes``: any of them would do, as far as HubSpot names them."""

    def __init__(self, what: Problem) -> None:
        self.scopes = what.ids("requiredGranularScopes")
        named = ", ".join(self.scopes) or "not named"
        super().__init__(f"the HubSpot token lacks scopes ({named}); add them and run this again: {what.words}")


class OutcomeUnknown(Exception):
    """The request may have been carried out: a lost or useless answer to something that must not be sent twice."""


class StopForNow(Exception):
    """HubSpot takes nothing more from us for a long time (daily limit, move of the account)."""

    def __init__(self, reason: str, resume_at: datetime) -> None:
        super().__init__(f"{reason}; push again after {resume_at:%Y-%m-%d %H:%M} UTC")
        self.resume_at = resume_at


class _Again(Exception):
    """Worth another attempt, after at least ``seconds``. ``in_doubt``: this one may still be carried out."""

    def __init__(self, why: str, seconds: float = 0.0, *, in_doubt: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.in_doubt = in_doubt


@dataclass(frozen=True)
class Reply:
    status: int
    body: Json

    @property
    def results(self) -> list[Json]:
        return [entry for entry in _list(self.body.get("results")) if isinstance(entry, dict)]

    @property
    def errors(self) -> list[Problem]:
        """What went wrong with single inputs: 207 in v3, inside a plain 200 in newer versions."""
        return [problem(entry) for entry in _list(self.body.get("errors"))]


@dataclass(frozen=True)
class RequestRecord:
    """One request as the report wants it. ``status`` None: no answer came."""

    sent_at: datetime
    operation: str
    object_type: str | None
    inputs: int
    status: int | None
    milliseconds: float


@dataclass(frozen=True)
class Portal:
    portal_id: int
    time_zone: str
    account_type: str | None


class HubSpotClient:
    """One portal, one token. ``open()`` first; then ``budget`` is to be set, so that every process shares it."""

    def __init__(
        self,
        target: HubSpotTarget,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_request: Callable[[RequestRecord], None] = lambda _record: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not target.token:
            raise Refused("HUBSPOT_TOKEN is not set; set it to a private-app token or a service key")
        self.target = target
        self.budget: RateBudget | None = None
        self.search_budget: RateBudget | None = None
        self.portal = Portal(0, "UTC", None)
        self.requests = 0
        self.quota_reserve = 10
        self._sleep = sleep
        self._on_request = on_request
        self._daily_remaining: int | None = None
        self._under_way = 0
        host = urlsplit(target.base_url).hostname
        self._http = httpx.AsyncClient(
            base_url=target.base_url,
            headers={"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"},
            timeout=httpx.Timeout(target.timeout, connect=10.0, pool=None),
            limits=httpx.Limits(max_connections=128, max_keepalive_connections=128),
            # A proxy is for the way out; the local HubSpot is never behind one.
            trust_env=host not in ("127.0.0.1", "localhost", "::1"),
            transport=transport,
        )

    async def open(self) -> Portal:
        """Asks which portal the token belongs to. Raises ``Unavailable`` or ``Refused``."""
        reply = await self.send("GET", path(self.target.api, "account", "details"), operation="account")
        number = reply.body.get("portalId")
        if not isinstance(number, int):
            raise Unavailable(
                f"{self.target.base_url} does not answer like HubSpot (no portalId); check HUBSPOT_BASE_URL"
            )
        zone = str(reply.body.get("timeZone") or "UTC")
        self.portal = Portal(number, zone, _text(reply.body.get("accountType")))
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

        Raises ``Rejected`` (4xx), ``OutcomeUnknown``, ``StopForNow``, ``Unavailable``, ``Refused`` (401, 403).
        """
        # What is under way is not in the last count that HubSpot told.
        if (
            writes
            and self._daily_remaining is not None
            and self._daily_remaining - self._under_way <= self.quota_reserve
        ):
            raise self._quota_used()
        content = None if body is None else orjson.dumps(body)

        async def attempt() -> Reply:
            try:
                reply = await self._once(method, url, content, operation, object_type, inputs, repeatable, search)
            except _Again as error:
                if error.in_doubt:
                    on_doubt()
                raise
            if repeatable and not writes and not reply.body:
                # Taken for an answer, it would say that nothing of what was asked for is there.
                raise _Again(f"{reply.status} without an answer")
            return reply

        self._under_way += 1
        try:
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(_Again),
                wait=_wait,
                stop=stop_after_attempt(ATTEMPTS),
                sleep=self._sleep,
                reraise=True,
            )
            return await retrying(attempt)
        except _Again as error:
            raise Unavailable(
                f"HubSpot at {self.target.base_url} did not take a request in {ATTEMPTS} attempts ({error}); "
                "what was not settled is resumed by the next push"
            ) from error
        finally:
            self._under_way -= 1

    async def _once(
        self,
        method: str,
        url: str,
        content: bytes | None,
        operation: str,
        object_type: str | None,
        inputs: int,
        repeatable: bool,
        search: bool,
    ) -> Reply:
        # HubSpot exempts searches from its ten-second limit, but what the user allows a second is for all requests.
        budgets = [one for one in (self.search_budget if search else None, self.budget) if one is not None]
        sent_at, started = datetime.now(UTC), time.perf_counter()

        async def before_sending(event: str, _info: Mapping[str, Any]) -> None:
            # The connection stands by now: the next thing to happen is that the request's first bytes leave.
            nonlocal sent_at, started
            if event == "http11.send_request_headers.started":
                slots = [(one, await one.acquire()) for one in budgets]
                self.requests += 1
                sent_at, started = datetime.now(UTC), time.perf_counter()
                for one, slot in slots:
                    one.left(slot)

        request = self._http.build_request(method, url, content=content, extensions={"trace": before_sending})
        status: int | None = None
        try:
            response = await self._http.send(request)
            status = response.status_code
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Again("no connection") from error  # nothing left this machine
        except httpx.TransportError as error:
            if repeatable:
                raise _Again(f"no answer: {type(error).__name__}", in_doubt=True) from error
            raise OutcomeUnknown(f"no answer: {type(error).__name__}") from error
        finally:
            took = (time.perf_counter() - started) * 1000
            self._on_request(RequestRecord(sent_at, operation, object_type, inputs, status, took))
        await self._read_headers(response.headers)
        return await self._judge(response, repeatable)

    async def _judge(self, response: httpx.Response, repeatable: bool) -> Reply:
        status, body = response.status_code, _json(response.content)
        if 200 <= status < 300:
            return Reply(status, body)
        what = problem(body)
        if status == 429:
            if body.get("policyName") == "DAILY" or "daily limit" in what.words:
                raise self._quota_used()
            interval = (_number(response.headers, "X-HubSpot-RateLimit-Interval-Milliseconds") or 1000.0) / 1000
            seconds = self._bearable(_retry_after(response.headers) or min(interval, 10.0))
            if self.budget is not None:
                await self.budget.block(seconds)
            raise _Again("429: too many requests", seconds)
        if status == 423:
            raise _Again("423: the record is locked", LOCK_SECONDS)
        if status == 477:
            seconds = self._bearable(_retry_after(response.headers) or 60.0)
            raise _Again("477: the account is moving", seconds)
        if status >= 500 or status == 408:
            if repeatable:
                raise _Again(f"{status}", _retry_after(response.headers) or 0.0, in_doubt=True)
            raise OutcomeUnknown(f"HubSpot answered {status}")
        if status == 401:
            raise Refused(f"HubSpot refuses the token (401, {what.words}); check HUBSPOT_TOKEN")
        if status == 403:
            raise MissingScopes(what)
        if status < 400:
            raise Unavailable(f"{self.target.base_url} redirects instead of answering; check HUBSPOT_BASE_URL")
        raise Rejected(status, what)

    async def _read_headers(self, headers: httpx.Headers) -> None:
        maximum = _number(headers, "X-HubSpot-RateLimit-Max")
        interval = _number(headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
        if self.budget is not None and maximum and interval:
            await self.budget.heard(int(maximum), interval / 1000)
        remaining = _number(headers, "X-HubSpot-RateLimit-Daily-Remaining")
        if remaining is not None:
            self._daily_remaining = int(remaining)

    def _bearable(self, seconds: float) -> float:
        if seconds > LONGEST_WAIT:
            raise StopForNow("HubSpot asks for a long pause", datetime.now(UTC) + timedelta(seconds=seconds))
        return seconds

    def _quota_used(self) -> StopForNow:
        """The daily count starts again at midnight in the account's own time zone."""
        try:
            zone = ZoneInfo(self.portal.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = ZoneInfo("UTC")
        tomorrow = datetime.now(zone).date() + timedelta(days=1)
        midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone)
        return StopForNow("HubSpot's daily limit is used up", midnight.astimezone(UTC))


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _Again) else 0.0
    return asked + _backoff(state)


def _retry_after(headers: httpx.Headers) -> float | None:
    return _number(headers, "Retry-After")


def _number(headers: httpx.Headers, name: str) -> float | None:
    try:
        value = float(headers[name])
    except (KeyError, ValueError):
        return None
    return value if 0 <= value < 1e12 else None


def _json(content: bytes) -> Json:
    try:
        body = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError:
        return {}
    return _dict(body)


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
