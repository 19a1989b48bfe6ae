"""Short requests to the engine with a time limit, which also applies to requests that nobody waits for."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from container_kit.stages.docker.endpoint import EndpointError, EngineConnection
from container_kit.stages.docker.engine import DockerEngine


class NoAnswer(Exception):
    """The engine does not answer; the text gives the reason, `repair` the solution."""

    def __init__(self, why: str, repair: str) -> None:
        super().__init__(why)
        self.repair = repair


@dataclass(frozen=True, slots=True)
class EngineResponse:
    """A response of the engine."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    content: Any
    """The parsed JSON, else the text."""

    @property
    def message(self) -> str:
        """The engine's error message, in one line."""
        said = self.content.get("message", "") if isinstance(self.content, dict) else str(self.content)
        return " ".join(str(said).split())[:300]


@dataclass(frozen=True, slots=True)
class EngineClient:
    """Sends requests to one engine.

    Args:
        docker: The engine.
        within: Seconds that a caller waits. The connection's limits are slightly longer, for abandoned threads.
    """

    docker: DockerEngine
    within: float

    async def get(self, path: str) -> EngineResponse:
        """GET a path of the Engine API. Cancellation abandons the thread to its time limits.

        Raises:
            NoAnswer: Nothing answers at the address, or not in HTTP.
        """
        return await anyio.to_thread.run_sync(self._get, path, abandon_on_cancel=True)

    def _get(self, path: str) -> EngineResponse:
        host = self.docker.host
        try:
            connection = EngineConnection(self.docker.endpoint, self.within + 1, self.within + 1)
        except EndpointError as error:
            raise NoAnswer(str(error), "Correct DOCKER_HOST or the docker context (`docker context ls`).") from error
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except EndpointError as error:
            raise NoAnswer(str(error), "Correct DOCKER_HOST or the engine's TLS files.") from error
        except PermissionError as error:
            repair = f"Add this user to the group that owns {host}, or use a rootless engine."
            raise NoAnswer(f"no permission to use {host}", repair) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"no answer at {host} ({_reason(error)})", _install_hint(host)) from error
        finally:
            connection.close()
        return EngineResponse(
            response.status, {name.lower(): value for name, value in response.getheaders()}, _parsed(body)
        )


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(said).split())[:300]


def _install_hint(host: str) -> str:
    if host.startswith("unix://"):
        return "Install Docker Engine (Debian: `apt-get install docker.io`) and start it, or set DOCKER_HOST."
    return "Start the engine there, or point DOCKER_HOST at one that runs."


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
