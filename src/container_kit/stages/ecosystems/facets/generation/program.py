"""The recipe of languages whose build makes one program: only the program and the folders that it reads are copied."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, RuntimeImage, copy

DEBIANS = (Base("debian:trixie-slim"), Base("debian:bookworm-slim"))
"""The newest first: what was linked on an older one runs on it."""
LINKED = "the C library that the program was linked against"
"""The rationale of the final base image of a program that was linked dynamically."""
_NAMING_RUNNERS = {"swift", "cabal", "stack"}
_RUNNERS = _NAMING_RUNNERS | {"go", "cargo", "dart", "crystal", "deno"}
"""Commands that compile and start a program; some take its name, others its file."""
PROGRAM = "/usr/local/bin/app"
_RESOURCES = ("templates", "static", "public", "views", "Views", "Public", "Resources", "assets", "web", "migrations",
    "locales", "config", "configs", "priv")  # fmt: skip


def program(
    app: App,
    build: Build,
    base: Base,
    *,
    libraries: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    reasons: tuple[Reason, ...] = (),
    line: str | None = None,
    copies: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Recipe:
    """Make the recipe for a build stage that leaves the program as `/out/app`.

    Args:
        app: The application.
        build: The stage that builds it.
        base: What it runs on.
        libraries: Packages of the base's distribution that the program loads.
        ignore: Lines for the ignore file.
        reasons: What the caller has to say.
        line: The start command, if it is not the analysis' own.
        copies: What goes into the image next to the program.
        environment: Variables that it needs.
    """
    command = app.command(line) if app.start else None
    resources = [name for name in _RESOURCES if name in app.tree.names(app.module.path)]
    certificates = ("ca-certificates",) if base.family == "debian" else ()
    runtime = RuntimeImage(
        base,
        (PROGRAM, *(arguments(command.arguments) if command else ())),
        copies=(
            f"COPY --from=build /out/app {PROGRAM}",
            *copies,
            *(copy([f"{app.folder}/{name}"], f"{app.folder}/{name}", "--from=build") for name in resources),
        ),
        environment=dict(environment or {}) | (dict(command.environment) if command else {}),
        packages=(*certificates, *libraries, *(runtime_packages(app.packages) if base.family == "debian" else ())),
        workdir=app.folder,
    )
    copied = (Reason(decision=f"copies {', '.join(resources)}", rationale="programs read such folders when they run"),)
    return Recipe((build,), runtime, ignore=ignore, reasons=(*reasons, *(copied if resources else ())))


def arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the program's arguments: `go run ./x serve`, `swift run x serve` and `./x serve` all give `serve`."""
    if words[0] not in _RUNNERS:
        return words[1:]
    rest = words[2:]
    while rest and re.match(r"-|\.|.*\.\w+$", rest[0]):
        rest = rest[1:]
    return rest[1:] if words[0] in _NAMING_RUNNERS and rest else rest
