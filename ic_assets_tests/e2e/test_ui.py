"""What people see and do: Dagster's UI with its daemon, the report and the local HubSpot's page, in a browser as large as
a laptop's, on a small load. One ``ic-assets up`` serves all tests, which go on where the one before left it."""

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
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.resources.ui_guard import Keys
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
    link: str
    hubspot: str
    home: Path
    alerts: list[dict[str, Any]]
    receiver: str

    def graphql(self, query: str) -> dict[str, Any]:
        keys = Keys(self.home)
        response = httpx.post(
            f"{self.address}/graphql",
            json={"query": query},
            headers={"Origin": self.address, "Cookie": f"{keys.cookie}={keys.token('session')}"},
            timeout=30,
            trust_env=False,
        )
        response.raise_for_status()
        data = response.json()["data"]
        assert isinstance(data, dict)
        return data

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Newest first."""
        found = self.graphql(
            f'{{runsOrError(filter: {{pipelineName: "{job}"}}) {{... on Runs'
            " {results {runId status tags {key value}}}}}"
        )
        runs = found["runsOrError"]["results"]
        assert isinstance(runs, list)
        return runs

    def ended(self, job: str, before: int) -> list[dict[str, Any]]:
        """The runs of a job, newest first, as soon as there is one more than ``before`` and it has ended."""

        def is_done(runs: list[dict[str, Any]]) -> bool:
            return len(runs) > before and runs[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

        found: list[dict[str, Any]] = wait_for(lambda: self.runs(job), is_done)
        return found


# One interpreter for all, since starting one takes longer than what they do. The last one's exit code is what counts.
COMMANDS = (
    "import json, sys; from ic_assets.cli import app;"
    " sys.exit([app(c, standalone_mode=False) for c in json.loads(sys.argv[1])][-1])"
)


def run_commands(home: Path, *commands: list[str], code: int = 0) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMMANDS, json.dumps(commands)],
        env={**os.environ, "IC_HOME": str(home)},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout[-1000:]}{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def chromium() -> str:
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine; `apt-get install chromium` brings it")
    return path


# Whoever knows the address of a webhook may post there.
SECRET = "T0123/B4567/whoever-knows-this-may-post"


@pytest.fixture(scope="module")
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook and what is posted to it."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/{SECRET}", bodies
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(chromium: str, webhook: tuple[str, list[dict[str, Any]]]) -> Iterator[Served]:
    # Not tmp_path: PostgreSQL's socket may lie below, and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="ui-"))
    home = folder / "home"
    contacts = folder / "contacts.csv"
    contacts.write_text(f"legacy_id,hubspot_id,name\n{CONTACT},{HUBSPOT_CONTACT},Ada Example\n", encoding="utf-8")
    drop = write_drop(
        folder / "first.csv",
        [row(1, "2019-03-05 10:00", Comm_Subject="Quote & delivery <b>"), row(2, "2019-04-05", "Email")],
    )
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, receiver_port = probe.getsockname()[1], other.getsockname()[1]
    # The folder that everything is started in. Each of these would say that it was executed, and end what did that.
    for name in ("uvicorn", "ic_assets", "dagster", "dagster_webserver", "csv", "json", "starlette", "psycopg"):
        (folder / f"{name}.py").write_text(
            f"open({str(folder / 'executed')!r}, 'a').write(__file__)\nraise SystemExit(7)\n"
        )
    (folder / ".env").write_text("IC_PARTITIONS_START=2021-01-01\n")
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("ic-assets")), "up", "--port", str(port)],
            env={
                **os.environ,
                "IC_HOME": "home",
                "PYTHONUNBUFFERED": "1",
                "IC_ALERT_WEBHOOK_URL": webhook[0],
                "IC_RECEIVE_PORT": str(receiver_port),
                "IC_RECEIVE_UNVERIFIED": "product",
            },
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            # Beside the server, as people do: they share its PostgreSQL and its local HubSpot.
            run_commands(
                home,
                ["reconcile", "contacts", str(contacts)],
                ["load", str(drop)],
                ["push", "--mode", "test"],
                ["report"],
            )
            text = wait_for(lambda: log.read_text(encoding="utf-8"), lambda text: "Ctrl-C ends it." in text, process)
            found = re.search(r"Dagster's UI:\s+(\S+)\s+Open it with:\s+(\S+)[^:]+HubSpot:\s+(\S+)", text)
            assert found, text
            assert "ANYBODY may post as product" in text
            yield Served(found[1], found[2], found[3], home, webhook[1], f"http://127.0.0.1:{receiver_port}")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
                *_, ending, ended = log.read_text(encoding="utf-8").splitlines()
                assert ending == "Ending Dagster's UI and daemon, then what they stood on (some seconds) …"
                assert ended == "Ended."
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
def page(chromium: str, served: Served) -> Iterator[Any]:
    """Of a browser that the link of ``ic-assets up`` has let in."""
    from playwright.sync_api import sync_playwright

    # Two names that somebody has pointed at this machine.
    names = "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, names], headless=True)
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{served.address}/assets")
        page.get_by_text("This browser has not been let in yet.").wait_for()
        page.goto(served.link)
        page.get_by_role("link", name="Runs").first.wait_for()
        yield page
        browser.close()


def test_no_code_of_the_working_directory_is_executed(served: Served, page: Any) -> None:
    """By none of its processes: the page is served, the code servers have answered, commands have run beside them."""
    found = served.graphql("{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}")
    assert found["workspaceOrError"]["locationEntries"] == [{"loadStatus": "LOADED"}]
    first = served.graphql(
        '{assetNodeOrError(assetKey: {path: ["staging", "ic_calls"]}) {... on AssetNode {partitionKeys}}}'
    )
    assert first["assetNodeOrError"]["partitionKeys"][0] == "2000-01-01", "not that of the .env"
    assert not (served.home.parent / "executed").exists()


def test_the_asset_graph_shows_every_stage_in_its_group(served: Served, page: Any, screenshots: Path) -> None:
    page.goto(f"{served.address}/asset-groups")
    for group in ("intake", "staging", "activities", "hubspot", "reports"):
        page.get_by_text(group, exact=True).last.wait_for()
    page.screenshot(path=screenshots / "graph.png")
    page.goto(f"{served.address}/asset-groups?expanded=global@global:activities")
    for activity in ACTIVITY_TYPES:
        page.get_by_text(activity.table, exact=True).first.wait_for()
    page.screenshot(path=screenshots / "group.png")


def test_runs_of_commands_stand_on_the_home_page_and_say_what_push_they_were(
    served: Served, page: Any, screenshots: Path
) -> None:
    page.goto(served.address)
    for job in ("land_drop", "bring_months_up_to_date", "push_to_hubspot"):
        page.get_by_role("link", name=job).first.wait_for()
    page.screenshot(path=screenshots / "home.png")
    page.goto(f"{served.address}/runs")
    page.get_by_text("push: test", exact=True).first.wait_for()


def test_the_months_that_hold_nothing_leave_no_asset_of_a_finished_load_grey(served: Served, page: Any) -> None:
    found = served.graphql(
        '{assetNodeOrError(assetKey: {path: ["staging", "ic_calls"]}) {... on AssetNode {partitionStats'
        " {numPartitions numMaterialized}}}}"
    )
    stats = found["assetNodeOrError"]["partitionStats"]
    assert stats["numMaterialized"] == stats["numPartitions"] > 300


def test_an_asset_says_what_it_is_and_its_last_run_what_it_did(served: Served, page: Any, screenshots: Path) -> None:
    page.goto(f"{served.address}/assets/staging/ic_communication_master/resolved")
    page.get_by_text("its orphans flagged", exact=False).first.wait_for()
    page.get_by_text("Good to know", exact=True).wait_for()
    page.screenshot(path=screenshots / "asset.png")
    page.goto(f"{served.address}/assets/staging/ic_communication_master/resolved?view=events")
    page.get_by_text("2 months, 2019-03 to 2019-04: 2 communications", exact=False).wait_for()
    plot = page.get_by_alt_text("Rows by month")
    plot.wait_for()
    assert plot.evaluate("image => image.decode().then(() => image.naturalWidth)") == 80, "two bars, drawn"
    sample = page.get_by_text("derived_activity_type", exact=False).first.inner_text()
    assert "emails" in sample
    assert "Subject 2" not in page.inner_text("body"), "samples are masked"
    page.screenshot(path=screenshots / "run.png")


# What a page elsewhere can do to a browser that is let in: each way to send a mutation, with the cookie if it goes along.
# ``done`` says what became of those that can tell.
ATTACK = """
<!doctype html><meta charset="utf-8"><title>waiting</title><body>
<form id="form" method="post" enctype="text/plain" action="UI/graphql" target="sink"><input name="MUTATION_BODY"></form>
<form id="get" action="UI/graphql" target="sink2"><input name="query" value="MUTATION"></form>
<iframe name="sink"></iframe><iframe name="sink2"></iframe><iframe id="framed" src="UI/runs"></iframe>
<img src="UI/graphql?query=MUTATION"><script src="UI/graphql?query=MUTATION"></script>
<script>
const tries = [
  fetch("UI/graphql?query=MUTATION", {mode: "no-cors", credentials: "include"}),
  fetch("UI/graphql?query=MUTATION", {credentials: "include"}),
  fetch("UI/graphql", {method: "POST", mode: "no-cors", credentials: "include", body: JSON.stringify({query: "MUTATION"}),
    headers: {"Content-Type": "text/plain; application/json"}}),
  fetch("UI/graphql", {method: "POST", credentials: "include", body: JSON.stringify({query: "MUTATION"}),
    headers: {"Content-Type": "application/json"}}),
];
document.getElementById("form").submit();
document.getElementById("get").submit();
navigator.sendBeacon("UI/graphql?query=MUTATION", "{}");
const socket = new Promise(resolve => {
  const one = new WebSocket("UI/graphql".replace("http", "ws"), "graphql-ws");
  one.onopen = () => resolve("open"); one.onerror = () => resolve("closed");
});
Promise.allSettled([...tries.map(one => one.then(async answer => answer.type + answer.status + await answer.text())), socket])
  .then(all => { window.done = all.map(one => one.value ?? "failed"); document.title = "done"; });
</script>
"""


@pytest.fixture
def attack(served: Served) -> Iterator[int]:
    """The port of a server whose every page attacks the UI."""
    body = ATTACK.replace("UI", served.address).replace("MUTATION", "mutation{setNuxSeen}").encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
def test_a_page_elsewhere_in_the_same_browser_changes_nothing_and_reads_nothing(
    served: Served, page: Any, attack: int, host: str
) -> None:
    """The second one is on another port of this machine: the browser takes it for the same site, cookie and all."""
    ran = served.home / "dagster" / ".nux" / "nux.yaml"  # what the mutation writes
    assert not ran.exists()
    tab = page.context.new_page()
    answered: list[tuple[str, int]] = []
    tab.on("response", lambda answer: answered.append((answer.request.method, answer.status)))
    tab.goto(f"http://{host}:{attack}/")
    tab.wait_for_function("document.title === 'done'")
    tab.wait_for_timeout(500)
    assert tab.evaluate("window.done") == [*["failed"] * 4, "closed"]
    assert not tab.frame_locator("#framed").get_by_text("Runs").count()
    # Of the rest the browser shows no answer to anybody.
    assert sorted(answered[1:]) == [("GET", 403), ("GET", 403), ("POST", 403)], "the two forms and the frame"
    tab.close()
    assert not ran.exists()
    served.graphql("mutation{setNuxSeen}")
    assert ran.exists(), "it would have"
    ran.unlink()


def test_a_name_that_was_pointed_at_this_machine_leads_nowhere(served: Served, page: Any) -> None:
    tab = page.context.new_page()
    answer = tab.goto(served.address.replace("127.0.0.1", "rebound.example"))
    assert answer.status == 421
    assert "IC_UI_URL" in tab.inner_text("body")
    tab.close()


def test_a_link_of_a_chat_leads_to_its_page_in_a_browser_that_is_let_in(served: Served, page: Any) -> None:
    tab = page.context.new_page()
    tab.goto("data:text/html,<title>chat</title>")
    tab.set_content(f'<a href="{served.address}/runs">the run that failed</a>')
    tab.get_by_role("link").click()
    tab.get_by_role("link", name="Runs").first.wait_for()
    assert tab.url == f"{served.address}/runs"
    tab.close()


def test_the_local_hubspot_leads_to_the_timeline_of_a_contact(served: Served, page: Any, screenshots: Path) -> None:
    page.goto(served.hubspot)
    page.get_by_role("link", name="Ada Example").first.click()
    page.wait_for_url(f"**/contacts/{HUBSPOT_CONTACT}*")
    text = page.inner_text("body")
    assert "Quote & delivery <b>" in text, "as it was written, and not as HTML"
    assert "Subject 2" in text
    assert text.index("Subject 2") < text.index("Quote & delivery"), "newest first"
    page.screenshot(path=screenshots / "timeline.png")


def test_the_report_opens_from_its_file_without_any_network(served: Served, page: Any, screenshots: Path) -> None:
    tab = page.context.browser.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((served.home / "reports" / "data_quality.html").as_uri())
    tab.get_by_role("heading", name="Data quality", exact=True).wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    tab.screenshot(path=screenshots / "report.png")
    tab.close()


def test_a_month_is_materialized_from_the_ui(served: Served, page: Any, screenshots: Path) -> None:
    before = len(served.runs("__ASSET_JOB"))
    page.goto(f"{served.address}/assets/staging/ic_calls")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("Show all partitions").click()
    months = page.locator("[role=dialog] input[type=text]").first
    months.fill("2019-03-01")
    months.press("Enter")
    page.screenshot(path=screenshots / "materialize.png")
    page.get_by_role("button", name="Launch 1 run").click()
    assert served.ended("__ASSET_JOB", before)[0]["status"] == "SUCCESS"
    page.goto(f"{served.address}/assets/staging/ic_calls?view=events")
    page.get_by_text("2019-03: 1 in ic_calls, 0 written, 0 removed", exact=False).wait_for()
    page.get_by_text("reports/data_quality.html", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "materialized.png")


def test_a_file_in_the_drop_folder_lands_and_its_months_follow_by_themselves(
    served: Served, page: Any, screenshots: Path
) -> None:
    landings, months = len(served.runs("land_drop")), len(served.runs("bring_months_up_to_date"))
    rows = [row(3, "2021-06-05", "Meeting"), row(4, "2021-08-05", "Letter")]
    part = write_drop(served.home / "drop" / "delta.csv.part", rows)
    part.rename(served.home / "drop" / "delta.csv")
    landed = served.ended("land_drop", landings)
    assert (len(landed), landed[0]["status"]) == (landings + 1, "SUCCESS")
    brought = served.ended("bring_months_up_to_date", months)
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
    page.get_by_text("months: 2021-06 to 2021-08", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "runs.png")
    page.goto(f"{served.address}/assets/staging/ic_communication_landing")
    page.get_by_text("2 rows = 2 inserted", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "landing.png")


def test_a_red_gate_says_why_and_what_to_do_and_one_alert_leads_to_its_run(
    served: Served, page: Any, screenshots: Path
) -> None:
    """The run is the command line's: the daemon sees every run that is on record."""
    months = len(served.runs("bring_months_up_to_date"))
    drop = write_drop(served.home.parent / "unknown.csv", [row(5, "2019-03-05 10:00", Person_Id=777)])
    run_commands(served.home, ["load", str(drop)], code=1)
    failed = served.ended("bring_months_up_to_date", months)[-1 - months]
    figure = "80.00 % of 5 references to contacts lead to HubSpot"
    page.goto(f"{served.address}/assets/staging/ic_communication_master/resolved?view=checks")
    page.get_by_text("contacts_resolved", exact=True).first.click()
    page.get_by_text(figure, exact=False).first.wait_for()
    page.get_by_text("ic-assets reconcile contacts FILE", exact=False).first.wait_for()
    page.screenshot(path=screenshots / "check.png")

    (alert,) = wait_for(lambda: [body for body in served.alerts if body["event"] == "run_failed"], bool)
    assert alert["checks"][0]["figure"].startswith(figure)
    assert alert["run_url"] == f"{served.address}/runs/{failed['runId']}"
    page.goto(alert["run_url"])
    page.get_by_text("Failure", exact=True).first.wait_for()
    page.get_by_text(figure, exact=False).first.wait_for()
    assert "Stack Trace" not in page.inner_text("body")
    page.screenshot(path=screenshots / "failed_run.png")
    logs = [path for path in (served.home / "dagster").rglob("*") if path.is_file()]
    assert len(logs) > 3
    assert [path for path in logs if SECRET.encode() in path.read_bytes()] == []


def test_up_prints_another_link_that_lets_one_browser_in_once(served: Served) -> None:
    port = served.address.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ic_assets", "up", "--link", "--port", port],
        env={**os.environ, "IC_HOME": str(served.home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    link = done.stdout.split()[-1]
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 401
        assert browser.get(link).status_code == 200
        assert browser.get(served.address).status_code == 200
    with httpx.Client(trust_env=False, follow_redirects=True) as another:
        another.get(link)
        assert another.get(served.address).status_code == 401


def test_up_takes_webhooks_too(served: Served) -> None:
    event = {"topic": "company_usage_changed", "event_id": "usage-1", "occurred_at": "2026-03-03T12:00:00Z"}
    answers = [httpx.post(f"{served.receiver}/product/server", json=event, trust_env=False) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"stored": 1, "known": 0}, {"stored": 0, "known": 1}]
