"""The three reconciliation tables: legacy id to HubSpot id. They come from outside, or from a CSV by ``ic-assets
reconcile``, which reports here what it changed."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.reconciliation.matches import ENTITIES
from ic_assets.activities.metadata import described, reconciliation_schema, table_metadata

# Records go on being made in HubSpot while the migration lasts: a list of a month ago misses them, whatever else holds.
# No other asset has a policy: each is as fresh as the last drop, for which there is no timetable.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=14), fail_window=timedelta(days=30))

RECONCILIATIONS = [
    dg.AssetSpec(
        dg.AssetKey(["staging", entity.table]),
        group_name=keys.INTAKE,
        kinds={"postgres"},
        owners=keys.OWNERS,
        metadata={**table_metadata(entity.table), "dagster/column_schema": reconciliation_schema(entity)},
        freshness_policy=FRESHNESS,
        description=described(
            f"Which {entity.singular} of the legacy CRM is which {entity.singular} in HubSpot.",
            grain=f"one legacy id of a {entity.singular}",
            know=[
                f"Yours to fill: `ic-assets reconcile {entity.name} FILE` replaces what stands for the ids in the file, and "
                "leaves the others.",
                "An empty HubSpot id says: known, not in HubSpot. References to it count as misses.",
                "Filled again at least every 30 days: records go on being made in HubSpot.",
            ],
        ),
    )
    for entity in ENTITIES.values()
]
