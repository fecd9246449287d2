"""Which host names are this machine itself: what is sent there crosses no network, and no proxy."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """For the host of a URL or of a Host header, without its port. No name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
