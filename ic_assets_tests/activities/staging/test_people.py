"""One communication with several people or companies, and rows that the source deleted: from the drop to the master."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.activities.engine.judging.rules import judge, resolution_rules
from ic_assets.activities.engine.reconciliation.impact import impact
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, reconcile, what_if
from ic_assets.activities.engine.reports.trace import by_id
from ic_assets.activities.engine.staging import slices
from ic_assets_tests.drops import HEADER, bring_up_to_date, land, row, write_drop

NEWER = {"Comm_UpdatedDate": "2020-02-01 00:00:00"}
OLDER = {"Comm_UpdatedDate": "2019-12-01 00:00:00"}
DELETED = (*HEADER, "Comm_Deleted")


def person(number: int, company: int | None = None, **values: object) -> dict[str, object]:
    """The columns of person 1, 2, 3 …, of whom 1 to 3 have HubSpot records 9001 to 9003."""
    return {
        "Person_Id": number,
        "Person_FirstName": f"P{number}",
        "Person_LastName": "Quill",
        "Person_EmailAddress": f"p{number}@example.com",
        "Company_Id": company or "",
        "Company_Name": f"Company {company}" if company else "",
        **values,
    }


def query(postgres_url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres_url) as connection:
        return connection.execute(text.encode()).fetchall()


@pytest.fixture
def staging(database: str) -> str:
    with psycopg.connect(database) as connection:
        for singular, plural in (("contact", "contacts"), ("company", "companies"), ("deal", "deals")):
            connection.execute(
                f"INSERT INTO staging.{plural}_reconciliation (legacy_{singular}_id, hubspot_{singular}_id)"
                " SELECT n, 9000 + n FROM generate_series(1, 3) AS n".encode()
            )
    return database


class Drops:
    """Lands drops of one folder, each as a file of its own."""

    def __init__(self, postgres_url: str, folder: Path) -> None:
        self.postgres_url = postgres_url
        self.folder = folder
        self.number = 0

    def __call__(self, *rows: dict[str, object], header: Any = HEADER) -> dict[str, int]:
        self.number += 1
        path = write_drop(self.folder / f"drop_{self.number}.csv", rows, header)
        landed = land(self.postgres_url, path)
        bring_up_to_date(self.postgres_url)
        with psycopg.connect(self.postgres_url) as connection:
            failed = [v.rule.name for v in judge(connection) if v.rule.name in ("drop_identity", "landed", "coverage")]
            red = [v.rule.name for v in judge(connection) if v.rule.name in failed and not v.passed]
        assert red == []
        counts = {name: getattr(landed, name) for name in ("inserted", "updated", "unchanged", "joined", "rejected")}
        assert sum(counts.values()) == landed.rows_in == len(rows)
        return {name: count for name, count in {**counts, **landed.rejected_by_reason}.items() if count}


@pytest.fixture
def drop(staging: str, tmp_path: Path) -> Drops:
    return Drops(staging, tmp_path)


def parties(postgres_url: str, communication: int = 1) -> list[tuple[Any, ...]]:
    return query(
        postgres_url,
        "SELECT position, person_id, company_id, hubspot_contact_id, hubspot_company_id"
        f" FROM staging.ic_communication_party WHERE comm_communicationid = {communication} ORDER BY position",
    )


# -- one communication, several people ---------------------------------------------------------------


def test_the_rows_of_one_meeting_are_one_communication_with_its_people_in_the_order_of_the_file(
    drop: Drops, staging: str
) -> None:
    counts = drop(
        row(1, kind="Meeting", **person(2, 2)),
        row(2, **person(1)),
        row(1, kind="Meeting", **person(1, 1)),
        row(1, kind="Meeting", **person(3)),
    )
    assert counts == {"inserted": 2, "joined": 2}
    assert query(
        staging,
        "SELECT comm_communicationid, person_id, person_firstname, source_line"
        " FROM staging.ic_communication_master ORDER BY 1",
    ) == [(1, 2, "P2", 2), (2, 1, "P1", 3)]
    assert parties(staging) == [(2, 1, 1, 9001, 9001), (3, 3, None, 9003, None)]


def test_a_row_that_repeats_a_person_exactly_is_joined_and_adds_nobody(drop: Drops, staging: str) -> None:
    rows = [row(1, **person(number)) for number in (1, 2, 3, 2, 1)]
    assert drop(*rows) == {"inserted": 1, "joined": 4}
    assert [each[:2] for each in parties(staging)] == [(2, 2), (3, 3)]


def test_rows_that_are_equal_in_every_column_are_a_plain_repetition(drop: Drops, staging: str) -> None:
    assert drop(row(1, **person(1)), row(1, **person(1))) == {"inserted": 1, "rejected": 1, "superseded_in_drop": 1}
    assert parties(staging) == []


def test_a_row_that_differs_in_another_column_makes_all_of_them_versions(drop: Drops, staging: str) -> None:
    counts = drop(row(1, **person(1)), row(1, **person(2)), row(1, **person(3), Comm_Subject="Another"))
    assert counts == {"inserted": 1, "rejected": 2, "superseded_in_drop": 2}
    assert query(staging, "SELECT person_id, comm_subject FROM staging.ic_communication_master") == [(3, "Another")]
    assert parties(staging) == []


def test_the_same_people_again_in_any_order_are_unchanged(drop: Drops, staging: str) -> None:
    drop(*(row(1, **person(number)) for number in (1, 2, 3)))
    assert drop(*(row(1, **person(number)) for number in (3, 1, 2)), row(2)) == {
        "inserted": 1,
        "unchanged": 1,
        "joined": 2,
    }
    assert [each[1] for each in parties(staging)] == [2, 3]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ((1, 2), [2]),
        ((1, 2, 3, 4), [2, 3, 4]),
        ((1,), []),
        ((2, 3), [3]),
    ],
)
def test_one_person_fewer_or_more_is_an_update_that_replaces_them(
    drop: Drops, staging: str, later: tuple[int, ...], expected: list[int]
) -> None:
    drop(*(row(1, **person(number)) for number in (1, 2, 3)))
    joined = {"joined": len(later) - 1} if len(later) > 1 else {}
    assert drop(*(row(1, **person(number)) for number in later)) == {"updated": 1, **joined}
    assert [each[1] for each in parties(staging)] == expected
    assert query(staging, "SELECT person_id FROM staging.ic_communication_master") == [(later[0],)]


def test_a_person_more_on_a_communication_that_had_one_is_an_update(drop: Drops, staging: str) -> None:
    drop(row(1, **person(1)))
    assert drop(row(1, **person(1)), row(1, **person(2))) == {"updated": 1, "joined": 1}
    assert [each[1] for each in parties(staging)] == [2]


def test_people_of_a_stale_version_are_stale_with_it(drop: Drops, staging: str) -> None:
    drop(row(1, **person(1)), row(1, **person(2)))
    assert drop(row(1, **person(1), **OLDER), row(1, **person(3), **OLDER)) == {"rejected": 2, "stale": 2}
    assert [each[1] for each in parties(staging)] == [2]


def test_a_drop_without_columns_of_people_leaves_them_in_place(drop: Drops, staging: str) -> None:
    drop(row(1, **person(1)), row(1, **person(2)))
    header = [name for name in HEADER if not name.startswith(("Person_", "Company_"))]
    short = {name: value for name, value in row(1, Comm_Subject="Another", **NEWER).items() if name in header}
    assert drop(short, header=header) == {"updated": 1}
    assert drop({**short, "Comm_Note": "More"}, header=header) == {"updated": 1}
    assert query(staging, "SELECT person_id, comm_subject FROM staging.ic_communication_master") == [(1, "Another")]
    assert [each[1] for each in parties(staging)] == [2]


def test_people_move_with_their_communication_to_another_month(drop: Drops, staging: str) -> None:
    drop(row(1, **person(1)), row(1, **person(2)))
    april = {"when": "2019-04-05 10:00:00", **NEWER}
    assert drop(row(1, **person(1), **april), row(1, **person(3), **april)) == {"updated": 1, "joined": 1}
    assert [each[1] for each in parties(staging)] == [3]


# -- deleted in the source ---------------------------------------------------------------------------


def deleted(number: int, **values: object) -> dict[str, object]:
    return row(number, Comm_Deleted=values.pop("flag", 1), **values)


def test_a_deleted_row_is_rejected_and_takes_out_the_communication_that_stands(drop: Drops, staging: str) -> None:
    drop(row(1, **person(1)), row(1, **person(2)), row(2))
    counts = drop(row(3, Comm_Deleted=""), deleted(1, **NEWER), header=DELETED)
    assert counts == {"inserted": 1, "rejected": 1, "deleted_in_source": 1}
    assert query(staging, "SELECT comm_communicationid FROM staging.ic_communication_master ORDER BY 1") == [(2,), (3,)]
    assert query(staging, "SELECT count(*) FROM staging.ic_calls") == [(2,)]
    assert parties(staging) == []
    with psycopg.connect(staging) as connection:
        assert slices.out_of_date(connection) == []


@pytest.mark.parametrize(
    ("rows", "expected", "standing"),
    [
        # The deleted row is the newest of the drop, by date or by position.
        ([row(1), deleted(1, **NEWER)], {"rejected": 2, "deleted_in_source": 1, "superseded_in_drop": 1}, []),
        (
            [row(1, **person(2)), row(1, **person(3)), deleted(1)],
            {"rejected": 3, "deleted_in_source": 1, "superseded_in_drop": 2},
            [],
        ),
        # It was taken back since.
        ([row(1, **NEWER, Comm_Note="New"), deleted(1)], {"updated": 1, "rejected": 1, "deleted_in_source": 1}, [(1,)]),
        ([deleted(1), row(1, Comm_Note="New")], {"updated": 1, "rejected": 1, "deleted_in_source": 1}, [(1,)]),
        # Known to be older than what stands.
        ([deleted(1, **OLDER)], {"rejected": 1, "deleted_in_source": 1}, [(1,)]),
        # Without a date the deletion is the later word.
        ([deleted(1, Comm_UpdatedDate="")], {"rejected": 1, "deleted_in_source": 1}, []),
    ],
)
def test_the_newest_word_about_a_communication_counts_deletions_included(
    drop: Drops, staging: str, rows: list[dict[str, object]], expected: dict[str, int], standing: list[tuple[int]]
) -> None:
    drop(row(1))
    assert drop(*rows, header=DELETED) == expected
    assert query(staging, "SELECT comm_communicationid FROM staging.ic_communication_master") == standing


def test_a_later_drop_brings_a_deleted_communication_back_and_an_older_one_does_not(drop: Drops, staging: str) -> None:
    drop(row(1), row(2))
    drop(deleted(1, **NEWER), row(2), header=DELETED)
    assert drop(row(1), row(2, Comm_Note="Old news", **OLDER)) == {"rejected": 2, "stale": 2}
    assert drop(row(1, **NEWER)) == {"inserted": 1}
    assert query(staging, "SELECT comm_communicationid FROM staging.ic_communication_master ORDER BY 1") == [(1,), (2,)]
    assert drop(row(1, **NEWER), row(4)) == {"inserted": 1, "unchanged": 1}
    # The column of update dates is not there: the later drop wins.
    header = [name for name in DELETED if name != "Comm_UpdatedDate"]
    undated = [{name: value for name, value in each.items() if name in header} for each in (deleted(1), row(1))]
    assert drop(undated[0], header=header) == {"rejected": 1, "deleted_in_source": 1}
    assert drop(undated[1], header=header) == {"inserted": 1}


@pytest.mark.parametrize("flag", ["1", "true", "Yes", " Y ", "T", "-1", "1.0", "x"])
def test_what_counts_as_deleted(drop: Drops, flag: str) -> None:
    assert drop(deleted(1, flag=flag), header=DELETED) == {"rejected": 1, "deleted_in_source": 1}


def test_a_deletion_flag_that_cannot_be_read_deletes_nothing_and_is_warned_of(drop: Drops, staging: str) -> None:
    flags = ["", "0", "False", "n", "NULL", "0.0", "perhaps", "2019-03-01"]
    header = ["COMM_DELETED", *HEADER]
    rows = [{"COMM_DELETED": flag, **row(number)} for number, flag in enumerate(flags, 1)]
    assert drop(*rows, header=header) == {"inserted": len(flags)}
    assert query(
        staging,
        "SELECT line_number, column_name, raw_value, reason FROM staging.ic_field_warning ORDER BY 1",
    ) == [(8, "comm_deleted", "perhaps", "unreadable"), (9, "comm_deleted", "2019-03-01", "unreadable")]
    assert query(staging, "SELECT unknown_columns FROM staging.ic_drop") == [([],)]


def test_what_is_rejected_for_another_reason_deletes_nothing(drop: Drops, staging: str) -> None:
    drop(row(1))
    counts = drop(deleted(1, when="1950-01-01", **NEWER), deleted(1, kind="", **NEWER), header=DELETED)
    assert counts == {"rejected": 2, "out_of_range": 1, "missing_required": 1}
    assert query(staging, "SELECT count(*) FROM staging.ic_communication_master") == [(1,)]


# -- their references --------------------------------------------------------------------------------


def figures(postgres_url: str) -> dict[str, tuple[int, int]]:
    """Failing and checked of the rules about references."""
    with psycopg.connect(postgres_url) as connection:
        verdicts = judge(connection, resolution_rules())
        again = judge(connection, resolution_rules(), recount=True)
    assert [(v.failing, v.checked) for v in verdicts] == [(v.failing, v.checked) for v in again]
    return {v.rule.name: (v.failing, v.checked) for v in verdicts}


def meeting(drop: Drops) -> None:
    """Contacts 1, 2 and 7 (unknown) of companies 1, 1 and 8 (unknown), once with contact 7 twice; and one of contact 7
    alone."""
    drop(
        row(1, kind="Meeting", **person(1, 1)),
        row(1, kind="Meeting", **person(7, 1)),
        row(1, kind="Meeting", **person(2, 8)),
        row(1, kind="Meeting", **person(7, 8)),
        row(2, **person(7)),
    )


def test_the_rates_count_every_reference_of_a_communication_once(drop: Drops, staging: str) -> None:
    meeting(drop)
    # Contacts 1, 7, 2 of the first and 7 of the second; companies 1 and 8.
    assert figures(staging) == {
        "contacts_resolved": (2, 4),
        "companies_resolved": (1, 2),
        "deals_resolved": (0, 0),
        "orphans": (1, 2),
        "every_miss_is_logged": (0, 2),
    }
    assert query(
        staging, "SELECT entity_type, legacy_id, communications_affected FROM staging.reconciliation_log ORDER BY 1, 2"
    ) == [("company", 8, 1), ("contact", 7, 2)]
    with psycopg.connect(staging) as connection:
        found = {one.entity: one for one in impact(connection).entities}
    assert (found["contacts"].references, found["contacts"].unresolved) == (4, 2)
    assert [(one.legacy_id, one.name, one.communications) for one in found["companies"].rows] == [(8, "Company 8", 1)]


def test_a_communication_is_no_orphan_while_one_of_its_people_leads_to_hubspot(drop: Drops, staging: str) -> None:
    drop(row(1, **person(7)), row(1, **person(2)), row(2, **person(7)), row(2, **person(8)))
    assert query(
        staging, "SELECT comm_communicationid, is_orphaned FROM staging.ic_communication_master ORDER BY 1"
    ) == [(1, False), (2, True)]
    drop(row(1, **person(7)), row(1, **person(8)))
    assert query(staging, "SELECT bool_and(is_orphaned) FROM staging.ic_communication_master") == [(True,)]


def test_a_match_for_one_of_the_people_reaches_their_communications(drop: Drops, staging: str, tmp_path: Path) -> None:
    meeting(drop)
    file = tmp_path / "contacts.csv"
    file.write_text("legacy_id,hubspot_id\n7,9007\n2,\n", encoding="utf-8")
    with psycopg.connect(staging) as connection:
        gates = {gate.now.rule.name: gate for gate in what_if(connection, ENTITIES["contacts"], file).gates}
        connection.rollback()
        assert reconcile(connection, ENTITIES["contacts"], file).months == (date(2019, 3, 1),)
    assert (gates["contacts_resolved"].now.failing, gates["contacts_resolved"].now.checked) == (2, 4)
    bring_up_to_date(staging)
    now = figures(staging)
    assert now["contacts_resolved"] == (gates["contacts_resolved"].then.failing, 4) == (1, 4)
    assert now["orphans"] == (gates["orphans"].then.failing, 2) == (0, 2)
    assert [each[3:] for each in parties(staging)] == [(9007, 9001), (None, None), (9007, None)]
    with psycopg.connect(staging) as connection:
        connection.execute("UPDATE staging.contacts_reconciliation SET hubspot_contact_id = NULL")
        slices.mark_changed(connection, [date(2019, 3, 1)], "reconciliation")
    bring_up_to_date(staging)
    assert [each[3] for each in parties(staging)] == [None, None, None]
    assert figures(staging)["orphans"] == (1, 2)


# -- their payloads ----------------------------------------------------------------------------------


def payload(postgres_url: str, table: str) -> dict[str, Any]:
    ((found,),) = query(postgres_url, f"SELECT hubspot_api_payload FROM staging.{table}")
    return dict(found)


def associated(postgres_url: str, table: str) -> list[tuple[int, int]]:
    """Record and type of association, in the order of the payload."""
    return [
        (int(each["to"]["id"]), each["types"][0]["associationTypeId"])
        for each in payload(postgres_url, table)["associations"]
    ]


def test_a_payload_names_each_record_once_in_the_order_of_the_file(drop: Drops, staging: str) -> None:
    with psycopg.connect(staging) as connection:
        connection.execute("INSERT INTO staging.contacts_reconciliation VALUES (4, 9002), (5, 9001)")
    # Contacts 2 and 4 are one record in HubSpot, 1 and 5 as well; 7 is not known there.
    drop(
        row(1, kind="Meeting", Comm_OpportunityId=1, **person(1, 2)),
        *(
            row(1, kind="Meeting", Comm_OpportunityId=1, **person(*each))
            for each in ((3, 1), (7, 2), (4, 3), (2, 1), (5, 9))
        ),
    )
    assert associated(staging, "ic_meetings") == [
        (9001, 200), (9002, 188), (9001, 212), (9003, 200), (9002, 200), (9001, 188), (9003, 188),
    ]  # fmt: skip
    ((contact, status),) = query(staging, "SELECT associated_contact_id, api_push_status FROM staging.ic_meetings")
    assert (contact, status) == (9001, "pending")


def test_a_communication_whose_first_person_is_not_in_hubspot_stands_at_the_others(drop: Drops, staging: str) -> None:
    drop(row(1, kind="Note", **person(7)), row(1, kind="Note", **person(2)))
    assert associated(staging, "ic_notes") == [(9002, 202)]
    assert query(staging, "SELECT associated_contact_id, api_push_status FROM staging.ic_notes") == [(None, "pending")]
    drop(row(1, kind="Note", **person(7), **NEWER), row(1, kind="Note", **person(8), **NEWER))
    assert associated(staging, "ic_notes") == []
    assert query(staging, "SELECT api_push_status FROM staging.ic_notes") == [("held",)]


def test_the_continuation_of_a_long_body_stands_at_all_of_them(drop: Drops, staging: str) -> None:
    note = "word " * 20_000
    drop(row(1, kind="Note", Comm_Note=note, **person(1)), row(1, kind="Note", Comm_Note=note, **person(2)))
    ((part,),) = query(staging, "SELECT payload FROM staging.ic_payload_part")
    assert [each["to"]["id"] for each in part["associations"]] == ["9001", "9002"]


@pytest.mark.parametrize(
    ("action", "clean", "expected"),
    [
        ("Out", "", "p1@example.com; P2@example.com; p3@example.com"),
        ("Out", "first@example.com", "first@example.com; P2@example.com; p3@example.com"),
        ("Out", "p3@example.com", "p3@example.com; P2@example.com"),
        ("In", "first@example.com", None),
    ],
)
def test_an_outgoing_email_names_them_all_and_each_address_once(
    drop: Drops, staging: str, action: str, clean: str, expected: str | None
) -> None:
    written = {2: " P2@example.com ", 4: "p2@EXAMPLE.com", 5: "unknown"}
    drop(
        *(
            row(1, kind="Email", Comm_Action=action, Comm_Email_Clean=clean, **{**person(number), **mail})
            for number in (1, 2, 3, 4, 5)
            for mail in [{"Person_EmailAddress": written[number]} if number in written else {}]
        )
    )
    assert query(staging, "SELECT email_to_address FROM staging.ic_emails") == [(expected,)]
    headers = json.loads(payload(staging, "ic_emails")["properties"]["hs_email_headers"])
    assert headers.get("to") == ([{"email": each} for each in expected.split("; ")] if expected else None)


def test_a_trace_names_the_references_of_all_and_what_the_source_deleted(drop: Drops, staging: str) -> None:
    drop(row(1, kind="Note", **person(1, 1)), row(1, kind="Note", **person(7, 1)), row(2))
    with psycopg.connect(staging) as connection:
        found = by_id(connection, 1)
    assert [(each.entity, each.legacy_id, each.hubspot_id) for each in found.references] == [
        ("contacts", 1, 9001),
        ("companies", 1, 9001),
        ("contacts", 7, None),
    ]
    drop(deleted(1, **NEWER), header=DELETED)
    with psycopg.connect(staging) as connection:
        gone = by_id(connection, 1)
    assert (gone.reason, gone.line, gone.master) == ("deleted_in_source", 2, None)
    assert "the source has deleted it" in gone.sentences[0]
