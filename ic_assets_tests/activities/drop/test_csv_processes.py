"""A large drop read by several processes: the same rows, rejects and refusals as by one, whatever is in the file and
whatever becomes of the processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ic_assets.activities.engine.drop import csv_drop, csv_processes
from ic_assets.activities.engine.drop.csv_processes import Answers, Piece
from ic_assets.activities.engine.drop.csv_rows import Block
from ic_assets.activities.engine.drop.drop_file import DropFile
from ic_assets.activities.engine.drop.drop_info import Reading
from ic_assets_tests.activities.drop.test_csv_drop import PIECES, drop, outcome, text_of
from ic_assets_tests.budget import examples

NOTES = ["", "plain", "two\nlines", 'a "quoted" word', "a\n\n\nb", 'ends with a quote"', "Ünï"]
# What no CSV writer makes: quotes in bare fields, which leave the quotes of the file odd.
BARE = ['5" pipe', '"', 'a"b"c', '""', "x"]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every drop is large, and cut often."""
    monkeypatch.setattr(csv_processes, "_FROM_BYTES", 0)
    monkeypatch.setattr(csv_processes, "_PIECE_BYTES", 600)
    monkeypatch.setattr(csv_processes, "_LONGEST_PIECE", 4_800)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def rows(count: int, bare: str = "") -> str:
    """Rows whose notes have line breaks and quotes; ``bare`` goes unquoted into the subject of every seventh."""
    header, *lines = text_of(
        *({"comm_communicationid": str(n), "comm_note": NOTES[n % len(NOTES)]} for n in range(1, count + 1))
    ).split("\n1,", 1)
    text = header + "\n1," + lines[0]
    return text.replace(",two\n", f",{bare}\n") if bare else text


def in_this_process(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> list[Block | None]:
    """The same with the answers made here. Returns the list of the answers, which fills."""
    answers: list[Block | None] = []

    def blocks(file: DropFile, reading: Reading) -> Iterator[Block] | None:
        answered = Answers(reading)

        def ask(piece: Piece) -> Future[Block | None]:
            answer: Future[Block | None] = Future()
            answers.append(answered(piece))
            answer.set_result(answers[-1])
            return answer

        if not csv_processes.is_like_ascii(reading.info.encoding):
            return None
        return csv_processes.in_order(file, reading, ask, ahead=3)

    monkeypatch.setattr(csv_processes, "blocks", blocks)
    monkeypatch.setattr(csv_processes, "_PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(csv_processes, "_LONGEST_PIECE", 8 * piece_bytes)
    return answers


LINES = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(NOTES), st.sampled_from(["", "", "", *BARE])), min_size=1, max_size=30
)


@given(LINES, st.integers(1, 400), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_of_any_size_read_as_the_whole_does(
    tmp_path: Path, lines: list[tuple[int, str, str]], piece_bytes: int, end: str
) -> None:
    header, _ = text_of().split("\n")
    body = [
        f'{number},,,Call,{bare},,,2019-03-01,,"{note.replace(chr(34), 2 * chr(34))}",,,2019-03-01' + "," * 9
        for number, note, bare in lines
    ]
    path = drop(tmp_path, end.join([header, *body, ""]))
    expected = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        answers = in_this_process(patch, piece_bytes)
        assert outcome(path) == expected
    assert answers


@given(PIECES, st.integers(1, 200))
@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_bytes_in_pieces_are_refused_or_accounted_for_as_in_one(
    tmp_path: Path, pieces: list[bytes], piece_bytes: int
) -> None:
    path = drop(tmp_path, text_of().encode() + b"".join(pieces))
    expected = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        in_this_process(patch, piece_bytes)
        assert outcome(path) == expected


def test_pieces_end_where_records_end_and_none_is_left_to_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(tmp_path, rows(500))
    expected = outcome(path)
    answers = in_this_process(monkeypatch, 600)
    assert outcome(path) == expected
    assert len(answers) > 50
    assert None not in answers


def test_quotes_that_are_odd_leave_the_rest_to_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = drop(tmp_path, rows(500).replace("\n250,,,Call,", '\n250,,,Call,5" pipe'))
    expected = outcome(path)
    answers = in_this_process(monkeypatch, 600)
    assert outcome(path) == expected
    assert None in answers
    assert answers.index(None) > 10


class TestProcesses:
    """Real ones."""

    @pytest.fixture
    def children(self, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
        started: list[subprocess.Popen[bytes]] = []

        class Noted(subprocess.Popen[bytes]):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                started.append(self)

        monkeypatch.setattr(csv_processes.subprocess, "Popen", Noted)
        return started

    @pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp1252"])
    def test_they_read_what_one_reads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[Any], codec: str, request: Any
    ) -> None:
        text = rows(400) + "401,,,Call,,,,someday\n402,,,Call\n" + text_of({"company_id": "x"}).split("\n", 1)[1]
        path = drop(tmp_path, text.encode(codec))
        expected = outcome(path)
        assert not children, "a small drop needs none"
        request.getfixturevalue("large")
        assert outcome(path) == expected
        assert len(children) == 2

    def test_one_that_is_killed_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[Any], request: Any
    ) -> None:
        path = drop(tmp_path, rows(2_000))
        expected = outcome(path)
        request.getfixturevalue("large")
        receive, received = csv_processes._receive, 0

        def killing(child: subprocess.Popen[bytes]) -> Block | None:
            nonlocal received
            received += 1
            if received == 20:
                child.kill()
                child.wait()
            return receive(child)

        monkeypatch.setattr(csv_processes, "_receive", killing)
        assert outcome(path) == expected
        assert received >= 20

    @pytest.mark.usefixtures("large")
    def test_they_end_with_a_reader_that_stops_early(self, tmp_path: Path, children: list[Any]) -> None:
        path = drop(tmp_path, rows(2_000))
        info = csv_drop.inspect(path)
        reader = csv_drop.read(
            path,
            info,
            drop_id=1,
            source_zone=UTC,
            date_order="YMD",
            first_month=datetime(2000, 1, 1),  # noqa: DTZ001
            end=datetime(2028, 1, 1),  # noqa: DTZ001
            on_reject=print,
            on_warning=print,
        )
        blocks = iter(reader)
        next(blocks)
        blocks.close()  # type: ignore[attr-defined]
        assert [child.returncode for child in children] == [-9, -9]


def test_a_look_at_a_drop_by_another_process_finds_the_same_or_leaves_it_to_this_one(tmp_path: Path) -> None:
    path = drop(tmp_path, rows(50), "Übersicht 2019.csv")
    assert csv_drop.inspect_beside(path) == csv_drop.inspect(path)
    assert csv_drop.inspect_beside(drop(tmp_path, "no,csv,of,ours\n", "other.csv")) is None
    assert csv_drop.inspect_beside(tmp_path / "missing.csv") is None
