"""What HubSpot's replies mean: the body as it may be read whatever its shape, refusals, and the errors of the client.

Holds no HTTP. Everything in a reply is hostile until it is read here: shapes are coerced, words cut and masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from ic_assets.core.failures import Refused
from ic_assets.core.masking import mask_addresses

Json = dict[str, Any]

# A batch of a hundred records with long texts has some ten thousand values and less than a million commas. Each value
# costs up to two hundred bytes once it is parsed, so that a body of brackets alone would take thirty times its size.
_MOST_PARTS = 1_000_000
_MOST_WORDS = 1000


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
    details = objects(body.get("errors"))
    context: dict[str, list[str]] = {}
    for source in (body, *details):
        for key, values in as_dict(source.get("context")).items():
            context.setdefault(str(key), []).extend(str(value) for value in as_list(values))
    words = str(body.get("message") or "; ".join(str(d.get("message", "")) for d in details) or "no reason given")
    if context.get("INVALID_OBJECT_IDS"):
        words = (
            f"association to a record that HubSpot does not have: {', '.join(context['INVALID_OBJECT_IDS'])} ({words})"
        )
    return Problem(
        words=mask_addresses(words).replace("\x00", "")[:_MOST_WORDS],
        category=as_text(body.get("category") or body.get("errorType")),
        correlation_id=as_text(body.get("correlationId")) or correlation_id,
        context=context,
        codes=frozenset(str(d["code"]) for d in details if d.get("code")),
    )


class Declined(Exception):
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
    """HubSpot takes nothing more from us for a long time (daily limit, move of the account, others at its limit)."""

    def __init__(self, reason: str, resume_at: datetime) -> None:
        super().__init__(f"{reason}; push again after {resume_at:%Y-%m-%d %H:%M} UTC")
        self.resume_at = resume_at


@dataclass(frozen=True)
class Reply:
    status: int
    body: Json

    @property
    def results(self) -> list[Json]:
        return objects(self.body.get("results"))

    @property
    def errors(self) -> list[Problem]:
        """What went wrong with single inputs: 207 in v3, inside a plain 200 in newer versions."""
        return [problem(entry) for entry in as_list(self.body.get("errors"))]

    @property
    def next_page(self) -> str | None:
        """The cursor of the page behind this one."""
        after = as_dict(as_dict(self.body.get("paging")).get("next")).get("after")
        return str(after)[:200] if isinstance(after, str | int) and after else None


def parsed(content: bytes) -> Json:
    """The body as an object; an empty one for everything else, and for what would take too much memory."""
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > _MOST_PARTS:
        return {}
    try:
        body = orjson.loads(content) if content else {}
    except orjson.JSONDecodeError:
        return {}
    return as_dict(body)


def as_dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[Json]:
    """The objects of a list."""
    return [entry for entry in as_list(value) if isinstance(entry, dict)]


def as_text(value: Any) -> str | None:
    """A short text for the database, which takes no NUL."""
    return (value.replace("\x00", "")[:200] or None) if isinstance(value, str) else None
