"""The local HubSpot of a home: one port for good, links to its records, and times in the source zone."""

from __future__ import annotations

from pathlib import Path

import httpx

from ic_assets.core.hosts import local_link
from ic_assets.core.settings import Settings
from ic_assets.operations.hubspot_resource import seed
from ic_assets.resources.services import services


def settings(home: Path, database: str) -> Settings:
    return Settings(home=home, postgres_url=database, drop_dir=home / "drop")


def test_each_home_keeps_its_port_and_two_do_not_share_one(module_database: str, tmp_path: Path) -> None:
    one, other = (settings(tmp_path / name, module_database) for name in ("one", "other"))
    with services(one, hubspot=True) as first, services(other, hubspot=True) as second:
        assert first.hubspot_base_url
        assert second.hubspot_base_url
        assert first.hubspot_base_url != second.hubspot_base_url
    with services(other, hubspot=True) as again:
        assert again.hubspot_base_url == second.hubspot_base_url
    with services(one, hubspot=True) as again:
        assert again.hubspot_base_url == first.hubspot_base_url


def test_its_pages_show_times_in_the_source_zone_and_a_link_leads_to_a_record(
    module_database: str, tmp_path: Path
) -> None:
    with services(settings(tmp_path / "home", module_database), hubspot=True) as up:
        url, token = str(up.hubspot_base_url), str(up.hubspot_token)
        note = {"properties": {"hs_timestamp": "2019-07-05T10:00:00Z", "hs_note_body": "Lunch"}, "associations": []}
        seed(url, token, {}, "Europe/Berlin")
        made = httpx.post(
            f"{url}/crm/v3/objects/notes", json=note, headers={"Authorization": f"Bearer {token}"}
        ).raise_for_status()
        link = local_link(url, "notes", int(made.json()["id"]))
        assert link
        page = httpx.get(link).raise_for_status().text
        assert "5 July 2019, 12:00" in page
        assert "Times are in Europe/Berlin." in page
        # The API is HubSpot's own: UTC.
        assert made.json()["properties"]["hs_timestamp"] == "2019-07-05T10:00:00Z"


def test_records_elsewhere_have_no_link_of_ours() -> None:
    assert local_link("https://api.hubapi.com", "notes", 12) is None
    assert local_link("http://127.0.0.1:8090", "notes", None) is None
    assert local_link("http://127.0.0.1:8090", "notes", 12) == "http://127.0.0.1:8090/notes/12"
