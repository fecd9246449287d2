"""What the tests of the company centre share: companies, and what stands in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.crm.person_edit import Edit
from ic_assets.crm.write import Desired, Written, write

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def company(connection: psycopg.Connection, name: str = "C-1", **values: Any) -> None:
    columns = ["company", *values]
    connection.execute(
        sql.SQL("INSERT INTO crm.company_profile_meta_data ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Literal, [name, *values.values()])),
        )
    )


def stands(connection: psycopg.Connection, *columns: str, name: str = "C-1") -> Any:
    """The value of the one column, or the tuple of several."""
    row = connection.execute(
        sql.SQL("SELECT {} FROM crm.company_profile_meta_data WHERE company = %s").format(
            sql.SQL(", ").join(map(sql.Identifier, columns))
        ),
        (name,),
    ).fetchone()
    assert row is not None, name
    return row[0] if len(columns) == 1 else row


def log(connection: psycopg.Connection, name: str = "C-1") -> list[tuple[Any, ...]]:
    """Field, old and new value, by whom, why: in the order of the log."""
    return connection.execute(
        "SELECT field, old_value, new_value, changed_by, cause FROM crm.company_change_log WHERE company = %s ORDER BY id",
        (name,),
    ).fetchall()


def locks(connection: psycopg.Connection, name: str = "C-1") -> dict[str, datetime]:
    rows = connection.execute("SELECT field, locked_until FROM crm.field_lock WHERE company = %s", (name,)).fetchall()
    return dict(rows)


def wants(connection: psycopg.Connection, flow: str, rows: str, *columns: str, **more: Any) -> Written:
    """``write`` of a VALUES list: company, cause, then the columns; the rule is named ``test``."""
    names = ", ".join(["company", "cause", *columns])
    relation = sql.SQL(f"(SELECT * FROM (VALUES {rows}) AS given ({names}))")  # type: ignore[arg-type]
    return write(
        connection, flow, Desired(relation, dict.fromkeys(columns, sql.Literal("test"))), **{"now": NOW, **more}
    )


def edit(field: str, value: str, days: float, **more: Any) -> Edit:
    """Made so many days before NOW."""
    given = {"company": "C-1", "changed_by": "hubspot:8801", "cause": f"event-{days}", **more}
    return Edit(field=field, value=value, occurred_at=NOW - days * DAY, **given)
