"""One event of the inbox as the objects that it carries, or the reason why it is set aside. Pure: no database.

An event is the objects in its content, whatever its type; the type decides what is deleted, and the cause that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ic_assets.inbox import exact_json
from ic_assets.payments.engine.reading.models import (
    MODELS,
    BadObject,
    Coupon,
    Discount,
    Invoice,
    Subscription,
    Transaction,
    Versioned,
    read_object,
)

AHEAD_SECONDS = 600
"""How far ``occurred_at`` may lie ahead of the arrival: clocks differ."""

MOST = 10**13
"""Minor units of one line or payment, a hundred billion dollars: more a day would not fit in numeric(18,4) a month."""
LATEST = 253_402_300_799
"""The last second that a timestamp of Python holds."""

_ORDER = (
    "bad_envelope",
    "api_version",
    "from_the_future",
    "bad_content",
    "no_subject",
    "bad_field",
    "unknown_status",
    "unknown_currency",
    "negative_amount",
    "amount_not_positive",
    "bad_coupon",
)
"""The reasons for setting aside, in the order in which they are tried."""

_PERSONAL = ("address", "email", "phone", "card", "vat_number", "tax_id")
_PERSONAL_WHOLE = {
    "payment_method_details",
    "last4",
    "iin",
    "name",
    "company",
    "locale",
    "notes",
    "comment",
    "description",
    "entity_description",
    "invoice_notes",
    "contacts",
    "bank_account",
    "payment_source",
    "user",
    "origin_user",
}


class SetAside(ValueError):
    """An event that cannot be taken. ``reason`` is one of the contract's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Carried:
    """An object as one event carries it."""

    kind: str
    value: Versioned
    version: int
    deleted: bool

    @property
    def id(self) -> str:
        return self.value.id


@dataclass(frozen=True)
class Event:
    """An event that can be taken. ``occurred_at`` is in Unix seconds."""

    event_id: str
    event_type: str
    occurred_at: int
    objects: tuple[Carried, ...] = ()
    api_source: str | None = None
    cancelled_with_customer: tuple[Carried, ...] = field(default=())
    """The subscriptions that a ``customer_deleted`` lists."""

    @property
    def at(self) -> tuple[int, str]:
        """What orders events: bytewise by id at one second."""
        return self.occurred_at, self.event_id

    def carried(self, kind: str) -> Carried | None:
        return next((one for one in self.objects if one.kind == kind), None)


def envelope(body: Any, received_at: float) -> tuple[str, str, int, Mapping[str, Any]]:
    """Id, type, time and content of ``body``. Raises ``SetAside``."""
    if not isinstance(body, dict):
        raise SetAside("bad_envelope")
    event_id, event_type, occurred_at = body.get("id"), body.get("event_type"), body.get("occurred_at")
    if not (isinstance(event_id, str) and event_id and isinstance(event_type, str) and event_type):
        raise SetAside("bad_envelope")
    if not isinstance(occurred_at, int) or isinstance(occurred_at, bool) or not 0 <= occurred_at <= LATEST:
        raise SetAside("bad_envelope")
    if body.get("api_version") != "v2":
        raise SetAside("api_version")
    if occurred_at > received_at + AHEAD_SECONDS:
        raise SetAside("from_the_future")
    content = body.get("content")
    if not isinstance(content, dict):
        raise SetAside("bad_content")
    return event_id, event_type, occurred_at, content


def read(
    body: Any, received_at: float, currencies: Mapping[str, int], *, is_read: bool = True, fits: bool = False
) -> Event:
    """``body`` as an event. ``currencies`` are those that are known; an event that is not ``is_read`` carries nothing.
    ``fits``: the caller knows that jsonb can hold it.

    Raises ``SetAside`` with the first reason in the contract's order."""
    event_id, event_type, occurred_at, content = envelope(body, received_at)
    source = body.get("source") if isinstance(body.get("source"), str) else None
    unfit = () if fits else (*_unfit(source, "source"), *_unfit(content, ""))
    reasons = [f"bad_field:{path}" for path in unfit[:1]]
    if not is_read:
        if reasons:
            raise SetAside(reasons[0])
        return Event(event_id, event_type, occurred_at, api_source=source)
    wanted = subject(event_type)
    if wanted and content.get(wanted) is None:
        reasons.append("no_subject")
    objects = []
    for kind in MODELS:
        if content.get(kind) is None or (event_type == "customer_deleted" and isinstance(content[kind], list)):
            continue
        try:
            value = read_object(kind, content[kind])
        except BadObject as bad:
            reasons.append(bad.reason)
            continue
        reasons += faults(value, currencies)
        objects.append(_carried(kind, value, event_type, occurred_at, _other_time(content[kind], event_type)))
    listed = []
    if event_type == "customer_deleted":
        for one in _listed(content):
            try:
                value = read_object("subscription", one)
            except BadObject as bad:
                reasons.append(bad.reason)
                continue
            reasons += faults(value, currencies)
            own = max(value.version(occurred_at) + 1, 1000 * occurred_at)
            listed.append(Carried("subscription", value, own, deleted=True))
    if reasons:
        raise SetAside(min(reasons, key=lambda reason: _ORDER.index(reason.partition(":")[0])))
    if event_type.startswith("pulled_"):
        # It says how the object was when that version came to be, whenever it was pulled.
        occurred_at = next(min(max(one.version // 1000, 0), LATEST) for one in objects if one.kind == wanted)
    return Event(event_id, event_type, occurred_at, tuple(objects), source, tuple(listed))


def subject(event_type: str) -> str | None:
    """The object without which an event of this type says nothing."""
    if event_type.startswith("pulled_"):
        return event_type.removeprefix("pulled_")
    if event_type.startswith("subscription_") or event_type == "mrr_updated":
        return "subscription"
    if event_type.startswith(("payment_", "refund_", "transaction_")):
        return "transaction"
    if event_type.startswith(("invoice_", "pending_invoice_")) or event_type == "dunning_updated":
        return "invoice"
    return next((kind for kind in ("coupon", "customer") if event_type.startswith(f"{kind}_")), None)


def faults(value: Versioned, currencies: Mapping[str, int]) -> Iterator[str]:
    """What keeps a well-formed object from being taken."""
    named = [getattr(value, "currency_code", None)]
    if isinstance(value, Subscription):
        named += [one.currency_code for one in value.discounts]
        lines = (*(value.subscription_items or ()), *value.addons, _PlanAmounts(value))
        if any(below_zero(line) for line in lines):
            yield "negative_amount"
        if any(too_large(line) for line in lines):
            yield "bad_field:subscription.amount"
        if any(bad_discount(one) for one in value.discounts):
            yield "bad_coupon"
    elif isinstance(value, Invoice):
        amounts = ("total", "sub_total", "tax", "amount_paid", "amount_due", "amount_adjusted", "credits_applied")
        if any((getattr(value, name) or 0) < 0 for name in (*amounts, "write_off_amount")):
            yield "negative_amount"
    elif isinstance(value, Transaction):
        if value.type != "authorization" and value.amount <= 0:
            yield "amount_not_positive"
        if value.amount > MOST:
            yield "bad_field:transaction.amount"
    elif isinstance(value, Coupon) and bad_coupon(value):
        yield "bad_coupon"
    if any(code is not None and code not in currencies for code in named):
        yield "unknown_currency"


@dataclass(frozen=True)
class _PlanAmounts:
    """The plan of catalog 1 with the names of a line."""

    of: Subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, f"plan_{name}", None)


def below_zero(line: Any) -> bool:
    names = ("amount", "amount_in_decimal", "unit_price", "unit_price_in_decimal", "quantity", "quantity_in_decimal")
    return any((getattr(line, name, None) or 0) < 0 for name in names)


def too_large(line: Any) -> bool:
    """Whether its figures could have more digits than a table has: one such line must not hold all others up."""
    quantity = max(getattr(line, name, None) or 1 for name in ("quantity", "quantity_in_decimal"))
    amounts = (
        getattr(line, "amount", None) or 0,
        100 * (getattr(line, "amount_in_decimal", None) or 0),
        quantity * (getattr(line, "unit_price", None) or 0),
        quantity * 100 * (getattr(line, "unit_price_in_decimal", None) or 0),
    )
    return max(amounts) > MOST


def bad_discount(one: Discount) -> bool:
    if one.type == "percentage":
        return one.percentage is None or not 0 < one.percentage <= 100
    return one.type == "fixed_amount" and (one.amount is None or one.amount <= 0)


def bad_coupon(one: Coupon) -> bool:
    if one.discount_type == "percentage":
        return one.discount_percentage is None or not 0 < one.discount_percentage <= 100
    return one.discount_type == "fixed_amount" and (one.discount_amount is None or one.discount_amount <= 0)


def without_personal(value: Any) -> Any:
    """Content as it is kept: cards, addresses, names, e-mails, phones and free texts left out."""
    if isinstance(value, dict):
        return {key: without_personal(one) for key, one in value.items() if not is_personal(str(key))}
    if isinstance(value, list):
        return [without_personal(one) for one in value]
    return value


def is_personal(key: str) -> bool:
    """Whether a member of this name is left out of what is kept."""
    return key in _PERSONAL_WHOLE or key.endswith("_name") or any(part in key for part in _PERSONAL)


def _unfit(value: Any, path: str) -> Iterator[str]:
    """Where a value holds what the database cannot: a text with U+0000 or half a surrogate pair, a number without end."""
    if isinstance(value, dict):
        for key, one in value.items():
            inner = f"{path}.{key}".lstrip(".")
            if exact_json.is_plain(key):
                yield from _unfit(one, inner)
            else:
                yield path or "content"
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _unfit(one, f"{path}.{place}")
    elif not exact_json.fits(value):
        yield path


def _carried(kind: str, value: Versioned, event_type: str, occurred_at: int, otherwise: int | None) -> Carried:
    when = otherwise if otherwise is not None else occurred_at
    deleted = value.deleted or event_type == f"{kind}_deleted"
    return Carried(kind, value, value.version(when), deleted)


def _other_time(raw: Any, event_type: str) -> int | None:
    """For a pulled object that has neither a resource_version nor updated_at: its created_at or date."""
    if not event_type.startswith("pulled_") or not isinstance(raw, dict):
        return None
    found = next((raw[name] for name in ("created_at", "date") if isinstance(raw.get(name), int)), None)
    return None if found is None else int(found)


def _listed(content: Mapping[str, Any]) -> list[Any]:
    for name in ("subscriptions", "subscription"):
        if isinstance(content.get(name), list):
            return list(content[name])
    return []
