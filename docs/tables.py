"""Writes what the documentation says of the tables from a database with the newest schema: the ERD in three forms and the
data dictionary; and the decision tree from the mapping. `make docs` calls it; tests hold the pages against it.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import psycopg

from ic_assets.activities.engine.staging.classification import (
    ANY,
    BLANK,
    BY_DATE,
    CLASSIFICATION,
    DIRECTIONS,
    PRIORITIES,
    STATUSES,
)
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES
from ic_assets.activities.facts.dictionary import origins
from ic_assets.activities.facts.lookups import lookups
from ic_assets.core import schema
from ic_assets.core.catalog import Catalog, Column, Table
from ic_assets.core.dictionary import described
from ic_assets.core.erd import graphml, mermaid, png
from ic_assets.core.gaps import gaps
from ic_assets.core.settings import Settings
from ic_assets.resources.services import services

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "erd.png"
CLASSIFICATION_PAGE = DOCS / "classification.md"
_BEGIN, _END = "<!-- Written by `make docs` from the files of sql/activities. -->", "<!-- Up to here. -->"
_RESULTS = {"": "nothing", BY_DATE: "COMPLETED, or SCHEDULED when it starts after the reference time"}
_CHANNELS = {"SMS": "SMS", "LINKEDIN_MESSAGE": "LinkedIn message", "WHATS_APP": "WhatsApp"}


def pages(catalog: Catalog) -> dict[Path, str]:
    """The text of every file that is made here, by path."""
    before = CLASSIFICATION_PAGE.read_text(encoding="utf-8")
    head, _, rest = before.partition(_BEGIN)
    tail = rest.partition(_END)[2]
    return {
        DOCS / "erd.md": _erd_page(catalog),
        DOCS / "erd.graphml": graphml(catalog),
        DOCS / "data-dictionary.md": dictionary(catalog),
        DOCS / "gaps.md": gaps_page(),
        CLASSIFICATION_PAGE: f"{head}{_BEGIN}\n\n{decision_tree()}\n{_END}{tail}",
    }


def _erd_page(catalog: Catalog) -> str:
    return "\n".join(
        [
            "# The tables",
            "",
            "Drawn from the database by `make docs`. The same in yEd: [erd.graphml](erd.graphml). What each column holds:",
            "[data-dictionary.md](data-dictionary.md). Of a database of your own: `ic-assets erd --format png --out erd.png`",
            "(`graphml` and `mermaid` too).",
            "",
            "![The tables, their columns and what refers to what](images/erd.png)",
            "",
            "As Mermaid:",
            "",
            "```mermaid",
            mermaid(catalog).rstrip("\n"),
            "```",
            "",
        ]
    )


def dictionary(catalog: Catalog) -> str:
    """Every table with its columns, and the views by name."""
    lines = [
        "# Data dictionary",
        "",
        "Written from the database's catalog by `make docs`. How the tables hang together: [erd.md](erd.md).",
        "PK: primary key. UK: unique. FK: foreign key. Times without a zone are the legacy system's local time.",
        "An index finds what stands beside it by its condition, with values for `:id`, `:since` and the like.",
        "",
    ]
    made_of = origins()
    for name in dict.fromkeys(table.schema for table in catalog.tables):
        lines += [f"## Schema `{name}`", ""]
        mine = [table for table in catalog.tables if table.schema == name]
        for table in mine:
            if not table.is_view:
                lines += _table_lines(table, catalog, made_of.get(table.full_name, {}))
        views = [table for table in mine if table.is_view]
        lines += ["### Views", "", "| view | one row is | columns |", "|---|---|---|"]
        lines += [
            f"| `{view.full_name}` | {view.comment} | {', '.join(column.name for column in view.columns)} |"
            for view in views
        ]
        lines.append("")
    return "\n".join(lines)


def gaps_page() -> str:
    """The validation gaps, by flow, and what closes each."""
    found = gaps()
    lines = [
        "# The validation gaps",
        "",
        f"The system that this one succeeds left {len(found)} things unchecked. Each is closed by a mechanism and tried by a"
        " test that does the bad thing and sees it refused, set aside or reported. P0 is the gravest.",
        "",
        "Written by `make docs` from `ic_assets/core/gaps.csv`. Whether each is closed in an installation: `ic-assets gaps`;",
        "with `--strict` it ends with 1 while one is not. A gap of a flow that is not there yet is open.",
        "",
    ]
    for flow in dict.fromkeys(gap.flow for gap in found):
        lines += [
            f"## {flow}",
            "",
            "| id | priority | what was not checked | what closes it | where |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {gap.id} | {gap.priority} | {gap.gap} | {gap.mechanism} | {', '.join(f'`{one}`' for one in gap.where)} |"
            for gap in found
            if gap.flow == flow
        ]
        lines.append("")
    return "\n".join(lines)


def _table_lines(table: Table, catalog: Catalog, made_of: dict[str, str]) -> list[str]:
    lines = [f"### {table.full_name}", "", table.comment, ""]
    head = ["column", "type", "key", "holds"] + (["made of"] if made_of else [])
    lines += [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for column in table.columns:
        cells = [f"`{column.name}`", column.type + ("" if column.is_nullable else ", not null")]
        cells += [_key(column, table, catalog), _holds(column, table, catalog)]
        lines.append(f"| {' | '.join(cells + ([made_of.get(column.name, '')] if made_of else []))} |")
    lines.append("")
    if table.checks:
        lines += [*(f"- `{check}`" for check in table.checks), ""]
    indexes = [lookup for lookup in lookups() if f"staging.{lookup.table}" == table.full_name]
    if indexes:
        lines += ["| index | finds | by |", "|---|---|---|"]
        lines += [f"| `{one.index}` | {one.asks} | `{one.where}` |" for one in indexes]
        lines.append("")
    return lines


def _key(column: Column, table: Table, catalog: Catalog) -> str:
    is_reference = any(
        r.table == table.full_name and column.name in r.columns and r.is_declared for r in catalog.references
    )
    found = [("PK", column.key_position is not None), ("FK", is_reference)]
    found.append(("UK", column.is_unique and column.key_position is None))
    return " ".join(key for key, holds in found if holds)


def _holds(column: Column, table: Table, catalog: Catalog) -> str:
    words = column.comment.replace("|", "\\|")
    if column.values:
        words += f" (one of {', '.join(f'`{value}`' for value in column.values)})"
    for reference in catalog.references:
        if reference.table == table.full_name and reference.columns == (column.name,):
            words += f" (→ `{reference.target}.{reference.target_columns[0]}`)"
    return words


def decision_tree() -> str:
    """The mapping as a drawing and as tables, from the packaged files."""
    rows = CLASSIFICATION.read(CLASSIFICATION.packaged).rows
    by_type: dict[tuple[str, str], list[str]] = defaultdict(list)
    by_action: dict[tuple[str, str], list[str]] = defaultdict(list)
    by_both: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for comm_type, action, activity, channel in rows:
        leaf = (activity, channel or "")
        if action == ANY:
            by_type[leaf].append(comm_type)
        elif comm_type == ANY:
            by_action[leaf].append(action)
        else:
            by_both[leaf][comm_type].append(action)
    cases = by_type.pop(("case", ""))
    open_types = list(dict.fromkeys(row[0] for row in rows if ANY not in row[:2]))
    order = [activity.name for activity in ACTIVITY_TYPES]
    leaves = sorted(dict.fromkeys([*by_type, *by_action]), key=lambda leaf: order.index(leaf[0]))
    lines = [
        "```mermaid",
        "flowchart LR",
        "    start([Comm_Type and Comm_Action,<br/>trimmed, in lower case]) --> open{Is the type<br/>"
        f"{_wrapped(open_types)},<br/>or one that no line names?}}",
        "    open -- yes --> action{Is the action one of}",
        "    open -- no --> type{Is the type one of}",
        '    action -- "no" --> type',
    ]
    for number, leaf in enumerate(leaves):
        shown = f"{leaf[0]}<br/>{_CHANNELS[leaf[1]]}" if leaf[1] else leaf[0]
        lines.append(f"    leaf{number}[{shown}]")
        if leaf in by_action:
            lines.append(f'    action -- "{_wrapped(by_action[leaf])}" --> leaf{number}')
        if leaf in by_type:
            lines.append(f'    type -- "{_wrapped(by_type[leaf])}" --> leaf{number}')
    lines += [
        f'    type -- "{_wrapped(cases)}" --> case{{Case id set?}}',
        "    case -- yes --> priority{Priority high,<br/>urgent or critical?}",
        "    case -- no --> note[notes]",
        "    priority -- yes --> task[tasks]",
        "    priority -- no --> note",
        '    type -- "anything else" --> unknown[notes<br/>counted as unrecognised]',
        "```",
        "",
        f"| activity type | the type alone | the action, where the type is {', '.join(open_types)}, blank, or one that"
        " no line names |",
        "|---|---|---|",
    ]
    for leaf in leaves:
        if any(actions != by_action[leaf] for actions in by_both[leaf].values()):
            raise ValueError(f"{leaf}: the table has one column for the actions of all types")
        shown = f"{leaf[0]}, as {_CHANNELS[leaf[1]]}" if leaf[1] else leaf[0]
        lines.append(f"| {shown} | {', '.join(by_type[leaf])} | {', '.join(by_action[leaf])} |")
    lines += [
        f"| tasks or notes | {', '.join(cases)}: tasks when the case id is set and the priority is high, urgent or"
        " critical; notes otherwise | the action does not change a case |",
        "| notes, counted as unrecognised | anything else, for example `Mail` (letter or e-mail? nobody can tell),"
        " `Site visit` | |",
        "",
        *_word_tables(),
    ]
    return "\n".join(lines)


def _word_tables() -> list[str]:
    """Directions, statuses and priorities: what each value becomes."""

    def table(heading: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
        words: dict[str, list[str]] = defaultdict(list)
        for word, result in pairs:
            words[result].append(f"`{word}`" if word in (ANY, BLANK) else word)
        return ["", f"**{heading}**", "", "| becomes | values |", "|---|---|"] + [
            f"| {result} | {', '.join(values)} |" for result, values in words.items()
        ]

    lines = ["`(blank)` is no value, `*` any that no other line names."]
    lines += table("Direction of calls and e-mails, by action", DIRECTIONS.read(DIRECTIONS.packaged).rows)
    for activity, heading in (
        ("calls", "Status and outcome of calls"),
        ("emails", "Status of e-mails"),
        ("meetings", "Outcome of meetings"),
        ("tasks", "Status of tasks"),
    ):
        pairs = [
            (status, f"{_RESULTS.get(result or '', result)}{f', {disposition}' if disposition else ''}")
            for of, status, result, disposition in STATUSES.read(STATUSES.packaged).rows
            if of == activity
        ]
        lines += table(heading, pairs)
    priorities = PRIORITIES.read(PRIORITIES.packaged).rows
    lines += table("Priority of tasks", [(word, result or _RESULTS[""]) for word, result in priorities])
    return [*lines, ""]


def _wrapped(words: list[str], width: int = 22) -> str:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 2 > width:
            lines[-1] += ","
            lines.append("")
        lines[-1] += f", {word}" if lines[-1] else word
    return "<br/>".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="docs-") as folder:
        settings = Settings.from_env().model_copy(update={"home": Path(folder), "postgres_url": None})
        with services(settings) as up:
            schema.ensure(up.postgres_url)
            with psycopg.connect(up.postgres_url) as connection:
                catalog = described(connection)
    for path, text in pages(catalog).items():
        path.write_text(text, encoding="utf-8")
    PICTURE.write_bytes(png(catalog))


if __name__ == "__main__":
    main()
