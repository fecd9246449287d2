"""How commands speak: lines instead of bars in a log, tables that no name can steer, errors that nobody caught."""

from __future__ import annotations

import io

import httpx
import psycopg
import pytest
import sqlalchemy.exc
from rich.console import Console

from ic_assets.cli_options import completed_months, completed_types
from ic_assets.commands.foreseen import explained
from ic_assets.commands.terminal import because, progress_lines, table
from ic_assets.core.failures import Refused


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def printed(*rows: list[object]) -> str:
    screen = io.StringIO()
    Console(file=screen, width=100, force_terminal=True, color_system="truecolor").print(table("T", ["a", "b"], rows))
    return screen.getvalue()


def test_a_log_gets_a_line_a_minute_with_rate_and_remaining_time() -> None:
    clock, lines = Clock(), []
    show = progress_lines(lines.append, clock)
    for second in range(0, 121, 10):
        clock.now = 1000.0 + second
        show("push", second * 100, 60_000, f"{second} requests", "records")
    assert lines == [
        "push: 10 %, 60 requests, 100 records/s, about 9 min left",
        "push: 20 %, 120 requests, 100 records/s, about 8 min left",
    ]


def test_bytes_are_told_as_such_and_steps_have_no_rate() -> None:
    clock, lines = Clock(), []
    show = progress_lines(lines.append, clock)
    show("a.csv", 0, 10_000_000_000, "0 rows", "bytes")
    show("months 2019-03", 0, 4, "master")
    clock.now += 60
    show("a.csv", 600_000_000, 10_000_000_000, "9 rows", "bytes")
    clock.now += 60
    show("months 2019-03", 2, 4, "resolved")
    assert lines == [
        "a.csv: 6 %, 9 rows, 10.0 MB/s, about 16 min left",
        "months 2019-03: 50 %, resolved, about 2 min left",
    ]


def test_a_name_in_a_table_is_shown_as_it_is_and_steers_nothing() -> None:
    text = printed(["[red]Bold[/] & [/nonsense]", 1], ["\x1b[2Jcleared\x07\u202egnp", 2], ["two\nlines\u00a0here", 3])
    assert "[red]Bold[/] & [/nonsense]" in text
    assert "[2Jclearedgnp" in text
    assert "two lines here" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x/report.html"), "/x/report.html: No such file"),
        (OSError(28, "No space left on device"), "No space left on device; check"),
        (psycopg.OperationalError("connection lost\nmore"), "PostgreSQL: connection lost; check that the server is up"),
        (psycopg.errors.DiskFull("could not extend file"), "no disk space left (could not extend file)"),
        (psycopg.errors.InsufficientPrivilege("permission denied"), "deploy/grants.sql"),
        (psycopg.errors.UndefinedTable('relation "x" does not exist'), "ic-assets doctor"),
        (
            sqlalchemy.exc.OperationalError("SELECT secret", {}, psycopg.OperationalError("gone")),
            "PostgreSQL: gone; check",
        ),
        (httpx.ConnectError("refused"), "HubSpot does not answer (ConnectError)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_person_can_mend_is_one_line_wherever_it_arose(error: Exception, words: str) -> None:
    line = explained(error)
    assert line is not None
    assert words in line
    assert "secret" not in line


def test_a_defect_keeps_its_traceback_even_while_an_error_was_handled() -> None:
    error = KeyError("key")
    error.__context__ = FileNotFoundError(2, "No such file or directory", "x")
    assert explained(error) is None


def test_an_error_that_was_raised_from_a_refusal_says_what_the_refusal_said() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = Refused("set IC_HOME")
    assert explained(error) == "set IC_HOME"


def test_the_reasons_of_months_out_of_date_are_counted_when_there_are_several() -> None:
    assert because({"landing": 3}) == "a drop touched them"
    assert because({"landing": 3, "reconciliation": 1200}) == (
        "a drop touched them (3) and the reconciliation that they refer to changed (1,200)"
    )


def test_the_shell_completes_the_last_type_and_either_month() -> None:
    assert completed_types("calls,e") == ["calls,emails"]
    assert "calls,calls" not in completed_types("calls,c")
    assert completed_months("2019-03:2019-0") == [f"2019-03:2019-0{month}" for month in range(3, 10)]
    assert completed_months("2019-1") == ["2019-10", "2019-11", "2019-12"]
