"""What did not load is shown, handed over, mended and loaded again; what was done is listed; rows are found as a spreadsheet
numbers them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.commands.history import history
from ic_assets.commands.rejects import rejects
from ic_assets.commands.trace import trace
from ic_assets.commands.unresolved import unresolved
from ic_assets.core.failures import Refused
from ic_assets_tests.drops import HEADER, bring_up_to_date, land, reconcile_everything, row

# Not the usual order, a column that nobody knows, and a lone CR, an inner quote and a delimiter in a text.
COLUMNS = ["Odd", *reversed(HEADER)]
TEXT = 'one; "two"\nthree\rfour'


@pytest.fixture(scope="module")
def loaded(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A semicolon-separated drop: one row loads, one has a bad date, one a broken quote, one comes twice, one a bad field."""
    reconcile_everything(module_database)
    folder = tmp_path_factory.mktemp("rejects")
    path = folder / "drop.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=";")
        writer.writeheader()
        writer.writerows(
            [
                row(1, Person_Id=777, Person_LastName="Hopper", Person_EmailAddress="grace@example.com"),
                row(2, "31.02.2019", Comm_Note=TEXT, Odd="x"),
                row(3, Comm_UpdatedDate="2019-05-01"),
                row(3),
                row(4, Comm_ToDateTime="soon"),
            ]
        )
        file.write('x;"broken"quote\n')
    land(module_database, path)
    bring_up_to_date(module_database)
    return module_database, path


@pytest.fixture(autouse=True)
def in_use(loaded: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", loaded[0])


def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_rejected_rows_are_shown_masked_with_line_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert rejects(None, None, warnings=True, limit=None, full=False, as_json=True) == 0
    found = shown(capsys)
    reasons = [(one["line"], one["reason"], one["column"]) for one in found["rows"]]
    assert reasons == [
        (3, "unreadable_required", "comm_datetime"),
        (8, "bad_quote", ""),
        (5, "superseded_in_drop", ""),
    ]
    assert (found["to_mend"], found["rejected_by_reason"]["superseded_in_drop"]) == (2, 1)
    assert [(one["line"], one["raw_value"]) for one in found["warnings"]] == [(7, "s…")]
    rejects("drop.csv", None, warnings=False, limit=None, full=False, as_json=False)
    said = capsys.readouterr().out
    assert "2 rows to mend, 1 more that want nothing (superseded_in_drop)" in said
    assert "three" not in said
    assert "31.02.2019" in said


def test_the_rows_to_mend_are_written_in_the_drops_columns_and_load_once_mended(
    loaded: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, _ = loaded
    target = tmp_path / "mend.csv"
    assert rejects(None, target, warnings=True, limit=1, full=False, as_json=False) == 0
    assert f"ic-assets load {target}" in capsys.readouterr().out
    assert target.stat().st_mode & 0o077 == 0
    with target.open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file, delimiter=";")
    assert list(found) == list(reversed(HEADER)), "the drop's own order, without what nobody knows"
    assert (found["Comm_Note"], found["Comm_DateTime"], found["Comm_CommunicationId"]) == (TEXT, "31.02.2019", "2")
    assert len((tmp_path / "mend.warnings.csv").read_text(encoding="utf-8-sig").splitlines()) == 2
    unparsed = tmp_path / "mend.unparsed.txt"
    assert unparsed.read_text(encoding="utf-8-sig").splitlines()[1:] == ['x;"broken"quote']

    target.write_bytes(target.read_bytes().replace(b"31.02.2019", b"2019-02-28"))
    line = ";".join(str({**row(5), "Odd": "x"}.get(name, "")) for name in COLUMNS)
    unparsed.write_text(unparsed.read_text(encoding="utf-8").replace('x;"broken"quote', line), encoding="utf-8")
    assert [land(database, path).inserted for path in (target, unparsed)] == [1, 1]
    with psycopg.connect(database) as connection:
        note = connection.execute(
            "SELECT comm_note FROM staging.ic_communication_landing WHERE comm_communicationid = 2"
        ).fetchall()
        connection.execute("DELETE FROM staging.ic_drop WHERE file_name LIKE 'mend%'")
    assert note == [(TEXT,)]


def test_a_drop_of_an_older_version_keeps_its_rows_as_they_stand(loaded: tuple[str, Path], tmp_path: Path) -> None:
    with psycopg.connect(loaded[0]) as connection:
        (columns,) = connection.execute("SELECT columns FROM staging.ic_drop").fetchone() or ([],)
        connection.execute("UPDATE staging.ic_drop SET columns = NULL")
    rejects(None, tmp_path / "old.csv", warnings=False, limit=None, full=False, as_json=True)
    with psycopg.connect(loaded[0]) as connection:
        connection.execute("UPDATE staging.ic_drop SET columns = %s", (columns,))
    text = (tmp_path / "old.unparsed.txt").read_text(encoding="utf-8-sig")
    assert "31.02.2019" in text
    assert 'x;"broken"quote' in text


def test_a_row_is_found_by_the_number_that_a_spreadsheet_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """The note of the third row takes two lines, so that row 4 is line 5."""
    assert trace("drop.csv", None, None, row=4, full=False, as_json=True) == 0
    found = shown(capsys)
    assert (found["line"], found["communication"], found["reason"]) == (5, 3, "superseded_in_drop")
    assert found["notes"] == ["Row 4, the header counted, starts on line 5."]
    with pytest.raises(Refused, match="its last is row 7"):
        trace("drop.csv", None, None, row=8, full=False, as_json=True)
    with pytest.raises(Refused, match=r"row 1 .* is the header"):
        trace(None, None, None, row=1, full=False, as_json=True)


def test_history_lists_drops_and_pushes_with_approval_and_reason(
    loaded: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(loaded[0]) as connection:
        connection.execute("INSERT INTO hubspot.portal (portal_id, base_url) VALUES (9, 'http://127.0.0.1')")
        connection.execute(
            "INSERT INTO hubspot.push_run (portal_id, mode, options, approved_by, counts, result, stopped_reason)"
            " VALUES (9, 'production', '{}', 'A. Person', '{\"sent\": 7, \"rejected\": 2, \"unknown\": 1}', 'stopped',"
            " 'the day is used up')"
        )
    assert history(20, as_json=True) == 0
    push, drop = shown(capsys)["history"]
    assert {name: push[name] for name in ("kind", "mode", "by_whom", "records", "failed", "result", "reason")} == {
        "kind": "push",
        "mode": "production",
        "by_whom": "A. Person",
        "records": 7,
        "failed": 3,
        "result": "stopped",
        "reason": "the day is used up",
    }
    assert (drop["kind"], drop["records"], drop["failed"], drop["result"]) == ("drop", 3, 3, "landed")
    history(1, as_json=False)
    said = capsys.readouterr().out
    assert "A. Person" in said
    assert "drop.csv" not in said


def test_unresolved_hands_over_names_and_addresses_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, full = tmp_path / "plain.csv", tmp_path / "full.csv"
    unresolved("contacts", csv_file=plain, limit=None, as_json=False)
    assert "It holds no names." in capsys.readouterr().out
    assert "Hopper" not in plain.read_text(encoding="utf-8-sig")
    unresolved("contacts", csv_file=full, limit=None, full=True, as_json=False)
    assert "It holds names and addresses of persons." in capsys.readouterr().out
    assert full.stat().st_mode & 0o077 == 0
    with full.open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file)
    assert (found["legacy_id"], found["name"], found["email"]) == ("777", "Ada Hopper", "grace@example.com")
