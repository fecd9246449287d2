"""The commands about what the database in use keeps, and their arguments: ``settings``, ``restore``. ``ic_assets.cli`` takes
them in."""

from pathlib import Path
from typing import Annotated

import typer

from ic_assets.cli_options import App, Json, Yes

keeping_app = App()
settings_app = App(no_args_is_help=True, help="The settings that shape the data, as the database keeps them.")


@settings_app.command("show")
def show(as_json: Json = False) -> None:
    """What the database keeps, what this shell says, and where they differ."""
    from ic_assets.commands.settings import show as run

    raise typer.Exit(run(as_json=as_json))


@settings_app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="IC_SOURCE_TIMEZONE, IC_DATE_ORDER, …; settings show lists them.")],
    value: Annotated[str, typer.Argument(help="As the variable would have it; '' for none.")],
    as_json: Json = False,
) -> None:
    """Change one knowingly. Says what of the data is out of date by it."""
    from ic_assets.commands.settings import change

    raise typer.Exit(change(name, value, as_json=as_json))


@keeping_app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A restore point, of $IC_HOME/backups.", readable=False)],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a restore point back into the database in use, whatever its PostgreSQL. HubSpot is not touched.

    What stands now is kept in a restore point of its own first."""
    from ic_assets.commands.restore import restore as run

    raise typer.Exit(run(file, yes=yes, as_json=as_json))
