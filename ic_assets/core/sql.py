"""Reads ``sql/**/*.sql`` and composes statements. Values are always bound; ``{name}`` stands for an identifier
or a fragment made by ``psycopg.sql``, never for text from outside.

A file that is run with parameters holds one statement and writes a literal percent sign as ``%%``.
"""

from __future__ import annotations

import re
from functools import cache

from psycopg import sql

from ic_assets.core.files import SQL_DIR

_COMMENT_LINE = re.compile(r"^\s*--.*\n", re.MULTILINE)


@cache
def read(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL_DIR / f"{name}.sql").read_text(encoding="utf-8")


def statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """``sql/<name>.sql`` with its ``{identifiers}`` filled in, ready for ``execute(statement, parameters)``."""
    # Without its comments: what they say of {slice} or %(name)s must not be filled in.
    return sql.SQL(_COMMENT_LINE.sub("", read(name))).format(**parts)
