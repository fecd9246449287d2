"""Reads ``sql/**/*.sql`` and composes statements. Values are always bound; ``{name}`` stands for an identifier
or a fragment made by ``psycopg.sql``, never for text from outside.

A file that is run with parameters holds one statement and writes a literal percent sign as ``%%``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def assignments(columns: Sequence[str]) -> sql.Composed:
    """``column = s.column`` for each, with commas."""
    return sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(column)) for column in columns)


def column_list(columns: Sequence[str], alias: str | None = None) -> sql.Composed:
    """The columns, of ``alias`` where there is one, with commas."""
    prefix = sql.SQL("{}.").format(sql.Identifier(alias)) if alias else sql.SQL("")
    return sql.SQL(", ").join(prefix + sql.Identifier(column) for column in columns)
