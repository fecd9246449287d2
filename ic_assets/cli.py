"""The command line ``ic-assets``: its commands and their arguments. What they do is in ``ic_assets.commands``, imported
when one is called, so that ``--help`` is instant; how a command ends is ``cli_ending``'s business."""

import gc
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from ic_assets.cli_ending import ended, ready_to_speak
from ic_assets.cli_inbox import events_app
from ic_assets.cli_looking import looking_app
from ic_assets.cli_options import (
    App,
    Diagram,
    Entity,
    Full,
    Json,
    Mode,
    Months,
    OverwriteEdits,
    Port,
    Quiet,
    Types,
    completed_months,
    show_version,
    split,
)
from ic_assets.cli_payments import payments_app
from ic_assets.cli_rollback import rollback_app
from ic_assets.cli_settings import keeping_app, settings_app

app = App(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Moves a legacy CRM's communications into HubSpot, exactly once. Start with: ic-assets demo",
)
hubspot_app = App(no_args_is_help=True, help="What a HubSpot portal needs before the first push.")
app.add_typer(hubspot_app, name="hubspot")
app.add_typer(rollback_app, name="rollback")
app.add_typer(settings_app, name="settings")
app.add_typer(looking_app)
app.add_typer(keeping_app)
app.add_typer(events_app)
app.add_typer(payments_app)


@app.callback()
def ic_assets(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=show_version)
    ] = False,
) -> None: ...


@app.command()
def demo(
    ui: Annotated[bool, typer.Option("--ui/--no-ui", help="Serve Dagster's UI at the end (in a terminal).")] = True,
    port: Port = 3000,
) -> None:
    """The tour: a sample drop through the whole graph into a local HubSpot. Never reaches a real portal."""
    from ic_assets.commands.demo import demo as run

    raise typer.Exit(run(ui=ui and sys.stdout.isatty(), port=port))


@app.command()
def up(
    port: Port = 3000,
    link: Annotated[
        bool, typer.Option("--link", help="Only print a new link that lets a browser into the UI that runs already.")
    ] = False,
) -> None:
    """Serve Dagster's UI and daemon, with everything they need, until Ctrl-C."""
    from ic_assets.commands.up import up as run

    raise typer.Exit(run(port=port, link=link))


@app.command()
def load(
    files: Annotated[
        list[Path] | None,
        # Ours to refuse, in one line; typer takes six.
        typer.Argument(help="CSV or CSV.GZ drops, taken in this order.", readable=False),
    ] = None,
    months: Annotated[
        str | None,
        typer.Option(help="Run these months again too, 2019-03 or 2019-03:2019-08.", autocompletion=completed_months),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Run the months again too whose payloads were made with other templates.")
    ] = False,
    columns: Annotated[
        Path | None,
        typer.Option(
            help="CSV theirs,ours: their names of our columns; $IC_HOME/columns.csv by default.", readable=False
        ),
    ] = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Write nothing; show how one file would be read and what it would become.")
    ] = False,
    full: Full = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Land drops and bring their months to the derivatives. Without a file: bring all months up to date."""
    from ic_assets.activities.engine.landing.first_look import look_ahead

    if what_if:
        from ic_assets.commands.load_what_if import load_what_if

        if len(files or []) != 1 or months or renew:
            raise typer.BadParameter("--what-if wants one FILE, and neither --months nor --renew.")
        raise typer.Exit(load_what_if((files or [])[0], columns, full=full, as_json=as_json))
    if files:
        look_ahead(files[0].absolute(), columns)
    from ic_assets.commands.load import load as run
    from ic_assets.core.months import parse_months

    wanted = parse_months(months) if months else None
    raise typer.Exit(run(files or [], months=wanted, renew=renew, as_json=as_json, quiet=quiet, columns=columns))


@app.command()
def classify(
    file: Annotated[Path, typer.Argument(help="A CSV or CSV.GZ drop.", readable=False)],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")] = False,
    columns: Annotated[
        Path | None, typer.Option(help="As load takes it; $IC_HOME/columns.csv by default.", readable=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Load nothing; show each type, action and status of a drop, how often it occurs and what it would become."""
    from ic_assets.commands.classify import classify as run

    if as_csv and as_json:
        raise typer.BadParameter("--csv or --json, one of the two.")
    raise typer.Exit(run(file, as_csv=as_csv, as_json=as_json, columns=columns))


@app.command()
def reconcile(
    entity: Annotated[Entity, typer.Argument(help="Which table.")],
    file: Annotated[
        Path | None, typer.Argument(help="CSV with legacy_id,hubspot_id[,name,email].", readable=False)
    ] = None,
    from_hubspot: Annotated[
        bool, typer.Option("--from-hubspot", help="Instead of a file: the records of HubSpot that carry a legacy id.")
    ] = False,
    hubspot_property: Annotated[
        str | None,
        typer.Option("--property", help="Their property with the legacy id; legacy_contact_id and so on by default."),
    ] = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Write nothing; show the gates as they are and as they would be.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill a reconciliation table: legacy id to HubSpot id. An empty hubspot_id says: known, not in HubSpot."""
    from ic_assets.commands.reconcile import reconcile_file, reconcile_from_hubspot

    if from_hubspot == (file is not None):
        raise typer.BadParameter("name a FILE or --from-hubspot, one of the two.")
    if hubspot_property and not from_hubspot:
        raise typer.BadParameter("--property goes with --from-hubspot.")
    if file is not None:
        raise typer.Exit(reconcile_file(entity.value, file, dry=what_if, as_json=as_json))
    raise typer.Exit(reconcile_from_hubspot(entity.value, hubspot_property, dry=what_if, as_json=as_json, quiet=quiet))


@app.command()
def push(
    types: Types = None,
    months: Months = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many records.")] = None,
    include_orphans: Annotated[bool, typer.Option("--include-orphans", help="Also push orphans.")] = False,
    overwrite_edits: OverwriteEdits = False,
    mode: Annotated[Mode, typer.Option(help="dry-run only looks; test pushes 100 records.")] = Mode.dry_run,
    approved_by: Annotated[str | None, typer.Option(help="Who approved a production push.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Push what is ready to HubSpot. By default a dry run: it says what it would do and writes nothing."""
    from ic_assets.commands.push import push as run
    from ic_assets.core.months import parse_months

    raise typer.Exit(
        run(
            types=split(types),
            months=parse_months(months) if months else None,
            limit=limit,
            include_orphans=include_orphans,
            overwrite_edits=overwrite_edits,
            mode=mode.value,
            approved_by=approved_by,
            as_json=as_json,
            quiet=quiet,
        )
    )


@app.command()
def approve(
    by: Annotated[str, typer.Option(help="Who approves.")],
    types: Types = None,
    months: Months = None,
    include_orphans: Annotated[bool, typer.Option("--include-orphans", help="Orphans may go along.")] = False,
    overwrite_edits: OverwriteEdits = False,
    as_json: Json = False,
) -> None:
    """Record ahead that a production push may send what stands now. Ends when the data changes."""
    from ic_assets.commands.push import approve as run
    from ic_assets.core.months import parse_months

    raise typer.Exit(
        run(
            by=by,
            types=split(types),
            months=parse_months(months) if months else None,
            include_orphans=include_orphans,
            overwrite_edits=overwrite_edits,
            as_json=as_json,
        )
    )


@hubspot_app.command("setup")
def hubspot_setup(as_json: Json = False) -> None:
    """Create the unique property on the seven object types and say what the portal guarantees."""
    from ic_assets.commands.push import hubspot_setup as run

    raise typer.Exit(run(as_json=as_json))


@hubspot_app.command("budget")
def hubspot_budget(
    reset: Annotated[bool, typer.Option("--reset", help="Forget the limits and pauses that HubSpot told.")] = False,
    as_json: Json = False,
) -> None:
    """What holds requests to HubSpot back now: our pace, HubSpot's own, pauses, what is left of the day."""
    from ic_assets.commands.budget import budget as run

    raise typer.Exit(run(reset=reset, as_json=as_json))


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="Folder; $IC_HOME/reports by default.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also data_quality_full.html, with sampled values in full: personal data.")
    ] = False,
) -> None:
    """Write the data quality and push completion reports, as Markdown and HTML."""
    from ic_assets.commands.report import report as run

    raise typer.Exit(run(out, full=full))


@app.command()
def status(as_json: Json = False) -> None:
    """What is loaded, what is out of date, which gates are red, what stands in HubSpot."""
    from ic_assets.commands.status import status as run

    raise typer.Exit(run(as_json=as_json))


@app.command()
def erd(
    form: Annotated[Diagram, typer.Option("--format", help="graphml opens in yEd.")] = Diagram.mermaid,
    out: Annotated[Path | None, typer.Option(help="File; standard output by default.")] = None,
) -> None:
    """Draw the tables of the database with their columns, keys and references."""
    from ic_assets.commands.erd import erd as run

    raise typer.Exit(run(form.value, out))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Find and explain what is wrong with the installation, the database or the HubSpot access. Changes nothing."""
    from ic_assets.commands.doctor.doctor import doctor as run

    raise typer.Exit(run(as_json=as_json))


@app.command()
def receive(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="IC_RECEIVE_PORT, 3100, by default; 0 for any free one.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="IC_RECEIVE_HOST, this machine alone, by default.")] = None,
) -> None:
    """Take webhooks (Chargebee, HubSpot, the site and others) into the inbox, until Ctrl-C."""
    from ic_assets.commands.receive import receive as run

    raise typer.Exit(run(host=host, port=port))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8089,
    chaos: Annotated[str | None, typer.Option(help="Misbehaviour, e.g. seed=7,latency=200,lost_reply=0.02.")] = None,
    unique_on_activities: Annotated[
        str, typer.Option(help="accepted or refused: whether activities may have unique properties.")
    ] = "accepted",
) -> None:
    """Serve a local HubSpot of its own, with the misbehaviour you ask for, until Ctrl-C."""
    from ic_assets.commands.up import sandbox as run

    raise typer.Exit(run(port=port, chaos=chaos, unique_on_activities=unique_on_activities))


def main() -> None:
    """Exit codes: 0 done; 1 done, and a blocking check or some records failed; 2 refused, with one line that says why."""
    ready_to_speak()
    # Python's own answer to SIGTERM skips the clean-up, and the services would stay up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Imports make objects that stay: looking them through after each 700 takes half a second of Dagster's start.
    gc.set_threshold(50_000, 20, 100)
    sys.exit(ended(lambda: app(standalone_mode=False) or 0))


if __name__ == "__main__":
    main()
