"""The adapter to Docker Engine: calls in a limited number of threads, and translation of foreign errors to faults."""

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

from container_kit.stages.contract import expressions as re
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
ENGINE_ADDRESS_INVALID = FaultCode(
    "engine.address_invalid",
    means="DOCKER_HOST, the Docker context or the TLS files are not valid.",
    hint="Correct DOCKER_HOST, DOCKER_CERT_PATH or the Docker context (`docker context ls`).",
)
ENGINE_CONNECTION_LOST = FaultCode(
    "engine.connection_lost",
    means="The engine answered at first, then the connection broke: the engine stopped or was restarted.",
    hint="Wait until the engine at {host} runs again, then retry. The retry cleans up unfinished work.",
    retryable=True,
)
ENGINE_PERMISSION_DENIED = FaultCode(
    "engine.permission_denied",
    means="The engine's socket exists, but this user has no permission to use it.",
    hint="Add the user to the group that owns {host}, or use a rootless engine.",
)
ENGINE_DISK_FULL = FaultCode(
    "engine.disk_full",
    means="The engine's disk is full.",
    hint="Free space on the engine's disk, for example with `docker system df` and `docker builder prune`.",
)
ENGINE_INIT_NOT_FOUND = FaultCode(
    "engine.init_not_found",
    means="The engine has no init program, which forwards signals to an application and reaps its processes.",
    hint="Install it on the engine's machine: `apt-get install catatonit` for Podman, docker-init for Docker.",
)
ENGINE_NETWORK_FAILED = FaultCode(
    "engine.network_failed",
    means="The engine could not set up the network of a container.",
    hint="Repair the engine's network on its machine, as the evidence says; any other container fails too.",
)
ENGINE_ERROR = FaultCode(
    "engine.error",
    means="The engine rejected a call for a reason without a separate code.",
    hint="See the engine's message in the evidence.",
)

FAULTS = (
    ENGINE_UNREACHABLE,
    ENGINE_ADDRESS_INVALID,
    ENGINE_CONNECTION_LOST,
    ENGINE_PERMISSION_DENIED,
    ENGINE_DISK_FULL,
    ENGINE_INIT_NOT_FOUND,
    ENGINE_NETWORK_FAILED,
    ENGINE_ERROR,
)

_NO_INIT = re.compile(r"container-init binary not found|(?:docker-init|catatonit)\S*: (?:executable file )?not found")
_NO_NETWORK = re.compile(
    r"slirp4netns failed|pasta failed|netavark: |aardvark-dns|CNI network|failed to create endpoint"
)
_MAX_CALLS = 8
_MAX_STREAMS = 16
_PING_TIMEOUT = 5.0
_PING_INTERVAL = 10.0
_MAX_MISSED_PINGS = 2


class DockerEngine:
    """A Docker Engine, found as the docker command finds it. It connects at the first call.

    Args:
        host: As in DOCKER_HOST, for example `unix:///var/run/docker.sock`; None finds it (`find_endpoint`).
        timeout: Seconds for one ordinary call.
    """

    def __init__(self, host: str | None = None, timeout: float = 60) -> None:
        self._requested_host = host
        self._timeout = timeout
        self._client: APIClient | None = None
        self._connecting = threading.Lock()
        self._calls = anyio.CapacityLimiter(_MAX_CALLS)
        self._streams = anyio.CapacityLimiter(_MAX_STREAMS)

    @cached_property
    def endpoint(self) -> Endpoint:
        """The engine's endpoint.

        Raises:
            EndpointError: The address cannot be used.
        """
        return find_endpoint(self._requested_host)

    @property
    def host(self) -> str:
        """The engine's address, as in DOCKER_HOST but without credentials."""
        try:
            return self.endpoint.host
        except EndpointError:
            return "an unusable address"

    @property
    def requested_host(self) -> str | None:
        """The address that this engine was created with; None if it was found."""
        return self._requested_host

    @property
    def is_local(self) -> bool:
        """Whether the address is a socket or pipe of this machine."""
        try:
            return self.endpoint.is_local
        except EndpointError:
            return False

    def forward_command(self, port: int) -> str | None:
        """Return the command that makes a port of a remote engine reachable on this machine; None for a local one."""
        try:
            return self.endpoint.forward_command(port)
        except EndpointError:
            return None

    async def call(self, work: Callable[[APIClient], T]) -> T:
        """Run blocking work with the SDK's low-level client in a thread.

        Args:
            work: Called with the client. It must return in bounded time, because a thread cannot be cancelled. It
                handles `docker.errors.NotFound` and similar answers that mean something to the caller.

        Raises:
            StageFailure: One of `FAULTS`.
        """
        return await self._in_thread(lambda: self._run(work))

    async def ping(self) -> dict[str, str]:
        """Ping the engine, with a time limit of a few seconds.

        Returns:
            The headers of the response, with names in lower case: `api-version`, `builder-version`, …

        Raises:
            StageFailure: `engine.unreachable`, `engine.permission_denied` or `engine.address_invalid`.
        """
        return await self._in_thread(self._ping)

    async def stream(self, work: Callable[[], T], abort: Callable[[], None]) -> T:
        """Run long blocking work with separate connections in a thread. Cancellation aborts it and waits for its end.

        The engine is pinged regularly, so that an engine that hangs does not block the work forever.

        Args:
            work: May take as long as it needs.
            abort: Called from another thread to stop the work, which then ends soon.

        Raises:
            StageFailure: `engine.connection_lost` if the engine stopped answering. Exceptions of `work` pass through.
        """
        lost: list[StageFailure] = []

        async def watch() -> None:
            lost.append(await self._wait_until_silent())
            abort()

        async def abort_at_the_end() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                abort()  # the thread then ends; `run_sync` waits for it even when cancelled

        async with anyio.create_task_group() as group:
            group.start_soon(abort_at_the_end)
            group.start_soon(watch)
            outcome = await anyio.to_thread.run_sync(_capture, work, limiter=self._streams)
            group.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        if isinstance(outcome, _Raised):
            raise (lost[0] if lost else outcome.error) from outcome.error
        return outcome

    async def _wait_until_silent(self) -> StageFailure:
        """Wait until the engine has missed several pings in a row."""
        missed = 0
        while True:
            await anyio.sleep(_PING_INTERVAL)
            try:
                await self.ping()
                missed = 0
            except StageFailure as failure:
                missed += 1
                if missed >= _MAX_MISSED_PINGS:
                    return self.connection_lost(failure)

    def connection_lost(self, error: Exception) -> StageFailure:
        """Create the fault of a broken connection."""
        evidence = [Evidence(kind="value", text=str(error)[:2000] or type(error).__name__)]
        return ENGINE_CONNECTION_LOST(f"the connection to {self.host} broke", evidence=evidence, host=self.host)

    def close(self) -> None:
        """Close idle connections. The engine can be used again afterwards."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    def connection(self, timeout: float | None = None) -> EngineConnection:
        """Create a separate HTTP connection for streams and upgrades. It does not connect yet.

        Args:
            timeout: Seconds for each read and write; None for streams that may be silent for long.
        """
        return EngineConnection(self.endpoint, timeout, _PING_TIMEOUT)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._calls)

    def _run(self, work: Callable[[APIClient], T]) -> T:
        from docker.errors import DockerException

        try:
            return work(self._get_client())
        except (DockerException, OSError) as error:
            raise self.translate(error) from error

    def _get_client(self) -> APIClient:
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

        client = APIClient(base_url="tcp://docker:2375", **options)  # the adapter connects to the endpoint instead
        client.mount("http://docker:2375", DialingAdapter(self.endpoint, _PING_TIMEOUT))
        return client

    def _ping(self) -> dict[str, str]:
        try:
            connection = self.connection(_PING_TIMEOUT)
        except EndpointError as error:
            raise ENGINE_ADDRESS_INVALID(str(error)) from error
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
            return ENGINE_ADDRESS_INVALID(str(error))
        if isinstance(error, PermissionError):
            return ENGINE_PERMISSION_DENIED(f"no permission to use {self.host}", evidence=evidence, host=self.host)
        return ENGINE_UNREACHABLE(f"no answer from the engine at {self.host}", evidence=evidence, host=self.host)

    def translate(self, error: Exception) -> StageFailure:
        """Translate an exception of the SDK or the socket to a fault."""
        text = str(getattr(error, "explanation", None) or error)
        evidence = [Evidence(kind="value", text=text[:2000])]
        if "no space left on device" in text.lower():
            return ENGINE_DISK_FULL("the engine's disk is full", evidence=evidence)
        if _is_connection_error(error):
            return self.connection_lost(error)
        if "permission denied" in text.lower() and "socket" in text.lower():
            return ENGINE_PERMISSION_DENIED(f"no permission to use {self.host}", evidence=evidence, host=self.host)
        if _NO_INIT.search(text):
            return ENGINE_INIT_NOT_FOUND("the engine has no init program for containers", evidence=evidence)
        if _NO_NETWORK.search(text):
            return ENGINE_NETWORK_FAILED(f"the engine cannot set up a network: {_first_line(text)}", evidence=evidence)
        return ENGINE_ERROR(_first_line(text), evidence=evidence)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _capture(work: Callable[[], T]) -> T | _Raised:
    """Run work and return its exception as a value, so that the task group does not wrap it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - raised again by the caller
        return _Raised(error)


def _is_connection_error(error: Exception) -> bool:
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
