"""Locking a field by hand, giving it back to its flow, and clearing away the locks that are over. With ``person_edit`` the
only writers of ``crm.field_lock`` and of the two lock columns.

A lock is active while its end lies ahead: at the instant itself it is over.
"""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg import sql

from ic_assets.core.failures import Refused
from ic_assets.core.sql import statement
from ic_assets.crm import write
from ic_assets.crm.owners import Column, columns, taken_over
from ic_assets.crm.person_edit import lock_companies


def lock(
    connection: psycopg.Connection,
    company: str,
    field: str,
    until: datetime,
    *,
    changed_by: str,
    cause: str,
    now: datetime | None = None,
) -> None:
    """Keeps every flow from the field until then, as it stands, in the caller's transaction. Another lock of it gives way.
    ``changed_by``: ``hubspot:<user id>`` or ``command:<name>``. Raises ``Refused``."""
    column = _lockable(field)
    _known(connection, company)
    row = connection.execute("SELECT %s <= coalesce(%s::timestamptz, now())", (until, now)).fetchone()
    if row == (True,):
        raise Refused(f"the lock of {field} would be over when it is made ({until.isoformat()}); name a later time")
    connection.execute(
        statement("crm/edits/lock"),
        {"company": company, "field": field, "until": until, "changed_by": changed_by, "cause": cause, "now": now},
    )
    _show(connection, company, column, until)
    write.end(connection)


def release(connection: psycopg.Connection, company: str, field: str, *, now: datetime | None = None) -> bool:
    """Gives the field back to its flow, which is woken, in the caller's transaction. Edits made before now lock nothing,
    whenever they come. Returns whether it was locked. Raises ``Refused``."""
    column = _lockable(field)
    _known(connection, company)
    row = connection.execute(
        statement("crm/edits/release"), {"company": company, "field": field, "now": now}
    ).fetchone()
    was_shown = _show(connection, company, column, None)
    write.end(connection)
    return row == (True,) or was_shown


def clear_ended(connection: psycopg.Connection, *, now: datetime | None = None, most: int = 5_000) -> int:
    """Removes locks that are over, in the caller's transaction, and so wakes the flows that own the fields. Returns how
    many; as many as ``most`` means that there may be more. The lock columns keep the time that has passed."""
    return connection.execute(statement("crm/edits/ended"), {"now": now, "most": most}).rowcount


def _lockable(field: str) -> Column:
    column = columns().get(field)
    if column is None or column.person != "take":
        raise Refused(
            f"{field!r} is no field that a person can lock; one of {', '.join(sorted(c.name for c in taken_over()))}"
        )
    return column


def _known(connection: psycopg.Connection, company: str) -> None:
    lock_companies(connection, {company})
    known = connection.execute("SELECT 1 FROM crm.company_profile_meta_data WHERE company = %s", (company,)).fetchone()
    if known is None:
        raise Refused(f"no company {company} is known")


def _show(connection: psycopg.Connection, company: str, column: Column, until: datetime | None) -> bool:
    """Writes the lock column, where the field has one. Returns whether that changed it."""
    if column.lock_column is None:
        return False
    name = sql.Identifier(column.lock_column)
    changed = connection.execute(
        sql.SQL(
            "UPDATE crm.company_profile_meta_data SET {0} = %(until)s, updated_at = statement_timestamp()"
            " WHERE company = %(company)s AND {0} IS DISTINCT FROM %(until)s"
        ).format(name),
        {"company": company, "until": until},
    )
    return changed.rowcount > 0
