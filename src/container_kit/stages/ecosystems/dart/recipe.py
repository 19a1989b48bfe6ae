"""Dart: its own tool makes one program."""

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

_FLUTTER = Base("ghcr.io/cirruslabs/flutter:3.35.7")


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
        app, Build(base, lines), bases.pick(*DEBIANS, rationale=LINKED), ignore=("**/.dart_tool", "**/build")
    )


def _named(app: App, pattern: str, usual: str) -> str:
    """Return the match of a pattern in the start command or the build command."""
    for line in (app.start, app.build):
        match = re.search(pattern, line or "")
        if match:
            return match[1]
    return usual


def build_flutter_site(app: App, bases: Bases) -> Build:
    """Return the stage that builds a Flutter application for the web."""
    base = bases.pick(_FLUTTER, rationale="Flutter publishes no image; this one is in general use")
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached("/root/.pub-cache", f"flutter pub get{' --enforce-lockfile' if app.has('pubspec.lock') else ''}"),
        "WORKDIR /app",
        app.copy_source(),
        *app.enter(),
        cached("/root/.pub-cache", "flutter build web --release"),
    )
    return Build(base, lines)
