"""The settings that shape the data, kept in the database (``staging.ic_setting``) from when they were first used: a shell
without one gets the kept value, a shell with another is refused. Called when a run or a command has found its database, and
by whoever writes data, in the transaction that writes. What a change puts out of date is the flows' own business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg

from ic_assets.core import session
from ic_assets.core.failures import Refused
from ic_assets.core.months import checked_start
from ic_assets.core.settings import (
    DATE_ORDERS,
    TASK_DUE,
    ZERO_IDS,
    Settings,
    checked_email,
    checked_encoding,
    checked_one_of,
    checked_timezone,
)
from ic_assets.core.sql import statement


@dataclass(frozen=True)
class _Kept:
    """A setting: its attribute, how text becomes its value and its value text. ``read`` raises ``Refused``."""

    attribute: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str


def _text(value: str | None) -> str:
    return value or ""


KEPT: dict[str, _Kept] = {
    "IC_SOURCE_TIMEZONE": _Kept("source_timezone", lambda text: checked_timezone(text or "UTC")),
    "IC_DATE_ORDER": _Kept("date_order", lambda text: checked_one_of("IC_DATE_ORDER", text, DATE_ORDERS)),
    "IC_PARTITIONS_START": _Kept("partitions_start", checked_start, date.isoformat),
    "IC_OWN_EMAIL": _Kept("own_email", lambda text: checked_email(text or None), _text),
    "IC_ENCODING": _Kept("encoding", lambda text: checked_encoding(text or None), _text),
    "IC_ZERO_IDS": _Kept(
        "keep_zero_ids",
        lambda text: checked_one_of("IC_ZERO_IDS", text, ZERO_IDS) == "keep",
        lambda keeps: "keep" if keeps else "missing",
    ),
    "IC_TASK_DUE": _Kept("task_due", lambda text: checked_one_of("IC_TASK_DUE", text, TASK_DUE)),
}


def text_of(settings: Settings, name: str) -> str:
    """The value of a setting as its variable would have it, empty for none."""
    return KEPT[name].write(getattr(settings, KEPT[name].attribute))


def kept(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The settings that the database keeps; none in one that is not made yet, or older."""
    if connection.execute("SELECT to_regclass('staging.ic_setting')").fetchone() == (None,):
        return {}
    return dict(connection.execute("SELECT name, value FROM staging.ic_setting").fetchall())


def in_force(connection: psycopg.Connection[Any], settings: Settings) -> Settings:
    """``settings`` with the kept values where the shell gives none. Raises ``Refused`` where it gives another."""
    known = kept(connection)
    for name, value in sorted(known.items()):
        if name in settings.given and text_of(settings, name) != value:
            raise Refused(_differs(name, text_of(settings, name), value))
    values = {KEPT[name].attribute: KEPT[name].read(value) for name, value in known.items()}
    return replace(settings, **values) if values else settings


def settings_for(postgres_url: str, settings: Settings) -> Settings:
    """``in_force`` of a database that nothing else of this process has open."""
    with session.connect(postgres_url) as connection:
        return in_force(connection, settings)


def require(connection: psycopg.Connection[Any], settings: Settings) -> None:
    """Raises ``Refused`` where the database keeps other settings than those of this run: somebody changed them since it
    began."""
    for name, value in sorted(kept(connection).items()):
        if text_of(settings, name) != value:
            raise Refused(_differs(name, text_of(settings, name), value))


def keep(connection: psycopg.Connection[Any], settings: Settings) -> None:
    """Keeps what is not kept yet, from a run that has made data with it. Raises as ``require``."""
    require(connection, settings)
    if kept(connection).keys() != KEPT.keys():
        connection.execute(
            statement("core/settings/keep"),
            {"names": list(KEPT), "setting_values": [text_of(settings, name) for name in KEPT]},
        )


def _differs(name: str, ours: str, value: str) -> str:
    return (
        f"{name} is {shown(ours)} here and {shown(value)} in the database, whose data was made with that; unset it to go on "
        f"with {shown(value)}, or change it knowingly: `ic-assets settings set {name} {ours or repr('')}`"
    )


def shown(value: str) -> str:
    return value or "none"
