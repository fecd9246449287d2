"""``ic-assets hubspot budget``: what holds requests to HubSpot back now, and a way to forget what HubSpot told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import psycopg
from psycopg.rows import class_row

from ic_assets.commands.terminal import emit_json, out
from ic_assets.core import locks
from ic_assets.core.failures import Refused
from ic_assets.core.rate_budget import DAILY_BELIEVED_SECONDS, LONGEST_BLOCK, PORTAL_RPS_SECONDS
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.resources.postgres import Database, connected
from ic_assets.resources.services import services


@dataclass(frozen=True)
class Budget:
    """One portal and kind of request; None where nothing is known or what was known has expired."""

    portal_id: int
    kind: str
    rps: float
    portal_rps: float | None
    portal_rps_seen_at: datetime | None
    slow_rps: float | None
    slow_until: datetime | None
    blocked_until: datetime | None
    daily_remaining: int | None
    daily_seen_at: datetime | None

    @property
    def holds_back(self) -> bool:
        """Whether less is sent than the settings allow."""
        told = min(self.portal_rps or self.rps, self.slow_rps or self.rps)
        return told < self.rps or self.blocked_until is not None

    def __str__(self) -> str:
        what = "searches" if self.kind == "search" else "requests"
        parts = [f"portal {self.portal_id}: {self.rps:g} {what} a second for all processes"]
        if self.portal_rps is not None:
            parts.append(f"HubSpot takes {self.portal_rps:g} (told {_time(self.portal_rps_seen_at)})")
        if self.slow_rps is not None:
            parts.append(f"slowed to {self.slow_rps:g} until {_time(self.slow_until)} by a 429")
        if self.blocked_until is not None:
            parts.append(f"nothing is sent until {_time(self.blocked_until)}, HubSpot asked for a pause")
        if self.daily_remaining is not None:
            parts.append(f"{self.daily_remaining:,} left today (told {_time(self.daily_seen_at)})")
        return ", ".join(parts)


def budgets(connection: psycopg.Connection) -> list[Budget]:
    """Every portal's. Raises ``Refused`` for a database whose tables are not there or older."""
    lifetimes = {
        "rps_seconds": PORTAL_RPS_SECONDS,
        "daily_seconds": DAILY_BELIEVED_SECONDS,
        "longest_block": LONGEST_BLOCK,
    }
    try:
        with connection.cursor(row_factory=class_row(Budget)) as cursor:
            return cursor.execute(statement("hubspot/rate_budgets"), lifetimes).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName) as error:
        raise Refused(
            "the database has no request budget yet, or an older one; `ic-assets load` or a push makes it"
        ) from error


def budget(*, reset: bool, as_json: bool) -> int:
    """Prints the budgets, with ``reset`` after having forgotten what HubSpot told. Returns 0."""
    settings = Settings.from_env()
    with services(settings) as up:
        if reset:
            _reset(up.postgres_url, settings)
        with connected(up.postgres_url, settings) as connection:
            found = budgets(connection)
    if as_json:
        emit_json({"budgets": [asdict(one) for one in found], "reset": reset})
        return 0
    for one in found:
        out.print(str(one), markup=False)
    if not found:
        out.print("No portal has been asked yet.")
    elif reset:
        out.print("What HubSpot told is forgotten; its next reply tells it again.")
    return 0


def _reset(postgres_url: str, settings: Settings) -> None:
    database = Database(postgres_url, settings)
    try:
        with database.transaction() as connection:
            for one in budgets(connection):
                # As who takes a slot does: it writes the whole row.
                name = f"{one.portal_id} {one.kind}"
                connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.RATE_BUDGET, name))
                key = {"portal_id": one.portal_id, "kind": one.kind}
                connection.execute(statement("hubspot/rate_budget_reset"), key)
    finally:
        database.close()


def _time(when: datetime | None) -> str:
    return f"{when.astimezone(UTC):%H:%M:%S} UTC" if when else "at an unknown time"
