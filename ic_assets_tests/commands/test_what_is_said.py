"""What commands and checks say is so: why there is nothing to push, what a load left undone, which payloads are older than
their templates, and the same figure wherever it is shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ic_assets.activities import checks, keys
from ic_assets.activities.engine.derivatives.payload_versions import older_payloads, version
from ic_assets.activities.engine.judging.judgement import nothing_to_push
from ic_assets.activities.engine.judging.rules import PAYLOADS_ARE_CURRENT, judge
from ic_assets.activities.engine.judging.verdicts import Rule, Verdict
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.commands.load import Brought
from ic_assets.commands.push import _show
from ic_assets.core.files import TEMPLATES_DIR
from ic_assets.core.settings import Settings
from ic_assets.hubspot.push.result import PushResult
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop

SETTINGS = Settings.from_env()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


# -- nothing to push ---------------------------------------------------------------------------------


def test_before_the_first_load_there_is_nothing_since_nothing_is_loaded(connection: psycopg.Connection) -> None:
    assert nothing_to_push(connection) == "no communication has been loaded; see `ic-assets load`"


def test_behind_a_red_gate_there_is_nothing_since_the_gate_is_red(
    database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    land(database, write_drop(tmp_path / "a.csv", [row(1, Person_Id=777), row(2, "2019-04-05", Person_Id=777)]))
    assert nothing_to_push(connection) == (
        "2 months are out of date (2019-03, 2019-04); `ic-assets load` brings them to the activities"
    )
    bring_up_to_date(database)
    assert nothing_to_push(connection) == (
        "what is loaded has come no further than a gate. 2 gates are red (resolved contacts_resolved, resolved orphans): "
        "0.00 % of 2 references to contacts lead to HubSpot (more than 95 % must). `ic-assets unresolved contacts` lists "
        "them, what matters most first; then `ic-assets reconcile contacts FILE`."
    )


# -- a load ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("brought", "said"),
    [
        (Brought(1, 0, []), "1 month brought up to date."),
        (Brought(132, 0, []), "132 months brought up to date."),
        (Brought(0, 132, ["red"]), "132 months ran and are still out of date: a red gate stopped what comes after it."),
        (Brought(0, 1, ["red"]), "1 month ran and is still out of date: a red gate stopped what comes after it."),
        (Brought(3, 2, ["red"]), "3 months brought up to date, 2 not: a red gate stopped what comes after it."),
        (Brought(3, 1, []), "3 months brought up to date, 1 not: something changed them meanwhile."),
    ],
)
def test_a_load_says_up_to_date_of_nothing_that_is_not(brought: Brought, said: str) -> None:
    assert brought.sentence == said


# -- a dry run ---------------------------------------------------------------------------------------


def test_a_dry_run_says_what_it_did_not_ask_hubspot_about(capsys: pytest.CaptureFixture[str]) -> None:
    _show(PushResult("dry-run", identical=1234))
    said = capsys.readouterr().err
    assert (
        "By the ledger 1,234 records stand as pushed: HubSpot was not asked about them, nor whether people changed them "
        "since." in said
    )
    _show(PushResult("dry-run", created=1))
    assert "was not asked" not in capsys.readouterr().err


def test_a_push_that_ends_says_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    _show(PushResult("test", portal_id=7, push_id=12, created=1))
    assert "Push 12" in capsys.readouterr().out


# -- payloads and their templates ---------------------------------------------------------------------


@pytest.fixture
def loaded(database: str, tmp_path: Path) -> str:
    """Two calls in March 2019, a call and an e-mail in April."""
    reconcile_everything(database)
    rows = [row(1), row(2), row(3, "2019-04-05"), row(4, "2019-04-05", "Email")]
    land(database, write_drop(tmp_path / "a.csv", rows))
    bring_up_to_date(database)
    return database


def test_payloads_that_other_settings_made_are_counted_by_type_and_month_until_they_are_made_again(
    loaded: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert older_payloads(connection, SETTINGS) is None
    other = SETTINGS.model_copy(update={"hubspot_id_property": "crm_id"})
    older = older_payloads(connection, other)
    assert older
    assert older.by_type == {"calls": 3, "emails": 1}
    assert older.sentence == (
        "4 payloads were made with other templates or settings than those in force (2019-03 to 2019-04): "
        "`ic-assets load --renew` makes them again."
    )
    monkeypatch.setenv("IC_HUBSPOT_ID_PROPERTY", "crm_id")
    connection.execute(
        "UPDATE staging.ic_month SET change_number = change_number + 1000 WHERE comm_month = '2019-03-01'"
    )
    bring_up_to_date(loaded)
    older = older_payloads(connection, other)
    assert older
    assert (older.by_type, [f"{month:%Y-%m}" for month in older.months]) == ({"calls": 1, "emails": 1}, ["2019-04"])


def test_a_shell_without_the_kept_zone_finds_no_older_payload(
    database: str, connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_SOURCE_TIMEZONE", "Europe/Berlin")
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, "2019-04-05", "Email")]))
    bring_up_to_date(database)
    monkeypatch.delenv("IC_SOURCE_TIMEZONE")
    found = judge(connection, want=lambda rule: rule.name == PAYLOADS_ARE_CURRENT)
    assert {v.rule.on: (v.failing, v.checked) for v in found if v.checked} == {"calls": (0, 1), "emails": (0, 1)}


def test_payloads_of_before_versions_were_recorded_count_as_older(loaded: str, connection: psycopg.Connection) -> None:
    connection.execute("UPDATE staging.ic_month_stage SET payload_version = NULL WHERE stage = 'emails'")
    older = older_payloads(connection, SETTINGS)
    assert older
    assert (older.by_type, older.sentence[:23]) == ({"emails": 1}, "1 payload was made with")


def test_an_edit_of_a_template_is_another_version_of_its_type_and_of_no_other(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(TEMPLATES_DIR, templates)
    before = {name: version(BY_NAME[name], SETTINGS, templates=templates) for name in ("calls", "emails")}
    assert before == {name: version(BY_NAME[name], SETTINGS) for name in before}
    path = templates / BY_NAME["calls"].template
    text = path.read_text(encoding="utf-8")
    edited = text.replace('"hs_call_title": {{ call_title }}', '"hs_call_title": "Call"')
    assert edited != text
    path.write_text(edited, encoding="utf-8")
    after = {name: version(BY_NAME[name], SETTINGS, templates=templates) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["calls"]


# -- one rounding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failing", "checked", "percent"), [(2, 3, 66.66), (1, 20_001, 0.0), (0, 0, 0.0), (5, 5, 100.0)]
)
def test_a_check_and_its_metadata_show_one_figure(failing: int, checked: int, percent: float) -> None:
    rule = Rule("any", "calls", "", sql.SQL("").format(), "{share}", "", allowed=2.0)
    found = checks.result(Verdict(rule, failing, checked, None), keys.MASTER)
    assert found.metadata["failing_percent"].value == percent
    assert found.description == (f"{percent:.2f} %" if checked else "Nothing to judge yet.")
