"""Exact money: no float comes in or goes out. Amounts of invoices and transactions are whole minor units, recurring
revenue is US dollars with four decimals; what lies between is a fraction, rounded where a rule says so and only there.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

# More digits than PostgreSQL's numeric(18,4) or (20,10) can hold, so that no result is rounded but by the rule.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
_TEN_THOUSANDTH = Decimal("0.0001")
_RATE = Decimal("0.0000000001")
ZERO = Decimal("0.0000")


def r4(value: Fraction | Decimal | int) -> Decimal:
    """``value`` with four decimals, halves away from zero, as PostgreSQL's ``round(numeric, 4)`` does."""
    if isinstance(value, Decimal):
        return value.quantize(_TEN_THOUSANDTH, context=_CONTEXT)
    exact = Fraction(value)
    whole, rest = divmod(abs(exact.numerator) * 10_000, exact.denominator)
    rounded = whole + (1 if 2 * rest >= exact.denominator else 0)
    return Decimal(rounded if exact >= 0 else -rounded).scaleb(-4, context=_CONTEXT)


def rate10(value: Decimal) -> Decimal:
    """An exchange rate as it is kept: ten decimals, halves away from zero."""
    return value.quantize(_RATE, context=_CONTEXT)
