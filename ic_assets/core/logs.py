"""Structured log lines of what works without anybody watching: ``log.info("taken_over", rows=3, worker=12)``.

An event's name is a short past tense in snake_case, its values are numbers, ids and names; never content of a row, a
token, an address of a person or a connection string. Whatever falls back, takes over, adopts, is blocked, waits or tries
again writes one line. Commands show them with ``--verbose``.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

from ic_assets.core import masking

_NAME = "ic_assets"

log: Any = structlog.wrap_logger(
    logging.getLogger(_NAME),
    processors=[
        structlog.stdlib.filter_by_level,
        masking.in_log_line,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
