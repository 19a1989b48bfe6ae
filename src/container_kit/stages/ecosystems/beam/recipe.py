"""Elixir and Gleam: a release that carries its own runtime, or one that needs Erlang's."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages, runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    chain,
    copy,
    environment,
    system_packages,
)

_ELIXIR = Base("hexpm/elixir:1.18.4-erlang-27.3.4-debian-bookworm-20250520-slim")
_GLEAM = Base("ghcr.io/gleam-lang/gleam:v1.11.0-erlang-alpine", family="alpine", probe="wget")
_CACHES = ("/root/.cache/rebar3", "/root/.hex")


def elixir(app: App, bases: Bases) -> Recipe:
    """Make the recipe for an Elixir application, as `mix release` packs it."""
    base = bases.pick(_ELIXIR, rationale="made on a distribution no newer than the one that the release will run on")
    runtime_base = bases.pick(*DEBIANS, rationale="a release carries its own Erlang")
    locked = " --check-locked" if app.has("mix.lock") else ""
    name = _name(app)
    assets = "mix assets.deploy" if app.tree.exists(app.inside("assets")) else ""
    lines = (
        *system_packages(base, ("build-essential", "git", *build_packages(app.packages))),
        *environment({"MIX_ENV": "prod", "LANG": "C.UTF-8"}),
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(
            _CACHES,
            chain("mix local.hex --force", "mix local.rebar --force", f"mix deps.get --only prod{locked}"),
        ),
        *((copy([app.inside("config")], "./config"),) if app.tree.names(app.inside("config")) else ()),
        cached(_CACHES, "mix deps.compile"),
        app.copy_source(),
        cached(_CACHES, chain("mix compile", assets, f"mix release {name} --path /out")),
    )
    runtime = RuntimeImage(
        runtime_base,
        (f"/app/bin/{name}", "start"),
        copies=("COPY --from=build /out /app",),
        environment={
            "LANG": "C.UTF-8",
            "PHX_SERVER": "true",
            "RELEASE_TMP": "/tmp",  # noqa: S108 - the only writable folder
            "ERL_CRASH_DUMP": "/tmp/erl_crash.dump",  # noqa: S108 - as above
        },
        packages=("libstdc++6", "openssl", "libncurses6", "ca-certificates", *runtime_packages(app.packages)),
    )
    reasons = (Reason(decision="mix release", rationale="it carries its own Erlang, and no compiler"),)
    return Recipe(
        (Build(base, lines),), runtime, ignore=("**/_build", "**/deps", "**/*.ez", "**/erl_crash.dump"), reasons=reasons
    )


def gleam(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Gleam application, as an Erlang shipment."""
    base = bases.pick(_GLEAM, rationale="Gleam's own, with Erlang")
    runtime_base = bases.pick(Base("erlang:27-alpine", family="alpine", probe="wget"), rationale="runs the shipment")
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached("/root/.cache/gleam", "gleam deps download"),
        app.copy_source(),
        cached("/root/.cache/gleam", chain("gleam export erlang-shipment", "mv build/erlang-shipment /out")),
    )
    runtime = RuntimeImage(runtime_base, ("/app/entrypoint.sh", "run"), copies=("COPY --from=build /out /app",))
    reasons = (Reason(decision="erlang-shipment", rationale="compiled code and a start script, no compiler"),)
    return Recipe((Build(base, lines),), runtime, ignore=("**/build",), reasons=reasons)


def _name(app: App) -> str:
    """Return the application's name, which is also its release's."""
    named = re.search(r"app:\s*:(\w+)", app.tree.text(app.inside("mix.exs")) or "")
    return named[1] if named else re.sub(r"\W", "_", app.module.name)
