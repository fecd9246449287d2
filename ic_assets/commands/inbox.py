"""``ic-assets inbox``: what came in and is not done, one event, another try, and what may go."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg

from ic_assets.activities.engine.judging import not_done
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import counted, emit_json, out, table
from ic_assets.commands.working import working
from ic_assets.core.failures import Refused
from ic_assets.core.schema import NothingYet
from ic_assets.core.settings import Settings
from ic_assets.inbox import exact_json, upkeep
from ic_assets.inbox.registry import registry
from ic_assets.inbox.upkeep import Source, Wanted
from ic_assets.operations import attempts
from ic_assets.operations.attempts import Attempt

_SHOWN = 10
_LONGEST = 2000
# Sensors of what does not come in by the inbox.
_NOT_OURS = (not_done.FILES, *not_done.MONTHS)
_RUN = re.compile(r"(\w)\1+")


def status(*, as_json: bool) -> int:
    """What waits and what was set aside, by source; files with lines that are no event. Returns 0. Raises ``Refused``."""
    try:
        with looking(Settings.from_env()) as connection:
            sources, files = upkeep.sources(connection), upkeep.files(connection)
            tried = [one for one in attempts.standing(connection) if _is_ours(one) and one.reason is not None]
    except NothingYet:
        sources, files, tried = [], [], []
    if as_json:
        failed = [{"what": one.subject, "why": str(one), "given_up": one.is_given_up} for one in tried]
        emit_json({"sources": [one.to_json() for one in sources], "files": files, "failed": failed})
        return 0
    if sources:
        columns = ["source", "new", "oldest (UTC)", "set aside", "unknown topic", "other contents"]
        out.print(table("Inbox", columns, [_cells(one) for one in sources]))
    else:
        out.print("Nothing waits in the inbox, and nothing was set aside.")
    reasons = [(one.source, reason, count) for one in sources for reason, count in one.reasons.items()]
    for source, reason, count in sorted(reasons, key=lambda row: -row[2])[:_SHOWN]:
        out.print(
            f"{source}: {counted(count, 'event')} set aside, {reason}. Once the cause is mended: "
            f"ic-assets inbox retry --source {source} --reason {reason}",
            markup=False,
        )
    for file in files[:_SHOWN]:
        what = "its load was broken off; load it again" if file["is_unfinished"] else _rejected(file)
        out.print(f"{file['door']}/{file['file']}: {what}", markup=False)
    for one in tried[:_SHOWN]:
        out.print(f"{one.subject}: {one}", markup=False)
    return 0


def _is_ours(attempt: Attempt) -> bool:
    return attempt.sensor not in _NOT_OURS


def _cells(one: Source) -> list[Any]:
    oldest = f"{one.oldest.astimezone(UTC):%Y-%m-%d %H:%M}" if one.oldest else ""
    return [one.source, one.new, oldest, one.set_aside, one.unknown_topic, one.differing]


def _rejected(file: dict[str, Any]) -> str:
    return f"{counted(file['rejected'], 'line')} of {file['lines']:,} are no event; mend them and load it again"


def show(wanted: str, source: str | None, *, full: bool, as_json: bool) -> int:
    """The events with this number or event id. Without ``full`` the values of their bodies keep their shape alone: letters
    as a, digits as 9. Returns 0. Raises ``Refused`` where there is none."""
    with looking(Settings.from_env()) as connection:
        found = upkeep.show(connection, wanted, source)
    if not found:
        raise Refused(f"there is no event {wanted!r} in the inbox; it never came, or is done and was pruned")
    for event in found:
        value = exact_json.kept(event["body"])
        event["body"] = value if full else _shape(value)
    if as_json:
        # Its numbers as they are.
        events = [{**event, "body": orjson.Fragment(exact_json.dumps(event["body"]))} for event in found]
        emit_json({"events": events})
        return 0
    for event in found:
        for name, value in event.items():
            text = exact_json.dumps(value) if name == "body" else str(value)
            if value not in (None, []):
                out.print(f"{name:14} {text[:_LONGEST]}", markup=False)
        out.print()
    if not full:
        out.print("Values of the body are masked; --full shows them.")
    return 0


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shape(one) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    plain = "".join("a" if c.isalpha() else "9" if c.isdigit() else c for c in str(value))
    return _RUN.sub(r"\1+", plain)[:80]


def retry(wanted: Wanted, *, as_json: bool) -> int:
    """Lets events that were set aside be taken again, and flows whose runs were given up begin anew. Returns 0. Raises
    ``Refused``."""

    def tried(connection: psycopg.Connection) -> int:
        attempts.begin_anew(connection, _NOT_OURS)
        return upkeep.retry(connection, registry(), wanted)

    with working(Settings.from_env()) as database:
        count: int = database.repeated("retry", tried)
        with database.transaction() as connection:
            left = _left(connection, wanted.source)
    if as_json:
        emit_json({"retried": count, "left": left})
    else:
        out.print(f"{counted(count, 'event')} wait to be taken again; {left:,} stay set aside or of unknown topics.")
    return 0


def _left(connection: psycopg.Connection, source: str | None) -> int:
    found = upkeep.sources(connection)
    return sum(one.set_aside + one.unknown_topic for one in found if source in (None, one.source))


def prune(older_than: str, source: str | None, *, as_json: bool) -> int:
    """Removes what is done, older, and in its flow's archive. Returns 0. Raises ``Refused``."""
    before = datetime.now(UTC) - _age(older_than)
    known = registry()
    with working(Settings.from_env()) as database:
        removed = upkeep.prune(database.transaction, known, before, source)
    kept = sorted({name for flow in known.flows if not flow.archive for name in flow.sources if source in (None, name)})
    if as_json:
        emit_json({"pruned": removed, "before": before.isoformat(timespec="seconds"), "without_archive": kept})
        return 0
    total = sum(removed.values())
    out.print(f"{counted(total, 'event')} done before {before:%Y-%m-%d %H:%M} UTC and archived: removed.")
    if kept:
        out.print(f"Kept, since no archive holds them: {', '.join(kept)}.")
    return 0


_UNITS = {"d": 1, "w": 7, "y": 365}


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([dwy])", text.strip().lower())
    if not found or not int(found[1]):
        raise Refused(f"--older-than {text!r} is not an age; write 90d, 12w or 1y")
    return timedelta(days=int(found[1]) * _UNITS[found[2]])
