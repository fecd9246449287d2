"""``ic-assets classify``."""

import csv
import sys
from pathlib import Path

from ic_assets.activities.engine.drop.column_map import names_in_force, names_of
from ic_assets.activities.engine.reports.masked_values import mask_value, shortened
from ic_assets.activities.engine.staging import classify as engine
from ic_assets.activities.engine.staging.classification import FILES
from ic_assets.commands.looking import settings_in_use
from ic_assets.commands.terminal import counted, emit_json, out, say, table
from ic_assets.core.settings import Settings

_SHOWN = 60
_COLUMNS = (
    "communications",
    "comm_type",
    "comm_action",
    "comm_status",
    "becomes",
    "direction",
    "status",
    "disposition",
    "priority",
    "not_recognised",
)


def classify(file: Path, *, as_csv: bool, as_json: bool, columns: Path | None = None) -> int:
    """Shows what the rows of a drop would become and loads nothing. Needs no database; one that is there says under which
    settings. Raises ``Refused``."""
    names = names_of(columns) if columns else names_in_force()
    found = engine.classify(file.absolute(), settings_in_use(Settings.from_env()), names)
    rows = [_row(each) for each in found.combinations]
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    elif as_json:
        emit_json(
            {
                "rows": found.rows,
                "rejected": dict(found.rejected),
                "further_rows": found.further_rows,
                "mapping": _files(),
                "combinations": combinations(found),
            }
        )
    else:
        show_combinations(file, found)
    if found.rejected and (as_csv or as_json):
        say(_rejected(found))
    return 0


def _row(each: engine.Combination) -> list[object]:
    becomes = each.becomes
    results = (becomes.direction, becomes.status, becomes.disposition, becomes.priority)
    unnamed = ", ".join(name.removeprefix("comm_") for name in becomes.unnamed)
    return [each.rows, *each.words, becomes.activity_type, *(result or "" for result in results), unnamed]


def combinations(found: engine.Classified) -> list[dict[str, object]]:
    """For JSON: each combination by the names of its columns."""
    return [dict(zip(_COLUMNS, _row(each), strict=True)) for each in found.combinations]


def show_combinations(file: Path, found: engine.Classified) -> None:
    """Each combination and what it becomes, and the sum of those that the mapping does not name."""
    rows = [_row(each) for each in found.combinations]
    shown = [
        [row[0], *(shortened(str(mask_value("comm_type", word)), 30) for word in row[1:4]), *row[4:]]
        for row in rows[:_SHOWN]
    ]
    out.print(table(f"What {file.name} would become", [name.replace("_", " ") for name in _COLUMNS], shown))
    if len(rows) > _SHOWN or found.further_rows:
        further = f" and {found.further_rows:,} rows of rarer ones" if found.further_rows else ""
        out.print(f"{max(len(rows) - _SHOWN, 0):,} more combinations{further}: --csv lists them.")
    unnamed = sum(each.rows for each in found.combinations if each.becomes.unnamed)
    out.print(
        f"{counted(found.rows, 'row')}, {counted(len(rows), 'combination')}; {unnamed:,} rows have a value that no line of "
        "the mapping names."
    )
    if found.rejected:
        out.print(_rejected(found))
    out.print(f"By {', '.join(_files())}. Nothing was loaded.", markup=False)


def _rejected(found: engine.Classified) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.rejected.most_common())
    return f"{counted(sum(found.rejected.values()), 'row')} would be rejected ({reasons})."


def _files() -> list[str]:
    return [f"{file.packaged.name} ({'IC_HOME' if file.path == file.own else 'packaged'})" for file in FILES]
