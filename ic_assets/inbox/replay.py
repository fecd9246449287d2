"""A flow's tables built anew from the events that it has done, beside the present ones, compared, and on demand put in their
place. All in one transaction: whatever breaks leaves everything as it was.

The flow's own handler builds them. Its statements name the flow's tables in full; while it works here they find them in the
schema ``ic_replay`` (``core.sql.elsewhere``), where each stands empty, with its constraints, or filled with what is given.
The present tables are compared row by row and, with ``apply``, only the rows that differ are written: views, rights and
triggers of others stay, and the triggers wake who depends on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ic_assets.core import locks, schema
from ic_assets.core import sql as sql_files
from ic_assets.core.failures import Refused
from ic_assets.core.logs import log
from ic_assets.core.sql import statement
from ic_assets.inbox.registry import Flow, Rebuilt, Replay
from ic_assets.inbox.taking import MOST, Batch, begin_batch, by_source

BESIDE = "ic_replay"
_FIRST = 5


@dataclass(frozen=True)
class Difference:
    """One table: its rows, those that only the present one has (``gone``) or only the new one (``new``), those whose columns
    differ, by column, and the keys of the first."""

    table: str
    rows: int
    gone: int
    new: int
    changed: int
    columns: dict[str, int] = field(default_factory=dict)
    first: list[list[str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return bool(self.gone or self.new or self.changed)


@dataclass(frozen=True)
class Replayed:
    """``events``: how many were replayed; ``not_taken``: those of them that the flow would not take any more, by reason."""

    flow: str
    events: int
    not_taken: dict[str, int]
    tables: list[Difference]
    applied: bool = False

    @property
    def differs(self) -> bool:
        return any(one.differs for one in self.tables)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "differs": self.differs}


@dataclass(frozen=True)
class _Column:
    table_name: str
    column_name: str
    is_identity: bool
    is_generated: bool


def replay(
    connection: psycopg.Connection,
    flow: Flow,
    since: datetime | None = None,
    *,
    apply: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Builds, compares and, with ``apply``, puts in place, in the caller's transaction, which has run no query yet.
    ``since``: only events that occurred from then on, and rows before it as they are. Without ``apply`` the caller rolls
    back, and no row or table that stands is locked.

    Raises ``Refused`` where the flow cannot be replayed, another replay is at work, or the flow writes to other tables."""
    plan = flow.replay
    if plan is None:
        raise Refused(f"{flow.name} has no tables that can be built anew")
    if apply:
        # Whoever takes events writes the same tables.
        connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (locks.INBOX, flow.name))
    else:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    free = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (locks.REPLAY,)).fetchone()
    if not (free and free[0]):
        raise Refused("another replay is at work; wait until it has ended")
    columns = _columns(connection, plan.schema)
    unknown = [one for one in (*(t.table for t in plan.tables), *plan.given) if one not in columns]
    if unknown:
        raise Refused(f"{flow.name} names tables that are not there: {', '.join(unknown)}; upgrade the schema")
    _make(connection, plan, columns, since)
    before = _written(connection)
    with sql_files.elsewhere({plan.schema: BESIDE}):
        events, not_taken = _build(connection, flow, since, settles=apply, progress=progress)
    _refuse_others(flow, before, _written(connection), apply=apply)
    tables = [_compared(connection, plan, one, columns[one.table], since) for one in plan.tables]
    if apply:
        _put_in_place(connection, plan, columns, since)
        _clear(connection, columns)
    result = Replayed(flow.name, events, dict(not_taken), tables, applied=apply)
    log.info("replayed", flow=flow.name, events=events, differs=result.differs, applied=apply)
    return result


def _columns(connection: psycopg.Connection, schema_name: str) -> dict[str, list[_Column]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement("inbox/replay_columns"), {"schema_name": schema_name}).fetchall()
    found: dict[str, list[_Column]] = {}
    for row in rows:
        found.setdefault(row["table_name"], []).append(_Column(**row))
    return found


def _make(
    connection: psycopg.Connection, plan: Replay, columns: dict[str, list[_Column]], since: datetime | None
) -> None:
    """The tables in the other place, with what is given in them."""
    for table in columns:
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(_there(table), _here(plan, table)))
    kept = [(table, None) for table in plan.given]
    kept += [(one.table, one.since) for one in plan.tables if since and one.since]  # type: ignore[misc]
    for table, column in kept:
        names = sql_files.column_list([one.column_name for one in columns[table] if not one.is_generated])
        where = sql.SQL(" WHERE {} < {}").format(sql.Identifier(column), since) if column else sql.SQL("")
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}{}").format(
                _there(table), names, names, _here(plan, table), where
            )
        )
    references = connection.execute(statement("inbox/replay_references"), {"schema_name": plan.schema}).fetchall()
    with sql_files.elsewhere({plan.schema: BESIDE}):
        for table, definition in references:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD {}").format(_there(table), sql.SQL(sql_files.placed(definition)))
            )
        for text in schema.made_in(plan.schema):
            connection.execute(sql_files.placed(text).encode())


def _build(
    connection: psycopg.Connection,
    flow: Flow,
    since: datetime | None,
    *,
    settles: bool,
    progress: Callable[[int], None],
) -> tuple[int, Counter[str]]:
    connection.execute(
        "CREATE TEMPORARY TABLE ic_archived (id bigint PRIMARY KEY, source text, topic text, event_id text,"
        " occurred_at timestamptz, received_at timestamptz, verified_by text, body jsonb) ON COMMIT DROP"
    )
    keys = by_source(flow)
    if flow.archive:
        # The present one: what is built anew begins empty.
        archive = sql.Identifier(*flow.archive.split("."))
        for parameters in keys:
            connection.execute(statement("inbox/replay_archived", archive=archive), {**parameters, "since": since})
    connection.execute("ANALYZE pg_temp.ic_archived")
    events = sql.SQL("({})").format(statement("inbox/replay_events"))
    row = connection.execute("SELECT coalesce(min(id), 1) - 1 FROM pg_temp.ic_archived").fetchone()
    after, total, not_taken = min(row[0] if row else 0, 0), 0, Counter[str]()
    while True:
        begin_batch(connection)
        count = connection.execute(
            statement("inbox/replay_batch"), {"keys": Jsonb(keys), "since": since, "after": after, "most": MOST}
        ).rowcount
        if not count:
            if flow.finish:
                flow.finish(connection)
            return total, not_taken
        connection.execute("ANALYZE pg_temp.ic_batch")
        flow.handle(Batch(connection, flow, count, events, is_replay=True))
        found = connection.execute(
            "SELECT coalesce(reason, state), count(*) FROM pg_temp.ic_batch WHERE state <> 'done' GROUP BY 1"
        ).fetchall()
        not_taken.update(dict(found))
        if settles:
            connection.execute(statement("inbox/settle"))
        last = connection.execute("SELECT max(id) FROM pg_temp.ic_batch").fetchone()
        after, total = last[0] if last else after, total + count
        progress(total)


def _written(connection: psycopg.Connection) -> dict[str, int]:
    """Rows that this session has written and not yet told PostgreSQL's statistics of, by table."""
    rows = connection.execute(
        "SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
        " WHERE schemaname <> %s AND schemaname NOT LIKE 'pg\\_temp%%'",
        (BESIDE,),
    ).fetchall()
    return dict(rows)


def _refuse_others(flow: Flow, before: dict[str, int], after: dict[str, int], *, apply: bool) -> None:
    """What the handler wrote past ``ic_replay`` would be in the tables whether or not anybody wants it there."""
    own = {"inbox.event", "inbox.duplicate"} if apply else set()
    others = sorted(table for table, count in after.items() if count > before.get(table, 0) and table not in own)
    if others:
        raise Refused(
            f"{flow.name} wrote to {', '.join(others)} while its tables were built anew; nothing was changed. Its "
            "statements have to come from core.sql, and nothing but its own tables be written while batch.is_replay"
        )


def _compared(
    connection: psycopg.Connection, plan: Replay, one: Rebuilt, columns: Sequence[_Column], since: datetime | None
) -> Difference:
    compared = [c.column_name for c in columns if c.column_name not in {*one.key, *one.ignored}]
    both = sql.SQL("{} AS p FULL JOIN {} AS r USING ({})").format(
        _rows(_here(plan, one.table), one, since), _rows(_there(one.table), one, since), sql_files.column_list(one.key)
    )
    # Whether a row is there says a value that no column can have.
    figures: list[sql.Composable] = [
        sql.SQL("count(*) FILTER (WHERE r.is_there IS NULL)"),
        sql.SQL("count(*) FILTER (WHERE p.is_there IS NULL)"),
    ]
    there = sql.SQL("p.is_there AND r.is_there")
    differ: list[sql.Composable] = [
        sql.SQL("p.{0} IS DISTINCT FROM r.{0}").format(sql.Identifier(name)) for name in compared
    ] or [sql.SQL("FALSE")]
    any_differs = sql.SQL(" OR ").join(differ)
    figures.append(sql.SQL("count(*) FILTER (WHERE {} AND ({}))").format(there, any_differs))
    figures += [sql.SQL("count(*) FILTER (WHERE {} AND {})").format(there, each) for each in differ]
    row = connection.execute(
        sql.SQL("SELECT count(r.is_there), {} FROM {}").format(sql.SQL(", ").join(figures), both)
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate
    rows, gone, new, changed, *by_column = row
    if not (gone or new or changed):
        return Difference(f"{plan.schema}.{one.table}", rows, 0, 0, 0)
    keys = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in one.key)
    first = connection.execute(
        sql.SQL("SELECT {} FROM {} WHERE p.is_there IS NULL OR r.is_there IS NULL OR {} ORDER BY {} LIMIT {}").format(
            keys, both, any_differs, sql_files.column_list(one.key), _FIRST
        )
    ).fetchall()
    counted = {name: count for name, count in zip(compared, by_column, strict=False) if count}
    return Difference(f"{plan.schema}.{one.table}", rows, gone, new, changed, counted, [list(key) for key in first])


def _rows(table: sql.Composable, one: Rebuilt, since: datetime | None) -> sql.Composed:
    where = _from(one, since)
    return sql.SQL("(SELECT *, TRUE AS is_there FROM {}{})").format(table, where)


def _from(one: Rebuilt, since: datetime | None, alias: str = "") -> sql.Composable:
    if since is None or one.since is None:
        return sql.SQL("")
    return sql.SQL(" WHERE {} >= {}").format(sql.Identifier(one.since), since)


def _put_in_place(
    connection: psycopg.Connection, plan: Replay, columns: dict[str, list[_Column]], since: datetime | None
) -> None:
    """Rows that are gone leave, last table first; the others come in the order of the tables."""
    for one in reversed(plan.tables):
        same = sql.SQL(" AND ").join(sql.SQL("r.{0} = p.{0}").format(sql.Identifier(name)) for name in one.key)
        connection.execute(
            sql.SQL("DELETE FROM {} AS p WHERE {}NOT EXISTS (SELECT FROM {} AS r WHERE {})").format(
                _here(plan, one.table),
                sql.SQL("p.{} >= {} AND ").format(sql.Identifier(one.since), since)
                if since and one.since
                else sql.SQL(""),
                _there(one.table),
                same,
            )
        )
    for one in plan.tables:
        _bring(connection, plan, one, columns[one.table], since)


def _bring(
    connection: psycopg.Connection, plan: Replay, one: Rebuilt, columns: Sequence[_Column], since: datetime | None
) -> None:
    # A surrogate id is given by the table itself.
    names = [
        c.column_name for c in columns if not c.is_generated and not (c.is_identity and c.column_name in one.ignored)
    ]
    compared = [name for name in names if name not in {*one.key, *one.ignored}]
    changing = [name for name in names if name not in one.key]
    conflict: sql.Composable = sql.SQL("DO NOTHING")
    if compared:
        conflict = sql.SQL("DO UPDATE SET {} WHERE {}").format(
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changing),
            sql.SQL(" OR ").join(
                sql.SQL("p.{0} IS DISTINCT FROM excluded.{0}").format(sql.Identifier(name)) for name in compared
            ),
        )
    listed = sql_files.column_list(names)
    connection.execute(
        sql.SQL("INSERT INTO {} AS p ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}{} ON CONFLICT ({}) {}").format(
            _here(plan, one.table),
            listed,
            listed,
            _there(one.table),
            _from(one, since),
            sql_files.column_list(one.key),
            conflict,
        )
    )


def _clear(connection: psycopg.Connection, columns: dict[str, list[_Column]]) -> None:
    views = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'v'", (BESIDE,)
    ).fetchall()
    for (name,) in views:
        connection.execute(sql.SQL("DROP VIEW IF EXISTS {} CASCADE").format(_there(name)))
    for name in columns:
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(_there(name)))
    functions = connection.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = to_regnamespace(%s)", (BESIDE,)
    ).fetchall()
    for (function,) in functions:
        connection.execute(f"DROP FUNCTION {function} CASCADE".encode())


def _here(plan: Replay, table: str) -> sql.Identifier:
    return sql.Identifier(plan.schema, table)


def _there(table: str) -> sql.Identifier:
    return sql.Identifier(BESIDE, table)
