"""Reads ``sql/**/*.sql`` and composes statements. Values are always bound; ``{name}`` stands for an identifier
or a fragment made by ``psycopg.sql``, never for text from outside.

A file that is run with parameters holds one statement and writes a literal percent sign as ``%%``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType

from psycopg import sql

from ic_assets.core.files import SQL_DIR

_COMMENT_LINE = re.compile(r"^\s*--.*\n", re.MULTILINE)
_NOWHERE: Mapping[str, str] = MappingProxyType({})
_ELSEWHERE: ContextVar[Mapping[str, str]] = ContextVar("_ELSEWHERE", default=_NOWHERE)


@cache
def read(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL_DIR / f"{name}.sql").read_text(encoding="utf-8")


def statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """``sql/<name>.sql`` with its ``{identifiers}`` filled in, ready for ``execute(statement, parameters)``."""
    # Without its comments: what they say of {slice} or %(name)s must not be filled in.
    return sql.SQL(placed(_COMMENT_LINE.sub("", read(name)))).format(**parts)


@contextmanager
def elsewhere(schemas: Mapping[str, str]) -> Iterator[None]:
    """In the block ``statement`` and ``placed`` name the tables of each of these schemas in another one instead: how a
    flow's own statements build its tables beside the present ones."""
    token = _ELSEWHERE.set(schemas)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def placed(text: str) -> str:
    """SQL with its tables where they are at the moment (``elsewhere``), for statements that stand in no file."""
    for schema, other in _ELSEWHERE.get().items():
        text = re.sub(rf"(?<![\w.'\"]){re.escape(schema)}\.(?=[a-zA-Z_{{\"])", f"{other}.", text)
    return text


def assignments(columns: Sequence[str]) -> sql.Composed:
    """``column = s.column`` for each, with commas."""
    return sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(column)) for column in columns)


def column_list(columns: Sequence[str], alias: str | None = None) -> sql.Composed:
    """The columns, of ``alias`` where there is one, with commas."""
    prefix = sql.SQL("{}.").format(sql.Identifier(alias)) if alias else sql.SQL("")
    return sql.SQL(", ").join(prefix + sql.Identifier(column) for column in columns)
