"""Where one row went, asked by line and by id: every fate that a row can have, held against what was put into the drop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine.reports.masked_values import mask_raw, mask_text, mask_value
from ic_assets.activities.engine.reports.trace import Trace, by_id, by_line
from ic_assets.commands.trace import trace
from ic_assets.core.failures import Refused
from ic_assets_tests.drops import (
    CONTACT,
    HUBSPOT_CONTACT,
    bring_up_to_date,
    land,
    reconcile_everything,
    row,
    write_drop,
)

# The lines of first.csv on which its rows start. The third row takes three lines.
INSERTED, TWICE_OLD, LONG, TWICE_NEW, UNREADABLE, ORPHAN, FAX = 2, 3, 4, 7, 8, 9, 10


@pytest.fixture(scope="module")
def drops(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Address of the database, keys of the two drops. Tests only add to them: further drops, and places in the ledger."""
    database, tmp_path = module_database, tmp_path_factory.mktemp("drops")
    reconcile_everything(database)
    first = write_drop(
        tmp_path / "first.csv",
        [
            row(1, Comm_ToDateTime="soon grace@example.com"),
            row(2, Comm_UpdatedDate="2020-02-01"),
            row(3, kind="Note", Comm_Note="one\ntwo\nthree"),
            row(2, kind="Email", Comm_UpdatedDate="2020-03-01"),
            row(4, "31.02.2019", Person_EmailAddress="grace.hopper@example.com"),
            row(5, kind="Task", Person_Id=777),
            row(6, kind="Fax <grace@example.com>", Person_Id=""),
        ],
    )
    second = write_drop(
        tmp_path / "second.csv",
        [
            row(1, Comm_UpdatedDate="2021-01-01", Comm_Subject="changed"),
            row(2, kind="Email", Comm_UpdatedDate="2020-03-01"),
            row(3, kind="Note", Comm_UpdatedDate="2001-01-01"),
        ],
    )
    keys = [land(database, path).drop_key for path in (first, second)]
    bring_up_to_date(database)
    return database, keys[0], keys[1]


def line(drops: tuple[str, str, str], number: int, name: str | None = "first.csv", *, full: bool = False) -> Trace:
    with psycopg.connect(drops[0]) as connection:
        return by_line(connection, name, number, full=full)


def said(found: Trace) -> str:
    return " ".join([*found.notes, *found.sentences, found.next_step])


@pytest.fixture(autouse=True)
def later_drops_go(drops: tuple[str, str, str]) -> Iterator[None]:
    """What a test added."""
    yield
    with psycopg.connect(drops[0]) as connection:
        connection.execute("DELETE FROM hubspot.push_ledger")
        connection.execute("DELETE FROM staging.ic_rejected_row WHERE drop_key <> ALL(%s)", (list(drops[1:]),))
        connection.execute("DELETE FROM staging.ic_drop WHERE drop_key <> ALL(%s)", (list(drops[1:]),))
        connection.execute(
            "UPDATE staging.ic_month AS m SET change_number = s.change_number FROM staging.ic_month_stage AS s"
            " WHERE s.comm_month = m.comm_month AND s.stage = 'master'"
        )


def pushed(database: str, communication: int, kind: str, state: str, **columns: object) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO hubspot.portal (portal_id, base_url, last_pushed_at)"
            " VALUES (42, 'http://127.0.0.1:8090', now()) ON CONFLICT DO NOTHING"
        )
        names = "".join(f", {name}" for name in columns)
        values = ", %s" * len(columns)
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, record_key, object_type, activity_type, activity_month,"
            f" state{names}) VALUES (42, %s, %s, %s, '2019-03-01', %s{values})".encode(),
            (communication, kind, kind, state, *columns.values()),
        )


# -- by line -----------------------------------------------------------------------------------------


def test_a_row_is_followed_from_its_line_to_its_record_in_hubspot(drops: tuple[str, str, str]) -> None:
    database, first, _ = drops
    pushed(database, 2, "emails", "pushed", hubspot_id=4711)
    found = line(drops, TWICE_NEW)
    assert (found.drop, found.line, found.communication, found.fate) == (first, TWICE_NEW, 2, "inserted")
    assert found.master
    assert (found.master["activity_type"], found.table) == ("emails", "staging.ic_emails")
    assert found.record["email_subject"] == "S… 2"
    (reference,) = found.references
    assert (reference.entity, reference.legacy_id, reference.hubspot_id) == ("contacts", CONTACT, HUBSPOT_CONTACT)
    assert [(one["portal"], one["state"], one["hubspot_id"]) for one in found.hubspot] == [(42, "pushed", 4711)]
    assert found.hubspot[0]["link"] == "http://127.0.0.1:8090/emails/4711"
    assert said(found).strip() == (
        f"Line 7 of {first} brought communication 2, which was new. Its type 'Email' makes it an email of 2019-03."
        " It stands in HubSpot (portal 42) as email 4711."
    )
    assert [(one["drop"], one["line"], one["fate"]) for one in found.history] == [
        (first, TWICE_OLD, "superseded_in_drop"),
        (first, TWICE_NEW, "inserted"),
        (drops[2], 3, "unchanged"),
    ]


def test_a_rejected_row_says_why_and_what_to_do_and_shows_its_text(drops: tuple[str, str, str]) -> None:
    found = line(drops, UNREADABLE)
    assert (found.fate, found.reason, found.column, found.communication) == (
        "rejected", "unreadable_required", "comm_datetime", 4,
    )  # fmt: skip
    assert "was rejected: a required value cannot be read (comm_datetime)" in said(found)
    assert found.next_step.startswith("Correct it in the source")
    assert found.raw_row
    assert "31.02.2019" in found.raw_row
    assert "grace" not in found.raw_row
    assert "grace.hopper@example.com" in str(line(drops, UNREADABLE, full=True).raw_row)


def test_a_superseded_a_stale_an_unchanged_and_a_replaced_row_name_the_version_that_stands(
    drops: tuple[str, str, str],
) -> None:
    _, first, second = drops
    for number, name, fate, words in (
        (TWICE_OLD, "first.csv", "superseded_in_drop", f"Communication 2 stands as of line 7 of {first}."),
        (4, "second.csv", "stale", f"Communication 3 stands as of line 4 of {first}."),
        (3, "second.csv", "unchanged", "holds communication 2 as it stood already."),
        (INSERTED, "first.csv", "inserted", f"A later version replaced it: line 2 of {second}."),
        (2, "second.csv", "updated", f"Line 2 of {second} changed communication 1."),
    ):
        found = line(drops, number, name)
        assert (found.fate, words in said(found)) == (fate, True), said(found)
        assert "Correct" not in found.next_step


def test_an_orphan_and_an_unknown_type_say_what_is_missing(drops: tuple[str, str, str]) -> None:
    orphan = line(drops, ORPHAN)
    assert [(one.legacy_id, one.hubspot_id, one.why) for one in orphan.references] == [
        (777, None, "not in the reconciliation table")
    ]
    assert "an orphan" in said(orphan)
    assert orphan.next_step == "Add contact 777 with `ic-assets reconcile contacts FILE`, then `ic-assets load`."
    fax = line(drops, FAX)
    assert "The classification does not know its type 'Fax <g…@e….com>', so it became a note of 2019-03." in said(fax)
    assert "carries no reference" in fax.next_step


def test_a_field_that_became_null_is_named(drops: tuple[str, str, str]) -> None:
    assert line(drops, INSERTED).warnings == [
        {"column": "comm_todatetime", "reason": "unreadable", "raw_value": "s… g…@e….com"}
    ]


def test_a_line_inside_a_row_stands_for_it_and_one_without_a_row_is_refused(drops: tuple[str, str, str]) -> None:
    for inside in (5, 6):
        found = line(drops, inside)
        assert (found.line, found.communication) == (LONG, 3)
        assert f"Line {inside} lies inside the row that starts on line 4." in found.notes
    for number, words in (
        (1, "its first row starts on line 2"),
        (11, "the row before it starts on line 10 and is its last"),
    ):
        with pytest.raises(Refused, match=words):
            line(drops, number)


def test_the_newest_drop_answers_where_none_or_several_are_meant(drops: tuple[str, str, str], tmp_path: Path) -> None:
    database, first, second = drops
    assert line(drops, 2, None).drop == second
    assert first in line(drops, 2, None).notes[0]
    again = land(database, write_drop(tmp_path / "later" / "first.csv", [row(50)])).drop_key
    assert line(drops, 2, str(tmp_path / "first.csv")).drop == again
    assert line(drops, 2, first).drop == first
    with pytest.raises(Refused, match=r"no drop is named 'nope.csv'; there are first.csv@"):
        line(drops, 2, "nope.csv")


def test_a_row_whose_month_is_out_of_date_says_so(drops: tuple[str, str, str], tmp_path: Path) -> None:
    land(drops[0], write_drop(tmp_path / "third.csv", [row(60, "2022-01-01"), row(2, Comm_UpdatedDate="2023-01-01")]))
    found = line(drops, 2, "third.csv")
    assert found.master is None
    assert "its month is out of date" in said(found)
    assert "ic-assets load" in found.next_step
    assert "out of date" in said(line(drops, 3, "third.csv"))


# -- where it stands in HubSpot ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "columns", "words"),
    [
        ("pushed", {"hubspot_id": 11}, "stands in HubSpot (portal 42) as note 11."),
        ("removed", {}, "was taken back from HubSpot (portal 42)."),
        ("failed", {"last_error": "no such owner"}, "HubSpot refused it (portal 42): no such owner."),
        ("held", {"last_error": "two records", "error_category": "CONFLICT"}, "held back (portal 42): two records."),
        ("unknown", {"action": "create", "worker": 1}, "is not known yet (portal 42)."),
        ("pending", {"action": "update", "hubspot_id": 11}, "A change of it waits for the next push."),
        ("pending", {"action": "create"}, "No push has sent it to HubSpot yet."),
    ],
)
def test_each_state_of_the_ledger_has_its_sentence(
    drops: tuple[str, str, str], state: str, columns: dict[str, object], words: str
) -> None:
    pushed(drops[0], 3, "notes", state, **columns)
    assert words in said(line(drops, LONG))


# -- by id, and the command --------------------------------------------------------------------------


def test_an_id_finds_the_version_that_stands_or_the_last_that_carried_it(drops: tuple[str, str, str]) -> None:
    database, first, second = drops
    with psycopg.connect(database) as connection:
        assert (by_id(connection, 1).drop, by_id(connection, 1).line) == (second, 2)
        assert (by_id(connection, 3).drop, by_id(connection, 3).line) == (first, LONG)
        assert by_id(connection, 4).reason == "unreadable_required"
        with pytest.raises(Refused, match="communication 99 is in no drop"):
            by_id(connection, 99)


@pytest.fixture
def command(drops: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    monkeypatch.setenv("IC_POSTGRES_URL", drops[0])
    return drops


def test_the_command_tells_it_to_people_and_to_programs_masked_unless_asked(
    command: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert trace("first.csv", "8", None, full=False, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "What to do: Correct it in the source" in shown
    assert "hopper" not in shown
    assert trace("3", None, None, full=False, as_json=True) == 0, "a lone number is a line of the newest drop"
    assert json.loads(capsys.readouterr().out)["drop"] == command[2]
    assert trace(None, None, 2, full=False, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["communication"], found["master"]["activity_type"]) == (2, "emails")
    assert "ada.example" not in json.dumps(found)
    assert trace(None, None, 2, full=True, as_json=True) == 0
    assert "ada.example@example.com" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("drop", "number", "communication", "words"),
    [
        (None, None, None, "name a row"),
        ("first.csv", None, None, "name a row"),
        ("first.csv", "x", None, "'x' is no line number"),
        ("first.csv", "2", 1, "name a row"),
        ("first.csv", None, 1, "leave out the file"),
    ],
)
def test_a_question_without_a_row_is_refused(
    drop: str | None, number: str | None, communication: int | None, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        trace(drop, number, communication, full=False, as_json=False)


def test_text_that_would_steer_the_terminal_does_not_reach_it(
    command: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(command[0], write_drop(tmp_path / "bell.csv", [row(70, "never", Comm_Note="a\x1b[31mb\x07")]))
    trace("bell.csv", "2", None, full=True, as_json=False)
    assert "a[31mb" in (shown := capsys.readouterr().out)
    assert "\x1b" not in shown


# -- masking -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("Call Alan Turing, +49 170 1234567", "C… A… T…, +4… 1… 1…"),
        ("see <grace.hopper@example.com>!", "s… <g…@e….com>!"),
        ("日本語 Zoë", "日… Z…"),
        ("a b 1", "a b 1"),
        ("", ""),
    ],
)
def test_free_text_is_cut_to_the_first_characters_of_its_words(text: str, mask: str) -> None:
    assert mask_text(text) == mask


def test_dates_stay_in_raw_text_and_nothing_else_does() -> None:
    assert mask_raw("12,Grace,31.02.2019 10:00,0170 123456,g@example.com,2019-02-30") == (
        "1…,G…,31.02.2019 10:00,0… 1…,g…@e….com,2019-02-30"
    )
    assert mask_raw("1899-12-30 00:00:00") == "1899-12-30 00:00:00"
    assert mask_raw("9999-12-31 of 1234-12-12") == "9999-12-31 o… 1…-1…-1…"


def test_numbers_and_vocabulary_stay_but_not_an_address_in_them() -> None:
    assert mask_value("comm_status", "No answer") == "No answer"
    assert mask_value("comm_status", "by grace@example.com") == "by g…@e….com"
    assert mask_value("comm_status", "a sentence about Alan Turing that is no status at all").startswith("a s…")
    assert mask_value("person_lastname", "Hopper") == "H…"
    assert mask_value("person_id", 777) == 777
