"""What tells one client from others, where a limit is for each."""

from __future__ import annotations

import ipaddress
from typing import Final

_NETWORK_BITS: Final = 64
"""One machine may use every IPv6 address of a network of this size."""


def name_client(address: str) -> str:
    """Return what tells a client from others: its address, or the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or "?"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((found, _NETWORK_BITS), strict=False))
    return str(found)
