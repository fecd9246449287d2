"""Structured log lines of what works without anybody watching: ``log.info("taken_over", rows=3, worker=12)``.

An event's name is a short past tense in snake_case, its values are numbers, ids and names; never content of a row, a
token, an address of a person or a connection string. Whatever falls back, takes over, adopts, is blocked, waits or tries
again writes one line. Commands show them with ``--verbose``; in a run of Dagster they stand in the run's log
(``python_logs`` of dagster.yaml), and alerts carry the last ones.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from ic_assets.core import masking

_NAME = "ic_assets"
# How a line begins, whoever stored it meanwhile.
MARK = "event="

log: Any = structlog.wrap_logger(
    logging.getLogger(_NAME),
    processors=[
        structlog.stdlib.filter_by_level,
        masking.in_log_line,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
# Who does not ask for them is told nothing, not even the warnings that logging shows where nobody listens.
logging.getLogger(_NAME).addHandler(logging.NullHandler())


class _Terminal(logging.Handler):
    """Standard error as it is at the moment: progress bars put themselves in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def show() -> None:
    """From now on the lines of this process go to standard error as well."""
    logger = logging.getLogger(_NAME)
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        handler = _Terminal()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        logger.addHandler(handler)
