"""Fills a reconciliation table and puts the months out of date that refer to an id whose answer changed; or says what
that would do to the gates. From a CSV here; from HubSpot itself in ``hubspot_matches``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.drop.csv_drop import DELIMITERS
from ic_assets.activities.engine.drop.csv_records import DAMAGE, Records
from ic_assets.activities.engine.drop.csv_rows import well_quoted
from ic_assets.activities.engine.drop.drop_file import DropFile, refused
from ic_assets.activities.engine.drop.values import is_missing, read_integer
from ic_assets.activities.engine.judging.rules import resolution_rules
from ic_assets.activities.engine.judging.verdicts import Verdict
from ic_assets.activities.engine.staging.slices import mark_changed
from ic_assets.core.months import month_key
from ic_assets.core.sql import statement


@dataclass(frozen=True)
class Entity:
    """One kind of reference: its table, its columns there, and the master column that refers to it."""

    name: str
    singular: str
    reference: str
    extras: tuple[str, ...]

    @property
    def table(self) -> str:
        return f"{self.name}_reconciliation"

    @property
    def legacy_id(self) -> str:
        return f"legacy_{self.singular}_id"

    @property
    def hubspot_id(self) -> str:
        return f"hubspot_{self.singular}_id"


# A spreadsheet computes a cell that begins so.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

# CSV columns beyond the two ids that a table keeps, as <singular>_<column>.
ENTITIES = {
    "contacts": Entity("contacts", "contact", "person_id", ("name", "email")),
    "companies": Entity("companies", "company", "company_id", ("name",)),
    "deals": Entity("deals", "deal", "comm_opportunityid", ("name",)),
}


@dataclass(frozen=True)
class Reconciled:
    """What a file did, or would do, to a table. ``changed`` counts the ids that the table did not have so: ``matched`` of
    them got a HubSpot id, ``moved`` another one than before, ``withdrawn`` lost theirs, and the others are new without one.
    ``months`` are those with a communication that refers to a changed id."""

    entity: str
    rows_in: int
    changed: int
    matched: int
    moved: int
    withdrawn: int
    unchanged: int
    without_hubspot_id: int
    months: tuple[date, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "months": [month_key(month) for month in self.months]}


@dataclass(frozen=True)
class Gate:
    """A gate of the resolution as it is and as it would be; ``checked`` references (or communications) are judged."""

    now: Verdict
    then: Verdict

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.now.rule.name,
            "checked": self.now.checked,
            "failing_now": self.now.failing,
            "failing_then": self.then.failing,
            "passed_now": self.now.passed,
            "passed_then": self.then.passed,
        }


@dataclass(frozen=True)
class WhatIf:
    """What a file would do: to its table, and to the gates once the months are brought up to date."""

    reconciled: Reconciled
    gates: tuple[Gate, ...]

    def to_json(self) -> dict[str, Any]:
        return {**self.reconciled.to_json(), "what_if": True, "gates": [gate.to_json() for gate in self.gates]}


# line (None: no file), legacy id, HubSpot id, name, e-mail address
Match = tuple[int | None, int, int | None, str | None, str | None]


def reconcile(connection: psycopg.Connection, entity: Entity, path: Path, encoding: str | None = None) -> Reconciled:
    """Replaces what the table says of the ids in the file (``legacy_id,hubspot_id[,name,email]``, any order).

    Raises ``DropRefused`` naming the line for a file that cannot be trusted as a whole: an id that cannot be read, or
    one legacy id with two different HubSpot ids. Nothing of it is applied then.
    """
    read_file(connection, path, encoding)
    return apply(connection, entity)


def what_if(connection: psycopg.Connection, entity: Entity, path: Path, encoding: str | None = None) -> WhatIf:
    """What ``reconcile`` with this file would change. Writes nothing but a temporary table. Raises the same."""
    read_file(connection, path, encoding)
    return weigh(connection, entity)


def read_file(connection: psycopg.Connection, path: Path, encoding: str | None = None) -> None:
    """The matches of a file, into the temporary table incoming_match. Raises ``DropRefused``."""
    hold(connection, _rows(path, encoding))
    conflict = connection.execute(
        "SELECT legacy_id, min(line), max(line) FROM incoming_match GROUP BY legacy_id"
        " HAVING count(DISTINCT coalesce(hubspot_id, -1)) > 1 ORDER BY 2 LIMIT 1"
    ).fetchone()
    if conflict:
        raise refused(
            path,
            f"legacy id {conflict[0]} has two different HubSpot ids, lines {conflict[1]} and {conflict[2]}; "
            "decide which one is right",
        )


def hold(connection: psycopg.Connection, matches: Iterable[Match]) -> None:
    """Puts matches into the temporary table incoming_match, which ends with the transaction."""
    connection.execute(
        "CREATE TEMPORARY TABLE incoming_match (line bigint, legacy_id bigint, hubspot_id bigint, name text, email text)"
        " ON COMMIT DROP"
    )
    with connection.cursor() as cursor, cursor.copy("COPY incoming_match FROM STDIN") as copy:
        for match in matches:
            copy.write_row(match)
    connection.execute("ANALYZE incoming_match")


def apply(connection: psycopg.Connection, entity: Entity) -> Reconciled:
    """Replaces what the table says of the ids in incoming_match and puts the months out of date that refer to a changed
    one."""
    available = known_columns(connection, entity)
    extras = [extra for extra in entity.extras if f"{entity.singular}_{extra}" in available]
    found = _difference(connection, entity)
    connection.execute(
        statement(
            "activities/reconciliation/replace",
            extra_columns=_list(extras, ", {}", entity),
            extra_values=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(extra)) for extra in extras),
            extra_assignments=_list(extras, ", {0} = coalesce(excluded.{0}, known.{0})", entity),
            touched=sql.SQL(", last_updated = now()" if "last_updated" in available else ""),
            **identifiers(entity),
        )
    )
    mark_changed(connection, found.months, "reconciliation")
    return found


def weigh(connection: psycopg.Connection, entity: Entity) -> WhatIf:
    """What ``apply`` would do, and the gates before and after it. Reads only."""
    rules = {rule.name: rule for rule in resolution_rules()}
    rows = connection.execute(statement("activities/reconciliation/what_if"), {"entity": entity.name}).fetchall()
    gates = tuple(
        Gate(Verdict(rules[name], now, checked, None), Verdict(rules[name], then, checked, None))
        for name, checked, now, then in rows
    )
    return WhatIf(_difference(connection, entity), gates)


def identifiers(entity: Entity) -> dict[str, sql.Composable]:
    """The table and its two ids, for the statements of ``sql/activities/reconciliation``."""
    return {
        "table": sql.Identifier(entity.table),
        "legacy_id": sql.Identifier(entity.legacy_id),
        "hubspot_id": sql.Identifier(entity.hubspot_id),
    }


def _difference(connection: psycopg.Connection, entity: Entity) -> Reconciled:
    rows_in, without = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE hubspot_id IS NULL) FROM incoming_match"
    ).fetchone() or (0, 0)
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE changed_match ON COMMIT DROP AS {}").format(
            statement("activities/reconciliation/changed", **identifiers(entity))
        )
    )
    changed, matched, moved, withdrawn = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE hubspot_id_before IS NULL AND hubspot_id_after IS NOT NULL),"
        " count(*) FILTER (WHERE hubspot_id_before IS NOT NULL AND hubspot_id_after IS NOT NULL),"
        " count(*) FILTER (WHERE hubspot_id_before IS NOT NULL AND hubspot_id_after IS NULL) FROM changed_match"
    ).fetchone() or (0, 0, 0, 0)
    months = connection.execute(
        statement("activities/reconciliation/affected_months", reference=sql.Identifier(entity.reference)),
        {"entity_type": entity.singular},
    ).fetchall()
    connection.execute("DROP TABLE changed_match")
    return Reconciled(
        entity.name,
        rows_in,
        changed,
        matched,
        moved,
        withdrawn,
        rows_in - changed,
        without,
        tuple(sorted(row[0] for row in months)),
    )


def known_columns(connection: psycopg.Connection, entity: Entity) -> set[str]:
    """A table that stood before us may lack the columns that are only for people."""
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'staging' AND table_name = %s",
        (entity.table,),
    )
    return {row[0] for row in rows}


def _list(extras: list[str], pattern: str, entity: Entity) -> sql.Composed:
    return sql.SQL("").join(sql.SQL(pattern).format(sql.Identifier(f"{entity.singular}_{extra}")) for extra in extras)


def _rows(path: Path, given: str | None) -> Iterator[Match]:
    """The matches of a file, read as a drop is, a block at a time."""
    with DropFile(path, keep_digest=False) as file, file.unchanged(file.identity):
        encoding = file.detect_encoding(given)
        file.rewind()
        first = Records(file, encoding, ",").first()
        if first is None:
            raise refused(path, "is empty; it has at least the header legacy_id,hubspot_id[,name,email]")
        header_line, _, raw = first
        delimiter = max(DELIMITERS, key=raw.count)
        header = [name.strip().lower() for name in next(csv.reader([raw], delimiter=delimiter))]
        for wanted in ("legacy_id", "hubspot_id"):
            if header.count(wanted) != 1:
                raise refused(
                    path,
                    f"line {header_line}: needs one column {wanted}; the header is legacy_id,hubspot_id[,name,email]",
                )
        file.rewind()
        is_well_quoted = well_quoted(delimiter)
        for batch in Records(file, encoding, delimiter).batches():
            for index, (row, line) in enumerate(zip(batch.rows, batch.starts, strict=True)):
                text = batch.raw(line, batch.ends[index])
                if line == header_line or not any(value.strip() for value in row):
                    continue
                if index in batch.too_large:
                    raise refused(path, f"line {line}: the record that starts here is over 16 MiB; repair it")
                if not is_well_quoted(text):
                    raise refused(
                        path, f"line {line}: a quote is neither doubled nor the end of its field; repair the line"
                    )
                if batch.may_be_damaged and DAMAGE.search(text):
                    raise refused(path, f"line {line}: half a character; repair the line")
                yield _match(path, line, header, row)


def _match(path: Path, line: int, header: list[str], row: list[str]) -> Match:
    if len(row) != len(header):
        raise refused(path, f"line {line}: {len(row)} fields where the header has {len(header)}; repair the line")
    values = dict(zip(header, row, strict=True))
    legacy_id = read_integer(values["legacy_id"])
    if legacy_id is None:
        raise refused(path, f"line {line}, column legacy_id: {_brief(values['legacy_id'])} is not a whole number")
    hubspot_id = None if is_missing(values["hubspot_id"]) else read_integer(values["hubspot_id"])
    if hubspot_id is None and not is_missing(values["hubspot_id"]):
        raise refused(path, f"line {line}, column hubspot_id: {_brief(values['hubspot_id'])} is not a whole number")
    return line, legacy_id, hubspot_id, _text(values.get("name")), _text(values.get("email"))


def _brief(value: str) -> str:
    return repr(value if len(value) <= 60 else f"{value[:60]}…")


def _text(value: str | None) -> str | None:
    if value is None or is_missing(value):
        return None
    # What ``unresolved --csv`` puts before a name that a spreadsheet would take for a formula.
    return (value[1:] if value[:1] == "'" and value[1:2] in FORMULA else value).replace("\0", "")
