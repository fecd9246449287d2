"""The flow's jobs: what the sensor and the launchpad start."""

from __future__ import annotations

from typing import Any

import dagster as dg

from ic_assets.payments import keys
from ic_assets.payments.assets import payments

process_payments = dg.define_asset_job(
    "process_payments",
    selection=dg.AssetSelection.assets(payments),
    description="Takes the billing events that wait, and computes whoever they are about.",
)
rebuild_payments = dg.define_asset_job(
    "rebuild_payments",
    selection=dg.AssetSelection.assets(*(keys.table(name) for name in keys.BY_DAY)),
    description="Computes everybody with an event in a range of days anew.",
)
JOBS: list[Any] = [process_payments, rebuild_payments]
