"""``python -m ic_assets.sandbox``: one local HubSpot in a process of its own. The token comes from IC_SANDBOX_TOKEN."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import orjson

from ic_assets.core.failures import Refused
from ic_assets.sandbox.http.chaos import EXTRAS, FAULTS, Chaos
from ic_assets.sandbox.http.limits import Limits
from ic_assets.sandbox.http.server import serve
from ic_assets.sandbox.hubspot.portal import Modes


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to stop. Returns 0, or 2 after one line on standard error that says what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        _serve(options, os.environ.get("IC_SANDBOX_TOKEN", ""))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _serve(options: argparse.Namespace, token: str) -> None:
    if not token:
        raise Refused("IC_SANDBOX_TOKEN is not set: give the local HubSpot the token that it shall ask for")
    try:
        chaos = Chaos.parse(options.chaos)
    except ValueError as error:
        raise Refused(f"--chaos: {error}") from error
    serve(
        options.database,
        token=token,
        port=options.port,
        or_any=options.or_any,
        chaos=chaos,
        modes=Modes(
            unique_on_activities=options.unique_on_activities,
            archive_frees_unique=options.archive_frees_unique == "true",
            meeting_canceled=options.meeting_canceled,
            multi_status_on_create=options.multi_status_on_create == "true",
            multi_status_on_update=options.multi_status_on_update == "true",
            associates_companies=options.associates_companies == "true",
        ),
        limits=Limits(
            per_10_seconds=options.requests_per_10s,
            per_day=options.requests_per_day,
            search_per_second=options.searches_per_second,
        ),
        ready=lambda port: _announce(options.ready_file, port),
    )


def _parser() -> argparse.ArgumentParser:
    limits, modes = Limits(), Modes()
    parser = argparse.ArgumentParser(
        prog="python -m ic_assets.sandbox",
        description=__doc__,
        epilog="--chaos takes name=number, joined with commas. Milliseconds: latency, jitter, index_lag, late;"
        f" seconds: retry_after; seed; shares from 0 to 1: {', '.join((*FAULTS, *EXTRAS))}.",
    )
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file; made when it is not there")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--or-any", action="store_true", help="take a free port where that one is taken")
    parser.add_argument("--ready-file", type=Path, help='gets {"port": ..., "pid": ...} once requests are answered')
    parser.add_argument("--chaos", default="", help="for example seed=7,latency=200,lost_reply=0.02,http_503=0.05")
    parser.add_argument("--unique-on-activities", choices=("accepted", "refused"), default=modes.unique_on_activities)
    parser.add_argument("--archive-frees-unique", choices=("true", "false"), default="true")
    parser.add_argument("--meeting-canceled", choices=("CANCELED", "CANCELLED"), default=modes.meeting_canceled)
    parser.add_argument("--multi-status-on-create", choices=("true", "false"), default="true")
    parser.add_argument("--multi-status-on-update", choices=("true", "false"), default="true")
    parser.add_argument("--associates-companies", choices=("true", "false"), default="false")
    parser.add_argument("--requests-per-10s", type=int, default=limits.per_10_seconds)
    parser.add_argument("--requests-per-day", type=int, default=limits.per_day)
    parser.add_argument("--searches-per-second", type=int, default=limits.search_per_second)
    return parser


def _announce(ready_file: Path | None, port: int) -> None:
    if ready_file is None:
        return
    # mkstemp opens with mode 0600; the rename makes the file appear whole.
    handle, name = tempfile.mkstemp(dir=ready_file.parent, prefix=f".{ready_file.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({"port": port, "pid": os.getpid()}))
    Path(name).replace(ready_file)


if __name__ == "__main__":
    sys.exit(main())
