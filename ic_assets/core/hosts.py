"""Which host names are this machine itself: what is sent there crosses no network, and no proxy."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """For the host of a URL or of a Host header, without its port. No name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def local_link(base_url: str, object_type: str, hubspot_id: int | None) -> str | None:
    """The page of a record in the local HubSpot; None for one that is not there, or in a real portal, whose pages have
    addresses of their own."""
    host = urlsplit(base_url).hostname
    return f"{base_url}/{object_type}/{hubspot_id}" if hubspot_id and host and is_loopback(host) else None
