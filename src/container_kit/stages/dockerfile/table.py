"""Which recipe serves which language."""

from __future__ import annotations

from collections.abc import Callable

from container_kit.stages.dockerfile.app import App
from container_kit.stages.dockerfile.bases import Bases
from container_kit.stages.dockerfile.ecosystems.beam import elixir, gleam
from container_kit.stages.dockerfile.ecosystems.compiled import c_family, zig
from container_kit.stages.dockerfile.ecosystems.conda import conda
from container_kit.stages.dockerfile.ecosystems.dotnet import dotnet
from container_kit.stages.dockerfile.ecosystems.go import go
from container_kit.stages.dockerfile.ecosystems.java import java
from container_kit.stages.dockerfile.ecosystems.native import crystal, dart, deno, haskell, swift
from container_kit.stages.dockerfile.ecosystems.node import node
from container_kit.stages.dockerfile.ecosystems.php import php
from container_kit.stages.dockerfile.ecosystems.python import python
from container_kit.stages.dockerfile.ecosystems.ruby import ruby
from container_kit.stages.dockerfile.ecosystems.rust import rust
from container_kit.stages.dockerfile.ecosystems.scala_clojure import clojure, scala
from container_kit.stages.dockerfile.ecosystems.static import static
from container_kit.stages.dockerfile.recipe import Recipe

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
