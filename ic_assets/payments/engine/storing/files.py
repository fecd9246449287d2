"""The rule files of payments: their lines, how each is judged, and how they come to the database, where every process reads
them (``payments.rule_line``, ``payments.event_type``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import psycopg

from ic_assets.core import rules_data
from ic_assets.core.rules_data import Line, RuleFile
from ic_assets.core.sql import statement

Pair = tuple[str, str]


def _pair(key: str, value: str) -> RuleFile[Pair]:
    def parse(line: Line) -> Pair:
        for column in (key, value):
            if not line[column]:
                raise line.refused(column, "empty; a line has both")
        return line[key], line[value]

    return _file(key, value, parse)


def _file(key: str, value: str, parse: object, name: str = "") -> RuleFile[Pair]:
    stem = name or {"match": "plans" if value == "plan_id" else "addons", "customer_id": "customers"}[key]
    return RuleFile(
        f"payments/{stem}.csv",
        columns=(key, value),
        parse=parse,  # type: ignore[arg-type]
        key=lambda row: row[0],
        key_columns=(key,),
    )


def _currency(line: Line) -> Pair:
    if not re.fullmatch("[A-Z]{3}", line["currency"]):
        raise line.refused("currency", "not an ISO 4217 code; write three capital letters")
    if line["decimals"] not in ("0", "2", "3", "4"):
        raise line.refused("decimals", "write 0, 2, 3 or 4: how many decimals the currency has")
    return line["currency"], line["decimals"]


def _range(line: Line) -> Pair:
    if not re.fullmatch(r"[0-9]+(-[0-9]+|\+)", line["arr_range"]):
        raise line.refused("arr_range", "write A-B or A+, for example 2001-8000")
    try:
        lower = Decimal(line["from_usd"])
    except InvalidOperation:
        lower = Decimal(-1)
    if not lower.is_finite() or lower < 0:
        raise line.refused("from_usd", "write the US dollars at which the range begins, 0 or more")
    return line["arr_range"], str(lower)


def _bundle(line: Line) -> Pair:
    if not line["match"]:
        raise line.refused("match", "empty; write an item's id, or the beginning of ids and *")
    return line["match"], line.one_of("bundle", ("seats", "ops", "hr", "comms"))


def _handling(line: Line) -> Pair:
    if not line["event_type"]:
        raise line.refused("event_type", "empty; write the name of a type of event")
    return line["event_type"], line.one_of("handling", ("read", "ignored"))


EVENT_TYPES = _file("event_type", "handling", _handling, "event_type")
CURRENCIES = _file("currency", "decimals", _currency, "currencies")
RANGES = _file("arr_range", "from_usd", _range, "arr_range")
ADDONS = _file("match", "bundle", _bundle)
PLANS = _pair("match", "plan_id")
CUSTOMERS = _pair("customer_id", "company")
FILES = (EVENT_TYPES, CURRENCIES, RANGES, ADDONS, PLANS, CUSTOMERS)


def apply(connection: psycopg.Connection) -> list[str]:
    """Brings the files that differ from what is in force to the database, and wakes every customer when one does that a
    figure follows from. Returns their names."""
    applied = []
    for file in FILES:
        if rules_data.apply(connection, file, lambda rows, name=file.name: _write(connection, name, rows)):  # type: ignore[misc]
            applied.append(file.name)
    if set(applied) - {EVENT_TYPES.name}:
        connection.execute(statement("payments/wake_everyone"))
    return applied


def _write(connection: psycopg.Connection, name: str, rows: Sequence[Pair]) -> None:
    keys, values = [key for key, _ in rows], [value for _, value in rows]
    if name == EVENT_TYPES.name:
        connection.execute(statement("payments/write_event_types"), {"types": keys, "handlings": values})
        return
    connection.execute("DELETE FROM payments.rule_line WHERE file = %s", (name,))
    connection.execute(statement("payments/write_rule_lines"), {"file": name, "keys": keys, "values": values})


def lines(connection: psycopg.Connection, file: RuleFile[Pair]) -> list[Pair]:
    """The lines in force, in the file's order."""
    return connection.execute(statement("payments/rule_lines"), {"file": file.name}).fetchall()
