"""The registry page of the flow: its assets, checks, jobs and sensors."""

from __future__ import annotations

import dagster as dg

from ic_assets.payments.assets import payment_days, payments
from ic_assets.payments.checks import CHECKS
from ic_assets.payments.jobs import JOBS
from ic_assets.payments.sensors import SENSORS


def build() -> dg.Definitions:
    return dg.Definitions(assets=[payments, payment_days], asset_checks=CHECKS, jobs=JOBS, sensors=SENSORS)
