"""Landing and months as Dagster runs them: one run for a range, honest staleness, gates that stop what follows."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.log_manager import DagsterLogManager

from ic_assets.activities.engine.staging import classification, slices
from ic_assets.activities.run_metadata import plot
from ic_assets.core import rules_data
from ic_assets_tests.drops import CONTACT, row
from ic_assets_tests.graph_cases import Graph, digest

pytestmark = pytest.mark.server

LANDING = dg.AssetKey(["staging", "ic_communication_landing"])
MONTHS = dg.AssetKey(["staging", "ic_communication_landing", "months"])
MASTER = dg.AssetKey(["staging", "ic_communication_master"])
RESOLVED = dg.AssetKey(["staging", "ic_communication_master", "resolved"])
CALLS = dg.AssetKey(["staging", "ic_calls"])
EMAILS = dg.AssetKey(["staging", "ic_emails"])
TABLES = ("ic_calls", "ic_emails", "ic_meetings", "ic_notes", "ic_tasks", "ic_communications", "ic_postal_mail")
STAGES = [MASTER, RESOLVED, *(dg.AssetKey(["staging", table]) for table in TABLES)]


def counts_by_month(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str | None, object]:
    return {
        event.partition: event.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    }


def figures(result: dg.ExecuteInProcessResult, name: str) -> dict[str, object]:
    return {
        event.asset_key.to_user_string(): event.materialization.metadata[name].value
        for event in result.get_asset_materialization_events()
        if name in event.materialization.metadata
    }


def observed_months(graph: Graph, result: dg.ExecuteInProcessResult) -> list[str]:
    recorded = graph.instance.fetch_observations(MONTHS, limit=1000).records
    return sorted(str(record.partition_key) for record in recorded if record.run_id == result.run_id)


def test_a_range_is_one_run_with_an_event_and_the_row_count_of_each_month(graph: Graph) -> None:
    graph.land("a.csv", [row(1, "2019-01-05"), row(2, "2019-01-31 23:59:59"), row(3, "2019-03-01", "Email")])
    result = graph.months("2019-01", "2019-03")
    assert graph.instance.get_runs_count(dg.RunsFilter(job_name="bring_months_up_to_date")) == 1
    assert {event.asset_key for event in result.get_asset_materialization_events()} == set(STAGES)
    months = ("2019-01-01", "2019-02-01", "2019-03-01")
    for key, counts in ((MASTER, (2, 0, 1)), (RESOLVED, (2, 0, 1)), (CALLS, (2, 0, 0)), (EMAILS, (0, 0, 1))):
        assert counts_by_month(result, key) == dict(zip(months, counts, strict=True)), key
        recorded = graph.instance.get_materialized_partitions(key)
        assert recorded == set(months), "every month counts as materialized in the UI"


def test_a_drop_says_in_the_ui_where_its_rows_went(graph: Graph) -> None:
    rows = [row(1, "2019-01-05"), row(2, "never"), {**row(3, "2019-02-05"), "Person_Id": "abc"}]
    result = graph.land("accents é.csv", rows)
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["outcome"].value == "3 rows = 2 inserted + 0 updated + 0 unchanged + 0 joined + 1 rejected"
    assert metadata["months"].value == "2019-01, 2019-02"
    table = str(metadata["rows"].value)
    assert "| inserted | 2 | █████████████▍ |" in table
    assert "| rejected | 1 | ██████▋ |" in table
    assert "Rejected: unreadable_required 1." in table
    assert metadata["drop"].value["rejected_by_reason"] == {"unreadable_required": 1}  # type: ignore[index]
    assert metadata["drop"].value["field_warnings"] == 1  # type: ignore[index]
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"drop_identity": True, "rows_load": True}


def test_the_same_content_under_another_name_loads_nothing_and_says_so(graph: Graph) -> None:
    graph.land("first.csv", [row(1)])
    again = graph.land("second.csv", [row(1)])
    (event,) = again.get_asset_materialization_events()
    assert "landed before as first.csv@" in str(event.materialization.metadata["outcome"].value)
    assert observed_months(graph, again) == []
    assert graph.query("SELECT file_name FROM staging.ic_drop") == [("first.csv",)]


def test_a_file_that_changed_since_it_was_picked_up_is_refused_and_nothing_of_it_is_loaded(graph: Graph) -> None:
    path = graph.folder / "grows.csv"
    graph.land("other.csv", [row(1)])
    graph.folder.joinpath("grows.csv").write_bytes(graph.folder.joinpath("other.csv").read_bytes())
    key = f"grows.csv@{digest(path)[:8]}"
    with path.open("a", encoding="utf-8") as file:
        file.write("2,,,Call,,,,2019-03-05,,,,,2019-03-05,,,,,,,,,\n")
    result = graph.land_file(path, key=key, must=False)
    failure = next(event for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    assert "changed since it was picked up" in str(failure.event_specific_data)
    assert graph.query("SELECT file_name FROM staging.ic_drop") == [("other.csv",)]


def test_a_drop_observes_exactly_the_months_that_it_touched(graph: Graph) -> None:
    first = graph.land("a.csv", [row(1, "2019-01-05"), row(2, "2019-03-05"), row(3, "2019-04-05")])
    assert observed_months(graph, first) == ["2019-01-01", "2019-03-01", "2019-04-01"]
    # Unchanged, moved from March to May, and stale.
    delta = graph.land(
        "b.csv",
        [
            row(1, "2019-01-05"),
            row(2, "2019-05-05", Comm_UpdatedDate="2021-01-01"),
            row(3, "2019-06-05", Comm_UpdatedDate="2001-01-01"),
        ],
    )
    assert observed_months(graph, delta) == ["2019-03-01", "2019-05-01"]


def test_a_delta_makes_exactly_its_months_stale(graph: Graph) -> None:
    graph.land("a.csv", [row(1, "2019-01-05"), row(2, "2019-02-05"), row(3, "2019-03-05")])
    graph.months("2019-01", "2019-03")
    keys = [f"2019-0{month}-01" for month in (1, 2, 3)]
    assert stale(graph, MASTER, keys) == []
    graph.land("b.csv", [row(2, "2019-02-06", Comm_UpdatedDate="2021-01-01")])
    assert stale(graph, MASTER, keys) == ["2019-02-01"]
    graph.months("2019-02")
    assert stale(graph, MASTER, keys) == []


def stale(graph: Graph, key: dg.AssetKey, partitions: list[str]) -> list[str]:
    resolver = CachingStaleStatusResolver(
        graph.instance, graph.definitions.resolve_asset_graph(), LoadingContextForTest(graph.instance)
    )
    return [name for name in partitions if resolver.get_status(key, name) == StaleStatus.STALE]


def test_running_months_again_writes_nothing_and_ids_stay(graph: Graph) -> None:
    kinds = ("Call", "Email", "Meeting", "Note", "Task", "SMS", "Letter", "Case")
    graph.land("a.csv", [row(number, kind=kind) for number, kind in enumerate(kinds, 1)])

    def standing() -> list[list[tuple[object, ...]]]:
        tables = ("ic_communication_master", *TABLES)
        return [graph.query(f"SELECT * FROM staging.{table} ORDER BY id") for table in tables]

    first = graph.months("2019-03")
    accounts = figures(first, "run")
    assert accounts["staging/ic_communication_master"] == "2019-03: 8 communications, 8 of them written."
    assert accounts["staging/ic_notes"] == (
        "2019-03: 2 in ic_notes, 2 written, 0 removed; 0 with a payload that HubSpot would refuse."
    )
    before = standing()
    again = figures(graph.months("2019-02", "2019-04"), "run")
    span = "3 months, 2019-02 to 2019-04"
    assert again == {
        "staging/ic_communication_master": f"{span}: 8 communications, 0 of them written.",
        "staging/ic_communication_master/resolved": f"{span}: 8 communications, 0 of them written again.",
        **{
            f"staging/{table}": f"{span}: {2 if table == 'ic_notes' else 1} in {table}, 0 written, 0 removed; "
            "0 with a payload that HubSpot would refuse."
            for table in TABLES
        },
    }
    assert standing() == before


def test_the_account_of_a_run_stands_once_on_the_event_that_the_ui_shows_first(graph: Graph) -> None:
    """Metadata of the result would be copied onto each of 178 events, a plot of five kilobytes each time."""
    rows = [row(1, "2019-01-05"), row(2, "2019-03-05", Comm_Subject="Call Ada on +49 30 1234"), row(3, "2019-03-06")]
    graph.land("a.csv", rows)
    result = graph.months("2019-01", "2019-04")
    for key in STAGES:
        events = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
        assert [sorted(event.materialization.metadata) for event in events[:-1]] == [
            ["dagster/partition_row_count"]
        ] * 3
        latest = graph.instance.get_latest_materialization_event(key)
        assert latest is not None
        assert latest.asset_materialization is not None
        assert latest.asset_materialization.partition == "2019-04-01", "which the UI shows first"
        assert "run_months" in latest.asset_materialization.metadata
    metadata = events_metadata(result, MASTER)
    assert metadata["run"].value == "4 months, 2019-01 to 2019-04: 3 communications, 3 of them written."
    assert "2019-01 to 2019-03; one bar is a month, the highest 2 rows." in str(metadata["run_months"].value)
    assert "| 2019 | 3 | ████████████████████ |" in str(metadata["run_years"].value)
    sample = str(metadata["run_sample"].value)
    assert sample.splitlines()[0] == (
        "- comm_communicationid `3`, comm_datetime `2019-03-06 00:00:00`, comm_type `Call`, "
        "derived_activity_type `calls`, comm_subject `S… 3`, is_orphaned `False`"
    )
    assert "Ada" not in sample
    assert "1234" not in sample
    empty = events_metadata(result, dg.AssetKey(["staging", "ic_tasks"]))
    assert empty["run_months"].value == "No rows in these months."
    assert "run_sample" not in empty


def test_a_run_that_leaves_no_record_says_what_to_set(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    graph.land("a.csv", [row(1)])

    def warnings() -> set[str]:
        messages: list[str] = []
        monkeypatch.setattr(DagsterLogManager, "warning", lambda self, text, *rest: messages.append(text))
        graph.months("2019-03")
        return set(messages)

    assert warnings() == {"DAGSTER_HOME is not set: the work is done, and Dagster keeps no record of it."}
    monkeypatch.setenv("DAGSTER_HOME", str(graph.folder))
    assert warnings() == set()


def outline(markdown: str) -> list[tuple[int, int]]:
    """Height and width of each bar of a plot in Markdown."""
    encoded = markdown.partition("(data:image/svg+xml;base64,")[2].partition(")")[0]
    image = ElementTree.fromstring(base64.b64decode(encoded))
    (path,) = image.iter("{http://www.w3.org/2000/svg}path")
    floor = int(image.attrib["height"])
    return [(floor - int(top), int(width)) for top, width in re.findall(r"V(\d+)h(\d+)", path.attrib["d"])]


def test_the_plot_of_a_run_has_a_bar_for_each_month_in_its_proportion() -> None:
    markdown = plot({date(2019, 1, 1): 200, date(2019, 2, 1): 0, date(2019, 4, 1): 100})
    assert outline(markdown) == [(60, 40), (0, 40), (0, 40), (30, 40)]
    assert markdown.endswith("2019-01 to 2019-04; one bar is a month, the highest 200 rows.")
    assert plot({date(2019, 1, 1): 0}) == "No rows in these months."


def test_the_plot_of_many_years_stays_short_enough_for_the_ui_to_show_it() -> None:
    """Dagster's UI hides Markdown of a thousand characters and more behind a link."""
    months = [date(2000 + number // 12, number % 12 + 1, 1) for number in range(347)]
    markdown = plot({month: 123_456 - number for number, month in enumerate(months)})
    assert len(markdown) < 1000
    bars = outline(markdown)
    assert len(bars) == 87, "four months each"
    assert sum(width for _, width in bars) <= 420
    assert markdown.endswith("2028-11; one bar is 4 months, the highest 493,818 rows.")


def events_metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> Mapping[str, dg.MetadataValue]:
    """Of the asset's last event."""
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return events[-1].materialization.metadata


def test_a_correction_of_type_and_month_leaves_no_stale_row_when_the_new_month_runs_first(graph: Graph) -> None:
    graph.land("a.csv", [row(1, "2019-01-05"), row(2, "2019-01-06"), row(3, "2019-03-07", "Email")])
    graph.months("2019-01", "2019-03")
    before = dict(graph.query("SELECT comm_communicationid, id FROM staging.ic_communication_master"))
    graph.land("b.csv", [row(1, "2019-03-05", "E-Mail", Comm_UpdatedDate="2021-01-01")])
    assert graph.out_of_date() == ["2019-01", "2019-03"]
    graph.months("2019-03")
    assert graph.out_of_date() == ["2019-01"]
    graph.months("2019-01")
    assert graph.out_of_date() == []
    assert dict(graph.query("SELECT comm_communicationid, id FROM staging.ic_communication_master")) == before
    assert graph.query("SELECT ic_communication_master_id FROM staging.ic_calls") == [(before[2],)]
    assert graph.query(
        "SELECT ic_communication_master_id, activity_date::date::text FROM staging.ic_emails ORDER BY 2"
    ) == [(before[1], "2019-03-05"), (before[3], "2019-03-07")]


@pytest.fixture
def classification_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / classification.CLASSIFICATION.name
    copy.parent.mkdir()
    for file in classification.FILES:
        shutil.copy(file.packaged, tmp_path / file.name)
    monkeypatch.setattr(rules_data, "FOLDER", tmp_path)
    return copy


def test_an_edited_classification_puts_exactly_the_months_with_that_value_out_of_date(
    graph: Graph, classification_file: Path
) -> None:
    graph.land(
        "a.csv", [row(1, "2019-01-05", " ZOOM "), row(2, "2019-02-05", "Call"), row(3, "2019-03-05", "Zoom call")]
    )
    graph.months("2019-01", "2019-03")
    assert graph.out_of_date() == []
    text = classification_file.read_text(encoding="utf-8")
    classification_file.write_text(text.replace("zoom,*,calls,", "zoom,*,meetings,"), encoding="utf-8")
    # Any run of the master brings the edit in; the months that hold the value are asked for then.
    first = graph.months("2019-02")
    assert figures(first, "classification_changed") == {"staging/ic_communication_master": ["zoom"]}
    assert graph.out_of_date() == ["2019-01"]
    graph.months("2019-01")
    assert graph.query("SELECT count(*) FROM staging.ic_meetings") == [(1,)]
    assert graph.query("SELECT count(*) FROM staging.ic_calls") == [(1,)]


def test_a_red_gate_stops_the_derivatives_and_says_the_figures_and_what_to_do(graph: Graph) -> None:
    graph.land("a.csv", [row(1), row(2), row(3, Person_Id=777), row(4, Person_Id=777)])
    result = graph.months("2019-03", must=False)
    assert not result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {MASTER, RESOLVED}
    failed = {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}
    contacts = failed["contacts_resolved"]
    assert contacts.severity == dg.AssetCheckSeverity.ERROR
    assert contacts.blocking
    assert "50.00 % of 4 references to contacts lead to HubSpot" in str(contacts.description)
    assert "ic-assets reconcile contacts FILE" in str(contacts.description)
    assert contacts.metadata["sample"].value == [{"legacy_id": 777, "communications": 2}]
    assert "example.com" not in str(contacts), "a check shows no personal data"
    assert "50.00 % of 4 communications" in str(failed["orphans"].description)
    assert graph.query("SELECT count(*) FROM staging.ic_calls") == [(0,)]

    graph.query(f"INSERT INTO staging.contacts_reconciliation VALUES (777, 9777) RETURNING {CONTACT}")
    assert graph.months("2019-03").success
    assert graph.query("SELECT count(*) FROM staging.ic_calls") == [(4,)]


def test_a_warning_lets_the_run_go_on(graph: Graph) -> None:
    graph.land("a.csv", [row(1, kind="Pigeon"), row(2)])
    result = graph.months("2019-03")
    failed = {check.check_name: check.severity for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed == {
        "every_type_occurs": dg.AssetCheckSeverity.WARN,
        "types_are_recognised": dg.AssetCheckSeverity.WARN,
    }
    unrecognised = next(
        check for check in result.get_asset_check_evaluations() if check.check_name == "types_are_recognised"
    )
    assert "1 of 1 communications (100.00 %) of one activity type" in str(unrecognised.description)
    assert "Most often: pigeon (1 notes)." in str(unrecognised.description)
    pigeon = {"comm_type": "pigeon", "activity_type": "notes", "communications": 1, "share": 1.0, "became": "notes"}
    assert unrecognised.metadata["sample"].value == [pigeon]


def test_months_out_of_date_are_named_within_a_scope_of_months_and_types(graph: Graph) -> None:
    graph.land("a.csv", [row(1, "2019-01-05"), row(2, "2019-02-05"), row(3, "2019-03-05")])
    graph.months("2019-02")
    graph.query("DELETE FROM staging.ic_month_stage WHERE stage = 'calls' RETURNING stage")
    with psycopg.connect(graph.postgres_url) as connection:

        def found(*stages: str, **bounds: date) -> list[str]:
            return [f"{month:%Y-%m}" for month, _, _ in slices.out_of_date(connection, stages, **bounds)]

        assert found("master", "resolved", "emails") == ["2019-01", "2019-03"]
        assert found("master", "resolved", "emails", first_month=date(2019, 2, 1)) == ["2019-03"]
        assert found("master", "resolved", "emails", first_month=date(2019, 2, 1), before=date(2019, 3, 1)) == []
        assert found("calls", first_month=date(2019, 2, 1), before=date(2019, 3, 1)) == ["2019-02"]
