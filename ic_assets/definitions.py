"""The one entry point that Dagster loads: the flows and the resources they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ic_assets.activities import definitions as activities
from ic_assets.core.settings import Execution
from ic_assets.executors import executor
from ic_assets.operations import company_centre, inbox, receiver
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets.payments import definitions as payments
from ic_assets.resources.dagster_resources import Nowhere, PostgresResource, Reporter


def build_defs(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All flows with the default resources, some of them replaced by ``resources`` (tests, the command line)."""
    return dg.Definitions.merge(
        activities.build(),
        payments.build(),
        company_centre.build(),
        dg.Definitions(jobs=inbox.JOBS, sensors=inbox.SENSORS),
        receiver.build(),
        dg.Definitions(
            resources={
                "postgres": PostgresResource(),
                "hubspot": HubSpotResource(),
                "reporter": Reporter(),
                "io_manager": Nowhere(),
                **(resources or {}),
            },
            executor=executor(Execution.from_env()),
        ),
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs()
