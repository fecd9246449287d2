"""The validation gaps of payments: each test does the bad thing and sees it refused, set aside, told or without effect."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from ic_assets.core import locks
from ic_assets.inbox.replay import replay
from ic_assets.inbox.taking import work as take_all
from ic_assets.payments.checks import ALL, Verdict, judge
from ic_assets.payments.engine.flow import FLOW
from ic_assets.payments.engine.storing import computing, files, rows
from ic_assets_tests.payments.billing import at, event, item, subscription
from ic_assets_tests.payments.pipeline import post, run, state, transactions
from ic_assets_tests.payments.test_pipeline import COUPON, life, world

_EVENT = (
    "INSERT INTO payments.payment_events (event_id, event_type, occurred_at, received_at, api_version, verified_by,"
    " confirmed, content)"
)
_SUBSCRIPTION = (
    "INSERT INTO payments.subscription_events (event_id, subscription_id, customer_id, version, occurred_at, status,"
    " seats, currency, calculated_mrr, effective_mrr, sales_effective_mrr, superseded)"
)
_MONEY = (
    "INSERT INTO payments.transaction_payments (transaction_id, kind, status, occurred_at, amount, currency,"
    " exchange_rate, counted_amount, version, deleted)"
)
_COUPON = (
    "INSERT INTO payments.coupon (coupon_id, version, valid_from, discount_type, percentage, amount, duration_type,"
    " items, deleted)"
)
_PAID = "INSERT INTO payments.company_payments_status VALUES"


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            f"{_SUBSCRIPTION} VALUES ('e', 'S', 'C', 1, now(), 'active', 0, 'USD', -1, 0, 0, FALSE)",
            marks=pytest.mark.gap("PAY2"),
        ),
        pytest.param(
            f"{_SUBSCRIPTION} VALUES ('e', 'S', 'C', 1, now(), 'active', 0, 'USD', 1, 1, -1, FALSE)",
            marks=pytest.mark.gap("PAY2"),
        ),
        pytest.param(
            f"{_MONEY} VALUES ('t', 'payment', 'success', now(), 0, 'USD', 1, 0, 1, FALSE)",
            marks=pytest.mark.gap("PAY3"),
        ),
        pytest.param(
            f"{_MONEY} VALUES ('t', 'payment', 'success', now(), 100, 'USD', 1, 101, 1, FALSE)",
            marks=pytest.mark.gap("PAY3"),
        ),
        pytest.param(
            f"{_MONEY} VALUES ('t', 'payment', 'success', now(), 100, 'EUR', 0, 0, 1, FALSE)",
            marks=pytest.mark.gap("PAY5"),
        ),
        pytest.param(
            "INSERT INTO payments.exchange_rate VALUES ('EUR', '2026-01-01', -1, now(), 'file', 'r')",
            marks=pytest.mark.gap("PAY5"),
        ),
        pytest.param(
            f"{_EVENT} VALUES ('e', 'spaceship_landed', now(), now(), 'v2', 'file', FALSE, '{{}}')",
            marks=pytest.mark.gap("PAY8"),
        ),
        pytest.param(
            f"{_SUBSCRIPTION} VALUES ('e', 'S', 'C', 1, now(), 'asleep', 0, 'USD', 1, 1, 1, FALSE)",
            marks=pytest.mark.gap("PAY9"),
        ),
        pytest.param(
            f"{_COUPON} VALUES ('c', 1, now(), 'percentage', 101, NULL, 'forever', '{{}}', FALSE)",
            marks=pytest.mark.gap("PAY10"),
        ),
        pytest.param(
            f"{_COUPON} VALUES ('c', 1, now(), 'fixed_amount', NULL, 0, 'forever', '{{}}', FALSE)",
            marks=pytest.mark.gap("PAY10"),
        ),
        pytest.param(
            f"{_PAID} ('C', now(), 'happy', 'dunning', 'e', 'i')",
            marks=pytest.mark.gap("PAY12"),
        ),
        pytest.param(
            f"{_PAID} ('C', now(), 'due', 'a feeling', 'e', 'i')",
            marks=pytest.mark.gap("PAY12"),
        ),
    ],
)
def test_the_database_refuses_what_no_figure_could_be(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        files.apply(connection)
        if "subscription_events" in statement:
            made = f"{_EVENT} VALUES ('e', 'subscription_changed', now(), now(), 'v2', 'file', FALSE, '{{}}')"
            connection.execute(made.encode())
        with pytest.raises(psycopg.errors.IntegrityError):
            connection.execute(statement.encode())


def verdicts(database: str, now: str = "2027-01-01") -> dict[str, Verdict]:
    with psycopg.connect(database) as connection:
        found = judge(connection, ALL, datetime.fromisoformat(now).replace(tzinfo=UTC))
    return {one.check.name: one for one in found}


@pytest.mark.gap("PAY4")
def test_a_figure_without_its_inputs_is_empty_and_told_not_guessed(database: str) -> None:
    post(database, [event(1, "2026-01-01", {"subscription": subscription(item("plan", 100), currency_code="EUR")})])
    run(database)
    (row,) = state(database)["subscription_mrr"]
    assert (row["effective_mrr"], row["problem"]) == (None, "no_rate")
    assert verdicts(database)["unpriced_subscriptions"].failing == 1
    assert state(database)["company_profile_meta_data"][0]["effective_mrr"] is None


@pytest.mark.gap("PAY10")
def test_a_discount_of_more_than_half_the_price_is_told(database: str) -> None:
    terms = {
        "id": "d",
        "type": "percentage",
        "percentage": 60,
        "duration_type": "forever",
        "apply_on": "invoice_amount",
    }
    post(database, [event(1, "2026-01-01", {"subscription": subscription(item("plan", 10000), discounts=[terms])})])
    run(database)
    assert verdicts(database)["coupon_reasonable"].sentence.startswith("C: its discounts are 60 % of the price")


@pytest.mark.gap("PAY11")
@pytest.mark.parametrize(
    "body",
    [
        {"subscription": {**subscription(item("plan", 100)), "subscription_items": "many"}},
        {"subscription": {**subscription(), "addons": [{"id": "seats", "quantity": "two"}]}},
    ],
)
def test_a_malformed_object_sets_its_event_aside_and_nothing_else(database: str, body: dict[str, Any]) -> None:
    good = event(2, "2026-01-01", {"subscription": subscription(item("plan", 100), id="good")})
    post(database, [event(1, "2026-01-01", body), good])
    run(database)
    with psycopg.connect(database) as connection:
        (reason,) = connection.execute("SELECT reason FROM inbox.event WHERE state = 'set_aside'").fetchone() or ("",)
    assert reason.startswith("bad_field:subscription.")
    assert [row["subscription_id"] for row in state(database)["subscription_mrr"]] == ["good"]


@pytest.mark.gap("PAY14")
@pytest.mark.gap("PAYx1")
def test_an_invoice_that_does_not_add_up_stands_among_the_problems(database: str) -> None:
    wrong = {"id": "I", "customer_id": "C", "status": "paid", "currency_code": "USD", "total": 5000, "amount_due": 900}
    post(database, [event(1, "2026-01-01", {"invoice": wrong}, "invoice_generated")])
    back = {**wrong, "status": "pending", "amount_due": 5000}
    post(database, [event(2, "2026-01-02", {"invoice": back}, "invoice_updated")])
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT id, problem FROM payments.v_problems ORDER BY problem").fetchall()
    assert found == [("I", "unusual_transition")]
    assert verdicts(database)["unusual_transition"].failing == 1


@pytest.mark.gap("PAY15")
def test_a_negative_amount_counts_nowhere_and_is_told(database: str) -> None:
    post(database, [event(1, "2026-01-01", {"subscription": subscription(item("plan", -500))})])
    run(database)
    assert state(database)["subscription_mrr"] == []
    assert verdicts(database, "2099-01-01")["negative_mrr"].failing == 1


@pytest.mark.gap("PAYx2")
def test_a_discount_that_counts_beyond_its_end_is_told(database: str) -> None:
    used = {"coupons": [{"coupon_id": "HALF", "apply_till": at("2026-04-15")}]}
    of = subscription(item("plan", 10000), **used)
    post(database, [COUPON, event(2, "2026-01-15", {"subscription": of})])
    run(database, "2026-03-01")
    assert verdicts(database, "2026-03-01")["discount_term"].failing == 0
    assert verdicts(database, "2026-05-01")["discount_term"].failing == 1
    run(database, "2026-05-01")
    assert verdicts(database, "2026-05-01")["discount_term"].failing == 0


@pytest.mark.gap("PAYx3")
def test_work_that_failed_is_taken_again(database: str) -> None:
    post(database, world(1))
    transaction = transactions(database)
    with transaction() as connection:
        files.apply(connection)
    take_all(transaction, FLOW)
    settings = computing.Settings(datetime(2027, 1, 1, tzinfo=UTC))

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        computing.work(transaction, settings, broken)
    assert state(database)["subscription_mrr"] == []
    assert computing.work(transaction, settings, rows.write) == 1
    assert state(database)["subscription_mrr"] != []


@pytest.mark.gap("PAYx4")
def test_a_doubled_event_changes_nothing(database: str) -> None:
    post(database, world(1))
    run(database)
    before = state(database)
    post(database, world(1))
    post(database, world(1)[3:5])
    run(database)
    assert state(database) == before


@pytest.mark.gap("PAYx5")
def test_lost_tables_are_built_anew_from_the_events(database: str) -> None:
    post(database, world(1))
    run(database)
    before = state(database)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM payments.subscription_mrr")
        connection.execute("DELETE FROM payments.mrr_daily")
        connection.commit()
        assert replay(connection, FLOW, apply=True).differs
    assert state(database)["subscription_mrr"] == before["subscription_mrr"]
    assert state(database)["mrr_daily"] == before["mrr_daily"]


@pytest.mark.gap("PAYx6")
def test_a_customer_that_another_has_in_hand_holds_nobody_up(database: str) -> None:
    post(database, [COUPON, *life("A", 100), *life("B", 200)])
    transaction = transactions(database)
    with transaction() as connection:
        files.apply(connection)
    take_all(transaction, FLOW)
    settings = computing.Settings(datetime(2027, 1, 1, tzinfo=UTC))
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM payments.waiting WHERE customer_id = 'A' FOR UPDATE")
        assert computing.work(transaction, settings, rows.write) == 1
        assert {row["customer_id"] for row in state(database)["subscription_mrr"]} == {"B"}
    assert computing.work(transaction, settings, rows.write) == 1
    assert {row["customer_id"] for row in state(database)["subscription_mrr"]} == {"A", "B"}


@pytest.mark.gap("PAYx6")
def test_customers_of_one_company_are_computed_one_after_the_other(database: str, other_database: str) -> None:
    in_x = [
        event(number, "2026-01-02", {"customer": {"id": name, "cf_company_id": "X"}}, "customer_changed")
        for number, name in ((150, "A"), (250, "B"))
    ]
    for url in (database, other_database):
        post(url, [COUPON, *in_x, *life("A", 100), *life("B", 200)])
    run(other_database, company_field="cf_company_id")
    transaction = transactions(database)
    with transaction() as connection:
        files.apply(connection)
    take_all(transaction, FLOW)
    settings = computing.Settings(datetime(2027, 1, 1, tzinfo=UTC), "cf_company_id")
    begun = threading.Event()

    def slow(*given: Any) -> None:
        begun.set()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not somebody_waits(database):
            time.sleep(0.05)
        rows.write(*given)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(computing.work, transaction, settings, slow, 1)
        assert begun.wait(10)
        assert computing.work(transaction, settings, rows.write, 1) == 1
        assert first.result() == 1
    assert [row["company"] for row in state(database)["company_profile_meta_data"]] == ["X"]
    assert state(database) == state(other_database)


def somebody_waits(url: str) -> bool:
    with psycopg.connect(url) as connection:
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = %s"
        return connection.execute(waits, (locks.COMPANY,)).rowcount > 0
