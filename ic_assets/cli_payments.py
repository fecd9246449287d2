"""The commands of payments. ``ic_assets.cli`` takes them in."""

from typing import Annotated

import typer

from ic_assets.cli_options import App, Json

payments_app = App()


@payments_app.command("mrr")
def mrr(
    month: Annotated[str | None, typer.Option(help="One month, 2026-03.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="From this month on, 2026-03.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Up to this month, which is included.")] = None,
    company: Annotated[str | None, typer.Option(help="Only of this company.")] = None,
    as_json: Json = False,
) -> None:
    """How recurring revenue moved by month: new, expansion, contraction, churn, reactivation, currency."""
    from ic_assets.commands.mrr import mrr as run
    from ic_assets.core.failures import Refused

    if month and (first or last):
        raise Refused("--month is one month; leave out --from and --to")
    raise typer.Exit(run(month or first, month or last, company, as_json=as_json))
