"""Dagster's list of runs, in which those of the command line stand beside those of the UI and the daemon.

Dagster's UI shows on its home page, and at a job, the runs that name the code location that the job is from. A run in the
process of a command has a job and no location, and showed only in the list of all runs.
"""

from __future__ import annotations

import sys

from dagster import DagsterRun
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_postgres import PostgresRunStorage

DEFINITIONS = "ic_assets.definitions"
LOCATION = "ic_assets"
"""As in the project's own workspace.yaml and [tool.dg]."""


class Runs(PostgresRunStorage):
    """``PostgresRunStorage`` that gives a run without an origin the code location that serves these definitions."""

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        if dagster_run.remote_job_origin is None:
            dagster_run = dagster_run.with_job_origin(_repository().get_job_origin(dagster_run.job_name))
        return super().add_run(dagster_run)


def _repository() -> RemoteRepositoryOrigin:
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=DEFINITIONS)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(loadable_target_origin=target, location_name=LOCATION)
    return RemoteRepositoryOrigin(code_location_origin=location, repository_name=SINGLETON_REPOSITORY_NAME)
