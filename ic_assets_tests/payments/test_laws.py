"""The laws of payments as properties over invented histories: what holds whatever came, in whatever order."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ic_assets.payments.engine.reading.events import read
from ic_assets.payments.engine.reading.models import Transaction
from ic_assets.payments.engine.revenue.collections import collected, total
from ic_assets.payments.engine.revenue.lines import factor
from ic_assets.payments.engine.revenue.movements import history
from ic_assets.payments.engine.revenue.rules import Rules
from ic_assets.payments.engine.revenue.timeline import Timeline
from ic_assets.payments.engine.revenue.versions import versions_of
from ic_assets_tests.payments.billing import CURRENCIES, at, event, history_of, item, rules, subscription, worth

START = date(2026, 1, 1)
END = "2027-06-01"


def day(number: int) -> str:
    return (START + timedelta(days=number)).isoformat()


@st.composite
def coupons(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        terms: dict[str, Any] = {"id": f"c{number}", "duration_type": draw(st.sampled_from(["forever", "one_time"]))}
        if draw(st.booleans()):
            terms |= {"discount_type": "percentage", "discount_percentage": draw(st.integers(1, 100))}
        else:
            terms |= {"discount_type": "fixed_amount", "discount_amount": draw(st.integers(1, 50_000))}
        if draw(st.booleans()):
            terms["apply_on"] = "invoice_amount"
        else:
            constraint = {"item_type": draw(st.sampled_from(["plan", "addon"])), "constraint": "all"}
            terms |= {"apply_on": "each_specified_item", "item_constraints": [constraint]}
        found.append(event(9000 + number, "2025-06-01", {"coupon": terms}, "coupon_created"))
    return found


@st.composite
def priced(draw: st.DrawFn, used: list[dict[str, Any]]) -> dict[str, Any]:
    lines = [item("plan", draw(st.integers(0, 200_000)), quantity=draw(st.integers(0, 20)))]
    for name in draw(st.lists(st.sampled_from(["seats", "ops", "hr", "else"]), max_size=3, unique=True)):
        lines.append(item(name, draw(st.integers(0, 50_000))))
    names = [one["content"]["coupon"]["id"] for one in used]
    every = draw(st.sampled_from(["1 month", "3 month", "1 year", "1 week", "10 day"]))
    more: dict[str, Any] = {"coupons": [{"coupon_id": name} for name in names]}
    if draw(st.booleans()):
        more |= {
            "free_period": draw(st.integers(1, 6)),
            "free_period_unit": "month",
            "current_term_end": at("2027-01-01"),
        }
    return subscription(*lines, every=every, **more)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Rules]:
    used = draw(coupons())
    events, when = [], 0
    for number in range(1, draw(st.integers(1, 7)) + 1):
        when += draw(st.integers(0, 60))
        of = draw(priced(used))
        of["status"] = draw(st.sampled_from(["in_trial", "active", "active", "non_renewing", "paused", "cancelled"]))
        if of["status"] in ("active", "non_renewing") and draw(st.booleans()):
            of["cancelled_at"] = at(day(when + draw(st.integers(-10, 40))))
        of["resource_version"] = number if draw(st.booleans()) else draw(st.integers(1, 7))
        events.append(event(number, day(when), {"subscription": of}))
    return events, rules(coupons=used)


def figures(found: Timeline) -> list[tuple[Any, ...]]:
    return [(row.valid_from, row.valid_to, row.cause, row.version.number, row.figures) for row in found.rows]


@given(lives(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_doubling_change_nothing(life: tuple[list[dict[str, Any]], Rules], chance: random.Random) -> None:
    events, by = life
    shuffled = events + chance.choices(events, k=2)
    chance.shuffle(shuffled)
    assert figures(history_of(shuffled, by, END)) == figures(history_of(events, by, END))


@given(lives())
@settings(max_examples=40, deadline=None)
def test_figures_follow_from_each_other(life: tuple[list[dict[str, Any]], Rules]) -> None:
    for row in history_of(*life, END).rows:
        of = row.figures
        assert of.calculated_mrr is not None
        assert of.effective_mrr is not None
        assert of.sales_effective_mrr is not None
        assert of.discount_mrr is not None
        assert 0 <= of.sales_effective_mrr <= of.effective_mrr <= of.calculated_mrr
        assert of.effective_mrr == of.calculated_mrr - of.discount_mrr
        assert of.calculated_mrr == (of.base_plan_mrr or 0) + (of.addon_mrr or 0)


@given(lives(), st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_movements_add_up_over_any_interval(life: tuple[list[dict[str, Any]], Rules], one: int, other: int) -> None:
    first, last = sorted((at(day(one)), at(day(other))))
    events, by = life
    found = history_of(events, by, END)
    moved = [movement for movement in history([found]).movements if first <= movement.at < last]

    def just_before(when: int) -> Decimal:
        rows = [row for row in found.rows if row.valid_from < when]
        return rows[-1].figures.effective_mrr or Decimal(0) if rows else Decimal(0)

    assert sum((movement.amount_usd for movement in moved), Decimal(0)) == just_before(last) - just_before(first)


@given(lives(), st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_the_past_computed_later_is_what_it_was(life: tuple[list[dict[str, Any]], Rules], cut: int) -> None:
    events, by = life
    then = at(day(cut))
    known = [one for one in events if one["occurred_at"] <= then]
    if not known:
        return
    early, late = history_of(known, by, day(cut)), history_of(known, by, END)
    assert [row[0:1] + row[2:] for row in figures(early)] == [
        row[0:1] + row[2:] for row in figures(late) if row[0] <= then
    ]


@given(st.integers(1, 40))
def test_periods_of_one_length_are_worth_the_same(count: int) -> None:
    assert factor(12 * count, "month") == factor(count, "year")
    assert factor(7 * count, "day") == factor(count, "week")


@given(st.integers(1, 500_000), st.decimals("0.0001", "900", places=4), st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_a_rate_that_is_multiplied_multiplies_the_figure(amount: int, rate: Decimal, times: int) -> None:
    of = subscription(item("plan", amount), item("seats", amount // 3), currency_code="EUR")
    one, many = (
        worth(of, rules(rates={"EUR": [("2026-01-01", str(each))]})).effective_mrr for each in (rate, rate * times)
    )
    if rate * times > 1000:
        return
    assert one is not None
    assert many is not None
    assert abs(many - one * times) <= Decimal("0.0001") * times * 3


@given(st.lists(st.integers(1, 60), min_size=2, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_percents_of_one_step_commute(percents: list[int], chance: random.Random) -> None:
    def effective(order: list[int]) -> Decimal:
        terms = [
            {
                "id": f"d{place}",
                "type": "percentage",
                "percentage": percent,
                "duration_type": "forever",
                "apply_on": "invoice_amount",
            }
            for place, percent in enumerate(order)
        ]
        found = worth(subscription(item("plan", 123_457), discounts=terms)).effective_mrr
        assert found is not None
        return found

    shuffled = chance.sample(percents, len(percents))
    assert abs(effective(percents) - effective(shuffled)) <= Decimal("0.0001") * len(percents)


@given(
    st.integers(1, 100_000),
    st.lists(st.tuples(st.integers(1, 100_000), st.sampled_from(["refund", "payment_reversal"])), max_size=4),
    st.decimals("0.1", "9", places=5),
)
@settings(max_examples=40, deadline=None)
def test_what_is_taken_back_never_exceeds_what_was_paid(paid: int, backs: list[tuple[int, str]], rate: Decimal) -> None:
    base = {"customer_id": "C", "status": "success", "currency_code": "EUR"}
    bodies = [{**base, "id": "p", "type": "payment", "amount": paid, "date": at("2026-01-02")}]
    for place, (amount, kind) in enumerate(backs):
        named = {"id": f"r{place}", "type": kind, "amount": amount, "date": at("2026-01-03"), "refunded_txn_id": "p"}
        bodies.append({**base, **named})
    found = []
    for number, body in enumerate(bodies, start=1):
        one = read(
            event(number, "2026-01-05", {"transaction": body}, "payment_succeeded"), at("2099-01-01"), CURRENCIES
        )
        found += versions_of([(one, each) for each in one.objects], Transaction)
    counted = collected(found, rules(rates={"EUR": [("2026-01-01", str(rate))]}))
    left = total(counted)
    (payment,) = [one.counted_usd for one in counted if one.kind == "payment"]
    assert left is not None
    assert payment is not None
    assert 0 <= left <= payment
    if sum(amount for amount, _ in backs) >= paid:
        assert left == 0
