"""One build on the Engine's API: the request, its streamed answer, and breaking it off."""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from container_kit.stages.build.buildkit.session import Credentials, Session, SessionContent
from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.context.ignore import Patterns
from container_kit.stages.build.context.tar import write_tar
from container_kit.stages.docker.endpoint import Endpoint, EngineConnection

Take = Callable[[dict[str, Any]], None]
"""Takes one JSON record of the engine's answer, in the order of arrival."""


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built, all paths resolved."""

    context: Path
    dockerfile_folder: Path
    dockerfile_name: str
    dockerfile: str = field(repr=False)
    """The content."""
    ignore: Patterns
    tag: str
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    credentials: Credentials = field(default=lambda _: ("", ""), repr=False)
    no_cache: bool = False
    platforms: tuple[str, ...] = ()
    builder: str | None = None
    """The name of a builder of buildx."""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The query that every builder of the engine understands."""
        query = {
            "t": self.tag,
            "target": self.target or "",
            "buildargs": json.dumps(dict(self.build_args)),
            "labels": json.dumps(dict(self.labels)),
            "platform": ",".join(self.platforms),
            "nocache": "1" if self.no_cache else "",
            "rm": "1",
            "forcerm": "1",
        }
        return {name: value for name, value in query.items() if value}


class EngineRefused(Exception):
    """The engine answered a build request with an HTTP error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Builder(Protocol):
    """A way to have an image built. One object is one build."""

    name: str
    """As `Image.builder` says it."""

    def run(self, take: Take) -> None:
        """Build, blocking until the answer ends.

        Raises:
            EngineRefused: The engine did not take the request.
            StageFailure: The context cannot be sent.
            OSError: The connection broke (also after `abort`).
        """

    def abort(self) -> None:
        """Stop the build from another thread: `run` ends soon."""


class SessionBuilder:
    """BuildKit with a session: only what changed travels; secrets and private base images work."""

    name = "buildkit-session"

    def __init__(self, endpoint: Endpoint, request: BuildRequest) -> None:
        self._request = request
        folders = {"context": request.context, "dockerfile": request.dockerfile_folder}
        self._session = Session(endpoint, SessionContent(folders, request.secrets, request.credentials))
        self._exchange = _Exchange(EngineConnection(endpoint))

    def run(self, take: Take) -> None:
        """As in `Builder`; `SessionRefused` where the engine has no sessions."""
        query = {
            **self._request.parameters,
            "version": "2",
            "remote": "client-session",
            "session": self._session.id,
            "buildid": self._session.id,
            "dockerfile": self._request.dockerfile_name,
        }
        try:
            self._session.open()
            self._exchange.run(query, None, take)
        finally:
            self._session.close()
            if self._session.failure is not None:
                raise self._session.failure

    def abort(self) -> None:
        """As in `Builder`."""
        self._exchange.abort()
        self._session.abort()


class TarBuilder:
    """A builder that takes the whole context with the request: BuildKit without a session, or the classic one."""

    def __init__(self, endpoint: Endpoint, request: BuildRequest, *, buildkit: bool) -> None:
        self.name = "buildkit" if buildkit else "classic"
        self._request = request
        self._exchange = _Exchange(EngineConnection(endpoint))
        self._version = {"version": "2", "buildid": uuid.uuid4().hex} if buildkit else {}

    def run(self, take: Take) -> None:
        """As in `Builder`."""
        request = self._request
        path = request.dockerfile_folder / request.dockerfile_name
        inside = path.is_relative_to(request.context)
        name = path.relative_to(request.context).as_posix() if inside else ".container-kit.Dockerfile"

        def send(write: Callable[[bytes], None]) -> None:
            write_tar(walk(request.context, request.ignore), {name: request.dockerfile}, write)

        self._exchange.run({**self._request.parameters, **self._version, "dockerfile": name}, send, take)

    def abort(self) -> None:
        """As in `Builder`."""
        self._exchange.abort()


class _Exchange:
    """`POST /build` and its answer, line by line."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._aborted = threading.Event()

    def run(self, query: Mapping[str, str], body: Callable[[Callable[[bytes], None]], None] | None, take: Take) -> None:
        try:
            if self._aborted.is_set():
                raise ConnectionAbortedError("the build was cancelled")
            self._send(f"/build?{urlencode(query)}", body)
            response = self._connection.getresponse()
            if response.status != http.client.OK:
                raise EngineRefused(response.status, _message(response.read()))
            for line in response:
                take(json.loads(line))
        except (http.client.HTTPException, ValueError, AttributeError) as error:
            # a cut answer: an incomplete chunk, half a record, or a connection that abort closed under http.client
            raise ConnectionResetError(f"the engine's answer broke off: {error}") from error
        finally:
            self._connection.close()

    def abort(self) -> None:
        self._aborted.set()
        self._connection.abort()

    def _send(self, url: str, body: Callable[[Callable[[bytes], None]], None] | None) -> None:
        connection = self._connection
        connection.putrequest("POST", url)
        if body is None:
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            return
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        # An engine that refuses early closes while we still send; what it says can be read all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            body(lambda piece: connection.send(b"%x\r\n%s\r\n" % (len(piece), piece)))
            connection.send(b"0\r\n\r\n")


def _message(body: bytes) -> str:
    try:
        loaded = json.loads(body)
        return str(loaded["message"])
    except (ValueError, KeyError, TypeError):
        return body[:2000].decode(errors="replace")
