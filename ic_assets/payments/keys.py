"""The flow's asset keys, group and owners: a key is the address of a table."""

from __future__ import annotations

import dagster as dg

GROUP = "payments"
OWNERS = ["team:revenue-operations"]
BY_DAY = ("payment_events", "subscription_events", "mrr_movement", "mrr_daily")
"""Tables with a partition a day."""
STATE = (
    "chargebee_customer",
    "coupon",
    "exchange_rate",
    "subscription_mrr",
    "transaction_payments",
    "chargebee_invoices",
    "company_payments_status",
    "company_current_discount",
)


def table(name: str) -> dg.AssetKey:
    return dg.AssetKey(["payments", name])


PROFILE = dg.AssetKey(["crm", "company_profile_meta_data", "payments"])
ARR_RANGE = dg.AssetKey(["crm", "company_profile_arr_range"])
