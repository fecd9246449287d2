"""Serves the receiver: where it listens, within which limits, and how it ends. Called by ``ic-assets receive``."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from ic_assets.core.failures import Unavailable
from ic_assets.core.receiving import Receiving
from ic_assets.core.serving import ServerLimits, configuration
from ic_assets.inbox.endpoints import Opened
from ic_assets.inbox.receiver import Receiver
from ic_assets.inbox.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Beyond the longest that a request waits for its commit.
_STOP_SECONDS = 10
_HELD_BYTES = 128 << 20


def serve(
    database: Callable[[], str],
    registry: Registry,
    receiving: Receiving,
    endpoints: Sequence[Opened],
    ready: Callable[[str], None],
) -> None:
    """Serves until SIGTERM or SIGINT, and then until what has come is answered; ``ready`` is called with the address once
    requests are. Call it in the main thread. Raises ``Unavailable`` for an address that cannot be listened on."""
    with _listen(receiving.host, receiving.port) as listener:
        host = f"[{receiving.host}]" if ":" in receiving.host else receiving.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        receiver = Receiver(database, registry, receiving, endpoints, address)
        server = _Server(
            configuration(
                receiver.app,
                ServerLimits(body_bytes=receiving.body_bytes, held_bytes=max(_HELD_BYTES, 4 * receiving.body_bytes)),
                around=receiver.around,
                log_level="warning",
                lifespan="on",
                timeout_graceful_shutdown=_STOP_SECONDS,
            ),
            lambda: ready(address),
        )
        with _signals_are_the_servers():
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise Unavailable(
            f"the receiver cannot listen on {host}:{port}: {error.strerror}; set IC_RECEIVE_PORT to another port"
        ) from error


@contextmanager
def _signals_are_the_servers() -> Iterator[None]:
    """uvicorn ends in order at the first signal and then raises it once more, which would end the command as if it had
    been killed."""

    def ignore(signum: int, frame: FrameType | None) -> None:
        pass

    before = {sign: signal.signal(sign, ignore) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
