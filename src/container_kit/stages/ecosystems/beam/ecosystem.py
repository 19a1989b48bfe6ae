"""Elixir, Gleam and Erlang: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.beam import detect, detect_erlang, lockfiles
from container_kit.stages.ecosystems.beam.recipe import elixir, gleam
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
)

_HEX = PackageRegistry(
    purl_type="hex",
    osv="Hex",
    version_scheme="SemverVersion",
    manifests=("mix.exs",),
    requirement=r"\{{\s*:{name}\s*,",
    lock_files=(LockFile("mix.lock", lockfiles.mix, LockCommand(("mix.exs",), "mix deps.update", "{name}")),),
    lock_requirements=(LockRequirement("mix.exs", re.compile(r"\{\s*:\w+\s*,"), ("mix.lock",)),),
)

ECOSYSTEM = Ecosystem(
    "beam",
    detectors=(*detect.DETECTORS, *detect_erlang.DETECTORS),
    languages=(
        Language("elixir", elixir, needs_manifest=True, compiled=True, images=("elixir",)),
        Language("gleam", gleam, compiled=True),
    ),
    packages=_HEX,
    unread_lock_files=("rebar.lock",),
    tool_folders=("_build",),
)
