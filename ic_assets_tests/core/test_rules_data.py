"""Files of rules that people edit: what is refused, and that each state is applied once and no older one after it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from ic_assets.core import rules_data
from ic_assets.core.failures import Refused
from ic_assets.core.rules_data import Line, Mirror, RuleFile

NAME = "colours.csv"


def parse(line: Line) -> tuple[str, int]:
    if not line["number"].isdigit():
        raise line.refused("number", f"{line['number']!r} is no number")
    return line["colour"], int(line["number"])


COLOURS = RuleFile(NAME, columns=("colour", "number"), parse=parse, key=lambda row: row[0], key_columns=("colour",))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rules_data, "FOLDER", tmp_path)
    return tmp_path / NAME


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as opened:
        opened.execute("CREATE TABLE colours (colour text, number integer)")
        opened.commit()
        yield opened


def written(file: Path, text: str, at: int) -> None:
    file.write_text(f"colour,number\n{text}\n", encoding="utf-8")
    os.utime(file, (at, at))


def apply(connection: psycopg.Connection) -> bool:
    def write(rows: object) -> None:
        connection.execute("DELETE FROM colours")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO colours VALUES (%s, %s)", rows)  # type: ignore[arg-type]

    with connection.transaction():
        return rules_data.apply(connection, COLOURS, write)


def standing(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT colour, number FROM colours ORDER BY 1").fetchall()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"colour,number\nred,1\nblue,x\n", "colours.csv, line 3, column number: 'x' is no number"),
        (
            b"colour,number\nred,1\n\nred,2\n",
            "colours.csv, line 4, column colour: 'red' stands twice (line 2 too); give each one line",
        ),
        (b"color,number\nred,1\n", "colours.csv, line 1: the columns are color, number; write colour,number"),
        (b"", "colours.csv, line 1: the columns are ; write colour,number"),
        (b"colour,number\nred,1,2\n", "colours.csv, line 2: 3 values for 2 columns; quote a value with a comma"),
        (b"colour,number\nred,1\nr\xe9d,2\n", "colours.csv, line 3: not UTF-8; save the file as UTF-8"),
        (b'colour,number\n"red,1\n', "colours.csv, line 2: unexpected end of data; correct its quotes"),
    ],
)
def test_what_cannot_stand_is_refused_with_file_line_and_column(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(Refused) as refusal:
        COLOURS.load()
    assert str(refusal.value) == said


def test_a_file_as_spreadsheets_save_it_is_read(file: Path) -> None:
    """A byte order mark, CRLF, columns in another order, a short last line, blanks around values."""
    file.write_bytes(b"\xef\xbb\xbfnumber,colour\r\n 1 , red \r\n\r\n2\r\n")
    assert COLOURS.load().rows == (("red", 1), ("", 2))


def test_a_file_that_is_gone_is_refused_in_a_line(file: Path) -> None:
    with pytest.raises(Refused, match=r"^colours\.csv: No such file or directory; put the file of rules back$"):
        COLOURS.load()


def test_each_state_of_a_file_is_applied_once(file: Path, connection: psycopg.Connection) -> None:
    written(file, "red,1", at=100)
    assert [apply(connection), apply(connection)] == [True, False]
    written(file, "red,2", at=200)
    assert [apply(connection), apply(connection)] == [True, False]
    assert standing(connection) == [("red", 2)]


def test_an_older_copy_of_the_file_replaces_nothing_and_says_so(file: Path, connection: psycopg.Connection) -> None:
    """Two machines, or a process whose installation is older: each sees its own file."""
    for text, at in (("red,1", 100), ("red,2", 200)):
        written(file, text, at)
        apply(connection)
    for text, at in (("red,1", 100), ("red,3", 150), ("red,1", 200)):
        written(file, text, at)
        assert apply(connection) is False, (text, at)
        assert "`touch` it" in str(rules_data.problem(connection, COLOURS))
    assert standing(connection) == [("red", 2)]
    written(file, "red,2", at=200)
    assert rules_data.problem(connection, COLOURS) is None


def test_a_person_can_go_back_to_an_earlier_state(file: Path, connection: psycopg.Connection) -> None:
    for text, at in (("red,1", 100), ("red,2", 200), ("red,1", 300), ("red,2", 400)):
        written(file, text, at)
        assert apply(connection) is True
    assert standing(connection) == [("red", 2)]
    written(file, "red,1", at=350)
    assert apply(connection) is False


def test_a_bad_file_leaves_the_last_good_version_in_force(file: Path, connection: psycopg.Connection) -> None:
    written(file, "red,x", at=100)
    with pytest.raises(Refused, match="line 2, column number"):
        apply(connection)
    written(file, "red,1", at=200)
    apply(connection)
    written(file, "red,x", at=300)
    assert apply(connection) is False
    assert str(rules_data.problem(connection, COLOURS)) == (
        "colours.csv, line 2, column number: 'x' is no number; until then the last good version stays in force"
    )
    assert standing(connection) == [("red", 1)]


def test_who_waits_for_the_lock_reads_the_file_as_it_is_then(
    file: Path, connection: psycopg.Connection, database: str
) -> None:
    """Two processes: what one has read before the other's edit must not come after it."""
    written(file, "red,1", at=100)
    outcome: list[bool] = []
    with psycopg.connect(database) as other:
        thread = threading.Thread(target=lambda: outcome.append(apply(other)))
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (rules_data.locks.RULES, NAME))
            thread.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            while not connection.execute(waiting).fetchall():
                pass
            written(file, "red,2", at=200)
            assert apply(connection) is True
        thread.join(30)
    assert outcome == [False]
    assert standing(connection) == [("red", 2)]


def typed(line: Line) -> tuple[object, ...]:
    return (
        line.one_of("kind", ("a", "b")),
        line.filled("name"),
        line.number("share", 0, 1),
        line.integer("count", least=0),
        line.truth("active"),
    )


def one_active(lines: Sequence[tuple[Line, tuple[object, ...]]]) -> None:
    if lines and not any(row[-1] for _, row in lines):
        raise lines[-1][0].refused("active", "no line is active")


TYPED = RuleFile(
    "funnel/typed.csv",
    columns=("kind", "name", "share", "count", "active"),
    parse=typed,
    key=lambda row: row[1],
    key_columns=("name",),
    together=one_active,
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c,x,1,1,yes", "column kind: 'c' is not one of a, b"),
        ("a,,1,1,yes", "column name: empty; write a value"),
        ("a,x,1.01,1,yes", "column share: 1.01 is above 1"),
        ("a,x,-0.5,1,yes", "column share: -0.5 is below 0"),
        ("a,x,NaN,1,yes", "column share: 'NaN' is no number"),
        ("a,x,,1,yes", "column share: '' is no number"),
        ("a,x,1,1.5,yes", "column count: '1.5' is no whole number"),
        ("a,x,1,1,perhaps", "column active: 'perhaps' is neither yes nor no"),
        ("a,x,1,1,no", "column active: no line is active"),
    ],
)
def test_each_kind_of_value_is_refused_by_its_column(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "typed.csv"
    file.write_text(f"kind,name,share,count,active\n{line}\n")
    with pytest.raises(Refused) as refusal:
        TYPED.read(file)
    assert str(refusal.value) == f"typed.csv, line 2, {said}"


def test_a_flows_own_file_goes_before_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder that its variable names, else in one of IC_HOME."""
    own = tmp_path / "ic_home" / "rules" / "funnel"
    own.mkdir(parents=True)
    (own / "typed.csv").write_text("kind,name,share,count,active\na,x,0.25,3,Yes\n")
    assert TYPED.load().rows == (("a", "x", Decimal("0.25"), 3, True),)
    named = tmp_path / "named"
    named.mkdir()
    (named / "typed.csv").write_text("kind,name,share,count,active\n")
    monkeypatch.setenv("IC_FUNNEL_RULES", str(named))
    assert (TYPED.load().rows, TYPED.load().is_own) == ((), True)


def test_a_mirror_tells_what_changed_once_something_rested_on_it(file: Path, connection: psycopg.Connection) -> None:
    told: list[object] = []
    mirror = Mirror(COLOURS, "public.colours", ("colour", "number"), 1, lambda _, keys: told.extend(keys))
    written(file, "red,1\nblue,2\ngreen,3", at=100)
    assert (mirror.sync(connection), told) == ([], [])
    written(file, "red,1\nblue,5\nblack,4", at=200)
    assert mirror.sync(connection) == [("black",), ("blue",), ("green",)]
    assert told == [("black",), ("blue",), ("green",)]
    assert standing(connection) == [("black", 4), ("blue", 5), ("red", 1)]
    assert mirror.sync(connection) == []
