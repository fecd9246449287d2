"""The commands that take things back. ``ic_assets.cli`` takes them in."""

from typing import Annotated

import typer

from ic_assets.cli_options import App, Json, Months, Types, Yes, split

rollback_app = App(no_args_is_help=True, help="Takes things back; each command asks before it destroys.")


@rollback_app.command("push")
def rollback_push(
    run: Annotated[str | None, typer.Option(help="What one push created: its number or its Dagster run id.")] = None,
    types: Types = None,
    months: Months = None,
    ids: Annotated[str | None, typer.Option(help="Comma-separated communication ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that was ever pushed to this portal.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Archive in HubSpot what was pushed, without what people changed since. Staging stays; a push creates it anew.

    Say of what: --run, --types, --months, --ids, or --all. Several narrow it down."""
    from ic_assets.commands.rollback import rollback_push as take_back
    from ic_assets.core.months import parse_months

    raise typer.Exit(
        take_back(
            run_id=run,
            types=split(types),
            months=parse_months(months) if months else None,
            ids=split(ids),
            everything=everything,
            yes=yes,
            as_json=as_json,
        )
    )


@rollback_app.command("activities")
def rollback_activities(months: Months = None, yes: Yes = False, as_json: Json = False) -> None:
    """Empty the seven derivative tables (or some months of them). The master stays."""
    _rollback("activities", months, yes, as_json)


@rollback_app.command("resolution")
def rollback_resolution(months: Months = None, yes: Yes = False, as_json: Json = False) -> None:
    """Forget the HubSpot ids of the master and the log of misses. The communications stay."""
    _rollback("resolution", months, yes, as_json)


@rollback_app.command("drop")
def rollback_drop(
    drop: Annotated[str, typer.Argument(metavar="DROP", help="File name, key or number of a drop.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove what one drop brought; what stood before it stands again. The file can be loaded again afterwards."""
    from ic_assets.commands.rollback import rollback_drop as run

    raise typer.Exit(run(drop, yes=yes, as_json=as_json))


@rollback_app.command("master")
def rollback_master(yes: Yes = False, as_json: Json = False) -> None:
    """Remove everything that drops brought. The files can be loaded again afterwards."""
    _rollback("master", None, yes, as_json)


@rollback_app.command("schema")
def rollback_schema(yes: Yes = False, as_json: Json = False) -> None:
    """Remove all of our tables, views and functions. Refused while records stand in HubSpot."""
    _rollback("schema", None, yes, as_json)


def _rollback(scope: str, months: str | None, yes: bool, as_json: bool) -> None:
    from ic_assets.commands.rollback import rollback as run
    from ic_assets.core.months import parse_months

    raise typer.Exit(run(scope, parse_months(months) if months else None, yes=yes, as_json=as_json))
