"""What people see: Dagster's UI with its daemon and the local HubSpot's page, in a browser, on a small load."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ic_assets_tests.drops import CONTACT, HUBSPOT_CONTACT, row, write_drop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A busy machine starts a run's process in ten seconds and more.
PATIENCE = 120


@dataclass
class Served:
    """``ic-assets up`` on a home with two communications, both of them in the local HubSpot."""

    address: str
    hubspot: str
    drop_folder: Path

    def graphql(self, query: str) -> dict[str, Any]:
        response = httpx.post(f"{self.address}/graphql", json={"query": query}, timeout=30, trust_env=False)
        response.raise_for_status()
        data = response.json()["data"]
        assert isinstance(data, dict)
        return data

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Newest first."""
        found = self.graphql(
            f'{{runsOrError(filter: {{pipelineName: "{job}"}}) {{... on Runs {{results {{status tags {{key value}}}}}}}}}}'
        )
        runs = found["runsOrError"]["results"]
        assert isinstance(runs, list)
        return runs


# One interpreter for the three, since starting one takes longer than what they do.
COMMANDS = (
    "import json, sys; from ic_assets.cli import app; [app(c, standalone_mode=False) for c in json.loads(sys.argv[1])]"
)


def run_commands(home: Path, *commands: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        env={**os.environ, "IC_HOME": str(home)},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def chromium() -> str:
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine; `apt-get install chromium` brings it")
    return path


@pytest.fixture(scope="module")
def served(chromium: str) -> Iterator[Served]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="ui-"))
    home = folder / "home"
    contacts = folder / "contacts.csv"
    contacts.write_text(f"legacy_id,hubspot_id,name\n{CONTACT},{HUBSPOT_CONTACT},Ada Example\n", encoding="utf-8")
    drop = write_drop(
        folder / "first.csv",
        [row(1, "2019-03-05 10:00", Comm_Subject="Quote & delivery <b>"), row(2, "2019-04-05", "Email")],
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ic_assets", "up", "--port", str(port)],
            env={**os.environ, "IC_HOME": str(home), "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            # Beside the server, as people do: they share its PostgreSQL and its local HubSpot.
            run_commands(
                home, ["reconcile", "contacts", str(contacts)], ["load", str(drop)], ["push", "--mode", "test"]
            )
            text = wait_for(lambda: log.read_text(encoding="utf-8"), lambda text: "Ctrl-C ends it." in text, process)
            found = re.search(r"Dagster's UI:\s+(\S+)\s+HubSpot:\s+(\S+)", text)
            assert found, text
            yield Served(found[1], found[2], home / "drop")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            finally:
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def wait_for(
    look: Callable[[], Any], good: Callable[[Any], bool], process: subprocess.Popen[bytes] | None = None
) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not good(found := look()):
        assert process is None or process.poll() is None, f"it ended by itself: {found}"
        assert time.monotonic() < deadline, f"waited in vain: {found}"
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, headless=True)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def test_the_asset_graph_shows_every_stage_in_its_group(served: Served, page: Any, screenshots: Path) -> None:
    page.goto(f"{served.address}/asset-groups")
    for group in ("intake", "staging", "activities", "hubspot", "reports"):
        page.get_by_text(group, exact=True).first.wait_for()
    page.screenshot(path=screenshots / "graph.png")
    page.goto(f"{served.address}/asset-groups?expanded=global@global:activities")
    for table in (
        "ic_calls",
        "ic_emails",
        "ic_meetings",
        "ic_notes",
        "ic_tasks",
        "ic_communications",
        "ic_postal_mail",
    ):
        page.get_by_text(table, exact=True).first.wait_for()
    page.screenshot(path=screenshots / "group.png")


def test_an_asset_says_what_it_is_and_its_checks_say_what_they_found(
    served: Served, page: Any, screenshots: Path
) -> None:
    page.goto(f"{served.address}/assets/staging/ic_communication_master/resolved")
    page.get_by_text("orphans flagged", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "asset.png")
    page.goto(f"{served.address}/assets/staging/ic_communication_master/resolved?view=checks")
    page.get_by_text("contacts_resolved", exact=True).first.click()
    page.get_by_text("100.00 % of 2 references to contacts lead to HubSpot", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "check.png")


def test_the_local_hubspot_shows_the_timeline_of_a_contact(served: Served, page: Any, screenshots: Path) -> None:
    page.goto(f"{served.hubspot}/contacts/{HUBSPOT_CONTACT}")
    text = page.inner_text("body")
    assert "Quote & delivery <b>" in text, "as it was written, and not as HTML"
    assert "Subject 2" in text
    assert text.index("Subject 2") < text.index("Quote & delivery"), "newest first"
    page.screenshot(path=screenshots / "timeline.png")


def test_a_file_in_the_drop_folder_lands_and_its_months_follow_by_themselves(
    served: Served, page: Any, screenshots: Path
) -> None:
    landings, months = len(served.runs("land_drop")), len(served.runs("bring_months_up_to_date"))
    rows = [row(3, "2021-06-05", "Meeting"), row(4, "2021-08-05", "Letter")]
    part = write_drop(served.drop_folder / "delta.csv.part", rows)
    part.rename(served.drop_folder / "delta.csv")

    def ended(job: str, before: int) -> list[dict[str, Any]]:
        def is_done(runs: list[dict[str, Any]]) -> bool:
            return len(runs) > before and runs[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

        return wait_for(lambda: served.runs(job), is_done)

    landed = ended("land_drop", landings)
    assert (len(landed), landed[0]["status"]) == (landings + 1, "SUCCESS")
    brought = ended("bring_months_up_to_date", months)
    assert (len(brought), brought[0]["status"]) == (months + 1, "SUCCESS"), "one run for both months"
    tags = {tag["key"]: tag["value"] for tag in brought[0]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == "2021-06-01"
    assert tags["dagster/asset_partition_range_end"] == "2021-08-01"
    found = served.graphql(
        '{assetNodeOrError(assetKey: {path: ["staging", "ic_postal_mail"]}) {... on AssetNode {'
        'latestMaterializationByPartition(partitions: ["2021-07-01", "2021-08-01"]) {partition metadataEntries'
        " {label ... on IntMetadataEntry {intValue}}}}}}"
    )
    counts = {
        event["partition"]: entry["intValue"]
        for event in found["assetNodeOrError"]["latestMaterializationByPartition"]
        for entry in event["metadataEntries"]
        if entry["label"] == "dagster/partition_row_count"
    }
    assert counts == {"2021-07-01": 0, "2021-08-01": 1}
    page.goto(f"{served.address}/runs")
    page.get_by_text("bring_months_up_to_date", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "runs.png")
    page.goto(f"{served.address}/assets/staging/ic_communication_landing")
    page.get_by_text("2 rows = 2 inserted", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "landing.png")
