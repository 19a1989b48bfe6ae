"""The description of one base image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BOOKWORM = "debian:bookworm-slim"
TRIXIE = "debian:trixie-slim"
FORKY = "debian:forky-slim"

INSTALL = "apt-get update -q && apt-get install -qy --no-install-recommends"
DOWNLOAD_STAGE = "io.container-kit.download-stage"
"""The label of a build stage that is of no use after the build."""

CLEAN = "rm -rf /var/lib/apt/lists/*"


class CannotMake(Exception):
    """An image cannot be made; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """Describe how one image is made.

    Attributes:
        name: The name of the public image.
        made_from: The packages that it is made of, for its label.
        dockerfile: The Dockerfile; `FROM scratch` is followed by the root file system that `prepare` makes.
        files: Files of the folder `files` that the Dockerfile copies.
        prepare: Puts other files into the build context.
        versions: From each environment variable that names a version to the shell command that prints its value.
    """

    name: str
    made_from: str
    dockerfile: str
    files: tuple[str, ...] = ()
    prepare: Callable[[Path], None] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def parents(self) -> set[str]:
        """The images that must exist before this one is built."""
        return set(re.findall(r"^FROM (\S+)", self.dockerfile, re.MULTILINE)) - {"scratch"}
