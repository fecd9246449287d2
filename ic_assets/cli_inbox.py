"""The commands of the inbox: what came in from outside. ``ic_assets.cli`` takes them in."""

from pathlib import Path
from typing import Annotated

import typer

from ic_assets.cli_options import App, Full, Json, Quiet

events_app = App()
inbox_app = App(no_args_is_help=True, help="What came in: what waits, what was set aside and why, and the way back.")
events_app.add_typer(inbox_app, name="inbox")

Source = Annotated[str | None, typer.Option(help="Only of this source.")]


@events_app.command("load-events")
def load_events(
    door: Annotated[str, typer.Argument(help="The door: chargebee, hubspot, site, …")],
    files: Annotated[
        list[Path], typer.Argument(help="JSON Lines or CSV, also .gz, taken in this order.", readable=False)
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring files of events into the inbox: history and back-fills. A file that is loaded again changes nothing."""
    from ic_assets.commands.load_events import load_events as run

    raise typer.Exit(run(door, files, as_json=as_json, quiet=quiet))


@events_app.command()
def replay(
    flow: Annotated[str, typer.Argument(help="The flow: payments, attribution, …")],
    since: Annotated[str | None, typer.Option(help="Only what occurred from this date on: 2026-03-01.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Put what differs in place.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Also the keys of the first rows that differ.")] = False,
    as_json: Json = False,
) -> None:
    """Build a flow's tables anew from its events, beside the present ones, and say what differs."""
    from ic_assets.commands.replay import replay as run

    raise typer.Exit(run(flow, since, apply=apply, full=full, as_json=as_json))


@inbox_app.command("status")
def inbox_status(as_json: Json = False) -> None:
    """What waits, what was set aside and why, by source."""
    from ic_assets.commands.inbox import status as run

    raise typer.Exit(run(as_json=as_json))


@inbox_app.command("show")
def inbox_show(
    event: Annotated[str, typer.Argument(metavar="ID", help="Number of the event, or its own id.")],
    source: Source = None,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """One event as it came, and what became of it."""
    from ic_assets.commands.inbox import show as run

    raise typer.Exit(run(event, source, full=full, as_json=as_json))


@inbox_app.command("retry")
def inbox_retry(
    source: Source = None,
    reason: Annotated[
        str | None, typer.Option(help="Only those set aside for this; bad_field is any bad_field:….")
    ] = None,
    event: Annotated[int | None, typer.Option("--id", min=1, help="Only the event with this number.")] = None,
    as_json: Json = False,
) -> None:
    """Let what was set aside be taken again, once the cause is mended."""
    from ic_assets.commands.inbox import retry as run
    from ic_assets.inbox.upkeep import Wanted

    raise typer.Exit(run(Wanted(source, reason, event), as_json=as_json))


@inbox_app.command("prune")
def inbox_prune(
    older_than: Annotated[str, typer.Option(help="Age: 90d, 12w or 1y.")],
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Remove what is done, that old, and in the archive of its flow; nothing else."""
    from ic_assets.commands.inbox import prune as run

    raise typer.Exit(run(older_than, source, as_json=as_json))
