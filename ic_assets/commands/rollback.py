"""``ic-assets rollback``: the plan's roll-backs. Those of staging leave HubSpot and the ledger alone, and say so while
records stand there; that of a push changes HubSpot only."""

from collections.abc import Sequence
from datetime import date

import psycopg
from psycopg.types.json import Jsonb

from ic_assets.activities.engine.staging import drop_rollback
from ic_assets.activities.engine.staging import rollback as engine
from ic_assets.activities.engine.staging.drop_rollback import DropTakenBack
from ic_assets.activities.facts.outgoing import OUTGOING
from ic_assets.commands.runs import session
from ic_assets.commands.terminal import agreed, counted, emit_json, err, out, say, table
from ic_assets.core import schema
from ic_assets.core.failures import Refused
from ic_assets.core.months import Window, require_known
from ic_assets.hubspot.push import rollback as push_rollback
from ic_assets.hubspot.push.rollback import RollbackResult, RollbackSelection
from ic_assets.operations.hubspot_resource import HubSpotResource


def rollback(scope: str, months: tuple[date, date] | None, *, yes: bool, as_json: bool = False) -> int:
    """Shows what would go, asks, and removes it. Raises ``Refused`` when the answer is no, and for the schema while
    records stand in HubSpot."""
    window = Window.of(*months) if months else None
    with session(quiet=True) as work:
        require_known(months, work.settings.partitions_start)
        with work.database.transaction() as connection:
            standing = engine.records_in_hubspot(connection)
            counts = engine.counts(connection, scope, window)
            if scope == "schema":
                engine.refuse_schema(connection)
        for name, count in counts.items():
            (err if as_json else out).print(f"{name}: {counted(count, 'row')}", markup=False)
        if standing:
            say(
                f"{standing:,} records stand in HubSpot. They stay there and in the ledger: loaded again, the same "
                "communications are recognised and not created twice."
            )
        if not yes and not agreed(f"Roll back {scope}?"):
            raise Refused("nothing was rolled back; add --yes to roll back without being asked")
        if scope == "schema":
            work.database.close()
            schema.downgrade(work.services.postgres_url, engine.refuse_schema)
        else:
            counts = work.database.repeated(f"roll-back of {scope}", lambda c: _rolled_back(c, scope, window))
    if as_json:
        emit_json({"scope": scope, "removed": counts, "records_in_hubspot": standing})
    else:
        out.print(f"Rolled back: {scope}.")
    return 0


def _rolled_back(connection: psycopg.Connection, scope: str, window: Window | None) -> dict[str, int]:
    removed = engine.rollback(connection, scope, window)
    connection.execute("INSERT INTO staging.ic_rollback (scope, removed) VALUES (%s, %s)", (scope, Jsonb(removed)))
    return removed


def rollback_drop(name: str, *, yes: bool, as_json: bool) -> int:
    """Shows what taking one drop back would do, asks, and does it. Returns 0. Raises ``Refused`` when the answer is no, and
    beside later drops that build on it."""
    with session(quiet=True) as work:
        with work.database.transaction() as connection, connection.transaction(force_rollback=True):
            found = drop_rollback.take_back(connection, name)
        if not as_json:
            _show_drop(found)
        if not yes and not agreed(f"Roll back drop {found.drop_key}?"):
            raise Refused("nothing was rolled back; add --yes to roll back without being asked")
        key = found.drop_key
        found = work.database.repeated("roll-back of a drop", lambda c: drop_rollback.take_back(c, key))
    if as_json:
        emit_json(vars(found))
        return 0
    out.print(
        f"Rolled back: {found.drop_key}. `ic-assets load` brings {counted(len(found.months), 'month')} up to date.",
        markup=False,
    )
    for portal, ids in found.in_hubspot.items():
        say(
            f"{counted(len(ids), 'communication')} that came with it still have records in portal {portal}, which no push "
            f"removes: `ic-assets rollback push --ids {','.join(map(str, ids[:_MOST_IDS]))}`{_and_more(len(ids), _MOST_IDS)}"
        )
    say("Loaded again, the file is a new drop. One that lies in the drop folder is not picked up by itself: touch it.")
    return 0


_MOST_IDS = 20


def _and_more(count: int, shown: int) -> str:
    return f" and {count - shown:,} more" if count > shown else ""


def _show_drop(found: DropTakenBack) -> None:
    for name, count in found.removed.items():
        if count:
            out.print(f"{name}: {counted(count, 'row')}", markup=False)
    out.print(
        f"{counted(found.brought_back, 'communication')} stand again as before the drop; {found.gone:,} leave the master"
        + (f", {found.deleted_again:,} of them since an earlier drop had deleted them" if found.deleted_again else "")
        + f"; {counted(len(found.months), 'month')} to bring up to date."
    )


def rollback_push(
    *,
    run_id: str | None,
    types: Sequence[str],
    months: tuple[date, date] | None,
    ids: Sequence[str],
    everything: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Looks at every record first, shows what would be archived and what not and why, asks, and archives. Returns 1 when
    HubSpot refused some or the roll-back stopped early. Raises ``Refused`` for bad arguments, without a scope, and when
    the answer is no."""
    what = _scope(run_id, types, months, ids, everything)
    selection = RollbackSelection(run_id, types or None, months, _numbers(ids))
    with session(hubspot=True, quiet=True) as work:
        target = HubSpotResource().target()
        found = push_rollback.rollback(work.database.postgres_url, target, OUTGOING, selection, dry_run=True)
        if found.stopped_reason:
            raise Refused(f"nothing was rolled back: {found.stopped_reason}")
        if not as_json:
            _show(found)
        if found.archived + found.already_gone + found.taken_over:
            if not yes and not agreed(f"Roll back in portal {found.portal_id}: {what}?"):
                raise Refused("nothing was rolled back; add --yes to roll back without being asked")
            found = push_rollback.rollback(work.database.postgres_url, target, OUTGOING, selection, dry_run=False)
            if not as_json:
                _show(found)
    if as_json:
        emit_json(vars(found))
    elif found.archived and not found.dry_run:
        say("The communications stay in staging: a push creates them anew.")
    return 1 if found.failed or found.stopped_reason else 0


def _scope(
    run_id: str | None,
    types: Sequence[str],
    months: tuple[date, date] | None,
    ids: Sequence[str],
    everything: bool,
) -> str:
    """What is to be taken back, in words for the question. Raises ``Refused`` when nobody said."""
    parts = [
        *([f"what push {run_id} created"] if run_id else []),
        *([f"types {', '.join(types)}"] if types else []),
        *([f"months {months[0]:%Y-%m} to {months[1]:%Y-%m}"] if months else []),
        *([f"{counted(len(ids), 'communication')} by id"] if ids else []),
    ]
    if everything and parts:
        raise Refused(f"--all is everything that was ever pushed; leave it out to take back {'; '.join(parts)}")
    if not everything and not parts:
        raise Refused(
            "say what to take back: --run RUN (what one push created), --types, --months, --ids, or --all for everything "
            "that was ever pushed to this portal"
        )
    return "; ".join(parts) or "everything that was ever pushed to it"


def _show(found: RollbackResult) -> None:
    figures = {
        "would be archived" if found.dry_run else "archived": found.archived,
        "held back": found.held_back,
        "already gone": found.already_gone,
        **({} if found.dry_run else {"failed": found.failed}),
    }
    out.print(table(f"Records in portal {found.portal_id}", list(figures), [list(figures.values())]))
    for reason, count in sorted(found.held_back_by_reason.items(), key=lambda item: -item[1]):
        out.print(f"held back {count:,} times: {reason}", markup=False)
    for one in found.held[:_MOST_IDS]:
        out.print(
            f"held back: {one['type']} {one['communication']} (HubSpot id {one['hubspot_id']}): {one['reason']}",
            markup=False,
        )
    if found.held_back > _MOST_IDS:
        out.print(f"… and {found.held_back - _MOST_IDS:,} more; --json names up to {len(found.held)}.")
    for reason, count in sorted(found.failed_by_reason.items(), key=lambda item: -item[1]):
        out.print(f"failed {count:,} times: {reason}", markup=False)
    if found.taken_over:
        in_hand = f"{counted(found.taken_over, 'record')} in the hands of a push or roll-back that was broken off"
        say(f"{in_hand} {'will be looked up first' if found.dry_run else 'were looked up and are among these'}.")
    if found.stopped_reason:
        say(f"Stopped: {found.stopped_reason}")


def _numbers(ids: Sequence[str]) -> list[int] | None:
    wrong = [text for text in ids if not (text.isascii() and text.isdigit() and len(text) < 19)]
    if wrong:
        raise Refused(f"--ids: {wrong[0]!r} is not a communication id; write numbers separated by commas, 12,13")
    return [int(text) for text in ids] or None
