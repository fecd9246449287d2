"""The two ways in which the flow is cut: one partition per dropped file, one per month of ``comm_datetime``."""

from __future__ import annotations

import dagster as dg

from ic_assets.core.failures import Refused
from ic_assets.core.months import MONTHS_AHEAD
from ic_assets.core.settings import Settings
from ic_assets.resources.kept_months import first_month

csv_drops = dg.DynamicPartitionsDefinition(name="csv_drop")

_START = first_month()
# The range is the one setting that is read when definitions load: Dagster needs it to draw the partitions. Planned
# meetings and tasks lie ahead, hence the offset (1 would end with the current month).
months = dg.MonthlyPartitionsDefinition(start_date=_START.isoformat(), end_offset=MONTHS_AHEAD + 1)


def require_months(settings: Settings) -> None:
    """Raises ``Refused`` where a run's data may begin before the partitions: the first month was changed since this process
    read it, and Dagster knows no partition for what lies before."""
    if settings.partitions_start < _START:
        raise Refused(
            f"IC_PARTITIONS_START is {settings.partitions_start} by now, and this process began with {_START}: start "
            "`ic-assets up` (or your own code location) again"
        )
