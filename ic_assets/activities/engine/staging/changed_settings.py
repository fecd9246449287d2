"""A setting that shapes the data, changed knowingly: what stands under the old value is marked, or named where only its file
can tell it anew. Called by ``ic-assets settings`` and the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from ic_assets.activities.engine.staging.slices import hold_all, mark_changed
from ic_assets.core import kept_settings
from ic_assets.core.failures import Refused
from ic_assets.core.kept_settings import KEPT, text_of, value_of
from ic_assets.core.months import DEFAULT_START
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement

# What a payload is made with, and of which types' communications (None: of all).
_OF_PAYLOADS: dict[str, str | None] = {"IC_SOURCE_TIMEZONE": None, "IC_OWN_EMAIL": "emails", "IC_TASK_DUE": "tasks"}
_OF_READING = ("IC_ENCODING", "IC_DATE_ORDER", "IC_SOURCE_TIMEZONE", "IC_ZERO_IDS")


@dataclass(frozen=True)
class Changed:
    """``months`` are out of date by it; ``drops`` were read under the old value, and only their files, loaded again, tell
    what they hold under the new one."""

    name: str
    before: str | None
    value: str
    months: tuple[date, ...] = ()
    drops: tuple[str, ...] = ()


def change(connection: psycopg.Connection[Any], settings: Settings, name: str, text: str) -> Changed:
    """Keeps another value, and marks what it puts out of date. ``settings`` are those in force. Raises ``Refused`` for a name
    or value that is none, and for a first month after the data's."""
    if name not in KEPT:
        raise Refused(f"{name!r} is not kept in the database; those that are: {', '.join(KEPT)}")
    meant = value_of(name, text.strip())
    value = text_of(settings.model_copy(update={KEPT[name]: meant}), name)
    hold_all(connection, None)
    before = kept_settings.kept(connection).get(name)
    if value == before:
        return Changed(name, before, value)
    if name == "IC_PARTITIONS_START":
        _refuse_later_start(connection, date.fromisoformat(value))
    connection.execute(statement("core/settings/change"), {"name": name, "setting_value": value})
    months = _months(connection, name) if name in _OF_PAYLOADS else ()
    mark_changed(connection, months, "setting")
    after = settings.model_copy(update={KEPT[name]: meant})
    drops = read_otherwise(connection, after) if name in _OF_READING else ()
    if name == "IC_PARTITIONS_START":
        drops = _out_of_range(connection)
    return Changed(name, before, value, months, drops)


def read_otherwise(connection: psycopg.Connection[Any], settings: Settings) -> tuple[str, ...]:
    """The drops of which something stands, in their order, that were read under other settings than these."""
    rows = connection.execute(
        statement("activities/settings/read_otherwise"),
        {"reading": settings.model_copy(update={"partitions_start": _default()}).reading},
    )
    return tuple(row[0] for row in rows.fetchall())


def _default() -> date:
    return date.fromisoformat(DEFAULT_START)


def _months(connection: psycopg.Connection[Any], name: str) -> tuple[date, ...]:
    rows = connection.execute(statement("activities/settings/months_of_type"), {"activity_type": _OF_PAYLOADS[name]})
    return tuple(row[0] for row in rows.fetchall())


def _out_of_range(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT DISTINCT drop_key FROM staging.ic_rejected_row WHERE reason = 'out_of_range' ORDER BY drop_key"
    )
    return tuple(row[0] for row in rows.fetchall())


def _refuse_later_start(connection: psycopg.Connection[Any], start: date) -> None:
    row = connection.execute(
        "SELECT min(comm_datetime)::date FROM staging.ic_communication_landing WHERE is_current"
    ).fetchone()
    if row and row[0] and row[0] < start:
        raise Refused(
            f"communications of {row[0]:%Y-%m} stand in the master and would have no month; IC_PARTITIONS_START can be "
            f"{row[0].replace(day=1)} or earlier"
        )
