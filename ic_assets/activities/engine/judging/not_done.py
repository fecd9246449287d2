"""What has not started, waits or was given up, for people: files of the drop folder and months. ``status`` shows it; changes
nothing and reads no file's content. No Dagster here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from ic_assets.activities.engine.drop import drop_folder
from ic_assets.activities.engine.drop.drop_folder import File
from ic_assets.operations import attempts
from ic_assets.operations.attempts import Attempt

FILES = "csv_drop"
MONTHS = ("landed_months", "reconciled_months")
"""The sensors of this flow by what they start; those of other flows tell of theirs."""


def files(connection: psycopg.Connection, folder: Path) -> dict[str, list[dict[str, str]]]:
    """The files of the drop folder that have not landed: ``files_waiting``, ``files_given_up`` and ``files_left_alone``, each
    with ``file`` and ``why``."""
    found = drop_folder.listing(folder)
    known = drop_folder.looked_into(connection, found.files)
    tried = {attempt.subject: attempt for attempt in attempts.standing(connection, FILES)}
    waiting, given_up = [], []
    for file in found.files:
        looked, attempt = known.get(file.name), tried.get(file.name)
        if looked and looked.is_settled:
            continue
        if attempt and not attempt.cause.endswith(file.state):  # it was put back since
            attempt = None
        if looked and looked.refused:
            given_up.append({"file": file.name, "why": looked.refused})
        elif attempt and attempt.is_given_up:
            given_up.append({"file": file.name, "why": str(attempt)})
        else:
            waiting.append({"file": file.name, "why": _why(file, attempt)})
    left_alone = [{"file": name, "why": what} for name, what in found.left_alone.items()]
    return {"files_waiting": waiting, "files_given_up": given_up, "files_left_alone": left_alone}


def _why(file: File, attempt: Attempt | None) -> str:
    if attempt:
        return str(attempt)
    if drop_folder.dated_ahead(file):
        return "dated ahead of this machine's clock; lands while `ic-assets up` runs"
    return file.unready(time.time()) or "lands while `ic-assets up` runs"


def months(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """The months that the sensors have started and that failed: ``month``, ``why`` and ``given_up``."""
    return [
        {"month": attempt.subject, "why": str(attempt), "given_up": attempt.is_given_up}
        for attempt in attempts.standing(connection)
        if attempt.sensor in MONTHS and attempt.reason is not None
    ]
