"""Crystal: its own tool makes one program."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import program
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word


def crystal(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Crystal server, linked statically, which musl allows."""
    base = bases.pick(Base("crystallang/crystal:1-alpine", family="alpine"), rationale="static programs need musl")
    name = _named(app, r"(?:^|/)bin/([\w-]+)", _named(app, r"^\./([\w-]+)$", shell_word(app.module.name)))
    frozen = " --frozen" if app.has("shard.lock") else ""
    build = f"shards build {name} --production --release --static"
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached("/root/.cache/shards", f"shards install --production{frozen}"),
        app.copy_source(),
        cached("/root/.cache", chain(build, "mkdir /out", f"cp bin/{name} /out/app")),
    )
    runtime = bases.pick(
        Base("alpine:3.23", family="alpine", probe="wget"), rationale="one static program needs little"
    )
    return program(app, Build(base, lines), runtime, ignore=("bin", "**/lib", "**/.shards"))


def _named(app: App, pattern: str, usual: str) -> str:
    """Return the match of a pattern in the start command or the build command."""
    for line in (app.start, app.build):
        match = re.search(pattern, line or "")
        if match:
            return match[1]
    return usual
