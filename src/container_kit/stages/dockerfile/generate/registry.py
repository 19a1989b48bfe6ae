"""Which recipe serves which language."""

from __future__ import annotations

from collections.abc import Callable

from container_kit.stages.ecosystems.beam.recipe import elixir, gleam
from container_kit.stages.ecosystems.c_family.recipe import c_family, zig
from container_kit.stages.ecosystems.dotnet.recipe import dotnet
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.base_images import Bases
from container_kit.stages.ecosystems.facets.generation.recipe import Recipe
from container_kit.stages.ecosystems.go.recipe import go
from container_kit.stages.ecosystems.javascript.recipe import node
from container_kit.stages.ecosystems.jvm.recipe import java
from container_kit.stages.ecosystems.jvm.recipe_scala_clojure import clojure, scala
from container_kit.stages.ecosystems.native.recipe import crystal, dart, deno, haskell, swift
from container_kit.stages.ecosystems.php.recipe import php
from container_kit.stages.ecosystems.python.recipe import python
from container_kit.stages.ecosystems.python.recipe_conda import conda
from container_kit.stages.ecosystems.ruby.recipe import ruby
from container_kit.stages.ecosystems.rust.recipe import rust
from container_kit.stages.ecosystems.static.recipe import static

Generator = Callable[[App, Bases], Recipe]

RECIPES: dict[str, Generator] = {
    "python": python,
    "javascript": node,
    "typescript": node,
    "go": go,
    "java": java,
    "kotlin": java,
    "scala": scala,
    "clojure": clojure,
    "csharp": dotnet,
    "fsharp": dotnet,
    "ruby": ruby,
    "php": php,
    "rust": rust,
    "elixir": elixir,
    "gleam": gleam,
    "dart": dart,
    "swift": swift,
    "crystal": crystal,
    "haskell": haskell,
    "html": static,
    "c": c_family,
    "cpp": c_family,
    "zig": zig,
}


def recipe_for(app: App) -> Generator | None:
    """Find the generator for an application; None where there is none."""
    if app.role == "static":
        return static
    by_manager: dict[str, Generator] = {"deno": deno, "conda": conda}
    return by_manager.get(app.manager) or RECIPES.get(app.language)
