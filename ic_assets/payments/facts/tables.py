"""What each table of the flow is, in words: for Dagster's descriptions and the data dictionary."""

from __future__ import annotations

TABLES: dict[str, tuple[str, str]] = {
    "payment_events": ("One event of Chargebee that was taken", "`event_id` is Chargebee's id"),
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
"""Table of schema ``payments``: what it holds, and its grain."""
