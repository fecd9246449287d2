"""``ic-assets reconcile``: a reconciliation table from a CSV or from HubSpot, or what that would do to the gates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from rich.text import Text

from ic_assets.activities.engine.judging.verdicts import Verdict, percent
from ic_assets.activities.engine.reconciliation import hubspot_matches
from ic_assets.activities.engine.reconciliation.hubspot_matches import Refreshed
from ic_assets.activities.engine.reconciliation.matches import ENTITIES, Entity, Reconciled, WhatIf, reconcile, what_if
from ic_assets.activities.engine.staging import slices
from ic_assets.commands.looking import looking
from ic_assets.commands.terminal import counted, emit_json, out, progress_bars, say, state, table
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings

if TYPE_CHECKING:
    from ic_assets.commands.runs import Session

_LISTED = 10
_PROPERTY = re.compile(r"[a-z][a-z0-9_]*")


def reconcile_file(name: str, file: Path, *, dry: bool, as_json: bool) -> int:
    """Fills a reconciliation table from a CSV and says which months are out of date by it; with ``dry`` it says what that
    would do and returns 1 when a gate of the resolution would be red."""
    if dry:
        settings = Settings.from_env()
        # It holds the file in a temporary table.
        with looking(settings, read_only=False) as connection:
            found = what_if(connection, ENTITIES[name], file, settings.encoding)
            waiting = len(slices.out_of_date(connection))
        if as_json:
            emit_json(found.to_json())
        else:
            _show_what_if(found, waiting)
        return 1 if _stays_red(found) else 0
    from ic_assets.commands.runs import session

    with session(quiet=True) as work:
        done = reconcile_one(work, name, file)
    if as_json:
        emit_json(done.to_json())
    else:
        _say_done(done)
    return 0


def reconcile_from_hubspot(name: str, property_name: str | None, *, dry: bool, as_json: bool, quiet: bool) -> int:
    """The same from the records of the portal that carry a legacy id. Returns 1 also when some were left alone, since
    people must decide about them."""
    from ic_assets.commands.runs import session
    from ic_assets.operations.hubspot_resource import HubSpotResource

    entity = ENTITIES[name]
    property_name = property_name or hubspot_matches.default_property(entity)
    if not _PROPERTY.fullmatch(property_name):
        raise Refused(f"--property {property_name!r} is not a HubSpot property name: small letters, digits and _")
    with session(hubspot=True, quiet=quiet or as_json, looks=dry) as work:
        with progress_bars(work.quiet) as show:
            listing = hubspot_matches.list_matches(
                work.database.postgres_url,
                HubSpotResource().target(),
                entity,
                property_name,
                progress=lambda done, total: show(f"{entity.name} of HubSpot", done, total, "") if show else None,
            )
        found, version, waiting = work.database.repeated(
            "reconciliation",
            lambda connection: (
                hubspot_matches.refresh(connection, entity, listing, dry=dry),
                _version(connection),
                len(slices.out_of_date(connection)),
            ),
        )
        if isinstance(found.outcome, Reconciled):
            _tell_dagster(work, entity, found.outcome, version)
    left_alone = bool(listing.ambiguous or listing.unreadable)
    if as_json:
        emit_json(found.to_json())
    else:
        _say_listing(found)
    if isinstance(found.outcome, Reconciled):
        if not as_json:
            _say_done(found.outcome)
        return 1 if left_alone else 0
    if not as_json:
        _show_what_if(found.outcome, waiting)
    return 1 if left_alone or _stays_red(found.outcome) else 0


def reconcile_one(work: Session, name: str, file: Path) -> Reconciled:
    """Fills a table and tells Dagster, so that what rests on it shows as stale."""
    entity = ENTITIES[name]
    done, version = work.database.repeated(
        "reconciliation",
        lambda connection: (reconcile(connection, entity, file, work.settings.encoding), _version(connection)),
    )
    _tell_dagster(work, entity, done, version)
    return done


def _version(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT last_value FROM staging.ic_change_number").fetchone()
    return int(row[0]) if row else 0


def _tell_dagster(work: Session, entity: Entity, done: Reconciled, version: int) -> None:
    import dagster as dg

    from ic_assets.activities.landing import DATA_VERSION_TAG

    if done.changed:
        work.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                ["staging", entity.table],
                metadata={"rows_in": done.rows_in, "changed": done.changed, "months": len(done.months)},
                tags={DATA_VERSION_TAG: f"{entity.name}-{version}"},
            )
        )


def _say_done(done: Reconciled) -> None:
    out.print(f"{done.entity}: {_change(done)}, {done.without_hubspot_id:,} without a HubSpot id.")
    if done.withdrawn:
        say(f"{counted(done.withdrawn, 'id')} had a HubSpot id and now have none, as the file says.")
    if done.months:
        out.print(
            f"{_months(done, 'refer')} to them; `ic-assets load` brings them up to date, a running daemon by itself."
        )


def _change(done: Reconciled) -> str:
    kinds = {"matched": done.matched, "moved to another record": done.moved, "withdrawn": done.withdrawn}
    detail = ", ".join(f"{count:,} {what}" for what, count in kinds.items() if count)
    return f"{done.rows_in:,} ids, {done.changed:,} of them changed" + (f" ({detail})" if detail else "")


def _months(done: Reconciled, verb: str) -> str:
    first, last = f"{done.months[0]:%Y-%m}", f"{done.months[-1]:%Y-%m}"
    span = first if len(done.months) == 1 else f"{first} to {last}"
    return f"{counted(len(done.months), 'month')} ({span}) {verb if len(done.months) > 1 else f'{verb}s'}"


def _stays_red(found: WhatIf) -> bool:
    return not all(gate.then.passed for gate in found.gates)


def _show_what_if(found: WhatIf, waiting: int) -> None:
    done = found.reconciled
    out.print(f"{done.entity}: {_change(done)}. Nothing was written.")
    rows = [
        [
            gate.now.rule.name.replace("_", " "),
            gate.now.checked,
            *_figure(gate.now),
            *_figure(gate.then),
            "less than 5 %" if gate.now.rule.name == "orphans" else "more than 95 %",
        ]
        for gate in found.gates
    ]
    out.print(table("The gates", ["gate", "judged", "now", "", "then", "", "must be"], rows))
    if done.months:
        out.print(f"{_months(done, 'need')} `ic-assets load` after that.")
    if waiting:
        say(
            f"{counted(waiting, 'month')} wait for `ic-assets load` already; `then` counts what it would bring as well."
        )


def _figure(verdict: Verdict) -> tuple[str, Text]:
    """The share that the gate is about (resolved references, or the orphans themselves) and its state."""
    if not verdict.checked:
        return "nothing to judge", state(True)
    counts = verdict.failing if verdict.rule.name == "orphans" else verdict.checked - verdict.failing
    return percent(counts, verdict.checked), state(verdict.passed)


def _say_listing(found: Refreshed) -> None:
    listing = found.listing
    out.print(
        f"Portal {listing.portal_id}: {listing.records:,} {listing.entity} listed, {listing.carrying:,} of them carry a "
        f"legacy id in {listing.property_name}."
    )
    if listing.records and not listing.carrying and not listing.unreadable:
        say("None of them has a value there: is it the right property? `--property NAME` names another.")
    if found.kept:
        out.print(f"{counted(found.kept, 'match', 'matches')} of the table that no record carries stay as they are.")
    ambiguous = listing.ambiguous
    if ambiguous:
        say(f"{counted(len(ambiguous), 'legacy id')} left alone, since several records carry the same one:")
        for legacy, ids in list(ambiguous.items())[:_LISTED]:
            say(f"  {legacy}: records {', '.join(map(str, ids))}")
    if listing.unreadable:
        shown = ", ".join(map(str, sorted(listing.unreadable)[:_LISTED]))
        say(f"{counted(len(listing.unreadable), 'record')} left alone, since the value is no whole number: {shown}")
    if len(ambiguous) > _LISTED or len(listing.unreadable) > _LISTED:
        say("`--json` lists all of them.")
