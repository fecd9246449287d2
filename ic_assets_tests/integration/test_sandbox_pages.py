"""The pages of the local HubSpot show its records to people, and run nothing that a record holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ic_assets.sandbox.process import running

NASTY = "<script>alert(1)</script>"


def link(target: str, type_id: int) -> dict[str, Any]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"to": {"id": target}, "types": [spec]}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A contact with two calls, a meeting and an archived note; names and bodies are hostile."""
    with running(tmp_path_factory.mktemp("sandbox") / "hubspot.db", requests_per_10s=10_000) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        with httpx.Client(base_url=sandbox.base_url, headers=headers) as client:
            seed = {
                "contacts": [
                    {"id": "1", "properties": {"firstname": NASTY, "lastname": "Öz", "email": "oz@example.com"}},
                    {"id": "2", "properties": {"email": "other@example.org"}},
                ],
                "companies": [{"id": "5", "properties": {"name": "Müller & Söhne"}}],
            }
            client.post("/_sandbox/seed", json=seed).raise_for_status()
            for slug, contact, properties in (
                ("calls", 194, {"hs_timestamp": "2001-01-01T00:00:00Z", "hs_call_title": "Oldest"}),
                ("calls", 194, {"hs_timestamp": "2003-01-01T00:00:00Z", "hs_call_title": NASTY}),
                (
                    "meetings",
                    200,
                    {
                        "hs_timestamp": "2002-01-01T00:00:00Z",
                        "hs_meeting_title": "Middle",
                        "hs_meeting_body": f'<b>bold</b>{NASTY}<img src=x onerror="alert(1)">',
                        "hs_meeting_outcome": "NO_SHOW",
                    },
                ),
                ("notes", 202, {"hs_timestamp": "2004-01-01T00:00:00Z", "hs_note_body": "archived note"}),
            ):
                company = {"calls": 182, "meetings": 188, "notes": 190}[slug]
                associations = [
                    {
                        "to": {"id": target},
                        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": t}],
                    }
                    for target, t in (("1", contact), ("5", company))
                ]
                body = {"properties": properties, "associations": associations}
                made = client.post(f"/crm/v3/objects/{slug}", json=body)
                assert made.status_code == 201, made.text
                if slug == "notes":
                    client.delete(f"/crm/v3/objects/notes/{made.json()['id']}").raise_for_status()
        with httpx.Client(base_url=sandbox.base_url) as client:
            yield client


def test_the_overview_counts_live_and_archived_records_by_type(pages: httpx.Client) -> None:
    text = pages.get("/").text.replace("\n", "")
    assert '<th scope="row">calls</th><td class="number">2</td><td class="number">0</td>' in text
    assert '<th scope="row">notes</th><td class="number">0</td><td class="number">1</td>' in text
    assert 'href="/companies/5">Müller &amp; Söhne</a>' in text


def test_the_timeline_is_newest_first_and_leaves_archived_activities_out(pages: httpx.Client) -> None:
    text = pages.get("/contacts/1").text
    assert text.index("2003-01-01") < text.index("2002-01-01") < text.index("2001-01-01")
    assert "Timeline: 3 activities" in text
    assert "archived note" not in text
    assert "NO_SHOW" in text
    assert 'href="/companies/5"' in text


def test_what_a_record_holds_is_shown_and_never_run(pages: httpx.Client) -> None:
    for path in ("/", "/contacts/1", f"/?q={NASTY}"):
        answer = pages.get(path)
        assert "<script" not in answer.text
        assert "onerror" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "&lt;script&gt;" in pages.get("/contacts/1").text
    assert "<b>bold</b>" in pages.get("/contacts/1").text


@pytest.mark.parametrize(("query", "hit"), [("OTHER@example", "/contacts/2"), ("5", "/companies/5"), ("söhne", None)])
def test_the_search_box_finds_by_text_and_by_id(pages: httpx.Client, query: str, hit: str | None) -> None:
    text = pages.get("/", params={"q": query}).text
    assert (f'href="{hit}"' in text) if hit else ('href="/companies/5"' in text)


@pytest.mark.parametrize("path", ["/contacts/99", "/deals/abc", "/companies/-1", "/contacts/1234567890123456789012"])
def test_a_record_that_is_not_there_is_said_to_be_missing(pages: httpx.Client, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text
