"""What was paid and taken back, in US dollars: a taking-back at the rate of its payment, so that a full one leaves
nothing. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from ic_assets.core.money import ZERO, r4
from ic_assets.payments.engine.reading.models import Transaction
from ic_assets.payments.engine.revenue.rules import Rate, Rules, day_of
from ic_assets.payments.engine.revenue.versions import Version


@dataclass(frozen=True)
class Counted:
    """One transaction. ``counted_amount`` is in minor units, ``counted_usd`` signed; None while no rate is known."""

    transaction_id: str
    version: Version[Transaction]
    kind: str
    occurred_at: int
    payment_id: str | None
    rate: Rate | None
    amount_usd: Decimal | None
    counted_amount: int
    counted_usd: Decimal | None
    problem: str | None


def kind_of(value: Transaction) -> str | None:
    """payment, refund, chargeback or reversal; None for an authorization, which moves no money."""
    if value.type == "payment":
        return "payment"
    if value.type == "payment_reversal":
        return "reversal"
    if value.type == "refund":
        return "chargeback" if value.payment_method == "chargeback" else "refund"
    return None


def collected(transactions: Sequence[Version[Transaction]], rules: Rules) -> list[Counted]:
    """The newest versions of one company's transactions as they count, by id."""
    alone = {one.value.id: _alone(one, rules) for one in transactions if kind_of(one.value) is not None}
    payments = {key: one for key, one in alone.items() if one.kind == "payment"}
    back: Mapping[str, list[Counted]] = defaultdict(list)
    for key, one in list(alone.items()):
        if one.kind == "payment":
            continue
        payment = payments.get(one.payment_id or "")
        if payment is not None and _currency(payment) == _currency(one):
            alone[key] = _at(one, payment.rate, rules)
        if payment is None or not _counts(payment.version) or _currency(payment) != _currency(one):
            alone[key] = replace(alone[key], counted_amount=0, counted_usd=ZERO, problem="payment_unknown")
            continue
        if _counts(one.version):
            back[payment.transaction_id].append(alone[key])
    for payment_id, ones in back.items():
        for counted in _taken_back(payments[payment_id], ones, rules):
            alone[counted.transaction_id] = counted
    return [alone[key] for key in sorted(alone)]


def total(counted: Sequence[Counted]) -> Decimal | None:
    """collections_usd; None when a row that counts has no rate."""
    if any(one.counted_usd is None for one in counted):
        return None
    return sum((one.counted_usd or ZERO for one in counted), ZERO)


def _alone(version: Version[Transaction], rules: Rules) -> Counted:
    value = version.value
    when = value.date if value.date is not None else version.first.occurred_at
    rate = rules.rate(value.currency_code, day_of(when), value.exchange_rate, value.base_currency_code)
    kind = kind_of(value) or ""
    named = None if kind == "payment" else value.refunded_txn_id or value.reference_transaction_id
    counted = Counted(value.id, version, kind, when, named, rate, None, 0, ZERO, None)
    return _at(counted, rate, rules)


def _at(one: Counted, rate: Rate | None, rules: Rules) -> Counted:
    """``one`` at ``rate``, counted whole if it counts."""
    counts = _counts(one.version)
    amount = one.version.value.amount
    usd = None if rate is None else _usd(amount, rate, _minor(one, rules))
    problem = "no_rate" if rate is None and counts else None
    sign = 1 if one.kind == "payment" else -1
    counted_usd = ZERO if not counts else None if usd is None else sign * usd
    return replace(
        one,
        rate=rate,
        amount_usd=usd,
        counted_amount=amount if counts else 0,
        counted_usd=counted_usd,
        problem=problem,
    )


def _taken_back(payment: Counted, ones: Sequence[Counted], rules: Rules) -> list[Counted]:
    """By (date, id), each at most what is left of the payment."""
    result, taken = [], 0
    for one in sorted(ones, key=lambda each: (each.occurred_at, each.transaction_id)):
        share = min(one.version.value.amount, payment.version.value.amount - taken)
        usd = None
        if payment.rate is not None:
            minor = _minor(one, rules)
            usd = _usd(taken, payment.rate, minor) - _usd(taken + share, payment.rate, minor)
        taken += share
        problem = "above_payment" if share < one.version.value.amount else one.problem
        result.append(replace(one, counted_amount=share, counted_usd=usd, problem=problem))
    return result


def _counts(version: Version[Transaction]) -> bool:
    return version.value.status == "success" and not version.deleted


def _currency(one: Counted) -> str:
    return one.version.value.currency_code


def _minor(one: Counted, rules: Rules) -> int:
    return rules.minor(_currency(one))


def _usd(amount: int, rate: Rate, minor: int) -> Decimal:
    return r4(Fraction(amount) / minor * Fraction(rate.usd_per_unit))
