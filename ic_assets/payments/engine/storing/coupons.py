"""``payments.coupon``: the versions of each coupon, computed anew from the archive whenever an event carries it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.core.sql import statement
from ic_assets.inbox import exact_json
from ic_assets.payments.engine.reading.models import Coupon
from ic_assets.payments.engine.revenue.discounts import of_coupon
from ic_assets.payments.engine.revenue.versions import Version
from ic_assets.payments.engine.storing.copying import copy, table
from ic_assets.payments.engine.storing.sources import coupon_versions, events_of, when

_COLUMNS = (
    "coupon_id",
    "version",
    "valid_from",
    "discount_type",
    "percentage",
    "amount",
    "currency",
    "apply_on",
    "duration_type",
    "period",
    "period_unit",
    "items",
    "unsupported",
    "deleted",
)


def write(connection: psycopg.Connection, coupons: Sequence[str]) -> None:
    """Replaces the rows of these coupons, in the caller's transaction."""
    if not coupons:
        return
    events = events_of(connection.execute(statement("payments/coupon_events"), {"coupons": list(coupons)}))
    versions = coupon_versions(events)
    remove = statement("payments/remove", table=table("payments.coupon"), column=sql.Identifier("coupon_id"))
    connection.execute(remove, {"values": list(coupons)})
    copy(connection, "payments.coupon", _COLUMNS, (_row(one) for found in versions.values() for one in found))


def _row(version: Version[Coupon]) -> tuple[Any, ...]:
    of = version.value
    terms = of_coupon(of.id, version, None)
    length = (of.period, of.period_unit) if of.period is not None else (of.duration_month, None)
    unit = length[1] or ("month" if length[0] is not None else None)
    unsupported = None
    if terms.unsupported:
        unsupported = of.discount_type if terms.kind is None else f"apply_on {of.apply_on}"
        if terms.kind is not None and terms.target is not None:
            unsupported = "item_family_ids"
    percentage = of.discount_percentage if terms.kind == "percentage" and unsupported is None else None
    amount = of.discount_amount if terms.kind == "fixed" and unsupported is None else None
    return (
        of.id,
        version.number,
        when(version.valid_from),
        of.discount_type,
        percentage,
        amount,
        of.currency_code,
        of.apply_on,
        of.duration_type,
        length[0],
        unit,
        exact_json.dumps(dict(_items(of))),
        unsupported,
        version.deleted,
    )


def _items(of: Coupon) -> Iterator[tuple[str, Any]]:
    """Which lines it is for, as the coupon says it."""
    for name in ("plan_constraint", "addon_constraint"):
        if (value := getattr(of, name)) is not None:
            yield name, value
    for name in ("plan_ids", "addon_ids"):
        if getattr(of, name):
            yield name, list(getattr(of, name))
    for name in ("item_constraints", "item_constraint_criteria"):
        if getattr(of, name):
            yield name, [_plain(one.model_dump()) for one in getattr(of, name)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
