"""The flow's jobs: what the sensors, the command line and the launchpad start."""

from __future__ import annotations

from typing import Any

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.inspection import inspect_drop

# Landing reads a file and the reports write files: with distributed steps (IC_EXECUTOR) these two stay where the run is.
land_drop = dg.define_asset_job(
    "land_drop",
    executor_def=dg.in_process_executor,
    selection=dg.AssetSelection.assets(keys.LANDING),
    description="Lands one dropped file.",
    tags={"ic_assets/landing": "one at a time"},
)
bring_months_up_to_date = dg.define_asset_job(
    "bring_months_up_to_date",
    selection=dg.AssetSelection.assets(
        keys.MASTER, keys.RESOLVED, *(keys.derivative(activity) for activity in ACTIVITY_TYPES)
    ),
    description="Master, resolution and the seven derivatives, for one month or a range of months.",
)
push_to_hubspot = dg.define_asset_job(
    "push_to_hubspot",
    selection=dg.AssetSelection.assets(*(keys.engagement(activity) for activity in ACTIVITY_TYPES)),
    description="Pushes what is ready; a dry run unless the launchpad says otherwise.",
)
refresh_reports = dg.define_asset_job(
    "refresh_reports",
    executor_def=dg.in_process_executor,
    selection=dg.AssetSelection.assets(keys.DATA_QUALITY, keys.PUSH_COMPLETION),
    description="Writes both reports.",
)
JOBS: list[Any] = [inspect_drop, land_drop, bring_months_up_to_date, push_to_hubspot, refresh_reports]
