"""What Dagster shows of the receiver: in red where anybody may post."""

from __future__ import annotations

import dagster as dg
import pytest

from ic_assets.definitions import build_defs
from ic_assets.operations.receiver import INBOX, who_may_post

CHECK = dg.AssetCheckKey(INBOX, "senders_prove_a_secret")


def test_a_source_that_need_not_prove_who_it_is_turns_the_inbox_red_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def tick() -> list[dg.AssetCheckEvaluation]:
            nonlocal cursor
            with dg.build_sensor_context(instance, cursor=cursor, definitions=build_defs()) as context:
                result = who_may_post(context)
            if isinstance(result, dg.SkipReason):
                return []
            assert isinstance(result, dg.SensorResult)
            cursor = result.cursor
            for event in result.asset_events:
                instance.report_runless_asset_event(event)
            return [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]

        assert tick() == []
        monkeypatch.setenv("IC_RECEIVE_UNVERIFIED", "site,chargebee")
        (red,) = tick()
        assert (red.passed, red.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert red.metadata["why"].value == "ANYBODY may post as chargebee, site"
        assert tick() == []
        monkeypatch.delenv("IC_RECEIVE_UNVERIFIED")
        (green,) = tick()
        assert green.passed
        kept = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=5)
        assert [one.status.value for one in kept] == ["SUCCEEDED", "FAILED"]


def test_a_run_of_the_check_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_RECEIVE_UNVERIFIED", "hubspot")
    job = dg.define_asset_job("look", selection=dg.AssetSelection.checks(CHECK))
    definitions = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("look").execute_in_process(instance=instance)
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.metadata["unverified"].value == "hubspot"
