"""Lands one drop: its rows, the fate of each, its rejects and warnings, in one transaction under one lock.

The fate is decided here once, in the order in which drops arrive; the master only applies it. Killed at any moment, the
transaction leaves nothing behind.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ic_assets.activities.engine.drop import drop_folder
from ic_assets.activities.engine.drop.csv_drop import DropReader, raw_rows, read
from ic_assets.activities.engine.drop.drop_file import Identity
from ic_assets.activities.engine.drop.drop_folder import file_name
from ic_assets.activities.engine.drop.drop_info import DropInfo, FieldWarning, Reject, Slashes
from ic_assets.activities.engine.drop.drop_trouble import Examples, trouble
from ic_assets.activities.engine.landing.first_look import drop_key, inspected
from ic_assets.activities.engine.landing.landed import Landed, Progress
from ic_assets.activities.engine.landing.landing_fates import Fates, decide
from ic_assets.activities.engine.landing.spool import Spool
from ic_assets.activities.engine.staging import refill
from ic_assets.activities.engine.staging.slices import mark_changed, wait_for_turn
from ic_assets.activities.engine.staging.stages import analyze
from ic_assets.activities.facts.contract import COLUMNS
from ic_assets.core import kept_settings
from ic_assets.core.failures import DropRefused
from ic_assets.core.months import at_midnight, partitions_end
from ic_assets.core.settings import Settings
from ic_assets.core.sql import column_list, statement
from ic_assets.resources.postgres import Database

# COPY text that waits for the COPY of the plain rows to end.
_TEXT_BYTES = 4 * 1024 * 1024
_TABLE = "ic_communication_landing"
# About as many rows as refill.REFILL_FROM_ROWS; how many there are is known only in the end.
_REFILL_FROM_BYTES = 8_000_000


def record_refusal(connection: psycopg.Connection, path: Path, refusal: DropRefused) -> None:
    """Puts a file on record that was refused before it was known what it holds. One and the same file is counted once."""
    try:
        status = path.stat()
        seen = f"{path.name} {status.st_size} {status.st_mtime_ns}"
    except OSError:
        return  # there is no such file
    digest = hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()
    nothing = DropInfo(digest, status.st_size, "", "", {}, 0, 0, (), (), Identity(0, 0, 0))
    _record_refusal(connection, {**_description(path, nothing, drop_key(path, digest)), "reading": None}, refusal)


def _record_refusal(connection: psycopg.Connection, description: dict[str, Any], refusal: DropRefused) -> None:
    connection.execute(
        statement("activities/landing/refuse"),
        {**description, "error_message": str(refusal).encode("utf-8", "backslashreplace").decode()},
    )


def land(
    database: Database,
    settings: Settings,
    path: Path,
    *,
    info: DropInfo | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Landed:
    """Lands the drop at ``path``, or finds that its content has landed before.

    Raises ``DropRefused`` when the file as a whole cannot be loaded; nothing of it is then, and the drop is on record
    as refused.
    """
    info = info or inspected(path, settings.encoding)
    key = drop_key(path, info.content_sha256)

    def once(connection: psycopg.Connection) -> Landed:
        wait_for_turn(connection)
        kept_settings.require(connection, settings)
        before = drop_folder.landed_before(connection, info.content_sha256, info.read_under(settings.reading))
        landed = (
            Landed(before, file_name(path), already_landed=True)
            if before
            else _Landing(connection, settings, path, info, key, progress).run()
        )
        drop_folder.remember(connection, file_name(path), info.identity, drop_key=key, is_settled=True)
        return landed

    try:
        return database.repeated("landing", once)
    except DropRefused as refusal:
        with database.transaction() as connection:
            _record_refusal(
                connection, {**_description(path, info, key), "reading": info.read_under(settings.reading)}, refusal
            )
            drop_folder.remember(connection, file_name(path), info.identity, drop_key=key, refused=str(refusal))
        raise


def _description(path: Path, info: DropInfo, key: str) -> dict[str, Any]:
    return {
        "drop_key": key,
        "file_name": file_name(path),
        "content_sha256": info.content_sha256,
        "byte_size": info.byte_size,
        "encoding": info.encoding,
        "words": list(info.words),
        "delimiter": info.delimiter,
        "missing_columns": list(info.missing_columns),
        "unknown_columns": list(info.unknown_columns),
    }


class _Landing:
    """The landing of one drop in one transaction."""

    def __init__(
        self,
        connection: psycopg.Connection,
        settings: Settings,
        path: Path,
        info: DropInfo,
        key: str,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.path = path
        self.info = info
        self.key = key
        self.progress = progress or (lambda _: None)
        self.drop_id = 0
        self.rejects = Spool()
        self.warnings = Spool()
        self.deletions = Spool()
        self.reasons: Counter[str] = Counter()
        self.examples = Examples()
        self.slashes = Slashes()
        self.has_unreadable_updates = False

    def run(self) -> Landed:
        self._make_room()
        row = self.connection.execute(
            statement("activities/landing/register"),
            {
                **_description(self.path, self.info, self.key),
                "reading": self.info.read_under(self.settings.reading),
                "columns": self.info.headers,
            },
        ).fetchone()
        assert row is not None  # noqa: S101 - INSERT ... RETURNING gives one row
        self.drop_id = row[0]
        rows_in, accepted = self._copy()
        self._copy_warnings()
        fates = self._decide()
        self._keep_rejects(fates)
        field_warnings = self._keep_warnings()
        months, first_date, last_date = self._months(fates.old_months)
        mark_changed(self.connection, months, "landing")
        landed = Landed(
            drop_key=self.key,
            file_name=file_name(self.path),
            rows_in=rows_in,
            inserted=accepted - fates.counts.total(),
            updated=fates.counts["updated"],
            unchanged=fates.counts["unchanged"],
            joined=fates.counts["joined"],
            taken_out=fates.taken_out,
            rejected=self.reasons.total(),
            rejected_by_reason=dict(sorted(self.reasons.items())),
            field_warnings=field_warnings,
            months=tuple(sorted(months)),
            missing_columns=self.info.missing_columns,
            unknown_columns=self.info.unknown_columns,
            encoding=self.info.encoding,
            words=self.info.words,
        )
        if landed.rows_in > landed.rejected:  # what a file was read with of which nothing loads, binds nobody
            kept_settings.keep(self.connection, self.settings)
        found = trouble(self.reasons, rows_in, self.examples, self.slashes)
        self.connection.execute(
            statement("activities/landing/account"),
            {
                "drop_id": self.drop_id,
                "rows_in": landed.rows_in,
                "inserted": landed.inserted,
                "updated": landed.updated,
                "unchanged": landed.unchanged,
                "joined": landed.joined,
                "taken_out": landed.taken_out,
                "rejected": landed.rejected,
                "first_date": first_date,
                "last_date": last_date,
                "months": list(landed.months),
                "trouble": Jsonb(found) if found else None,
            },
        )
        return landed

    def _make_room(self) -> None:
        """Removes what an attempt left that loaded nothing. A drop of the same name and content that was loaded under other
        settings stays, and this one gets another key."""
        self.connection.execute(statement("activities/landing/forget_nothing"), {"drop_key": self.key})
        row = self.connection.execute(
            "SELECT count(*) FROM staging.ic_drop WHERE drop_key = %(key)s OR starts_with(drop_key, %(key)s || '.')",
            {"key": self.key},
        ).fetchone()
        if row and row[0]:
            self.key = f"{self.key}.{row[0] + 1}"

    def _copy(self) -> tuple[int, int]:
        """Copies the readable rows. Returns the rows of the file and those that were copied."""
        reader = read(
            self.path,
            self.info,
            drop_id=self.drop_id,
            source_zone=self.settings.zone,
            date_order=self.settings.date_order,
            first_month=at_midnight(self.settings.partitions_start),
            end=at_midnight(partitions_end()),
            on_reject=self._reject,
            on_warning=self._warn,
            keep_zero_ids=self.settings.keep_zero_ids,
        )
        is_large = self.info.byte_size >= _REFILL_FROM_BYTES
        with refill.refilled(self.connection, _TABLE) if is_large else nullcontext(False) as is_empty:
            self._copy_blocks(reader, freeze=is_empty)
        self.slashes = reader.slashes
        analyze(self.connection, _TABLE, reader.accepted)
        return reader.rows_in, reader.accepted

    def _copy_blocks(self, reader: DropReader, *, freeze: bool) -> None:
        """By turns a COPY of plain rows, and one of what has gathered of the others meanwhile."""
        names = ("drop_id", "line_number")
        in_order = self.info.columns_in_order
        frozen = sql.SQL(", FREEZE" if freeze else "")
        copy_text = sql.SQL("COPY staging.{} ({}) FROM STDIN (FORMAT text{})").format(
            sql.Identifier(_TABLE), column_list((*names, *(column.name for column in COLUMNS))), frozen
        )
        # FORCE_NULL: an empty value is none, quoted or not.
        copy_plain = sql.SQL("COPY staging.{} ({}) FROM STDIN (FORMAT csv, DELIMITER {}, FORCE_NULL ({}){})").format(
            sql.Identifier(_TABLE),
            column_list((*names, *in_order)),
            sql.Literal(self.info.delimiter),
            column_list(in_order),
            frozen,
        )
        blocks = iter(reader)
        for first in blocks:
            others: list[bytes] = []
            with self.connection.cursor() as cursor, cursor.copy(copy_plain) as copy:
                for block in chain((first,), blocks):
                    copy.write(block.plain)
                    others.append(block.text)
                    self.progress(Progress(reader.rows_in, reader.bytes_read, self.info.byte_size))
                    if sum(map(len, others)) >= _TEXT_BYTES:
                        break
            with self.connection.cursor() as cursor, cursor.copy(copy_text) as copy:
                for rows in others:
                    copy.write(rows)

    def _reject(self, reject: Reject) -> None:
        self.reasons[reject.reason] += 1
        self.examples.add(reject)
        if reject.reason == "deleted_in_source":
            self.deletions.add(reject.line_number, reject.comm_communicationid, reject.comm_updateddate)
        self.rejects.add(
            reject.line_number, reject.reason, reject.column_name, reject.comm_communicationid, reject.raw_row
        )

    def _warn(self, warning: FieldWarning) -> None:
        if warning.column_name == "comm_updateddate" and warning.reason == "unreadable":
            self.has_unreadable_updates = True
        self.warnings.add(
            warning.line_number,
            warning.comm_communicationid,
            warning.column_name,
            warning.raw_value,
            warning.reason,
        )

    def _decide(self) -> Fates:
        if deletions := self.reasons["deleted_in_source"]:
            self.connection.execute(
                "CREATE TEMPORARY TABLE incoming_deletion (line_number bigint, comm_communicationid bigint,"
                " comm_updateddate timestamp) ON COMMIT DROP"
            )
            self.deletions.copy_into(self.connection, sql.SQL("incoming_deletion"))
        return decide(
            self.connection,
            self.drop_id,
            self.key,
            self.info,
            has_deletions=deletions > 0,
            has_unreadable_updates=self.has_unreadable_updates,
        )

    def _keep_rejects(self, fates: Fates) -> None:
        """Stale and superseded rows are known only now: a second pass over the file fetches their text."""
        # Those that are superseded are found by their ids, without a look at each row of the drop.
        repeated = "comm_communicationid IN (SELECT again.comm_communicationid FROM ic_repeated AS again)"
        late_rejects = statement(
            "activities/landing/late_rejects", among=sql.SQL(repeated if fates.repeated_only else "TRUE")
        )
        spool = Spool()
        late: list[tuple[int, str, int]] = []
        with self.connection.cursor(name="late_rejects") as cursor:
            cursor.execute(late_rejects, {"drop_id": self.drop_id})

            def lines() -> Iterator[int]:
                for line, reason, communication in cursor:
                    late.append((line, reason, communication))
                    yield line

            for line, raw_row in raw_rows(self.path, self.info, lines()):
                _, reason, communication = late.pop(0)
                self.reasons[reason] += 1
                spool.add(line, reason, None, communication, raw_row)
        target = sql.SQL(
            "staging.ic_rejected_row (drop_key, line_number, reason, column_name, comm_communicationid, raw_row)"
        )
        for rejects in (self.rejects, spool):
            copy_statement = sql.SQL("COPY {} FROM STDIN").format(target)
            with self.connection.cursor() as writer, writer.copy(copy_statement) as copy:
                for row in rejects.rows():
                    copy.write_row((self.key, *row))

    def _copy_warnings(self) -> None:
        self.connection.execute(
            "CREATE TEMPORARY TABLE incoming_warning (line_number bigint, comm_communicationid bigint,"
            " column_name text, raw_value text, reason text) ON COMMIT DROP"
        )
        self.warnings.copy_into(self.connection, sql.SQL("incoming_warning"))

    def _keep_warnings(self) -> int:
        return self.connection.execute(
            statement("activities/landing/keep_warnings"), {"drop_id": self.drop_id, "drop_key": self.key}
        ).rowcount

    def _months(self, old_months: set[date]) -> tuple[set[date], datetime | None, datetime | None]:
        rows = self.connection.execute(statement("activities/landing/months"), {"drop_id": self.drop_id}).fetchall()
        months = {row[0] for row in rows} | old_months
        return months, min((row[1] for row in rows), default=None), max((row[2] for row in rows), default=None)
