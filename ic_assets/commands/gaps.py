"""``ic-assets gaps``: the validation gaps and whether each is closed in this installation."""

from collections.abc import Mapping
from dataclasses import asdict

import psycopg
from rich.text import Text

from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import emit_json, out, say, table
from ic_assets.core.failures import Refused
from ic_assets.core.gaps import CLOSED, Gap, State, states
from ic_assets.core.gaps import gaps as all_gaps
from ic_assets.core.settings import Settings

_COLOURS = {"closed": "green", "open": "yellow", "broken": "bold red"}


def gaps(*, strict: bool, as_json: bool) -> int:
    """1 with ``strict`` when one is not closed, or is broken."""
    found = all_gaps()
    try:
        with looking(Settings.from_env()) as connection:
            now, note = states(found, connection), ""
    except (Refused, psycopg.Error) as why:
        now, note = states(found, None), f"the database was not looked at: {why}"
    counts = {state: sum(one.state == state for one in now.values()) for state in _COLOURS}
    if as_json:
        rows = [{**asdict(gap), "state": now[gap.id].state, "note": now[gap.id].note} for gap in found]
        emit_json({**counts, "note": note, "gaps": rows})
    else:
        _show(found, now)
        out.print(", ".join(f"{counts[state]} {state}" for state in _COLOURS), markup=False)
        if note:
            say(note)
    return 1 if strict and counts[CLOSED] < len(found) else 0


def _show(found: tuple[Gap, ...], now: Mapping[str, State]) -> None:
    for flow in dict.fromkeys(gap.flow for gap in found):
        mine = [gap for gap in found if gap.flow == flow]
        rows = [
            [gap.id, gap.priority, Text(now[gap.id].state, _COLOURS[now[gap.id].state]), gap.gap, _closes(gap, now)]
            for gap in mine
        ]
        out.print(table(flow, ["id", "priority", "state", "what was not checked", "what closes it"], rows))


def _closes(gap: Gap, now: Mapping[str, State]) -> str:
    note = now[gap.id].note
    return f"{gap.mechanism} ({note})" if note else gap.mechanism
