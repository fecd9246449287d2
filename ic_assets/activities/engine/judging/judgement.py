"""Whether a push may send anything: gates, months that are up to date, a test push, an approval. Judged in the snapshot in
which the push plans, so that what was judged is what is sent; a look at any other time is advice. No Dagster here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from ic_assets.activities.engine.judging.approval import require
from ic_assets.activities.engine.judging.rules import gates
from ic_assets.activities.engine.staging.slices import MASTER, RESOLVED, out_of_date
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.hubspot.push.approval import Approval
from ic_assets.hubspot.push.result import PushOptions
from ic_assets.hubspot.push.scope import Scope
from ic_assets.resources.postgres import Database

_NAMED_MONTHS = 6


def judge(
    connection: psycopg.Connection,
    settings: Settings,
    options: PushOptions,
    portal_id: int,
    *,
    approved_by: str | None = None,
) -> Approval | None:
    """Judges a push in mode test or production by what ``connection`` sees. Returns the approval of a production push;
    with ``approved_by`` it is given now. Raises ``Refused``."""
    refuse_on_red_gates(connection)
    if options.mode != "production":
        return None
    scope = options.scope(OUTGOING)
    _refuse_late_months(connection, scope)
    return require(connection, portal_id, scope, settings, approved_by)


@contextmanager
def in_snapshot(database: Database, snapshot: str) -> Iterator[psycopg.Connection]:
    """A transaction that sees what the one that exported ``snapshot`` sees."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        yield connection


def refuse_on_red_gates(connection: psycopg.Connection) -> None:
    if red := red_gates(connection):
        raise Refused(f"nothing was sent, {red}")


def red_gates(connection: psycopg.Connection) -> str | None:
    """``2 gates are red (resolved orphans, …): `` and the figure of the first with what to do; None while all are green."""
    red = [verdict for verdict in gates(connection) if not verdict.passed]
    if not red:
        return None
    names = ", ".join(f"{verdict.rule.on} {verdict.rule.name}" for verdict in red)
    return f"{len(red)} {'gate is' if len(red) == 1 else 'gates are'} red ({names}): {red[0].figure}"


def _refuse_late_months(connection: psycopg.Connection, scope: Scope) -> None:
    if late := late_months(connection, scope):
        raise Refused(
            f"nothing was sent: {late}, so that what would be sent is not what has been loaded; `ic-assets load` brings them "
            "up to date"
        )


def late_months(connection: psycopg.Connection, scope: Scope) -> str | None:
    """``3 months are out of date (2019-03, …)``; None while none in the scope is."""
    bounds = {"first_month": scope.months.start, "before": scope.months.end} if scope.months else {}
    late = [month for month, _, _ in out_of_date(connection, (MASTER, RESOLVED, *scope.types), **bounds)]
    if not late:
        return None
    shown = ", ".join(f"{month:%Y-%m}" for month in late[:_NAMED_MONTHS])
    more = f" and {len(late) - _NAMED_MONTHS} more" if len(late) > _NAMED_MONTHS else ""
    return f"{len(late)} {'month is' if len(late) == 1 else 'months are'} out of date ({shown}{more})"


def nothing_to_push(connection: psycopg.Connection) -> str:
    """Why no communication has come as far as the activities, and what to do about it."""
    row = connection.execute("SELECT EXISTS (SELECT 1 FROM staging.ic_communication_landing)").fetchone()
    if not (row and row[0]):
        return "no communication has been loaded; see `ic-assets load`"
    if red := red_gates(connection):
        return f"what is loaded has come no further than a gate. {red}"
    if late := late_months(connection, OUTGOING.scope(None, None)):
        return f"{late}; `ic-assets load` brings them to the activities"
    return "every communication that was loaded has been taken out again"
