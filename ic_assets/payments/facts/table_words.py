"""What each table and column of schema ``payments`` is, in words: for Dagster's descriptions and the data dictionary."""

from __future__ import annotations

from ic_assets.core.catalog import Reference
from ic_assets.core.dictionary import Words

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
_IDS = {
    "event_id": "Chargebee's id of the event",
    "customer_id": "Chargebee's id of the customer",
    "subscription_id": "Chargebee's id of the subscription",
    "invoice_id": "Chargebee's id of the invoice",
    "transaction_id": "Chargebee's id of the transaction",
    "coupon_id": "Chargebee's id of the coupon",
    "company": "The product's company id; empty while the customer is mapped to none",
    "company_key": "The company, or ? and the customer's id while it is mapped to none",
    "version": "Version of the object: milliseconds since 1970 of its last change",
    "deleted": "Whether it was deleted in Chargebee",
    "problem": "What is amiss, names divided by blanks; empty for nothing",
    "currency": "ISO 4217",
    "status": "Chargebee's status",
    "occurred_at": "When it happened",
}
_MRR = {
    "calculated_mrr": "List price a month, US dollars; empty while a price, a period or a rate is missing",
    "effective_mrr": "The same less discounts; empty while the terms of one are not known",
    "sales_effective_mrr": "The same spread over free months",
}
_COLUMNS: dict[str, dict[str, str]] = {
    "event_type": {"event_type": "As Chargebee names it", "handling": "read, or ignored"},
    "rule_line": {
        "file": "The file under sql/",
        "place": "Its place among the lines",
        "key": "First column",
        "value": "Second column",
    },
    "payment_events": {
        "event_type": "As Chargebee names it",
        "received_at": "When it came in",
        "source": "What made it in Chargebee: admin_console, api, scheduled_job, …",
        "api_version": "Always v2",
        "verified_by": "Which proof it came with",
        "confirmed": "Whether Chargebee's API told the same",
        "content": "The objects, without cards, addresses, names, e-mails, phones and free texts",
    },
    "chargebee_customer": {"company_from": "Where the company is from: a line of the map, a field, its own id"},
    "coupon": {
        "valid_from": "From when these terms hold",
        "discount_type": "percentage, fixed_amount, or one that is not supported",
        "percentage": "Percent",
        "amount": "Minor units",
        "apply_on": "invoice_amount, or each_specified_item",
        "duration_type": "forever, limited_period or one_time",
        "period": "How long it is applied",
        "period_unit": "day, week, month or year",
        "items": "Which lines it is for",
        "unsupported": "What of it is not supported; its effect is then not known",
    },
    "used_coupon": {},
    "exchange_rate": {
        "rate_date": "The day it is for",
        "usd_per_unit": "US dollars for one unit",
        "as_of": "From when on it is known",
        "source": "Where it is from",
        "event_id": "The row of the file",
    },
    "free_months": {
        "as_of": "From when on it is known",
        "event_id": "The row of the file",
        "free_months": "How many months are free",
        "starts_on": "From this day",
        "term_months": "Of so many months",
    },
    "subscription_events": {
        "chargebee_plan_id": "Chargebee's id of the plan",
        "plan_id": "The plan by our name",
        "seats": "Quantity of the plan and of the seats",
        "billing_period": "How often it renews",
        "billing_period_unit": "day, week, month or year",
        "current_term_start": "When the term began",
        "current_term_end": "When it ends",
        "chargebee_mrr": "Chargebee's own figure, minor units",
        "superseded": "Whether another version held at that time",
        **_MRR,
    },
    "subscription_mrr": {
        "valid_from": "From when on",
        "valid_to": "Until when; empty: still",
        "cause": "The event's id, or clock: and what turned",
        "counted": "Whether it is revenue then",
        "rate": "US dollars for one unit of the currency",
        "rate_date": "The day of the rate",
        "rate_source": "usd, file or chargebee",
        "base_plan_mrr": "The plan, US dollars a month",
        "seats_mrr": "Seats, US dollars a month",
        "ops_mrr": "Operations add-ons, US dollars a month",
        "hr_mrr": "HR add-ons, US dollars a month",
        "comms_mrr": "Communication add-ons, US dollars a month",
        "other_addon_mrr": "Add-ons of no bundle, US dollars a month",
        "addon_mrr": "All add-ons, US dollars a month",
        "discount_mrr": "What discounts take, US dollars a month",
        "paid_months": "Months that are paid",
        "covered_months": "Months that these cover",
        "detail": "Lines and steps",
        **_MRR,
    },
    "transaction_payments": {
        "kind": "payment, refund, chargeback or reversal",
        "amount": "Minor units",
        "payment_id": "The payment that it takes back",
        "exchange_rate": "US dollars for one unit; a taking-back has that of its payment",
        "rate_source": "usd, file or chargebee",
        "amount_usd": "The amount in US dollars",
        "counted_amount": "What of it counts, minor units",
        "counted_usd": "What it adds to the collections, signed",
    },
    "chargebee_invoices": {
        "dunning_status": "How far collecting has come",
        "total": "Minor units",
        "sub_total": "Minor units",
        "tax": "Minor units",
        "amount_paid": "Minor units",
        "amount_due": "Minor units",
        "amount_adjusted": "Minor units",
        "credits_applied": "Minor units",
        "write_off_amount": "Minor units",
        "invoiced_at": "Its date",
        "due_at": "When it is due",
        "paid_at": "When it was paid",
        "voided_at": "When it was voided",
        "next_retry_at": "When the payment is tried again",
    },
    "company_payments_status": {
        "changed_at": "Since when",
        "status": "unpaid, failing, due, paid_up or none",
        "context": "What made it so",
    },
    "company_current_discount": {
        "status": "none, active, ending or ended; empty while terms are not known",
        "current_price": "List price a month, US dollars",
        "effective_mrr": "What is left of it",
        "discount_usd": "What discounts take",
        "discount_share": "The same as a share of the price",
        "discount_type": "fixed, percentage or mixed",
        "discounts": "Each discount that counts",
        "term_end": "When the first of them ends",
        "ended_at": "When the last one ended",
    },
    "mrr_movement": {
        "at": "When",
        "kind": "new, expansion, contraction, churn, reactivation or fx",
        "amount_usd": "US dollars a month, signed",
        "before": "What the company paid before",
        "after": "What it paid after",
        "cause": "The event's id, or clock: and what turned",
        "subscriptions": "Each subscription that changed",
    },
    "mrr_daily": {
        "day": "Day in UTC",
        "start_mrr": "At its start",
        "new": "First revenue ever",
        "expansion": "More of it",
        "contraction": "Less of it",
        "churn": "The last of it",
        "reactivation": "Revenue again",
        "fx": "What exchange rates alone moved",
        "end_mrr": "At its end",
    },
    "waiting": {
        "version": "Rises with every wake, so that what was woken meanwhile stays",
        "due_at": "When it must be computed again at the latest",
    },
}

WORDS = Words(
    schemas=("payments",),
    tables={
        **{
            f"payments.{name}": f"{what}. One row is {grain.replace('`', '')}."
            for name, (what, grain) in TABLES.items()
        },
        **{f"payments.{name}": what for name, what in _OTHERS.items()},
    },
    columns={f"payments.{table}": {**_IDS, **columns} for table, columns in _COLUMNS.items()},
    references=(
        Reference("payments.subscription_mrr", ("customer_id",), "payments.chargebee_customer", ("customer_id",)),
        Reference("payments.subscription_mrr", ("company",), "crm.company_profile_meta_data", ("company",)),
        Reference("payments.mrr_movement", ("company_key",), "crm.company_profile_meta_data", ("company",)),
    ),
)
