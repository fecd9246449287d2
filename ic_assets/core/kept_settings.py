"""The settings that shape the data, kept in the database (``staging.ic_setting``) from when they were first used: a shell
without one gets the kept value, a shell with another is refused. Called when a run or a command has found its database, and
by whoever writes data, in the transaction that writes. What a change puts out of date is the flows' own business.
"""

from __future__ import annotations

from typing import Any

import psycopg

from ic_assets.core import session
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement

# By the name of the variable: the attribute of ``Settings``.
KEPT = {
    "IC_SOURCE_TIMEZONE": "source_timezone",
    "IC_DATE_ORDER": "date_order",
    "IC_PARTITIONS_START": "partitions_start",
    "IC_OWN_EMAIL": "own_email",
    "IC_ENCODING": "encoding",
    "IC_ZERO_IDS": "zero_ids",
    "IC_TASK_DUE": "task_due",
}


def value_of(name: str, text: str) -> Any:
    """What the text of a variable means, an empty one the default. Raises ``Refused`` for what it may not be."""
    values: dict[str, Any] = {KEPT[name]: text} if text else {}
    return getattr(Settings(**values), KEPT[name])


def given(settings: Settings, name: str) -> bool:
    """Whether the shell sets the variable."""
    return KEPT[name] in settings.model_fields_set


def text_of(settings: Settings, name: str) -> str:
    """The value of a setting as its variable would have it, empty for none."""
    value = getattr(settings, KEPT[name])
    return "" if value is None else str(value)


def kept(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The settings that the database keeps; none in one that is not made yet, or older."""
    if connection.execute("SELECT to_regclass('staging.ic_setting')").fetchone() == (None,):
        return {}
    return dict(connection.execute("SELECT name, value FROM staging.ic_setting").fetchall())


def in_force(connection: psycopg.Connection[Any], settings: Settings, *, refuses: bool = True) -> Settings:
    """``settings`` with the kept values where the shell gives none. Raises ``Refused`` where it gives another, unless that is
    what somebody came to change."""
    known = kept(connection)
    for name, value in sorted(known.items()):
        if refuses and given(settings, name) and text_of(settings, name) != value:
            raise Refused(_differs(name, text_of(settings, name), value))
    found = settings.model_copy(update={KEPT[name]: value_of(name, value) for name, value in known.items()})
    found.__dict__.pop("zone", None)  # worked out once, perhaps of the zone before
    return found


def settings_for(postgres_url: str, settings: Settings, *, refuses: bool = True) -> Settings:
    """``in_force`` of a database that nothing else of this process has open."""
    with session.connect(postgres_url) as connection:
        return in_force(connection, settings, refuses=refuses)


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
