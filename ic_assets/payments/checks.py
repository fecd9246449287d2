"""What must hold of the flow's tables, as asset checks: each a query that returns what does not hold.
Blocking ones stop what follows; warnings are for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
import psycopg

from ic_assets.core.sql import statement
from ic_assets.payments import keys
from ic_assets.resources.dagster_resources import PostgresResource

_SHOWN = 10


@dataclass(frozen=True)
class Check:
    """``name`` is that of its file in ``sql/payments/checks``, whose rows are (subject, what is wrong); ``demand`` says what
    must hold, and ``next_step`` what to do where it does not."""

    name: str
    on: str
    demand: str
    next_step: str
    blocking: bool = False

    @property
    def key(self) -> dg.AssetKey:
        special = {"profile": keys.PROFILE, "arr_range": keys.ARR_RANGE}
        return special.get(self.on) or keys.table(self.on)


_AGAIN = "Run `ic-assets replay payments` and compare; a difference is a defect of this project."
BLOCKING = (
    Check("one_row_per_event", "subscription_mrr", "Each event that carries a subscription has its row.", _AGAIN, True),
    Check("amounts_positive", "transaction_payments", "Amounts are above 0, figures are not below it.", _AGAIN, True),
    Check("rates_positive", "exchange_rate", "Rates are above 0 and at most 1,000.", _AGAIN, True),
    Check("enums_valid", "subscription_mrr", "Statuses and kinds are those that are known.", _AGAIN, True),
    Check(
        "mrr_chain",
        "subscription_mrr",
        "Calculated is base plus add-ons, effective is calculated less discounts, sales is at most effective.",
        _AGAIN,
        True,
    ),
    Check("company_equals_sum", "profile", "A company's figures are the sum of its subscriptions.", _AGAIN, True),
    Check(
        "movements_add_up",
        "subscription_mrr",
        "Movements add up to the revenue of each company, by day and in all.",
        _AGAIN,
        True,
    ),
    Check(
        "arr_range_matches", "arr_range", "Each range is the one that twelve times the revenue lies in.", _AGAIN, True
    ),
    Check(
        "collections_match",
        "profile",
        "Collections are the sum of the payments less what was taken back.",
        _AGAIN,
        True,
    ),
    Check("discount_term", "company_current_discount", "No discount that counts has ended.", _AGAIN, True),
)
WARNINGS = (
    Check(
        "mrr_jump",
        "subscription_mrr",
        "No company's revenue moved by more than half within a day.",
        "Look at `ic-assets explain company ID`: a price, a coupon or a currency may be wrong.",
    ),
    Check(
        "negative_mrr",
        "subscription_mrr",
        "No event with a negative amount came.",
        "See `ic-assets inbox status`: Chargebee sent an amount below 0, which counts nowhere.",
    ),
    Check(
        "unmapped_customers",
        "chargebee_customer",
        "Every customer is a company of ours.",
        "Add lines to customers.csv, or fill the field that IC_CHARGEBEE_COMPANY_FIELD names in Chargebee.",
    ),
    Check(
        "unpriced_subscriptions",
        "subscription_mrr",
        "Every subscription that counts has a figure.",
        "`ic-assets explain company ID` says what is missing: an amount, a period, a rate, a coupon's terms.",
    ),
    Check(
        "invoice_identity",
        "chargebee_invoices",
        "The amounts of every invoice add up.",
        "Compare the invoice with Chargebee: an event may be missing.",
    ),
    Check(
        "unusual_transition",
        "chargebee_invoices",
        "Invoices go from status to status in the usual ways.",
        "Compare the invoice with Chargebee: an event may be missing.",
    ),
    Check(
        "coupon_reasonable",
        "company_current_discount",
        "No company pays less than half of its list price.",
        "Look whether its coupons are meant to be that large.",
    ),
    Check(
        "rate_jump",
        "exchange_rate",
        "No rate is more than a quarter away from the one before it.",
        "Look at the file of rates: a rate may be the wrong way round.",
    ),
    Check(
        "refund_rate",
        "transaction_payments",
        "In thirty days less than a tenth of what was paid was taken back.",
        "See which companies: `ic-assets explain company ID`.",
    ),
    Check(
        "missing_subscription_events",
        "subscription_mrr",
        "Every term that ended was renewed or closed by an event, and invoices name subscriptions that are known.",
        "Events are missing: compare with Chargebee, then load them as a file.",
    ),
    Check(
        "chargebee_difference",
        "subscription_mrr",
        "Our figure and Chargebee's own agree for 99 of 100 subscriptions.",
        "Weeks, days, one-time coupons and usage differ on purpose (docs/payments.md); anything else is worth a look.",
    ),
)
ALL = (*BLOCKING, *WARNINGS)


@dataclass(frozen=True)
class Verdict:
    """``found``: subjects with what is wrong, at most ten of ``failing``."""

    check: Check
    failing: int
    found: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        if not self.failing:
            return self.check.demand
        subject, wrong = self.found[0]
        more = f", and {self.failing - 1:,} more" if self.failing > 1 else ""
        return f"{subject}: {wrong}{more}. {self.check.next_step}"


def judge(connection: psycopg.Connection, checks: Sequence[Check], now: datetime) -> list[Verdict]:
    """The checks' verdicts, as of ``now``, the reference time."""
    verdicts = []
    for check in checks:
        found = connection.execute(statement(f"payments/checks/{check.name}"), {"now": now}).fetchall()
        verdicts.append(Verdict(check, len(found), tuple((str(s), str(w)) for s, w in found[:_SHOWN])))
    return verdicts


@dg.multi_asset_check(
    name="payment_checks",
    specs=[dg.AssetCheckSpec(one.name, asset=one.key, blocking=one.blocking, description=one.demand) for one in ALL],
    can_subset=True,
)
def payment_checks(context: dg.AssetCheckExecutionContext, postgres: PostgresResource) -> Iterator[dg.AssetCheckResult]:
    wanted = {key.name for key in context.selected_asset_check_keys}
    with postgres.database.transaction() as connection:
        verdicts = judge(connection, [one for one in ALL if one.name in wanted], postgres.settings.reference_time)
    for verdict in verdicts:
        check = verdict.check
        yield dg.AssetCheckResult(
            passed=not verdict.failing,
            asset_key=check.key,
            check_name=check.name,
            severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
            description=verdict.sentence,
            metadata={
                "failing": verdict.failing,
                **({"found": dg.MetadataValue.json([list(one) for one in verdict.found])} if verdict.found else {}),
            },
        )


CHECKS = [payment_checks]
