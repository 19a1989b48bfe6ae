"""Haskell: its own tool makes one program."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, program
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
    system_packages,
)

_LINKED = "the C library that the program was linked against"


def haskell(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Haskell server built by cabal or stack."""
    base = bases.pick(
        Base("haskell:9.8-slim-bookworm"),
        rationale="made on a distribution no newer than the rename that the program will run on",
    )
    stack = app.manager == "stack"
    cache = "/root/.stack" if stack else "/root/.cabal/packages"
    fetch = (
        "stack build --system-ghc --only-dependencies"
        if stack
        else chain("cabal update", "cabal build --only-dependencies all")
    )
    build = (
        "stack install --system-ghc --local-bin-path /out"
        if stack
        else "cabal install --install-method=copy --installdir=/out all:exes"
    )
    rename = "find /out -type f ! -name app -exec mv {} /out/app ';'"
    lines = (
        *system_packages(base, build_packages(app.packages)),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(cache, fetch),
        app.copy_source(),
        cached(cache, chain("mkdir /out", build, rename)),
    )
    runtime = bases.pick(*DEBIANS, rationale=_LINKED)
    return program(
        app, Build(base, lines), runtime, libraries=("libgmp10",), ignore=("**/dist-newstyle", "**/.stack-work")
    )
