"""The adapter to Docker Engine: one connection, calls in threads with a limit, foreign errors made faults."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from container_kit.stages.fault import Evidence, FaultCode, StageFailure

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

ENGINE_UNREACHABLE = FaultCode(
    "engine.unreachable",
    means="No Docker Engine answers at its address.",
    hint="Start Docker Engine, or point DOCKER_HOST at one ({host}); `container-kit doctor` shows what is missing.",
    retryable=True,
)
ENGINE_LOST = FaultCode(
    "engine.lost",
    means="The engine answered at first and then the connection broke: it stopped or was restarted.",
    hint="Wait until the engine at {host} runs again, then retry; what was half made is cleaned up then.",
    retryable=True,
)
ENGINE_DENIED = FaultCode(
    "engine.denied",
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

FAULTS = (ENGINE_UNREACHABLE, ENGINE_LOST, ENGINE_DENIED, ENGINE_DISK_FULL, ENGINE_ERROR)

_CALLS_AT_ONCE = 8


class DockerEngine:
    """A Docker Engine, found as the docker command line finds it; connected at the first call.

    Args:
        host: As in DOCKER_HOST, for example `unix:///var/run/docker.sock`; None means DOCKER_HOST, else the default.
        timeout: Seconds that one ordinary call may take.
    """

    def __init__(self, host: str | None = None, timeout: float = 60) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self._timeout = timeout
        self._client: APIClient | None = None
        self._limit: anyio.CapacityLimiter | None = None

    async def call(self, work: Callable[[APIClient], T]) -> T:
        """Run blocking work with the SDK's low-level client in a thread.

        Args:
            work: Called with the client; it must return in bounded time, for a thread cannot be cancelled.

        Raises:
            StageFailure: One of `FAULTS`. `docker.errors.NotFound` and other answers that the caller should judge are
                passed through `work`'s own handling first.
        """
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(_CALLS_AT_ONCE)
        return await anyio.to_thread.run_sync(self._blocking, work, limiter=self._limit)

    def _blocking(self, work: Callable[[APIClient], T]) -> T:
        from docker.errors import DockerException

        try:
            return work(self._connected())
        except (DockerException, OSError) as error:
            raise self.translate(error) from error

    def _connected(self) -> APIClient:
        if self._client is None:
            from docker import APIClient

            self._client = APIClient(base_url=self.host, version="auto", timeout=self._timeout)
        return self._client

    def translate(self, error: Exception) -> StageFailure:
        """Make a fault of what the SDK or the socket raised."""
        text = str(error)
        evidence = [Evidence(kind="value", text=text[:2000])]
        if "no space left on device" in text.lower():
            return ENGINE_DISK_FULL("the engine's disk is full", evidence=evidence)
        if "permission denied" in text.lower() or isinstance(error, PermissionError):
            return ENGINE_DENIED(f"no permission to use {self.host}", evidence=evidence, host=self.host)
        if _is_connection_trouble(error):
            code = ENGINE_UNREACHABLE if self._client is None else ENGINE_LOST
            return code(f"no answer from the engine at {self.host}", evidence=evidence, host=self.host)
        return ENGINE_ERROR(_first_line(text), evidence=evidence)


def _is_connection_trouble(error: Exception) -> bool:
    import requests.exceptions as requests
    from docker.errors import APIError, DockerException

    if isinstance(error, APIError):
        return False
    foreign = (requests.ConnectionError, requests.Timeout, requests.ChunkedEncodingError, OSError)
    return isinstance(error, foreign) or (
        isinstance(error, DockerException) and "Error while fetching server" in str(error)
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "the engine gave no reason"
