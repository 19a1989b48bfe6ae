"""Limits of connections: how many there are, and how long one may exist without a request.

Requests have their own limits (`rate_limits`). These begin only when the head of a request is complete, so clients that
never complete one must be stopped here.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from container_kit.server.web.addresses import network_of
from container_kit.stages.host.users import open_file_limit

HEAD_TIMEOUT = 10.0
"""Seconds from the start of a connection, or from the last response, to the complete head of the next request."""
STALL_TIMEOUT = 60.0
"""Seconds for which a client may read nothing while data for it waits."""
BACKLOG = 64
"""Connections that the event loop may accept at a time, before the limit is checked."""
_RESERVE = 192
"""Descriptors for everything except connections: the store, logs, the engine, and a full backlog."""
_UNLIMITED = 8192
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n"
)


class ConnectionLimits:
    """The connections of one server.

    A new connection above a limit takes the place of the oldest one without a request, so that idle connections block
    nobody. If all have requests, it is refused.

    Args:
        total: Maximum number of connections; None means what the process's limit of descriptors allows.
        per_address: Maximum number from one address; None means half of the total.
    """

    def __init__(self, total: int | None = None, per_address: int | None = None) -> None:
        self._total = min(total or _UNLIMITED, _allowed_by_descriptors())
        self._per_address = min(per_address or max(1, self._total // 2), self._total)
        self._connections: defaultdict[str, dict[LimitedProtocol, None]] = defaultdict(dict)
        self._count = 0

    def admit(self, connection: LimitedProtocol) -> bool:
        """Count a new connection, and return whether it may stay."""
        own = self._connections[connection.network]
        own[connection] = None
        self._count += 1
        if len(own) > self._per_address:
            return _evict([own], connection)
        if self._count > self._total:
            return _evict(sorted(self._connections.values(), key=len, reverse=True), connection)
        return True

    def remove(self, connection: LimitedProtocol) -> None:
        """Stop counting a connection."""
        own = self._connections.get(connection.network)
        if own is None or connection not in own:
            return
        del own[connection]
        self._count -= 1
        if not own:
            del self._connections[connection.network]


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 on one connection, with time limits."""

    limits: ClassVar[ConnectionLimits]

    network: str = ""
    """The client's address."""
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _refused = False

    @property
    def is_idle(self) -> bool:
        """Whether there is no request on the connection."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit, and refuse the connection if there are too many."""
        super().connection_made(transport)
        self.network = network_of(self.client[0] if self.client else "")
        self._start_head_timer()
        if not self.limits.admit(self):
            self._refused = True
            transport.write(_REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection."""
        self.limits.remove(self)
        self._stop_head_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data. A complete head ends the time limit."""
        if self._refused:
            return
        super().data_received(data)
        if not self.is_idle:
            self._stop_head_timer()

    def on_response_complete(self) -> None:
        """Start the time limit for the next request."""
        super().on_response_complete()
        if self.is_idle and not self.transport.is_closing():
            self._start_head_timer()

    def pause_writing(self) -> None:
        """Start the time limit for a client that reads nothing."""
        super().pause_writing()
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(STALL_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """End the time limit for reading."""
        self._stop_stall_timer()
        super().resume_writing()

    def evict(self) -> None:
        """Close the connection for another one."""
        self.limits.remove(self)
        self.transport.abort()

    def _start_head_timer(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._close_idle)

    def _close_idle(self) -> None:
        if self.is_idle and not self.transport.is_closing():
            self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def protocol_with(limits: ConnectionLimits) -> type[Any]:
    """Return the protocol class of a server with these limits."""
    return type("ServerProtocol", (LimitedProtocol,), {"limits": limits})


def _evict(groups: Iterable[dict[LimitedProtocol, None]], newest: LimitedProtocol) -> bool:
    """Close the oldest idle connection of the first address that has one. Return whether there was one."""
    idle = (connection for group in groups for connection in group if connection.is_idle and connection is not newest)
    evicted = next(idle, None)
    if evicted is not None:
        evicted.evict()
    return evicted is not None


def _allowed_by_descriptors() -> int:
    soft = open_file_limit()
    if soft is None:
        return _UNLIMITED
    return max(soft - _RESERVE, soft // 4)
