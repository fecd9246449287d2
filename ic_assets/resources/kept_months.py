"""The first month, for whoever draws partitions before any run has found its database: the shell's, else the one that the
database in use keeps, else the default. Called when the partitions are defined."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import psycopg

from ic_assets.core import kept_settings, session
from ic_assets.core.failures import Refused
from ic_assets.core.months import partitions_start
from ic_assets.core.settings import Settings
from ic_assets.resources.services import running

_PATIENCE_SECONDS = 10


def first_month() -> date:
    """Raises ``Refused`` for a shell that says something else than a date. A database that is not up says nothing."""
    start = partitions_start()
    with suppress(Refused, psycopg.Error):
        settings = Settings.from_env()
        up = None if kept_settings.given(settings, "IC_PARTITIONS_START") else running(settings)
        if up:
            with session.connect(up.postgres_url, connect_timeout=_PATIENCE_SECONDS) as connection:
                return kept_settings.in_force(connection, settings, refuses=False).partitions_start
    return start
