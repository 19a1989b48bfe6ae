"""The Dockerfile that is generated for a tree of files, analysis included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dockerfile as buildkit

from container_kit.stages.analyze import analyze
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions
from container_kit.stages.dockerfile.generate.plan import plan
from container_kit.stages.ecosystems.facets.generation.base_images import Availability, BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree

SERVER = "require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT || 3000)\n"


def package(**fields: Any) -> str:
    """A `package.json`."""
    return json.dumps({"name": "app", "version": "1.0.0", **fields})


def generate(
    folder: Path, files: Mapping[str, str], module: str = ".", present: tuple[str, ...] | None = None
) -> Dockerfile:
    """Write a tree and generate its Dockerfile.

    Args:
        folder: The folder for the tree.
        files: Texts by path.
        module: The module's path.
        present: The images of a host that can pull nothing; None for a host of which nothing is known.
    """
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    availability = Availability(frozenset(present), known=True) if present is not None else Availability()
    planned = plan(analyze(folder), module, ContextTree(folder), DockerfileOptions(), BasePolicy())
    return planned.dockerfile(availability)


def runs(made: Dockerfile) -> str:
    """The RUN instructions, without their mounts."""
    return "\n".join(command.value[0] for command in buildkit.parse_string(made.content) if command.cmd == "RUN")


def command(made: Dockerfile) -> list[str]:
    """The arguments of PID 1."""
    return list(buildkit.parse_string(made.content)[-1].value)
