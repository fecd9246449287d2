"""``ic-assets unresolved``: the missing records that matter most, as a table to act on and a CSV to hand over."""

import csv
import os
from pathlib import Path

from ic_assets.activities.engine.reconciliation.impact import Impact, ImpactRow, impact
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, FORMULA
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import counted, emit_json, out, say, table
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings

_SHOWN = 20
_SHOWN_OF_EACH = 10
# As ``ic-assets reconcile`` reads it; the columns after the name are for people and passed over.
_COLUMNS = ("legacy_id", "hubspot_id", "name", "communications", "reason")
_FULL = ("legacy_id", "hubspot_id", "name", "email", "communications", "reason")


def unresolved(name: str | None, *, csv_file: Path | None, limit: int | None, full: bool = False, as_json: bool) -> int:
    """Prints the ids that weigh most, ``limit`` of each kind (by default 10 or 20 on the screen, all in a CSV), with
    ``full`` the names and addresses of persons too. Returns 1 while a gate of the resolution is red. Raises ``Refused``
    for a CSV without a kind: each kind has a table of its own."""
    if csv_file and not name:
        raise Refused(f"--csv wants to know for which table: ic-assets unresolved contacts --csv {csv_file}")
    settings = Settings.from_env()
    with looking(settings) as connection:
        wanted = limit if limit or csv_file else _SHOWN if name else _SHOWN_OF_EACH
        found = impact(connection, limit=wanted, entities=[name] if name else tuple(ENTITIES), persons=full)
    if csv_file:
        _write(csv_file, found.rows, full)
    if as_json:
        emit_json({**found.to_json(), **({"csv": str(csv_file.absolute())} if csv_file else {})})
    else:
        _show(found, csv_file)
    return 1 if any(one.needed for one in found.entities) else 0


def _show(found: Impact, csv_file: Path | None) -> None:
    for one in found.entities:
        rows = one.rows[:_SHOWN] if csv_file else one.rows
        if rows:
            columns = {
                "legacy id": [str(row.legacy_id) for row in rows],
                **({"name": [row.name or "" for row in rows]} if any(row.name for row in rows) else {}),
                **({"e-mail": [row.email or "" for row in rows]} if any(row.email for row in rows) else {}),
                "reason": [row.why for row in rows],
                "communications": [row.communications for row in rows],
                "rate after": [one.percent_after(row.cumulative_resolved) for row in rows],
            }
            out.print(table(f"Unresolved {one.entity}", list(columns), list(zip(*columns.values(), strict=True))))
        out.print(one.sentence, markup=False)
    if csv_file:
        out.print(
            f"{csv_file}: {counted(len(found.rows), 'id')}. {_holds(found.rows)}\n"
            "Fill in hubspot_id and delete the lines that you leave empty; then: "
            f"ic-assets reconcile {found.entities[0].entity} {csv_file} --what-if",
            markup=False,
        )
    elif any(row.reason == "matched" for row in found.rows):
        say("Some are matched by now: `ic-assets load` brings them in.")


def _holds(rows: list[ImpactRow]) -> str:
    if any(row.email or (row.name and row.entity == "contacts") for row in rows):
        return "It holds names and addresses of persons."
    kinds = {row.entity for row in rows if row.name}
    return (
        f"It holds names of {', '.join(sorted(kinds))}, no persons and no addresses." if kinds else "It holds no names."
    )


def _write(path: Path, rows: list[ImpactRow], full: bool) -> None:
    mode = 0o600 if full else 0o666  # persons: for the owner's eyes
    try:
        # With a mark that makes spreadsheets read UTF-8; newline as RFC 4180 has it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_FULL if full else _COLUMNS)
            for row in rows:
                persons = (_safe(row.email),) if full else ()
                writer.writerow(
                    (row.legacy_id, row.hubspot_id or "", _safe(row.name), *persons, row.communications, row.why)
                )
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; name another file with --csv") from error


def _safe(name: str | None) -> str:
    """A name that a spreadsheet would compute gets an apostrophe before it; ``reconcile`` takes it off again."""
    return f"'{name}" if name and name.startswith(FORMULA) else name or ""
