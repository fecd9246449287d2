"""``ic-assets trace``: where one row went."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ic_assets.activities.engine.drop.reasons import WARNINGS
from ic_assets.activities.engine.reports.masked_values import shortened
from ic_assets.activities.engine.reports.trace import Trace, by_id, by_line, by_row
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import emit_json, out, table
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings

_LONGEST, _LONGEST_FULL = 100, 2000


def trace(
    drop: str | None, line: str | None, communication: int | None, *, row: int | None = None, full: bool, as_json: bool
) -> int:
    """By line of a drop (a lone number is a line of the newest one), by the row of a spreadsheet, or by id. Raises
    ``Refused``."""
    if row is not None:
        if line is not None or communication is not None:
            raise Refused("--row finds a row by itself; leave out the line and --id")
        with looking(Settings.from_env()) as connection:
            return _told(by_row(connection, drop, row, full=full), full, as_json)
    if drop is not None and line is None and _number(drop) is not None:
        drop, line = None, drop
    wanted = None if line is None else _number(line)
    if line is not None and wanted is None:
        raise Refused(f"{line!r} is no line number; lines are counted from 1, the header's")
    if (wanted is None) == (communication is None):
        raise Refused(
            "name a row: `ic-assets trace FILE LINE`, `ic-assets trace FILE --row ROW`, or "
            "`ic-assets trace --id COMMUNICATION`"
        )
    if communication is not None and drop is not None:
        raise Refused("--id finds a communication in all drops; leave out the file")
    settings = Settings.from_env()
    with looking(settings) as connection:
        if communication is not None:
            found = by_id(connection, communication, full=full)
        else:
            found = by_line(connection, drop, wanted or 0, full=full)
    return _told(found, full, as_json)


def _told(found: Trace, full: bool, as_json: bool) -> int:
    if as_json:
        emit_json(asdict(found))
    else:
        _show(found, full)
    return 0


def _number(text: str) -> int | None:
    digits = text.replace(",", "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and 0 < int(digits) < 2**63 else None


def _show(found: Trace, full: bool) -> None:
    for sentence in (*found.notes, *found.sentences, *([f"What to do: {found.next_step}"] if found.next_step else [])):
        out.print(_harmless(sentence), markup=False)
    out.print()
    if len(found.history) > 1:
        out.print(
            table(
                f"Communication {found.communication} in the drops",
                ["drop", "line", "fate"],
                [[one["drop"], one["line"], one["fate"]] for one in found.history],
            )
        )
    if found.raw_row is not None:
        out.print("The row as it stands in the file:")
        out.print(_harmless(found.raw_row) if full else shortened(found.raw_row, 1000), markup=False)
    else:
        _pairs("The row as it landed", found.row, full)
    for warning in found.warnings:
        meaning = WARNINGS.get(warning["reason"], warning["reason"])
        out.print(f"{warning['column']} {warning['raw_value']!r}: {meaning}", markup=False)
    if found.references:
        out.print(
            table(
                "References",
                ["to", "legacy id", "HubSpot id", "why not"],
                [[one.entity, str(one.legacy_id), str(one.hubspot_id or ""), one.why] for one in found.references],
            )
        )
    if found.table:
        _pairs(found.table, found.record, full)
    if found.hubspot:
        columns = ("portal", "object_type", "part", "state", "hubspot_id", "attempts", "pushed_at", "last_error")
        rows = [["" if one[name] is None else str(one[name])[:_LONGEST] for name in columns] for one in found.hubspot]
        out.print(table("HubSpot", [name.replace("_", " ") for name in columns], rows))
        for link in filter(None, (one["link"] for one in found.hubspot)):
            out.print(f"In the local HubSpot, while `ic-assets up` runs: {link}", markup=False)
    if not full:
        out.print("Values are masked; --full shows them.")


def _pairs(title: str, values: Mapping[str, Any], full: bool) -> None:
    longest = _LONGEST_FULL if full else _LONGEST
    if values:
        out.print(table(title, ["column", "value"], [[k, shortened(str(v), longest)] for k, v in values.items()]))


def _harmless(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(character for character in text if character.isprintable() or character == "\n")
