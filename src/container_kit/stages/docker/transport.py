"""The docker SDK's requests on connections that our endpoint dials.

The SDK's own ssh needs paramiko, where the user's ssh has their keys and settings; and its TLS lets REQUESTS_CA_BUNDLE
win over the engine's own authority.
"""

from __future__ import annotations

import contextlib
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from container_kit.stages.docker.endpoint import Endpoint, Wire


class DialingAdapter(HTTPAdapter):
    """Sends the requests of a `requests` session through connections that an endpoint dials.

    Args:
        endpoint: The engine.
        timeout: Seconds to connect.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._wires: list[Wire] = []
        self._pool = HTTPConnectionPool("docker", maxsize=8)
        self._pool.ConnectionCls = _connection_class(endpoint, timeout, self._wires)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The one pool, whatever the URL."""
        return self._pool

    def close(self) -> None:
        """End the connections and what is behind them."""
        self._pool.close()
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.close()
        self._wires.clear()
        super().close()


def _connection_class(endpoint: Endpoint, timeout: float, wires: list[Wire]) -> type[HTTPConnection]:
    class Connection(HTTPConnection):
        def _new_conn(self) -> Any:
            wire = endpoint.secure(endpoint.dial(timeout))
            wires.append(wire)
            return wire.sock

    return Connection
