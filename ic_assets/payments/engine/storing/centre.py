"""What payments writes in ``crm``: the figures of a company, whether it pays, since when and for what plan, and the range of
its yearly revenue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.core.money import ZERO
from ic_assets.core.sql import statement
from ic_assets.crm.write import Desired
from ic_assets.crm.write import write as write_profile
from ic_assets.payments.engine.revenue.collections import total
from ic_assets.payments.engine.storing.computing import Computed, Group
from ic_assets.payments.engine.storing.copying import copy
from ic_assets.payments.engine.storing.sources import when

_RULES = {
    "current_mrr": "mrr",
    "effective_mrr": "mrr",
    "sales_effective_mrr": "mrr",
    "collections_usd": "collections",
    "payment_status": "payment-status",
    "paying_since": "payment-status",
    "plan_id": "plan",
}
"""The columns with the rule that the change log names."""
_COLUMNS = ("company", "cause", *_RULES, "arr_usd", "arr_range", "changed_at")
_NOBODY = "clock:mapping"


def write(connection: psycopg.Connection, computed: Computed, companies: Sequence[str]) -> None:
    """Brings the companies' rows up to date. One that no customer is mapped to any more has no revenue."""
    rows = list(_rows(computed))
    left = sorted(set(companies) - {row[0] for row in rows})
    connection.execute("DROP TABLE IF EXISTS pg_temp.paying_companies")
    connection.execute(statement("payments/paying_companies"))
    copy(connection, "pg_temp.paying_companies", _COLUMNS, rows)
    connection.execute(statement("payments/left_companies"), {"companies": left, "cause": _NOBODY})
    rules = {column: sql.Literal(rule) for column, rule in _RULES.items()}
    desired = Desired(sql.Identifier("pg_temp", "paying_companies"), rules)
    write_profile(connection, "payments", desired, adds_companies=True)
    connection.execute(statement("payments/write_arr_range"))


def _rows(computed: Computed) -> Iterator[tuple[Any, ...]]:
    for group in computed.groups:
        if group.company is None:
            continue
        if not any(one.subscriptions or one.invoices or one.transactions for one in group.customers):
            continue
        own, arr = group.profile, group.range
        yield (
            group.company,
            _cause(group),
            own.current_mrr,
            own.effective_mrr,
            own.sales_effective_mrr,
            total(group.counted) if group.counted else ZERO,
            own.payment_status,
            when(own.paying_since),
            own.plan_id,
            arr.arr_usd,
            arr.arr_range,
            when(arr.changed_at),
        )


def _cause(group: Group) -> str:
    """What happened last to the company: an event's id, or what time did."""
    rows = [(row.valid_from, row.cause) for _, timeline in group.timelines for row in timeline.rows]
    rows += [(one.version.valid_from, one.version.first.event_id) for one in group.counted]
    rows += [
        (versions[-1].valid_from, versions[-1].first.event_id)
        for one in group.customers
        for versions in one.invoices.values()
    ]
    if not rows:
        return _NOBODY
    latest = max(at for at, _ in rows)
    return min(cause for at, cause in rows if at == latest)
