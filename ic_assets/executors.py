"""Where the steps of a run are executed: in the run's own process, by Celery workers, or as Kubernetes jobs
(``IC_EXECUTOR``, docs/scaling.md). What is distributed is Dagster's own; only its settings are here.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from ic_assets.core.failures import Refused
from ic_assets.core.settings import Execution


def executor(execution: Execution) -> dg.ExecutorDefinition:
    """The executor of every job that names none. Raises ``Refused`` when its package or its broker is missing."""
    if execution.executor == "celery":
        return _celery(execution)
    if execution.executor == "k8s":
        return _kubernetes()
    # The work is in PostgreSQL and on the wire: a process per step costs 2 s each and brings nothing.
    return dg.in_process_executor


def celery_config(execution: Execution) -> dict[str, Any]:
    """The configuration of ``celery_executor``, which its workers must share. Raises ``Refused`` without a broker."""
    broker = execution.celery_broker
    if broker is None:
        raise Refused("IC_EXECUTOR=celery needs IC_CELERY_BROKER, for example redis://broker.example.com:6379/0")
    is_redis = broker.startswith("redis")
    settings: dict[str, Any] = {
        # A step is acknowledged when it has ended: one whose worker dies goes to another worker. Every step may run again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # A worker that starts before its broker waits for it.
        "broker_connection_retry_on_startup": True,
    }
    if is_redis:
        # Redis does not notice that a worker is gone. It hands a step out again after this time, also when the worker lives.
        settings["broker_transport_options"] = {
            "visibility_timeout": execution.celery_takeover_seconds,
            "unacked_restore_interval": min(10.0, execution.celery_takeover_seconds),
            "unacked_restore_throttle": 1,  # 10 would look every 100 seconds only
            "socket_keepalive": True,
        }
    return {"broker": broker, "backend": broker if is_redis else "rpc://", "config_source": settings}


def _celery(execution: Execution) -> dg.ExecutorDefinition:
    try:
        from dagster_celery import celery_executor
    except ImportError as error:
        raise Refused(
            f"IC_EXECUTOR=celery needs a package that is not installed ({error.name}): {_install('celery')}"
        ) from error
    return celery_executor.configured(celery_config(execution), name="celery")


def _kubernetes() -> dg.ExecutorDefinition:
    try:
        from dagster_k8s import k8s_job_executor
    except ImportError as error:
        raise Refused(
            f"IC_EXECUTOR=k8s needs a package that is not installed ({error.name}): {_install('kubernetes')}"
        ) from error
    # Image, secrets and volumes are those of the run's own pod. Configured, since the launchpad could name others.
    return k8s_job_executor.configured({}, name="k8s")


def _install(extra: str) -> str:
    return f"pip install --constraint constraints.txt '.[{extra}]' in the repository"
