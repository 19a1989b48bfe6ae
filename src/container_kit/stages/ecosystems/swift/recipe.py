"""Swift: its own tool makes one program."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, LINKED, program
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
)


def swift(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Swift server, its standard library linked in."""
    base = bases.pick(
        Base("swift:6.2-bookworm"),
        rationale="made on a distribution no newer than the one that the program will run on",
    )
    name = _named(app, r"(?:\.build/release/|swift run )([\w-]+)", "App")
    cache = "/root/.cache/org.swift.swiftpm"
    resolved = " --only-use-versions-from-resolved-file" if app.has("Package.resolved") else ""
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(cache, f"swift package resolve{resolved}"),
        app.copy_source(),
        cached(
            cache,
            chain(
                f"swift build --configuration release --static-swift-stdlib --product {name}",
                "mkdir /out",
                f"cp .build/release/{name} /out/app",
            ),
        ),
    )
    runtime = bases.pick(*DEBIANS, rationale=LINKED)
    return program(app, Build(base, lines), runtime, libraries=("libcurl4", "libxml2"), ignore=("**/.build",))


def _named(app: App, pattern: str, usual: str) -> str:
    """Return the match of a pattern in the start command or the build command."""
    for line in (app.start, app.build):
        match = re.search(pattern, line or "")
        if match:
            return match[1]
    return usual
