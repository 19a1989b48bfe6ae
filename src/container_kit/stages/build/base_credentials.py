"""Credentials for the registries of a build's base images, looked up when the builder needs them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.credentials import Credentials, find_credentials, registry_of


class BaseCredentials:
    """The credentials for the base images of one build. Each registry is looked up once.

    Args:
        repositories: The registry and path of each base image.
    """

    def __init__(self, repositories: Iterable[tuple[str, str]] = ()) -> None:
        self._repositories = tuple(dict.fromkeys(repositories))
        self._found: dict[str, Credentials] = {}
        self.failure: StageFailure | None = None
        """The first failed lookup. The builder then uses no credentials, and the registry decides."""

    async def find(self, host: str) -> Credentials:
        """Return the credentials for a registry; empty ones if there are none or the lookup failed."""
        registry = registry_of(host)
        if registry not in self._found:
            path = next((path for name, path in self._repositories if name == registry), "")
            try:
                self._found[registry] = await find_credentials(registry, path)
            except StageFailure as failure:
                self.failure = self.failure or failure
                self._found[registry] = Credentials(registry)
        return self._found[registry]

    async def find_all(self) -> list[Credentials]:
        """Return the credentials for the registries of all base images, without empty ones."""
        found = [await self.find(registry) for registry in dict.fromkeys(name for name, _ in self._repositories)]
        return [credentials for credentials in found if credentials.secrets]


def registry_config(found: Iterable[Credentials]) -> str:
    """Encode credentials as the value of X-Registry-Config (Docker Engine API, "Build an image")."""
    encoded = {credentials.server_address: credentials.auth_config for credentials in found}
    return base64.urlsafe_b64encode(json.dumps(encoded).encode()).decode()
