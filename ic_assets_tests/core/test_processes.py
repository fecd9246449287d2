"""The processes that are started: none runs code of the working directory, and none gets a secret that it does not need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ic_assets.activities.engine.drop import csv_drop, csv_processes
from ic_assets.activities.engine.drop.drop_info import Reading
from ic_assets.core import processes
from ic_assets.core.settings import Settings
from ic_assets.resources.services import child_environment, services
from ic_assets.sandbox.process import running
from ic_assets_tests.drops import row, write_drop

pytestmark = pytest.mark.server

# Modules that our processes import, each in another way.
NAMES = ("uvicorn", "ic_assets", "csv", "json", "starlette", "psycopg", "dagster", "sitecustomize", "pickle")
SECRETS = {
    "HUBSPOT_TOKEN": "a-secret-token",
    "IC_ALERT_WEBHOOK_URL": "https://hooks.example.com/a-secret-path",
    "IC_CELERY_BROKER": "redis://:a-secret-word@broker.example.com",
    "PGPASSWORD": "a-secret-password",
}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, full of files with our modules' names. Its end shows whether one was executed."""
    folder, ran = tmp_path / "downloads", tmp_path / "executed"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write(__file__)\nraise SystemExit(7)\n")
    monkeypatch.chdir(folder)
    yield folder
    assert not ran.exists(), ran.read_text()


def children() -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().decode()


def reading(path: Path) -> Reading:
    return Reading(
        path,
        csv_drop.inspect(path),
        drop_id=1,
        source_zone=UTC,
        date_order="YMD",
        first_month=datetime(2000, 1, 1),  # noqa: DTZ001
        end=datetime(2028, 1, 1),  # noqa: DTZ001
    )


def test_the_processes_that_read_drops(tmp_path: Path, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_drop(tmp_path / "drop.csv", [row(1), row(2)])
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    # An empty part of it means the working directory.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", str(tmp_path)]))
    assert csv_drop.inspect_beside(path) == csv_drop.inspect(path)
    before = set(children())
    with csv_processes._answering(reading(path), 2) as ask:
        block = ask(csv_processes.Piece(path.read_bytes().partition(b"\n")[2], 1, is_whole=True)).result()
        assert block is not None
        assert block.accepted == 2
        started = set(children()) - before
        assert len(started) == 2
        for pid in started:
            assert "secret" not in environment_of(pid)


def test_the_local_hubspot(tmp_path: Path, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with running(Path("relative.sqlite")) as sandbox:
        assert "secret" not in environment_of(sandbox.pid)
    assert (hostile / "relative.sqlite").exists(), "a relative path is that of the user's folder"


def test_the_services_of_a_home_that_is_named_relatively(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IC_HOME", "mine")
    with services(Settings.from_env(), hubspot=True):
        assert (hostile / "mine" / "hubspot" / "sandbox.sqlite").exists()


def test_dagsters_processes_get_absolute_paths_and_a_safe_one_for_modules(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IC_HOME", "mine")
    monkeypatch.setenv("IC_DROP_DIR", "../drops")
    monkeypatch.setenv("PGSSLROOTCERT", "root.crt")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "lib"]))
    url = "postgresql://crm@db/crm?sslrootcert=ca.pem&sslcert=%2Fetc%2Fc.pem&sslmode=verify-full"
    monkeypatch.setenv("IC_POSTGRES_URL", url)
    found = child_environment(Settings.from_env())
    assert found["IC_HOME"] == str(hostile / "mine")
    assert Path(found["IC_DROP_DIR"]).resolve() == hostile.parent / "drops"
    assert found["PGSSLROOTCERT"] == str(hostile / "root.crt")
    assert found["PYTHONPATH"] == str(hostile / "lib")
    assert found["PYTHONSAFEPATH"] == "1"
    assert f"sslrootcert={hostile}/ca.pem".replace("/", "%2F") in found["IC_POSTGRES_URL"].replace("/", "%2F")
    assert "sslcert=%2Fetc%2Fc.pem" in found["IC_POSTGRES_URL"].replace("/", "%2F")
    monkeypatch.setenv("IC_POSTGRES_URL", "postgresql://crm@db/crm?sslrootcert=system")
    assert "sslrootcert=system" in child_environment(Settings.from_env())["IC_POSTGRES_URL"]


def test_an_environment_without_modules_of_its_own_has_no_path_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":.:")
    assert "PYTHONPATH" not in processes.plain_environment(IC_X="1")
    assert processes.plain_environment(IC_X="1")["IC_X"] == "1"
