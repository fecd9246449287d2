"""The settings of payments, from the environment. Secrets of the door and of the API are read where they are used."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ic_assets.core.failures import Refused
from ic_assets.payments.engine.reading.events import is_personal


@dataclass(frozen=True)
class PaymentSettings:
    """``company_field``: the custom field of a customer that names its company; None: the customer's id is the company's.
    ``base_currency``: that of the site, for objects that name none."""

    company_field: str | None = None
    base_currency: str = "USD"

    @classmethod
    def from_env(cls) -> PaymentSettings:
        """Raises ``Refused`` naming the variable that cannot stand."""
        field = os.environ.get("IC_CHARGEBEE_COMPANY_FIELD", "").strip() or None
        base = os.environ.get("IC_CHARGEBEE_BASE_CURRENCY", "").strip() or "USD"
        if field and not re.fullmatch(r"[a-z][a-z0-9_]*", field):
            raise Refused(
                f"IC_CHARGEBEE_COMPANY_FIELD={field!r} is no name of a field; write it as Chargebee does, cf_company_id"
            )
        if field and is_personal(field):
            raise Refused(
                f"IC_CHARGEBEE_COMPANY_FIELD={field!r} names what is kept out of the archive as personal data; keep the "
                "company's id in a field of another name, for example cf_company_id"
            )
        if not re.fullmatch("[A-Z]{3}", base):
            raise Refused(
                f"IC_CHARGEBEE_BASE_CURRENCY={base!r} is no currency; write three capital letters, for example USD"
            )
        return cls(field, base)
