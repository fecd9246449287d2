"""`ic-assets explain`, `gaps` and `rules check`: what they say of a database, and that looking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.commands.explain import explain
from ic_assets.commands.gaps import gaps
from ic_assets.commands.rules import check
from ic_assets.core import gaps as core_gaps
from ic_assets.core.failures import Refused
from ic_assets.core.gaps import Gap, states
from ic_assets.crm import field_lock
from ic_assets.crm.countries import sync_aliases
from ic_assets.crm.person_edit import Edit, apply_person_edit
from ic_assets_tests.crm.centre import company, wants

T0 = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    with psycopg.connect(module_database) as connection:
        company(connection, cs_stage="cs_onboarding", country="DE", cs_notes="Bo is nice")
        wants(connection, "payments", "('C-1', 'event-1', 'pro', 780)", "plan_id", "current_mrr", now=T0)
        edit = Edit("C-1", "cs_stage", "cs_success", "hubspot:8801", "event-2", T0)
        apply_person_edit(connection, [edit], lock_days=90, now=T0)
        company(connection, "C-2")
        connection.execute(
            "INSERT INTO crm.contact_profile_metadata (contact_id, email, email_normalised, company)"
            " VALUES ('K-7', 'Ana@acme.example', 'ana@acme.example', 'C-1')"
        )
    return module_database


@pytest.fixture(autouse=True)
def used(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", filled)
    monkeypatch.setenv("IC_REFERENCE_TIME", "2026-03-10T00:00:00Z")


@pytest.fixture
def connection(filled: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(filled) as opened:
        yield opened
        opened.rollback()


def said(capsys: pytest.CaptureFixture[str], kind: str, key: str, **more: Any) -> Any:
    assert explain(kind, key, **{"full": False, "as_json": False, **more}) == 0
    text = capsys.readouterr().out
    return json.loads(text.splitlines()[-1]) if more.get("as_json") else text.splitlines()


def test_a_company_says_whose_value_each_field_has_since_when_and_until_when_it_is_locked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(capsys, "company", "C-1") == [
        "crm",
        "  plan_id pro: payments:test since 2026-03-02 10:00 (event-1)",
        "  country DE: attribution's; the change log does not say since when",
        "  current_mrr 780: payments:test since 2026-03-02 10:00 (event-1)",
        "  cs_stage cs_success: hubspot:8801 since 2026-03-02 10:00 (event-2); locked until 2026-05-31 10:00"
        " by hubspot:8801 (event-2), then funnel decides again",
        "  cs_notes … (--full shows it): hubspot_sync's; the change log does not say since when",
    ]
    assert "  cs_notes Bo is nice: " in "\n".join(said(capsys, "company", "C-1", full=True))
    assert said(capsys, "company", "C-2") == ["crm", "  nothing is known of it but its id"]


def test_a_lock_that_is_over_is_not_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_REFERENCE_TIME", "2026-05-31T10:00:00Z")
    assert "  cs_stage cs_success: hubspot:8801 since 2026-03-02 10:00 (event-2)" in said(capsys, "company", "C-1")


def test_as_json_every_field_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "company", "C-1", as_json=True)
    assert (told["kind"], told["id"]) == ("company", "C-1")
    fields = told["sections"]["crm"]["fields"]
    assert len(fields) == 42
    assert fields["cs_stage"]["locked_until"] == "2026-05-31T10:00:00+00:00"
    assert fields["churn_reason"]["value"] is None


def test_a_company_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "company", "C-1", at="2026-03-02T09:59:00Z")
    assert "  cs_stage cs_onboarding: funnel's; the change log does not say since when" in lines
    assert not [line for line in lines if line.startswith(("  plan_id", "  current_mrr"))]


def test_a_contact_is_masked_unless_it_is_asked_for_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "contact", "K-7") == [
        "crm",
        "  email … (--full shows it)",
        "  email_normalised … (--full shows it)",
        "  company C-1",
    ]
    assert "  email Ana@acme.example" in said(capsys, "contact", "K-7", full=True)


@pytest.mark.parametrize(
    ("kind", "key", "at", "why"),
    [
        ("company", "C-9", None, "no company 'C-9' is known"),
        ("contact", "C-1", None, "no contact 'C-1' is known"),
        ("conversion", "x", None, "no flow that explains a conversion is there yet"),
        ("company", "C-1", "then", "--at 'then' is not a time; use ISO 8601, for example 2026-01-31T12:00:00Z"),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(kind: str, key: str, at: str | None, why: str) -> None:
    with pytest.raises(Refused) as refusal:
        explain(kind, key, at=at, full=False, as_json=False)
    assert str(refusal.value) == why


def test_looking_changes_nothing(connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    def counts() -> list[Any]:
        return connection.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1"
        ).fetchall()

    connection.execute("SELECT pg_stat_force_next_flush()")
    before = counts()
    said(capsys, "company", "C-1")
    gaps(strict=False, as_json=False)
    check([], as_json=False)
    connection.commit()
    assert counts() == before


def test_gaps_lists_all_and_is_strict_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert gaps(strict=True, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["open"] + told["closed"] + told["broken"], told["broken"], told["note"]) == (100, 0, "")
    by_id = {gap["id"]: gap for gap in told["gaps"]}
    assert by_id["OC1"]["state"] == "open"
    assert gaps(strict=False, as_json=False) == 0
    assert "ATTx4" in capsys.readouterr().out


def test_a_gap_whose_constraint_is_gone_is_broken(connection: psycopg.Connection) -> None:
    given = [Gap("X1", "activities", "P0", "all", "CHECK", ("crm.company_profile_meta_data.current_mrr",))]
    assert states(given, connection)["X1"].state == core_gaps.CLOSED
    connection.execute(
        "ALTER TABLE crm.company_profile_meta_data DROP CONSTRAINT company_profile_meta_data_current_mrr_check"
    )
    assert states(given, connection)["X1"] == core_gaps.State(
        core_gaps.BROKEN, "not there: crm.company_profile_meta_data.current_mrr"
    )


def test_without_a_database_the_gaps_are_listed_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IC_POSTGRES_URL")
    assert gaps(strict=False, as_json=True) == 0
    assert "nothing is loaded yet" in json.loads(capsys.readouterr().out)["note"]


def test_rules_check_names_file_line_and_column(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: psycopg.Connection
) -> None:
    sync_aliases(connection)
    connection.commit()
    assert check([], as_json=True) == 0
    by_name = {row["file"]: row for row in json.loads(capsys.readouterr().out)["files"]}
    assert by_name["crm/country_alias.csv"] == {
        "file": "crm/country_alias.csv",
        "rows": 20,
        "problem": None,
        "in_force": "country_alias.csv: the packaged one",
    }
    assert by_name["activities/statuses.csv"]["in_force"] == "statuses.csv: none yet"
    bad = tmp_path / "country_alias.csv"
    bad.write_text("alias,country\nGondor,GO\n")
    assert check([bad], as_json=True) == 1
    why = "country_alias.csv, line 2, column country: 'GO' is no ISO 3166 alpha-2 code"
    assert json.loads(capsys.readouterr().out)["files"][0]["problem"] == why
    monkeypatch.setenv("IC_CRM_RULES", str(tmp_path))
    assert check([], as_json=False) == 1
    assert f"{why}; until then the last good version stays in force" in capsys.readouterr().out.splitlines()
    other = tmp_path / "colours.csv"
    other.write_text("")
    for path, said_of_it in ((other, "no file of rules has this name"), (tmp_path / "gone.csv", "no such file")):
        with pytest.raises(Refused, match=said_of_it):
            check([path], as_json=False)


def test_a_lock_that_only_the_column_shows_is_told_and_released(
    connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    connection.execute(
        "UPDATE crm.company_profile_meta_data SET cs_manager_lock_expiration = '2026-06-01' WHERE company = 'C-2'"
    )
    connection.commit()
    line = (
        "  customer_success_manager –: funnel's; the change log does not say since when; locked until 2026-06-01 00:00"
    )
    assert said(capsys, "company", "C-2") == ["crm", f"{line}, then funnel decides again"]
    assert field_lock.release(connection, "C-2", "customer_success_manager") is True
    connection.commit()
    assert said(capsys, "company", "C-2") == ["crm", "  nothing is known of it but its id"]
