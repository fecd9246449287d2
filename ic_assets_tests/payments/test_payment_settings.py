"""The settings of payments: what cannot stand is refused in one line that names the variable."""

from __future__ import annotations

import pytest

from ic_assets.core.failures import Refused
from ic_assets.payments.settings import PaymentSettings


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("IC_CHARGEBEE_COMPANY_FIELD", "cf company", "is no name of a field"),
        ("IC_CHARGEBEE_COMPANY_FIELD", "company", "kept out of the archive as personal data"),
        ("IC_CHARGEBEE_COMPANY_FIELD", "cf_email_of_owner", "kept out of the archive as personal data"),
        ("IC_CHARGEBEE_BASE_CURRENCY", "dollars", "is no currency"),
    ],
)
def test_a_setting_that_cannot_stand_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Refused, match=says) as refused:
        PaymentSettings.from_env()
    assert variable in str(refused.value)


def test_unset_the_customers_id_is_the_company_and_the_site_sells_in_dollars() -> None:
    assert PaymentSettings.from_env() == PaymentSettings(None, "USD")
