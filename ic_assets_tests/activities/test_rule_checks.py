"""The check of rule files in Dagster: it fails by name, and what is in force stays so."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import psycopg
import pytest

from ic_assets.operations import company_centre
from ic_assets.resources.dagster_resources import PostgresResource


def run(database: str) -> dg.ExecuteInProcessResult:
    definitions = company_centre.build()
    return dg.materialize(
        [*(definitions.assets or []), *(definitions.asset_checks or [])],  # type: ignore[list-item]
        resources={"postgres": PostgresResource.at(database)},
        instance=dg.DagsterInstance.ephemeral(),
    )


def test_a_file_that_cannot_stand_fails_its_check_and_leaves_the_last_good_version_in_force(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_CRM_RULES", str(tmp_path))
    (good,) = run(database).get_asset_check_evaluations()
    assert (good.passed, good.check_name, good.description) == (True, "rule_files", "All can stand.")
    (tmp_path / "country_alias.csv").write_text("alias,country\nGondor,GO\n")
    result = run(database)
    assert result.success
    (bad,) = result.get_asset_check_evaluations()
    assert bad.passed is False
    assert str(bad.description).startswith(
        "country_alias.csv, line 2, column country: 'GO' is no ISO 3166 alpha-2 code;"
    )
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM crm.country_alias").fetchone() == (20,)
