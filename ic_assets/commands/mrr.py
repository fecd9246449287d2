"""``ic-assets mrr``: how recurring revenue moved, by month, in all or of one company."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ic_assets.commands.terminal import emit_json, out
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import services

KINDS = ("new", "expansion", "contraction", "churn", "reactivation", "fx")
_SIGNED = {"contraction", "churn"}


def mrr(first_month: str | None, last_month: str | None, company: str | None, *, as_json: bool) -> int:
    """Prints start, the six kinds and end of each month between two (``2026-03``), which are the first and the last with a
    movement where they are not given. Returns 0. Raises ``Refused`` for a company that never had revenue."""
    first, last = _month(first_month), _month(last_month)
    if first and last and last < first:
        raise Refused(f"--to {last:%Y-%m} lies before --from {first:%Y-%m}")
    settings = Settings.from_env()
    with services(settings, looks=True) as up, connected(up.postgres_url, settings) as connection:
        months = _months(connection, first, last, company)
        counts = _counts(connection, company)
    if company and not months:
        raise Refused(
            f"company {company!r} has no revenue; `ic-assets explain company {company}` says what is known of it"
        )
    if as_json:
        emit_json({"months": [_plain(row) for row in months], **counts})
        return 0
    _print(months, counts, company)
    return 0


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text.strip()}-01")
    except ValueError:
        raise Refused(f"{text!r} is not a month; write 2026-03") from None


def _months(
    connection: psycopg.Connection, first: date | None, last: date | None, company: str | None
) -> list[dict[str, Any]]:
    name = "payments/months_of_company" if company else "payments/months_of_all"
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            parameters = {"first": first, "last": last, "company": company}
            return cursor.execute(statement(name), parameters).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise Refused("there is no revenue yet; load events with `ic-assets load-events chargebee FILE`") from None


def _counts(connection: psycopg.Connection, company: str | None) -> dict[str, int]:
    row = connection.execute(statement("payments/count_unknown"), {"company": company}).fetchone()
    paying, unknown, unmapped = row or (0, 0, 0)
    return {"companies": paying, "unknown_figures": unknown, "unmapped_customers": unmapped}


def _print(months: list[dict[str, Any]], counts: dict[str, int], company: str | None) -> None:
    if not months:
        out.print("No revenue moved in these months.")
        return
    header = ["month", "start", *KINDS, "end"]
    cells = [
        [f"{row['month']:%Y-%m}", *(_money(row[name]) for name in ("start_mrr", *KINDS, "end_mrr"))] for row in months
    ]
    total = ["sum", "", *(_money(sum((row[kind] for row in months), Decimal(0))) for kind in KINDS), ""]
    widths = [max(len(row[place]) for row in (header, *cells, total)) for place in range(len(header))]
    out.print("US dollars a month" + (f" of {company}" if company else ""))
    for row in (header, *cells, *([total] if len(cells) > 1 else [])):
        out.print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), highlight=False)
    if not company:
        paying = counts["companies"]
        out.print("1 company pays." if paying == 1 else f"{paying:,} companies pay.", highlight=False)
    if counts["unknown_figures"]:
        out.print(
            f"{counts['unknown_figures']:,} subscriptions have no figure yet and count with their last known one; "
            "`ic-assets explain company ID` says why.",
            highlight=False,
        )
    if counts["unmapped_customers"]:
        out.print(f"{counts['unmapped_customers']:,} customers are mapped to no company.", highlight=False)


def _money(value: Decimal) -> str:
    return f"{value:,.2f}" if value else "–"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in row.items()}
