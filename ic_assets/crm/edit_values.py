"""How the text of a person's edit in HubSpot is read for a column of the company centre: to the canonical text that the
column, the change log and comparisons use, or to the reason for which its event is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import psycopg

from ic_assets.crm import countries
from ic_assets.crm.owners import Column

CS_STAGES = ("cs_sales", "cs_sbp", "cs_no_touch", "cs_onboarding", "cs_success", "cs_error")
MANAGERS = ("sales_account_manager", "customer_success_manager", "account_manager")
_RANGE = re.compile(r"[0-9]+(-[0-9]+|\+)")
_MILLISECONDS = re.compile(r"-?[0-9]{1,15}")
_YEARS = range(1900, 2201)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Reader = Callable[[Column, str], str | None]
"""Of a column and the text of an edit: the canonical text, None where it clears the field. Raises ``SetAside``."""


class SetAside(Exception):
    """The edit cannot be taken over; the argument is the reason's code."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


def reading(connection: psycopg.Connection, fields: Collection[str]) -> Reader:
    """A reader for these fields, with what it has to know of the database. For one transaction.

    A manager has to be one of ``funnel.v_manager``. While the database has no such view, nothing can be held against it
    and every username is taken."""
    managers = _managers(connection) if set(fields) & set(MANAGERS) else None
    country = countries.reader(connection) if "country" in fields else None

    def read(column: Column, text: str) -> str | None:
        value = text.strip()
        if not value:
            if not column.may_be_empty:
                raise SetAside("empty_value")
            return None
        if column.name in MANAGERS and managers is not None and value not in managers:
            raise SetAside("unknown_manager")
        if column.name == "cs_stage" and value not in CS_STAGES:
            raise SetAside("not_an_option")
        if column.name == "num_of_employees_range" and not _RANGE.fullmatch(value):
            raise SetAside("type_mismatch")
        if country is not None and column.name == "country":
            if (code := country(value)) is None:
                raise SetAside("unknown_country")
            return code
        return _time(value) if column.type == "timestamptz" else _text(value)

    return read


def canonical_time(instant: datetime) -> str:
    """As ``crm.canonical`` writes it."""
    instant = instant.astimezone(UTC)
    precision = "milliseconds" if instant.microsecond % 1000 == 0 else "microseconds"
    return instant.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def instant_text(instant: datetime) -> str:
    """An instant so that text compares as time does: always with microseconds."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _text(value: str) -> str:
    # PostgreSQL's text holds neither.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise SetAside("type_mismatch")
    return value


def _time(value: str) -> str:
    """Milliseconds since 1970, or ISO 8601; a day is its midnight, a time without a zone is UTC."""
    try:
        if _MILLISECONDS.fullmatch(value):
            instant = _EPOCH + timedelta(milliseconds=int(value))
        else:
            instant = datetime.fromisoformat(value)
            instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SetAside("type_mismatch") from None
    if instant.year not in _YEARS:
        raise SetAside("type_mismatch")
    return canonical_time(instant.replace(microsecond=instant.microsecond // 1000 * 1000))


def _managers(connection: psycopg.Connection) -> frozenset[str] | None:
    if connection.execute("SELECT to_regclass('funnel.v_manager')").fetchone() == (None,):
        return None
    return frozenset(name for (name,) in connection.execute("SELECT username FROM funnel.v_manager"))
