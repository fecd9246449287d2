"""The event log that writes in bulk holds what Dagster's own would hold of the same run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.test_utils import instance_for_test
from dagster_shared.error import SerializableErrorInfo

from ic_assets.core.failures import Unavailable
from ic_assets.core.settings import Settings
from ic_assets.operations import run_errors
from ic_assets.resources.dagster_events import EventLog, record, record_outside_runs
from ic_assets.resources.dagster_home import dagster_home
from ic_assets.resources.services import services

MONTHS = dg.MonthlyPartitionsDefinition("2020-01-01")
EVENTS = (
    "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs WHERE run_id = %s"
    " AND dagster_event_type IN"
    " ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED', 'ASSET_OBSERVATION', 'ASSET_CHECK_EVALUATION')"
    " ORDER BY id"
)
TAGS = (
    "SELECT t.asset_key, e.partition, t.key FROM asset_event_tags AS t INNER JOIN event_logs AS e ON e.id = t.event_id"
)
ENTRIES = (
    "SELECT asset_key, last_run_id = %s, (last_materialization::jsonb -> 'storage_id')::bigint ="
    " (SELECT max(id) FROM event_logs AS e WHERE e.asset_key = k.asset_key AND dagster_event_type = 'ASSET_MATERIALIZATION')"
    " FROM asset_keys AS k ORDER BY 1"
)


@dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run(), code_version="1")
def first() -> None: ...


@dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[first])
def second() -> None: ...


@dg.asset_check(asset=second)
def judged() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def _run(instance: dg.DagsterInstance) -> str:
    """One run of both assets over five months."""
    definitions = dg.Definitions([first, second], asset_checks=[judged], jobs=[dg.define_asset_job("both")])
    done = definitions.resolve_job_def("both").execute_in_process(
        instance=instance,
        tags={"dagster/asset_partition_range_start": "2020-02-01", "dagster/asset_partition_range_end": "2020-06-01"},
    )
    assert done.success
    return done.run_id


@pytest.fixture
def ours(postgres_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dg.DagsterInstance, str]]:
    monkeypatch.setenv("IC_HOME", str(postgres_home))
    settings = Settings.from_env()
    with services(settings) as up:
        dagster_home(settings)
        with dg.DagsterInstance.get() as instance:
            yield instance, up.dagster_postgres_url


@pytest.fixture
def dagsters(
    superuser_url: str, postgres_url: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dg.DagsterInstance, str]]:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")
    url = database.replace("postgresql://", "postgresql+psycopg2://")
    with instance_for_test(overrides={"storage": {"postgres": {"postgres_url": url}}}) as instance:
        yield instance, database


def _rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query, parameters or None).fetchall()


def test_a_run_over_months_leaves_the_events_tags_and_entries_that_dagsters_own_log_has(
    ours: tuple[dg.DagsterInstance, str], dagsters: tuple[dg.DagsterInstance, str]
) -> None:
    assert isinstance(ours[0].event_log_storage, EventLog)
    assert type(dagsters[0].event_log_storage) is EventLog.__base__
    found = []
    for instance, url in (ours, dagsters):
        run = _run(instance)
        # Tags of this run only: the session's database holds those of other tests.
        tags = sorted(_rows(url, f"{TAGS} WHERE e.run_id = %s", run))
        entries = [row for row in _rows(url, ENTRIES, run) if row[0] in ('["first"]', '["second"]')]
        found.append((_rows(url, EVENTS, run), tags, entries))
    assert found[0] == found[1]
    events, tags, entries = found[0]
    assert len([event for event in events if event[0] == "ASSET_MATERIALIZATION_PLANNED"]) == 10
    assert len([event for event in events if event[0] == "ASSET_MATERIALIZATION"]) == 10
    assert tags
    assert entries == [('["first"]', True, True), ('["second"]', True, True)]


def test_the_ui_sees_each_month_as_materialized_and_none_of_the_others(ours: tuple[dg.DagsterInstance, str]) -> None:
    instance, _ = ours
    _run(instance)
    months = ["2020-02-01", "2020-03-01", "2020-04-01", "2020-05-01", "2020-06-01"]
    assert sorted(instance.get_materialized_partitions(dg.AssetKey("first"))) == months


def test_a_check_of_the_whole_asset_is_planned_once_and_its_evaluation_ends_that_plan(
    ours: tuple[dg.DagsterInstance, str],
) -> None:
    instance, url = ours
    run = _run(instance)
    rows = _rows(url, "SELECT execution_status, partition FROM asset_check_executions WHERE run_id = %s", run)
    assert rows == [("SUCCEEDED", None)]


def test_observations_of_a_step_are_stored_in_one_batch_each_with_its_month_and_version(
    ours: tuple[dg.DagsterInstance, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, url = ours
    batches: list[int] = []
    store = EventLog.store_event_batch
    monkeypatch.setattr(
        EventLog, "store_event_batch", lambda log, events: (batches.append(len(events)), store(log, events))
    )

    @dg.asset
    def observer(context: dg.AssetExecutionContext) -> None:
        tags = {"dagster/data_version": "v7"}
        record(
            context, [dg.AssetObservation("months", partition=f"2020-0{month}-01", tags=tags) for month in range(1, 8)]
        )

    done = dg.materialize([observer], instance=instance)
    stored = _rows(url, f"{EVENTS.replace(' ORDER', ' AND asset_key = %s ORDER')}", done.run_id, '["months"]')
    assert stored == [("ASSET_OBSERVATION", "observer", '["months"]', f"2020-0{month}-01") for month in range(1, 8)]
    assert 7 in batches
    assert len(_rows(url, f"{TAGS} WHERE e.run_id = %s AND t.value = 'v7'", done.run_id)) == 7


# -- what the pages of the UI need ------------------------------------------------------------------


def test_each_event_of_an_asset_has_a_millisecond_of_its_own_by_which_the_ui_pages(
    ours: tuple[dg.DagsterInstance, str],
) -> None:
    instance, _ = ours
    run = _run(instance)
    found = [
        entry.timestamp
        for entry in instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        if entry.get_dagster_event().asset_key == dg.AssetKey("first")
    ]
    assert len(found) == 5
    assert len({int(moment * 1000) for moment in sorted(found)}) == 5


def test_a_run_of_a_command_stands_at_its_job_and_on_the_home_page(ours: tuple[dg.DagsterInstance, str]) -> None:
    """Both ask for the runs of a code location."""
    instance, _ = ours
    run_id = _run(instance)
    run = instance.get_run_by_id(run_id)
    assert run
    assert run.remote_job_origin
    assert (run.remote_job_origin.job_name, run.remote_job_origin.location_name) == ("both", "ic_assets")
    at_location = dg.RunsFilter(tags={".dagster/repository": "__repository__@ic_assets"})
    assert run_id in {one.run_id for one in instance.get_runs(at_location)}


def test_months_outside_a_run_are_recorded_once_and_before_it(ours: tuple[dg.DagsterInstance, str]) -> None:
    instance, url = ours
    key = dg.AssetKey("outside")
    record_outside_runs(instance, key, ["2001-01-01", "2001-02-01"], {"run": "Nothing."})
    record_outside_runs(instance, key, [], {"run": "Nothing."})
    assert instance.get_materialized_partitions(key) == {"2001-01-01", "2001-02-01"}
    stored = "SELECT run_id, step_key, partition FROM event_logs WHERE asset_key = %s ORDER BY id"
    assert _rows(url, stored, '["outside"]') == [("", None, "2001-01-01"), ("", None, "2001-02-01")]


@dg.asset
def refusing() -> None:
    raise Unavailable("no PostgreSQL: start one, or name one")


@dg.asset
def given() -> None: ...


@dg.asset_check(asset=given, blocking=True)
def gate() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="80.00 % of 5 lead there. Add the others.")


@pytest.mark.parametrize(
    ("asset", "sentence"),
    [(refusing, "no PostgreSQL: start one, or name one"), (given, "80.00 % of 5 lead there. Add the others.")],
)
def test_a_refusal_is_its_sentence_in_the_runs_events_without_a_traceback(
    ours: tuple[dg.DagsterInstance, str], asset: dg.AssetsDefinition, sentence: str
) -> None:
    instance, _ = ours
    job = dg.Definitions([asset], asset_checks=[gate] if asset is given else []).get_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    entries = [entry.get_dagster_event() for entry in instance.all_logs(done.run_id) if entry.is_dagster_event]
    (step,) = [event.step_failure_data.error for event in entries if event.is_step_failure]
    (run,) = [event.job_failure_data.first_step_failure_event for event in entries if event.is_job_failure]
    assert run
    for error in (step, run.step_failure_data.error):
        assert error
        assert (error.message, error.stack, error.cause) == (sentence, [], None)
    assert run_errors.reason(instance, done.run_id) == sentence


# -- what leaves -------------------------------------------------------------------------------------

TOKEN = "a-token-of-no-known-shape"
# As a defect would bring them: an error of the driver that nobody foresaw, and one with a token in it.


@dg.op(config_schema=str)
def fails(context: dg.OpExecutionContext) -> None:
    with psycopg.connect(context.op_config) as connection:
        connection.execute("CREATE TEMP TABLE letters (n int, letter text CHECK (letter <> 'Dear ' || 'Ada'))")
        try:
            connection.execute("INSERT INTO pg_temp.letters VALUES (1, 'Dear ' || 'Ada')")
        except psycopg.Error as error:
            context.log.info(f"Bearer {TOKEN}, postgresql://crm:pass word@db/crm")
            raise ValueError(f"Illegal header value b'Bearer {TOKEN}\\n'") from error


@dg.job
def failing() -> None:
    fails()


def leaks(url: str, table: str) -> list[str]:
    """What is in a table of Dagster's of the things that must not be."""
    words = ("Dear Ada", TOKEN, "pass word")
    with psycopg.connect(url) as connection:
        rows = connection.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall()
    return [f"{word}: {text}" for word in words for (text,) in rows if word in text]


def test_no_row_and_no_secret_gets_into_the_event_log(
    ours: tuple[dg.DagsterInstance, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, url = ours
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    config = {"ops": {"fails": {"config": url}}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    done = failing.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    assert not done.success
    assert "Dear Ada" in str(done.all_events), "it is in the process; what is stored is what counts"
    assert leaks(url, "event_logs") == []
    failure = next(e for e in instance.all_logs(done.run_id) if e.dagster_event and e.dagster_event.is_step_failure)
    causes = failure.get_dagster_event().step_failure_data.error
    assert causes
    assert causes.cause
    assert causes.cause.cause
    assert 'violates check constraint "letters_letter_check"' in causes.cause.cause.message, "what helps is still there"


def test_no_row_and_no_secret_gets_into_the_ticks_of_a_sensor(
    ours: tuple[dg.DagsterInstance, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, url = ours
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    said = f"ValueError: {TOKEN}\nDETAIL:  Failing row contains (Dear Ada)."
    error = SerializableErrorInfo(said, [said], "ValueError", cause=SerializableErrorInfo(said, [], "ValueError"))
    tick = instance.create_tick(
        TickData("origin", "sensor", InstigatorType.SENSOR, TickStatus.FAILURE, 1.0, error=error)
    )
    instance.update_tick(tick.with_status(TickStatus.FAILURE, error=error))
    assert leaks(url, "job_ticks") == []
