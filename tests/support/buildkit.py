"""What BuildKit makes of a Dockerfile: the configuration of the image, or its own words about why there is none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dockerfile
from docker import APIClient

from container_kit.stages.build.buildkit.messages import StatusResponse
from container_kit.stages.build.buildkit.progress import BuildLog
from container_kit.stages.build.engine_builders import BuildRequest, SessionBuilder
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.formats.dockerignore import DockerIgnore

_FIRST_WITH_HEREDOCS = 23
"""The major version of Docker Engine whose own BuildKit knows here-documents."""


@dataclass(frozen=True)
class Built:
    """An image, or an error."""

    error: str
    configuration: Mapping[str, Any]
    image: str


class BuildKit:
    """Builds Dockerfiles on an engine.

    Args:
        engine: The engine.
        api: A client of it.
        folder: An empty folder for build contexts.
        name: Gives names for images; they are removed by the owner of the names.
    """

    def __init__(self, engine: DockerEngine, api: APIClient, folder: Path, name: Callable[[], str]) -> None:
        self._engine = engine
        self._api = api
        self._folder = folder
        self._name = name

    @property
    def knows_heredocs(self) -> bool:
        """Whether the engine is new enough for here-documents."""
        return int(self._api.version()["Version"].partition(".")[0]) >= _FIRST_WITH_HEREDOCS

    def build(self, text: str, target: str | None = None, build_args: Mapping[str, str] | None = None) -> Built:
        """Build the text as it is, to the byte."""
        assert _has_stage(text), "Docker Engine 20.10 crashes on a Dockerfile without a stage: never send one"
        (self._folder / "Dockerfile").write_bytes(text.encode())
        request = BuildRequest(
            context=self._folder,
            dockerfile_folder=self._folder,
            dockerfile_name="Dockerfile",
            dockerfile=text,
            ignore=DockerIgnore.parse(""),
            tag=self._name(),
            target=target,
            build_args=build_args or {},
        )
        log = BuildLog(lambda _message, _fraction: None, lambda _line: None)
        SessionBuilder(self._engine.endpoint, request).run(
            lambda record: log.add_record(record, StatusResponse.FromString)
        )
        log.close()
        if log.error is not None or log.image_id is None:
            return Built(log.error or "the builder gave no reason", {}, "")
        return Built("", self._api.inspect_image(log.image_id)["Config"], log.image_id)

    @contextlib.contextmanager
    def file(self, image: str, path: str) -> Iterator[bytes]:
        """Read a file of an image, as a tar archive."""
        container = self._api.create_container(image, ["none"])["Id"]
        try:
            stream, _ = self._api.get_archive(container, path)
            yield b"".join(stream)
        finally:
            self._api.remove_container(container)


def _has_stage(text: str) -> bool:
    try:
        return any((command.cmd or "").upper() == "FROM" for command in dockerfile.parse_string(text))
    except dockerfile.GoParseError:
        return re.search(r"^\s*from\s", text, re.IGNORECASE | re.MULTILINE) is not None
