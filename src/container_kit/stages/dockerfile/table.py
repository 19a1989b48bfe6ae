"""Which recipe serves which language."""

from __future__ import annotations

from collections.abc import Callable

from container_kit.stages.dockerfile.app import App
from container_kit.stages.dockerfile.bases import Bases
from container_kit.stages.dockerfile.ecosystems.go import go
from container_kit.stages.dockerfile.ecosystems.java import java
from container_kit.stages.dockerfile.ecosystems.node import node
from container_kit.stages.dockerfile.ecosystems.python import python
from container_kit.stages.dockerfile.ecosystems.static import static
from container_kit.stages.dockerfile.recipe import Recipe

RECIPES: dict[str, Callable[[App, Bases], Recipe]] = {
    "python": python,
    "javascript": node,
    "typescript": node,
    "go": go,
    "java": java,
    "kotlin": java,
    "html": static,
}
