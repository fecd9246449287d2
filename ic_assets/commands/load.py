"""``ic-assets load``: files in, months up to date, as recorded runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ic_assets.activities.engine.derivatives.payload_versions import older_payloads
from ic_assets.activities.engine.drop.column_map import Names, names_in_force, names_of
from ic_assets.activities.engine.landing.drop_landing import record_refusal
from ic_assets.activities.engine.landing.first_look import drop_key, inspected
from ic_assets.activities.engine.landing.landed import Landed
from ic_assets.activities.engine.staging import classification, slices
from ic_assets.commands.runs import Said, Session, session
from ic_assets.commands.terminal import counted, emit_json, out, say, table
from ic_assets.core import locks
from ic_assets.core.failures import DropRefused, Refused
from ic_assets.core.months import Window, require_known, windows
from ic_assets.core.session import connect as session_of

_COUNTS = ("rows_in", "inserted", "updated", "unchanged", "joined", "rejected", "field_warnings")


@dataclass(frozen=True)
class Brought:
    """What became of the months that were run: how many are up to date now, how many are not, and the blocking checks that
    failed, in sentences."""

    done: int
    late: int
    failed: list[str]

    @property
    def sentence(self) -> str:
        if not self.late:
            return f"{counted(self.done, 'month')} brought up to date."
        done = f"{counted(self.done, 'month')} brought up to date, {self.late:,} not" if self.done else ""
        ran = f"{counted(self.late, 'month')} ran and {'is' if self.late == 1 else 'are'} still out of date"
        why = "a red gate stopped what comes after it" if self.failed else "something changed them meanwhile"
        return f"{done or ran}: {why}."


def load(
    files: Sequence[Path],
    *,
    months: tuple[date, date] | None,
    as_json: bool,
    quiet: bool,
    columns: Path | None = None,
    renew: bool = False,
) -> int:
    """Lands the files in their order and brings the months to the derivatives that are out of date; with ``renew`` also
    those whose payloads other templates made. Without a file it does the latter. Returns the exit code: 1 when a blocking
    check failed. Raises ``Refused``."""
    names = names_of(columns) if columns else names_in_force() if files else ()
    with session(quiet=quiet or as_json) as work:
        require_known(months, work.settings.partitions_start)
        drops, brought, failed, refusal = load_files(work, files, months, names, renew=renew)
        with work.database.transaction() as connection:
            summary = _summary(connection, drops, failed)
            older = older_payloads(connection, work.settings)
        summary |= {"months_brought_up_to_date": brought.done, "months_still_out_of_date": brought.late}
        summary["payloads_older"] = older.payloads if older else 0
    if as_json and (drops or not refusal):
        emit_json(summary)
    else:
        if drops:
            _show(summary)
        if brought.done or brought.late:
            out.print(brought.sentence)
        elif not refusal:
            out.print("Every month is up to date.")
    if older:
        say(older.sentence)
    for sentence in failed:
        say(f"FAILED {sentence}")
    if refusal:
        raise Refused(f"{refusal}{_landed_before(drops)}")
    return 1 if failed else 0


def load_files(
    work: Session,
    files: Sequence[Path],
    months: tuple[date, date] | None = None,
    names: Names = (),
    *,
    renew: bool = False,
) -> tuple[list[Landed], Brought, list[str], Refused | None]:
    """What landed, what became of the months, the blocking checks that failed, and what refused a file. What landed
    before a refused file is complete in itself and goes on to the derivatives; the files after it are left alone."""
    drops: list[Landed] = []
    refusal: Refused | None = None
    failed: list[str] = []
    with _sensors_hold_still(work):
        for file in files:
            try:
                landed, of_landing = _land(work, file.absolute(), names)
            except Refused as refused:
                refusal = refused
                break
            drops.append(landed)
            failed += of_landing
        brought = bring_up_to_date(work, months, renew=renew)
        return drops, brought, failed + brought.failed, refusal


def _landed_before(drops: Sequence[Landed]) -> str:
    return f" (the {len(drops)} files before it are loaded)" if drops else ""


def _land(work: Session, file: Path, names: Names) -> tuple[Landed, list[str]]:
    """What became of the file, and the blocking checks that failed."""
    from ic_assets.activities.partitions import csv_drops  # with the months that the database keeps

    try:
        key = drop_key(file, inspected(file, work.settings.encoding, names).content_sha256)
    except DropRefused as refusal:
        with work.database.transaction() as connection:
            record_refusal(connection, file, refusal)
        raise
    work.instance.add_dynamic_partitions(csv_drops.name or "", [key])
    outcome, outcomes = work.run("land_drop", partition_key=key, said=Said(file, names))
    landed = next(outcome for outcome in outcomes if isinstance(outcome, Landed))
    if landed.already_landed:
        say(f"{file.name}: the same content has landed before as {landed.drop_key}; nothing is loaded again.")
    if landed.words or landed.encoding not in (None, "utf-8"):
        say(
            f"{file.name}: read as {landed.read_as}; if that is wrong, `ic-assets settings set IC_ENCODING NAME` and load it "
            "again."
        )
    if landed.missing_columns:
        missing = ", ".join(landed.missing_columns)
        say(
            f"{file.name}: lacks columns {missing}; they are empty in new rows, and keep their values in those it updates"
        )
    if landed.unknown_columns:
        say(f"{file.name}: has unknown columns {', '.join(landed.unknown_columns)}; they are not loaded")
    return landed, outcome.failed_checks


def bring_up_to_date(work: Session, months: tuple[date, date] | None = None, *, renew: bool = False) -> Brought:
    """Runs the months that are out of date, those from ``months[0]`` to ``months[1]``, and with ``renew`` those whose
    payloads other templates made, near ones together."""
    with work.database.transaction() as connection:
        classification.sync_classification(connection)
        if problem := classification.problem(connection):
            say(problem)
        waiting = {month for month, _, _ in slices.out_of_date(connection)}
        if renew and (older := older_payloads(connection, work.settings)):
            waiting |= set(older.months)
    if months:
        waiting |= set(Window.of(*months).months)
    parts = windows(waiting)
    failed: list[str] = []
    for number, window in enumerate(parts, 1):
        first, last = f"{window.start:%Y-%m}", f"{window.months[-1]:%Y-%m}"
        span = f"month {first}" if first == last else f"months {first} to {last}"
        turn = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        outcome, _ = work.run("bring_months_up_to_date", window=window, title=f"{span}{turn}")
        failed = outcome.failed_checks or failed
    with work.database.transaction() as connection:
        late = waiting & {month for month, _, _ in slices.out_of_date(connection)}
    return Brought(len(waiting) - len(late), len(late), failed)


@contextmanager
def _sensors_hold_still(work: Session) -> Iterator[None]:
    """A daemon that runs beside this command would start the same months."""
    # A lock of the session: a transaction would stand idle for as long as the load takes.
    with session_of(work.database.postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (locks.LOAD,))
        yield


def _summary(connection: Any, drops: Sequence[Landed], failed: Sequence[str]) -> dict[str, Any]:
    """The figures of each drop and in all. Warnings are counted now: derivatives add theirs."""
    warnings = dict(
        connection.execute(
            "SELECT drop_key, count(*) FROM staging.ic_field_warning WHERE drop_key = ANY(%s) GROUP BY 1",
            ([drop.drop_key for drop in drops],),
        ).fetchall()
    )
    rows = [
        {**drop.to_json(), "field_warnings": 0 if drop.already_landed else warnings.get(drop.drop_key, 0)}
        for drop in drops
    ]
    by_reason: dict[str, int] = {}
    for row in rows:
        for reason, count in row["rejected_by_reason"].items():
            by_reason[reason] = by_reason.get(reason, 0) + count
    return {
        **{name: sum(row[name] for row in rows) for name in _COUNTS},
        "rejected_by_reason": by_reason,
        "months": sorted({month for row in rows for month in row["months"]}),
        "drops": rows,
        "failed_checks": list(failed),
    }


def _show(summary: dict[str, Any]) -> None:
    rows = [[row["file"], *(row[name] for name in _COUNTS), _span(row["months"])] for row in summary["drops"]]
    out.print(table("Loaded", ["file", *(name.replace("_", " ") for name in _COUNTS), "months"], rows))
    if summary["rejected_by_reason"]:
        reasons = sorted(summary["rejected_by_reason"].items(), key=lambda item: -item[1])
        out.print(table("Rejected", ["reason", "rows"], reasons))


def _span(months: Sequence[str]) -> str:
    if not months:
        return "none"
    if len(months) == 1:
        return months[0][:7]
    return f"{len(months)}: {months[0][:7]} to {months[-1][:7]}"
