"""The part of a client's address that identifies it for limits."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

_IPV6_PREFIX = 64


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and the network of an IPv6 address, in which one client has all addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network(f"{parsed}/{_IPV6_PREFIX}", strict=False))
