"""Drops that land badly or not at all, and what the tables then say: versions that nobody can tell apart, drops that load
nothing and load again, refusals, texts that are longer than an index takes, reconciliation files."""

from __future__ import annotations

import gzip
import random
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ic_assets.activities.engine.judging.rules import judge, landing_rules
from ic_assets.activities.engine.judging.verdicts import Verdict
from ic_assets.activities.engine.landing import drop_landing, first_look
from ic_assets.activities.engine.reconciliation import matches
from ic_assets.activities.engine.staging import rollback
from ic_assets.core.failures import DropRefused
from ic_assets.core.settings import Settings
from ic_assets_tests.drops import bring_up_to_date, change_setting, land, opened, row, write_drop

NEWER = "2021-01-01 00:00:00"


def fetched(database: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()


def rejected(database: str, drop: str) -> dict[int, str]:
    rows = fetched(database, "SELECT drop_key, line_number, reason FROM staging.ic_rejected_row")
    return {row["line_number"]: row["reason"] for row in rows if row["drop_key"] == drop}


def loads(database: str) -> Verdict:
    rule = next(rule for rule in landing_rules() if rule.name == "rows_load")
    with psycopg.connect(database) as connection:
        return rule.judge(connection)


class TestUnreadableUpdates:
    def test_where_it_would_decide_between_two_versions_it_is_rejected(self, database: str, tmp_path: Path) -> None:
        land(database, write_drop(tmp_path / "a.csv", [row(1), row(2), row(3, Comm_UpdatedDate=""), row(4)]))
        bad = {"Comm_UpdatedDate": "04/06/2019 11:00:00", "Comm_Note": "corrected"}
        rows = [row(1, **bad), row(2, Comm_UpdatedDate=NEWER), row(3, **bad), row(5, **bad)]
        landed = land(database, write_drop(tmp_path / "b.csv", rows))
        assert rejected(database, landed.drop_key) == {2: "unreadable_update"}
        assert landed.rejected_by_reason == {"unreadable_update": 1}
        assert (landed.rows_in, landed.inserted, landed.updated) == (4, 1, 2)
        warned = fetched(database, "SELECT comm_communicationid, reason FROM staging.ic_field_warning ORDER BY 1")
        assert [tuple(warning.values()) for warning in warned] == [(3, "unreadable"), (5, "unreadable")]
        bring_up_to_date(database)
        notes = fetched(database, "SELECT comm_note FROM staging.ic_communication_master ORDER BY comm_communicationid")
        assert [note["comm_note"] for note in notes] == ["Note 1", "Note 2", "corrected", "Note 4", "corrected"]

    def test_within_a_drop(self, database: str, tmp_path: Path) -> None:
        bad = {"Comm_UpdatedDate": "soon", "Comm_Note": "other"}
        rows = [
            row(1, **bad),
            row(1),  # dated, hence the newer of the two
            row(2, Comm_UpdatedDate=""),
            row(2, **bad),  # newer than one without a date, whatever it says
            row(3, **bad),
            row(3, **{**bad, "Comm_UpdatedDate": "later"}),
        ]
        landed = land(database, write_drop(tmp_path / "a.csv", rows))
        assert rejected(database, landed.drop_key) == {
            2: "superseded_in_drop",
            4: "superseded_in_drop",
            6: "superseded_in_drop",
            7: "unreadable_update",
        }
        assert landed.inserted == 2

    def test_the_further_people_of_a_rejected_version_go_with_it(self, database: str, tmp_path: Path) -> None:
        land(database, write_drop(tmp_path / "a.csv", [row(1)]))
        bad = {"Comm_UpdatedDate": "soon", "Comm_Note": "other"}
        landed = land(database, write_drop(tmp_path / "b.csv", [row(1, **bad), row(1, Person_Id=7, **bad), row(2)]))
        assert landed.rejected_by_reason == {"unreadable_update": 2}
        assert (landed.rows_in, landed.inserted, landed.joined) == (3, 1, 0)


class TestDropsThatLoadNothing:
    SLASHES = {"Comm_CreatedDate": "1/3/2019", "Comm_UpdatedDate": "1/3/2019"}  # noqa: RUF012

    def test_it_says_which_setting_would_read_it_and_loads_once_that_is_set(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_drop(tmp_path / "slashes.csv", [row(1, "1/3/2019 10:00", **self.SLASHES)] * 2)
        landed = land(database, path)
        assert landed.rejected_by_reason == {"unreadable_required": 2}
        verdict = loads(database)
        assert not verdict.passed
        assert "2 of 2 rows are rejected as unreadable_required" in verdict.figure
        assert "line 2, Comm_DateTime `1/3/2019 10:00`" in verdict.figure
        assert "`IC_DATE_ORDER=DMY` would read `1/3/2019 10:00` (`MDY` if the month comes first)" in verdict.figure
        again = land(database, path)
        assert (again.already_landed, again.drop_key, again.rejected) == (False, landed.drop_key, 2)
        monkeypatch.setenv("IC_DATE_ORDER", "DMY")
        loaded = land(database, path)
        assert (loaded.inserted, loaded.drop_key) == (1, landed.drop_key)
        assert len(rejected(database, landed.drop_key)) == 1
        assert loads(database).passed
        assert land(database, path).already_landed

    def test_what_is_shown_of_it(self, database: str, tmp_path: Path) -> None:
        """The order that the dates show; but no names that stand in a wrong column."""
        rows = [row(1, "1/3/2019", **self.SLASHES), row(2, "3/25/2019 09:00", **self.SLASHES)]
        land(database, write_drop(tmp_path / "slashes.csv", rows))
        assert "`IC_DATE_ORDER=MDY` would read `3/25/2019 09:00`; set it" in loads(database).figure
        land(database, write_drop(tmp_path / "shifted.csv", [row(1, "Ada Lovelace <ada@example.com>")]))
        figure = loads(database).figure
        assert "Comm_DateTime `A… L…" in figure
        assert "(and 1 other drop)" in figure
        assert "Lovelace" not in figure
        assert "ada@" not in figure

    def test_the_hint_about_an_id_is_about_ids(self, database: str, tmp_path: Path) -> None:
        land(database, write_drop(tmp_path / "ids.csv", [row(1, Comm_CommunicationId="12.000")]))
        figure = loads(database).figure
        assert figure.endswith("Correct it in the source; ids are plain digits, such as 12345.")
        assert "YYYY" not in figure

    def test_more_than_half_for_one_reason(self, database: str, tmp_path: Path) -> None:
        for bad, is_trouble in ((2, False), (3, True)):
            rows = [row(10 * bad + number, "1999-12-31" if number < bad else "2019-03-05") for number in range(4)]
            land(database, write_drop(tmp_path / f"{bad}.csv", rows))
            verdict = loads(database)
            assert verdict.passed != is_trouble
            assert ("IC_PARTITIONS_START" in verdict.figure) == is_trouble

    def test_rows_whose_newer_version_is_loaded_are_no_trouble(self, database: str, tmp_path: Path) -> None:
        land(database, write_drop(tmp_path / "a.csv", [row(1, Comm_UpdatedDate=NEWER)]))
        landed = land(database, write_drop(tmp_path / "b.csv", [row(1)]))
        assert landed.rejected_by_reason == {"stale": 1}
        assert loads(database).passed

    def test_a_file_of_the_same_name_that_loads_ends_the_trouble(self, database: str, tmp_path: Path) -> None:
        land(database, write_drop(tmp_path / "a.csv", [row(1, "soon")]))
        assert not loads(database).passed
        land(database, write_drop(tmp_path / "a.csv", [row(1)]))
        assert loads(database).passed

    def test_the_same_content_under_other_settings_is_another_drop(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_drop(tmp_path / "zeros.csv", [row(1, Comm_CaseId=0)])
        first = land(database, path)
        assert land(database, path).already_landed
        change_setting(database, "IC_ZERO_IDS", "keep")
        monkeypatch.setenv("IC_ZERO_IDS", "keep")
        second = land(database, path)
        assert (second.drop_key, second.updated) == (f"{first.drop_key}.2", 1)
        assert land(database, path).already_landed
        change_setting(database, "IC_ZERO_IDS", "missing")
        monkeypatch.delenv("IC_ZERO_IDS")
        assert land(database, path).already_landed
        found = fetched(database, "SELECT drop_key, reading FROM staging.ic_drop ORDER BY drop_id")
        assert [drop["drop_key"] for drop in found] == [first.drop_key, second.drop_key]
        assert found[1]["reading"] == "IC_ENCODING= IC_DATE_ORDER=YMD IC_SOURCE_TIMEZONE=UTC IC_ZERO_IDS=keep"

    def test_after_a_roll_back_of_the_master_the_same_file_loads(self, database: str, tmp_path: Path) -> None:
        path = write_drop(tmp_path / "a.csv", [row(1)])
        land(database, path)
        with opened(database) as opened_database, opened_database.transaction() as connection:
            rollback.rollback(connection, "master", None)
        assert land(database, path).inserted == 1


class TestRefusals:
    def test_a_file_that_is_none_of_ours_is_on_record_once(self, database: str, tmp_path: Path) -> None:
        path = tmp_path / "letter.csv"
        path.write_text("Dear Sir,\n")
        for _ in range(2):
            with pytest.raises(DropRefused) as caught:
                first_look.inspected(path)
            with opened(database) as opened_database, opened_database.transaction() as connection:
                drop_landing.record_refusal(connection, path, caught.value)
        (drop,) = fetched(database, "SELECT state, file_name, error_message FROM staging.ic_drop")
        assert (drop["state"], drop["file_name"]) == ("refused", "letter.csv")
        assert "no CSV of communications" in drop["error_message"]

    def test_what_was_read_is_on_record(self, database: str, tmp_path: Path) -> None:
        path = tmp_path / "polish.csv"
        write_drop(path, [row(1, Comm_Note="Zażółć gęślą jaźń")])
        path.write_bytes(path.read_text("utf-8").encode("cp1250"))
        land(database, path)
        (drop,) = fetched(database, "SELECT encoding, words FROM staging.ic_drop")
        assert drop == {"encoding": "windows-1252", "words": ["Za¿ó³æ", "gêœl¹", "jaŸñ"]}


def test_a_text_longer_than_an_index_takes_stops_no_load(database: str, tmp_path: Path) -> None:
    letters = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=9000))
    texts = ("Comm_Type", "Comm_Action", "Comm_Status", "Comm_Priority", "Comm_Subject", "Comm_Email_Clean")
    texts += ("Person_FirstName", "Person_LastName", "Person_EmailAddress", "Company_Name")
    for turn, names in enumerate((texts[:1], texts, ())):
        land(database, write_drop(tmp_path / f"{turn}.csv", [row(turn, **dict.fromkeys(names, letters))]))
        bring_up_to_date(database)
        with opened(database) as opened_database, opened_database.transaction() as connection:
            verdicts = {verdict.rule.name: verdict for verdict in judge(connection)}
        # Of the notes, which what nobody knows becomes; the last row is a call.
        found = verdicts["types_are_recognised"]
        assert (found.failing, found.checked) == (min(turn + 1, 2),) * 2


class TestReconciliationFiles:
    def reconcile(self, database: str, path: Path) -> matches.Reconciled:
        with psycopg.connect(database) as connection:
            return matches.reconcile(connection, matches.ENTITIES["contacts"], path)

    UNTRUSTED = (
        ("legacy_id;hubspot_id\n5;901\n1.000;901.000\n", ("line 3, column legacy_id", "'1.000'")),
        ("legacy_id;hubspot_id\n5;901.000\n", ("line 2, column hubspot_id", "'901.000'")),
        ('legacy_id,hubspot_id,name\n5,9,"a \\"b\\""\n', ("line 2", "neither doubled")),
        ("legacy_id,hubspot_id\n5,9\n6,7,8\n", ("line 3", "3 fields")),
        ("legacy_id,hubspot_id\n5,\0\n", ("line 2", "whole number")),
        ("id,name\n", ("line 1", "legacy_id")),
        ("", ("is empty",)),
        ('legacy_id,hubspot_id\n5,"9', ("line 2", "never closes")),
        (f"legacy_id,hubspot_id\n{'7' * 100_000},9\n", ("line 2, column legacy_id", "…")),
    )

    def test_what_cannot_be_trusted_is_refused_by_line(self, database: str, tmp_path: Path) -> None:
        path = tmp_path / "contacts.csv"
        for text, words in self.UNTRUSTED:
            path.write_text(text, newline="")
            with pytest.raises(DropRefused) as caught:
                self.reconcile(database, path)
            assert all(word in str(caught.value) for word in words), caught.value
            assert len(str(caught.value)) < 300
        assert fetched(database, "SELECT 1 FROM staging.contacts_reconciliation") == []

    def test_it_is_read_as_a_drop_is(self, database: str, tmp_path: Path) -> None:
        path = tmp_path / "contacts.csv.gz"
        text = '\n legacy_id;HubSpot_Id;name\r\n\u200b5;9.0;"Zoë ""Z"""\r\n\r\n6;;\r\n\x1a'
        path.write_bytes(gzip.compress(text.encode("utf-16")))
        assert self.reconcile(database, path).matched == 1
        found = fetched(database, "SELECT legacy_contact_id AS id, contact_name FROM staging.contacts_reconciliation")
        assert [tuple(match.values()) for match in found] == [(5, 'Zoë "Z"'), (6, None)]

    def test_gzip_that_unpacks_to_what_no_list_does_is_refused(self, database: str, tmp_path: Path) -> None:
        path = tmp_path / "contacts.csv.gz"
        path.write_bytes(gzip.compress(b"legacy_id,hubspot_id\n" + b"\n" * 80_000_000, 1))
        with pytest.raises(DropRefused, match=r"unpacks to more than \d+ MiB"):
            self.reconcile(database, path)

    def test_memory_does_not_grow_with_the_file(self, database: str, tmp_path: Path) -> None:
        """In a process of its own: 15 MB of text, each line of which would take a kilobyte as Python objects."""
        path = tmp_path / "contacts.csv.gz"
        with gzip.open(path, "wt", 1) as file:
            file.write("legacy_id,hubspot_id,name\n")
            file.writelines(f"{number},{number},{number:0200}\n" for number in range(1, 70_000))
        code = (
            "import resource, sys, psycopg; from pathlib import Path\n"
            "from ic_assets.activities.engine.reconciliation import matches as r\n"
            "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
            "before = used()\n"
            "with psycopg.connect(sys.argv[1]) as c:\n"
            "    print(r.reconcile(c, r.ENTITIES['contacts'], Path(sys.argv[2])).changed)\n"
            "print(used() - before)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, database, path], capture_output=True, text=True, check=True)
        changed, megabytes = map(int, done.stdout.split())
        assert changed == 69_999
        assert megabytes < 30


def test_settings_of_reading_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_ZERO_IDS", "drop")
    with pytest.raises(Exception, match="IC_ZERO_IDS='drop' is not one of missing, keep"):
        Settings.from_env()
    monkeypatch.delenv("IC_ZERO_IDS")
    monkeypatch.setenv("IC_OWN_EMAIL", "sales@example")
    with pytest.raises(Exception, match="IC_OWN_EMAIL='sales@example' is not an e-mail address"):
        Settings.from_env()
    monkeypatch.setenv("IC_OWN_EMAIL", "sales@example.com")
    assert Settings.from_env().own_email == "sales@example.com"
