"""The structured lines: kept quiet, shown with --verbose, in the log of a run, and with its alert."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from ic_assets.activities.engine.landing import drop_landing
from ic_assets.core.logs import log
from ic_assets.core.settings import Settings
from ic_assets.operations import alerts
from ic_assets.resources.dagster_home import dagster_home
from ic_assets_tests.drops import reconcile_everything, row
from ic_assets_tests.graph_cases import Graph

pytestmark = pytest.mark.server

COMMAND = """
import sys
from ic_assets.cli import main
from ic_assets.commands import status
from ic_assets.core.logs import log
status.status = lambda as_json: (log.info("fell_back", rows=3), log.warning("waited", seconds=2), 0)[-1]
sys.argv = ["ic-assets", "status", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("arguments", "wanted"), [([], []), (["--verbose"], ["event='fell_back' rows=3", "event='waited' seconds=2"])]
)
def test_lines_are_kept_quiet_and_shown_with_verbose(tmp_path: Path, arguments: list[str], wanted: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert [line.partition(" ")[2] for line in done.stderr.splitlines()] == wanted
    assert done.stdout == ""


def test_lines_of_a_run_stand_in_its_log_and_the_last_ones_go_with_the_alert(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    copy = drop_landing._Landing._copy

    def noisy(self: drop_landing._Landing) -> object:
        for number in range(9):
            log.info("fell_back", table="ic_calls", number=number, address="ada.example@example.com")
        copy(self)
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(drop_landing._Landing, "_copy", noisy)
    home = dagster_home(Settings.from_env())
    ours = {"managed_python_loggers": ["ic_assets"], "python_log_level": "INFO"}
    assert "managed_python_loggers: [ic_assets]" in (home / "dagster.yaml").read_text(encoding="utf-8")
    with dg.DagsterInstance.ephemeral(settings={"python_logs": ours}) as instance:
        graph = Graph(instance, database, tmp_path / "drops")
        result = graph.land("a.csv", [row(1)], must=False)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        lines = [
            entry.user_message for entry in instance.all_logs(run.run_id) if entry.user_message.startswith("event=")
        ]
        assert len(lines) == 9
        event = next(
            entry.dagster_event
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event and entry.dagster_event.event_type_value == "PIPELINE_FAILURE"
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs", dagster_event=event, dagster_instance=instance, dagster_run=run
        )
        body = alerts.alert(context, "run_failed", [], None)
    assert [line.partition(" number=")[2].split()[0] for line in body["log"]] == ["4", "5", "6", "7", "8"]
    assert "ada.example@" not in str(body)
