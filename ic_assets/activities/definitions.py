"""The registry page of the flow: its stages, what each holds, and the order in which they follow."""

from __future__ import annotations

import dagster as dg

from ic_assets.activities import derivatives, landing, master, push, reconciliation, reports, resolution
from ic_assets.activities.checks import ALL_CHECKS
from ic_assets.activities.jobs import JOBS
from ic_assets.activities.sensors import SCHEDULES, SENSORS
from ic_assets.operations import alerts

STAGES: dict[str, list[dg.AssetsDefinition | dg.AssetSpec]] = {
    "intake": [
        landing.ic_communication_landing,
        landing.ic_communication_landing_months,
        *reconciliation.RECONCILIATIONS,
    ],
    "staging": [master.ic_communication_master, resolution.resolved],
    "activities": [derivatives.activity_derivatives],
    "hubspot": [push.hubspot_engagements],
    "reports": [reports.data_quality, reports.push_completion],
}


def build() -> dg.Definitions:
    return dg.Definitions(
        assets=[asset for assets in STAGES.values() for asset in assets],
        asset_checks=ALL_CHECKS,
        jobs=JOBS,
        sensors=[*SENSORS, *alerts.SENSORS],
        schedules=SCHEDULES,
    )
