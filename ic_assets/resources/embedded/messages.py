"""Why a server did not start, in one line of its log and a word of advice."""

from __future__ import annotations

from typing import NoReturn

from ic_assets.core.failures import Unavailable

_ADVICE = {
    "No space left": "free some space, or set IC_HOME to a folder on a larger disk",
    "could not extend file": "free some space, or set IC_HOME to a folder on a larger disk",
    "quota exceeded": "free some space, or set IC_HOME to a folder on a larger disk",
    "ermission denied": "set IC_HOME to a folder that this user may write to",
    "Read-only file system": "set IC_HOME to a folder that this user may write to",
    "Not a directory": "set IC_HOME to a folder that this user may write to",
}


def telling_line(text: str) -> str:
    """The line of a log that says why a server ended: its first error, since others follow from that; else the
    last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    return (errors or lines[-1:] or ["no message"])[0]


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def unavailable(why: str) -> NoReturn:
    raise Unavailable(f"the embedded PostgreSQL cannot start: {why}{_advice(why)}") from None


def _advice(why: str) -> str:
    return next((f"; {advice}" for cause, advice in _ADVICE.items() if cause in why), "")
