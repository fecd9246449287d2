"""Chargebee's objects as far as this flow uses them, of both product catalogs, read from the content of an event. Whatever
else an object has is left alone: Chargebee adds members freely. Holds no rule about money.

Fields and their meanings: Chargebee's API v2 (attributes of Subscription, Customer, Invoice, Transaction, Coupon).
Numbers are whole; what has decimals comes as text (``*_in_decimal``) or as a JSON number read as ``Decimal``.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

_BIGINT = 2**63 - 1

SubscriptionStatus = Literal["future", "in_trial", "active", "non_renewing", "paused", "cancelled", "transferred"]
TransactionStatus = Literal["in_progress", "success", "voided", "failure", "timeout", "needs_attention", "late_failure"]
TransactionType = Literal["authorization", "payment", "refund", "payment_reversal"]
InvoiceStatus = Literal["paid", "posted", "payment_due", "not_paid", "voided", "pending"]
DunningStatus = Literal["in_progress", "exhausted", "stopped", "success"]
Unit = Literal["day", "week", "month", "year"]


def _text(value: Any) -> Any:
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ValueError("holds a character that no text may have")
    return value


def _exact(value: Any) -> Any:
    """A number that may have decimals: JSON number or text, finite. Never a float."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("is no number")  # noqa: TRY004 - pydantic wants ValueError
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError("is no number that money could be")
    return number


def _number(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("is a text")  # noqa: TRY004 - pydantic wants ValueError
    return _exact(value)


Text = Annotated[str, Field(strict=True), BeforeValidator(_text)]
Whole = Annotated[int, Field(strict=True, ge=-_BIGINT, le=_BIGINT)]
Count = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Time = Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)]
Flag = Annotated[bool, Field(strict=True)]
Exact = Annotated[Decimal, BeforeValidator(_exact)]
Number = Annotated[Decimal, BeforeValidator(_number)]


class _Object(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if isinstance(value, dict) and None in value.values():
            return {name: one for name, one in value.items() if one is not None}
        return value


class Versioned(_Object):
    id: Text
    resource_version: Whole | None = None
    updated_at: Time | None = None
    deleted: Flag = False

    def version(self, occurred_at: int) -> int:
        """Milliseconds: ``resource_version``, which Chargebee renews with every change; else the next best time."""
        if self.resource_version is not None:
            return self.resource_version
        return 1000 * (self.updated_at if self.updated_at is not None else occurred_at)


class Item(_Object):
    """A line of catalog 2."""

    item_price_id: Text
    item_type: Text
    quantity: Whole | None = None
    quantity_in_decimal: Exact | None = None
    free_quantity: Whole | None = None
    free_quantity_in_decimal: Exact | None = None
    unit_price: Whole | None = None
    unit_price_in_decimal: Exact | None = None
    amount: Whole | None = None
    amount_in_decimal: Exact | None = None
    metered_quantity: Exact | None = None
    trial_end: Time | None = None
    billing_period: Count | None = None
    billing_period_unit: Unit | None = None


class Tier(_Object):
    item_price_id: Text


class Addon(_Object):
    """An add-on of catalog 1."""

    id: Text
    quantity: Whole | None = None
    quantity_in_decimal: Exact | None = None
    unit_price: Whole | None = None
    unit_price_in_decimal: Exact | None = None
    amount: Whole | None = None
    amount_in_decimal: Exact | None = None
    trial_end: Time | None = None


class UsedCoupon(_Object):
    coupon_id: Text
    apply_till: Time | None = None


class Discount(_Object):
    """A manual discount, which carries its own terms."""

    id: Text
    type: Text
    percentage: Number | None = None
    amount: Whole | None = None
    currency_code: Text | None = None
    duration_type: Text
    period: Count | None = None
    period_unit: Unit | None = None
    apply_on: Text
    item_price_id: Text | None = None
    apply_till: Time | None = None
    coupon_id: Text | None = None


class Subscription(Versioned):
    customer_id: Text
    status: SubscriptionStatus
    currency_code: Text
    billing_period: Count | None = None
    billing_period_unit: Unit | None = None
    current_term_start: Time | None = None
    current_term_end: Time | None = None
    started_at: Time | None = None
    activated_at: Time | None = None
    trial_end: Time | None = None
    cancelled_at: Time | None = None
    pause_date: Time | None = None
    created_at: Time | None = None
    exchange_rate: Number | None = None
    base_currency_code: Text | None = None
    mrr: Whole | None = None
    free_period: Count | None = None
    free_period_unit: Unit | None = None
    plan_id: Text | None = None
    plan_quantity: Whole | None = None
    plan_quantity_in_decimal: Exact | None = None
    plan_free_quantity: Whole | None = None
    plan_free_quantity_in_decimal: Exact | None = None
    plan_unit_price: Whole | None = None
    plan_unit_price_in_decimal: Exact | None = None
    plan_amount: Whole | None = None
    plan_amount_in_decimal: Exact | None = None
    subscription_items: tuple[Item, ...] | None = None
    item_tiers: tuple[Tier, ...] = ()
    addons: tuple[Addon, ...] = ()
    coupon: Text | None = None
    coupons: tuple[UsedCoupon, ...] = ()
    discounts: tuple[Discount, ...] = ()

    @property
    def coupon_ids(self) -> set[str]:
        return {one.coupon_id for one in self.coupons} | ({self.coupon} if self.coupon else set())


class Customer(Versioned):
    model_config = ConfigDict(extra="allow", frozen=True)

    created_at: Time | None = None

    def field(self, name: str) -> str | None:
        """A custom field (``cf_…``) as text; None when it is absent or blank."""
        value = (self.model_extra or {}).get(name)
        text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
        return text or None


class LineOfInvoice(_Object):
    subscription_id: Text | None = None


class Invoice(Versioned):
    customer_id: Text | None = None
    subscription_id: Text | None = None
    status: InvoiceStatus
    dunning_status: DunningStatus | None = None
    currency_code: Text
    price_type: Text | None = None
    total: Whole | None = None
    sub_total: Whole | None = None
    tax: Whole | None = None
    amount_paid: Whole | None = None
    amount_due: Whole | None = None
    amount_adjusted: Whole | None = None
    credits_applied: Whole | None = None
    write_off_amount: Whole | None = None
    round_off_amount: Whole | None = None
    tds_amount: Whole | None = None
    date: Time | None = None
    due_date: Time | None = None
    paid_at: Time | None = None
    voided_at: Time | None = None
    next_retry_at: Time | None = None
    line_items: tuple[LineOfInvoice, ...] | None = None
    line_items_next_offset: Text | None = None


class Transaction(Versioned):
    customer_id: Text | None = None
    subscription_id: Text | None = None
    type: TransactionType
    status: TransactionStatus
    payment_method: Text | None = None
    date: Time | None = None
    amount: Whole
    currency_code: Text
    exchange_rate: Number | None = None
    base_currency_code: Text | None = None
    refunded_txn_id: Text | None = None
    reference_transaction_id: Text | None = None


class ItemConstraint(_Object):
    item_type: Text
    constraint: Text
    item_price_ids: tuple[Text, ...] = ()


class ItemCriterion(_Object):
    item_type: Text
    currencies: tuple[Text, ...] = ()
    item_family_ids: tuple[Text, ...] = ()
    item_price_periods: tuple[Text, ...] = ()


class Coupon(Versioned):
    discount_type: Text
    discount_percentage: Number | None = None
    discount_amount: Whole | None = None
    currency_code: Text | None = None
    apply_on: Text | None = None
    duration_type: Text
    duration_month: Count | None = None
    period: Count | None = None
    period_unit: Unit | None = None
    plan_constraint: Text | None = None
    addon_constraint: Text | None = None
    plan_ids: tuple[Text, ...] = ()
    addon_ids: tuple[Text, ...] = ()
    item_constraints: tuple[ItemConstraint, ...] = ()
    item_constraint_criteria: tuple[ItemCriterion, ...] = ()
    status: Text | None = None
    created_at: Time | None = None


MODELS: dict[str, type[Versioned]] = {
    "subscription": Subscription,
    "customer": Customer,
    "invoice": Invoice,
    "transaction": Transaction,
    "coupon": Coupon,
}
"""The members of an event's content that are read, with their models."""

_STATUS_FIELDS = {"status", "type", "dunning_status", "billing_period_unit", "period_unit", "free_period_unit"}


class BadObject(ValueError):
    """An object that cannot be read. ``reason`` is ``bad_field:<path>``, ``unknown_status`` or ``no_subject``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_object(kind: str, value: Any) -> Versioned:
    """One object of an event's content as its model. Raises ``BadObject`` with the first reason of the contract's order."""
    if not isinstance(value, dict):
        raise BadObject(f"bad_field:{kind}")
    try:
        return MODELS[kind].model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
    paths = [".".join(str(part) for part in (kind, *one["loc"])) for one in found]
    for one, path in zip(found, paths, strict=True):
        if kind == "subscription" and path == "subscription.customer_id" and one["type"] == "missing":
            raise BadObject("no_subject")
    unknown = [
        one["type"] == "literal_error" and one["loc"][-1] in _STATUS_FIELDS and isinstance(one["input"], str)
        for one in found
    ]
    for path, is_unknown in zip(paths, unknown, strict=True):
        if not is_unknown:
            raise BadObject(f"bad_field:{path}")
    raise BadObject("unknown_status")
