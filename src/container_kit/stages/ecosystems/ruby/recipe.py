"""Ruby: gems compiled in one stage, and Rails given the few folders that it insists on."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages, runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    chain,
    environment,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred

_VERSIONS = ("3.4", "4.0", "3.3", "3.2", "3.1", "3.0", "2.7")
_CACHE = "/root/.bundle/cache"
_BUNDLE = {"BUNDLE_PATH": "/usr/local/bundle", "BUNDLE_WITHOUT": "development:test"}
_RAILS = {"RAILS_ENV": "production", "RAILS_LOG_TO_STDOUT": "1", "RAILS_SERVE_STATIC_FILES": "1",
    "BOOTSNAP_READONLY": "1"}  # fmt: skip
_IGNORE = ("**/.bundle", "vendor/bundle", "**/log", "**/storage", "**/public/assets", "**/spec/reports")


def ruby(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Ruby server."""
    build = gems(app, bases)
    command = app.command()
    rails = app.framework == "rails"
    prepare = chain(
        _assets(app) if rails else app.build or "", "mkdir -p tmp/cache tmp/pids tmp/sockets log" if rails else ""
    )
    lines = (*build.lines, app.copy_source(), *((f"RUN {prepare}",) if prepare else ()))
    runtime = RuntimeImage(
        build.base,
        command.arguments,
        copies=(
            "COPY --from=build /usr/local/bundle /usr/local/bundle",
            f"COPY --from=build {app.folder} {app.folder}",
        ),
        environment=_bundle(app) | (_RAILS if rails else {"RACK_ENV": "production"}) | dict(command.environment),
        packages=("libyaml-0-2", *runtime_packages(app.packages)),
        workdir=app.folder,
    )
    rationale = "Gemfile.lock is kept to, or the build fails" if _locked(app) else "there is no Gemfile.lock to keep to"
    reasons = (Reason(decision="bundle install", rationale=rationale),)
    return Recipe((Build(build.base, lines),), runtime, ignore=_IGNORE, reasons=reasons)


def gems(app: App, bases: Bases) -> Build:
    """Return a build stage up to the installed gems."""
    base = bases.pick(
        *(Base(f"ruby:{version}-slim") for version in preferred(app.version, _VERSIONS)),
        rationale=f"the project asks for Ruby {app.version}" if app.version else "the default Ruby",
    )
    packages = ("build-essential", "git", "libyaml-dev", "pkg-config", *build_packages(app.packages))
    lines = (
        *system_packages(base, packages),
        *environment(_bundle(app) | {"BUNDLE_GLOBAL_GEM_CACHE": "true", "BUNDLE_USER_CACHE": _CACHE}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        *((cached(_CACHE, "bundle install"),) if app.manifests else ()),
    )
    return Build(base, lines)


def build_site(app: App, bases: Bases) -> Build:
    """Return the stage that builds a static site."""
    build = gems(app, bases)
    return Build(build.base, (*build.lines, app.copy_source(), f"RUN {app.build}"))


def _bundle(app: App) -> dict[str, str]:
    return ({"BUNDLE_DEPLOYMENT": "1"} if _locked(app) else {}) | _BUNDLE


def _locked(app: App) -> bool:
    return app.has("Gemfile.lock") or app.has("gems.locked")


def _assets(app: App) -> str:
    """Rails' assets are made without the key that signs its cookies; the real one comes with the deployment."""
    has_assets = app.tree.exists(app.inside("app/assets")) or app.tree.exists(app.inside("app/javascript"))
    return "SECRET_KEY_BASE_DUMMY=1 RAILS_ENV=production bundle exec rails assets:precompile" if has_assets else ""
