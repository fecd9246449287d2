"""``ic-assets replay``: a flow's tables built anew from its events, beside the present ones, and compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import counted, emit_json, out, progress_bars, table
from ic_assets.commands.working import working
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.inbox.registry import registry
from ic_assets.inbox.replay import Difference, Replayed
from ic_assets.inbox.replay import replay as engine


def replay(name: str, since: str | None, *, apply: bool, full: bool, as_json: bool) -> int:
    """Says what differs, and with ``apply`` puts it in place. Returns 1 where something differs and was not applied. Without
    ``apply`` nothing is changed. ``full``: also the keys of the first rows that differ. Raises ``Refused``."""
    flow = registry().flow(name)
    moment = _moment(since)
    with progress_bars(as_json) as show:

        def told(events: int) -> None:
            if show:
                show(f"replay of {name}", events, 0, unit="events")

        settings = Settings.from_env()
        if apply:
            with working(settings) as database, database.transaction() as connection:
                found = engine(connection, flow, moment, apply=True, progress=told)
        else:
            with looking(settings, read_only=False) as connection:
                found = engine(connection, flow, moment, progress=told)
    if as_json:
        emit_json(_json(found, full))
    else:
        _show(found, full)
    return 1 if found.differs and not found.applied else 0


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        found = datetime.fromisoformat(since)
    except ValueError:
        raise Refused(f"--since {since!r} is not a date; write 2026-03-01") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _json(found: Replayed, full: bool) -> dict[str, Any]:
    result = found.to_json()
    if not full:
        for one in result["tables"]:
            del one["first"]
    return result


def _show(found: Replayed, full: bool) -> None:
    columns = ["table", "rows", "would go", "would come", "would change", "in columns"]
    if found.applied:
        columns[2:5] = ["went", "came", "changed"]
    out.print(table(f"Replay of {counted(found.events, 'event')}", columns, [_cells(one) for one in found.tables]))
    for reason, count in found.not_taken.items():
        out.print(f"{counted(count, 'event')} would not be taken any more: {reason}.", markup=False)
    for one in found.tables if full else ():
        for key in one.first:
            out.print(f"{one.table}: {', '.join(key)}", markup=False)
    if not found.differs:
        out.print("Nothing differs.")
    elif found.applied:
        out.print("The tables are those of the replay now.")
    else:
        out.print("Nothing was changed; --apply puts the replay's rows in place.")


def _cells(one: Difference) -> list[Any]:
    named = ", ".join(f"{name} ({count:,})" for name, count in one.columns.items())
    return [one.table, one.rows, one.gone, one.new, one.changed, named]
