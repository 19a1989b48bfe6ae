"""Languages whose own tool makes one program: Dart, Swift, Crystal, Haskell, Deno's compiler."""

from __future__ import annotations

import re

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.dockerfile.base_images import Base, Bases
from container_kit.stages.dockerfile.generate.app import App
from container_kit.stages.dockerfile.generate.apt_packages import build_packages
from container_kit.stages.dockerfile.generate.questions import START_UNKNOWN
from container_kit.stages.dockerfile.generate.recipe import Build, Recipe, cached, chain, environment, system_packages
from container_kit.stages.dockerfile.generate.shell_quote import shell_word, shell_words
from container_kit.stages.ecosystems.native.program import DEBIANS, program

_LINKED = "the C library that the program was linked against"


def dart(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Dart server, compiled ahead of time."""
    base = bases.pick(Base("dart:3"), rationale="Dart's own")
    locked = " --enforce-lockfile" if app.has("pubspec.lock") else ""
    entry = _named(app, r"([\w./-]+\.dart)", "bin/server.dart")
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached("/root/.pub-cache", f"dart pub get{locked}"),
        app.copy_source(),
        cached("/root/.pub-cache", chain("mkdir /out", f"dart compile exe {entry} -o /out/app")),
    )
    return program(
        app, Build(base, lines), bases.pick(*DEBIANS, rationale=_LINKED), ignore=("**/.dart_tool", "**/build")
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
    runtime = bases.pick(*DEBIANS, rationale=_LINKED)
    return program(app, Build(base, lines), runtime, libraries=("libcurl4", "libxml2"), ignore=("**/.build",))


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


def haskell(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Haskell server built by cabal or stack."""
    base = bases.pick(
        Base("haskell:9.8-slim-bookworm"),
        rationale="made on a distribution no newer than the one that the program will run on",
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
    one = "find /out -type f ! -name app -exec mv {} /out/app ';'"
    lines = (
        *system_packages(base, build_packages(app.packages)),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(cache, fetch),
        app.copy_source(),
        cached(cache, chain("mkdir /out", build, one)),
    )
    runtime = bases.pick(*DEBIANS, rationale=_LINKED)
    return program(
        app, Build(base, lines), runtime, libraries=("libgmp10",), ignore=("**/dist-newstyle", "**/.stack-work")
    )


def deno(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Deno server, compiled to one program, for the cache of modules has no place in an image."""
    base = bases.pick(Base("denoland/deno:2"), rationale="Deno's own")
    task = re.match(r"deno task (\S+)", app.start or "")
    line = str(_tasks(app).get(task[1], app.start)) if task else app.start or ""
    started = re.match(r"deno (?:run|serve)\s+((?:-\S+\s+)*)(\S+)", line)
    if started is None:
        raise START_UNKNOWN(f"no script is named by the start command {line!r}", path=app.module.path)
    options = [word for word in started[1].split() if re.match(r"-A|--allow|--unstable|-[A-Z]", word)] or [
        "--allow-net",
        "--allow-env",
        "--allow-read",
    ]
    asked = shell_words(options)
    frozen = " --frozen" if app.has("deno.lock") else ""
    lines = (
        *environment({"DENO_DIR": "/cache/deno"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        *((cached("/cache/deno", f"deno install{frozen}"),) if app.manifests else ()),
        app.copy_source(),
        cached(
            "/cache/deno",
            chain(
                app.build or "",
                f"deno compile{frozen} {asked} --output /out/app {shell_word(started[2])}",
            ),
        ),
    )
    reasons = (
        Reason(
            decision="deno compile", rationale="one program; modules are fetched when it is built, not when it starts"
        ),
    )
    runtime = bases.pick(*DEBIANS, rationale=_LINKED)
    return program(app, Build(base, lines), runtime, ignore=("**/node_modules",), reasons=reasons, line=line)


def _tasks(app: App) -> dict[str, object]:
    tasks = app.tree.json(app.inside("deno.json")).get("tasks", {})
    return tasks if isinstance(tasks, dict) else {}


def _named(app: App, pattern: str, usual: str) -> str:
    """What a pattern finds in the start command or the build command."""
    for line in (app.start, app.build):
        found = re.search(pattern, line or "")
        if found:
            return found[1]
    return usual
