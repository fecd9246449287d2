"""The settings that shape the data are kept in the database: a shell without one gets it, a shell with another is refused,
and a change says what it puts out of date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.staging import slices
from ic_assets.commands import settings as command
from ic_assets.commands.load import load
from ic_assets.commands.push import approve
from ic_assets.commands.rollback import rollback
from ic_assets.commands.status import status
from ic_assets.core import kept_settings
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.resources.kept_months import first_month
from ic_assets_tests.drops import bring_up_to_date, change_setting, land, reconcile_everything, row, write_drop


@contextmanager
def shell(**environment: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def in_force(database: str, **environment: str) -> Settings:
    with shell(**environment):
        return kept_settings.settings_for(database, Settings.from_env())


def out_of_date(database: str) -> list[tuple[date, str]]:
    with psycopg.connect(database) as connection:
        return [(month, cause) for month, _, cause in slices.out_of_date(connection)]


def drop(tmp_path: Path, name: str = "drop.csv", when: str = "2019-03-05 10:00:00") -> Path:
    rows = [
        row(1, when),
        row(2, "2019-04-05 10:00:00", "E-mail", Comm_Action="EmailOut"),
        row(3, "2019-05-05 10:00:00", "To Do", Comm_Action="ToDo"),
    ]
    return write_drop(tmp_path / name, rows)


def test_a_shell_without_a_setting_gets_the_kept_one_and_another_is_refused(database: str, tmp_path: Path) -> None:
    with shell(IC_SOURCE_TIMEZONE="Europe/Berlin", IC_OWN_EMAIL="us@example.com"):
        land(database, drop(tmp_path))
    found = in_force(database)
    assert (found.source_timezone, found.own_email, found.date_order) == ("Europe/Berlin", "us@example.com", "YMD")
    assert in_force(database, IC_SOURCE_TIMEZONE="Europe/Berlin").source_timezone == "Europe/Berlin"
    for name, value, kept in (
        ("IC_SOURCE_TIMEZONE", "UTC", "Europe/Berlin"),
        ("IC_OWN_EMAIL", "others@example.com", "us@example.com"),
        ("IC_ENCODING", "cp1250", "none"),
        ("IC_DATE_ORDER", "DMY", "YMD"),
        ("IC_ZERO_IDS", "keep", "missing"),
        ("IC_TASK_DUE", "datetime", "end"),
        ("IC_PARTITIONS_START", "2015-01-01", "2000-01-01"),
    ):
        with pytest.raises(Refused) as refused:
            in_force(database, **{name: value})
        line = str(refused.value)
        assert f"{name} is {value} here and {kept} in the database" in line
        assert f"`ic-assets settings set {name} {value}`" in line


def test_a_file_of_which_nothing_loads_keeps_nothing(database: str, tmp_path: Path) -> None:
    land(database, write_drop(tmp_path / "bad.csv", [row(1, "03/25/2019 10:00")]))
    assert in_force(database, IC_DATE_ORDER="MDY").date_order == "MDY"


def test_a_run_that_began_before_a_change_writes_nothing(database: str, tmp_path: Path) -> None:
    land(database, drop(tmp_path))
    change_setting(database, "IC_SOURCE_TIMEZONE", "Europe/Berlin")
    with pytest.raises(Refused, match="IC_SOURCE_TIMEZONE is UTC here and Europe/Berlin in the database"):
        land(database, drop(tmp_path, "second.csv", "2019-03-06 10:00:00"))
    with pytest.raises(Refused, match="IC_SOURCE_TIMEZONE is UTC here"):
        bring_up_to_date(database)


def test_a_change_marks_the_months_it_affects_and_names_the_drops(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, drop(tmp_path))
    bring_up_to_date(database)
    assert out_of_date(database) == []

    mine = change_setting(database, "IC_OWN_EMAIL", "us@example.com")
    assert (mine.before, mine.months, mine.drops) == ("", (date(2019, 4, 1),), ())
    due = change_setting(database, "IC_TASK_DUE", "datetime")
    assert due.months == (date(2019, 5, 1),)
    with shell(IC_OWN_EMAIL="us@example.com", IC_TASK_DUE="datetime"):
        assert out_of_date(database) == [(date(2019, 4, 1), "setting"), (date(2019, 5, 1), "setting")]
        bring_up_to_date(database)
    assert out_of_date(database) == []

    zone = change_setting(database, "IC_SOURCE_TIMEZONE", "Europe/Berlin")
    assert zone.months == (date(2019, 3, 1), date(2019, 4, 1), date(2019, 5, 1))
    assert [key.partition("@")[0] for key in zone.drops] == ["drop.csv"]
    with shell(IC_SOURCE_TIMEZONE="Europe/Berlin", IC_OWN_EMAIL="us@example.com", IC_TASK_DUE="datetime"):
        bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        sent = connection.execute("SELECT hubspot_api_payload #>> '{properties,hs_timestamp}' FROM staging.ic_calls")
        assert sent.fetchone() == ("2019-03-05T09:00:00.000Z",)

    assert change_setting(database, "IC_TASK_DUE", "datetime").months == ()  # what it is already
    for name, value, said in (
        ("IC_TASK_DUE", "never", "is not one of end, datetime"),
        ("IC_HUBSPOT_RPS", "5", "is not kept in the database; those that are: IC_SOURCE_TIMEZONE"),
        ("IC_SOURCE_TIMEZONE", "Mars/Base", "is not a time zone"),
    ):
        with pytest.raises(Refused, match=said):
            change_setting(database, name, value)


def test_an_earlier_first_month_lets_the_rejected_rows_in_and_a_later_one_is_refused(
    database: str, tmp_path: Path
) -> None:
    file = drop(tmp_path, when="1998-03-05 10:00:00")
    first = land(database, file)
    assert dict(first.rejected_by_reason) == {"out_of_range": 1}
    with pytest.raises(Refused, match="communications of 2019-04 stand in the master"):
        change_setting(database, "IC_PARTITIONS_START", "2019-06-01")
    assert change_setting(database, "IC_PARTITIONS_START", "1998-01-15").drops == (first.drop_key,)
    with shell(IC_PARTITIONS_START="1998-01-01"):
        again = land(database, file)
    assert (again.inserted, again.unchanged, again.rejected) == (1, 2, 0)
    # Emptied it is the first month that there is, whatever this shell sets.
    with shell(IC_PARTITIONS_START="1998-06-01"):
        assert kept_settings.value_of("IC_PARTITIONS_START", "") == date(2000, 1, 1)


def test_the_commands_show_and_change_and_a_look_is_refused_too(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    land(database, drop(tmp_path))
    assert command.show(as_json=True) == 0
    monkeypatch.setenv("IC_DATE_ORDER", "DMY")
    assert command.show(as_json=True) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["differing"] == []
    assert rows[1]["differing"] == ["IC_DATE_ORDER"]
    with pytest.raises(Refused, match="IC_DATE_ORDER is DMY here and YMD"):
        status(as_json=True)
    assert command.change("IC_DATE_ORDER", "DMY", as_json=False) == 0
    said = capsys.readouterr().out
    assert "IC_DATE_ORDER is DMY now, it was YMD." in said
    assert "load their files again: drop.csv@" in said
    assert command.show(as_json=False) == 0


def ic_assets(database: str, home: Path, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ic_assets", *words],
        env={**os.environ, "IC_HOME": str(home), "IC_POSTGRES_URL": database, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_another_first_month_ends_in_one_line_and_none_is_the_kept_one(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_everything(database)
    home, file = tmp_path / "home", drop(tmp_path)
    code, said = ic_assets(database, home, "load", str(file), IC_PARTITIONS_START="2015-06-01")
    assert "Traceback" not in said
    assert "3 months brought up to date" in said, said
    code, said = ic_assets(database, home, "push", IC_PARTITIONS_START="2019-04-01")
    assert (code, said.count("\n")) == (2, 1), said
    assert "IC_PARTITIONS_START is 2019-04-01 here and 2015-06-01 in the database" in said
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    monkeypatch.setenv("IC_HOME", str(home))
    before = (date(2014, 5, 1), date(2014, 5, 1))
    with pytest.raises(Refused, match="the months that are kept, 2015-06 to"):
        load([], months=before, as_json=False, quiet=True)
    with pytest.raises(Refused, match="the months that are kept, 2015-06 to"):
        rollback("activities", before, yes=True)
    with pytest.raises(Refused, match="the months that are kept, 2015-06 to"):
        approve(by="Ada", types=[], months=before, include_orphans=False, overwrite_edits=False, as_json=False)
    # The partitions are the kept ones too, or Dagster would take the month.
    assert first_month() == date(2015, 6, 1)
