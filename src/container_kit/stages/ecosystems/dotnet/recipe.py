""".NET: restored and published by the SDK, run by ASP.NET's runtime."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, RuntimeImage, cached, environment
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred

_VERSIONS = ("10.0", "11.0", "9.0", "8.0", "7.0", "6.0")
_CACHE = "/root/.nuget/packages"
_REGISTRY = "mcr.microsoft.com/dotnet"
_USER = "1654:1654"
"""The user that the images have since .NET 8."""
_WITH_USER = 8.0


def dotnet(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a .NET application."""
    version = _version(app)
    runtime_base = bases.pick(
        Base(f"{_REGISTRY}/aspnet:{version}", user=_USER if float(version) >= _WITH_USER else None),
        rationale="runs what was published, and no more",
    )
    build = publish(app, bases)
    command = app.command() if app.start else None
    runtime = RuntimeImage(
        runtime_base,
        ("dotnet", _assembly(app, _project(app))),
        copies=("COPY --from=build /out /app",),
        environment=({"ASPNETCORE_URLS": f"http://+:{app.port}"} if app.port else {})
        | {"DOTNET_EnableDiagnostics": "0"}
        | (dict(command.environment) if command else {}),
        packages=runtime_packages(app.packages),
    )
    locked = app.has("packages.lock.json")
    kept = "packages.lock.json is kept to" if locked else "there is no packages.lock.json to keep to"
    return Recipe((build,), runtime, ignore=("**/bin", "**/obj"), reasons=(Reason(decision="restore", rationale=kept),))


def publish(app: App, bases: Bases) -> Build:
    """Return the stage that restores a project's packages and publishes it to /out."""
    version = _version(app)
    rationale = f"the project targets .NET {version}" if app.version else "the default .NET, with long-term support"
    base = bases.pick(Base(f"{_REGISTRY}/sdk:{version}"), rationale=rationale)
    project = shell_word(_project(app))
    locked = " --locked-mode" if app.has("packages.lock.json") else ""
    lines = (
        *environment({"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        cached(_CACHE, f"dotnet restore {project}{locked}"),
        app.copy_source(),
        cached(_CACHE, f"dotnet publish {project} --configuration Release --no-restore --output /out"),
    )
    return Build(base, lines)


def _version(app: App) -> str:
    declared = re.search(r"\d+(\.\d+)?", app.version or "")
    return f"{float(declared[0]):.1f}" if declared else preferred(None, _VERSIONS)[0]


def _project(app: App) -> str:
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    projects = [path for path in app.manifests if re.search(r"\.(cs|fs|vb)proj$", path)]
    own = [path for path in projects if path.startswith(prefix)] or projects
    if not own:
        raise START_UNKNOWN(f"the project file of {app.module.path} is unknown", path=app.module.path)
    return own[0]


def _assembly(app: App, project: str) -> str:
    named = re.search(r"([\w.-]+\.dll)\b", app.start or "")
    return named[1] if named else re.sub(r"\.\w+proj$", ".dll", project.rsplit("/", 1)[-1])
