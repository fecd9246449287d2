"""The three reconciliation tables: legacy id to HubSpot id. They come from outside, or from a CSV by ``ic-assets
reconcile``, which reports here what it changed."""

from __future__ import annotations

import dagster as dg

from ic_assets.activities import keys
from ic_assets.activities.engine.reconciliation import ENTITIES
from ic_assets.activities.metadata import reconciliation_schema, table_metadata

RECONCILIATIONS = [
    dg.AssetSpec(
        dg.AssetKey(["staging", entity.table]),
        group_name=keys.INTAKE,
        kinds={"postgres"},
        owners=keys.OWNERS,
        metadata={**table_metadata(entity.table), "dagster/column_schema": reconciliation_schema(entity)},
        description=(
            f"Legacy {entity.singular} id to HubSpot {entity.singular} id, one row per legacy id. An empty HubSpot id says: "
            f"known, not in HubSpot. `ic-assets reconcile {entity.name} FILE` replaces what stands for the ids in the file."
        ),
    )
    for entity in ENTITIES.values()
]
