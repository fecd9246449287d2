"""``ic-assets rollback``: the plan's roll-backs of staging. HubSpot is not touched by any of them: the ledger stays, and
says so while records stand there."""

from datetime import date

import psycopg
import typer
from psycopg.types.json import Jsonb

from ic_assets.activities.engine import rollback as engine
from ic_assets.activities.engine.stages import Window, next_month
from ic_assets.commands.runs import session
from ic_assets.commands.terminal import out, say
from ic_assets.core import schema
from ic_assets.core.failures import Refused


def rollback(scope: str, months: tuple[date, date] | None, *, yes: bool) -> int:
    """Shows what would go, asks, and removes it. Raises ``Refused`` when the answer is no, and for the schema while
    records stand in HubSpot."""
    window = Window(months[0], next_month(months[1])) if months else None
    with session(quiet=True) as work:
        with work.database.transaction() as connection:
            standing = engine.records_in_hubspot(connection)
            counts = engine.counts(connection, scope, window)
        if standing and scope == "schema":
            raise Refused(
                f"{standing:,} records stand in HubSpot and the ledger that knows them would be lost; "
                "take them back first, or keep the schema"
            )
        for table, count in counts.items():
            out.print(f"{table}: {count:,} rows", markup=False)
        if standing:
            say(
                f"{standing:,} records stand in HubSpot. They stay there and in the ledger: loaded again, the same "
                "communications are recognised and not created twice."
            )
        if not yes and not typer.confirm(f"Roll back {scope}?", default=False):
            raise Refused("nothing was rolled back; add --yes to roll back without being asked")
        if scope == "schema":
            work.database.close()
            schema.downgrade(work.services.postgres_url)
        else:
            with work.database.transaction() as connection:
                removed = engine.rollback(connection, scope, window)
                _record(connection, scope, removed)
    out.print(f"Rolled back: {scope}.")
    return 0


def _record(connection: psycopg.Connection, scope: str, removed: dict[str, int]) -> None:
    connection.execute("INSERT INTO staging.ic_rollback (scope, removed) VALUES (%s, %s)", (scope, Jsonb(removed)))
