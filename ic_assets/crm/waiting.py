"""Taking out what waits in a consumer's ``waiting`` table, and removing it once it is done. Rows come in by the triggers that
``crm.watch`` makes (``sql/schema/0022_crm_waking_up.sql`` says how a consumer gets them).

The order of locks: rows of ``crm.company_profile_meta_data`` in C order of company, then everything else; a ``waiting`` row
last, and never waited for. Whoever writes into another watched table locks the companies' rows first (``write.lock``), so
that two writers that wake each other's companies follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ic_assets.core.sql import statement


@dataclass(frozen=True)
class Waiting:
    """``causes``: why it waits, each once, in the order in which they came."""

    key: str
    version: int
    causes: tuple[str, ...]


def take(connection: psycopg.Connection, waiting: sql.Identifier, most: int = 5_000) -> list[Waiting]:
    """The next companies of a table whose key is ``company``, their rows in crm locked until the transaction ends.
    Companies that another transaction works on are left to it, those without a row in crm wait on."""
    taken = connection.execute(statement("crm/waiting/take", waiting=waiting), {"most": most}).fetchall()
    rows = connection.execute(
        statement("crm/waiting/read", waiting=waiting), {"companies": [company for (company,) in taken]}
    ).fetchall()
    return [Waiting(key, version, tuple(causes)) for key, version, causes in rows]


def remove(
    connection: psycopg.Connection, waiting: sql.Identifier, done: Sequence[Waiting], key: str = "company"
) -> int:
    """Removes what has been done, in the transaction that did it. What was woken since stays. Returns how many went."""
    return connection.execute(
        statement("crm/waiting/remove", waiting=waiting, key=sql.Identifier(key)),
        {"keys": [one.key for one in done], "versions": [one.version for one in done]},
    ).rowcount
