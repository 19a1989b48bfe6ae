"""A BuildKit session: the engine calls back over an upgraded connection for files, secrets and credentials.

The engine is the gRPC client and this side the server, on a connection that this side opened (`POST /session`, upgraded
to h2c). A separate thread serves it, because gRPC framing, walking folders and reading files would block the event
loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.endpoint import Connection, Endpoint

if TYPE_CHECKING:
    from grpclib.const import Handler
    from grpclib.server import Stream

_UPGRADE_TIMEOUT = 10.0
_JOIN_TIMEOUT = 3.0
_WINDOW = 1 << 20

FindCredentials = Callable[[str], Awaitable[Credentials]]
"""Finds the credentials for the host of a registry."""


async def anonymous(host: str) -> Credentials:
    """Return empty credentials for a registry."""
    return Credentials(host)


class SessionRefused(Exception):
    """The server offers no sessions: Podman, or a proxy that strips upgrades."""


@dataclass(frozen=True)
class SessionContent:
    """The content that the engine may request."""

    folders: Mapping[str, Path]
    """The local folders by the frontend's names for them: `context`, `dockerfile`."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    find_credentials: FindCredentials = anonymous

    @property
    def shared_key(self) -> str:
        """A key for each folder. The engine keeps the folder's content under it for the next build."""
        identity = f"{uuid.getnode()}:{self.folders['context']}"
        return "container-kit-" + hashlib.sha256(identity.encode()).hexdigest()


class Session:
    """One session. `open` starts it; any thread may call `abort` and `close` at any time."""

    def __init__(self, endpoint: Endpoint, content: SessionContent) -> None:
        self.id = uuid.uuid4().hex
        self.failure: Exception | None = None
        """The first error on this side that made a request of the engine fail."""
        self._endpoint = endpoint
        self._content = content
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name=f"buildkit-session-{self.id[:8]}", daemon=True)
        self._connection: Connection | None = None
        self._closed = False

    def open(self) -> None:
        """Connect and start to serve. It blocks until the engine accepts the upgrade.

        Raises:
            SessionRefused: The engine offers no sessions.
            OSError: The engine does not answer.
        """
        self._thread.start()
        self._opened.result(_UPGRADE_TIMEOUT + 5)

    def abort(self) -> None:
        """Break the connection."""
        self._closed = True
        if self._connection is not None:
            self._connection.abort()

    def close(self) -> None:
        """Break the connection and wait for the thread."""
        self.abort()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - raised in the thread that opened the session
            if not self._opened.done():
                self._opened.set_exception(error)
            elif not isinstance(error, OSError) and not self._closed:
                self._record_failure(error)

    async def _serve(self) -> None:
        from grpclib.config import Configuration
        from grpclib.server import Server

        services = Services(self._content, self._record_failure)
        config = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
        # grpclib has no public way to serve one existing connection; its test helper uses the same method.
        protocol = Server([services], config=config)._protocol_factory()
        upgrade = _Upgrade(self._request(list(services.__mapping__())), protocol)
        connection = self._connection = self._endpoint.dial(_UPGRADE_TIMEOUT)
        try:
            await _attach(connection, self._endpoint, upgrade)
            if self._closed:
                return
            async with asyncio.timeout(_UPGRADE_TIMEOUT):
                await upgrade.accepted
            self._opened.set_result(None)
            await upgrade.lost
        finally:
            upgrade.end()
            connection.close()

    def _request(self, methods: list[str]) -> bytes:
        lines = [
            "POST /session HTTP/1.1",
            "Host: docker",
            "Connection: Upgrade",
            "Upgrade: h2c",
            "Content-Length: 0",
            f"X-Docker-Expose-Session-Uuid: {self.id}",
            "X-Docker-Expose-Session-Name: container-kit",
            f"X-Docker-Expose-Session-Sharedkey: {self._content.shared_key}",
            *(f"X-Docker-Expose-Session-Grpc-Method: {method}" for method in methods),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _record_failure(self, error: Exception) -> None:
        self.failure = self.failure or error


async def _attach(connection: Connection, endpoint: Endpoint, upgrade: _Upgrade) -> None:
    connection.sock.setblocking(False)
    tls = endpoint.tls.context() if endpoint.tls else None
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: upgrade, sock=connection.sock, ssl=tls, server_hostname=endpoint.server_name)


class _Upgrade(asyncio.Protocol):
    """Requests the upgrade, then passes the connection's bytes to gRPC."""

    def __init__(self, request: bytes, inner: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._request = request
        self._inner = inner
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.accepted.done():
            self._inner.data_received(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        status = head.split(b"\r\n", 1)[0].decode(errors="replace")
        if " 101 " not in f"{status} " or self._transport is None:
            self.accepted.set_exception(SessionRefused(status))
            return
        self._inner.connection_made(cast("asyncio.Transport", _BufferedTransport(self._transport)))
        self.accepted.set_result(None)
        if rest:
            self._inner.data_received(rest)

    def end(self) -> None:
        """Close the connection, even if the engine refused the upgrade and keeps it open."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.accepted.done() and self.accepted.exception() is None:
            self._inner.connection_lost(exc)
        elif not self.accepted.done():
            self.accepted.set_exception(exc or SessionRefused("the connection was closed"))
        if not self.lost.done():
            self.lost.set_result(None)


class _BufferedTransport:
    """A transport that sends all writes of one event loop iteration together, because HTTP/2 writes frames of 16 KB."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._transport.write(b"".join(pending))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Services:
    """The gRPC methods of a session, for grpclib."""

    def __init__(self, content: SessionContent, record_failure: Callable[[Exception], None]) -> None:
        self._content = content
        self._record_failure = record_failure

    def __mapping__(self) -> dict[str, Handler]:
        from grpclib.const import Cardinality, Handler

        from container_kit.stages.build.buildkit import messages as protocol

        def unary(work: Any, request: Any, reply: Any) -> Handler:
            return Handler(work, Cardinality.UNARY_UNARY, request, reply)

        return {
            "/grpc.health.v1.Health/Check": unary(
                self._health, protocol.HealthCheckRequest, protocol.HealthCheckResponse
            ),
            "/moby.buildkit.secrets.v1.Secrets/GetSecret": unary(
                self._secret, protocol.GetSecretRequest, protocol.GetSecretResponse
            ),
            "/moby.filesync.v1.Auth/Credentials": unary(
                self._credentials, protocol.CredentialsRequest, protocol.CredentialsResponse
            ),
            "/moby.filesync.v1.FileSync/DiffCopy": Handler(
                self._diff_copy, Cardinality.STREAM_STREAM, protocol.Packet, protocol.Packet
            ),
        }

    async def _health(self, stream: Stream[Any, Any]) -> None:
        from container_kit.stages.build.buildkit.messages import SERVING, HealthCheckResponse

        await stream.recv_message()
        await stream.send_message(HealthCheckResponse(status=SERVING))

    async def _secret(self, stream: Stream[Any, Any]) -> None:
        from grpclib import GRPCError, Status

        from container_kit.stages.build.buildkit.messages import GetSecretResponse

        request: Any = await stream.recv_message()
        value = self._content.secrets.get(request.id)
        if value is None:
            raise GRPCError(Status.NOT_FOUND, f"secret {request.id} not found")
        await stream.send_message(GetSecretResponse(data=value))

    async def _credentials(self, stream: Stream[Any, Any]) -> None:
        from container_kit.stages.build.buildkit.messages import CredentialsResponse

        request: Any = await stream.recv_message()
        credentials = await self._content.find_credentials(request.host)
        secret = credentials.identity_token or credentials.password
        await stream.send_message(CredentialsResponse(username=credentials.username, secret=secret))

    async def _diff_copy(self, stream: Stream[Any, Any]) -> None:
        from grpclib import GRPCError, Status

        from container_kit.stages.build.buildkit.filesync import send_folder

        try:
            with suppress(ConnectionError):
                await send_folder(stream, self._content.folders)
        except GRPCError:
            raise
        except Exception as error:  # any error ends the build, which reports it
            self._record_failure(error)
            raise GRPCError(Status.ABORTED, "the build context could not be sent") from error
