"""Exports that name their columns otherwise, and a look at a file before it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.drop.column_map import Names, names_in_force, names_of
from ic_assets.activities.engine.landing import drop_landing
from ic_assets.activities.engine.landing.first_look import inspected
from ic_assets.activities.engine.landing.landed import Landed
from ic_assets.commands.load_what_if import load_what_if
from ic_assets.commands.rejects import rejects
from ic_assets.commands.trace import trace
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import HEADER, land, opened, row, write_drop

THEIRS = {
    "Comm_CommunicationId": "Activity No.",
    "Comm_Subject": "Betreff",
    "Comm_DateTime": "When",
    "Person_Id": "Contact",
}


def renamed(path: Path, *rows: dict[str, object]) -> Path:
    header = [THEIRS.get(name, name) for name in HEADER]
    return write_drop(path, [{THEIRS.get(name, name): value for name, value in one.items()} for one in rows], header)


def map_file(path: Path, theirs: dict[str, str] | None = None) -> Path:
    lines = [f'"{their}",{ours}' for ours, their in (theirs or THEIRS).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["theirs,ours", *lines]) + "\n", encoding="utf-8")
    return path


def land_with(database: str, path: Path, names: Names) -> Landed:
    with opened(database) as work:
        return drop_landing.land(work, Settings.from_env(), path, info=inspected(path, None, names))


def test_a_file_lands_as_if_its_columns_had_our_names_and_later_readings_agree(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    path = renamed(tmp_path / "theirs.csv", row(1), row(2, "never"))
    with pytest.raises(DropRefused, match="the header lacks Comm_CommunicationId, Comm_DateTime"):
        land(database, path)
    landed = land_with(database, path, names_of(map_file(tmp_path / "map.csv")))
    assert (landed.inserted, landed.rejected, landed.missing_columns, landed.unknown_columns) == (1, 1, (), ())
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT comm_communicationid, comm_subject, comm_datetime::text, person_id FROM staging.ic_communication_landing"
        ).fetchall()
        reading = connection.execute("SELECT reading, columns FROM staging.ic_drop WHERE state = 'landed'").fetchone()
    assert found == [(1, "Subject 1", "2019-03-05 10:00:00", 101)]
    assert reading is not None
    assert " columns=" in reading[0]
    assert reading[1] == HEADER

    # The rejected row is handed back under our names, and is traced.
    mended = tmp_path / "mended.csv"
    assert rejects(None, mended, warnings=False, limit=None, full=False, as_json=True) == 0
    assert mended.read_text(encoding="utf-8-sig").splitlines()[0].startswith("Comm_CommunicationId,")
    mended.write_text(mended.read_text(encoding="utf-8").replace("never", "2019-03-06 10:00"), encoding="utf-8")
    assert land(database, mended).inserted == 1
    capsys.readouterr()
    assert trace("theirs.csv", "2", None, row=None, full=True, as_json=True) == 0
    assert "Subject 1" in capsys.readouterr().out

    # Another map makes another drop of the same content; the same one does not.
    assert land_with(database, path, names_of(tmp_path / "map.csv")).already_landed
    other = {**THEIRS, "Comm_Note": "Betreff", "Comm_Subject": "Comm_Note"}
    swapped = land_with(database, path, names_of(map_file(tmp_path / "other.csv", other)))
    assert not swapped.already_landed
    assert swapped.updated == 1


def test_the_map_of_the_home_is_in_force_and_a_wrong_one_is_refused_by_line(tmp_path: Path) -> None:
    assert names_in_force() == ()
    own = tmp_path / "ic_home" / "columns.csv"  # IC_HOME of the tests
    map_file(own, {"Comm_DateTime": " WHEN "})
    assert names_in_force() == (("when", "comm_datetime"),)
    for text, said in (
        ("theirs,ours\nWhen,Comm_Date\n", "columns.csv, line 2, column ours: 'Comm_Date' is no column of a drop"),
        ("theirs,ours\nA,Comm_Note\nB,comm_note\n", "line 3, column ours: 'comm_note' stands twice \\(line 2 too\\)"),
        ("theirs,ours\nA,Comm_Note\na,Comm_Subject\n", "line 3, column theirs: 'a' stands twice"),
        ("theirs,ours\n,Comm_Note\n", "line 2, column theirs: empty"),
        ("from,to\nA,Comm_Note\n", "line 1: the columns are from, to; write theirs,ours"),
    ):
        own.write_text(text, encoding="utf-8")
        with pytest.raises(Refused, match=said):
            names_in_force()
    with pytest.raises(Refused, match="no such file"):
        names_of(tmp_path / "none.csv")


def test_a_look_ahead_shows_rows_warnings_and_classification_and_writes_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    rows = [row(number) for number in range(1, 8)]
    path = renamed(
        tmp_path / "theirs.csv", *rows, row(8, "never"), row(9, kind="Carrier pigeon", Comm_ToDateTime="soon")
    )
    columns = map_file(tmp_path / "map.csv")
    assert load_what_if(path, columns, full=False, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["rejected"]) == (9, {"unreadable_required": 1})
    assert [one["line"] for one in found["first_rows"]] == [2, 3, 4, 5, 6]
    assert found["first_rows"][0]["comm_datetime"] == "2019-03-05 10:00:00"
    assert found["first_rows"][0]["person_lastname"] == "E…"
    assert found["renamed_columns"]["betreff"] == "Comm_Subject"
    assert found["rejects"][0]["line"] == 9
    assert found["warnings"] == [{"column": "comm_todatetime", "reason": "unreadable", "fields": 1}]
    assert {one["comm_type"]: one["becomes"] for one in found["combinations"]} == {
        "call": "calls",
        "carrier pigeon": "notes",
    }

    assert load_what_if(path, columns, full=True, as_json=False) == 0
    said = capsys.readouterr().out
    assert "Ada" in said
    assert "line 10, comm_todatetime: 'soon' (unreadable)" in said
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM staging.ic_drop").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM staging.ic_setting").fetchone() == (0,)
