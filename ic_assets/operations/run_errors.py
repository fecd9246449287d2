"""Why a run failed, in one line that holds nothing of the data: for alerts, and for what a sensor has given up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from ic_assets.resources.dagster_events import refusal_in, sentence_of


def causes(instance: dg.DagsterInstance, run_id: str) -> list[Any]:
    """The errors of the run's events, steps first, each followed by what it was raised from."""
    return [error for event in _failures(instance, run_id) for error in _chain(_error_of(event))]


def reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """An exception that this project did not word is named and not quoted: its message may hold values of the data."""
    errors = causes(instance, run_id)
    for error in errors:
        if refusal := refusal_in(error):
            return sentence_of(refusal)
    if errors:
        return f"{errors[-1].cls_name}; the run's log has the rest."
    said = [event.message for event in _failures(instance, run_id) if event.message]
    return " ".join((said[-1] if said else "The run failed.").split())


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    found = []
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        records = instance.get_records_for_run(run_id, of_type=kind).records
        found += [r.event_log_entry.dagster_event for r in records if r.event_log_entry.dagster_event]
    return found


def _error_of(event: dg.DagsterEvent) -> Any:
    return getattr(event.event_specific_data, "error", None)


def _chain(error: Any) -> Iterator[Any]:
    while error is not None:
        yield error
        error = error.cause
