"""The two ways in which the flow is cut: one partition per dropped file, one per month of ``comm_datetime``."""

from __future__ import annotations

import dagster as dg

from ic_assets.core.months import MONTHS_AHEAD, partitions_start

csv_drops = dg.DynamicPartitionsDefinition(name="csv_drop")

# The range is the one setting that is read when definitions load: Dagster needs it to draw the partitions. Planned
# meetings and tasks lie ahead, hence the offset (1 would end with the current month).
months = dg.MonthlyPartitionsDefinition(start_date=partitions_start().isoformat(), end_offset=MONTHS_AHEAD + 1)
