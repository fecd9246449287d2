"""What a verifier is shown and what it answers. A verifier knows one way in which a sender proves a secret; it reads no
environment and no JSON, and keeps nothing of what it saw. The receiver asks each verifier of a source in turn.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

# Both ways, of a signed time and the receiver's clock (Standard Webhooks; HubSpot's documentation of v3).
WINDOW_SECONDS = 300.0

NO_SIGNATURE = "no_signature"
WRONG_SIGNATURE = "wrong_signature"
TOO_OLD = "too_old"
FROM_THE_FUTURE = "from_the_future"
NO_VERIFIER = "no_verifier"
# The one that says most of what is wrong stands in the log where several verifiers refused.
_TELLING = (FROM_THE_FUTURE, TOO_OLD, WRONG_SIGNATURE, NO_SIGNATURE, NO_VERIFIER)

_DIGITS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Arrived:
    """A request as it came. ``target``: path and query, percent signs and all, without the host. ``headers`` by lower-case
    name; one that came twice is joined with a comma, so that it fits no signature. ``at``: the receiver's clock, seconds.
    ``base``: scheme and host under which the sender knows us, without a slash at its end."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    base: str = ""


@dataclass(frozen=True)
class Verdict:
    """``by``: the verifier that passed it, None: ``reason`` says why not. ``future_seconds``: where no time is signed, how
    far ahead of the clock an event of the request may claim to have happened."""

    by: str | None
    reason: str = ""
    future_seconds: float | None = None


class Verifier(Protocol):
    """``name`` goes to ``inbox.event.verified_by``; HubSpot's adds its version to it."""

    name: str

    def verify(self, request: Arrived) -> Verdict: ...


def passed(by: str, *, future_seconds: float | None = None) -> Verdict:
    return Verdict(by, future_seconds=future_seconds)


def failed(reason: str) -> Verdict:
    return Verdict(None, reason)


def judge(request: Arrived, verifiers: Sequence[Verifier]) -> Verdict:
    """The verdict of the first that passes, else the most telling refusal. Without a verifier nothing passes."""
    refusals = [NO_VERIFIER]
    for verifier in verifiers:
        verdict = verifier.verify(request)
        if verdict.by is not None:
            return verdict
        refusals.append(verdict.reason)
    return failed(min(refusals, key=_TELLING.index))


def any_equal(given: bytes, wanted: Iterable[bytes]) -> bool:
    """Whether ``given`` is one of ``wanted``, in a time that tells neither which nor how much of it was right."""
    found = False
    for one in wanted:
        found |= hmac.compare_digest(given, one)
    return found


def signed_time(text: str, *, now: float, unit: float = 1.0) -> str | None:
    """What is wrong with a signed time, digits in units of ``unit`` seconds; None: it is within the window."""
    if not _DIGITS.fullmatch(text):
        return WRONG_SIGNATURE
    ahead = int(text) * unit - now
    if ahead > WINDOW_SECONDS:
        return FROM_THE_FUTURE
    return TOO_OLD if ahead < -WINDOW_SECONDS else None
