"""All recipes, by the name of the image."""

from __future__ import annotations

from base_images import debian, java, node, python, toolchains, web
from base_images.recipe import BOOKWORM, TRIXIE

RECIPES = {recipe.name: recipe for module in (debian, python, node, java, toolchains, web) for recipe in module.RECIPES}

DEFAULT = (
    BOOKWORM,
    TRIXIE,
    "python:3.11-slim",
    "python:3.13-slim",
    "node:20-slim",
    "node:22-slim",
    "eclipse-temurin:17-jdk",
)
"""The images that the tests and the demonstration need."""
