"""Credentials for the registries of a build's base images, looked up when the builder needs them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.credentials import Credentials, find_credentials, registry_of
from container_kit.stages.docker.image_reference import ImageReference, ImageReferenceError
from container_kit.stages.formats.dockerfile import ParsedDockerfile


class BaseCredentials:
    """The credentials for the base images of one build. Each registry is looked up once.

    Args:
        parsed: The Dockerfile.
    """

    def __init__(self, parsed: ParsedDockerfile) -> None:
        self._images = tuple(base_images(parsed))
        self._found: dict[str, Credentials] = {}
        self.failure: StageFailure | None = None
        """The first failed lookup. The builder then uses no credentials, and the registry decides."""

    async def find(self, host: str) -> Credentials:
        """Return the credentials for a registry; empty ones if none are configured or the lookup failed."""
        registry = registry_of(host)
        if registry not in self._found:
            path = next((image.path for image in self._images if image.registry == registry), "")
            try:
                self._found[registry] = await find_credentials(registry, path)
            except StageFailure as failure:
                self.failure = self.failure or failure
                self._found[registry] = Credentials(registry)
        return self._found[registry]

    async def find_all(self) -> list[Credentials]:
        """Return the credentials for the registries of all base images, without empty ones."""
        found = [await self.find(registry) for registry in dict.fromkeys(image.registry for image in self._images)]
        return [credentials for credentials in found if credentials.secrets]


def base_images(parsed: ParsedDockerfile) -> Iterator[ImageReference]:
    """List the images that a build may pull: of FROM, and of `--from` and `--mount` in other instructions."""
    names = [stage.base for stage in parsed.stages if stage.parent is None and stage.is_resolved]
    for instruction in parsed.instructions:
        fields = (field for mount in instruction.flag_values("mount") for field in mount.split(","))
        mounted = (field.removeprefix("from=") for field in fields if field.startswith("from="))
        names += [name for name in (*instruction.flag_values("from"), *mounted) if not parsed.source_stage(name)]
    for name in dict.fromkeys(names):
        with suppress(ImageReferenceError):
            if name != "scratch":
                yield ImageReference.parse(name)


def registry_config(found: Iterable[Credentials]) -> str:
    """Encode credentials as the value of X-Registry-Config (Docker Engine API, "Build an image")."""
    encoded = {credentials.server_address: credentials.auth_config for credentials in found}
    return base64.urlsafe_b64encode(json.dumps(encoded).encode()).decode()
