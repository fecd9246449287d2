"""The endpoints of the receiver, as data: path, source, who may post, how an event says what it is. One more sender is one
more line of ``ENDPOINTS``. Nothing here answers a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ic_assets.core.failures import Refused
from ic_assets.core.hosts import is_loopback
from ic_assets.core.receiving import Receiving
from ic_assets.inbox.envelope import Reader, read_plain
from ic_assets.inbox.vendors import HUBSPOT_TOPIC, read_chargebee, read_hubspot, read_jira
from ic_assets.inbox.verification.base import Verifier
from ic_assets.inbox.verification.basic import Basic
from ic_assets.inbox.verification.github import BodySignature
from ic_assets.inbox.verification.hmac import StandardWebhooks
from ic_assets.inbox.verification.hubspot import HubSpot
from ic_assets.inbox.verification.write_key import WriteKey

Verifiers = Callable[[Receiving], list[Verifier]]


@dataclass(frozen=True)
class Endpoint:
    """``path``: without the slash at its end; with one it is answered as well. ``variables``: what has to be set for its
    verifiers. ``takes_lists``: a list is many events, all or none of which are kept; elsewhere a list is no event.
    ``takes``: topics beyond which an event is set aside as ``needs_signature``. ``topic_prefix``: topics with another
    beginning are counted as ``wrong_endpoint``. ``refuses_future``: a delivery of which an event claims to come from the
    future is refused, not set aside. ``most_new``: events of the source that may wait for their flow."""

    path: str
    source: str
    verifiers: Verifiers
    variables: tuple[str, ...]
    read: Reader = read_plain
    takes_lists: bool = False
    for_browsers: bool = False
    takes: Callable[[str], bool] | None = None
    own_topics: Callable[[str], bool] | None = None
    refuses_future: bool = False
    most_new: int | None = None


def _chargebee(receiving: Receiving) -> list[Verifier]:
    pairs = receiving.secrets.get("IC_CHARGEBEE_BASIC_AUTH", ())
    basic: list[Verifier] = [Basic(pairs, "IC_CHARGEBEE_BASIC_AUTH")] if pairs else []
    return basic + _signed("IC_CHARGEBEE_WEBHOOK_SECRETS")(receiving)


def _signed(variable: str) -> Verifiers:
    def made(receiving: Receiving) -> list[Verifier]:
        secrets = receiving.secrets.get(variable, ())
        return [StandardWebhooks(secrets, variable)] if secrets else []

    return made


def _hubspot(*, is_legacy: bool) -> Verifiers:
    def made(receiving: Receiving) -> list[Verifier]:
        secrets = receiving.secrets.get("IC_HUBSPOT_CLIENT_SECRET", ())
        return [HubSpot(secrets, receiving.hubspot_legacy if is_legacy else ())] if secrets else []

    return made


def _jira(receiving: Receiving) -> list[Verifier]:
    secrets = receiving.secrets.get("IC_JIRA_WEBHOOK_SECRET", ())
    return [BodySignature(secrets)] if secrets else []


def _write_key(receiving: Receiving) -> list[Verifier]:
    keys = receiving.secrets.get("IC_SITE_WRITE_KEYS", ())
    return [WriteKey(keys, receiving.own_domains)] if keys and receiving.own_domains else []


def _changes_no_company(topic: str) -> bool:
    """What a browser may say: a hit. A sign-up changes a company and wants a signature."""
    return topic == "session_webhook" or (topic.startswith("event_hit.") and topic != "event_hit.signup")


def _of_contacts(topic: str) -> bool:
    # object.* does not say of what in its topic.
    return topic.startswith((f"{HUBSPOT_TOPIC}contact.", f"{HUBSPOT_TOPIC}object."))


def _hubspot_endpoint(path: str, *, is_legacy: bool, own_topics: Callable[[str], bool] | None = None) -> Endpoint:
    return Endpoint(
        path,
        "hubspot",
        _hubspot(is_legacy=is_legacy),
        ("IC_HUBSPOT_CLIENT_SECRET",),
        read=read_hubspot,
        takes_lists=True,
        own_topics=own_topics,
        refuses_future=True,
        most_new=50_000,
    )


def _server_endpoint(source: str, variable: str) -> Endpoint:
    return Endpoint(f"/{source}/server", source, _signed(variable), (variable,))


ENDPOINTS = (
    Endpoint(
        "/bi/api/PaymentEvents",
        "chargebee",
        _chargebee,
        ("IC_CHARGEBEE_BASIC_AUTH", "IC_CHARGEBEE_WEBHOOK_SECRETS"),
        read=read_chargebee,
    ),
    _hubspot_endpoint("/Hubspot/Webhooks", is_legacy=True),
    _hubspot_endpoint("/Hubspot/Webhooks/General", is_legacy=False),
    _hubspot_endpoint("/Hubspot/ContactWebhooks", is_legacy=False, own_topics=_of_contacts),
    Endpoint("/Jira/Webhooks", "jira", _jira, ("IC_JIRA_WEBHOOK_SECRET",), read=read_jira),
    Endpoint(
        "/site/events",
        "site",
        _write_key,
        ("IC_SITE_WRITE_KEYS", "IC_OWN_DOMAINS"),
        for_browsers=True,
        takes=_changes_no_company,
    ),
    _server_endpoint("site", "IC_SITE_WEBHOOK_SECRETS"),
    _server_endpoint("forms", "IC_FORMS_WEBHOOK_SECRETS"),
    _server_endpoint("mobile", "IC_MOBILE_WEBHOOK_SECRETS"),
    _server_endpoint("calls", "IC_CALLS_WEBHOOK_SECRETS"),
    _server_endpoint("product", "IC_PRODUCT_WEBHOOK_SECRETS"),
)


@dataclass(frozen=True)
class Opened:
    """An endpoint with its verifiers. ``is_unverified``: whoever reaches it may post."""

    endpoint: Endpoint
    verifiers: tuple[Verifier, ...]
    is_unverified: bool


def opened(receiving: Receiving, endpoints: Sequence[Endpoint] = ENDPOINTS) -> list[Opened]:
    """The endpoints that are served. Raises ``Refused`` for a source that there is not, a secret that cannot be one, and an
    address beyond this machine while anybody could post to one of them."""
    sources = {endpoint.source for endpoint in endpoints}
    for name, named in (
        ("IC_RECEIVE_SOURCES", receiving.sources or frozenset()),
        ("IC_RECEIVE_UNVERIFIED", receiving.unverified),
    ):
        if wrong := named - sources:
            raise Refused(f"{name} names {', '.join(sorted(wrong))}; the sources are {', '.join(sorted(sources))}")
    found = [
        Opened(endpoint, tuple(endpoint.verifiers(receiving)), endpoint.source in receiving.unverified)
        for endpoint in endpoints
        if receiving.sources is None or endpoint.source in receiving.sources
    ]
    if not is_loopback(receiving.host):
        _refuse_open(receiving.host, found)
    return found


def _refuse_open(host: str, found: Sequence[Opened]) -> None:
    bare = [one.endpoint for one in found if not one.verifiers]
    unverified = sorted({one.endpoint.source for one in found if one.is_unverified})
    if unverified:
        raise Refused(
            f"the receiver does not listen on {host} while anybody may post as {', '.join(unverified)}: "
            "take it out of IC_RECEIVE_UNVERIFIED"
        )
    if bare:
        paths = "; ".join(f"{one.path} ({' or '.join(one.variables)})" for one in bare)
        raise Refused(
            f"the receiver does not listen on {host} without a secret for each endpoint. Missing: {paths}. "
            "Set them, or name in IC_RECEIVE_SOURCES the sources that you use"
        )
