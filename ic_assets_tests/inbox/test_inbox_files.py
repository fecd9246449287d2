"""Files of events, and the commands of the inbox."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic_assets.commands import inbox as commands
from ic_assets.commands.load_events import load_events
from ic_assets.commands.status import status
from ic_assets.core import session
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.core.settings import Settings
from ic_assets.inbox import files, registry, upkeep
from ic_assets.inbox.events import store
from ic_assets.inbox.registry import Door, Flow, Registry
from ic_assets.inbox.taking import take
from ic_assets.inbox.upkeep import Wanted
from ic_assets.resources.postgres import Database
from ic_assets_tests.inbox_cases import COUNTER, added, envelope, prepared, states, totals

SHOP = Door("shop", "shop", topic="added")
REGISTRY = Registry(flows=[Flow("counter", COUNTER.takes, COUNTER.handle, doors=[SHOP], archive="counter.added")])
FLOW = REGISTRY.flows[0]


@pytest.fixture
def database(module_database: str) -> str:
    """One for all tests: each begins with an empty inbox."""
    return module_database


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with prepared(database) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    result = Database(database, Settings.from_env())
    yield result
    result.close()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    """The commands know the made-up flow and work on the test's database."""
    monkeypatch.setenv("IC_POSTGRES_URL", database)
    for module in ("ic_assets.commands.inbox", "ic_assets.commands.load_events"):
        monkeypatch.setattr(f"{module}.registry", lambda: REGISTRY)


def taken(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        take(connection, FLOW)


def line(event_id: int, amount: str = "1") -> str:
    return f'{{"event_id":"{event_id}","occurred_at":"2026-03-01T12:00:00","name":"a","amount":{amount}}}\n'


def last_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_file_of_json_lines_goes_in_and_again_changes_nothing(
    connection: psycopg.Connection[Any], opened: Database, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl.gz"
    content = line(1) + "\n" + line(2, "0.10") + "broken\n" + '{"event_id":"3"}\n' + line(1) + line(1, "7")
    path.write_bytes(gzip.compress(content.encode()))
    found = files.load(opened, REGISTRY, SHOP, path)
    assert found.to_json() == {
        "door": "shop",
        "file": "history.jsonl.gz",
        "lines": 6,
        "stored": 3,
        "duplicates": 1,
        "differing": 1,
        "set_aside": {"missing_time": 1},
        "unknown_topic": {},
        "rejected": 1,
        "rejected_lines": [{"line": 4, "reason": "not JSON: Expecting value at character 1"}],
    }
    before = connection.execute("SELECT * FROM inbox.event ORDER BY id").fetchall()
    again = files.load(opened, REGISTRY, SHOP, path)
    assert (again.stored, again.duplicates, again.differing, again.rejected) == (0, 5, 0, 1)
    assert connection.execute("SELECT * FROM inbox.event ORDER BY id").fetchall() == before
    kept = connection.execute(
        "SELECT f.file_name, f.lines, r.line_number, r.raw_line FROM inbox.event_file AS f"
        " INNER JOIN inbox.rejected_line AS r USING (file_id)"
    ).fetchall()
    assert kept == [("history.jsonl.gz", 6, 4, "broken")]
    taken(connection)
    assert states(connection)["2"] == ("done", None)
    (verified,) = connection.execute("SELECT DISTINCT verified_by FROM inbox.event").fetchall()
    assert verified == ("file",)


def test_a_file_of_rows(connection: psycopg.Connection[Any], opened: Database, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("event_id,occurred_at,name,amount\n1,2026-03-01 12:00:00,a,0.10\n2,2026-03-01T12:00:00Z,,2\n")
    found = files.load(opened, REGISTRY, SHOP, path)
    assert (found.lines, found.stored, found.rejected) == (2, 2, 0)
    rows = connection.execute("SELECT event_id, topic, occurred_at, body FROM inbox.event ORDER BY id").fetchall()
    assert rows == [
        (
            "1",
            "added",
            datetime(2026, 3, 1, 12, tzinfo=UTC),
            {"event_id": "1", "occurred_at": "2026-03-01 12:00:00", "name": "a", "amount": "0.10"},
        ),
        (
            "2",
            "added",
            datetime(2026, 3, 1, 12, tzinfo=UTC),
            {"event_id": "2", "occurred_at": "2026-03-01T12:00:00Z", "name": None, "amount": "2"},
        ),
    ]


def test_a_refused_file_leaves_no_trace(connection: psycopg.Connection[Any], opened: Database, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(b"PK\x03\x04...")
    with pytest.raises(DropRefused, match=r"sheet\.csv: is neither JSON Lines nor CSV"):
        files.load(opened, REGISTRY, SHOP, path)
    assert connection.execute("SELECT count(*) FROM inbox.event_file").fetchone() == (0,)


def test_what_waits_in_the_folders(connection: psycopg.Connection[Any], opened: Database, tmp_path: Path) -> None:
    folder = tmp_path / "events" / "shop"
    folder.mkdir(parents=True)
    (folder / "b.jsonl").write_text(line(1))
    (folder / "a.jsonl.part").write_text(line(2))
    (tmp_path / "events" / "nobody").mkdir()
    (tmp_path / "events" / "nobody" / "x.jsonl").write_text(line(3))

    def waiting() -> list[tuple[str, str]]:
        return [(door.name, file.name) for door, file in files.waiting(connection, REGISTRY, tmp_path)]

    assert waiting() == [("shop", "b.jsonl")]
    files.load(opened, REGISTRY, SHOP, folder / "b.jsonl")
    assert waiting() == []
    (folder / "b.jsonl").write_text(line(1) + line(2))
    assert waiting() == [("shop", "b.jsonl")]


def test_a_load_that_is_killed_is_loaded_again_and_loses_and_doubles_nothing(
    connection: psycopg.Connection[Any], database: str, opened: Database, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(line(n) for n in range(20_000)) + "broken\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ic_assets", "load-events", "site", str(path), "--quiet"],
        env={**os.environ, "IC_POSTGRES_URL": database, "IC_HOME": str(tmp_path / "home")},
        start_new_session=True,
    )
    try:
        until(lambda: events(connection) > 0)
        os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.wait(30)
    assert 0 < events(connection) < 20_000
    (unfinished,) = upkeep.files(connection)
    assert (unfinished["file"], unfinished["is_unfinished"]) == ("history.jsonl", True)
    found = files.load(opened, REGISTRY, Door("site", "site"), path)
    assert (found.lines, found.rejected, found.stored + found.duplicates) == (20_001, 1, 20_000)
    assert events(connection) == 20_000
    (file,) = upkeep.files(connection)
    assert (file["is_unfinished"], file["rejected"]) == (False, 1)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def events(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM inbox.event").fetchone()
    return row[0] if row else 0


def test_load_events_says_what_became_of_each_file(
    connection: psycopg.Connection[Any], known: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(line(1) + line(2))
    bad.write_text(line(2) + "broken\n")
    assert load_events("shop", [good], as_json=True, quiet=True) == 0
    assert load_events("shop", [good, bad], as_json=True, quiet=True) == 1
    found = last_json(capsys)
    assert {name: value for name, value in found.items() if name != "files"} == {
        "door": "shop",
        "lines": 4,
        "stored": 0,
        "duplicates": 3,
        "differing": 0,
        "rejected": 1,
        "set_aside": 0,
        "unknown_topic": 0,
    }
    assert [file["file"] for file in found["files"]] == ["good.jsonl", "bad.jsonl"]
    with pytest.raises(Refused, match=r"there is no door 'shops'; the doors are .*shop"):
        load_events("shops", [good], as_json=False, quiet=True)
    with pytest.raises(Refused, match=r"gone\.jsonl: no such file \(the 1 file before it: loaded\)"):
        load_events("shop", [good, tmp_path / "gone.jsonl"], as_json=False, quiet=True)


def fill(connection: psycopg.Connection[Any]) -> None:
    """Three done, two set aside by the flow, one by the door, one that nobody knows, one with another content."""
    batch = [added(str(n)) for n in range(3)] + [added("bad", '"x"'), added("worse", "null"), added("0", "0")]
    store(connection, [*batch, added("lost", topic="lost"), envelope('{"topic":"added","event_id":"late"}')], REGISTRY)
    taken(connection)


def test_status_tells_what_is_not_done(
    connection: psycopg.Connection[Any], known: None, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(connection)
    store(connection, [added("new")], REGISTRY)
    assert commands.status(as_json=True) == 0
    (shop,) = last_json(capsys)["sources"]
    assert shop.pop("oldest") is not None
    expected = {
        "source": "shop",
        "new": 1,
        "set_aside": 3,
        "unknown_topic": 1,
        "differing": 1,
        "reasons": {"bad_field:amount": 2, "missing_time": 1},
    }
    assert shop == expected
    status(as_json=True)
    (told,) = last_json(capsys)["inbox"]
    assert told.pop("oldest") is not None
    assert told == expected
    commands.status(as_json=False)
    assert "ic-assets inbox retry --source shop --reason bad_field:amount" in capsys.readouterr().out


def test_show_masks_values_unless_asked(
    connection: psycopg.Connection[Any], known: None, capsys: pytest.CaptureFixture[str]
) -> None:
    store(connection, [added("x1", "12.50", "Ada Lovelace")], REGISTRY)
    assert commands.show("x1", None, full=False, as_json=True) == 0
    (event,) = last_json(capsys)["events"]
    assert (event["state"], event["verified_by"], event["body"]["name"]) == ("new", "test", "a+ a+")
    commands.show(str(event["id"]), "shop", full=True, as_json=True)
    assert '"name":"Ada Lovelace"' in (shown := capsys.readouterr().out)
    assert '"amount":12.50' in shown
    with pytest.raises(Refused, match="there is no event 'x2' in the inbox"):
        commands.show("x2", None, full=False, as_json=True)


def test_retry_lets_what_was_set_aside_be_taken_again(
    connection: psycopg.Connection[Any], known: None, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(connection)
    assert commands.retry(Wanted(source="site"), as_json=True) == 0
    assert last_json(capsys) == {"retried": 0, "left": 0}
    assert commands.retry(Wanted(source="shop", reason="bad_field"), as_json=True) == 0
    assert last_json(capsys) == {"retried": 2, "left": 2}
    assert states(connection)["bad"] == ("new", None)
    connection.execute("UPDATE inbox.event SET body = jsonb_set(body, '{amount}', '5') WHERE event_id = 'bad'")
    taken(connection)
    assert totals(connection)["a"] == 8
    assert states(connection)["worse"] == ("set_aside", "bad_field:amount")


def test_retry_reads_an_envelope_again_through_its_door(connection: psycopg.Connection[Any]) -> None:
    texts = ['{"id":"a1","at":"2026-03-01T12:00:00Z","name":"a","amount":1}', '{"id":"a2","name":"a","amount":1}']
    store(connection, [envelope(text) for text in texts], REGISTRY)
    store(connection, [added("a3", "4")], REGISTRY)
    assert upkeep.retry(connection, REGISTRY, Wanted()) == 0

    def read(event: Any, arrival: Any) -> Any:
        renamed = {"topic": "added", "event_id": event.get("id"), "occurred_at": event.get("at"), **event}
        return registry.read_plain(renamed, arrival)

    mended = Registry(flows=[Flow("counter", COUNTER.takes, COUNTER.handle, doors=[Door("shop", "shop", read=read)])])
    assert upkeep.retry(connection, mended, Wanted()) == 1
    found = states(connection)
    assert found["a1"] == ("new", None)
    assert ("set_aside", "missing_time") in found.values()
    taken(connection)
    assert totals(connection) == {"a": 5}


def test_prune_removes_only_what_is_done_old_and_archived(
    database: str, connection: psycopg.Connection[Any], known: None, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(connection)
    connection.execute("DELETE FROM counter.added WHERE event_id = '2'")
    assert commands.prune("1d", None, as_json=True) == 0
    assert last_json(capsys)["pruned"] == {"shop": 0}
    connection.execute("UPDATE inbox.event SET received_at = received_at - interval '2 days'")
    assert upkeep.prune(lambda: session.connect(database), REGISTRY, soon()) == {"shop": 1}
    # 0 has another content, 2 is in no archive, the others are not done.
    assert sorted(states(connection)) == sorted(["0", "2", "bad", "worse", "lost", "late"])
    for text in ("", "90", "d", "0d", "-1d", "ten days"):
        with pytest.raises(Refused, match="is not an age; write 90d, 12w or 1y"):
            commands.prune(text, None, as_json=True)


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)
