"""Commands and scripts as processes of their own, without the three seconds of imports that each would begin with: a process
that has imported what they need forks for each. It has the pid, environment, folder, exit code, streams and signals of a
process that was started; what it imports by itself is what the tests that ask for that start for real.

`run` is `subprocess.run` and `start` is `subprocess.Popen` for `ic-assets ARGUMENTS`, and for `python -c CODE ARGUMENTS`.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SCRIPT = str(Path(sys.executable).with_name("ic-assets"))
_INHERIT, _PIPE, _NOTHING = None, subprocess.PIPE, subprocess.DEVNULL
# Nothing that looks at the environment or the terminal when it is imported, as the partitions and the consoles do.
_IMPORTED = (
    "dagster",
    "dagster_pandas",
    "dagster_postgres",
    "dagster._core.execution.api",
    "dagster._cli",
    "alembic.command",
    "httpx",
    "jinja2",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "nh3",
    "orjson",
    "pandas",
    "pandera",
    "psycopg.types.json",
    "rich.console",
    "rich.progress",
    "rich.table",
    "starlette.applications",
    "uvicorn",
    "typer",
    "typer.rich_utils",
    "ic_assets.core.schema",
    "ic_assets.core.settings",
    "ic_assets.hubspot.push.run",
    "ic_assets.resources.backup",
    "ic_assets.resources.dagster_home",
    "ic_assets.resources.services",
    "ic_assets.activities.engine.derivatives.slice_derivatives",
    "ic_assets.activities.engine.landing.drop_landing",
    "ic_assets.activities.engine.reports.report",
    "ic_assets.activities.engine.staging.stages",
)


class Process:
    """What `start` gives: a part of `subprocess.Popen`, for text in UTF-8."""

    def __init__(self, args: Sequence[str], pid: int, streams: Mapping[str, IO[str] | None]) -> None:
        self.args, self.pid, self.returncode = args, pid, None
        self.stdin, self.stdout, self.stderr = (streams[name] for name in ("stdin", "stdout", "stderr"))

    returncode: int | None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _server().ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, sign: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        said: dict[str, str] = {"stdout": "", "stderr": ""}

        def read(name: str, stream: IO[str]) -> None:
            with stream:
                said[name] = stream.read()

        readers = [
            threading.Thread(target=read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr))
            if stream and not stream.closed
        ]
        for reader in readers:
            reader.start()
        if self.stdin and not self.stdin.closed:
            try:
                with self.stdin:
                    self.stdin.write(input or "")
            except BrokenPipeError:
                pass
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return said["stdout"], said["stderr"]

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream and not stream.closed:
                stream.close()
        self.wait()


def start(
    *arguments: str,
    code: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    stdin: int | None = _INHERIT,
    stdout: int | None = _INHERIT,
    stderr: int | None = _INHERIT,
) -> Process:
    """Starts ``ic-assets ARGUMENTS``, or ``python -c CODE ARGUMENTS``. Streams are this process's, PIPE, DEVNULL or, for
    standard error, STDOUT."""
    ours: dict[str, IO[str] | None] = {"stdin": None, "stdout": None, "stderr": None}
    theirs: list[int] = []
    opened: list[int] = []
    for number, (name, wanted) in enumerate((("stdin", stdin), ("stdout", stdout), ("stderr", stderr))):
        if wanted == _PIPE:
            reading, writing = os.pipe()
            mine, other = (writing, reading) if number == 0 else (reading, writing)
            ours[name] = os.fdopen(mine, "w" if number == 0 else "r", encoding="utf-8", errors="surrogateescape")
            opened.append(other)
            theirs.append(other)
        elif wanted == _NOTHING:
            opened.append(os.open(os.devnull, os.O_RDWR))
            theirs.append(opened[-1])
        else:
            theirs.append(theirs[1] if wanted == subprocess.STDOUT else number)
    try:
        pid = _server().ask(
            {
                "argv": list(arguments),
                "code": code,
                "env": dict(os.environ if env is None else env),
                "cwd": str(cwd or Path.cwd()),
                "streams": [f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in theirs],
            }
        )
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return Process([SCRIPT, *arguments] if code is None else [sys.executable, "-c", code, *arguments], pid, ours)


def run(
    *arguments: str,
    code: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    input: str = "",
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, which has to come within ``timeout`` seconds."""
    process = start(*arguments, code=code, env=env, cwd=cwd, stdin=_PIPE, stdout=_PIPE, stderr=_PIPE)
    try:
        out, err = process.communicate(input, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class _Server:
    """The process that forks. One for this process and all its threads."""

    def __init__(self) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("IC_", "HUBSPOT_", "DAGSTER_"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[1],
        )  # fmt: skip
        self._turn = threading.Lock()
        atexit.register(self._process.kill)

    def ask(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with self._turn:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, f"the process that starts commands has ended with {self._process.poll()}"
        return json.loads(answer)


@functools.cache
def _server() -> _Server:
    return _Server()


# -- the process that forks ------------------------------------------------------------------------------------------


def _serve() -> dict[str, Any] | None:
    """Answers until its input ends. Returns, in a process of its own, what that is to run."""
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            streams = [
                os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
                for number, path in enumerate(request["streams"])
            ]
            answer = os.fork()
            if answer == 0:
                return {**request, "streams": streams}
            for descriptor in streams:
                os.close(descriptor)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return None


def _become(request: Mapping[str, Any]) -> None:
    """This process as if it had just been started."""
    for number, descriptor in enumerate(request["streams"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    encoding, _, errors = request["env"].get("PYTHONIOENCODING", "").partition(":")
    spoken = {"encoding": encoding or "utf-8", "errors": errors or "strict", "closefd": False}
    sys.stdin = open(0, **spoken)  # noqa: SIM115
    sys.stdout = open(1, "w", **spoken)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, **{**spoken, "errors": "backslashreplace"})  # noqa: SIM115
    if request["env"].get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(write_through=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = [SCRIPT if request["code"] is None else "-c", *request["argv"]]


def _main() -> None:
    import gc
    import importlib

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _IMPORTED:
        importlib.import_module(name)
    assert not {"ic_assets.activities.partitions", "ic_assets.commands.terminal"} & set(sys.modules)
    gc.freeze()
    request = _serve()
    if request is None:
        return
    _become(request)
    # As the interpreter ends, but for taking apart all that was imported.
    try:
        if request["code"] is None:
            from ic_assets.cli import main

            main()
        else:
            exec(compile(request["code"], "<string>", "exec"), {"__name__": "__main__"})
        ended: object = 0
    except SystemExit as end:
        ended = end.code
    except BaseException as error:  # noqa: BLE001
        traceback.print_exception(error)
        ended = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    if ended is not None and not isinstance(ended, int):
        sys.stderr.write(f"{ended}\n")
        ended = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    if ended == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((ended or 0) & 255)


if __name__ == "__main__":
    _main()
