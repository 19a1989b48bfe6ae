"""Conda: the whole environment, made by micromamba and copied, on a bare distribution."""

from __future__ import annotations

from dataclasses import replace

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, RuntimeImage, cached
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word

_ENVIRONMENT = "/opt/env"
_CACHE = "/opt/conda/pkgs"
_FILES = ("conda-lock.yml", "environment.yml", "environment.yaml", "conda.yml", "conda.yaml")


def conda(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Python application whose packages come from conda's channels."""
    base = bases.pick(
        Base("mambaorg/micromamba:2-debian12-slim"), rationale="it makes conda environments, in one program"
    )
    runtime_base = bases.pick(*DEBIANS, rationale="the environment brings its own Python")
    name = next((name for name in _FILES if app.has(name) and app.tree.exists(app.inside(name))), None)
    if name is None:
        raise START_UNKNOWN(f"the environment file of {app.module.path} is unknown", path=app.module.path)
    make = f"micromamba create --yes --always-copy --prefix {_ENVIRONMENT} --file {shell_word(app.inside(name))}"
    command = app.command()
    lines = (
        "# The cache of packages is root's; nothing of this stage runs later.\n# hadolint ignore=DL3002\nUSER 0",
        "WORKDIR /app",
        *app.copy_manifests(),
        cached(_CACHE, make),
    )
    runtime = RuntimeImage(
        replace(runtime_base, probe="python"),
        command.arguments,
        copies=(f"COPY --from=build {_ENVIRONMENT} {_ENVIRONMENT}", app.copy_source()),
        environment={
            "CONDA_PREFIX": _ENVIRONMENT,
            "PATH": f"{_ENVIRONMENT}/bin:$PATH",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        | dict(command.environment),
        workdir=app.folder,
    )
    locked = name == "conda-lock.yml"
    rationale = "each package is the one that conda-lock.yml names" if locked else "there is no lockfile to keep to"
    reasons = (Reason(decision=f"micromamba create --file {name}", rationale=rationale),)
    return Recipe(
        (Build(base, lines),), runtime, ignore=("**/__pycache__", "**/*.py[cod]", "**/.venv"), reasons=reasons
    )
