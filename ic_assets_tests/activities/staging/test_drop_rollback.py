"""``ic-assets rollback drop``: what one drop brought goes, and what stood before it stands again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.activities.engine.staging import drop_rollback
from ic_assets.activities.engine.staging.drop_rollback import DropTakenBack
from ic_assets.commands import rollback as command
from ic_assets.core.failures import Refused
from ic_assets_tests.drops import HEADER, bring_up_to_date, land, opened, reconcile_everything, row, write_drop

DELETING = [*HEADER, "Comm_Deleted"]


def take_back(database: str, name: str) -> DropTakenBack:
    with opened(database) as work, work.transaction() as connection:
        return drop_rollback.take_back(connection, name)


def standing(database: str) -> dict[str, list[Any]]:
    """What the drops left, without numbers of drops and rows."""
    texts = {
        "landing": "SELECT l.comm_communicationid, l.comm_subject, l.comm_datetime, d.file_name, l.line_number, l.fate,"
        " l.is_current FROM staging.ic_communication_landing AS l JOIN staging.ic_drop AS d USING (drop_id) ORDER BY 4, 5",
        "master": "SELECT comm_communicationid, comm_subject, comm_datetime, derived_activity_type, source_line"
        " FROM staging.ic_communication_master ORDER BY 1",
        "calls": "SELECT m.comm_communicationid, hubspot_api_payload FROM staging.ic_calls"
        " JOIN staging.ic_communication_master AS m ON m.id = ic_communication_master_id ORDER BY 1",
        "parties": "SELECT m.comm_communicationid, p.person_id FROM staging.ic_communication_party AS p"
        " JOIN staging.ic_communication_master AS m ON m.id = p.ic_communication_master_id ORDER BY 1, 2",
        "deleted": "SELECT comm_communicationid, source_line FROM staging.ic_deleted_communication ORDER BY 1",
        "rejected": "SELECT line_number, reason, raw_row FROM staging.ic_rejected_row ORDER BY drop_key, 1",
        "warnings": "SELECT line_number, column_name FROM staging.ic_field_warning ORDER BY drop_key, 1, 2",
    }
    with psycopg.connect(database) as connection:
        return {name: connection.execute(text.encode()).fetchall() for name, text in texts.items()}


def first(folder: Path) -> Path:
    return write_drop(folder / "first.csv", [row(1), row(1, Person_Id=102), row(2), row(4, "2019-07-01 09:00:00")])


def second(folder: Path) -> Path:
    newer = {"Comm_UpdatedDate": "2020-02-01 00:00:00"}
    rows = [
        row(1, "2019-05-05 10:00:00", Comm_Subject="Newer", **newer),
        row(2, Comm_Deleted="1", **newer),
        row(3, "2019-06-05 10:00:00", Comm_Email_Clean="no address"),
        row(4, "2019-07-01 09:00:00"),
        row(6, "never"),
    ]
    return write_drop(folder / "second.csv", rows, DELETING)


def test_what_stood_before_stands_again_and_the_file_loads_anew(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, first(tmp_path))
    bring_up_to_date(database)
    before = standing(database)
    assert [one[0] for one in before["master"]] == [1, 2, 4]
    assert len(before["parties"]) == 1

    brought = land(database, second(tmp_path))
    assert (brought.inserted, brought.updated, brought.unchanged, brought.taken_out) == (1, 1, 1, 1)
    bring_up_to_date(database)
    after = standing(database)
    assert [one[0] for one in after["master"]] == [1, 3, 4]

    done = take_back(database, "second.csv")
    assert (done.brought_back, done.gone, done.deleted_again) == (2, 1, 0)
    assert done.months == (date(2019, 3, 1), date(2019, 5, 1), date(2019, 6, 1))
    bring_up_to_date(database)
    assert standing(database) == before

    assert not land(database, second(tmp_path)).already_landed
    bring_up_to_date(database)
    assert standing(database) == after


def test_a_drop_that_later_ones_build_on_is_refused_and_names_them(database: str, tmp_path: Path) -> None:
    land(database, first(tmp_path))
    land(database, second(tmp_path))
    third = land(database, write_drop(tmp_path / "third.csv", [row(3, Comm_Subject="Later still")]))
    before = standing(database)
    with pytest.raises(Refused, match=f"later drops have versions of its communications.*{third.drop_key}"):
        take_back(database, "second.csv")
    assert standing(database) == before
    for name in ("third.csv", "second.csv", "first.csv"):
        take_back(database, name)
    assert {name: rows for name, rows in standing(database).items() if name != "master" and rows} == {}


def test_what_an_earlier_drop_had_deleted_is_deleted_again(database: str, tmp_path: Path) -> None:
    land(database, write_drop(tmp_path / "a.csv", [row(5), row(7)]))
    land(database, write_drop(tmp_path / "b.csv", [row(5, Comm_Deleted="1")], DELETING))
    bring_up_to_date(database)
    before = standing(database)
    land(database, write_drop(tmp_path / "c.csv", [row(5, Comm_UpdatedDate="2021-01-01 00:00:00")]))
    bring_up_to_date(database)
    assert [one[0] for one in standing(database)["master"]] == [5, 7]
    with psycopg.connect(database) as connection:
        number = connection.execute("SELECT drop_id FROM staging.ic_drop WHERE file_name = 'c.csv'").fetchone()
    assert number is not None
    assert take_back(database, str(number[0])).deleted_again == 1
    bring_up_to_date(database)
    assert standing(database) == before


def test_the_command_says_what_is_left_in_hubspot_and_asks(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    land(database, first(tmp_path))
    land(database, second(tmp_path))
    bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO hubspot.portal (portal_id, base_url) VALUES (7, 'http://127.0.0.1:1')")
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, object_type, record_key, part, activity_type,"
            " activity_month, state, hubspot_id) SELECT 7, 'calls', id::text, 1, 'calls', '2019-03-01', 'pushed', 9000 + id"
            " FROM unnest(ARRAY[1, 3, 4]) AS id"
        )
    before = standing(database)
    monkeypatch.setattr(command, "agreed", lambda _: False)
    with pytest.raises(Refused, match="nothing was rolled back; add --yes"):
        command.rollback_drop("second.csv", yes=False, as_json=False)
    assert standing(database) == before
    assert "2 communications stand again as before the drop; 1 leave the master" in capsys.readouterr().out
    assert command.rollback_drop("second.csv", yes=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["in_hubspot"] == {"7": [3]}
    land(database, second(tmp_path))
    bring_up_to_date(database)
    command.rollback_drop("second.csv", yes=True, as_json=False)
    assert "`ic-assets rollback push --ids 3`" in capsys.readouterr().err
    with psycopg.connect(database) as connection:
        scopes = connection.execute("SELECT scope FROM staging.ic_rollback").fetchall()
    assert [scope.partition("@")[0] for (scope,) in scopes] == ["drop second.csv", "drop second.csv"]
