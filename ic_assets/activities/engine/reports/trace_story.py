"""A traced row in sentences: where it went, a sentence a step, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ic_assets.activities.engine.drop.reasons import HARMLESS, REJECTS, advice
from ic_assets.activities.engine.reconciliation.matches import ENTITIES
from ic_assets.activities.engine.reports.masked_values import mask_value, shortened
from ic_assets.activities.engine.staging.classification import ANY
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.core.months import month_key


@dataclass(frozen=True)
class Reference:
    """One reference that the communication carries. ``why`` says what is missing where ``hubspot_id`` is None."""

    entity: str
    legacy_id: int
    hubspot_id: int | None
    why: str


def tell(
    drop: Mapping[str, Any],
    line: int,
    row: Mapping[str, Any],
    master: Mapping[str, Any] | None,
    record: Mapping[str, Any],
    references: list[Reference],
    ledger: list[dict[str, Any]],
) -> tuple[list[str], str]:
    """Where it went, a sentence a step, and what to do about it."""
    told, advice = _landing_told(drop, line, row, master)
    if master is None:
        if row["fate"] in ("inserted", "updated", "unchanged", "joined"):
            told.append("The master does not show it yet: its month is out of date.")
            advice = "Run `ic-assets load`."
        return told, advice
    activity = BY_NAME[master["activity_type"]]
    what = f"{_a(activity.singular)} of {month_key(master['comm_month'])[:7]}"
    told.append(_classified_told(master, what))
    missing = [reference for reference in references if reference.hubspot_id is None]
    if master["is_orphaned"]:
        told.append("It leads to no HubSpot record (an orphan).")
    elif missing:
        told.append(f"{len(references) - len(missing)} of its {len(references)} references lead to HubSpot.")
    stage, step = _stage_told(master, record, missing, ledger, activity.singular)
    return [*told, *stage], advice or step


def _classified_told(master: Mapping[str, Any], what: str) -> str:
    kind, action = (
        repr(shortened(str(mask_value(name, master[name] or "")), 40)) for name in ("comm_type", "comm_action")
    )
    if master["line_type"] is None:
        return f"The classification does not know its type {kind}, so it became {what}."
    if master["line_type"] == ANY:
        decides = f"its action {action} makes" if master["line_action"] != ANY else "its line for any other makes"
        return f"The classification does not know its type {kind}; {decides} it {what}."
    if master["line_action"] == ANY:
        return f"Its type {kind} makes it {what}."
    return f"Its type {kind} and its action {action} make it {what}."


def _landing_told(
    drop: Mapping[str, Any], line: int, row: Mapping[str, Any], master: Mapping[str, Any] | None
) -> tuple[list[str], str]:
    here = f"Line {line:,} of {drop['drop_key']}"
    reason, communication = row["reason"], row["communication"]
    if reason:
        meaning, to_do = REJECTS[reason][0], advice(reason, row["column_name"])
        column = f" ({row['column_name']})" if row["column_name"] else ""
        told = [f"{here} was rejected: {meaning}{column} [{reason}]."]
        if master is None:
            return told, to_do
        told.append(
            f"Communication {communication} stands as of line {master['source_line']:,} of {master['source_drop']}."
        )
        return told, "" if reason in HARMLESS else to_do
    verb = {
        "inserted": "brought communication {}, which was new.",
        "updated": "changed communication {}.",
        "unchanged": "holds communication {} as it stood already.",
        "joined": "brought a further person or company of communication {}.",
    }[row["fate"]]
    told = [f"{here} {verb.format(communication)}"]
    if (
        master
        and row["fate"] != "unchanged"
        and (master["source_drop"], line if row["fate"] == "joined" else master["source_line"])
        != (drop["drop_key"], line)
    ):
        told.append(f"A later version replaced it: line {master['source_line']:,} of {master['source_drop']}.")
    return told, ""


def _stage_told(
    master: Mapping[str, Any],
    record: Mapping[str, Any],
    missing: list[Reference],
    ledger: list[dict[str, Any]],
    singular: str,
) -> tuple[list[str], str]:
    """From the derivative to HubSpot."""
    told, step = [], ""
    if master["is_out_of_date"] or not record:
        told.append("Its month is out of date, so what follows may change.")
        step = "Run `ic-assets load`; a red gate holds it back (`ic-assets status`)."
    if master["staging_status"] == "error":
        told.append(f"HubSpot would refuse its payload: {master['error_message']}.")
        step = step or "Correct the source and load it again."
    current = next((one for one in ledger if one["object_type"] == master["activity_type"] and one["part"] == 1), None)
    if current is None or (current["hubspot_id"] is None and current["state"] == "pending"):
        told.append("No push has sent it to HubSpot yet.")
        if master["is_orphaned"]:
            step = step or _reconcile(missing)
        return told, step or "`ic-assets push` says what a push would do."
    portal = f"portal {current['portal']}"
    if current["state"] == "removed":
        told.append(f"Its record was taken back from HubSpot ({portal}).")
    elif current["hubspot_id"] is not None:
        told.append(f"It stands in HubSpot ({portal}) as {singular} {current['hubspot_id']}.")
    if current["state"] == "held":
        told.append(f"It is held back ({portal}): {current['last_error']}.")
        step = step or (
            _reconcile(missing) if not current["error_category"] else "Decide about it in HubSpot, then push."
        )
    elif current["state"] == "failed":
        told.append(f"HubSpot refused it ({portal}): {current['last_error']}.")
        step = step or "The push completion report says what to do; push again after."
    elif current["state"] in ("in_flight", "unknown"):
        told.append(f"Whether HubSpot took the last change is not known yet ({portal}).")
        step = step or "Push again: it asks HubSpot before it sends."
    elif current["state"] == "pending":
        told.append("A change of it waits for the next push.")
    return told, step


def _reconcile(missing: list[Reference]) -> str:
    if not missing:
        return "It carries no reference: correct the source, or push it with `--include-orphans`."
    first = missing[0]
    what = f"{ENTITIES[first.entity].singular} {first.legacy_id}"
    return f"Add {what} with `ic-assets reconcile {first.entity} FILE`, then `ic-assets load`."


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
