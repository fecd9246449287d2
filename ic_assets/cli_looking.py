"""The commands that look for rows, records and what was done; they write to no database. ``ic_assets.cli`` takes them in."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ic_assets.cli_options import App, Entity, Full, Json

looking_app = App()
rules_app = App(no_args_is_help=True, help="The files of rules that a company edits: sql/<flow>/*.csv and your own.")
looking_app.add_typer(rules_app, name="rules")


@looking_app.command()
def unresolved(
    entity: Annotated[Entity | None, typer.Argument(help="Which references; all by default.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write all of them to this file, to fill in and give to reconcile.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many of each kind.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also names and e-mail addresses of persons, to match by: personal data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Which missing records matter most: what leads nowhere, and what each id would bring once it is reconciled."""
    from ic_assets.commands.unresolved import unresolved as run

    raise typer.Exit(run(entity.value if entity else None, csv_file=csv, limit=limit, full=full, as_json=as_json))


@looking_app.command()
def trace(
    drop: Annotated[
        str | None, typer.Argument(metavar="[DROP]", help="File name or key of a drop; the newest one by default.")
    ] = None,
    line: Annotated[str | None, typer.Argument(metavar="[LINE]", help="Line of the file; 1 is the header's.")] = None,
    row: Annotated[
        int | None, typer.Option(min=1, help="Instead of a line: the row that a spreadsheet shows; 1 is the header.")
    ] = None,
    communication: Annotated[int | None, typer.Option("--id", help="Instead: the id of a communication.")] = None,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """Where did row 1,234 go? From its line in a drop to its record in HubSpot, or to where it stopped and why."""
    from ic_assets.commands.trace import trace as run

    raise typer.Exit(run(drop, line, communication, row=row, full=full, as_json=as_json))


@looking_app.command()
def rejects(
    drop: Annotated[str | None, typer.Option(help="File name or key of a drop; the newest one by default.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the rows to mend to this file, in full, to load it again: personal data.")
    ] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Also the fields that could not be read.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Show so many; 20 by default.")] = None,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """Which rows of a drop did not load: line, reason and text; with --csv in the drop's own columns, to be mended."""
    from ic_assets.commands.rejects import rejects as run

    raise typer.Exit(run(drop, csv, warnings=warnings, limit=limit, full=full, as_json=as_json))


@looking_app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """What was loaded, pushed and taken back: when, in which mode, by whose approval, and how it ended."""
    from ic_assets.commands.history import history as run

    raise typer.Exit(run(limit, as_json=as_json))


class Explained(StrEnum):
    company = "company"
    contact = "contact"
    conversion = "conversion"


@looking_app.command()
def explain(
    kind: Annotated[Explained, typer.Argument(help="What it is.")],
    key: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    at: Annotated[str | None, typer.Option(help="As it was at a time, ISO 8601.")] = None,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """How each figure came about: whose value it is, since when, because of what, and until when a person locked it."""
    from ic_assets.commands.explain import explain as run

    raise typer.Exit(run(kind.value, key, at=at, full=full, as_json=as_json))


@rules_app.command("check")
def rules_check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files to look at before they are put in place; all that count here by default.", readable=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether the files of rules can stand, with file, line and column of what cannot; and which version is in force."""
    from ic_assets.commands.rules import check as run

    raise typer.Exit(run(files or [], as_json=as_json))


@looking_app.command()
def gaps(
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 while one is not closed.")] = False,
    as_json: Json = False,
) -> None:
    """The validation gaps of the system before, what closes each, and whether it is closed here."""
    from ic_assets.commands.gaps import gaps as run

    raise typer.Exit(run(strict=strict, as_json=as_json))


@looking_app.command()
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="psql's own, after --: -- -c 'SELECT 1'.")] = None,
) -> None:
    """Open the database in use, the embedded one or IC_POSTGRES_URL, with psql."""
    from ic_assets.commands.psql import psql as run

    raise typer.Exit(run(arguments or []))
