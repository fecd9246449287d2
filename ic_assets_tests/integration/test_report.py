"""The reports: figures counted by hand, one self-contained file each, nobody's address in full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest

from ic_assets.activities.engine import report
from ic_assets.activities.engine.push_report import push_completion
from ic_assets_tests.drops import bring_up_to_date, land, reconcile_everything, row, write_drop


class Document(HTMLParser):
    """The tables under each heading, what is fetched from elsewhere, and tags that do not match."""

    VOID = ("meta", "br", "hr", "img", "link", "input", "path", "use", "rect")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.fetched: list[str] = []
        self.faults: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._heading = ""
        self.feed(text)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "action", "data") and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")
        if tag in ("script", "iframe", "object", "embed"):
            self.fetched.append(tag)
        if tag == "h2":
            self._heading = ""
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
        if tag in ("td", "th"):
            self.tables[self._heading][-1].append("")
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.handle_starttag(tag, attributes)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "h2":
            self._heading += data.strip()
        if self._open and self._open[-1] in ("td", "th"):
            self.tables[self._heading][-1][-1] += data
        self.text.append(data)

    def rows(self, heading: str) -> list[dict[str, str]]:
        """The table under a heading, a dictionary a row."""
        head, *body = self.tables[heading]
        return [dict(zip(head, cells, strict=True)) for cells in body]


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """Two drops. By hand: 7 rows in the first (5 inserted, 2 rejected, 1 warning), 3 in the second (1 updated, 1
    unchanged, 1 stale); two communications refer to contact 777, which nobody knows."""
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
    land(database, write_drop(tmp_path / "first <i>.csv", first))
    second = [
        row(1, "2019-03-05", Comm_UpdatedDate="2021-01-01"),
        first[1],
        row(3, "2020-03-07", "Note", Person_Id=777, Comm_UpdatedDate="2001-01-01"),
    ]
    land(database, write_drop(tmp_path / "second.csv", second))
    bring_up_to_date(database)
    with psycopg.connect(database) as connection:
        yield connection


@pytest.mark.parametrize("which", [report.data_quality, push_completion])
def test_a_report_is_one_file_that_fetches_nothing_and_parses(
    connection: psycopg.Connection, which: object, tmp_path: Path
) -> None:
    files = report.write(which(connection), tmp_path / "reports")  # type: ignore[operator]
    html = files.html.read_text(encoding="utf-8")
    document = Document(html)
    assert html.startswith("<!doctype html>")
    assert document.fetched == []
    assert document.faults == []
    assert not re.search(r"url\((?!#)|@import", html)
    assert files.markdown.read_text(encoding="utf-8").startswith("# ")


def test_no_report_shows_an_address_in_full(connection: psycopg.Connection) -> None:
    for built in (report.data_quality(connection), push_completion(connection)):
        for text in (built.html, built.markdown):
            assert "grace.hopper" not in text
            assert "example.com" not in text


def test_the_figures_are_those_counted_by_hand(connection: psycopg.Connection) -> None:
    built = report.data_quality(connection)
    document = Document(built.html)
    drops = document.rows("Drops")
    names = ("rows in", "inserted", "updated", "unchanged", "rejected", "field warnings")
    assert [[drop[name] for name in names] for drop in drops] == [
        ["7", "5", "0", "0", "2", "1"],
        ["3", "0", "1", "1", "1", "0"],
    ]
    assert drops[0]["drop"].startswith("first <i>.csv@"), "a file name is text, not HTML"
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
    rejects = {(line["reason"], line["rows"], line["lines"]) for line in document.rows("Rejected rows")}
    assert rejects == {("unreadable_required", "1", "7"), ("missing_required", "1", "8"), ("stale", "1", "4")}
    unresolved = [
        (line["entity"], line["legacy id"], line["communications"]) for line in document.rows("Unresolved references")
    ]
    assert unresolved == [("contact", "777", "2")]
    states = {(line["on"], line["checkpoint"]): line["state"] for line in document.rows("Checkpoints")}
    assert states["resolved", "contacts resolved"] == "failed"
    assert states["landing", "drop identity"] == "passed"
    assert "10 rows in 2 drops became 5 communications." in built.summary
    assert "gates are red" in built.summary


def test_the_markdown_holds_the_same_rows(connection: psycopg.Connection) -> None:
    text = report.data_quality(connection).markdown
    assert "| drop | state | rows in |" in text
    assert re.search(r"\| first <i>\.csv@\w{8} \| landed \| 7 \| 5 \| 0 \| 0 \| 2 \| 1 \|", text)


def test_an_empty_database_has_reports_too(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert "0 rows in 0 drops became 0 communications." in report.data_quality(connection).summary
        assert push_completion(connection).summary == "Nothing was pushed yet."
        assert Document(report.data_quality(connection).html).faults == []
