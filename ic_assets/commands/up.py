"""``ic-assets up`` and ``sandbox``: what serves until it is told to stop."""

import secrets
import socket
from pathlib import Path

from ic_assets.commands.terminal import out
from ic_assets.core.settings import Settings


def up(*, port: int, link: bool) -> int:
    """Serves until it is told to stop; with ``link`` it only prints a link to the UI that is served already."""
    if link:
        return _print_link(port)
    from ic_assets.commands.runs import session
    from ic_assets.operations.hubspot_resource import seed_local_hubspot
    from ic_assets.resources.dagster_home import serve_ui

    settings = Settings.from_env()
    receiver = _Receiver()
    settings.drop_dir.mkdir(parents=True, exist_ok=True)
    with session(hubspot=True) as work:
        hubspot = work.services.hubspot_base_url
        if work.services.hubspot_is_local:
            seed_local_hubspot(work.database, work.services)

        def ready(address: str, link: str) -> None:
            out.print(f"Dagster's UI:  {address}")
            out.print(f"Open it with:  {link}\n               (works once, then your browser is known)", soft_wrap=True)
            out.print(f"HubSpot:       {hubspot}{' (local)' if work.services.hubspot_is_local else ''}")
            out.print(f"Drop folder:   {settings.drop_dir}", markup=False)
            receiver.tell()
            out.print("Ctrl-C ends it.")

        out.print("Starting Dagster's UI and daemon …")
        serve_ui(settings, port=port, ready=ready, ending=say_that_it_ends, beside=receiver.command)
    out.print("Ended.")
    return 0


def say_that_it_ends() -> None:
    out.print("Ending Dagster's UI and daemon, then what they stood on (some seconds) …")


class _Receiver:
    """The receiver of webhooks, as a process beside the UI; none where its port is taken, mostly by one that runs by
    itself. Raises ``Refused`` for settings with which it would not start."""

    def __init__(self) -> None:
        from ic_assets.core import processes
        from ic_assets.core.receiving import Receiving
        from ic_assets.inbox.endpoints import opened

        self._receiving = Receiving.from_env()
        self._endpoints = opened(self._receiving)
        self._is_taken = _is_taken(self._receiving.host, self._receiving.port)
        self.command = {} if self._is_taken else {"receiver": processes.python("ic_assets", "receive")}

    def tell(self) -> None:
        from ic_assets.commands.receive import tell_unverified

        where = f"{self._receiving.host}:{self._receiving.port}"
        if self._is_taken:
            out.print(
                f"Receiver:      none is started here: {where} is taken, by `ic-assets receive` or another program"
            )
            return
        is_open = any(one.verifiers or one.is_unverified for one in self._endpoints)
        out.print(f"Receiver:      http://{where}{'' if is_open else ' (closed: no secret is set)'}", markup=False)
        tell_unverified(self._endpoints)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _print_link(port: int) -> int:
    from ic_assets.core.failures import Refused
    from ic_assets.resources.ui_guard import Keys, answers

    address = f"http://127.0.0.1:{port}"
    if not answers(address):
        raise Refused(f"no UI answers at {address}: start `ic-assets up`, or name its --port")
    out.print(Keys(Settings.from_env().home).link(address), soft_wrap=True, highlight=False)
    return 0


def sandbox(*, port: int, chaos: str | None, unique_on_activities: str) -> int:
    from ic_assets.core.failures import Refused
    from ic_assets.sandbox.http.chaos import Chaos
    from ic_assets.sandbox.http.server import serve
    from ic_assets.sandbox.hubspot.portal import Modes

    settings = Settings.from_env()
    if unique_on_activities not in ("accepted", "refused"):
        raise Refused(f"--unique-on-activities {unique_on_activities!r} is not accepted or refused")
    try:
        misbehaviour = Chaos.parse(chaos or "")
    except ValueError as error:
        raise Refused(f"--chaos: {error}") from error
    token = settings.hubspot_token or f"pat-local-{secrets.token_hex(8)}"
    folder = settings.home / "hubspot"
    folder.mkdir(parents=True, exist_ok=True)

    _seed(settings, folder / "rehearsal.sqlite")

    def ready(bound: int) -> None:
        out.print(f"Local HubSpot: http://127.0.0.1:{bound}")
        if not settings.hubspot_token:
            out.print(f"Its token, for this run: {token}")
            out.print(f"Use it with: HUBSPOT_BASE_URL=http://127.0.0.1:{bound} HUBSPOT_TOKEN={token} ic-assets push")

    serve(
        folder / "rehearsal.sqlite",
        port=port,
        token=token,
        chaos=misbehaviour,
        modes=Modes(unique_on_activities=unique_on_activities),
        ready=ready,
    )
    return 0


def _seed(settings: Settings, database: Path) -> None:
    """Gives a rehearsal the contacts, companies and deals that the reconciliation names: without them every
    association would be refused."""
    from ic_assets.core import schema
    from ic_assets.operations.hubspot_resource import reconciled_records
    from ic_assets.resources.postgres import connected
    from ic_assets.resources.services import services
    from ic_assets.sandbox.hubspot.store import seed_records

    with services(settings) as up:
        schema.ensure(up.postgres_url)
        with connected(up.postgres_url, settings) as connection:
            records = reconciled_records(connection)
    seed_records(
        database, **{entity: [(row["id"], row["properties"]) for row in rows] for entity, rows in records.items()}
    )
