"""The flow's asset keys, groups and owners: a key is the address of a table, or of what stands in HubSpot."""

from __future__ import annotations

import dagster as dg

from ic_assets.activities.facts.activity_types import ActivityType

LANDING = dg.AssetKey(["staging", "ic_communication_landing"])
MONTHS = dg.AssetKey(["staging", "ic_communication_landing", "months"])
CONTACTS = dg.AssetKey(["staging", "contacts_reconciliation"])
COMPANIES = dg.AssetKey(["staging", "companies_reconciliation"])
DEALS = dg.AssetKey(["staging", "deals_reconciliation"])
MASTER = dg.AssetKey(["staging", "ic_communication_master"])
RESOLVED = dg.AssetKey(["staging", "ic_communication_master", "resolved"])
DATA_QUALITY = dg.AssetKey(["reports", "data_quality"])
PUSH_COMPLETION = dg.AssetKey(["reports", "push_completion"])

INTAKE, STAGING, ACTIVITIES, HUBSPOT, REPORTS = "intake", "staging", "activities", "hubspot", "reports"
OWNERS = ["team:revenue-operations"]


def derivative(activity: ActivityType) -> dg.AssetKey:
    return dg.AssetKey(["staging", activity.table])


def engagement(activity: ActivityType) -> dg.AssetKey:
    return dg.AssetKey(["hubspot", activity.name])
