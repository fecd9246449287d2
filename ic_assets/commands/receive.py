"""``ic-assets receive``: takes webhooks into the inbox until it is told to stop."""

from collections.abc import Sequence
from dataclasses import replace

from ic_assets.commands.terminal import out
from ic_assets.core import logs, schema
from ic_assets.core.receiving import Receiving
from ic_assets.core.settings import Settings
from ic_assets.inbox.endpoints import Opened, opened
from ic_assets.resources.services import Services, services


def receive(*, host: str | None, port: int | None) -> int:
    """``host`` and ``port`` go before the settings'."""
    settings = Settings.from_env()
    receiving = Receiving.from_env(host=host)
    if port is not None:
        receiving = replace(receiving, port=port)
    endpoints = opened(receiving)
    from ic_assets.inbox.listening import serve
    from ic_assets.inbox.registry import registry

    logs.show()
    with services(settings) as up:
        schema.ensure(up.postgres_url)

        def ready(address: str) -> None:
            out.print(f"Receiver:  {address}")
            tell(endpoints)
            out.print("Ctrl-C ends it.")

        serve(lambda: _database(settings, up), registry(), receiving, endpoints, ready)
    return 0


def _database(settings: Settings, up: Services) -> str:
    """The address for a new connection. An embedded server that was killed is started again, at another address."""
    if settings.postgres_url:
        return up.postgres_url
    with services(settings) as again:
        return again.postgres_url


def tell(endpoints: Sequence[Opened]) -> None:
    """Who may post, and in red where anybody may."""
    for one in endpoints:
        endpoint = one.endpoint
        if one.verifiers and not one.is_unverified:
            out.print(f"  {endpoint.path}: {' or '.join(each.name for each in one.verifiers)}", markup=False)
        elif not one.is_unverified:
            out.print(f"  {endpoint.path}: closed until {' or '.join(endpoint.variables)} is set", markup=False)
    tell_unverified(endpoints)


def tell_unverified(endpoints: Sequence[Opened]) -> None:
    for one in endpoints:
        if one.is_unverified:
            text = f"  {one.endpoint.path}: ANYBODY may post as {one.endpoint.source} (IC_RECEIVE_UNVERIFIED)"
            out.print(text, style="bold red", markup=False)
