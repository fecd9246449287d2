"""``ic-assets status``."""

from collections import Counter
from typing import Any

import psycopg

from ic_assets.activities.engine.derivatives.payload_versions import older_payloads
from ic_assets.activities.engine.drop.drop_text import read_as
from ic_assets.activities.engine.judging import not_done
from ic_assets.activities.engine.judging.rules import judge, landing_rules
from ic_assets.activities.engine.staging import classification
from ic_assets.activities.engine.staging.slices import out_of_date
from ic_assets.activities.engine.staging.unrecognised import KINDS, unrecognised
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import because, counted, emit_json, out, table
from ic_assets.core import parts, rules_data
from ic_assets.core.schema import NothingYet
from ic_assets.core.settings import Settings
from ic_assets.inbox.upkeep import sources as inbox_sources

_LISTED, _SHOWN = 200, 10
_EMPTY: dict[str, Any] = {
    "drops_landed": 0,
    "drops_refused": 0,
    "rows_in": 0,
    "rejected": 0,
    "joined": 0,
    "types": [],
    "months_out_of_date": [],
    "out_of_date_by_cause": {},
    "months_failed": [],
    "files_waiting": [],
    "files_given_up": [],
    "files_left_alone": [],
    "rules_not_applied": [],
    "payloads_older": 0,
    "older_payloads": {},
    "older_payloads_told": None,
    "gates": [],
    "unrecognised": [],
    "mapping": [],
    "read_as": {},
    "trouble": None,
    "portal_id": None,
    "hubspot": {},
    "inbox": [],
}
# Whose encoding is shown: the newest.
_MOST_DROPS = 5
# More are in the JSON.
_MOST_SHOWN = 10
_RESOLUTION_GATES = {"contacts_resolved", "companies_resolved", "deals_resolved", "orphans"}


def status(*, as_json: bool) -> int:
    """Returns 1 when a gate is red, or a drop hardly loads. Raises ``Refused`` when PostgreSQL cannot be reached."""
    settings = Settings.from_env()
    try:
        with looking(settings) as connection:
            found = {**_found(connection), **_not_done(connection, settings), **_older(connection, settings)}
    except NothingYet:
        found = _EMPTY
    found = {**found, "next": _next(found)}
    if as_json:
        emit_json(found)
    else:
        _show(found)
    return 0 if all(gate["passed"] for gate in found["gates"]) and not found["trouble"] else 1


def _not_done(connection: psycopg.Connection, settings: Settings) -> dict[str, Any]:
    problems = [rules_data.problem(connection, file) for file in parts.all_rule_files()]
    return {
        **not_done.files(connection, settings.drop_dir),
        "months_failed": not_done.months(connection),
        "rules_not_applied": [problem for problem in problems if problem],
    }


def _older(connection: psycopg.Connection, settings: Settings) -> dict[str, Any]:
    older = older_payloads(connection, settings)
    if older is None:
        return {"payloads_older": 0, "older_payloads": {}, "older_payloads_told": None}
    return {"payloads_older": older.payloads, "older_payloads": older.by_type, "older_payloads_told": older.sentence}


def _found(connection: psycopg.Connection) -> dict[str, Any]:
    drops = connection.execute(
        "SELECT count(*) FILTER (WHERE state = 'landed'), count(*) FILTER (WHERE state = 'refused'),"
        " coalesce(sum(rows_in), 0)::bigint, coalesce(sum(rejected), 0)::bigint, coalesce(sum(joined), 0)::bigint"
        " FROM staging.ic_drop"
    ).fetchone() or (0, 0, 0, 0, 0)
    types = connection.execute(
        "SELECT activity_type, total, orphaned, processed, in_error FROM staging.v_ic_activities_summary ORDER BY 1"
    ).fetchall()
    ledger = connection.execute(
        "SELECT state, count(*) FROM hubspot.push_ledger"
        " WHERE portal_id = (SELECT portal_id FROM hubspot.v_current_portal) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    portal = connection.execute("SELECT portal_id FROM hubspot.v_current_portal").fetchone()
    waiting = out_of_date(connection)
    loads = next(rule for rule in landing_rules() if rule.name == "rows_load").judge(connection)
    read = connection.execute(
        "SELECT drop_key, encoding, words FROM staging.ic_drop WHERE state = 'landed' AND (words <> '{}'"
        " OR encoding <> 'utf-8') ORDER BY drop_id DESC LIMIT %s",
        (_MOST_DROPS,),
    ).fetchall()
    return {
        "drops_landed": drops[0],
        "drops_refused": drops[1],
        "rows_in": drops[2],
        "rejected": drops[3],
        "joined": drops[4],
        "types": [
            dict(zip(("type", "communications", "orphans", "processed", "in_error"), row, strict=True)) for row in types
        ],
        "months_out_of_date": [month.isoformat() for month, _, _ in waiting],
        "out_of_date_by_cause": dict(Counter(cause for _, _, cause in waiting).most_common()),
        "gates": [
            {"on": v.rule.on, "name": v.rule.name, "passed": v.passed, "figure": v.figure}
            for v in judge(connection, want=lambda rule: rule.gate, recount=False, keeps=False)
        ],
        "unrecognised": [each.to_json() for each in unrecognised(connection)[:_LISTED]],
        "mapping": [rules_data.in_force(connection, file) for file in classification.FILES],
        "read_as": {key: read_as(encoding, words) for key, encoding, words in read},
        "trouble": None if loads.passed else loads.next_step,
        "portal_id": portal[0] if portal else None,
        "hubspot": dict(ledger),
        "inbox": [one.to_json() for one in inbox_sources(connection)],
    }


def _show(found: dict[str, Any]) -> None:
    joined = f", {found['joined']:,} joined to others as their further people" if found["joined"] else ""
    out.print(
        f"{found['drops_landed']} drops landed with {found['rows_in']:,} rows, {found['rejected']:,} of them rejected"
        f"{joined}; {found['drops_refused']} drops refused."
    )
    for key, how in found["read_as"].items():
        out.print(f"  {key}: read as {how}", markup=False)
    if found["trouble"]:
        out.print(f"NOT LOADED {found['trouble']}", markup=False)
    columns = ("type", "communications", "orphans", "processed", "in_error")
    out.print(
        table("Activities", [c.replace("_", " ") for c in columns], [[r[c] for c in columns] for r in found["types"]])
    )
    _show_not_done(found)
    if not found["drops_landed"]:
        _show_inbox(found)
        out.print(found["next"])
        return
    waiting = found["months_out_of_date"]
    if waiting:
        span = waiting[0][:7] if len(waiting) == 1 else f"{waiting[0][:7]} to {waiting[-1][:7]}"
        out.print(
            f"{counted(len(waiting), 'month')} out of date ({span}), since {because(found['out_of_date_by_cause'])}: "
            "run `ic-assets load`."
        )
    else:
        out.print("Every month is up to date.")
    if found["older_payloads_told"]:
        out.print(found["older_payloads_told"])
    red = [gate for gate in found["gates"] if not gate["passed"]]
    if waiting and red:
        out.print("While a gate is red, `ic-assets load` brings months no further than that gate.")
    out.print(f"{len(found['gates']) - len(red)} of {len(found['gates'])} gates are green.")
    for gate in red:
        out.print(f"  red: {gate['on']} {gate['name'].replace('_', ' ')}: {gate['figure']}", markup=False)
    _show_mapping(found)
    if found["hubspot"]:
        out.print(
            f"HubSpot, portal {found['portal_id']}: "
            + ", ".join(f"{count:,} {state}" for state, count in found["hubspot"].items())
            + "."
        )
    else:
        out.print("HubSpot: nothing was pushed yet.")
    _show_inbox(found)
    out.print(f"Next: {found['next']}")


def _show_inbox(found: dict[str, Any]) -> None:
    """A line for each source of events with something that is not done."""
    for one in found["inbox"]:
        parts = [
            f"{one[name]:,} {name.replace('_', ' ')}" for name in ("new", "set_aside", "unknown_topic") if one[name]
        ]
        if parts:
            out.print(f"Inbox, {one['source']}: {', '.join(parts)}.", markup=False)


def _show_mapping(found: dict[str, Any]) -> None:
    """Which files of rules are in force where they are not the packaged ones, and what they do not name."""
    if own := [line for line in found["mapping"] if not line.endswith("the packaged one")]:
        out.print(f"Mapping: {'; '.join(own)}.", markup=False)
    listed = found["unrecognised"]
    if not listed:
        return
    rows = [[next(name for name in KINDS.values() if name in each), *_told(each)] for each in listed[:_SHOWN]]
    columns = ["column", "value", "communications", "share of type", "type", "became"]
    out.print(table("Values that the mapping does not name", columns, rows))
    if len(listed) > _SHOWN:
        out.print(f"{len(listed) - _SHOWN} more: `ic-assets status --json`, and the report.")


def _told(each: dict[str, Any]) -> list[Any]:
    value = next(each[name] for name in KINDS.values() if name in each)
    share = f"{each['share']:.2%}".replace("%", " %")
    return [value, each["communications"], share, each["activity_type"], each["became"] or "nothing"]


def _show_not_done(found: dict[str, Any]) -> None:
    """Names are those of files: shown as they are, and few."""
    for title, name, key in (
        ("In the drop folder, waiting", "file", "files_waiting"),
        ("In the drop folder, given up until the file is mended and put back", "file", "files_given_up"),
        ("In the drop folder, left alone", "file", "files_left_alone"),
        ("Months that failed", "month", "months_failed"),
    ):
        lines = [f"  {one[name]}: {one['why']}" for one in found[key]]
        if lines:
            out.print(f"{title}:")
        for line in lines[:_MOST_SHOWN]:
            out.print(line, markup=False)
        if len(lines) > _MOST_SHOWN:
            out.print(f"  and {len(lines) - _MOST_SHOWN} more")
    for problem in found["rules_not_applied"]:
        out.print(f"Not applied: {problem}", markup=False)


def _next(found: dict[str, Any]) -> str:
    """What to do first, and whether a push may go."""
    red = {gate["name"] for gate in found["gates"] if not gate["passed"]}
    records = found["hubspot"]
    if found["trouble"]:
        return f"load what was not loaded. {found['trouble']}"
    if not found["drops_landed"]:
        return "Nothing is loaded yet: `ic-assets load FILE`, or a file in the drop folder while `ic-assets up` runs."
    if found["months_out_of_date"] and not red:
        return "`ic-assets load` brings the months up to date; push after that."
    if red & _RESOLUTION_GATES:
        return "no push while a gate is red. `ic-assets unresolved` says which missing records matter most."
    if red:
        return "no push while a gate is red; do what its line says."
    if found["payloads_older"]:
        return "`ic-assets load --renew` makes the older payloads again; push after that."
    if records.get("in_flight") or records.get("unknown"):
        return "`ic-assets push` again: it asks HubSpot what became of the records in flight."
    if records.get("failed"):
        return "`ic-assets report` lists why HubSpot refused records; correct them and push again."
    if not records:
        return "every gate is green: `ic-assets push` shows what a push would do, and writes nothing."
    return "`ic-assets push` shows what HubSpot has not got yet, and writes nothing."
