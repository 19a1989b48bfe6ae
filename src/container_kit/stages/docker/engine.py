"""The adapter to Docker Engine: one connection, calls in threads with a limit, foreign errors made faults."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.docker.endpoint import Endpoint, EndpointError, EngineConnection, find_endpoint

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

ENGINE_UNREACHABLE = FaultCode(
    "engine.unreachable",
    means="No Docker Engine answers at its address.",
    hint="Start Docker Engine, or point DOCKER_HOST at one ({host}); `container-kit doctor` shows what is missing.",
    retryable=True,
)
ENGINE_ADDRESS = FaultCode(
    "engine.address_invalid",
    means="DOCKER_HOST, the docker context or the TLS files do not name an engine that could be called.",
    hint="Correct DOCKER_HOST, DOCKER_CERT_PATH or the docker context (`docker context ls`).",
)
ENGINE_LOST = FaultCode(
    "engine.connection_lost",
    means="The engine answered at first and then the connection broke: it stopped or was restarted.",
    hint="Wait until the engine at {host} runs again, then retry; what was half made is cleaned up then.",
    retryable=True,
)
ENGINE_DENIED = FaultCode(
    "engine.permission_denied",
    means="The engine's socket is there, but this user may not use it.",
    hint="Add the user to the group that owns {host}, or use a rootless engine.",
)
ENGINE_DISK_FULL = FaultCode(
    "engine.disk_full",
    means="The engine's disk is full.",
    hint="Free space on the engine's disk, for example with `docker system df` and `docker builder prune`.",
)
ENGINE_ERROR = FaultCode(
    "engine.error",
    means="The engine refused a call for a reason that has no code of its own.",
    hint="The engine's own words are in the evidence.",
)

FAULTS = (ENGINE_UNREACHABLE, ENGINE_ADDRESS, ENGINE_LOST, ENGINE_DENIED, ENGINE_DISK_FULL, ENGINE_ERROR)

_CALLS_AT_ONCE = 8
_STREAMS_AT_ONCE = 16
_ANSWERS_WITHIN = 5.0
_ASKED_EVERY = 10.0
_MISSES = 2


class DockerEngine:
    """A Docker Engine, found as the docker command line finds it; connected at the first call.

    Args:
        host: As in DOCKER_HOST, for example `unix:///var/run/docker.sock`; None finds it (`find_endpoint`).
        timeout: Seconds that one ordinary call may take.
    """

    def __init__(self, host: str | None = None, timeout: float = 60) -> None:
        self._asked_for = host
        self._timeout = timeout
        self._client: APIClient | None = None
        self._connecting = threading.Lock()
        self._calls = anyio.CapacityLimiter(_CALLS_AT_ONCE)
        self._streams = anyio.CapacityLimiter(_STREAMS_AT_ONCE)

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where the engine listens.

        Raises:
            EndpointError: Its address cannot be used.
        """
        return find_endpoint(self._asked_for)

    @property
    def host(self) -> str:
        """The engine's address, as in DOCKER_HOST; what was asked for where that cannot be used."""
        try:
            return self.endpoint.host
        except EndpointError:
            return self._asked_for or "an unusable address"

    async def call(self, work: Callable[[APIClient], T]) -> T:
        """Run blocking work with the SDK's low-level client in a thread.

        Args:
            work: Called with the client; it must return in bounded time, for a thread cannot be cancelled.

        Raises:
            StageFailure: One of `FAULTS`. `docker.errors.NotFound` and other answers that the caller should judge are
                passed through `work`'s own handling first.
        """
        return await self._in_thread(lambda: self._blocking(work))

    async def ping(self) -> dict[str, str]:
        """Ask whether the engine is there, within a few seconds.

        Returns:
            The answer's headers, names in lower case: `api-version`, `builder-version`, `libpod-api-version`, …

        Raises:
            StageFailure: `engine.unreachable`, `engine.permission_denied` or `engine.address_invalid`.
        """
        return await self._in_thread(self._ping)

    async def stream(self, work: Callable[[], T], abort: Callable[[], None]) -> T:
        """Run long blocking work on connections of its own in a thread; a cancel aborts it and waits for its end.

        The engine is asked now and then whether it still lives, so that one that hangs cannot hold the work for ever.

        Args:
            work: May take as long as it needs.
            abort: Called from another thread when it should stop; `work` then ends soon.

        Raises:
            StageFailure: `engine.connection_lost` if the engine stopped answering; what `work` raises passes through.
        """
        lost: list[StageFailure] = []

        async def watch() -> None:
            lost.append(await self._falls_silent())
            abort()

        async def abort_at_the_end() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                abort()  # the thread then ends; the call that waits for it does so even when cancelled

        async with anyio.create_task_group() as group:
            group.start_soon(abort_at_the_end)
            group.start_soon(watch)
            outcome = await anyio.to_thread.run_sync(_captured, work, limiter=self._streams)
            group.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        if isinstance(outcome, _Raised):
            raise (lost[0] if lost else outcome.error) from outcome.error
        return outcome

    async def _falls_silent(self) -> StageFailure:
        """Wait until the engine has not answered several times in a row."""
        missed = 0
        while True:
            await anyio.sleep(_ASKED_EVERY)
            try:
                await self.ping()
                missed = 0
            except StageFailure as failure:
                missed += 1
                if missed >= _MISSES:
                    return self.lost(failure)

    def lost(self, error: Exception) -> StageFailure:
        """Make the fault of a connection that broke."""
        evidence = [Evidence(kind="value", text=str(error)[:2000] or type(error).__name__)]
        return ENGINE_LOST(f"the connection to {self.host} broke", evidence=evidence, host=self.host)

    def close(self) -> None:
        """Close idle connections. The engine can be used again afterwards."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    def connection(self, timeout: float | None = None) -> EngineConnection:
        """Make an unconnected HTTP connection of the caller's own, for streams and upgrades. It does not block.

        Args:
            timeout: Seconds for each read and write; None for streams that may be silent for long.
        """
        return EngineConnection(self.endpoint, timeout, _ANSWERS_WITHIN)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._calls)

    def _blocking(self, work: Callable[[APIClient], T]) -> T:
        from docker.errors import DockerException

        try:
            return work(self._connected())
        except (DockerException, OSError) as error:
            raise self.translate(error) from error

    def _connected(self) -> APIClient:
        with self._connecting:
            if self._client is None:
                self._client = self._connect(self._ping().get("api-version"))
            return self._client

    def _connect(self, version: str | None) -> APIClient:
        from docker import APIClient

        options: dict[str, Any] = {"version": version or "auto", "timeout": self._timeout}
        if self.endpoint.tls is None and not self.host.startswith("ssh://"):
            return APIClient(base_url=self.host, **options)
        from container_kit.stages.docker.transport import DialingAdapter

        client = APIClient(base_url="tcp://docker:2375", **options)  # the adapter dials elsewhere
        client.mount("http://docker:2375", DialingAdapter(self.endpoint, _ANSWERS_WITHIN))
        return client

    def _ping(self) -> dict[str, str]:
        try:
            connection = self.connection(_ANSWERS_WITHIN)
        except EndpointError as error:
            raise ENGINE_ADDRESS(str(error)) from error
        try:
            connection.request("GET", "/_ping")
            response = connection.getresponse()
            response.read()
        except (OSError, EndpointError, http.client.HTTPException) as error:
            raise self._no_answer(error) from error
        finally:
            connection.close()
        return {name.lower(): value for name, value in response.getheaders()}

    def _no_answer(self, error: Exception) -> StageFailure:
        evidence = [Evidence(kind="value", text=str(error)[:2000] or type(error).__name__)]
        if isinstance(error, EndpointError):
            return ENGINE_ADDRESS(str(error))
        if isinstance(error, PermissionError):
            return ENGINE_DENIED(f"no permission to use {self.host}", evidence=evidence, host=self.host)
        return ENGINE_UNREACHABLE(f"no answer from the engine at {self.host}", evidence=evidence, host=self.host)

    def translate(self, error: Exception) -> StageFailure:
        """Make a fault of what the SDK or the socket raised."""
        text = str(error)
        evidence = [Evidence(kind="value", text=text[:2000])]
        if "no space left on device" in text.lower():
            return ENGINE_DISK_FULL("the engine's disk is full", evidence=evidence)
        if _is_connection_trouble(error):
            return self.lost(error)
        if "permission denied" in text.lower() and "socket" in text.lower():
            return ENGINE_DENIED(f"no permission to use {self.host}", evidence=evidence, host=self.host)
        return ENGINE_ERROR(_first_line(text), evidence=evidence)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _captured(work: Callable[[], T]) -> T | _Raised:
    """Run work; an error comes back as a value, so that it is not wrapped by the tasks around it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 (raised again by the caller)
        return _Raised(error)


def _is_connection_trouble(error: Exception) -> bool:
    import requests.exceptions as requests
    from docker.errors import APIError, DockerException

    if isinstance(error, APIError):
        return False
    foreign = (requests.ConnectionError, requests.Timeout, requests.ChunkedEncodingError, OSError)
    return isinstance(error, (*foreign, http.client.HTTPException)) or (
        isinstance(error, DockerException) and "Error while fetching server" in str(error)
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "the engine gave no reason"
