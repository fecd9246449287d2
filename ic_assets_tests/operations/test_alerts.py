"""Alerts: what the two sensors post to a webhook about runs on record, with a real receiver, and what they never post."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest

from ic_assets.core.failures import Refused, Unavailable
from ic_assets.core.settings import Alerts
from ic_assets.operations import alerts
from ic_assets_tests.drops import row
from ic_assets_tests.graph_cases import Graph

pytestmark = pytest.mark.server

SECRET = "T0123/B4567/whoever-knows-this-may-post"


class Receiver:
    """A webhook on the loopback interface: what was posted to it, and the statuses that it gives, in their order."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.delay = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.bodies.append(body)
                time.sleep(receiver.delay)
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.address}/elsewhere")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv("IC_ALERT_WEBHOOK_URL", receiver.address)
    monkeypatch.setenv("IC_UI_URL", "http://dagster.example.com/")
    yield receiver
    receiver.close()


class Daemon:
    """The two sensors tick after tick, each from the cursor of the one before, as the daemon calls them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.cursors: dict[str, str | None] = {sensor.name: None for sensor in alerts.SENSORS}
        self.tick()  # the first one only notes where the log of runs stands

    def tick(self) -> list[str]:
        """Returns what Dagster shows as the errors of the ticks."""
        errors = []
        for sensor in alerts.SENSORS:
            with dg.build_sensor_context(
                instance=self.graph.instance, cursor=self.cursors[sensor.name], definitions=self.graph.definitions
            ) as context:
                found = sensor.evaluate_tick(context)
            self.cursors[sensor.name] = found.cursor
            errors += [str(reaction.error) for reaction in found.dagster_run_reactions if reaction.error]
        return errors


@pytest.fixture
def daemon(graph: Graph) -> Daemon:
    return Daemon(graph)


# -- what is posted ----------------------------------------------------------------------------------


def test_a_red_gate_is_posted_once_with_its_figure_the_months_and_what_to_do(
    graph: Graph, daemon: Daemon, webhook: Receiver
) -> None:
    graph.land("a.csv", [row(1), row(2), row(3, "2019-04-01", Person_Id=777), row(4, Person_Id=777)])
    run = graph.months("2019-03", "2019-04", must=False)
    assert daemon.tick() == []
    assert daemon.tick() == []
    (body,) = [body for body in webhook.bodies if body["event"] == "run_failed"]
    assert (body["job"], body["run_id"], body["months"]) == (
        "bring_months_up_to_date",
        run.run_id,
        "2019-03 to 2019-04",
    )
    assert body["run_url"] == f"http://dagster.example.com/runs/{run.run_id}"
    assert body["error"] is None
    contacts = body["checks"][0]
    assert contacts == {
        "asset": "staging/ic_communication_master/resolved",
        "check": "contacts_resolved",
        "blocking": True,
        "figure": "50.00 % of 4 references to contacts lead to HubSpot (more than 95 % must).",
        "failing": 2,
        "checked": 4,
        "next_step": "`ic-assets unresolved contacts` lists them, what matters most first; then "
        "`ic-assets reconcile contacts FILE`.",
    }
    assert body["next_step"] == contacts["next_step"]
    text = body["text"].splitlines()
    assert text[0] == "*ic_assets: bring_months_up_to_date of 2019-03 to 2019-04 failed*"
    assert "contacts resolved: 50.00 % of 4 references" in text[1]
    assert "ic-assets reconcile contacts FILE" in text[2]
    assert text[-1] == body["run_url"]
    assert "777" not in json.dumps(body), "a sample belongs to the UI"
    assert "xample@" not in json.dumps(body)


def test_a_gate_that_stays_red_is_posted_again_only_when_its_figure_changes(
    graph: Graph, daemon: Daemon, webhook: Receiver
) -> None:
    """`ic-assets load` and the sensor after it run into the same gate within seconds."""

    def gates() -> list[str]:
        daemon.tick()
        found = [body["checks"][0]["figure"] for body in webhook.bodies if body["event"] == "run_failed"]
        webhook.bodies.clear()
        return found

    graph.land("a.csv", [row(1), row(2, Person_Id=777)])
    graph.months("2019-03", must=False)
    graph.months("2019-03", must=False)
    assert gates() == ["50.00 % of 2 references to contacts lead to HubSpot (more than 95 % must)."]
    graph.months("2019-03", must=False)
    assert gates() == []
    graph.land("b.csv", [row(3)])
    graph.months("2019-03", must=False)
    assert gates() == ["66.66 % of 3 references to contacts lead to HubSpot (more than 95 % must)."]


def test_a_refused_file_is_posted_with_the_line_that_refused_it(
    graph: Graph, daemon: Daemon, webhook: Receiver
) -> None:
    path = graph.folder / "<!channel>.csv"
    path.parent.mkdir()
    path.write_text("Comm_CommunicationId;Comm_Type\n1;Call\n", encoding="utf-8")
    graph.land_file(path, must=False)
    assert daemon.tick() == []
    (body,) = webhook.bodies
    assert body["event"] == "run_failed"
    assert str(body["drop"]).startswith("<!channel>.csv@")
    assert body["months"] is None
    assert "the header lacks Comm_DateTime" in body["error"]
    assert body["next_step"] == "Mend what the message names, then drop the file again."
    assert "the header lacks Comm_DateTime" in body["text"]
    assert "<" not in body["text"], "Slack takes <!channel> for an order to call everyone"


def test_an_error_that_nobody_worded_is_named_and_not_quoted(graph: Graph, daemon: Daemon, webhook: Receiver) -> None:
    """PostgreSQL quotes the value: Key (person_emailaddress)=(ada.example@example.com) already exists."""
    graph.land("a.csv", [row(1), row(2)])
    with psycopg.connect(graph.postgres_url) as connection:
        connection.execute("CREATE UNIQUE INDEX ON staging.ic_communication_master (person_emailaddress)")
    assert not graph.months("2019-03", must=False).success
    daemon.tick()
    (body,) = webhook.bodies
    assert body["error"] == "UniqueViolation; the run's log has the rest."
    assert "ada" not in json.dumps(body)


def test_a_run_whose_process_was_killed_is_posted(graph: Graph, daemon: Daemon, webhook: Receiver) -> None:
    job = graph.definitions.resolve_job_def("push_to_hubspot")
    run = graph.instance.create_run_for_job(job, tags={"dagster/partition": "2019-03-01"})
    graph.instance.report_run_failed(run, "The process of this run was killed. Re-execute it; nothing is lost.")
    daemon.tick()
    (body,) = webhook.bodies
    assert body["error"] == "The process of this run was killed. Re-execute it; nothing is lost."
    assert (body["job"], body["months"]) == ("push_to_hubspot", "2019-03")


def test_a_check_that_only_warns_is_posted_when_it_begins_to_fail_and_not_while_it_goes_on(
    graph: Graph, daemon: Daemon, webhook: Receiver
) -> None:
    def checks() -> list[str]:
        daemon.tick()
        found = [finding["check"] for body in webhook.bodies for finding in body["checks"]]
        assert {body["event"] for body in webhook.bodies} <= {"checks_failed"}
        webhook.bodies.clear()
        return sorted(found)

    graph.land("a.csv", [row(1, kind="Pigeon"), row(2)])
    graph.months("2019-03")
    assert checks() == ["every_type_occurs", "types_are_recognised"]
    graph.months("2019-03")
    graph.months("2019-03")
    assert checks() == []
    graph.land("b.csv", [row(1, kind="Email", Comm_UpdatedDate="2021-01-01")])
    graph.months("2019-03")
    assert checks() == []
    graph.land("c.csv", [row(1, kind="Pigeon", Comm_UpdatedDate="2022-01-01")])
    graph.months("2019-03")
    assert checks() == ["types_are_recognised"]


def test_runs_that_went_well_and_runs_from_before_the_first_tick_are_not_posted(
    graph: Graph, webhook: Receiver
) -> None:
    graph.land("a.csv", [row(1, Person_Id=777)])
    assert not graph.months("2019-03", must=False).success
    daemon = Daemon(graph)
    graph.query("INSERT INTO staging.contacts_reconciliation VALUES (777, 9777) RETURNING 1")
    graph.months("2019-03")
    daemon.tick()
    assert [body["event"] for body in webhook.bodies] == []


def test_without_a_webhook_nothing_is_posted_and_the_tick_says_so(
    graph: Graph, daemon: Daemon, webhook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IC_ALERT_WEBHOOK_URL")
    graph.land("a.csv", [row(1, Person_Id=777)])
    graph.months("2019-03", must=False)
    assert daemon.tick() == []
    assert webhook.bodies == []


# -- how it is posted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "posted", "outcome"),
    [
        ([204], 1, None),
        ([503, 429, 200], 3, None),
        ([503, 503, 503, 200], 3, "503"),
        ([404, 200], 1, "404"),
        ([302, 200], 1, "302"),
    ],
)
def test_a_webhook_that_is_busy_is_tried_again_and_one_that_refuses_is_not(
    webhook: Receiver, caplog: pytest.LogCaptureFixture, statuses: list[int], posted: int, outcome: str | None
) -> None:
    caplog.set_level(logging.INFO)
    webhook.statuses = statuses
    if outcome is None:
        alerts.post(webhook.address, {"text": "x"})
    else:
        with pytest.raises(Unavailable, match=f"did not take the alert: {outcome}"):
            alerts.post(webhook.address, {"text": "x"})
    assert len(webhook.bodies) == posted
    assert SECRET not in caplog.text


def test_a_webhook_that_does_not_answer_is_left_alone_after_seconds_and_not_posted_to_twice(webhook: Receiver) -> None:
    webhook.delay = 4
    started = time.monotonic()
    with pytest.raises(Unavailable, match="no answer"):
        alerts.post(webhook.address, {"text": "x"})
    assert time.monotonic() - started < 8
    assert len(webhook.bodies) == 1, "it may have taken the first one"


def test_a_webhook_that_is_down_fails_the_tick_in_a_sentence_without_its_address_and_the_next_alert_is_sent(
    graph: Graph, daemon: Daemon, webhook: Receiver
) -> None:
    webhook.close()
    graph.land("a.csv", [row(1, Person_Id=777)])
    run = graph.months("2019-03", must=False)
    (error,) = [error for error in daemon.tick() if "did not take the alert" in error][:1]
    assert "no connection" in error
    assert SECRET not in error
    stored = [str(record.event_log_entry) for record in graph.instance.get_records_for_run(run.run_id).records]
    assert SECRET not in "".join(stored)
    assert daemon.tick() == [], "each run is told once"


@pytest.mark.parametrize("name", ["IC_ALERT_WEBHOOK_URL", "IC_UI_URL"])
@pytest.mark.parametrize("value", [f"hooks.example.com/{SECRET}", f"ftp://hooks.example.com/{SECRET}", "https://"])
def test_an_address_that_is_none_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=f"{name} is not an address") as refusal:
        Alerts.from_env()
    assert SECRET not in str(refusal.value)


def test_the_address_of_the_webhook_is_not_in_what_settings_show_of_themselves(webhook: Receiver) -> None:
    assert SECRET in str(Alerts.from_env().webhook_url)
    assert SECRET not in repr(Alerts.from_env())
