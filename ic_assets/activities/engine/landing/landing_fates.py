"""What becomes of the rows of a drop, decided once and in drop order, in the transaction that lands it: which are versions
of a communication, which are its further people, which are older than what stands, and what the source has deleted. The
rules are in ``sql/activities/landing``. Called by ``landing``; reads no file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg import sql

from ic_assets.activities.engine.drop.drop_info import DropInfo
from ic_assets.activities.facts.contract import PEOPLE_COLUMNS
from ic_assets.core.sql import statement


@dataclass(frozen=True)
class Fates:
    """How many rows there are of each fate but ``inserted``. ``old_months`` are those that updated and deleted
    communications stood in before; ``taken_out`` counts the latter. ``repeated_only``: late rejects are found by the ids
    that the drop has repeatedly."""

    counts: Counter[str] = field(default_factory=Counter)
    old_months: set[date] = field(default_factory=set)
    taken_out: int = 0
    repeated_only: bool = True


def decide(
    connection: psycopg.Connection,
    drop_id: int,
    drop_key: str,
    info: DropInfo,
    *,
    has_deletions: bool,
    has_unreadable_updates: bool,
) -> Fates:
    """Gives every row that is no plain insert its fate. With ``has_deletions`` the temporary table incoming_deletion has
    the drop's rows that the source deleted; incoming_warning has the fields that could not be read, with
    ``has_unreadable_updates`` dates among them by which versions are told apart."""
    parameters = {"drop_id": drop_id}
    counts: Counter[str] = Counter()
    months: set[date] = set()
    taken_out: list[date] = []
    if has_deletions:
        _temporary(connection, "ic_deletion", "deletions_in_drop", drop_id)
        counts["superseded_in_drop"] = _changed(connection, "superseded_by_deletion", drop_id)
    counts.update(_repeated(connection, drop_id))
    if has_unreadable_updates:
        counts["unreadable_update"] = _changed(connection, "unreadable_update", drop_id)
    has_earlier = connection.execute(
        "SELECT 1 FROM staging.ic_drop WHERE state = 'landed' AND drop_id <> %(drop_id)s AND rows_in > 0 LIMIT 1",
        parameters,
    ).fetchone()
    if has_earlier:
        counts["stale"] += _stale_beside_deletions(connection, drop_id, info)
        have_several = counts["joined"] > 0 or _joined_before(connection)
        if info.missing_columns:
            _fill_absent_columns(connection, drop_id, info)
            if have_several:
                _fill_absent_people(connection, drop_id, info)
        counts.update(_against_earlier(connection, drop_id, have_several))
        months.update(_months(connection, "retire_earlier", drop_id))
    if counts["joined"]:
        for fate in ("stale", "unreadable_update"):
            rows = _people_of(connection, drop_id, fate) if counts[fate] else 0
            counts["joined"] -= rows
            counts[fate] += rows
    if has_deletions:
        taken_out = _months(connection, "take_out", drop_id)
        connection.execute(statement("activities/landing/keep_deletions"), {"drop_key": drop_key})
    anywhere = counts["stale"] or counts["unreadable_update"] or has_deletions
    return Fates(counts, months.union(taken_out), len(taken_out), repeated_only=not anywhere)


def _repeated(connection: psycopg.Connection, drop_id: int) -> Counter[str]:
    # Tables of their own: what an UPDATE reads is read on one core.
    if not _temporary(connection, "ic_repeated", "repeated", drop_id):
        return Counter()
    several = _temporary(connection, "ic_several", "repeated_people", drop_id)
    return Counter(
        joined=_changed(connection, "joined", drop_id) if several else 0,
        superseded_in_drop=_changed(connection, "superseded", drop_id),
    )


def _stale_beside_deletions(connection: psycopg.Connection, drop_id: int, info: DropInfo) -> int:
    if connection.execute("SELECT 1 FROM staging.ic_deleted_communication LIMIT 1").fetchone() is None:
        return 0
    # Without the column the date that stands is the row's own, and the later drop wins.
    has_dates = "comm_updateddate" in info.columns
    stale = _changed(connection, "older_than_deletion", drop_id) if has_dates else 0
    connection.execute(statement("activities/landing/brought_back"), {"drop_id": drop_id})
    return stale


def _people_of(connection: psycopg.Connection, drop_id: int, fate: str) -> int:
    query = statement("activities/landing/people_of_rejected")
    return connection.execute(query, {"drop_id": drop_id, "fate": fate}).rowcount


def _fill_absent_columns(connection: psycopg.Connection, drop_id: int, info: DropInfo) -> None:
    assignments: list[sql.Composable] = [
        sql.SQL("{0} = earlier.{0}").format(sql.Identifier(column)) for column in info.missing_columns
    ]
    if PEOPLE_COLUMNS.isdisjoint(info.columns):
        assignments.append(sql.SQL("party_drop_id = coalesce(earlier.party_drop_id, earlier.drop_id)"))
    connection.execute(
        statement("activities/landing/fill_absent_columns", assignments=sql.SQL(", ").join(assignments)),
        {"drop_id": drop_id},
    )


def _joined_before(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT 1 FROM staging.ic_drop WHERE joined > 0 LIMIT 1").fetchone() is not None


def _fill_absent_people(connection: psycopg.Connection, drop_id: int, info: DropInfo) -> None:
    absent = [sql.Identifier(name) for name in sorted(PEOPLE_COLUMNS.difference(info.columns))]
    named = [sql.Identifier(name) for name in ("person_id", "company_id") if name in info.columns]
    if not absent or not named:
        return
    connection.execute(
        statement(
            "activities/landing/fill_absent_people",
            assignments=sql.SQL(", ").join(sql.SQL("{0} = same.{0}").format(column) for column in absent),
            values=sql.SQL(", ").join(sql.SQL("earlier.{}").format(column) for column in absent),
            is_same=sql.SQL(" AND ").join(
                sql.SQL("earlier.{0} IS NOT DISTINCT FROM given.{0}").format(column) for column in named
            ),
        ),
        {"drop_id": drop_id},
    )


def _against_earlier(connection: psycopg.Connection, drop_id: int, have_several: bool) -> Counter[str]:
    if have_several:
        _temporary(connection, "ic_people", "people_sets", drop_id)
    else:
        connection.execute(
            "CREATE TEMPORARY TABLE ic_people (drop_id integer, comm_communicationid bigint, people text[]) ON COMMIT DROP"
        )
    rows = connection.execute(statement("activities/landing/against_earlier"), {"drop_id": drop_id})
    return Counter(dict(rows.fetchall()))


def _temporary(connection: psycopg.Connection, table: str, query: str, drop_id: int) -> int:
    """Keeps what ``sql/activities/landing/<query>.sql`` gives in a table until the transaction ends; how many rows."""
    create = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS {}").format(
        sql.Identifier(table), statement(f"activities/landing/{query}")
    )
    return connection.execute(create, {"drop_id": drop_id}).rowcount


def _changed(connection: psycopg.Connection, name: str, drop_id: int) -> int:
    return connection.execute(statement(f"activities/landing/{name}"), {"drop_id": drop_id}).rowcount


def _months(connection: psycopg.Connection, name: str, drop_id: int) -> list[date]:
    rows = connection.execute(statement(f"activities/landing/{name}"), {"drop_id": drop_id}).fetchall()
    return [row[0] for row in rows]
