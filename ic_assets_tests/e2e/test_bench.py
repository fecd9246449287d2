"""The benchmark end to end on a small file: that it measures everything it names. Never how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ic_assets_tests.bench.__main__ import main
from ic_assets_tests.bench.load import STAGES, TYPES


@pytest.mark.long
def test_a_small_run_writes_the_table_the_figures_and_the_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--rows", "2000", "--months", "12", "--only", "copy,load,delta", "--rounds", "1"]
    assert main([*arguments, "--home", str(tmp_path / "home"), "--out", str(out)]) == 0
    assert "times the bare COPY" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"bench.md", "bench.json", "stages.png", "rows.png", "memory.png"}
    figures = json.loads((out / "bench.json").read_bytes())
    (size,) = figures["sizes"]
    (load,), (delta,) = size["loads"], size["deltas"]
    # Five of a thousand rows have more or fewer fields than the header, one a NUL: no COPY takes those.
    assert load["rows"]["rows_in"] == 1988
    assert delta["rows"]["rows_in"] == 1988 + 20
    assert len(size["copies"]) == 2
    for one in (load, delta):
        assert all(one["stages"][stage] > 0 for stage in STAGES)
        total = sum(one["stages"].values()) + sum(one["orchestration"].values()) + one["start"]
        assert total == pytest.approx(one["seconds"])
        assert set(one["types"]) == set(TYPES)
        assert all(took > 0 for took in one["types"].values())
        assert 0 < one["to_master"] < one["seconds"]
        assert 50 < one["peak_mb"] < 1000
    assert figures["machine"]["postgresql"]["version"]
    text = (out / "bench.md").read_text() + (out / "bench.json").read_text()
    assert str(tmp_path) not in text


def test_the_receiver_is_measured_beside_a_server_without_a_database_and_beside_single_commits(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--rows", "1000", "--only", "receiver", "--receive-seconds", "0.5"]
    assert main([*arguments, "--home", str(tmp_path / "home"), "--out", str(out)]) == 0
    figures = json.loads((out / "bench.json").read_bytes())
    assert set(figures["received"]["rates"]) == {
        "204 without a database",
        "the receiver",
        "one commit a request",
    }
    assert all(rate > 0 for rates in figures["received"]["rates"].values() for rate in rates)
    assert set(figures["received"]["statuses"]) == {"200", "204"}
    assert "events/s" in (out / "bench.md").read_text()


def test_bad_arguments_are_refused_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--only", "copy,lod"], ["--rows", "many"], ["--rows", "10"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--home", str(tmp_path / "home")])
        assert ended.value.code == 2
    assert "lod" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
