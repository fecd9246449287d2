"""``ic-assets history``: what was loaded, pushed and taken back, when, by whose approval, and how it ended."""

from psycopg.rows import dict_row

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import emit_json, out, table
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement

_COLUMNS = ("at", "kind", "name", "mode", "by_whom", "records", "failed", "result", "reason")
_HEADINGS = ("when (UTC)", "", "number or file", "mode", "approved by", "loaded or sent", "failed", "result", "reason")


def history(limit: int, *, as_json: bool) -> int:
    """The newest ``limit`` drops, pushes and roll-backs of pushes, the newest first. Returns 0. Raises ``Refused``."""
    with looking(Settings.from_env()) as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement("activities/reports/history"), {"row_limit": limit}).fetchall()
    if as_json:
        emit_json({"history": found})
    elif found:
        out.print(table("History", _HEADINGS, [[row[name] for name in _COLUMNS] for row in found]))
    else:
        out.print("Nothing was loaded or pushed yet.")
    return 0
