"""What the benchmark makes of its measurements: medians, ratios, verdicts, the table and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ic_assets_tests.bench import data, plots
from ic_assets_tests.bench.baselines import Usual
from ic_assets_tests.bench.figures import Results, Size, Target, markdown, seconds, table, targets_of
from ic_assets_tests.bench.load import STAGES, Event, Load, taken_apart
from ic_assets_tests.bench.processes import Finished, run
from ic_assets_tests.bench.push import Pushed

MACHINE = {
    "cores": 2,
    "processor": "x",
    "memory_gb": 8,
    "system": "Linux 6",
    "python": "3.11.7",
    "dagster": "1.13",
    "postgresql": {"version": "18.6", "work_mem": "64MB"},
}


def _load(seconds: float, *, peak_mb: float = 200.0, to_master: float = 5.0) -> Load:
    return Load(
        seconds=seconds,
        stages=dict.fromkeys(STAGES, 1.0),
        orchestration={"planning": 1.0, "recording": 2.0, "between steps": 0.5},
        start=3.0,
        to_master=to_master,
        peak_mb=peak_mb,
        tree_peak_mb=peak_mb + 50,
        processes=5,
        cpu_seconds=4.0,
        types={"calls": 1.5},
        checks={"master_checks": 1.0},
        rows={"rows_in": 1},
    )


def _pushed(records: int) -> Pushed:
    return Pushed(
        rps=10.0,
        records=records,
        requests=records // 100,
        window=40.0,
        seconds=55.0,
        refused_429=0,
        cpu_per_thousand=0.2,
        peak_mb=200.0,
    )


def _results() -> Results:
    small = Size(500_000, 178, 183.0, 5_000, [2.0, 4.0, 3.0], [_load(50.0), _load(70.0)], [_load(9.0)])
    large = Size(5_000_000, 178, 1830.0, 50_000, [30.0], [_load(240.0, peak_mb=230.0)], [_load(36.0)])
    return Results(MACHINE, [small, large], [small], 100_000, Usual(50.0, 100_000, 240.0), [_pushed(39_400)])


def _verdicts(results: Results) -> dict[str, Target]:
    return {target.what: target for target in targets_of(results)}


def test_a_load_is_held_against_the_median_copy_of_its_own_file() -> None:
    found = _verdicts(_results())
    small = found["CSV to derivatives, 500,000 rows: times the bare COPY"]
    large = found["CSV to derivatives, 5,000,000 rows: times the bare COPY"]
    assert (small.found, small.bound, small.met) == (60.0 / 3.0, 20.0, True)
    assert (large.found, large.bound, large.met) == (240.0 / 30.0, 10.0, True)


def test_a_figure_on_the_wrong_side_of_its_bound_is_not_met() -> None:
    assert Target("", 98.0, 97.9, "%", at_least=True).met is False
    assert Target("", 98.0, 98.0, "%", at_least=True).met is True
    assert Target("", 10.0, 10.1, "×").met is False
    assert Target("", 10.0, None, "×").met is None


def test_the_way_to_the_master_is_compared_as_rows_a_second() -> None:
    # 500,000 rows in 5 s are 100,000 a second, the usual loader's 100,000 rows in 50 s are 2,000.
    found = _verdicts(_results())["CSV to master, 500,000 rows: times the usual loader's rate"]
    assert (found.found, found.met) == (50.0, True)


def test_a_delta_is_a_share_of_the_full_load_of_the_same_rows() -> None:
    found = _verdicts(_results())["1 % delta of 5,000,000 rows: of the full load"]
    assert found.found == pytest.approx(15.0)
    assert found.met is False


def test_memory_is_judged_by_its_peak_and_by_its_growth_from_the_smallest_to_the_largest_file() -> None:
    found = _verdicts(_results())
    assert found["Memory of the loading process"].found == 230.0
    growth = found["Memory, 5,000,000 rows more than 500,000"]
    assert (growth.found, growth.met) == (30.0, False)


def test_a_push_is_judged_by_the_records_that_the_budget_allows() -> None:
    # 40 s at 10 requests a second and 100 records each.
    found = _verdicts(_results())["Push at 10 requests/s, 200 ms latency: of the budget × 100 records"]
    assert found.found == pytest.approx(98.5)
    assert found.met is True


def test_seconds_show_the_median_and_the_range() -> None:
    assert seconds([3.0, 1.0, 2.5]) == "2.50 (1.00 to 3.00)"
    assert seconds([250.4]) == "250"
    assert seconds([]) == "not measured"


def test_a_table_has_a_line_for_its_head_and_one_for_each_row() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n"


def test_the_report_names_what_was_not_measured_and_no_path() -> None:
    results = _results()
    results.sizes[0].loads.clear()
    text = markdown(results)
    assert "not measured" in text
    assert "| CSV to derivatives, 500,000 rows: times the bare COPY | at most 20 × | not measured |  |" in text
    assert "/tmp" not in text


def test_each_thing_that_was_measured_has_its_picture(tmp_path: Path) -> None:
    names = [path.name for path in plots.draw(_results(), tmp_path)]
    assert names == ["stages.png", "rows.png", "memory.png", "months.png", "push.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_what_was_not_measured_has_no_picture(tmp_path: Path) -> None:
    results = Results(MACHINE, [Size(1000, 178, 1.0, 10, copies=[0.1])])
    assert plots.draw(results, tmp_path) == []


def _events(start: datetime) -> Iterator[Event]:
    def at(run: str, step: str | None, kind: str, seconds: float, asset: str = "") -> Event:
        key = f'["staging", "ic_{asset}"]' if asset else None
        return run, step, kind, key, start + timedelta(seconds=seconds)

    yield at("r1", "land", "ASSET_MATERIALIZATION_PLANNED", 2, "communication_landing")
    yield at("r1", "land", "STEP_START", 3)
    yield at("r1", "land", "ASSET_OBSERVATION", 10, "communication_landing_months")
    yield at("r1", "land", "STEP_OUTPUT", 11)
    yield at("r1", "land", "ASSET_MATERIALIZATION", 11, "communication_landing")
    yield at("r1", "land", "STEP_SUCCESS", 12)
    yield at("r1", None, "PIPELINE_SUCCESS", 12.5)
    yield at("r2", "master", "ASSET_MATERIALIZATION_PLANNED", 13, "communication_master")
    yield at("r2", "master", "STEP_START", 14)
    yield at("r2", "master", "STEP_OUTPUT", 18)
    yield at("r2", "master", "ASSET_MATERIALIZATION", 18.5, "communication_master")
    yield at("r2", "master", "STEP_SUCCESS", 19)
    yield at("r2", "master_checks", "STEP_START", 20)
    yield at("r2", "master_checks", "ASSET_CHECK_EVALUATION", 20.5, "communication_master")
    yield at("r2", "master_checks", "STEP_SUCCESS", 22)
    yield at("r2", "both", "STEP_START", 22)
    yield at("r2", "both", "STEP_OUTPUT", 24)
    yield at("r2", "both", "ASSET_MATERIALIZATION", 24, "notes")
    yield at("r2", "both", "STEP_OUTPUT", 27)
    yield at("r2", "both", "ASSET_MATERIALIZATION", 27, "calls")
    yield at("r2", "both", "ASSET_MATERIALIZATION", 27.5, "calls")
    yield at("r2", "both", "STEP_SUCCESS", 28)
    yield at("r2", None, "PIPELINE_SUCCESS", 28.5)


def test_a_load_is_taken_apart_by_the_events_of_its_runs() -> None:
    began = 1_800_000_000.0
    finished = Finished(began, began + 31, 200.0, 250.0, 3, 9.0, "")
    events = list(_events(datetime(2027, 1, 15, 8, 0)))  # noqa: DTZ001 - as the event log has them
    found = taken_apart(
        finished, events, {"calls": began + 22.5, "notes": began + 22.5, "master": began}, {"rows_in": 5}
    )
    assert found.stages == {"landing": 7.0, "master": 4.0, "resolution": 0.0, "derivatives": 5.0, "checks": 2.0}
    assert found.checks == {"master_checks": 2.0}
    assert found.types == {"calls": 4.5, "notes": 1.5}
    assert found.orchestration == {"planning": 2.0, "recording": 4.0, "between steps": 2.0}
    assert found.to_master == 19.0
    # Two seconds before the first run, half a second between the runs, two and a half after the last.
    assert found.start == 5.0
    assert found.start + sum(found.stages.values()) + sum(found.orchestration.values()) == found.seconds


def test_the_memory_of_a_command_is_its_own_and_not_that_of_who_started_it(tmp_path: Path) -> None:
    ballast = bytearray(300 * 2**20)
    small = run(["sleep", "0.2"], {"PATH": "/usr/bin:/bin"}, tmp_path)
    assert len(ballast) == 300 * 2**20
    assert 0 < small.peak_mb < 50


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3: no such drop"):
        run(["sh", "-c", "echo no such drop; exit 3"], {"PATH": "/usr/bin:/bin"}, tmp_path)


def test_a_file_has_the_rows_that_a_copy_takes_over_as_many_months_and_a_delta_of_one_month(tmp_path: Path) -> None:
    drop = data.drop(tmp_path, 3_000, 60)
    rows = list(data.rows(drop.file))
    assert all(len(row) == 22 and not any("\0" in value for value in row) for row in rows)
    assert 2_900 < len(rows) < 3_000
    moments = [row[7][:7] for row in rows if row[7][:2] == "20" and row[7][:7] <= "2026-10"]
    assert len(set(moments)) == 60
    delta = list(data.rows(drop.delta))
    assert len(delta) == 30
    assert len({row[7][:7] for row in delta}) == 1
    assert len({row[0] for row in delta}) == 30


def test_the_same_arguments_give_the_same_files_which_are_made_once(tmp_path: Path) -> None:
    first = data.drop(tmp_path / "a", 1_000, 12).file.read_bytes()
    again = data.drop(tmp_path / "b", 1_000, 12)
    assert again.file.read_bytes() == first
    written = again.file.stat().st_mtime_ns
    assert data.drop(tmp_path / "b", 1_000, 12).file.stat().st_mtime_ns == written


def test_a_generator_that_fails_leaves_no_files_that_look_complete(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="ended with 2"):
            data.drop(tmp_path, 10)
