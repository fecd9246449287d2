"""The pages of the local HubSpot show its records to people, and run nothing that a record holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ic_assets.sandbox.process import RunningSandbox, running

NASTY = "<script>alert(1)</script>"


def link(target: str, type_id: int) -> dict[str, Any]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"to": {"id": target}, "types": [spec]}


def plain(answer: httpx.Response) -> str:
    """What a person reads of a page, in one line."""
    assert answer.status_code == 200, answer.text
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
    return " ".join(text.split())


def create(client: httpx.Client, slug: str, properties: dict[str, str], *links: dict[str, Any]) -> str:
    made = client.post(f"/crm/v3/objects/{slug}", json={"properties": properties, "associations": list(links)})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def told(sandbox: RunningSandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.base_url, headers={"Authorization": f"Bearer {sandbox.token}"})


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A contact with two calls, a meeting and an archived note; names and bodies are hostile."""
    with running(tmp_path_factory.mktemp("sandbox") / "hubspot.db", requests_per_10s=10_000) as sandbox:
        with told(sandbox) as client:
            seed = {
                "contacts": [
                    {"id": "1", "properties": {"firstname": NASTY, "lastname": "Öz", "email": "oz@example.com"}},
                    {"id": "2", "properties": {"email": "other@example.org"}},
                ],
                "companies": [{"id": "5", "properties": {"name": "Müller & Söhne"}}],
            }
            client.post("/_sandbox/seed", json=seed).raise_for_status()
            calls, meeting = (link("1", 194), link("5", 182)), (link("1", 200), link("5", 188))
            create(client, "calls", {"hs_timestamp": "2001-01-01T00:00:00Z", "hs_call_title": "Oldest"}, *calls)
            create(
                client,
                "calls",
                {
                    "hs_timestamp": "2003-01-01T00:00:00Z",
                    "hs_call_title": NASTY,
                    "hs_call_direction": "INBOUND",
                    "hs_call_duration": "125000",
                    "hs_call_body": 'Research &amp; development asks for a "quote"',
                },
                *calls,
            )
            create(
                client,
                "meetings",
                {
                    "hs_timestamp": "2002-01-01T00:00:00Z",
                    "hs_meeting_title": "Middle",
                    "hs_meeting_body": f'<b>bold</b>{NASTY}<img src=x onerror="alert(1)"><a href="javascript:1">x</a>',
                    "hs_meeting_outcome": "NO_SHOW",
                },
                *meeting,
            )
            note = create(
                client,
                "notes",
                {"hs_timestamp": "2004-01-01T00:00:00Z", "hs_note_body": "archived note"},
                link("1", 202),
            )
            client.delete(f"/crm/v3/objects/notes/{note}").raise_for_status()
        with httpx.Client(base_url=sandbox.base_url) as client:
            yield client


def test_the_overview_counts_live_and_archived_records_by_type(pages: httpx.Client) -> None:
    text = plain(pages.get("/"))
    assert "calls 2 0" in text
    assert "notes 0 1" in text
    assert 'href="/companies/5">Müller &amp; Söhne</a>' in pages.get("/").text


def test_the_timeline_is_newest_first_by_month_and_leaves_archived_activities_out(pages: httpx.Client) -> None:
    text = plain(pages.get("/contacts/1"))
    assert text.index("January 2003") < text.index("January 2002") < text.index("January 2001")
    assert "Timeline: 3 activities" in text
    assert "archived note" not in text
    assert "Inbound · 2 min" in text
    assert "No show" in text
    assert "Upcoming" not in text
    assert 'href="/companies/5"' in pages.get("/contacts/1").text


def test_a_record_shows_its_properties_and_what_shares_its_activities(pages: httpx.Client) -> None:
    text = plain(pages.get("/contacts/1"))
    about = text[text.index("About this contact") : text.index("Timeline")]
    assert "Email oz@example.com" in about
    assert "Record ID 1" in about
    assert "Companies in the same activities Müller &amp; Söhne 3" in text
    assert "Contacts in the same activities" not in text, "not the contact itself"


def test_the_timeline_can_be_narrowed_to_a_type_and_to_words(pages: httpx.Client) -> None:
    calls = plain(pages.get("/contacts/1", params={"type": "calls"}))
    assert "Oldest" in calls
    assert "Middle" not in calls
    assert "Timeline: 3 activities" in calls, "what there is, whatever is shown of it"
    found = plain(pages.get("/contacts/1", params={"find": "research & DEVELOPMENT"}))
    assert "2003" in found
    assert "Oldest" not in found
    assert "No activities like that." in plain(
        pages.get("/contacts/1", params={"find": "development", "type": "notes"})
    )
    assert "Oldest" in plain(pages.get("/contacts/1", params={"type": "faxes"})), "no such type: all of them"


def test_what_a_record_holds_is_shown_and_never_run(pages: httpx.Client) -> None:
    call = re.findall(r'href="(/calls/\d+)"', pages.get("/calls").text)[0]
    paths = ["/", "/contacts", "/contacts/1", "/changes", "/calls", "/meetings", call, f"/?q={NASTY}"]
    for path in [*paths, f"/contacts/1?find={NASTY}&type={NASTY}", f"/changes?what={NASTY}&type={NASTY}"]:
        answer = pages.get(path)
        assert answer.status_code == 200, path
        assert "<script" not in answer.text, path
        assert "onerror" not in answer.text, path
        assert "javascript:" not in answer.text, path
        assert "<img" not in answer.text, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "&lt;script&gt;" in pages.get("/contacts/1").text
    assert "<b>bold</b>" in pages.get("/contacts/1").text


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ("OTHER@example", "/contacts/2"),
        ("5", "/companies/5"),
        ("söhne", "/companies/5"),
        ("ÖZ", "/contacts/1"),
        ("middle", "/meetings/"),
        ('A "QUOTE', "/calls/"),
        ("hs_call", None),
        ("R & D", None),
        ("research & d", "/calls/"),
    ],
)
def test_the_search_box_finds_records_and_activities_by_text_and_by_id(
    pages: httpx.Client, query: str, hit: str | None
) -> None:
    text = pages.get("/", params={"q": query}).text
    assert f'href="{hit}' in text if hit else "Nothing. The search looks" in text


def test_an_activity_has_a_page_with_everything_that_was_sent(pages: httpx.Client) -> None:
    meeting = re.findall(r'href="(/meetings/\d+)"', pages.get("/meetings").text)[0]
    text = plain(pages.get(meeting))
    assert "Meeting: Middle" in text
    assert "hs_meeting_outcome NO_SHOW" in text
    assert "Müller &amp; Söhne" in text


@pytest.mark.parametrize(
    "path",
    [*("/contacts/99", "/deals/abc", "/companies/-1", "/contacts/1234567890123456789012", "/calls/1", "/notes/x")],
)
def test_a_record_that_is_not_there_is_said_to_be_missing(pages: httpx.Client, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_a_foreign_host_name_gets_no_page(pages: httpx.Client) -> None:
    assert pages.get("/contacts/1", headers={"Host": "portal.example.com"}).status_code == 403


# -- what lies ahead, long lists, pushes --------------------------------------------------------------------


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[httpx.Client, RunningSandbox]]:
    """A portal of its own, with one contact."""
    with running(tmp_path / "hubspot.db", requests_per_10s=10_000) as sandbox, told(sandbox) as client:
        seed = {"contacts": [{"id": "1", "properties": {"email": "one@example.com"}}]}
        client.post("/_sandbox/seed", json=seed).raise_for_status()
        yield client, sandbox


def test_what_lies_ahead_stands_apart_and_what_is_late_says_so(portal: tuple[httpx.Client, RunningSandbox]) -> None:
    client, _ = portal
    now = datetime.now(UTC)
    for name, days, status in (
        ("Far", 400, "NOT_STARTED"),
        ("Near", 2, "NOT_STARTED"),
        ("Late", -2, "NOT_STARTED"),
        ("Done", -3, "COMPLETED"),
    ):
        at = (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        properties = {"hs_timestamp": at, "hs_task_subject": name, "hs_task_status": status}
        create(client, "tasks", properties, link("1", 204))
    text = plain(client.get("/contacts/1"))
    places = [text.index(words) for words in ("Upcoming", "Task: Near", "Task: Far", "Task: Late", "Task: Done")]
    assert places == sorted(places)
    assert text.count("Overdue") == 1
    assert "Overdue" in text[text.index("Task: Late") : text.index("Task: Done")]


def test_a_long_timeline_is_cut_into_pages(portal: tuple[httpx.Client, RunningSandbox]) -> None:
    client, _ = portal
    inputs = [
        {
            "properties": {"hs_timestamp": f"2010-01-01T{n // 60:02}:{n % 60:02}:00Z", "hs_call_title": f"No {n}."},
            "associations": [link("1", 194)],
        }
        for n in range(120)
    ]
    for part in (inputs[:100], inputs[100:]):
        assert client.post("/crm/v3/objects/calls/batch/create", json={"inputs": part}).status_code == 201
    shown: list[str] = []
    for page in ("1", "2", "3"):
        text = plain(client.get("/contacts/1", params={"page": page}))
        assert f"Page {page} of 3" in text
        shown += re.findall(r"No \d+\.", text)
    assert shown == [f"No {n}." for n in reversed(range(120))]
    assert "Older" not in plain(client.get("/contacts/1", params={"page": "3"}))
    assert "Page 2 of 3" in plain(client.get("/calls", params={"page": "2"}))
    for odd in ("0", "-1", "x", "9" * 30):
        assert "Page 1 of 3" in plain(client.get("/contacts/1", params={"page": odd}))


def test_the_last_push_is_told_by_what_it_created_updated_and_removed(
    portal: tuple[httpx.Client, RunningSandbox],
) -> None:
    client, sandbox = portal
    with httpx.Client(base_url=sandbox.base_url) as reader:
        assert "Nothing was pushed yet" in plain(reader.get("/"))
        assert "Nothing was pushed yet" in plain(reader.get("/changes"))
        note = {"hs_timestamp": "2010-01-01T00:00:00Z"}
        begin(client)
        one, two, three = (
            create(client, "notes", {**note, "hs_note_body": body}, link("1", 202)) for body in ("one", "two", "three")
        )
        assert "notes 3 0 0 All 3 0 0" in plain(reader.get("/changes"))
        begin(client)
        client.patch(f"/crm/v3/objects/notes/{one}", json={"properties": {"hs_note_body": "ONE"}}).raise_for_status()
        client.delete(f"/crm/v3/objects/notes/{two}").raise_for_status()
        probe = create(client, "calls", {**note, "hs_call_title": "Setup's probe"})
        client.delete(f"/crm/v3/objects/calls/{probe}").raise_for_status()
        create(client, "tasks", {**note, "hs_task_subject": "four"})
        begin(client)  # somebody who only looks
        text = plain(reader.get("/changes"))
        assert "notes 0 1 1 tasks 1 0 0 All 1 1 1" in text
        assert {words for words in ("ONE", "two", "four", "three", "probe") if words in text} == {"ONE", "two", "four"}
        assert re.search(r"Note removed .{0,60} one@example\.com two", text), "with the contact that it belonged to"
        assert f'href="/notes/{three}"' not in reader.get("/changes").text
        removed = plain(reader.get("/changes", params={"what": "removed"}))
        assert "two" in removed
        assert "ONE" not in removed
        assert "No records like that." in plain(reader.get("/changes", params={"what": "removed", "type": "tasks"}))
        assert "notes 0 1 1 tasks 1 0 0" in plain(reader.get("/"))
        gone = reader.get(f"/notes/{two}")
        assert gone.status_code == 404
        assert "was archived on" in gone.text


def begin(client: httpx.Client) -> None:
    """What a push does first."""
    client.get("/account-info/v3/details").raise_for_status()
