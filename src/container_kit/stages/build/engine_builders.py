"""Builders on the Engine API: the build request, its streamed response, and its cancellation."""

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

from container_kit.stages.build.base_credentials import registry_config
from container_kit.stages.build.buildkit.session import FindCredentials, Session, SessionContent, anonymous
from container_kit.stages.build.context.build_context import walk
from container_kit.stages.build.context.tar import write_tar
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.endpoint import Endpoint, EngineConnection
from container_kit.stages.formats.dockerignore import DockerIgnore

OnRecord = Callable[[dict[str, Any]], None]
"""Receives each JSON record of the builder, in order."""
WriteBody = Callable[[Callable[[bytes], None]], None]
"""Writes a request's body in pieces."""


@dataclass(frozen=True)
class BuildRequest:
    """One build, with all paths resolved."""

    context: Path
    dockerfile_folder: Path
    dockerfile_name: str
    dockerfile: str = field(repr=False)
    """The content."""
    ignore: DockerIgnore
    tag: str
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    find_credentials: FindCredentials = anonymous
    """Finds credentials when BuildKit requests them."""
    base_credentials: tuple[Credentials, ...] = ()
    """The credentials for the registries of the base images, for builders that need them with the request."""
    no_cache: bool = False
    platforms: tuple[str, ...] = ()
    builder: str | None = None
    """The name of a buildx builder."""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters that every builder of the engine supports."""
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


class BuildRejected(Exception):
    """The engine answered a build request with an HTTP error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Builder(Protocol):
    """A way to build an image. One object is one build."""

    name: str
    """The value of `Image.builder`."""

    def run(self, on_record: OnRecord) -> None:
        """Build. It blocks until the response ends.

        Raises:
            BuildRejected: The engine rejected the request.
            StageFailure: The context cannot be sent.
            OSError: The connection broke, possibly because of `abort`.
        """

    def abort(self) -> None:
        """Stop the build from another thread. `run` then ends soon."""


class SessionBuilder:
    """BuildKit with a session: it transfers only changed files, and supports secrets and private base images."""

    name = "buildkit-session"

    def __init__(self, endpoint: Endpoint, request: BuildRequest) -> None:
        self._request = request
        folders = {"context": request.context, "dockerfile": request.dockerfile_folder}
        self._session = Session(endpoint, SessionContent(folders, request.secrets, request.find_credentials))
        self._exchange = _Exchange(EngineConnection(endpoint))

    def run(self, on_record: OnRecord) -> None:
        """Build as `Builder.run` does. It raises `SessionRefused` if the engine has no sessions."""
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
            self._exchange.run(query, {}, None, on_record)
        finally:
            self._session.close()
            if self._session.failure is not None:
                raise self._session.failure

    def abort(self) -> None:
        """Stop the build."""
        self._exchange.abort()
        self._session.abort()


class TarBuilder:
    """A builder that receives the whole context with the request: BuildKit without a session, or the classic one."""

    def __init__(self, endpoint: Endpoint, request: BuildRequest, *, buildkit: bool) -> None:
        self.name = "buildkit" if buildkit else "classic"
        self._request = request
        self._exchange = _Exchange(EngineConnection(endpoint))
        self._version = {"version": "2", "buildid": uuid.uuid4().hex} if buildkit else {}

    def run(self, on_record: OnRecord) -> None:
        """Build as `Builder.run` does."""
        request = self._request
        path = request.dockerfile_folder / request.dockerfile_name
        inside = path.is_relative_to(request.context)
        name = path.relative_to(request.context).as_posix() if inside else ".container-kit.Dockerfile"

        def write_body(write: Callable[[bytes], None]) -> None:
            write_tar(walk(request.context, request.ignore), {name: request.dockerfile}, write)

        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        if request.base_credentials:
            headers["X-Registry-Config"] = registry_config(request.base_credentials)
        self._exchange.run({**request.parameters, **self._version, "dockerfile": name}, headers, write_body, on_record)

    def abort(self) -> None:
        """Stop the build."""
        self._exchange.abort()


class _Exchange:
    """`POST /build` and its response, line by line."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._aborted = threading.Event()

    def run(
        self, query: Mapping[str, str], headers: Mapping[str, str], write_body: WriteBody | None, on_record: OnRecord
    ) -> None:
        try:
            if self._aborted.is_set():
                raise ConnectionAbortedError("the build was cancelled")
            self._send(f"/build?{urlencode(query)}", headers, write_body)
            response = self._connection.getresponse()
            if response.status != http.client.OK:
                raise BuildRejected(response.status, _message(response.read()))
            for line in response:
                on_record(json.loads(line))
        except (http.client.HTTPException, ValueError, AttributeError) as error:
            # a response cut short: an incomplete chunk, half a record, or a connection that `abort` closed
            raise ConnectionResetError(f"the engine's response broke off: {error}") from error
        finally:
            self._connection.close()

    def abort(self) -> None:
        self._aborted.set()
        self._connection.abort()

    def _send(self, url: str, headers: Mapping[str, str], write_body: WriteBody | None) -> None:
        connection = self._connection
        connection.putrequest("POST", url)
        for name, value in headers.items():
            connection.putheader(name, value)
        if write_body is None:
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            return
        connection.endheaders()
        # An engine that rejects the request early closes the connection; its response can still be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            write_body(lambda piece: connection.send(b"%x\r\n%s\r\n" % (len(piece), piece)))
            connection.send(b"0\r\n\r\n")


def _message(body: bytes) -> str:
    try:
        loaded = json.loads(body)
        return str(loaded["message"])
    except (ValueError, KeyError, TypeError):
        return body[:2000].decode(errors="replace")
