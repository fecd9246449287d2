"""The reports: figures counted by hand or by queries of their own, one self-contained file each, nobody's data in full."""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from ic_assets.activities.engine.reports import quality_report, report, report_rows
from ic_assets.activities.engine.reports.push_report import push_completion
from ic_assets.activities.engine.reports.quality_report import data_quality
from ic_assets.activities.engine.reports.report import Report
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets_tests.drops import COMPANY, CONTACT, bring_up_to_date, land, reconcile_everything, row, write_drop

TYPES = [activity.name.replace("_", " ") for activity in ACTIVITY_TYPES]


class Document(HTMLParser):
    """The tables under each heading (cells that span rows repeated), what is fetched from elsewhere, and what is wrong."""

    VOID = ("meta", "br", "hr", "img", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.fetched: list[str] = []
        self.faults: list[str] = []
        self.text: list[str] = []
        self.pictures: list[Counter[str]] = []
        self._open: list[str] = []
        self._heading = ""
        self._spans: dict[int, tuple[int, str]] = {}
        self._captions = 0
        self._ids: set[str] = set()
        self._links: set[str] = set()
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self._open]
        self.faults += [f"no place {link}" for link in self._links - self._ids]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self._look(tag, given)
        if tag in ("h1", "h2", "h3"):
            self._heading = ""
        elif tag == "table":
            self.tables[self._heading] = []
        elif tag == "tr":
            self.tables[self._heading].append([])
            self._repeat()
        elif tag in ("td", "th"):
            line = self.tables[self._heading][-1]
            if span := given.get("rowspan"):
                self._spans[len(line)] = (int(span), "")
            line.append("")
        elif tag == "svg":
            self.pictures.append(Counter())
        elif tag in ("title", "desc") and self._open[-1] == "svg":
            self.pictures[-1][tag] += 1
        self._captions += (tag == "caption") - (tag == "table")
        if tag not in self.VOID:
            self._open.append(tag)

    def _look(self, tag: str, given: dict[str, str | None]) -> None:
        """For what is fetched, and for what is wrong with one tag."""
        for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            value = given.get(name) or "#"
            if not value.startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")
            if name == "href" and value != "#":
                self._links.add(value[1:])
        if tag in ("script", "iframe", "object", "embed", "link", "base"):
            self.fetched.append(tag)
        if (name := given.get("id")) and (name in self._ids or self._ids.add(name)):  # type: ignore[func-returns-value]
            self.faults.append(f"id {name} stands twice")
        if tag == "th" and given.get("scope") not in ("col", "row", "rowgroup"):
            self.faults.append(f"a heading cell without scope under {self._heading}")
        if tag == "svg" and (given.get("role") != "img" or not given.get("aria-label")):
            self.faults.append(f"a picture without words under {self._heading}")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.handle_starttag(tag, attributes)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")
        if tag == "tr":
            line = self.tables[self._heading][-1]
            self._spans = {at: (left - 1, line[at]) for at, (left, _) in self._spans.items() if left > 1}
        if tag == "table" and self._captions:
            self.faults.append(f"no caption, or more than one, under {self._heading}")
        if tag == "svg" and self.pictures[-1] != Counter(title=1, desc=1):
            self.faults.append(f"a picture without title and description under {self._heading}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self._heading += data.strip()
        if "table" in self._open and ("td" in self._open or "th" in self._open):
            self.tables[self._heading][-1][-1] += data
        self.text.append(data)

    def rows(self, heading: str) -> list[dict[str, str]]:
        """The table under a heading, a dictionary a row."""
        head, *body = self.tables[heading]
        return [dict(zip(head, cells, strict=True)) for cells in body]

    def _repeat(self) -> None:
        line = self.tables[self._heading][-1]
        while len(line) in self._spans:
            line.append(self._spans[len(line)][1])


@pytest.fixture(scope="module")
def two_drops(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two drops. By hand: 7 rows in the first (5 inserted, 2 rejected, 1 warning), 3 in the second (1 updated, 1
    unchanged, 1 stale); two communications refer to contact 777, which nobody knows."""
    database, folder = module_database, tmp_path_factory.mktemp("drops")
    reconcile_everything(database)
    first = [
        row(1, "2019-03-05", Person_EmailAddress="grace.hopper@example.com"),
        row(2, "2019-03-06", "Email", Comm_Email_Clean="grace.hopper@example.com"),
        row(3, "2020-03-07", "Note", Person_Id=777),
        row(4, "2020-04-05", "Fax", Company_Id="<b>soon</b>"),
        row(5, "2020-04-05", Person_Id=777, Company_Id=201),
        row(6, "never"),
        row(7, ""),
    ]
    land(database, write_drop(folder / "first <i>.csv", first))
    second = [
        row(1, "2019-03-05", Comm_UpdatedDate="2021-01-01"),
        first[1],
        row(3, "2020-03-07", "Note", Person_Id=777, Comm_UpdatedDate="2001-01-01"),
    ]
    land(database, write_drop(folder / "second.csv", second))
    bring_up_to_date(database)
    return database


@pytest.fixture
def connection(two_drops: str) -> Iterator[psycopg.Connection]:
    """On the two drops; what a test changes is rolled back."""
    with psycopg.connect(two_drops) as connection:
        yield connection
        connection.rollback()


def count(connection: psycopg.Connection, query: str) -> int:
    found = connection.execute(query.encode()).fetchone()
    assert found
    return int(found[0])


def figure(text: str) -> int:
    return int(text.replace(",", ""))


def in_hubspot(connection: psycopg.Connection, states: dict[int, tuple[str, str, int | None]]) -> None:
    """Gives communications a place in the ledger: type, state, HubSpot id."""
    connection.execute("INSERT INTO hubspot.portal (portal_id, base_url, last_pushed_at) VALUES (42, 'x', now())")
    for communication, (kind, state, hubspot_id) in states.items():
        connection.execute(
            "INSERT INTO hubspot.push_ledger (portal_id, record_key, object_type, activity_type, activity_month,"
            " state, hubspot_id) VALUES (42, %s, %s, %s, '2019-03-01', %s, %s)",
            (communication, kind, kind, state, hubspot_id),
        )


# -- the document ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [data_quality, push_completion])
def test_a_report_is_one_file_that_fetches_nothing_and_parses(
    connection: psycopg.Connection, which: object, tmp_path: Path
) -> None:
    files = report.write(which(connection), tmp_path / "reports")  # type: ignore[operator]
    html = files.html.read_text(encoding="utf-8")
    document = Document(html)
    assert html.startswith("<!doctype html>")
    assert document.fetched == []
    assert document.faults == []
    assert not re.search(r"url\(|@import|javascript:", html)
    assert set(re.findall(r"https?://[^\"' ]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert files.markdown.read_text(encoding="utf-8").startswith("# ")


def test_every_picture_has_its_words_and_every_figure_of_it_stands_in_a_table(connection: psycopg.Connection) -> None:
    document = Document(data_quality(connection).html)
    # The flow, the types by year, the drops.
    assert document.pictures == [Counter(title=1, desc=1)] * 3


def test_the_markdown_holds_the_same_tables(connection: psycopg.Connection) -> None:
    built = data_quality(connection)
    lines = built.markdown.splitlines()
    sections = [*([built.lead] if built.lead else []), *built.sections]
    tables = [part for section in sections for part in (section, *section.parts) if part.rows]
    document = Document(built.html)
    assert len(tables) == len(document.tables)
    for section in tables:
        assert document.tables[section.title][0] == section.columns
        for html_row, cells in zip(document.tables[section.title][1:], section.rows, strict=True):
            assert [text.strip() for text in html_row] == [cell.text.replace("`", "").strip() for cell in cells]
            assert "| " + " | ".join(cell.markdown for cell in cells) + " |" in lines
    for sentence in (built.summary, *(section.text for section in sections if section.text)):
        assert sentence in built.markdown


def test_names_of_files_and_values_are_text_in_both(connection: psycopg.Connection) -> None:
    built = data_quality(connection)
    assert Document(built.html).rows("Drops")[0]["drop"].startswith("first <i>.csv@")
    assert "<i>" not in built.html
    assert re.search(r"\| first \\<i>\.csv@\w{8} \| landed \| 7 \| 5 \| 0 \| 0 \| 0 \| 2 \| 1 \|", built.markdown)


# -- figures -----------------------------------------------------------------------------------------


def test_the_figures_are_those_counted_by_hand(connection: psycopg.Connection) -> None:
    document = Document(data_quality(connection).html)
    names = ("rows in", "inserted", "updated", "unchanged", "rejected", "field warnings")
    assert [[drop[name] for name in names] for drop in document.rows("Drops")] == [
        ["7", "5", "0", "0", "2", "1"],
        ["3", "0", "1", "1", "1", "0"],
    ]
    types = {
        line["activity type"]: (line["total"], line["with contact"], line["orphaned"])
        for line in document.rows("Activity types")
    }
    assert types == {
        "calls": ("2", "1", "0"),
        "emails": ("1", "1", "0"),
        "meetings": ("0", "0", "0"),
        "notes": ("2", "1", "1"),
        "tasks": ("0", "0", "0"),
        "communications": ("0", "0", "0"),
        "postal_mail": ("0", "0", "0"),
    }
    years = [(line["year"], line["calls"], line["total"]) for line in document.rows("Activity types by year")]
    assert years == [("2019", "1", "2"), ("2020", "1", "3")]
    (unknown,) = document.rows("Unrecognised values")
    assert unknown == {
        "column": "comm_type", "value": "fax", "activity type": "notes", "communications": "1", "share": "50.00 %",
        "became": "notes",
    }  # fmt: skip
    rejects = {
        (line["drop"].partition(".")[0], line["reason"], line["rows"], line["lines"])
        for line in document.rows("Rejected rows")
    }
    assert rejects == {
        ("first <i>", "unreadable_required", "1", "7"),
        ("first <i>", "missing_required", "1", "8"),
        ("second", "stale", "1", "4"),
    }
    (warning,) = document.rows("Field warnings")
    assert (warning["column"], warning["reason"], warning["rows"], warning["lines"]) == (
        "company_id", "unreadable", "1", "5",
    )  # fmt: skip
    (orphan,) = document.rows("Orphans")
    assert (orphan["reason"], orphan["communications"], orphan["by type"]) == (
        "its contact leads to no HubSpot record", "1", "1 notes",
    )  # fmt: skip
    (missing,) = document.rows("Unresolved references")
    assert (missing["entity"], missing["legacy id"], missing["communications"], missing["rate then"]) == (
        "contacts", "777", "2", "100.00 %",
    )  # fmt: skip


def test_the_flow_adds_up_at_every_step_and_agrees_with_the_tables(connection: psycopg.Connection) -> None:
    in_hubspot(
        connection, {1: ("calls", "pushed", 11), 2: ("emails", "failed", None), 3: ("notes", "held", None)}
    )  # 4 was taken up by no push, 5 waits below
    connection.execute(
        "UPDATE staging.ic_communication_master SET staging_status = 'pending' WHERE comm_communicationid = 5"
    )
    built = data_quality(connection)
    steps = [
        (line["from"], line["to"], figure(line["rows"])) for line in Document(built.html).rows("Where every row went")
    ]
    into, out = Counter[str](), Counter[str]()
    for source, target, rows in steps:
        out[source] += rows
        into[target] += rows
    landed = "SELECT count(*) FROM staging.ic_communication_landing WHERE fate = '{}'"
    rejected = count(connection, "SELECT count(*) FROM staging.ic_rejected_row")
    fates = {fate: count(connection, landed.format(fate)) for fate in ("inserted", "updated", "unchanged")}
    assert {name: into[name] for name in (*fates, "rejected")} == {**fates, "rejected": rejected}
    assert out["rows in the files"] == sum(fates.values()) + rejected == 10
    assert out["inserted"] == sum(into[name] for name in TYPES) == 5
    for name in (*TYPES, "ready", "held", "failed", "waiting"):
        assert into[name] == out[name], name
        if name in TYPES:
            key = name.replace(" ", "_")
            query = f"SELECT count(*) FROM staging.ic_communication_master WHERE derived_activity_type = '{key}'"
            assert into[name] == count(connection, query)
    assert {name: into[name] for name in ("ready", "held", "failed", "waiting")} == {
        "ready": 2, "held": 1, "failed": 1, "waiting": 1,
    }  # fmt: skip
    assert (into["in HubSpot"], into["not in HubSpot"]) == (1, 4)
    # The picture says the same numbers as the table.
    (flow,) = [section for section in built.sections if section.title == "Where every row went"]
    said = dict(re.findall(r">([^<>]+) <tspan[^>]*>([\d,]+)</tspan>", flow.figure))
    assert {name: figure(said[name]) for name in into} == dict(into)
    assert figure(said["rows in the files"]) == 10


def test_rows_of_months_that_are_out_of_date_wait_in_the_flow(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "a.csv", [row(1), row(2, "2019-04-01")]))
    with psycopg.connect(database) as connection:
        built = data_quality(connection)
    steps = {(line["from"], line["to"]): line["rows"] for line in Document(built.html).rows("Where every row went")}
    assert steps["inserted", "not in the master yet"] == "2"
    assert steps["waiting", "not in HubSpot"] == "2"
    assert built.state == "warning"
    assert "Not yet: 2 months (2019-03 to 2019-04) are out of date; run `ic-assets load` first." in built.summary


def test_the_targets_hold_the_plans_figures(connection: psycopg.Connection) -> None:
    targets = {line["measure"]: line for line in Document(data_quality(connection).html).rows("Targets")}
    found = {name: (line["target"], line["counted"], line["figure"], line["state"]) for name, line in targets.items()}
    carried = count(connection, "SELECT count(person_id) FROM staging.ic_communication_master")
    good = count(connection, "SELECT count(hubspot_contact_id) FROM staging.ic_communication_master")
    assert (good, carried) == (3, 5)
    assert found == {
        "load: rows accounted for": ("100 %", "10 of 10", "100.00 %", "green"),
        "references to contacts resolved": ("> 95 %", "3 of 5", "60.00 %", "red"),
        "references to companies resolved": ("> 95 %", "1 of 1", "100.00 %", "green"),
        "references to deals resolved": ("> 95 %", "0 of 0", "", "not judged yet"),
        "orphans": ("< 5 %", "1 of 5", "20.00 %", "red"),
        "coverage: communications with their record": ("100 %", "5 of 5", "100.00 %", "green"),
        "required fields filled, at the worst (calls)": ("> 99 %", "2 of 2", "100.00 %", "green"),
    }
    assert "ic-assets reconcile contacts FILE" in targets["references to contacts resolved"]["what to do"]


def test_a_drop_whose_rows_do_not_add_up_turns_the_load_target_red(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM staging.ic_rejected_row WHERE reason = 'stale'")
    connection.execute("UPDATE staging.ic_drop SET rejected = 0 WHERE file_name = 'second.csv'")
    built = data_quality(connection)
    (load,) = [line for line in Document(built.html).rows("Targets") if line["measure"].startswith("load")]
    assert (load["figure"], load["counted"], load["state"]) == ("90.00 %", "9 of 10", "red")
    assert "drop identity" in built.summary


# -- the verdict -------------------------------------------------------------------------------------


def test_red_gates_answer_no_and_are_fixed_in_the_order_of_the_graph(connection: psycopg.Connection) -> None:
    built = data_quality(connection)
    assert built.state == "red"
    assert built.summary.startswith("Can I push? No: 2 gates are red (contacts resolved, orphans).")
    assert "10 rows in 2 drops became 5 communications." in built.summary
    steps = Document(built.html).rows("What to fix first")
    assert [step["state"] for step in steps[:3]] == ["red", "red", "warning"]
    assert "60.00 % of 5 references to contacts" in steps[0]["what is wrong"]
    assert "1 contact would resolve 2 references" in steps[0]["what to do"]
    assert "orphans" in steps[1]["what is wrong"]
    wrong = " ".join(step["what is wrong"] for step in steps)
    assert "2 rows were rejected and not replaced by a newer one" in wrong, "a stale row is no fault"


def test_ids_that_cannot_be_read_are_among_what_to_fix(connection: psycopg.Connection) -> None:
    steps = Document(data_quality(connection).html).rows("What to fix first")
    (step,) = [step for step in steps if "cannot be read" in step["what is wrong"]]
    assert step["what is wrong"] == "1 id cannot be read, and those rows lead to no record by that id (1 Company_Id)."
    assert step["what to do"] == (
        "Correct them in the source; ids are plain digits, such as 12345. ic-assets rejects --warnings shows them."
    )


def test_it_says_under_its_title_when_it_was_written_and_of_which_portal(connection: psycopg.Connection) -> None:
    moment = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    assert report.origin(connection, moment) == (
        "Written 2026-03-04 05:06 UTC. No HubSpot portal has been pushed to yet."
    )
    connection.execute(
        "INSERT INTO hubspot.portal (portal_id, base_url, account_type, last_pushed_at)"
        " VALUES (4711, 'https://api.hubapi.com', 'SANDBOX', now())"
    )
    expected = "HubSpot portal 4711: a real one (api.hubapi.com, account type SANDBOX)."
    assert report.origin(connection, moment) == f"Written 2026-03-04 05:06 UTC. {expected}"
    built = data_quality(connection)
    assert built.markdown.splitlines()[2].endswith(expected)
    assert built.html.index("<h1>") < built.html.index(expected) < built.html.index("Can I push?")


def test_whole_numbers_beside_fractions_are_shown_whole() -> None:
    (cells,) = report.Section("any", pd.DataFrame({"records": [149481], "seconds": [2.5]})).rows
    assert [cell.text for cell in cells] == ["149,481", "2.50"]


def green(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    land(database, write_drop(tmp_path / "good.csv", [row(1), row(2, "2019-03-06", "Email")]))
    bring_up_to_date(database)


def test_green_gates_answer_yes_with_what_is_ready_and_the_next_command(database: str, tmp_path: Path) -> None:
    green(database, tmp_path)
    with psycopg.connect(database) as connection:
        built = data_quality(connection)
        assert built.state == "green"
        assert "Yes: every gate is green and 2 records are ready. Begin with `ic-assets push`" in built.summary
        in_hubspot(connection, {1: ("calls", "pushed", 11), 2: ("emails", "pushed", 12)})
        assert "nothing new is ready: 2 stand in HubSpot" in data_quality(connection).summary


def test_an_empty_database_has_reports_too(database: str) -> None:
    with psycopg.connect(database) as connection:
        built = data_quality(connection)
        assert built.summary == "Can I push? No: nothing is loaded yet. Run `ic-assets load FILE`."
        assert push_completion(connection).summary == "Nothing was pushed yet."
        assert Document(built.html).faults == []
        assert "<svg" not in built.html


# -- samples and masking -----------------------------------------------------------------------------

SECRETS = ("grace", "hopper", "example.com", "example.test", "4917012345", "Turing", "subject of", "secret")


@pytest.fixture
def personal(database: str, tmp_path: Path) -> str:
    """Addresses and names wherever a row can hold them."""
    reconcile_everything(database)
    rows = [
        row(
            number,
            kind=kind,
            Comm_Subject=f"Subject of Hopper <grace.hopper@example.com> {number}",
            Comm_Note="Call Alan Turing, +4917012345, grace@mail.example.test",
            Comm_Email_Clean='"Hopper" <grace.hopper@example.com>',
            Comm_Status="Done by grace.hopper@example.com",
            Comm_Action="Incoming grace@example.com",
            Person_FirstName="Grace",
            Person_LastName="Hopper",
            Person_EmailAddress="grace.hopper@example.com",
            Company_Id=COMPANY,
        )
        for number, kind in enumerate(
            ["Call", "Email", "Meeting", "Note", "Task", "SMS", "Letter", "grace@example.com"], start=1
        )
    ]
    rows += [
        row(20, "grace.hopper@example.com", Comm_Note="secret"),
        row(21, Comm_OpportunityId="grace.hopper@example.com", Comm_ToDateTime="secret"),
        row(22, Person_Id=777, Company_Id=888, Company_Name="grace@example.com"),
    ]
    land(database, write_drop(tmp_path / "personal.csv", rows))
    bring_up_to_date(database)
    return database


def test_no_report_shows_a_person(personal: str) -> None:
    with psycopg.connect(personal) as connection:
        for built in (data_quality(connection), push_completion(connection)):
            for text in (built.html, built.markdown, built.brief):
                for secret in SECRETS:
                    assert secret.lower() not in text.lower(), secret


def test_the_full_copy_shows_all_and_is_for_its_owner_alone(personal: str, tmp_path: Path) -> None:
    with psycopg.connect(personal) as connection:
        masked, full = data_quality(connection), data_quality(connection, full=True)
    assert "grace.hopper@example.com" in full.html
    assert "Call Alan Turing, +4917012345" in full.markdown
    assert "personal data" in full.html
    kept, shown = report.write(masked, tmp_path), report.write(full, tmp_path)
    assert {path.name for path in tmp_path.glob("data_quality*")} == {
        "data_quality.html", "data_quality.md", "data_quality_full.html", "data_quality_full.md",
    }  # fmt: skip
    assert "grace" not in kept.html.read_text(encoding="utf-8").lower()
    for path in (shown.html, shown.markdown):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def samples(built: Report, kind: str) -> dict[str, dict[str, dict[str, str]]]:
    """Communication, column: the line of the sample."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for line in Document(built.html).rows(kind):
        found.setdefault(line["communication"].partition("\n")[0], {})[line["column"]] = line
    return found


def test_ten_records_a_type_stand_beside_their_source_and_stay_the_same(database: str, tmp_path: Path) -> None:
    reconcile_everything(database)
    rows = [row(number, f"2019-{1 + number % 12:02}-05") for number in range(1, 41)]
    land(database, write_drop(tmp_path / "calls.csv", [*rows, *(row(number, kind="Note") for number in (41, 42, 43))]))
    bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        built, again = data_quality(connection, full=True), data_quality(connection, full=True)
    calls, notes = samples(built, "Calls"), samples(built, "Notes")
    assert len(calls) == 10
    assert sorted(notes) == ["41", "42", "43"]
    assert samples(again, "Calls") == calls
    assert len({int(number) // 10 for number in calls}) == 5 or len({int(number) // 10 for number in calls}) == 4, calls
    for number, columns in calls.items():
        title = columns["call_title"]
        assert (title["value"], title["made of"]) == (
            f"Subject {number}", "comm_subject, person_firstname, person_lastname",
        )  # fmt: skip
        assert title["in the source"] == f"Subject {number} · Ada · Example"
        # The header is line 1 and each row takes one.
        assert title["communication"].endswith(f", line {int(number) + 1}")
        contact = columns["associated_contact_id"]
        assert (contact["value"], contact["made of"], contact["in the source"]) == ("9101", "person_id", str(CONTACT))
        assert "call_duration_ms" in columns, "its source has a start"
        assert "from_number" not in columns


def test_long_lists_are_cut_and_say_where_the_rest_is(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_rows, "_GROUPS", 1)
    monkeypatch.setattr(quality_report, "_DROPS", 1)
    document = Document(data_quality(connection).html)
    assert len(document.rows("Rejected rows")) == 1
    assert [drop["drop"].partition("@")[0] for drop in document.rows("Drops")] == ["second.csv"]
    text = "".join(document.text)
    assert "2 further groups in staging.ic_rejected_row." in text
    assert "1 earlier drop is in staging.ic_drop." in text
    for line in range(100, 120):
        connection.execute(
            "INSERT INTO staging.ic_rejected_row SELECT drop_key, %s, 'nul_byte', NULL, NULL, '' FROM staging.ic_drop"
            " WHERE file_name = 'second.csv'",
            (line,),
        )
    (most,) = Document(data_quality(connection).html).rows("Rejected rows")
    assert (most["rows"], most["lines"]) == ("20", "100, 101, 102, 103, 104, 105, 106, 107 …")
