"""The addresses that a registry may have: never a link-local one, where machines of a cloud have their credentials."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

_METADATA = tuple(
    ip_network(text) for text in ("100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32")
)
"""Services of clouds that are not link-local."""
_NAT64 = ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """A host has an address that is never a registry's."""


def is_refused(text: str) -> bool:
    """Return whether an address, also as it is embedded in an IPv6 address, is link-local or a metadata service."""
    return any(
        address.is_link_local or address.is_multicast or any(address in network for network in _METADATA)
        for address in _embedded(ip_address(text.partition("%")[0]))
    )


def _embedded(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    yield address
    if isinstance(address, IPv6Address):
        low = IPv4Address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo
        yield from (inner for inner in (address.ipv4_mapped, address.sixtofour, *(teredo or ())) if inner is not None)
        if address in _NAT64 or int(address) >> 32 == 0:  # the second form: IPv4-compatible
            yield low


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in every notation that the system understands.

    Raises:
        AddressRefused: One of them is refused. A name with several addresses must not lead to it by chance.
        OSError: The host does not resolve.
    """
    found = [str(info[4][0]) for info in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)]
    if refused := next((address for address in found if is_refused(address)), None):
        raise AddressRefused(f"{host} is at {refused}, which is never the address of a registry")
    return found


def checking_adapter() -> HTTPAdapter:
    """Return an adapter of requests that connects only to the addresses that were checked."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def connect(connection: Any, base: type[Any]) -> socket.socket:
        host = connection._dns_host
        last: OSError | None = None
        for address in resolve(host, connection.port or 0):
            connection._dns_host = address  # no second resolution between the check and the connection
            try:
                return base._new_conn(connection)  # type: ignore[no-any-return]
            except OSError as error:
                last = error
            finally:
                connection._dns_host = host
        raise last or OSError(f"{host} does not resolve")

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, HTTPConnection)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, HTTPSConnection)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    return Adapter(max_retries=0)
