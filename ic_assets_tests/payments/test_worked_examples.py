"""The worked examples of the contract: revenue of a subscription, ranges, movements, collections."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ic_assets.payments.engine.reading.events import read
from ic_assets.payments.engine.reading.models import Transaction
from ic_assets.payments.engine.revenue.collections import Counted, collected, total
from ic_assets.payments.engine.revenue.figures import Figures
from ic_assets.payments.engine.revenue.movements import history
from ic_assets.payments.engine.revenue.rules import Grant, Rules
from ic_assets.payments.engine.revenue.versions import versions_of
from ic_assets_tests.payments.billing import CURRENCIES, at, event, history_of, item, rules, subscription, worth


def euro(dollars: str, day: str = "2026-01-01", code: str = "EUR") -> Rules:
    return rules(rates={code: [(day, dollars)]})


def coupon(name: str, number: int = 1, when: str = "2026-01-01", **terms: Any) -> dict[str, Any]:
    body = {"id": name, "duration_type": "forever", "apply_on": "each_specified_item", **terms}
    if "discount_amount" in body:
        body |= {"discount_type": "fixed_amount", "currency_code": body.get("currency_code", "USD")}
    else:
        body |= {"discount_type": "percentage"}
    return event(number, when, {"coupon": body}, "coupon_created")


PLAN_ONLY = {"item_constraints": [{"item_type": "plan", "constraint": "all"}]}
SEATS_ONLY = {"item_constraints": [{"item_type": "addon", "constraint": "specific", "item_price_ids": ["seats"]}]}
ON_TOTAL = {"apply_on": "invoice_amount"}


def using(*names: str, **more: Any) -> dict[str, Any]:
    return {"coupons": [{"coupon_id": name, **more} for name in names]}


def shown(found: Figures) -> tuple[str | None, ...]:
    figures = (found.calculated_mrr, found.discount_mrr, found.effective_mrr, found.sales_effective_mrr)
    return tuple(None if one is None else str(one) for one in figures)


def same(calculated: str) -> tuple[str, ...]:
    return calculated, "0.0000", calculated, calculated


def test_1_a_month() -> None:
    assert shown(worth(subscription(item("plan", 10000)))) == same("100.0000")


def test_2_a_year_with_seats() -> None:
    found = worth(subscription(item("plan", 240000, quantity=20), every="1 year"))
    assert (shown(found), found.seats) == (same("200.0000"), 20)


def test_3_a_week() -> None:
    found = worth(subscription(item("plan", 95000), item("extra", 20), every="1 week"))
    assert (str(found.base_plan_mrr), str(found.addon_mrr)) == ("4127.9762", "0.8690")
    assert shown(found) == same("4128.8452")


@pytest.mark.parametrize(
    ("currency", "amount", "every", "rate", "says"),
    [
        ("USD", 3000, "10 day", None, "91.2500"),
        ("JPY", 12000, "1 month", "0.0067", "80.4000"),
        ("KWD", 4500, "1 month", "3.25", "146.2500"),
    ],
)
def test_4_days_and_currencies(currency: str, amount: int, every: str, rate: str | None, says: str) -> None:
    by = euro(rate, code=currency) if rate else rules()
    assert shown(worth(subscription(item("plan", amount), every=every, currency_code=currency), by)) == same(says)


def test_5_charges_and_usage_are_out() -> None:
    found = worth(
        subscription(
            item("plan", 30000),
            item("seats", 18000),
            item("ops", 4500),
            item("hr", 3000),
            item("comms", 2400),
            item("setup", 50000, "charge"),
            item("usage", 700, metered_quantity="7"),
            every="3 month",
        )
    )
    assert (str(found.base_plan_mrr), str(found.addon_mrr)) == ("100.0000", "93.0000")
    split = {name: str(value) for name, value in found.addons.items()}
    assert split == {"seats": "60.0000", "ops": "15.0000", "hr": "10.0000", "comms": "8.0000", "other": "0.0000"}
    assert shown(found) == same("193.0000")


def test_6_the_four_steps_in_their_order() -> None:
    by = rules(
        coupons=[
            coupon("a", 1, discount_amount=1000, **PLAN_ONLY),
            coupon("b", 2, discount_percentage=20, **SEATS_ONLY),
            coupon("c", 3, discount_amount=1500, **ON_TOTAL),
            coupon("d", 4, discount_percentage=10, **ON_TOTAL),
        ]
    )
    found = worth(subscription(item("plan", 10000), item("seats", 5000), **using("d", "c", "b", "a")), by)
    assert shown(found) == ("150.0000", "46.5000", "103.5000", "103.5000")


def test_7_coupons_before_manual_discounts() -> None:
    manual = {
        "id": "m",
        "type": "percentage",
        "percentage": 50,
        "duration_type": "forever",
        "apply_on": "invoice_amount",
    }
    of = subscription(item("plan", 2000), discounts=[manual], **using("c"))
    found = worth(of, rules(coupons=[coupon("c", discount_amount=1000, **ON_TOTAL)]))
    assert shown(found) == ("20.0000", "15.0000", "5.0000", "5.0000")


def test_8_a_coupon_takes_at_most_the_price() -> None:
    by = rules(coupons=[coupon("c", discount_amount=7500, **PLAN_ONLY)])
    found = worth(subscription(item("plan", 5000), item("seats", 2000), **using("c")), by)
    assert shown(found) == ("70.0000", "50.0000", "20.0000", "20.0000")
    assert found.problems == ("coupon_above_price",)


def test_9_the_rate_at_the_start_of_the_term() -> None:
    by = rules(
        rates={"EUR": [("2026-01-01", "1.0837"), ("2026-01-05", "2")]},
        coupons=[coupon("c", discount_percentage=Decimal("33.33"), **PLAN_ONLY)],
    )
    found = worth(subscription(item("plan", 99900), every="1 year", currency_code="EUR", **using("c")), by)
    assert shown(found) == ("90.2180", "30.0697", "60.1483", "60.1483")


@pytest.mark.parametrize(("when", "says"), [("2026-04-14", "25.0000"), ("2026-04-15", "50.0000")])
def test_10_a_limited_coupon_ends(when: str, says: str) -> None:
    terms = {
        "duration_type": "limited_period",
        "period": 3,
        "period_unit": "month",
        "discount_percentage": 50,
        **ON_TOTAL,
    }
    of = subscription(item("plan", 5000), **using("c", apply_till=at("2026-04-15")))
    assert str(worth(of, rules(coupons=[coupon("c", **terms)]), when).effective_mrr) == says


def test_11_a_coupon_as_long_as_the_term_is_a_one_time_one() -> None:
    terms = {
        "duration_type": "limited_period",
        "period": 12,
        "period_unit": "month",
        "discount_percentage": 50,
        **ON_TOTAL,
    }
    of = subscription(item("plan", 120000), every="1 year", **using("c"))
    assert shown(worth(of, rules(coupons=[coupon("c", **terms)]))) == same("100.0000")


def test_12_a_free_period_lengthens_the_first_term() -> None:
    of = subscription(
        item("plan", 120000),
        every="1 year",
        free_period=2,
        free_period_unit="month",
        current_term_end=at("2027-03-01"),
    )
    found = history_of([event(1, "2026-01-01", {"subscription": of})], rules(), "2027-04-01")
    assert [str(row.figures.sales_effective_mrr) for row in found.rows] == ["85.7143", "100.0000"]
    assert [row.valid_from for row in found.rows] == [at("2026-01-01"), at("2027-03-01")]
    assert found.rows[1].cause.startswith("clock:")


def test_13_granted_months() -> None:
    grant = Grant(datetime(2026, 1, 1, tzinfo=UTC), "g", Decimal(3), date(2026, 1, 1), 12)
    found = worth(subscription(item("plan", 10000)), rules(grants={"S": [grant]}))
    assert shown(found) == ("100.0000", "0.0000", "100.0000", "75.0000")


def test_14_percents_of_one_step_see_what_is_left() -> None:
    by = rules(
        coupons=[
            coupon("a", 1, discount_percentage=10, **PLAN_ONLY),
            coupon("b", 2, discount_percentage=20, **PLAN_ONLY),
        ]
    )
    assert shown(worth(subscription(item("plan", 10000), **using("b", "a")), by)) == (
        "100.0000",
        "28.0000",
        "72.0000",
        "72.0000",
    )


def test_15_a_line_with_a_period_of_its_own() -> None:
    by = rules(
        coupons=[coupon("a", 1, discount_amount=12000, **PLAN_ONLY), coupon("b", 2, discount_amount=6000, **ON_TOTAL)]
    )
    of = subscription(
        item("plan", 120000),
        item("extra", 20000, billing_period=1, billing_period_unit="month"),
        every="1 year",
        **using("a", "b"),
    )
    assert shown(worth(of, by)) == ("300.0000", "15.0000", "285.0000", "285.0000")


def test_16_a_coupon_that_comes_later() -> None:
    of = subscription(item("plan", 10000), **using("X"))
    found = worth(of)
    assert (shown(found), found.problems) == (("100.0000", None, None, None), ("unknown_coupon",))
    late = coupon("X", 7, "2026-03-01", discount_percentage=10, **PLAN_ONLY)
    assert shown(worth(of, rules(coupons=[late]))) == ("100.0000", "10.0000", "90.0000", "90.0000")


def test_17_no_rate() -> None:
    found = worth(subscription(item("plan", 10000), currency_code="EUR"))
    assert (shown(found), found.problems) == ((None, None, None, None), ("no_rate",))


# -- movements ---------------------------------------------------------------------------------------


def moves(events: list[dict[str, Any]], by: Rules, until: str) -> list[tuple[str, str, str]]:
    found = history([history_of(events, by, until)]).movements
    return [(datetime.fromtimestamp(one.at, UTC).date().isoformat(), one.kind, str(one.amount_usd)) for one in found]


def test_the_movements_of_a_company() -> None:
    terms = {
        "duration_type": "limited_period",
        "period": 3,
        "period_unit": "month",
        "discount_percentage": 50,
        **ON_TOTAL,
    }
    by = rules(coupons=[coupon("c", 900, "2025-12-01", **terms)])
    used = using("c", apply_till=at("2026-04-15"))

    def at_price(amount: int, **more: Any) -> dict[str, Any]:
        return {"subscription": subscription(item("plan", amount), **{**used, **more})}

    events = [
        event(1, "2026-01-01", at_price(10000, status="in_trial")),
        event(2, "2026-01-15", at_price(10000)),
        event(3, "2026-02-10", at_price(20000)),
        event(4, "2026-05-20", at_price(20000, status="non_renewing", cancelled_at=at("2026-06-15"))),
        event(5, "2026-06-18", at_price(20000, status="cancelled", cancelled_at=at("2026-06-15"))),
        event(6, "2026-08-01", {"subscription": subscription(item("plan", 15000))}),
    ]
    assert moves(events, by, "2026-09-01") == [
        ("2026-01-15", "new", "50.0000"),
        ("2026-02-10", "expansion", "50.0000"),
        ("2026-04-15", "expansion", "100.0000"),
        ("2026-06-15", "churn", "-200.0000"),
        ("2026-08-01", "reactivation", "150.0000"),
    ]


def test_a_pause_is_no_churn() -> None:
    events = [
        event(1, "2026-01-01", {"subscription": subscription(item("plan", 8000))}),
        event(2, "2026-02-01", {"subscription": subscription(item("plan", 8000), status="paused")}),
        event(3, "2026-03-01", {"subscription": subscription(item("plan", 8000))}),
    ]
    assert moves(events, rules(), "2026-04-01") == [
        ("2026-01-01", "new", "80.0000"),
        ("2026-02-01", "contraction", "-80.0000"),
        ("2026-03-01", "expansion", "80.0000"),
    ]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (20000, [("2026-02-01", "fx", "-10.0000")]),
        (30000, [("2026-02-01", "expansion", "105.0000"), ("2026-02-01", "fx", "-10.0000")]),
    ],
)
def test_a_renewal_moves_with_the_currency(after: int, says: list[tuple[str, str, str]]) -> None:
    by = rules(rates={"EUR": [("2026-01-01", "1.10"), ("2026-02-01", "1.05")]})
    renewed = subscription(item("plan", after), currency_code="EUR", current_term_start=at("2026-02-01"))
    events = [
        event(1, "2026-01-01", {"subscription": subscription(item("plan", 20000), currency_code="EUR")}),
        event(2, "2026-02-01", {"subscription": renewed}),
    ]
    assert moves(events, by, "2026-03-01")[1:] == says


# -- collections -------------------------------------------------------------------------------------


def transactions(by: Rules, *ones: dict[str, Any]) -> list[Counted]:
    found = []
    for number, one in enumerate(ones, start=1):
        body = {"customer_id": "C", "status": "success", "currency_code": "EUR", **one}
        read_one = read(
            event(number, "2026-01-01", {"transaction": body}, "payment_succeeded"), at("2099-01-01"), CURRENCIES
        )
        found += versions_of([(read_one, each) for each in read_one.objects], Transaction)
    return collected(found, by)


def test_what_is_taken_back_counts_at_the_rate_of_its_payment() -> None:
    by = rules(rates={"EUR": [("2026-01-01", "1.10"), ("2026-02-01", "1.20")]})
    payment = {"id": "p", "type": "payment", "amount": 10000, "date": at("2026-01-01")}
    refund = {"id": "r", "type": "refund", "amount": 4000, "date": at("2026-02-01"), "refunded_txn_id": "p"}
    charged = {**refund, "id": "s", "amount": 7000, "date": at("2026-02-02"), "payment_method": "chargeback"}
    found = {one.transaction_id: one for one in transactions(by, payment, refund, charged)}
    assert [str(found[key].counted_usd) for key in "prs"] == ["110.0000", "-44.0000", "-66.0000"]
    assert [found[key].counted_amount for key in "prs"] == [10000, 4000, 6000]
    assert (found["s"].problem, found["s"].kind) == ("above_payment", "chargeback")
    assert total(list(found.values())) == 0
    (alone,) = transactions(by, refund)
    assert (alone.counted_usd, alone.problem) == (0, "payment_unknown")


def test_thirds_add_up_to_the_whole() -> None:
    by = rules(rates={"EUR": [("2026-01-01", "1.08377")]})
    payment = {"id": "p", "type": "payment", "amount": 10000, "date": at("2026-01-01")}
    backs = [
        {"id": f"r{n}", "type": "refund", "amount": amount, "date": at("2026-01-02"), "refunded_txn_id": "p"}
        for n, amount in enumerate((3333, 3333, 3334))
    ]
    found = transactions(by, payment, *backs)
    assert [str(one.counted_usd) for one in found] == ["108.3770", "-36.1221", "-36.1220", "-36.1329"]
    assert total(found) == 0


@pytest.mark.parametrize(
    ("arr", "says"),
    [
        ("0.50", "1-2000"),
        ("2000", "1-2000"),
        ("2000.99", "1-2000"),
        ("2001", "2001-8000"),
        ("8000.99", "2001-8000"),
        ("8001", "8001+"),
        ("0", None),
    ],
)
def test_ranges(arr: str, says: str | None) -> None:
    assert rules().range_of(Decimal(arr)) == says
