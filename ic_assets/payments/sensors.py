"""What starts by itself: one run takes all that waits, in the inbox, among the customers and in the rule files."""

from __future__ import annotations

import dagster as dg
import psycopg

from ic_assets.core import rules_data
from ic_assets.core.sql import statement
from ic_assets.operations import inbox
from ic_assets.operations.attempts import INBOX, Work
from ic_assets.operations.sensors import turn, unfinished
from ic_assets.payments.engine.flow import FLOW
from ic_assets.payments.engine.storing import files
from ic_assets.payments.jobs import process_payments
from ic_assets.resources.dagster_resources import PostgresResource


@dg.sensor(
    job=process_payments,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts one run when billing events wait, when time alone changes a figure, or when a rule file was edited.",
)
def payments_waiting(
    context: dg.SensorEvaluationContext, postgres: PostgresResource
) -> dg.SensorResult | dg.SkipReason:
    if unfinished(context.instance, process_payments.name):
        return dg.SkipReason("Payments are being worked on.")
    with postgres.database.transaction() as connection:
        row = connection.execute(
            statement("payments/newest_wake"), {"now": postgres.settings.reference_time}
        ).fetchone()
        events = inbox.work(connection, FLOW)
        # What asks for a run, so that the count of attempts begins anew when one of them has changed.
        causes = [f"events {events.cause}"] if events else []
        if row and row[0] is not None:
            causes.append(f"customers {row[0]}")
        if edited := _edited(connection):
            causes.append(f"rules {edited}")
        works = [Work(f"{INBOX}{FLOW.name}", "; ".join(causes))] if causes else []
        state = turn(context, connection, payments_waiting.name, works)
        if not state.due:
            told = {**state.under_way, **state.waiting, **state.given_up}
            return dg.SkipReason("; ".join(map(str, told.values())) or "Nothing waits.")
        run_key, tags = state.start(connection, list(state.due), "payments")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=run_key, tags=tags)])


def _edited(connection: psycopg.Connection) -> str:
    """The digests of rule files that are to come into force."""
    found = []
    for file in files.FILES:
        if rules_data.problem(connection, file) is None and not _is_in_force(connection, file):
            found.append(file.load().digest[:8])
    return ",".join(found)


def _is_in_force(connection: psycopg.Connection, file: rules_data.RuleFile[files.Pair]) -> bool:
    row = connection.execute(
        "SELECT f.digest FROM staging.ic_rule_file AS f WHERE f.name = %s ORDER BY f.turn DESC LIMIT 1", (file.name,)
    ).fetchone()
    return row is not None and row[0] == file.load().digest


SENSORS = [payments_waiting]
