"""``ic-assets rules check``: whether the files of rules can stand, and which version is in force."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import emit_json, out, say, state, table
from ic_assets.core import parts, rules_data
from ic_assets.core.failures import Refused
from ic_assets.core.rules_data import RuleFile
from ic_assets.core.settings import Settings


def check(files: list[Path], *, as_json: bool) -> int:
    """Of the given files, which are only read; without any, of all that count here. 1 when one cannot stand. Raises
    ``Refused`` for a file that is no file of rules."""
    with _database(wanted=not files) as (connection, note):
        rows = [_looked_at(path, connection) for path in ([_named(path) for path in files] or _all())]
    wrong = sum(row["problem"] is not None for row in rows)
    if as_json:
        emit_json({"problems": wrong, "note": note, "files": rows})
        return 1 if wrong else 0
    shown = [[row["file"], row["rows"] or "", state(row["problem"] is None), row["in_force"]] for row in rows]
    out.print(table("Rules", ["file", "lines", "", "in force"], shown))
    for row in rows:
        if row["problem"]:
            out.print(str(row["problem"]), markup=False)
    if note:
        say(note)
    return 1 if wrong else 0


def _all() -> list[tuple[RuleFile[Any], Path | None]]:
    return [(file, None) for file in parts.all_rule_files()]


def _named(path: Path) -> tuple[RuleFile[Any], Path]:
    """The rules that a file on the disk would be, by its name: ``plans.csv``, or ``payments/plans.csv`` where several flows
    have a file of that name."""
    if not path.is_file():
        raise Refused(f"{path}: no such file")
    resolved = path.absolute()
    names = [file for file in parts.all_rule_files() if file.packaged.name == resolved.name]
    exact = [file for file in names if file.name == f"{resolved.parent.name}/{resolved.name}"]
    if len(exact or names) != 1:
        known = ", ".join(sorted(file.name for file in (names or parts.all_rule_files())))
        which = (
            "several files of rules have this name; put it into a folder named after its flow"
            if names
            else ("no file of rules has this name")
        )
        raise Refused(f"{path}: {which} (known: {known})")
    return (exact or names)[0], path


def _looked_at(
    given: tuple[RuleFile[Any], Path | None], connection: psycopg.Connection | None
) -> dict[str, str | int | None]:
    file, path = given
    row: dict[str, str | int | None] = {"file": file.name, "rows": None, "problem": None, "in_force": ""}
    try:
        row["rows"] = len(file.read(path or file.path).rows)
    except Refused as refusal:
        row["problem"] = str(refusal)
    if connection is not None and path is None:
        row["in_force"] = rules_data.in_force(connection, file)
        row["problem"] = rules_data.problem(connection, file)
    return row


@contextmanager
def _database(*, wanted: bool) -> Iterator[tuple[psycopg.Connection | None, str]]:
    """The database, where there is one and it is wanted, else why it was not looked at."""
    with ExitStack() as stack:
        connection, note = None, ""
        if wanted:
            try:
                connection = stack.enter_context(looking(Settings.from_env()))
            except Refused as why:
                note = f"which version is in force was not looked at: {why}"
        yield connection, note
