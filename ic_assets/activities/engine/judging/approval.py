"""What a production push needs beside green gates: a test push of the same payload version, and an approval of exactly
the data that it would send. No Dagster here."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ic_assets.activities.engine.derivatives.payloads import template_fingerprint
from ic_assets.activities.facts.activity_types import ACTIVITY_TYPES, BY_NAME
from ic_assets.core.failures import Refused
from ic_assets.core.settings import Settings
from ic_assets.core.sql import statement
from ic_assets.hubspot.push.approval import Approval
from ic_assets.hubspot.push.scope import Scope

_LONGEST_NAME = 200
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True)
class Fingerprint:
    """``digest`` stands for every payload in the scope; ``orphans`` go along only where the scope includes them."""

    records: int
    orphans: int
    digest: str


def payload_version(settings: Settings) -> str:
    """Changes when a template, its compiler, the id property or the source time zone does: what a test push proves."""
    parts = [template_fingerprint(activity) for activity in ACTIVITY_TYPES]
    text = "\n".join([*parts, settings.hubspot_id_property, settings.source_timezone])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checked_name(name: str) -> str:
    """The name under which somebody approves, without blanks around it. Raises ``Refused`` for one that nobody could be
    asked about afterwards: without two letters, over 200 characters, or with characters that do not show."""
    stripped = name.strip()
    letters = sum(character.isalpha() for character in stripped)
    if letters < 2 or len(stripped) > _LONGEST_NAME or any(unicodedata.category(c) in _NOT_SHOWN for c in stripped):
        raise Refused(
            f"{name[:40]!r} is not the name of a person who approves: at least two letters, at most {_LONGEST_NAME} "
            "characters, all of them visible"
        )
    return stripped


def fingerprint(connection: psycopg.Connection, scope: Scope) -> Fingerprint:
    """The scope's payloads as they stand now. The same while a push makes its way, another when any payload changes."""
    window: dict[str, Any] = {"window_start": None, "window_end": None}
    bounds = _bounds(scope)
    if scope.months:
        window = scope.months.parameters
    records = orphans = 0
    covered = [sorted(scope.types), bounds, scope.include_orphans, *(["overwrite"] if scope.overwrite_edits else [])]
    digest = hashlib.sha256(repr(tuple(covered)).encode())
    for name in sorted(scope.types):
        query = statement("activities/approval/fingerprint", table=sql.Identifier(BY_NAME[name].table))
        row = connection.execute(query, {**window, "activity_type": name}).fetchone() or (0, 0, "0", "0", "0")
        records += row[0]
        orphans += row[1]
        digest.update(repr((name, row[0], row[2], row[4])).encode())
        if scope.include_orphans:
            digest.update(repr((row[1], row[3])).encode())
    return Fingerprint(records, orphans, digest.hexdigest()[:32])


def orphans_by_reason(connection: psycopg.Connection, types: Sequence[str]) -> list[tuple[str, str, int]]:
    """Reason, activity type, communications: what to review before orphans are approved along."""
    return connection.execute(statement("activities/approval/orphans"), {"types": list(types)}).fetchall()


def _bounds(scope: Scope) -> tuple[Any, Any] | None:
    """The first and the last month, as people say them."""
    return (scope.months.start, scope.months.months[-1]) if scope.months else None


def approve(connection: psycopg.Connection, portal_id: int, approved_by: str, scope: Scope) -> Fingerprint:
    """Records that ``approved_by`` lets this data be pushed to this portal. Raises ``Refused`` for a name that is none."""
    approved_by = checked_name(approved_by)
    found = fingerprint(connection, scope)
    first, last = _bounds(scope) or (None, None)
    connection.execute(
        statement("activities/approval/record"),
        {
            "approved_by": approved_by,
            "portal_id": portal_id,
            "types": sorted(scope.types),
            "first_month": first,
            "last_month": last,
            "include_orphans": scope.include_orphans,
            "overwrite_edits": scope.overwrite_edits,
            "records": found.records,
            "orphans": found.orphans,
            "fingerprint": found.digest,
        },
    )
    return found


def approval_of(connection: psycopg.Connection, portal_id: int, scope: Scope) -> Approval | None:
    """The newest approval of exactly the data that stands now, if there is one."""
    row = connection.execute(
        statement("activities/approval/find"),
        {"portal_id": portal_id, "fingerprint": fingerprint(connection, scope).digest},
    ).fetchone()
    return Approval(*row) if row else None


def require(
    connection: psycopg.Connection, portal_id: int, scope: Scope, settings: Settings, approved_by: str | None
) -> Approval:
    """The approval of a production push; with ``approved_by`` it is recorded now.

    Raises ``Refused`` when the payload version has not had a successful test push on this portal, or when nobody
    approved the data as it stands now."""
    if not _was_tested(connection, portal_id, payload_version(settings)):
        raise Refused(
            f"portal {portal_id} has had no successful test push of these payloads; run `ic-assets push --mode test` first"
        )
    if approved_by is not None:
        approve(connection, portal_id, approved_by, scope)
    found = approval_of(connection, portal_id, scope)
    if found is None:
        raise Refused(
            "nobody approved this data as it stands now (an approval ends when the data changes); "
            "run `ic-assets approve --by NAME`, or add --approved-by NAME to the push"
        )
    return found


def _was_tested(connection: psycopg.Connection, portal_id: int, version: str) -> bool:
    # One that found nothing to look at proves nothing.
    row = connection.execute(
        "SELECT 1 FROM hubspot.push_run WHERE portal_id = %s AND mode = 'test' AND result = 'done'"
        " AND options ->> 'payload_version' = %s AND (counts ->> 'rejected')::bigint = 0"
        " AND (counts ->> 'unknown')::bigint = 0"
        " AND (counts ->> 'sent')::bigint + (counts ->> 'identical')::bigint > 0 LIMIT 1",
        (portal_id, version),
    ).fetchone()
    return row is not None
