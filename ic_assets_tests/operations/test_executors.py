"""Where steps are executed: the choice by the environment, what the executors' packages make of our settings, and the
files of ``deploy/``. Workers at work are in ``e2e/test_celery.py``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_celery import celery_executor
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import UserDefinedDagsterK8sConfig

from ic_assets.activities.engine.judging.approval import approve
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Execution
from ic_assets.definitions import build_defs
from ic_assets.executors import celery_config, executor
from ic_assets.operations.hubspot_resource import HubSpotResource
from ic_assets.resources.dagster_resources import PostgresResource
from ic_assets_tests.drops import HUBSPOT_CONTACT, bring_up_to_date, land, reconcile_everything, row, write_drop
from ic_assets_tests.hubspot import push_cases as cases

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BROKER = "redis://:secret-word@broker.example.com:6379/0"


# -- the choice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"IC_EXECUTOR": "dask"}, ["IC_EXECUTOR='dask'", "in_process, celery, k8s"]),
        ({"IC_EXECUTOR": "celery"}, ["IC_CELERY_BROKER", "redis://"]),
        ({"IC_CELERY_BROKER": "kafka://:secret-word@broker.example.com"}, ["IC_CELERY_BROKER", "amqps://"]),
        ({"IC_CELERY_TAKEOVER_SECONDS": "soon"}, ["IC_CELERY_TAKEOVER_SECONDS='soon'", "1 to 86400"]),
    ],
)
def test_an_executor_that_cannot_be_is_refused_with_the_name_of_the_variable(
    environment: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refusal:
        build_defs()
    assert [word for word in words if word not in str(refusal.value)] == []
    assert "secret-word" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("celery", "dagster_celery", "celery"), ("k8s", "dagster_k8s", "kubernetes")]
)
def test_a_missing_package_is_refused_with_the_command_that_installs_it(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Refused, match=re.escape(f"pip install --constraint constraints.txt '.[{extra}]'")):
        executor(Execution(executor=name, celery_broker=BROKER))


@pytest.mark.parametrize(("name", "distributed"), [("in_process", "in_process"), ("celery", "celery"), ("k8s", "k8s")])
def test_steps_are_executed_where_the_variable_says_but_those_that_need_this_machines_files_stay(
    name: str, distributed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_EXECUTOR", name)
    monkeypatch.setenv("IC_CELERY_BROKER", BROKER)
    definitions = build_defs()
    assert {job: definitions.resolve_job_def(job).executor_def.name for job in
            ("land_drop", "bring_months_up_to_date", "push_to_hubspot", "refresh_reports")} == {
        "land_drop": "in_process",
        "bring_months_up_to_date": distributed,
        "push_to_hubspot": distributed,
        "refresh_reports": "in_process",
    }  # fmt: skip


def test_neither_package_is_imported_unless_it_is_chosen() -> None:
    code = "import sys, ic_assets.definitions as d; d.build_defs(); print({'celery', 'kubernetes'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- Celery ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broker", [BROKER, "amqp://guest:guest@broker.example.com//"])
def test_dagsters_celery_executor_takes_our_settings_and_hands_a_dead_workers_step_out_again(broker: str) -> None:
    config = celery_config(Execution(executor="celery", celery_broker=broker, celery_takeover_seconds=90.0))
    found = validate_config(celery_executor.config_schema.config_type, config)
    assert found.success, found.errors
    assert config["config_source"]["task_acks_late"] is True
    assert config["config_source"]["task_reject_on_worker_lost"] is True
    options = config["config_source"].get("broker_transport_options", {})
    # Only Redis has it; RabbitMQ's client refuses options that it does not know.
    assert options.get("visibility_timeout") == (90.0 if broker.startswith("redis") else None)


WORKER = """
import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import pack_value
from ic_assets.celery_app import app, execute_plan
from ic_assets.resources.services import process_name

print(app.conf.task_acks_late, app.conf.task_reject_on_worker_lost, app.conf.worker_prefetch_multiplier)
print(app.conf.broker_transport_options["visibility_timeout"], process_name().startswith("ic-worker-"))
repository = ReconstructableRepository.for_module("ic_assets.definitions", "defs")
job = repository.get_reconstructable_job("refresh_reports")
with dg.DagsterInstance.get() as instance:
    for over in (True, False):
        run = instance.create_run_for_job(job.get_definition())
        if over:
            instance.report_run_canceled(run)
        step = ExecuteStepArgs(job.get_python_origin(), run.run_id, ["any"], instance.get_ref())
        try:
            print(execute_plan(execute_step_args_packed=pack_value(step), executable_dict={"no": "job"}))
        except Exception as error:
            print("tried to")
"""


def test_a_worker_executes_no_step_of_a_run_that_is_over(tmp_path: Path) -> None:
    environment = {**os.environ, "IC_EXECUTOR": "celery", "IC_CELERY_BROKER": BROKER, "DAGSTER_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["True True 1", "3600.0 True", "[]", "tried to"], done.stderr


def test_a_push_that_no_command_started_gives_no_approval_and_uses_the_one_on_record(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "one.csv", [row(1)]))
    bring_up_to_date(database)
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    job = build_defs({"postgres": PostgresResource.at(database)}).resolve_job_def("push_to_hubspot")
    march = OUTGOING.scope(months=(date(2019, 3, 1), date(2019, 3, 1)))

    def push(config: dict[str, Any], instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            instance=instance,
            partition_key="2019-03-01",
            run_config={
                "ops": {"hubspot_engagements": {"config": config}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            raise_on_error=False,
        )

    with cases.hubspot(tmp_path / "hubspot") as hub, dg.DagsterInstance.ephemeral() as instance:
        seed = {"contacts": [{"id": str(HUBSPOT_CONTACT), "properties": {}}]}
        hub.http.post("/_sandbox/seed", json=seed).raise_for_status()
        monkeypatch.setenv("HUBSPOT_BASE_URL", hub.sandbox.base_url)
        monkeypatch.setenv("HUBSPOT_TOKEN", hub.sandbox.token)
        assert push({"mode": "test"}, instance).success
        production = {"mode": "production"}
        unapproved = push(production, instance)
        assert not unapproved.success
        assert "nobody approved this data" in str(unapproved.all_events)
        with pytest.raises(dg.DagsterInvalidConfigError, match="approved_by"):
            push({**production, "approved_by": "Mallory"}, instance)

        with psycopg.connect(database) as connection:
            approve(connection, HubSpotResource().portal_id(), "Ada", march)
        first = push(production, instance)
        assert first.success
        tags = dict(instance.get_run_by_id(first.run_id).tags)  # type: ignore[union-attr]
        assert tags["ic_assets/approved_by"] == "Ada"

        correction = row(1, Comm_Subject="Changed", Comm_UpdatedDate="2020-02-01 00:00:00")
        land(database, write_drop(tmp_path / "two.csv", [correction]))
        bring_up_to_date(database)
        again = push(production, instance)
        assert not again.success
        assert "nobody approved this data" in str(again.all_events)


# -- the files of deploy/ ----------------------------------------------------------------------------


def documents(path: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / path).read_text(encoding="utf-8")))


def test_dagster_takes_what_the_helm_values_say_about_runs() -> None:
    (values,) = documents("kubernetes/values.yaml")
    found = validate_config(dagster_instance_config_schema(), values["additionalInstanceConfig"])
    assert found.success, found.errors
    assert values["additionalInstanceConfig"]["run_retries"]["retry_on_asset_or_op_failure"] is False
    coordinator = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert coordinator["tagConcurrencyLimits"] == [{"key": "ic_assets/landing", "limit": 1}]
    # As the chart writes them into dagster.yaml.
    raw = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    snake = {re.sub(r"([A-Z])", r"_\1", name).lower(): value for name, value in raw.items()}
    config = {
        "load_incluster_config": True,
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
        "run_k8s_config": snake,
    }
    found = validate_config(dg.Shape(K8sRunLauncher.config_type()), config)
    assert found.success, found.errors
    assert UserDefinedDagsterK8sConfig.from_dict(snake).job_spec_config["backoff_limit"] == 0


def test_pods_get_the_secrets_the_settings_and_the_volume_of_the_code_location() -> None:
    (values,) = documents("kubernetes/values.yaml")
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    context = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "env_secrets": [secret["name"] for secret in deployment["envSecrets"]],
                "env": deployment["env"],
                "volumes": deployment["volumes"],
                "volume_mounts": deployment["volumeMounts"],
            }
        }
    )
    container = context.run_k8s_config.container_config
    settings = {entry["name"]: entry["value"] for entry in container["env"]}
    (mount,) = container["volume_mounts"]
    assert settings["IC_HOME"] == mount["mount_path"]
    made = {(one["kind"], one["metadata"]["name"]): one for one in documents("kubernetes/secrets.yaml")}
    (secret,) = container["env_from"]
    assert set(made["Secret", secret["secret_ref"]["name"]]["stringData"]) == {"IC_POSTGRES_URL", "HUBSPOT_TOKEN"}
    assert "postgresql-password" in made["Secret", values["global"]["postgresqlSecretName"]]["stringData"]
    (volume,) = context.run_k8s_config.pod_spec_config["volumes"]
    assert ("PersistentVolumeClaim", volume["persistent_volume_claim"]["claim_name"]) in made


def test_every_setting_that_deploy_names_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]
    named = {
        name for path in files for name in re.findall(r"\b(?:IC|HUBSPOT)_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert "IC_CELERY_BROKER" in named
    assert {name for name in named if f"`{name}`" not in readme} == set()


def test_the_chart_is_asked_for_in_the_version_of_dagster() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^dagster==(.+)$", pins, re.MULTILINE)
    assert f"dagster/dagster --version {version} " in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
