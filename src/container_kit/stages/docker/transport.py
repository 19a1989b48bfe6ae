"""The Docker SDK's requests over connections that an endpoint opens.

The SDK's ssh support needs paramiko and does not use the keys and settings of the user's ssh. Its TLS support lets
REQUESTS_CA_BUNDLE override the engine's certificate authority.
"""

from __future__ import annotations

import contextlib
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from container_kit.stages.docker.endpoint import Connection, Endpoint


class DialingAdapter(HTTPAdapter):
    """Sends the requests of a `requests` session over connections that an endpoint opens.

    Args:
        endpoint: The engine.
        timeout: Seconds to connect.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._connections: list[Connection] = []
        self._pool = HTTPConnectionPool("docker", maxsize=8)
        self._pool.ConnectionCls = _connection_class(endpoint, timeout, self._connections)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """Return the only pool, for every URL."""
        return self._pool

    def close(self) -> None:
        """Close the connections and end the ssh processes behind them."""
        self._pool.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.close()
        self._connections.clear()
        super().close()


def _connection_class(endpoint: Endpoint, timeout: float, connections: list[Connection]) -> type[HTTPConnection]:
    class EndpointConnection(HTTPConnection):
        def _new_conn(self) -> Any:
            connection = endpoint.secure(endpoint.dial(timeout))
            connections.append(connection)
            return connection.sock

    return EndpointConnection
