"""What each table and column of schema ``payments`` is, in words: for Dagster's descriptions and the data dictionary."""

from __future__ import annotations

from ic_assets.core.catalog import Reference
from ic_assets.core.dictionary import Words
from ic_assets.payments.facts.columns import COLUMNS

TABLES: dict[str, tuple[str, str]] = {
    "payment_events": ("One event of Chargebee that was taken", "one event; `event_id` is Chargebee's id"),
    "subscription_events": (
        "What a subscription was worth at each of its events",
        "one event that carries a subscription, with the figures of its version",
    ),
    "mrr_movement": (
        "How the recurring revenue of a company moved, and by what",
        "one kind of movement of one company at one instant",
    ),
    "mrr_daily": ("The movements added up by day", "one company on a day on which something moved"),
    "chargebee_customer": ("Which company a customer of Chargebee is", "one customer"),
    "coupon": ("The terms of coupons over time", "one version of one coupon"),
    "exchange_rate": ("US dollars for one unit of a currency", "one currency, day and time at which it was known"),
    "subscription_mrr": (
        "What each subscription is worth a month, since when and why",
        "one subscription from an instant at which an event or time changed its figures",
    ),
    "transaction_payments": ("What was paid and taken back", "one payment, refund, chargeback or reversal"),
    "chargebee_invoices": ("Invoices as Chargebee tells of them", "one invoice"),
    "company_payments_status": ("Whether a company's invoices are paid", "one company from an instant on"),
    "company_current_discount": ("What a company's price is lowered by now", "one company"),
}
"""Table: what it holds, and its grain."""

_OTHERS = {
    "event_type": "One type of event, and whether it is read.",
    "rule_line": "One line of a rule file that is in force.",
    "used_coupon": "One coupon that a customer's subscription has or had.",
    "free_months": "Free months that were granted to one subscription.",
    "waiting": "One customer that must be computed again.",
}
_MONEY = {
    "start_mrr": "At the start, US dollars a month",
    **{column.name: column.holds for column in COLUMNS["mrr_daily"] if column.name not in ("day", "company_key")},
}
_VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "v_mrr_total_daily": ("One day and the revenue of all companies.", {"day": "Day in UTC", **_MONEY}),
    "v_mrr_monthly": (
        "One company and a month in which something moved or ended.",
        {
            "company_key": "The company, or ? and the customer's id while it is mapped to none",
            "month": "Its first day",
            **_MONEY,
            "ended_at_zero": "Subscriptions that ended while they were worth nothing",
        },
    ),
    "v_mrr_total_monthly": ("One month and the revenue of all companies.", {"month": "Its first day", **_MONEY}),
    "v_unmapped_customers": (
        "One customer that is mapped to no company.",
        {
            "customer_id": "Chargebee's id of the customer",
            "subscriptions": "How many of its subscriptions count",
            "effective_mrr": "What it pays, US dollars a month",
        },
    ),
    "v_problems": (
        "One thing that is amiss with what stands now.",
        {
            "object": "subscription, invoice, transaction, customer or event",
            "id": "Its id",
            "company": "The product's company id",
            "problem": "What is amiss",
        },
    ),
    "v_archive": (
        "One event that was dealt with, as replay reads it where the inbox was pruned.",
        {
            "source": "chargebee",
            "topic": "The type of the event, or of the file's rows",
            "event_id": "Its id in the inbox",
            "occurred_at": "When it happened",
            "received_at": "When it came in",
            "verified_by": "Which proof it came with",
            "body": "What came, without what the archive leaves out",
        },
    ),
}

WORDS = Words(
    schemas=("payments",),
    tables={
        **{
            f"payments.{name}": f"{what}. One row is {grain.replace('`', '')}."
            for name, (what, grain) in TABLES.items()
        },
        **{f"payments.{name}": what for name, what in _OTHERS.items()},
        **{f"payments.{name}": what for name, (what, _) in _VIEWS.items()},
    },
    columns={
        **{
            f"payments.{table}": {column.name: column.holds for column in columns} for table, columns in COLUMNS.items()
        },
        **{f"payments.{name}": columns for name, (_, columns) in _VIEWS.items()},
    },
    references=(
        Reference("payments.subscription_mrr", ("customer_id",), "payments.chargebee_customer", ("customer_id",)),
        Reference("payments.subscription_mrr", ("company",), "crm.company_profile_meta_data", ("company",)),
        Reference("payments.mrr_movement", ("company_key",), "crm.company_profile_meta_data", ("company",)),
    ),
)
