"""What ``ic-assets doctor`` finds about the receiver: who may post, and what was refused lately."""

from ic_assets.commands.doctor.doctor import NOTE, OK, WRONG, Found
from ic_assets.commands.terminal import counted
from ic_assets.core.receiving import Receiving
from ic_assets.core.settings import Settings
from ic_assets.inbox.endpoints import opened
from ic_assets.resources.postgres import connected
from ic_assets.resources.services import Services


def endpoints() -> Found:
    """Raises ``Refused`` for settings with which it would not start."""
    receiving = Receiving.from_env()
    found = opened(receiving)
    unverified = sorted({one.endpoint.source for one in found if one.is_unverified})
    if unverified:
        yield (
            WRONG,
            f"ANYBODY may post as {', '.join(unverified)}: take the source out of IC_RECEIVE_UNVERIFIED and set its secret",
        )
    proving = [one.endpoint.path for one in found if one.verifiers]
    closed = [one.endpoint.path for one in found if not one.verifiers and not one.is_unverified]
    yield OK, f"takes events at {', '.join(proving)}" if proving else "no secret is set: no endpoint takes events"
    if proving and closed:
        yield OK, f"answers 401 at {', '.join(closed)}, for which no secret is set"
    by_url = [one.endpoint.path for one in found if one.endpoint.source == "hubspot" and one.verifiers]
    if by_url and not receiving.public_url and not receiving.proxies:
        yield (
            NOTE,
            "IC_PUBLIC_URL is not set: HubSpot signs the address that it sends to, and its deliveries would get 401",
        )


def refusals(up: Services, settings: Settings) -> Found:
    """By source and reason, of the last hour."""
    with connected(up.postgres_url, settings) as connection:
        rows = connection.execute(
            "SELECT source, status, reason, sum(requests)::bigint FROM inbox.refused_request"
            " WHERE minute > now() - INTERVAL '1 hour' AND status >= 400 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 10"
        ).fetchall()
    if not rows:
        yield OK, "no request was refused in the last hour"
        return
    told = "; ".join(f"{source}: {counted(count, 'time')} {status} {reason}" for source, status, reason, count in rows)
    yield NOTE, f"refused in the last hour: {told}"
