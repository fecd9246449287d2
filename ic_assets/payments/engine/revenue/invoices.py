"""Invoices as Chargebee tells of them, what does not add up in them, and what they say of a company's payments. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ic_assets.payments.engine.reading.events import Event
from ic_assets.payments.engine.reading.models import Invoice, Transaction
from ic_assets.payments.engine.revenue.versions import Version

_USUAL: Mapping[str, set[str]] = {
    "pending": {"posted", "payment_due", "paid", "voided"},
    "posted": {"payment_due", "paid", "not_paid", "voided"},
    "payment_due": {"paid", "not_paid", "voided"},
    "not_paid": {"paid", "voided"},
    "paid": {"payment_due", "not_paid", "voided"},  # a payment that was taken back
    "voided": set(),
}


def problems(versions: Sequence[Version[Invoice]]) -> str | None:
    """The names of what is amiss with one invoice, blank-separated; None when nothing is."""
    found = set()
    statuses = [one.value.status for one in versions if one.holds]
    if any(new != old and new not in _USUAL[old] for old, new in pairwise(statuses)):
        found.add("unusual_transition")
    if not adds_up(versions[-1].value):
        found.add("invoice_identity")
    return " ".join(sorted(found)) or None


def adds_up(of: Invoice) -> bool:
    """Whether its amounts and times agree with each other."""
    paid, credits, adjusted = of.amount_paid or 0, of.credits_applied or 0, of.amount_adjusted or 0
    due, total = of.amount_due or 0, of.total or 0
    if not of.tds_amount and due != total - paid - credits - adjusted:
        return False
    if of.status == "paid" and (due != 0 or of.paid_at is None):
        return False
    if of.status == "voided" and of.voided_at is None:
        return False
    whole = of.line_items is not None and of.line_items_next_offset is None and of.price_type == "tax_exclusive"
    return not whole or total == (of.sub_total or 0) + (of.tax or 0) + (of.round_off_amount or 0)


@dataclass(frozen=True)
class PaymentsStatus:
    """From ``changed_at`` on."""

    changed_at: int
    status: str
    context: str
    event_id: str
    invoice_id: str


def payments_status(invoices: Sequence[Sequence[Version[Invoice]]], until: int) -> list[PaymentsStatus]:
    """A row for each change of what a company's invoices say, up to ``until``."""
    steps: dict[int, list[Version[Invoice]]] = {}
    for versions in invoices:
        for one in versions:
            if one.holds and one.valid_from <= until:
                steps.setdefault(one.valid_from, []).append(one)
    current: dict[str, Version[Invoice]] = {}
    found: list[PaymentsStatus] = []
    before = "none"
    for when in sorted(steps):
        for one in steps[when]:
            current[one.value.id] = one
        status = _status(list(current.values()))
        if status != before:
            decided = max(steps[when], key=lambda one: one.first.at)
            context = context_of(decided.first, decided.value)
            found.append(PaymentsStatus(when, status, context, decided.first.event_id, decided.value.id))
            before = status
    return found


def _status(standing: Sequence[Version[Invoice]]) -> str:
    counted = [
        one.value for one in standing if not one.deleted and one.value.status != "voided" and (one.value.total or 0) > 0
    ]
    if any(one.status == "not_paid" and (one.amount_due or 0) > 0 for one in counted):
        return "unpaid"
    if any(one.status == "payment_due" and (one.amount_due or 0) > 0 for one in counted):
        return "failing"
    if any(one.status == "posted" and (one.amount_due or 0) > 0 for one in counted):
        return "due"
    return "paid_up" if any(one.status == "paid" for one in counted) else "none"


def context_of(event: Event, invoice: Invoice) -> str:
    """What happened, from the type of the event that carried the version first."""
    transaction = event.carried("transaction")
    if transaction is not None and isinstance(transaction.value, Transaction):
        value = transaction.value
        if value.type == "refund" and value.payment_method == "chargeback":
            return "chargeback"
    name = event.event_type
    if name in ("payment_succeeded", "payment_failed", "payment_initiated", "payment_refunded"):
        return name
    if name == "refund_initiated":
        return "payment_refunded"
    if name == "dunning_updated":
        return "dunning"
    if name.startswith("pulled_"):
        return "pulled"
    if name == "invoice_deleted":
        return "invoice_deleted"
    if name in ("invoice_generated", "invoice_generated_with_backdating"):
        return "invoice_generated"
    if name.startswith("subscription_") or name == "mrr_updated":
        return "subscription_changed"
    is_voided = invoice.status == "voided" and name in (
        "invoice_updated",
        "pending_invoice_updated",
        "pending_invoice_created",
    )
    return "invoice_voided" if is_voided else "invoice_updated"
