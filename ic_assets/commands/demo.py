"""``ic-assets demo``: a sample drop through the whole graph into a local HubSpot."""

import os
import shutil
import sys
import time
from pathlib import Path

from ic_assets.activities.engine.judging.rules import judge
from ic_assets.activities.facts.activity_types import BY_NAME
from ic_assets.commands.load import load_files
from ic_assets.commands.push import run_push
from ic_assets.commands.reconcile import reconcile_one
from ic_assets.commands.runs import Session, session
from ic_assets.commands.terminal import out, table
from ic_assets.core.settings import Settings
from ic_assets.sample import COMMUNICATIONS, COMPANIES, CONTACTS, DEALS

# With these a tour could reach a real database or a real portal.
_IGNORED = ("HUBSPOT_TOKEN", "HUBSPOT_BASE_URL", "IC_POSTGRES_URL", "DAGSTER_HOME")


def demo(*, ui: bool, port: int) -> int:
    """Returns 0, or 1 when a gate is red. May be run again: everything is found in place."""
    ignored = [name for name in _IGNORED if os.environ.pop(name, None)]
    home = Path(os.environ.get("IC_HOME") or ".ic_assets").expanduser().absolute() / "demo"
    os.environ["IC_HOME"] = str(home)
    os.environ.pop("IC_DROP_DIR", None)
    if ignored:
        out.print(f"The demo ignores {', '.join(ignored)}: it keeps to its own database and a local HubSpot.")
    started = time.monotonic()
    out.print("Starting PostgreSQL and a local HubSpot …")
    with session(hubspot=True) as work:
        failed = _tour(work)
        _summary(work, time.monotonic() - started)
        if ui:
            _serve(work, port)
        else:
            # A virtual environment that is not active has its commands out of reach of the bare name.
            command = "ic-assets" if shutil.which("ic-assets") else sys.argv[0]
            out.print(f"\nLook around:   IC_HOME={home} {command} up", markup=False)
    return 1 if failed else 0


def _tour(work: Session) -> list[str]:
    for entity, file in (("contacts", CONTACTS), ("companies", COMPANIES), ("deals", DEALS)):
        out.print(f"Reconciliation: {file.name}")
        reconcile_one(work, entity, file)
    settings = Settings.from_env()
    settings.drop_dir.mkdir(parents=True, exist_ok=True)
    drop = settings.drop_dir / COMMUNICATIONS.name
    if not drop.exists():
        shutil.copyfile(COMMUNICATIONS, drop)
    out.print(f"Landing {drop.name} and bringing its months to the derivatives …")
    _, _, failed, refusal = load_files(work, [drop])
    if refusal:
        raise refusal
    if not failed:
        for mode, what in (("test", "100 records"), ("production", "everything")):
            out.print(f"Pushing {what} to the local HubSpot …")
            config = {"mode": mode, "all_months": True}
            run_push(work, types=list(BY_NAME), months=None, config=config, approved_by="demo")
    out.print("Writing the reports …")
    work.run("refresh_reports")
    return failed


def _summary(work: Session, seconds: float) -> None:
    with work.database.transaction() as connection:
        drop = connection.execute(
            "SELECT rows_in, inserted, updated, unchanged, joined, rejected FROM staging.ic_drop WHERE state = 'landed'"
            " ORDER BY drop_id LIMIT 1"
        ).fetchone() or (0, 0, 0, 0, 0, 0)
        types = connection.execute(
            "SELECT s.activity_type, s.total, s.orphaned, count(l.hubspot_id) FILTER (WHERE l.state = 'pushed')"
            " FROM staging.v_ic_activities_summary AS s LEFT JOIN hubspot.push_ledger AS l"
            " ON l.object_type = s.activity_type AND l.part = 1"
            " AND l.portal_id = (SELECT portal_id FROM hubspot.v_current_portal)"
            " GROUP BY 1, 2, 3 ORDER BY 1"
        ).fetchall()
        verdicts = judge(connection)
    out.print()
    out.print(table("Activities", ["type", "communications", "orphans (held)", "in HubSpot"], types))
    out.print(
        f"{drop[0]:,} rows in the file = {drop[1]:,} inserted + {drop[2]:,} updated + {drop[3]:,} unchanged"
        f" + {drop[4]:,} joined + {drop[5]:,} rejected"
    )
    gates = [verdict for verdict in verdicts if verdict.rule.gate]
    out.print(f"{sum(verdict.passed for verdict in gates)} of {len(gates)} gates are green.")
    for verdict in verdicts:
        if not verdict.passed:
            kind = "red" if verdict.rule.gate else "warning"
            out.print(f"  {kind}: {verdict.rule.on} {verdict.rule.name.replace('_', ' ')}: {verdict.figure}")
    reports = work.settings.home / "reports"
    out.print(f"\nReports:       {reports / 'data_quality.html'}", markup=False)
    out.print(f"               {reports / 'push_completion.html'}", markup=False)
    out.print(f"Took {seconds:.0f} s.")


def _serve(work: Session, port: int) -> None:
    from ic_assets.commands.up import say_that_it_ends
    from ic_assets.resources.dagster_home import serve_ui

    def ready(address: str, link: str) -> None:
        out.print(f"\nDagster's UI:  {address}")
        out.print(f"Open it with:  {link}\n               (works once, then your browser is known)", soft_wrap=True)
        out.print(f"Local HubSpot: {work.services.hubspot_base_url}")
        out.print(f"Drop folder:   {work.settings.drop_dir}", markup=False)
        out.print("Ctrl-C ends it.")

    serve_ui(work.settings, port=port, ready=ready, ending=say_that_it_ends)
