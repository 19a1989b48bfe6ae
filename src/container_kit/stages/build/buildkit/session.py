"""A BuildKit session: the engine calls back over an upgraded connection and asks for files, secrets and credentials.

The engine is the gRPC client and this side the server, on a connection that this side opened (`POST /session`, upgraded
to h2c). It is served on a thread of its own, for gRPC framing, walking folders and reading files would hold up the
event loop of everybody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from container_kit.stages.docker.endpoint import Endpoint, Wire

if TYPE_CHECKING:
    from grpclib.const import Handler
    from grpclib.server import Stream

_UPGRADED_WITHIN = 10.0
_ENDED_WITHIN = 3.0
_WINDOW = 1 << 20

Credentials = Callable[[str], tuple[str, str]]
"""From a registry's host to user name and secret; two empty texts where there are none."""


class SessionRefused(Exception):
    """What answered does not offer sessions: Podman, or a proxy that strips upgrades."""


@dataclass(frozen=True)
class SessionContent:
    """What the engine may ask for."""

    folders: Mapping[str, Path]
    """The local folders by the names that the frontend uses: `context`, `dockerfile`."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    credentials: Credentials = field(default=lambda _: ("", ""), repr=False)

    @property
    def shared_key(self) -> str:
        """The same for each build of the same folder, so that the engine keeps what it has of it."""
        identity = f"{uuid.getnode()}:{self.folders['context']}"
        return "container-kit-" + hashlib.sha256(identity.encode()).hexdigest()


class Session:
    """One session. `open` starts it; `abort` and `close` may be called from any thread, at any time."""

    def __init__(self, endpoint: Endpoint, content: SessionContent) -> None:
        self.id = uuid.uuid4().hex
        self.failure: Exception | None = None
        """Why a request of the engine could not be answered, where the reason is on this side."""
        self._endpoint = endpoint
        self._content = content
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name=f"buildkit-session-{self.id[:8]}", daemon=True)
        self._wire: Wire | None = None
        self._closed = False

    def open(self) -> None:
        """Connect and begin to serve; it blocks until the engine agreed.

        Raises:
            SessionRefused: The engine offers no sessions.
            OSError: The engine does not answer.
        """
        self._thread.start()
        self._opened.result(_UPGRADED_WITHIN + 5)

    def abort(self) -> None:
        """Break the connection."""
        self._closed = True
        if self._wire is not None:
            self._wire.abort()

    def close(self) -> None:
        """Break the connection and wait for the thread."""
        self.abort()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_ENDED_WITHIN)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 (it belongs to whoever opened the session)
            if not self._opened.done():
                self._opened.set_exception(error)
            elif not isinstance(error, OSError) and not self._closed:
                self._failed(error)

    async def _serve(self) -> None:
        from grpclib.config import Configuration
        from grpclib.server import Server

        services = Services(self._content, self._failed)
        config = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
        # grpclib listens for itself; its own test helper makes the protocol of one connection in this way too
        protocol = Server([services], config=config)._protocol_factory()
        upgrade = _Upgrade(self._request(list(services.__mapping__())), protocol)
        wire = self._wire = self._endpoint.dial(_UPGRADED_WITHIN)
        try:
            await _connected(wire, self._endpoint, upgrade)
            if self._closed:
                return
            async with asyncio.timeout(_UPGRADED_WITHIN):
                await upgrade.agreed
            self._opened.set_result(None)
            await upgrade.lost
        finally:
            upgrade.end()
            wire.close()

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

    def _failed(self, error: Exception) -> None:
        self.failure = self.failure or error


async def _connected(wire: Wire, endpoint: Endpoint, upgrade: _Upgrade) -> None:
    wire.sock.setblocking(False)
    tls = endpoint.tls.context() if endpoint.tls else None
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: upgrade, sock=wire.sock, ssl=tls, server_hostname=endpoint.server_name)


class _Upgrade(asyncio.Protocol):
    """Asks for the upgrade, then hands the connection's bytes to gRPC."""

    def __init__(self, request: bytes, inner: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        self.agreed: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._request = request
        self._inner = inner
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.agreed.done():
            self._inner.data_received(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        status = head.split(b"\r\n", 1)[0].decode(errors="replace")
        if " 101 " not in f"{status} " or self._transport is None:
            self.agreed.set_exception(SessionRefused(status))
            return
        self._inner.connection_made(cast("asyncio.Transport", _Gathering(self._transport)))
        self.agreed.set_result(None)
        if rest:
            self._inner.data_received(rest)

    def end(self) -> None:
        """Let go of the connection, also where the engine refused the upgrade and keeps it open."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.agreed.done() and self.agreed.exception() is None:
            self._inner.connection_lost(exc)
        elif not self.agreed.done():
            self.agreed.set_exception(exc or SessionRefused("the connection was closed"))
        if not self.lost.done():
            self.lost.set_result(None)


class _Gathering:
    """A transport that sends what is written in one go of the event loop at once: HTTP/2 writes frames of 16 KB."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._transport.write(b"".join(waiting))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Services:
    """The methods that a session offers, as grpclib wants them."""

    def __init__(self, content: SessionContent, failed: Callable[[Exception], None]) -> None:
        self._content = content
        self._failed = failed

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
        username, secret = self._content.credentials(request.host)
        await stream.send_message(CredentialsResponse(username=username, secret=secret))

    async def _diff_copy(self, stream: Stream[Any, Any]) -> None:
        from grpclib import GRPCError, Status

        from container_kit.stages.build.buildkit.filesync import send_folder

        try:
            with suppress(ConnectionError):
                await send_folder(stream, self._content.folders)
        except GRPCError:
            raise
        except Exception as error:  # whatever it is, the build ends and tells it
            self._failed(error)
            raise GRPCError(Status.ABORTED, "the build context could not be sent") from error
