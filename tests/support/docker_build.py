"""Builds with the Docker command line, whose context and ignore patterns are Docker's own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from docker import APIClient

from container_kit.stages.docker.engine import DockerEngine
from support.skip_policy import cannot_run

_SECONDS = 100


class DockerBuild:
    """Builds a folder and lists what is in the image.

    Args:
        api: The engine.
        name: Gives names for images; they are removed by the owner of the names.
    """

    def __init__(self, api: APIClient, name: Callable[[], str]) -> None:
        if shutil.which("docker") is None:
            cannot_run("the Docker command line is not installed")
        self._api = api
        self._name = name

    def files(self, folder: Path, inside: str) -> set[str] | str:
        """Build a folder with the classic builder, whose client selects the files of the context.

        Returns:
            The files below a path of the image, relative to it, or the error of the build.
        """
        name = self._name()
        command = ["docker", "build", "--quiet", "--no-cache", "--tag", name, str(folder)]
        environment = {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_HOST": DockerEngine().host}
        built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS)
        if built.returncode:
            return built.stderr.strip().splitlines()[-1]
        container = self._api.create_container(name, ["none"], name=f"{name}-files")["Id"]
        try:
            content = b"".join(self._api.get_archive(container, inside)[0])
        finally:
            self._api.remove_container(container)
            self._api.remove_image(name)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
