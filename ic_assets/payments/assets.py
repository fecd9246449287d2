"""The flow's assets: one step takes all that waits in the inbox, computes whoever is to be computed, and says of each table
what stands in it. Tables of events and movements have a partition a day; a day's back-fill computes its customers anew.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

from ic_assets.core.sql import statement
from ic_assets.inbox import taking
from ic_assets.payments import keys
from ic_assets.payments.engine.flow import FLOW
from ic_assets.payments.engine.storing import computing, files, rows
from ic_assets.payments.facts.columns import COLUMNS
from ic_assets.payments.facts.table_words import TABLES
from ic_assets.payments.settings import PaymentSettings
from ic_assets.resources.dagster_resources import PostgresResource
from ic_assets.resources.postgres import Database

days = dg.DailyPartitionsDefinition(start_date="2010-01-01", end_offset=1)
_DATED = {
    "payment_events": "occurred_at",
    "subscription_events": "occurred_at",
    "mrr_movement": "at",
    "mrr_daily": "day",
}
_MOST_DAYS = 400
"""Days whose partitions one run reports on; a load of years reports on the newest, and the rest is there all the same."""


_KNOW = (
    "- It follows from the events alone: order, doubling and delay of their arrival change nothing.",
    "- `ic-assets replay payments` builds it anew and says what differs.",
    "- US dollars have four decimals, amounts of invoices and transactions are in minor units.",
)


def _columns(table: str) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                one.name, one.kind, description=one.holds, constraints=dg.TableColumnConstraints(nullable=one.nullable)
            )
            for one in COLUMNS[table]
        ]
    )


def _spec(key: dg.AssetKey, what: str, grain: str, **more: Any) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        group_name=keys.GROUP,
        kinds={"postgres", "python"},
        owners=keys.OWNERS,
        description="\n".join([f"{what}.", "", f"**One row** is {grain}.", "", "**Good to know**", "", *_KNOW]),
        metadata={
            "dagster/storage_kind": "postgres",
            **(
                {"dagster/table_name": ".".join(key.path), "dagster/column_schema": _columns(key.path[1])}
                if key.path[1] in COLUMNS
                else {}
            ),
        },
        **more,
    )


_STATE_SPECS = [
    *(_spec(keys.table(name), *TABLES[name]) for name in keys.STATE),
    _spec(
        keys.PROFILE,
        "The columns of the company centre that payments writes: revenue, collections, whether it pays, its plan",
        "one company",
        deps=[keys.table("subscription_mrr"), keys.table("transaction_payments")],
    ),
    _spec(
        keys.ARR_RANGE,
        "The range that a company's yearly revenue lies in",
        "one company",
        deps=[keys.table("subscription_mrr")],
    ),
]


def settings_of(postgres: PostgresResource) -> computing.Settings:
    own = PaymentSettings.from_env()
    return computing.Settings(postgres.settings.reference_time, own.company_field, own.base_currency)


def work(database: Database, settings: computing.Settings) -> tuple[int, int]:
    """Takes what waits and computes whoever has to be. Returns how many events and customers it were."""
    database.repeated("payment rules", files.apply)
    taken = taking.work(database.transaction, FLOW)
    return taken, computing.work(database.transaction, settings, rows.write)


@dg.multi_asset(name="payments", specs=_STATE_SPECS, can_subset=True)
def payments(context: dg.AssetExecutionContext, postgres: PostgresResource) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    settings = settings_of(postgres)
    since = postgres.database.repeated("payments clock", _now)
    taken, customers = work(postgres.database, settings)
    account = f"{taken:,} events taken, {customers:,} customers computed."
    with postgres.database.transaction() as connection:
        for name in keys.BY_DAY:
            for day, count in _days_touched(connection, name, since):
                context.log_event(
                    dg.AssetMaterialization(
                        keys.table(name),
                        partition=day.isoformat(),
                        metadata={"dagster/partition_row_count": count},
                    )
                )
        for key in (spec.key for spec in _STATE_SPECS if spec.key in context.selected_asset_keys):
            metadata: dict[str, Any] = {"run": account, "dagster/row_count": _rows(connection, ".".join(key.path[:2]))}
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)


@dg.multi_asset(
    name="payment_days",
    specs=[_spec(keys.table(name), *TABLES[name]) for name in keys.BY_DAY],
    partitions_def=days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def payment_days(context: dg.AssetExecutionContext, postgres: PostgresResource) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Computes every customer with an event in the range anew."""
    window = context.partition_time_window
    with postgres.database.transaction() as connection:
        connection.execute(statement("payments/wake_days"), {"start": window.start, "until": window.end})
    _taken, customers = work(postgres.database, settings_of(postgres))
    with postgres.database.transaction() as connection:
        for key in sorted(context.selected_asset_keys):
            counts = dict(_days_between(connection, key.path[-1], window.start, window.end))
            for day in context.partition_keys:
                count = counts.get(date.fromisoformat(day), 0)
                context.add_asset_metadata({"dagster/partition_row_count": count}, asset_key=key, partition_key=day)
            yield dg.MaterializeResult(asset_key=key, metadata={"run": f"{customers:,} customers computed."})


def _now(connection: psycopg.Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    return row[0] if row else datetime.now(UTC)


def _rows(connection: psycopg.Connection, table: str) -> int:
    schema, name = table.split(".")
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
    return row[0] if row else 0


def _days_touched(connection: psycopg.Connection, table: str, since: datetime) -> list[tuple[date, int]]:
    """The days of the events that came since, with the rows that stand in them."""
    query = statement(
        "payments/days_touched", table=sql.Identifier("payments", table), dated=sql.Identifier(_DATED[table])
    )
    return connection.execute(query, {"since": since, "most": _MOST_DAYS}).fetchall()


def _days_between(
    connection: psycopg.Connection, table: str, start: datetime, until: datetime
) -> list[tuple[date, int]]:
    query = statement(
        "payments/days_between", table=sql.Identifier("payments", table), dated=sql.Identifier(_DATED[table])
    )
    return connection.execute(query, {"start": start, "until": until}).fetchall()
