"""``ic-assets push`` and ``hubspot setup``."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from ic_assets.activities import keys
from ic_assets.activities.engine.derivatives.payload_versions import older_payloads
from ic_assets.activities.engine.judging.approval import approve as record_approval
from ic_assets.activities.engine.judging.approval import checked_name, orphans_by_reason
from ic_assets.activities.engine.judging.judgement import late_months, nothing_to_push, red_gates, refuse_on_red_gates
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.commands.runs import Said, Session, session
from ic_assets.commands.terminal import counted, emit_json, out, say, table
from ic_assets.core.failures import Refused
from ic_assets.core.months import Window, require_known
from ic_assets.hubspot.portal.setup import setup
from ic_assets.hubspot.push.run import PushResult
from ic_assets.hubspot.push.scope import Scope
from ic_assets.operations.hubspot_resource import HubSpotResource, seed_local_hubspot

_REASONS = 10
_COUNTS = ("created", "updated", "identical", "removed", "rejected", "held", "unknown", "requests")
# Shown where there are any: a table as wide as a terminal has no room for what is nearly always 0.
_RARE = ("edited", "left_pending")
_TITLES = {"edited": "changed by people", "left_pending": "left pending"}


def push(
    *,
    types: Sequence[str],
    months: tuple[date, date] | None,
    limit: int | None,
    include_orphans: bool,
    overwrite_edits: bool,
    mode: str,
    approved_by: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Pushes as one recorded run. Returns 1 when records failed or were left, or the run stopped early. Raises
    ``Refused``."""
    unknown = sorted(set(types) - set(BY_NAME))
    if unknown:
        raise Refused(f"--types: {', '.join(unknown)} is not one of {', '.join(BY_NAME)}")
    approved_by = None if approved_by is None else checked_name(approved_by)
    with session(hubspot=True, quiet=quiet or as_json, looks=mode == "dry-run") as work:
        result = run_push(
            work,
            types=types or list(BY_NAME),
            months=months,
            config={
                "mode": mode,
                "include_orphans": include_orphans,
                "overwrite_edits": overwrite_edits,
                "all_months": months is None,
                **({"limit": limit} if limit else {}),
            },
            approved_by=approved_by,
        )
        in_the_way = _in_the_way(work, OUTGOING.scope(types or None, months)) if mode == "dry-run" else []
        local = work.services.hubspot_base_url if work.services.hubspot_is_local else None
    if as_json:
        look: dict[str, Any] = {"changes_url": f"{local}/changes"} if local else {}
        look |= {"in_the_way": in_the_way} if mode == "dry-run" else {}
        emit_json(
            {
                "mode": mode,
                "push_id": result.push_id,
                **result.to_json(),
                "stopped_reason": result.stopped_reason,
                **look,
            }
        )
    else:
        _show(result)
        if local:
            out.print(f"In the local HubSpot, while `ic-assets up` runs: {local}/changes", markup=False)
        for line in in_the_way:
            say(line)
    return 0 if result.succeeded else 1


def run_push(
    work: Session,
    *,
    types: Sequence[str],
    months: tuple[date, date] | None,
    config: dict[str, Any],
    approved_by: str | None = None,
) -> PushResult:
    # Here: the months are those that the database keeps.
    from ic_assets.activities.push import MODE_TAG, POOL
    from ic_assets.activities.sensors import months_to_push

    require_known(months, work.settings.partitions_start)
    if config["mode"] != "dry-run":
        # The run looks again; refusing here leaves no failed run behind.
        with work.database.transaction() as connection:
            refuse_on_red_gates(connection)
    if months:
        window: Window | None = Window.of(*months)
    else:
        with work.database.transaction() as connection:
            window = months_to_push(connection)
    if window is None:
        with work.database.transaction() as connection:
            raise Refused(f"there is nothing to push: {nothing_to_push(connection)}")
    work.say_who_is_before(POOL)
    _, outcomes = work.run(
        "push_to_hubspot",
        window=window,
        assets=[keys.engagement(BY_NAME[name]) for name in types],
        config={"ops": {"hubspot_engagements": {"config": config}}},
        said=Said(approved_by=approved_by),
        tags={MODE_TAG: config["mode"]},
    )
    return next(outcome for outcome in outcomes if isinstance(outcome, PushResult))


def _show(result: PushResult) -> None:
    verb = "Would push" if result.mode == "dry-run" else "Pushed"
    shown = (*_COUNTS, *(name for name in _RARE if getattr(result, name)))
    rows = [
        [activity.name, *(result.by_type.get(activity.name, {}).get(name, 0) for name in shown)]
        for activity in ACTIVITY_TYPES
        if activity.name in result.by_type
    ]
    rows.append(["in all", *(getattr(result, name) for name in shown)])
    heads = ["type", *(_TITLES.get(name, name) for name in shown)]
    out.print(table(f"{verb} to portal {result.portal_id}", heads, rows))
    number = "" if result.push_id is None else f"Push {result.push_id}: "
    out.print(f"{number}{counted(result.requests, 'request')}, {result.seconds:,.1f} s.")
    reasons = sorted(result.rejects_by_reason.items(), key=lambda item: -item[1])
    for reason, count in reasons[:_REASONS]:
        out.print(f"refused {counted(count, 'time')}: {reason}", markup=False)
    if len(reasons) > _REASONS:
        out.print(f"… and {len(reasons) - _REASONS} more reasons; `ic-assets report` lists them.")
    _show_edits(result)
    if result.left:
        where = ", ".join(f"{place}: {records:,}" for place, records in list(result.left.items())[:_REASONS])
        more = f" and {len(result.left) - _REASONS} more months" if len(result.left) > _REASONS else ""
        say(
            f"{counted(result.left_pending, 'record')} changed after they were judged and were left pending ({where}{more}). "
            "Approve what stands now and push again."
        )
    if result.approval:
        say(f"Approved by {result.approval}.")
    for line in (*result.warnings, result.guarantee, result.stopped_reason):
        if line:
            say(line)
    if result.mode == "dry-run":
        if result.identical:
            say(
                f"By the ledger {counted(result.identical, 'record')} {'stands' if result.identical == 1 else 'stand'} as "
                "pushed: HubSpot was not asked about them, nor whether people changed them since."
            )
        say("A dry run: nothing was written. `ic-assets push --mode test` pushes 100 records.")


def _in_the_way(work: Session, scope: Scope) -> list[str]:
    """What a push of this scope would be refused for, or would better wait for, in sentences."""
    with work.database.transaction() as connection:
        red, late, older = (
            red_gates(connection),
            late_months(connection, scope),
            older_payloads(connection, work.settings),
        )
    lines = [f"A test or production push would be refused now: {red}"] if red else []
    if late:
        lines.append(f"A production push would be refused now: {late}; `ic-assets load` brings them up to date.")
    return [*lines, *([older.sentence] if older else [])]


def _show_edits(result: PushResult) -> None:
    """Names records that people changed in HubSpot."""
    for edit in result.edits[:_REASONS]:
        out.print(
            f"changed by people: {edit['type']} {edit['communication']} (HubSpot id {edit['hubspot_id']}): {edit['reason']}",
            markup=False,
        )
    if result.edited > _REASONS:
        out.print(f"… and {result.edited - _REASONS:,} more; `ic-assets report` counts them by reason.")
    if result.edited:
        say(
            "What people changed in HubSpot is held; --overwrite-edits, in the approval and in the push, overwrites it with "
            "what stands here."
        )


def approve(
    *,
    by: str,
    types: Sequence[str],
    months: tuple[date, date] | None,
    include_orphans: bool,
    overwrite_edits: bool,
    as_json: bool,
) -> int:
    """Records ahead of a push that somebody let exactly this data go to the portal. Raises ``Refused``."""
    by = checked_name(by)
    scope = OUTGOING.scope(types or None, months, include_orphans=include_orphans, overwrite_edits=overwrite_edits)
    with session(hubspot=True, quiet=True) as work:
        require_known(months, work.settings.partitions_start)
        portal_id = HubSpotResource().portal_id()
        with work.database.transaction() as connection:
            orphans = orphans_by_reason(connection, scope.types)
            found = record_approval(connection, portal_id, by, scope)
    if as_json:
        emit_json(
            {
                "approved_by": by,
                "portal_id": portal_id,
                "include_orphans": include_orphans,
                "overwrite_edits": overwrite_edits,
                **asdict(found),
            }
        )
        return 0
    if orphans:
        fate = "go along" if include_orphans else "are held"
        out.print(table(f"Orphans, which {fate}", ["reason", "type", "communications"], orphans))
    out.print(
        f"{by} approved {found.records + (found.orphans if include_orphans else 0):,} communications for portal {portal_id}. "
        "The approval ends when the data changes.",
        markup=False,
    )
    return 0


def hubspot_setup(*, as_json: bool) -> int:
    """Creates what a portal lacks and says what it guarantees."""
    with session(hubspot=True, quiet=True) as work:
        if work.services.hubspot_is_local:
            seed_local_hubspot(work.database, work.services)
        report = setup(work.database.postgres_url, HubSpotResource().target(), OUTGOING)
    if as_json:
        emit_json(report.to_json())
    else:
        out.print(f"Portal {report.portal_id}, property {report.id_property}:", markup=False)
        for state in report.types.values():
            made = "created" if state.was_created else "there already"
            unique = "unique and enforced" if state.is_unique and state.is_enforced else "not unique"
            out.print(
                f"  {state.object_type}: {made}, {unique}{f' ({state.note})' if state.note else ''}", markup=False
            )
        out.print(report.guarantee, markup=False)
        for warning in report.warnings:
            say(warning)
    return 0
