"""``ic-assets rejects``: the rows of a drop that did not load, with the reason of each, and a file to mend them in."""

from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from ic_assets.activities.engine.drop import rejects as engine
from ic_assets.activities.engine.drop.reasons import HARMLESS, REJECTS, WARNINGS, advice
from ic_assets.activities.engine.reports.masked_values import mask_raw, shortened
from ic_assets.activities.engine.reports.trace import drop_named
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import counted, emit_json, out, table
from ic_assets.core.settings import Settings

_SHOWN = 20
_LONGEST, _LONGEST_FULL = 80, 2000


def rejects(
    drop: str | None, csv_file: Path | None, *, warnings: bool, limit: int | None, full: bool, as_json: bool
) -> int:
    """Of the drop with this key or file name, else of the newest one: at most ``limit`` rows on the screen (20 by default),
    all of them in ``csv_file``. Returns 0. Raises ``Refused``."""
    with looking(Settings.from_env()) as connection:
        found, notes = drop_named(connection, drop)
        key = found["drop_key"]
        counts = engine.counts(connection, key)
        wanted = limit or _SHOWN
        rows = [{**row, "value": engine.blamed(found, row)} for row in engine.rejected(connection, key, limit=wanted)]
        rows = [_masked(_masked(row, "raw_row", full), "value", full) for row in rows]
        warned = list(engine.warned(connection, key, limit=wanted)) if warnings else []
        warned = [_masked(row, "raw_value", full) for row in warned]
        written = engine.write(connection, found, csv_file, warnings=warnings) if csv_file else None
    if as_json:
        emit_json(
            {
                "drop": key,
                "rejected_by_reason": counts.by_reason,
                "to_mend": counts.to_mend,
                "field_warnings": counts.warnings,
                "rows": rows,
                **({"warnings": warned} if warnings else {}),
                **({"written": asdict(written)} if written else {}),
            }
        )
        return 0
    for note in notes:
        out.print(note, markup=False)
    _show(key, counts, rows, warned if warnings else None, full)
    if written:
        _say_where(written)
    return 0


def _masked(row: dict[str, Any], column: str, full: bool) -> dict[str, Any]:
    return row if full else {**row, column: mask_raw(row[column])}


def _show(
    key: str, counts: engine.Counts, rows: list[dict[str, Any]], warned: list[dict[str, Any]] | None, full: bool
) -> None:
    longest = _LONGEST_FULL if full else _LONGEST
    if rows:
        cells = [
            [r["line"], r["reason"], r["column"], shortened(r["value"], longest), shortened(r["raw_row"], longest)]
            for r in rows
        ]
        out.print(table(f"Rejected rows of {key}", ["line", "reason", "column", "value", "the row"], cells))
        for reason, of_reason in groupby(sorted(rows, key=lambda row: row["reason"]), key=lambda row: row["reason"]):
            to_do = dict.fromkeys(advice(reason, row["column"]) for row in of_reason)
            out.print(f"{reason}: {REJECTS.get(reason, (reason, ''))[0]}. {' '.join(to_do)}", markup=False)
    harmless = counts.rejected - counts.to_mend
    rightly = (
        f", {harmless:,} more that want nothing ({', '.join(r for r in HARMLESS if r in counts.by_reason)})"
        if harmless
        else ""
    )
    shown = f" The first {len(rows):,} are shown; --limit shows more." if len(rows) < counts.rejected else ""
    out.print(f"{key}: {counted(counts.to_mend, 'row')} to mend{rightly}.{shown}", markup=False)
    if warned:
        cells = [
            [w["line"], w["column"], shortened(w["raw_value"], longest), WARNINGS.get(w["reason"], w["reason"])]
            for w in warned
        ]
        out.print(table(f"Field warnings of {key}", ["line", "column", "value", "what became of it"], cells))
    if warned is not None or counts.warnings:
        hint = "" if warned is not None else " (--warnings shows them)"
        out.print(f"{counted(counts.warnings, 'field warning')}{hint}.", markup=False)
    if counts.others:
        more = f" and {len(counts.others) - 5} more" if len(counts.others) > 5 else ""
        out.print(f"Also with rejected rows, by --drop: {', '.join(counts.others[:5])}{more}.", markup=False)
    if (rows or warned) and not full:
        out.print("Values are masked; --full shows them.")


def _say_where(written: engine.Written) -> None:
    path = written.file
    out.print(
        f"{path}: {counted(written.rows, 'row')}, in full: personal data. Mend them, then: ic-assets load {path}",
        markup=False,
    )
    if written.unparsed_file:
        out.print(
            f"{written.unparsed_file}: {counted(written.unparsed, 'row')} that did not come apart into fields, as they stand "
            f"in the file. Mend quotes and delimiters, then: ic-assets load {written.unparsed_file}",
            markup=False,
        )
    if written.warnings_file:
        out.print(f"{written.warnings_file}: {counted(written.warnings, 'field warning')}.", markup=False)
