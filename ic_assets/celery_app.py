"""What a Celery worker runs: ``celery -A ic_assets.celery_app worker``. Broker and delivery are those of the executor."""

from __future__ import annotations

import gc
from functools import cache
from typing import Any

import dagster as dg
from celery import Task
from dagster._core.instance import InstanceRef
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import deserialize_value, serialize_value, unpack_value
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

import ic_assets.definitions  # noqa: F401 - once, before the worker forks its processes: it takes seconds
from ic_assets.core.settings import Execution
from ic_assets.executors import celery_config
from ic_assets.resources import services


class StepOfARun(Task):  # type: ignore[misc]
    """A step, executed only while its run is under way.

    A broker delivers at least once: a step that has ended can come back when its run is over, and a push would then
    send what has been loaded since, under an approval that was given before."""

    def __call__(self, execute_step_args_packed: dict[str, Any], executable_dict: dict[str, Any]) -> Any:
        step = unpack_value(execute_step_args_packed, as_type=ExecuteStepArgs)
        run = _instance(serialize_value(step.instance_ref)).get_run_by_id(step.run_id)
        if run is None or run.is_finished:
            return []
        try:
            return self.run(execute_step_args_packed, executable_dict)
        finally:
            # dagster-celery opens the instance for each step and leaves it to the collector, which takes its time: 28
            # connections to Dagster's database after 20 steps.
            gc.collect()


@cache
def _instance(reference: str) -> dg.DagsterInstance:
    """Kept open: opening it takes 0.4 s."""
    return dg.DagsterInstance.from_ref(deserialize_value(reference, InstanceRef))


services.PROGRAM = "ic-worker"
app = make_app(CeleryExecutor.for_cli(**celery_config(Execution.from_env())).app_args())
execute_plan = create_task(app, base=StepOfARun)
