"""The registry page of the flow: its assets, checks, jobs and sensors."""

from __future__ import annotations

import dagster as dg

from ic_assets.operations.rule_checks import rule_file_check
from ic_assets.payments import keys
from ic_assets.payments.assets import payment_days, payments
from ic_assets.payments.checks import CHECKS
from ic_assets.payments.engine.storing.files import FILES
from ic_assets.payments.jobs import JOBS
from ic_assets.payments.sensors import SENSORS


def build() -> dg.Definitions:
    checks = [*CHECKS, rule_file_check(keys.table("subscription_mrr"), FILES)]
    return dg.Definitions(assets=[payments, payment_days], asset_checks=checks, jobs=JOBS, sensors=SENSORS)
