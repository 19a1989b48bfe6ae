"""Rust: cargo keeps its registry and what it compiled in caches; the program is copied out of them."""

from __future__ import annotations

import tomllib
from typing import Any

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, program
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, cached, chain, system_packages
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word, shell_words

_REGISTRY = ("/usr/local/cargo/registry", "/usr/local/cargo/git/db")


def rust(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Rust program."""
    base = bases.pick(Base("rust:1-slim-bookworm"), rationale="the newest Rust compiles for every older edition")
    runtime = bases.pick(*DEBIANS, rationale="the C library that the program was linked against")
    locked = " --locked" if app.has("Cargo.lock") else ""
    quoted = shell_word(_program(app))
    stubs = _stubs(app)
    lines = (
        *system_packages(base, build_packages(app.packages)),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(_REGISTRY, chain(stubs, f"cargo fetch{locked}")),
        app.copy_source(),
        cached(
            (*_REGISTRY, "/cache/target"),
            chain(
                f"cargo build --release{locked} --bin {quoted} --target-dir /cache/target",
                "mkdir /out",
                f"cp /cache/target/release/{quoted} /out/app",
            ),
        ),
    )
    rationale = "Cargo.lock is kept to, or the build fails" if locked else "there is no Cargo.lock to keep to"
    reasons = (Reason(decision=f"cargo build{locked}", rationale=rationale),)
    return program(app, Build(base, lines), runtime, ignore=("**/target",), reasons=reasons)


def _program(app: App) -> str:
    """Return the program's name: in the start command, else the only one that the manifest can mean."""
    start = app.command().arguments[0] if app.start else ""
    if "target/" in start:
        return start.rsplit("/", 1)[-1]
    manifest = _manifest(app, app.inside("Cargo.toml"))
    programs = [entry.get("name") for entry in manifest.get("bin", [])] or [manifest.get("package", {}).get("name")]
    if not programs[0]:
        raise START_UNKNOWN(f"the program that {app.module.path} builds is unknown", path=app.module.path)
    return str(programs[0])


def _stubs(app: App) -> str:
    """Return the command that makes empty sources: cargo rejects a manifest whose targets do not exist."""
    sources: list[str] = []
    for path in app.manifests:
        folder, _, name = path.rpartition("/")
        if name == "Cargo.toml":
            inside = f"/app/{folder}/" if folder else "/app/"
            sources += [f"{inside}{file}" for file in _targets(app, path, f"{folder}/" if folder else "")]
    sources = [source for source in sources if ".." not in source.split("/") and source.isprintable()]
    folders = dict.fromkeys(source.rpartition("/")[0] for source in sources)
    return chain(f"mkdir -p {shell_words(folders)}", f"touch {shell_words(sources)}") if sources else ""


def _targets(app: App, manifest: str, folder: str) -> list[str]:
    declared = _manifest(app, manifest)
    tables = [
        declared.get("lib", {}),
        *(entry for kind in ("bin", "example", "bench", "test") for entry in declared.get(kind, [])),
    ]
    named = [str(table["path"]) for table in tables if isinstance(table, dict) and "path" in table]
    usual = [file for file in ("src/main.rs", "src/lib.rs") if app.tree.exists(folder + file)]
    return list(dict.fromkeys([*named, *usual, *(["build.rs"] if app.tree.exists(f"{folder}build.rs") else [])]))


def _manifest(app: App, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(app.tree.text(path) or "")
    except tomllib.TOMLDecodeError:
        return {}
