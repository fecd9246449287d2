"""``python -m ic_assets.resources.webserver``: Dagster's own webserver on the loopback interface, behind the guard.

The code of the graph runs in servers of Dagster's beside it, as with ``dagster-webserver``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__

from ic_assets.core.settings import Alerts, Settings
from ic_assets.resources.ui_guard import Guard, Keys

# How often the UI asks for what changed.
_POLL_MILLISECONDS = 2000


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m ic_assets.resources.webserver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    options = parser.parse_args()
    configure_loggers(log_level="INFO")
    setup_interrupt_handlers()
    keys = Keys(Settings.from_env().home)
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(
            instance, version=__version__, workspace_load_target=WorkspaceFileTarget([str(options.workspace)])
        ) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MILLISECONDS)
            uvicorn.run(
                Guard(app, keys, Alerts.from_env().ui_url),
                host="127.0.0.1",
                port=options.port,
                log_level="warning",
                access_log=False,  # the link that lets a browser in is a path
                server_header=False,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
