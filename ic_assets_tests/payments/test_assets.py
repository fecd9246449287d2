"""The flow in Dagster: one run takes what waits, the checks judge it, a day's back-fill computes it anew."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import psycopg
import pytest

from ic_assets.definitions import build_defs
from ic_assets.payments import keys
from ic_assets.payments.checks import ALL
from ic_assets.resources.dagster_resources import PostgresResource
from ic_assets_tests.payments.pipeline import post, state
from ic_assets_tests.payments.test_pipeline import world


@pytest.fixture
def defs(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("IC_REFERENCE_TIME", "2027-01-01T00:00:00Z")
    return build_defs({"postgres": PostgresResource.at(database)})


def test_a_run_takes_what_waits_and_its_checks_judge_it(defs: dg.Definitions, database: str) -> None:
    post(database, world(3))
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("process_payments").execute_in_process(instance=instance)
        assert result.success
        stated = {event.asset_key for event in result.get_asset_materialization_events()}
        assert keys.PROFILE in stated
        assert keys.table("mrr_movement") in stated
        verdicts = {event.check_name: event for event in result.get_asset_check_evaluations()}
        assert set(verdicts) == {"rule_files", *(one.name for one in ALL if one.on not in keys.BY_DAY)}
        assert [name for name, event in verdicts.items() if not event.passed and event.blocking] == []
        days = instance.get_materialized_partitions(keys.table("mrr_movement"))
        assert "2026-06-01" in days

        before = state(database)
        again = defs.resolve_job_def("rebuild_payments").execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": "2026-01-01",
                "dagster/asset_partition_range_end": "2026-12-31",
            },
        )
        assert again.success
        assert state(database) == before


def test_a_check_is_red_when_a_figure_was_changed_by_hand(defs: dg.Definitions, database: str) -> None:
    post(database, world(1))
    job = defs.resolve_job_def("process_payments")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE crm.company_profile_meta_data SET effective_mrr = 7")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    red = {event.check_name for event in result.get_asset_check_evaluations() if not event.passed and event.blocking}
    assert {"company_equals_sum", "movements_add_up"} <= red


def test_the_sensor_starts_a_run_for_what_waits(defs: dg.Definitions, database: str) -> None:
    sensor = defs.resolve_sensor_def("payments_waiting")
    resources = {"postgres": PostgresResource.at(database)}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, definitions=defs, resources=resources) as context,
    ):
        rules_first = sensor(context)
        assert isinstance(rules_first, dg.SensorResult)
        assert rules_first.run_requests
        assert defs.resolve_job_def("process_payments").execute_in_process(instance=instance).success
        assert isinstance(sensor(context), dg.SkipReason)
        post(database, world(1))
        found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        assert found.run_requests
