"""Zig: the compiler comes from PyPI; the program is shipped without it."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, program
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
    environment,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.facets.generation.version_ranges import exact

_ZIG = "0.15.2"


def zig(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Zig server; the compiler comes from PyPI, because no image has it."""
    base = bases.pick(
        Base("python:3.13-slim", probe="python"),
        Base("python:3.11-slim", probe="python"),
        rationale="Zig publishes its compiler on PyPI, and no image",
    )
    runtime = bases.pick(*DEBIANS, rationale="small, and it has a program for the health check")
    declared = exact(app.version or "", 3)
    version = declared[0] if declared and declared[0].count(".") == 2 else _ZIG
    binary = _named_program(app, r"zig-out/bin/([\w.-]+)")
    cache = "/root/.cache/zig"
    lines = (
        *environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "ZIG_GLOBAL_CACHE_DIR": cache}),
        "WORKDIR /app",
        cached("/root/.cache/pip", f"pip install ziglang=={version}"),
        *app.copy_manifests(),
        *app.enter(),
        cached(cache, "python -m ziglang build --fetch"),
        app.copy_source(),
        cached(
            cache,
            chain("python -m ziglang build -Doptimize=ReleaseSafe", "mkdir /out", f"cp zig-out/bin/{binary} /out/app"),
        ),
    )
    reasons = (
        Reason(decision=f"ziglang=={version}", rationale="build.zig.zon asks for it" if declared else "a recent Zig"),
    )
    return program(app, Build(base, lines), runtime, ignore=("**/zig-out", "**/.zig-cache"), reasons=reasons)


def _named_program(app: App, pattern: str) -> str:
    match = re.search(pattern, app.start or "")
    return match[1] if match else shell_word(app.module.name)
