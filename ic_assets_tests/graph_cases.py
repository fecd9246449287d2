"""The graph on a real PostgreSQL, with a Dagster instance of the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from ic_assets.activities.engine.drop.drop_file import DropFile
from ic_assets.activities.engine.landing.first_look import drop_key
from ic_assets.definitions import build_defs
from ic_assets.resources.dagster_resources import PostgresResource, Reporter
from ic_assets_tests.drops import write_drop


class Graph:
    """Runs of the flow's jobs, as the UI starts them, and what they left in Dagster and in the database."""

    def __init__(self, instance: dg.DagsterInstance, postgres_url: str, folder: Path) -> None:
        self.instance = instance
        self.postgres_url = postgres_url
        self.folder = folder
        self.postgres = PostgresResource.at(postgres_url)
        self.reporter = Reporter()
        self.definitions = build_defs({"postgres": self.postgres, "reporter": self.reporter})

    def land(self, name: str, rows: list[dict[str, object]], **options: Any) -> dg.ExecuteInProcessResult:
        return self.land_file(write_drop(self.folder / name, rows), **options)

    def land_file(self, path: Path, *, key: str | None = None, must: bool = True) -> dg.ExecuteInProcessResult:
        key = key or drop_key(path, digest(path))
        self.instance.add_dynamic_partitions("csv_drop", [key])
        self.reporter.file = path
        return self._run("land_drop", must=must, partition_key=key)

    def land_by_key(self, key: str) -> dg.ExecuteInProcessResult:
        """As a run that no command started: nothing but the partition names the file."""
        self.instance.add_dynamic_partitions("csv_drop", [key])
        self.reporter.file = None
        return self._run("land_drop", must=False, partition_key=key)

    def months(self, first: str, last: str | None = None, *, must: bool = True) -> dg.ExecuteInProcessResult:
        """Master to derivatives for a range of months, written 2019-03."""
        tags = {
            "dagster/asset_partition_range_start": f"{first}-01",
            "dagster/asset_partition_range_end": f"{last or first}-01",
        }
        return self._run("bring_months_up_to_date", must=must, tags=tags)

    def run_request(
        self, sensor: dg.SensorDefinition, request: dg.RunRequest, *, must: bool
    ) -> dg.ExecuteInProcessResult:
        """As the daemon launches it, in this process."""
        self.reporter.file = None
        return self._run(
            request.job_name or sensor.job_name,
            must=must,
            config=request.run_config,
            partition_key=request.partition_key,
            tags={**request.tags, "dagster/run_key": str(request.run_key)},
        )

    def _run(
        self, job: str, *, must: bool, config: Mapping[str, Any] | None = None, **options: Any
    ) -> dg.ExecuteInProcessResult:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=must, run_config={**(config or {}), **quiet}, **options
        )
        assert result.success or not must, [c for c in result.get_asset_check_evaluations() if not c.passed]
        return result

    def query(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def out_of_date(self) -> list[str]:
        """Months that some stage has not brought up to date."""
        rows = self.query(
            "SELECT DISTINCT m.comm_month FROM staging.ic_month AS m CROSS JOIN (VALUES ('master'), ('resolved'),"
            " ('calls'), ('emails'), ('meetings'), ('notes'), ('tasks'), ('communications'), ('postal_mail'))"
            " AS s (stage) LEFT JOIN staging.ic_month_stage AS d USING (comm_month, stage)"
            " WHERE coalesce(d.change_number, 0) < m.change_number ORDER BY 1"
        )
        return [f"{month:%Y-%m}" for (month,) in rows]


class Ticks:
    """A sensor tick after tick: the cursor goes from one to the next, as the daemon hands it on."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.sensor = graph.definitions.resolve_sensor_def(name)
        self.cursor: str | None = None

    def tick(self) -> list[dg.RunRequest]:
        with dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursor,
            resources={"postgres": self.graph.postgres},
            definitions=self.graph.definitions,
        ) as context:
            # Not evaluate_tick: with an instance in memory that does not see partitions which the tick itself adds.
            found = self.sensor(context)
        if isinstance(found, dg.SkipReason):
            self.skipped = found.skip_message
            return []
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor or self.cursor
        self.skipped = found.skip_reason and found.skip_reason.skip_message
        for request in found.dynamic_partitions_requests or []:
            self.graph.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        self.events = list(found.asset_events)
        return list(found.run_requests or [])

    def told(self) -> list[dg.AssetCheckEvaluation]:
        """The check evaluations that a tick records outside of runs."""
        self.tick()
        return [event for event in self.events if isinstance(event, dg.AssetCheckEvaluation)]

    def asked(self) -> list[str]:
        """``look a.csv`` and ``land a.csv``: what the tick asks for."""
        return [asked_for(request) for request in self.tick()]

    def run(self, request: dg.RunRequest, *, must: bool = True) -> dg.ExecuteInProcessResult:
        """The run of a request, in this process."""
        return self.graph.run_request(self.sensor, request, must=must)

    def settle(self, most: int = 20) -> list[str]:
        """Ticks and runs what they ask for until a tick asks for nothing, and returns what that was."""
        done: list[str] = []
        for _ in range(most):
            requests = self.tick()
            if not requests:
                return done
            for request in requests:
                done.append(asked_for(request))
                self.run(request, must=False)
        raise AssertionError(f"no end: {done}")


def asked_for(request: dg.RunRequest) -> str:
    if request.partition_key:
        return f"land {str(request.partition_key).rpartition('@')[0]}"
    return f"look {request.tags['file']}"


def digest(path: Path) -> str:
    with DropFile(path) as file:
        while file.read(65536):
            pass
        return file.content_sha256
