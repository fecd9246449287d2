"""The definitions as Dagster loads them: what is in the graph, what each asset says of itself, and what starts by itself."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._config import process_config

from ic_assets.activities.partitions import months
from ic_assets.core.months import partitions_end
from ic_assets.definitions import build_defs

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]

LANDING = "staging/ic_communication_landing"
MASTER = "staging/ic_communication_master"
DERIVATIVES = [
    "staging/ic_calls",
    "staging/ic_communications",
    "staging/ic_emails",
    "staging/ic_meetings",
    "staging/ic_notes",
    "staging/ic_postal_mail",
    "staging/ic_tasks",
]
RECONCILIATIONS = [
    "staging/companies_reconciliation",
    "staging/contacts_reconciliation",
    "staging/deals_reconciliation",
]
# key: group, what it rests on, how it is cut.
GRAPH: dict[str, tuple[str, list[str], str | None]] = {
    LANDING: ("intake", [], "csv_drop"),
    f"{LANDING}/months": ("intake", [LANDING], "month"),
    **{table: ("intake", [], None) for table in RECONCILIATIONS},
    MASTER: ("staging", [f"{LANDING}/months"], "month"),
    f"{MASTER}/resolved": ("staging", sorted([*RECONCILIATIONS, MASTER]), "month"),
    **{table: ("activities", [f"{MASTER}/resolved"], "month") for table in DERIVATIVES},
    "hubspot/calls": ("hubspot", ["staging/ic_calls"], "month"),
    "hubspot/communications": ("hubspot", ["staging/ic_communications"], "month"),
    "hubspot/emails": ("hubspot", ["staging/ic_emails"], "month"),
    "hubspot/meetings": ("hubspot", ["staging/ic_meetings"], "month"),
    "hubspot/notes": ("hubspot", ["staging/ic_notes"], "month"),
    "hubspot/postal_mail": ("hubspot", ["staging/ic_postal_mail"], "month"),
    "hubspot/tasks": ("hubspot", ["staging/ic_tasks"], "month"),
    "crm/country_alias": ("crm", [], None),
    "inbox/event": ("inbox", [], None),
    "reports/data_quality": ("reports", DERIVATIVES, None),
    "reports/push_completion": (
        "reports",
        [f"hubspot/{table.removeprefix('staging/ic_')}" for table in DERIVATIVES],
        None,
    ),
}
BLOCKING_CHECKS = {
    LANDING: {"drop_identity", "rows_load"},
    MASTER: {"schema_is_complete", "columns_as_declared", "required_fields_present", "every_landed_row_is_here"},
    f"{MASTER}/resolved": {
        "contacts_resolved",
        "companies_resolved",
        "deals_resolved",
        "orphans",
        "every_miss_is_logged",
    },
    **{table: {"coverage", "required_fields", "columns_as_declared"} for table in DERIVATIVES},
    "staging/ic_meetings": {"coverage", "required_fields", "columns_as_declared", "end_is_not_before_start"},
}

PAYMENTS_BY_DAY = ("mrr_daily", "mrr_movement", "payment_events", "subscription_events")
PAYMENTS = (
    "chargebee_customer",
    "chargebee_invoices",
    "company_current_discount",
    "company_payments_status",
    "coupon",
    "exchange_rate",
    "subscription_mrr",
    "transaction_payments",
)
GRAPH |= {f"payments/{table}": ("payments", [], "day") for table in PAYMENTS_BY_DAY}
GRAPH |= {f"payments/{table}": ("payments", [], None) for table in PAYMENTS}
GRAPH |= {
    "crm/company_profile_arr_range": ("payments", ["payments/subscription_mrr"], None),
    "crm/company_profile_meta_data/payments": (
        "payments",
        ["payments/subscription_mrr", "payments/transaction_payments"],
        None,
    ),
}
BLOCKING_CHECKS |= {
    "crm/company_profile_arr_range": {"arr_range_matches"},
    "crm/company_profile_meta_data/payments": {"collections_match", "company_equals_sum"},
    "payments/company_current_discount": {"discount_term"},
    "payments/exchange_rate": {"rates_positive"},
    "payments/subscription_mrr": {"enums_valid", "movements_add_up", "mrr_chain", "one_row_per_event"},
    "payments/transaction_payments": {"amounts_positive"},
}

# Prints the first and last month and every asset's code version, in an interpreter that has nothing but a path.
LOAD = """
import json
import dagster as dg
from ic_assets import definitions
loaded = definitions.defs()
dg.Definitions.validate_loadable(loaded)
graph = loaded.resolve_asset_graph()
from ic_assets.activities.partitions import months
print(json.dumps({
    "first_month": months.get_first_partition_key(),
    "versions": {key.to_user_string(): graph.get(key).code_version for key in graph.get_all_asset_keys()},
}))
"""


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs()


@pytest.fixture(scope="module")
def nodes(definitions: dg.Definitions) -> dict[str, object]:
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def load_in_a_fresh_interpreter(folder: Path, **environment: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder / "nobody"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_definitions_load_without_settings_secrets_or_services(tmp_path: Path) -> None:
    found = load_in_a_fresh_interpreter(tmp_path, IC_PARTITIONS_START="2015-06-17")
    assert found["first_month"] == "2015-06-01"
    assert sorted(found["versions"]) == sorted(GRAPH)  # type: ignore[call-overload]
    assert list(tmp_path.iterdir()) == [], "loading wrote files"


def test_the_graph_has_these_assets_groups_and_dependencies(nodes: dict[str, object]) -> None:
    def cut(node: object) -> str | None:
        partitions = node.partitions_def  # type: ignore[attr-defined]
        if partitions is None:
            return None
        if isinstance(partitions, dg.DailyPartitionsDefinition):
            return "day"
        return "month" if isinstance(partitions, dg.MonthlyPartitionsDefinition) else partitions.name

    found = {
        key: (
            node.group_name,  # type: ignore[attr-defined]
            sorted(parent.to_user_string() for parent in node.parent_keys),  # type: ignore[attr-defined]
            cut(node),
        )
        for key, node in nodes.items()
    }
    assert found == GRAPH


def test_every_month_asset_takes_a_range_in_one_run(nodes: dict[str, object]) -> None:
    policies = {
        key: node.backfill_policy  # type: ignore[attr-defined]
        for key, node in nodes.items()
        if GRAPH[key][2] in ("day", "month") and key != f"{LANDING}/months"
    }
    assert {policy and policy.policy_type.name for policy in policies.values()} == {"SINGLE_RUN"}


def test_the_checks_that_must_hold_block(definitions: dg.Definitions) -> None:
    found: dict[str, set[str]] = {}
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        if graph.get_check_spec(key).blocking:
            found.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert found == BLOCKING_CHECKS


def test_every_asset_says_what_it_is_who_owns_it_and_what_it_is_made_of(nodes: dict[str, object]) -> None:
    silent = {
        key: (node.kinds, node.owners, node.description)  # type: ignore[attr-defined]
        for key, node in nodes.items()
        if not (node.kinds and node.owners and node.description)  # type: ignore[attr-defined]
    }
    assert silent == {}


def test_every_table_says_what_one_row_is_and_what_to_know_about_it(nodes: dict[str, object]) -> None:
    for key in (LANDING, f"{LANDING}/months", MASTER, f"{MASTER}/resolved", *DERIVATIVES, *RECONCILIATIONS):
        text = nodes[key].description  # type: ignore[attr-defined]
        first, *rest = text.splitlines()
        assert re.fullmatch(r"[A-Z][^*`]+\.", first), "a list of assets shows the first line, and no Markdown"
        assert any(line.startswith("**One row** is ") for line in rest), key
        assert "**Good to know**" in rest, key
        assert any(line.startswith("- ") for line in rest), key


def test_only_what_is_filled_by_hand_goes_out_of_date_by_the_clock(nodes: dict[str, object]) -> None:
    with_policy = {key for key, node in nodes.items() if node.freshness_policy}  # type: ignore[attr-defined]
    assert with_policy == set(RECONCILIATIONS)


def test_every_table_shows_the_columns_that_the_database_has(nodes: dict[str, object], database: str) -> None:
    shown = {}
    for key, node in nodes.items():
        metadata = node.metadata  # type: ignore[attr-defined]
        if "dagster/table_name" in metadata:
            columns = metadata["dagster/column_schema"].columns
            shown[key] = sorted((column.name, column.type, column.constraints.nullable) for column in columns)
    tables = [key for key in GRAPH if key.startswith(("staging/", "payments/")) and not key.endswith("/months")]
    assert sorted(shown) == sorted(tables)
    with psycopg.connect(database) as connection:
        for key, columns in shown.items():
            catalog = connection.execute(
                "SELECT column_name, replace(replace(data_type, 'timestamp without time zone', 'timestamp'),"
                " 'timestamp with time zone', 'timestamptz'), is_nullable = 'YES'"
                " FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
                key.split("/")[:2],
            ).fetchall()
            assert columns == sorted(catalog), key


def test_column_lineage_leads_to_columns_of_the_master(nodes: dict[str, object]) -> None:
    columns = {c.name for c in nodes[MASTER].metadata["dagster/column_schema"].columns}  # type: ignore[attr-defined]
    for key in DERIVATIVES:
        lineage = nodes[key].metadata["dagster/column_lineage"].deps_by_column  # type: ignore[attr-defined]
        assert {"activity_date", "associated_contact_id", "ic_communication_master_id"} <= set(lineage), key
        sources = [dep for deps in lineage.values() for dep in deps]
        assert {dep.asset_key.to_user_string() for dep in sources} == {MASTER}
        assert {dep.column_name for dep in sources} <= columns, key
    lineage = nodes["staging/ic_calls"].metadata["dagster/column_lineage"].deps_by_column  # type: ignore[attr-defined]
    assert [dep.column_name for dep in lineage["call_duration_ms"]] == ["comm_datetime", "comm_todatetime"]


def test_dg_and_the_workspace_file_name_the_same_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    workspace = (ROOT / "workspace.yaml").read_text(encoding="utf-8")
    assert project["code_location_target_module"] == "ic_assets.definitions"
    assert re.findall(r"module_name: (\S+)", workspace) == ["ic_assets.definitions"]
    assert re.findall(r"location_name: (\S+)", workspace) == [project["code_location_name"]]


def test_sensors_run_by_default_and_nothing_is_pushed_until_someone_switches_the_schedule_on(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    assert {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs} == {
        "csv_drop": "RUNNING",
        "event_files": "RUNNING",
        "failed_runs": "RUNNING",
        "landed_months": "RUNNING",
        "new_warnings": "RUNNING",
        "payload_versions": "RUNNING",
        "payments_waiting": "RUNNING",
        "reconciled_months": "RUNNING",
        "who_may_post": "RUNNING",
    }
    assert {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs} == {
        "nightly_push": "STOPPED"
    }
    assert {target.job_name for sensor in repository.sensor_defs for target in sensor.targets} == {
        "inspect_drop",
        "land_drop",
        "bring_months_up_to_date",
        "load_event_files",
        "process_payments",
    }


def test_no_sensor_starts_a_push(definitions: dg.Definitions) -> None:
    for job in ("land_drop", "bring_months_up_to_date"):
        selected = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        assert not [key for key in selected if key.path[0] == "hubspot"], job


def what_a_run_can_be_told(job: dg.JobDefinition) -> dict[str, str]:
    """Each leaf of the run configuration that a launchpad takes, and its type. ``Any`` is what Dagster gives an asset or
    a resource that reads no configuration."""
    found: dict[str, str] = {}

    def walk(kind: Any, path: tuple[str, ...]) -> None:
        inner = getattr(kind, "fields", None)
        if inner is not None:
            for name, field in inner.items():
                walk(field.config_type, (*path, name))
        elif getattr(kind, "inner_type", None) is not None:
            walk(kind.inner_type, path)
        else:
            found[".".join(path)] = kind.given_name or kind.key

    walk(job.run_config_schema.config_type, ())
    return {path: kind for path, kind in found.items() if kind != "Any" and not path.startswith("execution.")}


def test_a_run_from_outside_can_name_no_file_no_database_no_approver_and_no_variable(
    definitions: dg.Definitions,
) -> None:
    """A type that ends in Source takes {"env": NAME}, and the value of that variable then stands in the run."""
    dagsters_own = {"loggers.console.config.log_level": "String", "loggers.console.config.name": "String"}
    push = {
        f"ops.hubspot_engagements.config.{name}": kind
        for name, kind in (
            ("mode", "PushMode"),
            ("limit", "Int"),
            ("include_orphans", "Bool"),
            ("overwrite_edits", "Bool"),
            ("all_months", "Bool"),
        )
    }
    for job in ("land_drop", "bring_months_up_to_date", "refresh_reports"):
        assert what_a_run_can_be_told(definitions.resolve_job_def(job)) == dagsters_own, job
    assert what_a_run_can_be_told(definitions.resolve_job_def("push_to_hubspot")) == dagsters_own | push
    everything = what_a_run_can_be_told(definitions.resolve_implicit_global_asset_job_def())
    assert everything == dagsters_own | push


def test_a_push_is_a_dry_run_unless_it_is_told_otherwise(definitions: dg.Definitions) -> None:
    schema = definitions.resolve_job_def("push_to_hubspot").run_config_schema
    config = process_config(schema.config_type, {}).value["ops"]["hubspot_engagements"]["config"]  # type: ignore[index]
    assert config == {
        "mode": "dry-run",
        "limit": None,
        "include_orphans": False,
        "overwrite_edits": False,
        "all_months": False,
    }


def test_months_run_from_the_start_to_24_months_past_the_current_one() -> None:
    assert months.get_first_partition_key() == "2000-01-01"
    for today, last, end in (
        (date(2026, 11, 1), "2028-11-01", date(2028, 12, 1)),
        (date(2026, 12, 31), "2028-12-01", date(2029, 1, 1)),
    ):
        with dg.partition_loading_context(effective_dt=datetime(today.year, today.month, today.day, tzinfo=UTC)):
            assert months.get_last_partition_key() == last
        assert partitions_end(today) == end, "rows are held against the same range"


def test_every_sql_file_is_named_by_the_code_and_every_name_has_its_file() -> None:
    files = {
        path.relative_to(ROOT / "sql").with_suffix("").as_posix()
        for folder in ("activities", "sandbox")
        for path in (ROOT / "sql" / folder).rglob("*.sql")
    }
    named, prefixes, words = names_in_the_code()
    assert named - files == {"activities/classification"} & named
    unused = files - named
    # The reports and the sandbox's records are named by their last part.
    composed = {name for name in unused if name.rpartition("/")[0] + "/" in prefixes and Path(name).name in words}
    assert unused - composed == set()


def names_in_the_code() -> tuple[set[str], set[str], set[str]]:
    """Names of SQL files in string literals, the fixed beginnings of composed ones, and all short literals."""
    named, prefixes, words = set(), set(), set()
    for path in (ROOT / "ic_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                prefixes.add(str(node.values[0].value))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"(activities|sandbox)/[a-z_]+(/[a-z_]+)*", node.value):
                    named.add(node.value)
                words.add(node.value)
    return named, prefixes, words


def test_every_statement_without_composed_parts_is_one_that_the_database_takes(database: str) -> None:
    checked = []
    with psycopg.connect(database, autocommit=True) as connection:
        # What a landing, a reconciliation and a resolution have beside the schema.
        connection.execute(
            "CREATE TEMPORARY TABLE incoming_warning (line_number bigint, comm_communicationid bigint,"
            " column_name text, raw_value text, reason text)"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE incoming_match (line bigint, legacy_id bigint, hubspot_id bigint, name text, email text)"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE ic_miss (entity_type text, legacy_id bigint, month date, communications_affected bigint)"
        )
        connection.execute("CREATE TEMPORARY TABLE ic_repeated (comm_communicationid bigint)")
        connection.execute("CREATE TEMPORARY TABLE ic_party (LIKE staging.ic_communication_party)")
        connection.execute("CREATE TEMPORARY TABLE ic_several (comm_communicationid bigint, first_line bigint)")
        connection.execute(
            "CREATE TEMPORARY TABLE ic_deletion (comm_communicationid bigint, comm_updateddate timestamp, line_number bigint)"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE ic_people (drop_id integer, comm_communicationid bigint, people text[])"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE incoming_deletion (line_number bigint, comm_communicationid bigint,"
            " comm_updateddate timestamp)"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE ic_rendered_body (ic_communication_master_id bigint, part integer, html text,"
            " text text, warning text, left_out text)"
        )
        connection.execute(
            "CREATE TEMPORARY TABLE ic_taken_back (comm_communicationid bigint, drop_id integer, line_number bigint,"
            " comm_month date, deleted_by text, deleted_line bigint)"
        )
        for path in sorted((ROOT / "sql").glob("activities/**/*.sql")) + sorted((ROOT / "sql/sandbox").glob("*.sql")):
            text = re.sub(r"^\s*--.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            if "{" in text:
                continue
            names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
            for number, name in enumerate(names, 1):
                text = text.replace(f"%({name})s", f"${number}")
            try:
                connection.execute(f"PREPARE this AS {text.replace('%%', '%')}".encode())
            except psycopg.Error as error:
                pytest.fail(f"{path.relative_to(ROOT)}: {error}")
            connection.execute("DEALLOCATE this")
            checked.append(path)
    assert len(checked) > 40


def test_every_activity_type_has_its_template_and_every_template_its_type() -> None:
    assert sorted(path.name for path in (ROOT / "templates/hubspot").iterdir()) == sorted(
        f"{table.removeprefix('staging/ic_')}.json.j2" for table in DERIVATIVES
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its SQL and templates, to edit."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("ic_assets", "sql", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.csv.gz"))
    return folder


def test_an_edited_template_statement_or_classification_marks_exactly_what_rests_on_it_as_out_of_date(
    checkout: Path,
) -> None:
    def versions() -> dict[str, str]:
        return load_in_a_fresh_interpreter(checkout)["versions"]  # type: ignore[return-value]

    def edit(name: str, old: str, new: str) -> None:
        path = checkout / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    before = versions()
    edit("templates/hubspot/calls.json.j2", "{{ call_notes | html }}", "{{ call_title | html }}")
    edit("sql/activities/classification.csv", "voip,*,calls", "voip,*,notes")
    first = versions()
    edit("sql/activities/derivatives/apply.sql", "MERGE INTO", "MERGE  INTO")
    edit("sql/activities/resolution/apply.sql", "UPDATE staging", "UPDATE  staging")
    second = versions()
    assert {key for key in before if before[key] != first[key]} == {"staging/ic_calls", MASTER}
    assert {key for key in before if first[key] != second[key]} == {*DERIVATIVES, f"{MASTER}/resolved"}
    edit("sql/activities/derivatives/rendered.sql", "THEN 'held'", "THEN  'held'")
    edit("sql/activities/master/incoming.sql", "WHERE l.is_current", "WHERE  l.is_current")
    third = versions()
    assert {key for key in before if second[key] != third[key]} == {*DERIVATIVES, MASTER}
    edit("sql/schema/views.sql", "'Call - '", "'Call: '")
    edit(
        "sql/schema/functions.sql",
        "p_comm_type text, p_comm_priority text, p_comm_caseid",
        "p_comm_type  text, p_comm_priority text, p_comm_caseid",
    )
    fourth = versions()
    assert {key for key in before if third[key] != fourth[key]} == {"staging/ic_calls", MASTER}, "what names them"
    edit(
        "sql/schema/views.sql", "staging.v_ic_communication_normalised AS", "staging.v_ic_communication_normalised  AS"
    )
    fifth = versions()
    assert {key for key in before if fourth[key] != fifth[key]} == set(DERIVATIVES), "through the views that read it"
