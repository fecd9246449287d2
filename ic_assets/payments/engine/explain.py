"""What payments says in `ic-assets explain company`: each figure by line, with the item, the amount, the factor, the rate,
the discounts, the grant, and what is missing where there is none. Reads what stands; computes nothing anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ic_assets.core.explaining import Asked, Explainer, Section, shown
from ic_assets.core.sql import statement

_MISSING = {
    "no_amount": "a line has no amount",
    "no_period": "a line or a discount has no period",
    "no_rate": "no exchange rate within a week before the term began, and none from Chargebee",
    "unknown_coupon": "a coupon whose terms no event has told",
    "unsupported_discount": "a discount of a kind that is not supported",
    "coupon_currency": "a coupon in another currency, which takes nothing",
    "coupon_above_price": "a coupon larger than the price, which takes no more than that",
}


def company(connection: psycopg.Connection, asked: Asked) -> Section | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        parameters = {"company": asked.key, "at": asked.at}
        subscriptions = cursor.execute(statement("payments/explain_subscriptions"), parameters).fetchall()
        profile = cursor.execute(statement("payments/explain_company"), parameters).fetchone()
        movements = cursor.execute(statement("payments/explain_movements"), parameters).fetchall()
    if profile is None and not subscriptions:
        return None
    lines = [line for one in subscriptions for line in _subscription(one)]
    counted = [one for one in subscriptions if one["counted"]]
    lines += list(_sums(counted))
    if profile and asked.at is None:
        lines += list(_profile(profile))
    lines += [_movement(one) for one in movements]
    data = {"subscriptions": subscriptions, "company": profile, "movements": movements}
    return Section("payments", lines or ["it has no subscription"], data)


EXPLAINERS: dict[str, Explainer] = {"company": company}


def _subscription(one: dict[str, Any]) -> Iterator[str]:
    since = f"since {shown(one['valid_from'])} ({one['cause']})"
    if not one["counted"]:
        yield f"subscription {one['subscription_id']}: {one['status']}, no revenue {since}"
        return
    figure = "no figure" if one["effective_mrr"] is None else f"{one['effective_mrr']:,.4f} a month"
    yield f"subscription {one['subscription_id']}: {figure}, {one['status']} {since}"
    rate = ""
    if one["currency"] != "USD" and one["rate"] is not None:
        day = f" of {one['rate_date']}" if one["rate_date"] else ""
        rate = f" × {one['rate'].normalize():f} ({one['currency']}, {one['rate_source']}{day})"
    for line in one["detail"].get("lines", []):
        monthly = "unknown" if line["monthly"] is None else line["monthly"]
        amount = "no amount" if line["amount"] is None else f"{line['amount']} minor units"
        yield f"  {line['type']} {line['item']}: {amount} × {line['factor'] or 'no period'}{rate} = {monthly}"
    for step in one["detail"].get("steps", []):
        what = "coupon" if step["coupon"] else "discount"
        unit = "%" if step["kind"] == "percentage" else "minor units"
        yield f"  step {step['step']}, {what} {step['discount']} {step['value']} {unit}: −{step['monthly']}"
    if one["sales_effective_mrr"] is not None and one["paid_months"] != one["covered_months"]:
        paid, covered = one["paid_months"].normalize(), one["covered_months"].normalize()
        yield f"  free months: × {paid:f}/{covered:f} = {one['sales_effective_mrr']:,.4f} for sales"
    for problem in (one["problem"] or "").split():
        yield f"  {problem}: {_MISSING.get(problem, problem)}"


def _movement(one: dict[str, Any]) -> str:
    moved = f"{one['amount_usd']:+,.4f}: {one['before']:,.4f} → {one['after']:,.4f}"
    return f"{shown(one['at'])} {one['kind']} {moved} ({one['cause']})"


def _sums(counted: list[dict[str, Any]]) -> Iterator[str]:
    for name, part in (
        ("current_mrr", "calculated_mrr"),
        ("effective_mrr", "effective_mrr"),
        ("sales_effective_mrr", "sales_effective_mrr"),
    ):
        values = [one[part] for one in counted]
        if any(value is None for value in values):
            yield f"{name} –: not known while one of its subscriptions has no figure"
        elif len(values) == 1:
            yield f"{name} {values[0]:,.4f}"
        else:
            yield f"{name} {sum(values):,.4f} = {' + '.join(f'{value:,.4f}' for value in values) or 'nothing counts'}"


def _profile(one: dict[str, Any]) -> Iterator[str]:
    if one["arr_usd"] is not None:
        since = f" since {shown(one['changed_at'])}" if one["changed_at"] else ""
        yield f"arr_range {one['arr_range'] or '–'}: 12 × effective_mrr = {one['arr_usd']:,.4f}{since}"
    status = {"PAID": "a live subscription, and revenue", "CHURNED": "revenue before, nothing live now"}
    said = status.get(one["payment_status"] or "", "never had revenue")
    since = f", paying since {shown(one['paying_since'])}" if one["paying_since"] else ""
    yield f"payment_status {one['payment_status'] or '–'}: {said}{since}"
    yield f"plan_id {one['plan_id'] or '–'}"
    collected = "–" if one["collections_usd"] is None else f"{one['collections_usd']:,.4f}"
    yield f"collections_usd {collected}: {one['transactions']:,} transactions that count"
    if one["invoices_status"]:
        yield f"invoices {one['invoices_status']} since {shown(one['invoices_since'])} ({one['invoices_context']})"
    if one["discount_status"] and one["discount_status"] != "none":
        until = f" until {shown(one['term_end'])}" if one["term_end"] else ""
        yield f"discounts {one['discount_status']}{until}: {one['discount_usd']} of the price"
