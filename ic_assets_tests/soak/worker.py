"""One real engine process: a fork of a warm parent that calls ``push()`` or ``rollback()`` and may be killed with SIGKILL at
any point."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.hubspot.client.client import HubSpotTarget
from ic_assets.hubspot.push import run as push_module
from ic_assets.hubspot.push.rollback import RollbackSelection, rollback
from ic_assets.hubspot.push.run import PushOptions, push

LONGEST_SLEEP = 0.1
"""Back-off and polling are cut to this. The budget and the pause before a second look go by PostgreSQL's clock, so that
they hold all the same."""


@dataclass
class Worker:
    """A running or ended process. ``answer``: what it said before it ended; None when it was killed first."""

    pid: int
    pipe: int
    number: int
    said: bytes = b""
    status: int | None = None
    answer: dict[str, Any] | None = None
    is_hanging: bool = False

    def read(self) -> bool:
        """Takes what it says. False once it has ended."""
        part = os.read(self.pipe, 1 << 16)
        if part:
            self.said += part
            return True
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self.answer = json.loads(self.said) if self.said.endswith(b"\n") else None
        return False

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    @property
    def was_killed(self) -> bool:
        return self.status == -signal.SIGKILL


def start(number: int, work: Callable[[], dict[str, Any]], point: int | None) -> Worker:
    """Forks a worker that says what ``work`` answers. With ``point`` it kills itself at the n-th exchange with PostgreSQL or
    HubSpot."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Worker(pid, reading, number)
    os.close(reading)
    gc.disable()  # it would touch, and so copy, every page that is shared with the parent
    try:
        if point is not None:
            die_at(point)
        answer = work()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(answer).encode() + b"\n")
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def push_once(database: str, target: HubSpotTarget, options: PushOptions) -> dict[str, Any]:
    """What the push answers; ``unavailable`` or ``error`` alone when it raised."""
    # HubSpot's search takes five requests a second; waiting for it in every schedule would prove nothing.
    push_module.SEARCH_RPS = target.rps  # type: ignore[attr-defined]
    settings = Settings(home=Path(), postgres_url=None, drop_dir=Path())
    try:
        result = push(database, settings, target, OUTGOING, options, sleep=_short_sleep)
    except Unavailable as refusal:
        return {"unavailable": str(refusal)}
    except Exception:  # noqa: BLE001 - whatever a worker dies of is a finding
        return {"error": traceback.format_exc()}
    return {
        **result.to_json(),
        "push_id": result.push_id,
        "stopped_reason": result.stopped_reason,
        "guarantee": result.guarantee,
    }


def take_back_once(database: str, target: HubSpotTarget, recheck_seconds: float) -> dict[str, Any]:
    """What a roll-back of everything answers; ``unavailable`` or ``error`` alone when it raised."""
    push_module.SEARCH_RPS = target.rps  # type: ignore[attr-defined]
    try:
        result = rollback(
            database,
            target,
            OUTGOING,
            RollbackSelection(),
            dry_run=False,
            recheck_seconds=recheck_seconds,
            sleep=_short_sleep,
        )
    except Unavailable as refusal:
        return {"unavailable": str(refusal)}
    except Exception:  # noqa: BLE001 - whatever a worker dies of is a finding
        return {"error": traceback.format_exc()}
    return vars(result)


async def _short_sleep(seconds: float) -> None:
    await asyncio.sleep(min(seconds, LONGEST_SLEEP))


def die_at(point: int) -> None:
    """Counts the points: before and after every exchange with PostgreSQL, and each step of every HTTP request (headers
    sent, body sent, answer begun, answer read)."""
    passed = 0

    def pass_point() -> None:
        nonlocal passed
        passed += 1
        if passed >= point:
            os.kill(os.getpid(), signal.SIGKILL)

    wait = psycopg.AsyncConnection.wait

    async def counted_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        pass_point()
        result = await wait(self, *args, **kwargs)
        pass_point()
        return result

    psycopg.AsyncConnection.wait = counted_wait  # type: ignore[method-assign]
    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def counted_handle(self: Any, request: httpx.Request) -> httpx.Response:
        trace = request.extensions.get("trace")

        async def traced(event: str, info: Any) -> None:
            if trace is not None:
                await trace(event, info)
            pass_point()

        request.extensions = {**request.extensions, "trace": traced}
        return await handle(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = counted_handle  # type: ignore[method-assign]
