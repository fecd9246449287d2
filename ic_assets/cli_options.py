"""How the command line is put together: the app whose every command takes ``--verbose``, and the options and completions
that commands share. No command; imports nothing heavy, since ``--help`` and completion wait for it."""

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

Verbose = Annotated[
    bool, typer.Option("--verbose", help="Say on standard error what fell back, waited or was tried again.")
]
_Function = TypeVar("_Function", bound=Callable[..., None])


class App(typer.Typer):
    """Whose every command takes ``--verbose``."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[_Function], _Function]:
        register = super().command(name, **more)

        def registered(function: _Function) -> _Function:
            @functools.wraps(function)
            def command(*arguments: Any, verbose: bool = False, **named: Any) -> None:
                if verbose:
                    from ic_assets.core.logs import show

                    show()
                function(*arguments, **named)

            signature = inspect.signature(function)
            option = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose)
            command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
            command.__annotations__ = {**function.__annotations__, "verbose": Verbose}
            register(command)
            return function

        return registered


def split(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def completed_types(incomplete: str) -> list[str]:
    """The shell's completion of the last of ``calls,em``."""
    from ic_assets.activities.facts.activity_types import BY_NAME

    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    return [f"{before}{comma}{name}" for name in BY_NAME if name.startswith(last) and name not in taken]


def completed_months(incomplete: str) -> list[str]:
    """The shell's completion of ``2019-0`` and of the second half of ``2019-03:2019``."""
    from ic_assets.core.months import partitions_end, partitions_start

    start, end = partitions_start(), partitions_end()
    numbers = range(start.year * 12 + start.month - 1, end.year * 12 + end.month - 1)
    months = [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]
    first, colon, last = incomplete.rpartition(":")
    return [f"{first}{colon}{month}" for month in months if month.startswith(last) and month >= first]


class Entity(StrEnum):
    contacts = "contacts"
    companies = "companies"
    deals = "deals"


class Mode(StrEnum):
    dry_run = "dry-run"
    test = "test"
    production = "production"


class Diagram(StrEnum):
    graphml = "graphml"
    mermaid = "mermaid"
    png = "png"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")]
Full = Annotated[bool, typer.Option("--full", help="Values as they are: personal data.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
OverwriteEdits = Annotated[
    bool, typer.Option("--overwrite-edits", help="Also records that people changed in HubSpot since we wrote them.")
]
Months = Annotated[
    str | None, typer.Option(help="2019-03 or 2019-03:2019-08, both months included.", autocompletion=completed_months)
]
Types = Annotated[
    str | None,
    typer.Option(help="Comma-separated activity types; all by default.", autocompletion=completed_types),
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on the loopback interface.")]


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ic-assets {version('ic_assets')}")
        raise typer.Exit
