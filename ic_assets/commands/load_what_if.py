"""``ic-assets load --what-if``: how a file would be read and what its rows would become. Writes nothing, and needs no
database; where there is one, its settings are those that count."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ic_assets.activities.engine.drop.column_map import names_in_force, names_of
from ic_assets.activities.engine.drop.drop_info import DropInfo, FieldWarning, Reject
from ic_assets.activities.engine.drop.drop_text import read_as
from ic_assets.activities.engine.reports.masked_values import mask_raw, mask_value, shortened
from ic_assets.activities.engine.staging.classify import Look, classify
from ic_assets.activities.facts.contract import BY_NAME, COLUMNS
from ic_assets.commands.classify import combinations, show_combinations
from ic_assets.commands.looking import settings_in_use
from ic_assets.commands.terminal import counted, emit_json, out, table
from ic_assets.core.settings import Settings

_LONGEST, _LONGEST_FULL = 24, 200


def load_what_if(file: Path, columns: Path | None, *, full: bool, as_json: bool) -> int:
    """Prints the first rows as they would be read, what would be rejected or left empty, and what types, actions and statuses
    would become. Returns 0. Raises ``Refused`` as the load would."""
    names = names_of(columns) if columns else names_in_force()
    settings = settings_in_use(Settings.from_env())
    look = Look()
    found = classify(file.absolute(), settings, names, look)
    assert look.info is not None  # noqa: S101 - the file was read
    if as_json:
        emit_json(
            {
                "file": str(file),
                "rows": found.rows,
                **_header(look.info),
                "first_rows": [{"line": line, **_masked(row, full)} for line, row in look.rows.items()],
                "rejected": dict(found.rejected),
                "rejects": [_reject(one, full) for one in look.rejects],
                "warnings": [{"column": c, "reason": r, "fields": n} for (c, r), n in look.warnings.most_common()],
                "combinations": combinations(found),
            }
        )
        return 0
    _show(file, look, full)
    show_combinations(file, found)
    out.print(
        "What stands already was not looked at: rows that are older than it, or equal, are told apart when the file loads."
    )
    return 0


def _header(info: DropInfo) -> dict[str, Any]:
    return {
        "read_as": read_as(info.encoding, info.words),
        "delimiter": info.delimiter,
        "missing_columns": list(info.missing_columns),
        "unknown_columns": list(info.unknown_columns),
        "renamed_columns": {theirs: _ours(ours) for theirs, ours in info.renamed},
    }


def _ours(name: str) -> str:
    return BY_NAME[name].header if name in BY_NAME else name


def _show(file: Path, look: Look, full: bool) -> None:
    info = look.info
    assert info is not None  # noqa: S101 - the file was read
    out.print(
        f"{file.name}: read as {read_as(info.encoding, info.words)}, columns between {info.delimiter!r}.", markup=False
    )
    for what, listed in (
        ("Renamed by the column map", [f"{theirs} is {_ours(ours)}" for theirs, ours in info.renamed]),
        ("Columns that it lacks", info.missing_columns),
        ("Columns that are not loaded", info.unknown_columns),
    ):
        if listed:
            out.print(f"{what}: {', '.join(listed)}.", markup=False)
    if look.rows:
        longest = _LONGEST_FULL if full else _LONGEST
        rows = [_masked(row, full) for row in look.rows.values()]
        cells = [
            [
                column.name,
                *(shortened("" if row[column.name] is None else str(row[column.name]), longest) for row in rows),
            ]
            for column in COLUMNS
        ]
        out.print(table("The first rows as read", ["column", *(f"line {line}" for line in look.rows)], cells))
        if not full:
            out.print("Values are masked; --full shows them.")
    if look.rejects:
        rejects = [_reject(one, full) for one in look.rejects]
        names = ("line", "reason", "column", "text")
        out.print(
            table(
                "Would be rejected, the first",
                names,
                [[shortened(str(one[name]), 60) for name in names] for one in rejects],
            )
        )
    if look.warnings:
        counts = [[column, reason, count] for (column, reason), count in look.warnings.most_common()]
        out.print(table("Fields that would be left empty", ["column", "why", "rows"], counts))
        for warned in look.warned:
            out.print(_warning(warned, full), markup=False)
    else:
        out.print(
            f"No field of a readable row would be left empty for what stands in it ({counted(len(COLUMNS), 'column')})."
        )


def _masked(row: Mapping[str, str | None], full: bool) -> dict[str, str | None]:
    texts = {column.name for column in COLUMNS if column.kind == "text"}
    return {name: mask_value(name, value) if not full and name in texts else value for name, value in row.items()}


def _reject(one: Reject, full: bool) -> dict[str, Any]:
    text = one.raw_row if full else mask_raw(one.raw_row)
    return {"line": one.line_number, "reason": one.reason, "column": one.column_name or "", "text": text}


def _warning(one: FieldWarning, full: bool) -> str:
    value = one.raw_value if full else mask_raw(one.raw_value)
    return f"  line {one.line_number}, {one.column_name}: {shortened(value, 60)!r} ({one.reason})"
