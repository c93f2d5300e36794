"""Which addresses never leave this machine."""

import ipaddress


def is_loopback(address: str) -> bool:
    """Whether `host:port` is this machine; a name other than localhost is not taken for it."""
    host = address.rpartition(":")[0].strip("[]") or address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
