"""Events become tables: the same ones whatever the order, the doubling and the batches in which they come."""

from __future__ import annotations

import json
import random
from typing import Any

import psycopg
import pytest

from ic_assets.commands.mrr import mrr
from ic_assets.core.failures import Refused
from ic_assets.inbox.replay import replay
from ic_assets.payments.engine.flow import FLOW
from ic_assets_tests.payments.billing import at, event, item, subscription
from ic_assets_tests.payments.pipeline import post, run, state


def life(customer: str, number: int) -> list[dict[str, Any]]:
    """A subscription with a trial, a seat more, a failed and a good payment, a refund, a pause, an end and a return."""
    name = f"S-{customer}"

    def sub(amount: int, **more: Any) -> dict[str, Any]:
        return subscription(item("plan-pro", amount), item("seats", 1000), id=name, customer_id=customer, **more)

    def invoice(**more: Any) -> dict[str, Any]:
        body = {"id": f"I-{customer}", "customer_id": customer, "subscription_id": name, "currency_code": "USD"}
        return {**body, "total": 5000, "sub_total": 5000, "status": "payment_due", "amount_due": 5000, **more}

    def money(identifier: str, **more: Any) -> dict[str, Any]:
        body = {"id": f"{identifier}-{customer}", "customer_id": customer, "currency_code": "USD", "amount": 5000}
        return {**body, "type": "payment", "status": "success", "date": at("2026-02-01"), **more}

    used = {"coupons": [{"coupon_id": "HALF", "apply_till": at("2026-05-01")}]}
    paid = {"status": "paid", "amount_paid": 5000, "amount_due": 0, "paid_at": at("2026-02-03")}
    back = {"type": "refund", "amount": 2000, "refunded_txn_id": f"p-{customer}", "date": at("2026-03-01")}
    over = {"status": "cancelled", "cancelled_at": at("2026-06-01")}
    steps = [
        (
            "2026-01-01",
            "subscription_created",
            {"subscription": sub(4000, status="in_trial"), "customer": {"id": customer}},
        ),
        ("2026-01-15", "subscription_activated", {"subscription": sub(4000, **used)}),
        ("2026-02-01", "payment_failed", {"transaction": money("f", status="failure"), "invoice": invoice()}),
        ("2026-02-03", "payment_succeeded", {"transaction": money("p"), "invoice": invoice(**paid)}),
        ("2026-02-10", "subscription_changed", {"subscription": sub(8000, **used)}),
        ("2026-03-01", "payment_refunded", {"transaction": money("r", **back), "invoice": invoice(**paid)}),
        ("2026-04-01", "subscription_paused", {"subscription": sub(8000, status="paused", **used)}),
        ("2026-04-20", "subscription_resumed", {"subscription": sub(8000, **used)}),
        (
            "2026-06-01",
            "subscription_cancelled",
            {"subscription": sub(8000, **over)},
        ),
        ("2026-08-01", "subscription_reactivated", {"subscription": sub(6000)}),
    ]
    return [event(number + place, when, content, kind) for place, (when, kind, content) in enumerate(steps)]


COUPON = event(
    1,
    "2025-12-01",
    {
        "coupon": {
            "id": "HALF",
            "discount_type": "percentage",
            "discount_percentage": 50,
            "duration_type": "limited_period",
            "period": 3,
            "period_unit": "month",
            "apply_on": "invoice_amount",
        }
    },
    "coupon_created",
)


def world(customers: int = 4) -> list[dict[str, Any]]:
    return [COUPON, *(one for n in range(customers) for one in life(f"C{n}", 100 * (n + 1)))]


def test_a_year_of_one_company(database: str) -> None:
    post(database, world(1))
    run(database)
    found = state(database)
    (company,) = found["company_profile_meta_data"]
    figures = {
        name: company[name] for name in ("current_mrr", "effective_mrr", "sales_effective_mrr", "collections_usd")
    }
    assert {name: str(value) for name, value in figures.items()} == {
        "current_mrr": "70.0",
        "effective_mrr": "70.0",
        "sales_effective_mrr": "70.0",
        "collections_usd": "30.0",
    }
    assert (company["payment_status"], company["plan_id"]) == ("PAID", "plan-pro")
    assert company["paying_since"] == "2026-08-01T00:00:00+00:00"
    moved = [(row["at"][:10], row["kind"], str(row["amount_usd"])) for row in found["mrr_movement"]]
    assert sorted(moved) == [
        ("2026-01-15", "new", "25.0"),
        ("2026-02-10", "expansion", "20.0"),
        ("2026-04-01", "contraction", "-45.0"),
        ("2026-04-20", "expansion", "45.0"),
        ("2026-05-01", "expansion", "45.0"),
        ("2026-06-01", "churn", "-90.0"),
        ("2026-08-01", "reactivation", "70.0"),
    ]
    assert [(row["status"], row["context"]) for row in found["company_payments_status"]] == [
        ("failing", "payment_failed"),
        ("paid_up", "payment_succeeded"),
    ]
    assert [row["arr_range"] for row in found["company_profile_arr_range"]] == ["1-2000"]
    assert found["company_current_discount"][0]["status"] == "ended"
    with psycopg.connect(database) as connection:
        log = connection.execute("SELECT count(*), min(changed_by) FROM crm.company_change_log").fetchone()
    assert log is not None
    assert log[0] > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_doubling_and_batches_change_nothing(database: str, other_database: str, seed: int) -> None:
    events = world(4)
    post(database, events)
    run(database)
    shuffled = events + random.Random(seed).sample(events, 12)
    random.Random(seed).shuffle(shuffled)
    cut = sorted(random.Random(seed + 1).sample(range(len(shuffled)), 4))
    for start, end in zip([0, *cut], [*cut, len(shuffled)], strict=True):
        post(other_database, shuffled[start:end])
        run(other_database, most=1 + seed)
    assert state(database) == state(other_database)


def test_what_cannot_be_read_is_set_aside_with_its_reason(database: str) -> None:
    bad: list[tuple[dict[str, Any], str]] = []

    def one(reason: str, kind: str = "subscription_changed", content: Any = None, **more: Any) -> None:
        number = len(bad) + 1
        body = event(number, "2026-01-01", content if content is not None else {"subscription": subscription()}, kind)
        bad.append(({**body, **more}, reason))

    one("api_version", api_version="v1")
    one("from_the_future", occurred_at=at("2098-01-01"))
    one("no_subject", content={})
    one("no_subject", "payment_succeeded", {})
    without = subscription()
    del without["customer_id"]
    one("no_subject", content={"subscription": without})
    one("bad_field:subscription.subscription_items.0.amount", content={"subscription": subscription(item("plan", "x"))})  # type: ignore[arg-type]
    one("unknown_status", content={"subscription": subscription(status="asleep")})
    one("unknown_currency", content={"subscription": subscription(currency_code="XXX")})
    one("negative_amount", content={"subscription": subscription(item("plan", -1))})
    money = {"id": "t", "customer_id": "C", "type": "payment", "status": "success", "currency_code": "USD", "amount": 0}
    one("amount_not_positive", "payment_succeeded", {"transaction": money})
    terms = {"discount_type": "percentage", "discount_percentage": 101, "duration_type": "forever"}
    one("bad_coupon", "coupon_created", {"coupon": {"id": "c", **terms}})
    post(database, [body for body, _ in bad])
    post(database, [{"id": "no type"}])
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT event_id, reason FROM inbox.event WHERE state = 'set_aside'").fetchall()
    assert dict(found) == {**{body["id"]: reason for body, reason in bad}, "no type": "bad_envelope"}
    assert state(database)["subscription_mrr"] == []


def test_a_type_that_nobody_knows_is_kept_and_told(database: str) -> None:
    post(database, [event(1, "2026-01-01", {}, "spaceship_landed"), event(2, "2026-01-01", {}, "card_added")])
    run(database)
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT event_id, state FROM inbox.event ORDER BY event_id").fetchall()
    assert found == [("ev_0001", "unknown_topic"), ("ev_0002", "done")]


def test_a_replay_finds_no_difference_and_mends_what_was_changed(database: str) -> None:
    post(database, [COUPON, *world(2)[1:]])
    post(database, [{"currency": "EUR", "rate_date": "2026-01-01", "usd_per_unit": "1.1"}], "exchange_rates")
    run(database)
    with psycopg.connect(database) as connection:
        result = replay(connection, FLOW)
        connection.rollback()
        assert (result.differs, result.not_taken) == (False, {})
        assert result.events == 22
        connection.execute("UPDATE payments.mrr_movement SET amount_usd = amount_usd + 1 WHERE kind = 'new'")
        connection.execute("DELETE FROM payments.chargebee_invoices")
        connection.commit()
        again = replay(connection, FLOW, apply=True)
    changed = {one.table: (one.new, one.changed) for one in again.tables if one.differs}
    assert changed == {"payments.mrr_movement": (0, 2), "payments.chargebee_invoices": (2, 0)}
    with psycopg.connect(database) as connection:
        assert not replay(connection, FLOW).differs
        connection.rollback()
        # What was pruned is in the archive.
        connection.execute("DELETE FROM inbox.event")
        connection.commit()
        pruned = replay(connection, FLOW)
        assert (pruned.differs, pruned.events) == (False, 22)


def test_the_command_shows_months_and_their_sum(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    post(database, world(1))
    run(database)
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    assert mrr("2026-01", "2026-08", None, as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(month["month"], month["end_mrr"]) for month in told["months"]] == [
        ("2026-01-01", "25.0000"),
        ("2026-02-01", "45.0000"),
        ("2026-03-01", "45.0000"),
        ("2026-04-01", "45.0000"),
        ("2026-05-01", "90.0000"),
        ("2026-06-01", "0.0000"),
        ("2026-07-01", "0.0000"),
        ("2026-08-01", "70.0000"),
    ]
    assert told["companies"] == 1
    assert mrr(None, None, "C0", as_json=False) == 0
    shown = capsys.readouterr().out
    assert "reactivation" in shown
    assert "-90.00" in shown
    with pytest.raises(Refused, match="has no revenue"):
        mrr(None, None, "nobody", as_json=False)


def test_a_rate_that_is_not_known_yet_is_waited_for_by_a_customer_that_is_new(database: str) -> None:
    rate = {"currency": "EUR", "rate_date": "2026-01-01", "usd_per_unit": "1.1", "as_of": "2026-05-01"}
    post(database, [rate], "exchange_rates")
    run(database, "2026-06-01")
    post(database, [event(1, "2026-01-01", {"subscription": subscription(item("plan", 100), currency_code="EUR")})])
    run(database, "2026-04-01")
    assert [row["problem"] for row in state(database)["subscription_mrr"]] == ["no_rate"]
    run(database, "2026-06-01")
    assert [str(row["effective_mrr"]) for row in state(database)["subscription_mrr"]] == ["1.1"]
