"""Readings of the contract that the worked examples do not reach: what is set aside and why, what waits, what belongs to
whom, and what stands while something is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ic_assets.payments.engine.reading.events import SetAside, read
from ic_assets.payments.engine.revenue.rules import Grant
from ic_assets_tests.payments.billing import CURRENCIES, at, event, item, rules, subscription, worth
from ic_assets_tests.payments.pipeline import post, run, state
from ic_assets_tests.payments.test_gaps import verdicts
from ic_assets_tests.payments.test_pipeline import COUPON
from ic_assets_tests.payments.test_worked_examples import transactions

HALF = {"coupons": [{"coupon_id": "HALF", "apply_till": at("2026-04-15")}]}
MONEY = {"id": "t", "customer_id": "C", "type": "payment", "status": "success", "currency_code": "USD", "amount": 1}
INVOICE = {"id": "I", "customer_id": "C", "status": "paid", "currency_code": "USD"}


def percent(share: int, **more: Any) -> dict[str, Any]:
    body = {"id": "d", "type": "percentage", "percentage": share, "duration_type": "forever"}
    return {"discounts": [{**body, "apply_on": "invoice_amount", **more}]}


def reason(content: dict[str, Any], kind: str = "subscription_changed", **more: Any) -> str:
    try:
        read(event(1, "2026-01-01", content, kind, **more), at("2099-01-01"), CURRENCIES)
    except SetAside as found:
        return found.reason
    return "taken"


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        # Of several reasons the one that stands first among them.
        ({"invoice": {**INVOICE, "total": "x"}}, "payment_succeeded", "no_subject"),
        ({"subscription": {**subscription(), "customer_id": None}}, "subscription_changed", "no_subject"),
        ({"subscription": subscription(status=5)}, "subscription_changed", "bad_field:subscription.status"),
        ({"transaction": {**MONEY, "type": "gift"}}, "payment_succeeded", "unknown_status"),
        ({"subscription": subscription(exchange_rate="1")}, "mrr_updated", "bad_field:subscription.exchange_rate"),
        # Its figure would have more digits than the tables.
        ({"subscription": subscription(item("plan", 2**62))}, "mrr_updated", "bad_field:subscription.amount"),
        (
            {"subscription": subscription(item("plan", unit_price=10**9, quantity=10**6))},
            "mrr_updated",
            "bad_field:subscription.amount",
        ),
        ({"transaction": {**MONEY, "amount": 2**62}}, "payment_succeeded", "bad_field:transaction.amount"),
        ({"subscription": subscription(item("plan", 10**13))}, "mrr_updated", "taken"),
        (
            {"subscription": subscription(item("plan", 100), cf_note="a\x00b")},
            "subscription_changed",
            "bad_field:subscription.cf_note",
        ),
        (
            {"subscription": subscription(item("plan", 100), meta={"a": ["\ud800"]})},
            "subscription_changed",
            "bad_field:subscription.meta.a.0",
        ),
        ({"subscription": subscription(item("plan", 100), addons=None, deleted=None)}, "subscription_changed", "taken"),
    ],
)
def test_reasons(content: dict[str, Any], kind: str, says: str) -> None:
    assert reason(content, kind) == says


def test_a_listed_subscription_with_a_negative_amount_sets_its_event_aside() -> None:
    content = {"customer": {"id": "C"}}
    body = event(1, "2026-01-01", content, "customer_deleted")
    body["content"]["subscriptions"] = [subscription(item("plan", -1))]
    with pytest.raises(SetAside, match="negative_amount"):
        read(body, at("2099-01-01"), CURRENCIES)


def test_addons_without_a_plan_have_no_amount() -> None:
    of = subscription(addons=[{"id": "seats", "amount": 500}])
    del of["subscription_items"]
    assert worth(of).problems == ("no_amount",)


def test_no_items_and_a_plan_are_catalog_1() -> None:
    assert str(worth(subscription(plan_id="plan-pro", plan_amount=5000)).effective_mrr) == "50.0000"


def test_a_price_that_is_not_known_leaves_the_months_and_the_discounts_known() -> None:
    grant = Grant(datetime(2026, 1, 1, tzinfo=UTC), "g", Decimal(3), date(2026, 1, 1), 12)
    found = worth(subscription(item("plan", 100), currency_code="EUR", **percent(10)), rules(grants={"S": [grant]}))
    assert (found.effective_mrr, found.problems) == (None, ("no_rate",))
    assert (found.paid_months, found.covered_months) == (9, 12)
    assert [one.id for one in found.discounts] == ["d"]


def test_a_taking_back_of_a_payment_that_does_not_count_has_its_rate() -> None:
    by = rules(rates={"EUR": [("2026-01-01", "1.10"), ("2026-02-01", "1.20")]})
    payment = {"id": "p", "type": "payment", "amount": 10000, "date": at("2026-01-01"), "status": "voided"}
    refund = {"id": "r", "type": "refund", "amount": 4000, "date": at("2026-02-01"), "refunded_txn_id": "p"}
    found = {one.transaction_id: one for one in transactions(by, payment, refund)}["r"]
    assert (str(found.amount_usd), found.counted_usd, found.problem) == ("44.0000", 0, "payment_unknown")


def test_what_no_database_can_hold_is_set_aside_and_holds_nothing_up(database: str) -> None:
    post(
        database,
        [
            event(1, "2026-01-01", {"subscription": subscription(item("plan", 100), cf_note="a\x00b")}),
            event(2, "2026-01-01", {"card": {"note": "a\x00b"}}, "card_added"),
            event(3, "2026-01-01", {"subscription": subscription(item("plan", 100), id="good")}),
        ],
    )
    post(database, [{"currency": "EUR", "rate_date": "2026-01-01", "usd_per_unit": "NaN"}], "exchange_rates")
    grant = {"subscription_id": "S", "starts_on": "2026-01-01", "term_months": "12"}
    bad = [{**grant, "free_months": "1e40"}, {**grant, "free_months": "1", "subscription_id": "a\x00b"}]
    bad.append({**grant, "free_months": "1", "starts_on": "9999-01-01", "as_of": "2026-01-01"})
    post(database, bad, "free_months")
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT reason FROM inbox.event WHERE state = 'set_aside' ORDER BY id").fetchall()
    assert [one for (one,) in found] == [
        "bad_field:subscription.cf_note",
        "bad_field:card.note",
        "bad_rate",
        "bad_grant",
        "bad_grant",
        "bad_grant",
    ]
    assert [row["subscription_id"] for row in state(database)["subscription_mrr"]] == ["good"]


def test_an_ignored_event_keeps_its_content(database: str) -> None:
    post(database, [event(1, "2026-01-01", {"card": {"iin": "4"}, "plan": {"id": "p", "name": "x"}}, "plan_created")])
    run(database)
    assert state(database)["payment_events"][0]["content"] == {"plan": {"id": "p", "resource_version": 1}}


def test_what_is_to_come_waits_in_the_inbox(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c ic_assets.reference_time=2026-03-01T00:00:00Z")
    sold = subscription(item("plan", 100), currency_code="EUR", current_term_start=at("2026-02-01"))
    post(
        database,
        [
            {"currency": "EUR", "rate_date": "2026-01-31", "usd_per_unit": "2", "as_of": "2026-03-02"},
            {"currency": "EUR", "rate_date": "2026-01-30", "usd_per_unit": "1"},
        ],
        "exchange_rates",
    )
    post(database, [event(1, "2026-02-01", {"subscription": sold}), event(2, "2026-03-03", {"subscription": sold})])
    run(database, "2026-03-01")
    found = state(database)
    assert [row["event_id"] for row in found["payment_events"]] == ["ev_0001"]
    assert [str(row["effective_mrr"]) for row in found["subscription_mrr"]] == ["1.0"]
    assert [row["rate_date"] for row in found["exchange_rate"]] == ["2026-01-30"]
    monkeypatch.setenv("PGOPTIONS", "-c ic_assets.reference_time=2026-03-02T12:00:00Z")
    run(database, "2026-03-02")
    found = state(database)
    assert [str(row["effective_mrr"]) for row in found["subscription_mrr"]] == ["2.0"]
    assert len(found["subscription_events"]) == 1


def test_a_pulled_version_began_when_it_was_made(database: str) -> None:
    of = subscription(item("plan", 100), resource_version=1000 * at("2025-06-01"), activated_at=at("2024-01-01"))
    post(database, [event(1, "2026-02-01", {"subscription": of}, "pulled_subscription")])
    run(database)
    found = state(database)
    assert found["subscription_mrr"][0]["valid_from"] == "2025-06-01T00:00:00+00:00"
    assert found["subscription_events"][0]["occurred_at"] == "2025-06-01T00:00:00+00:00"
    assert found["company_profile_meta_data"][0]["paying_since"] == "2024-01-01T00:00:00+00:00"


def test_a_discount_comes_to_be_ending_by_time_alone(database: str) -> None:
    post(database, [COUPON, event(2, "2026-01-15", {"subscription": subscription(item("plan", 10000), **HALF)})])
    run(database, "2026-03-15")
    assert state(database)["company_current_discount"][0]["status"] == "active"
    assert run(database, "2026-03-16") == 1
    assert state(database)["company_current_discount"][0]["status"] == "ending"


def test_a_discount_of_a_trial_never_counted(database: str) -> None:
    trial = subscription(item("plan", 10000), status="in_trial", **percent(10))
    active = subscription(item("plan", 10000))
    post(database, [event(1, "2026-01-01", {"subscription": trial}), event(2, "2026-02-01", {"subscription": active})])
    run(database)
    assert state(database)["company_current_discount"][0]["status"] == "none"


def test_a_moved_subscription_keeps_the_coupon_that_it_had_before(database: str) -> None:
    moved = subscription(item("plan", 10000), customer_id="D", trial_end=at("2026-06-01"))
    moved["subscription_items"].append(item("seats", 1000, trial_end=at("2026-07-01")))
    post(
        database,
        [
            COUPON,
            event(2, "2026-01-15", {"subscription": subscription(item("plan", 10000), customer_id="A", **HALF)}),
            event(3, "2026-03-01", {"subscription": moved}, "subscription_moved_in"),
        ],
    )

    def effective() -> list[str]:
        rows = sorted(state(database)["subscription_mrr"], key=lambda row: row["valid_from"])
        return [str(row["effective_mrr"]) for row in rows]

    run(database, "2026-05-01")
    assert effective() == ["50.0", "100.0"]
    assert run(database, "2026-08-01") == 1
    assert effective() == ["50.0", "100.0", "110.0"]
    more = {**COUPON["content"]["coupon"], "discount_percentage": 20, "resource_version": 9}
    post(database, [event(9, "2026-01-20", {"coupon": more}, "coupon_updated")])
    run(database, "2026-08-01")
    assert effective() == ["50.0", "80.0", "100.0", "110.0"]


def test_an_end_that_was_scheduled_is_no_end_at_zero(database: str) -> None:
    def one(name: str, first: int, price: int) -> list[dict[str, Any]]:
        over = {"cancelled_at": at("2026-06-15")}
        of = {"id": name, "customer_id": name, **(percent(100) if not price else {})}
        steps = [
            ("2026-01-01", {}),
            ("2026-05-20", {"status": "non_renewing", **over}),
            ("2026-07-18", {"status": "cancelled", **over}),
        ]
        return [
            event(first + place, when, {"subscription": subscription(item("plan", 10000), **of, **more)})
            for place, (when, more) in enumerate(steps)
        ]

    post(database, [*one("A", 1, 100), *one("B", 10, 0)])
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT company_key, month::text FROM payments.v_mrr_monthly WHERE ended_at_zero > 0"
        ).fetchall()
    assert found == [("B", "2026-06-01")]


def test_a_month_with_an_end_at_zero_alone_has_what_was_paid(database: str) -> None:
    free = subscription(item("plan", 10000), id="F", **percent(100))
    post(
        database,
        [
            event(1, "2026-01-01", {"subscription": subscription(item("plan", 500))}),
            event(2, "2026-01-01", {"subscription": free}),
            event(3, "2026-04-10", {"subscription": {**free, "status": "cancelled"}}),
        ],
    )
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT start_mrr::text, end_mrr::text, ended_at_zero FROM payments.v_mrr_monthly WHERE month = '2026-04-01'"
        ).fetchall()
    assert found == [("5.0000", "5.0000", 1)]


def test_a_paused_subscription_with_unknown_terms_has_no_discount_status(database: str) -> None:
    of = subscription(item("plan", 500), status="paused", coupons=[{"coupon_id": "NEVER"}])
    post(database, [event(1, "2026-01-01", {"subscription": of})])
    run(database)
    assert state(database)["company_current_discount"][0]["status"] is None


def test_revenue_that_jumps_is_told_of_companies_and_in_all(database: str) -> None:
    def at_price(number: int, when: str, name: str, amount: int) -> dict[str, Any]:
        of = subscription(item("plan", amount), id=name, customer_id=name)
        return event(number, when, {"subscription": of})

    steps = [at_price(1, "2026-01-01", "A", 10000), at_price(2, "2026-01-01", "B", 10000)]
    post(database, [*steps, at_price(3, "2026-03-01", "A", 5000), at_price(4, "2026-03-01", "B", 4999)])
    run(database, "2026-03-01")
    check = verdicts(database, "2026-03-01")["mrr_jump"]
    assert [subject for subject, _ in check.found] == ["B", "all companies"]


def test_an_event_that_comes_to_name_another_customer_leaves_the_first(database: str) -> None:
    def body(customer: str) -> dict[str, Any]:
        return event(1, "2026-01-01", {"subscription": subscription(item("plan", 10000), customer_id=customer)})

    for customer in ("A", "B"):
        post(database, [body(customer)])
        run(database)
    found = state(database)
    assert [row["customer_id"] for row in found["chargebee_customer"]] == ["B"]
    assert {row["company"]: str(row["effective_mrr"]) for row in found["company_profile_meta_data"]} == {
        "A": "0.0",
        "B": "100.0",
    }


def test_a_free_subscription_that_has_ended_names_no_plan(database: str) -> None:
    of = subscription(item("plan-free", 0), status="non_renewing", cancelled_at=at("2026-02-01"))
    post(database, [event(1, "2026-01-01", {"subscription": of})])
    run(database)
    assert state(database)["company_profile_meta_data"][0]["plan_id"] is None
