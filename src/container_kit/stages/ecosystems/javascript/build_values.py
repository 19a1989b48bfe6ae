"""Values for variables that a build reads although it connects to nothing: prerendering, route collection, Prisma."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.prisma import placeholders, uses_prisma

_PRERENDERING = {
    "nextjs",
    "nuxt",
    "sveltekit",
    "remix",
    "react-router",
    "astro",
    "solidstart",
    "tanstack-start",
    "blitz",
}
_DATABASES = (
    (re.compile(r"MONGO"), "mongodb://127.0.0.1/build"),
    (re.compile(r"REDIS|KV_URL"), "redis://127.0.0.1:6379"),
    (re.compile(r"MYSQL|MARIA"), "mysql://127.0.0.1/build"),
    (re.compile(r"DATABASE|POSTGRES|\bPG|^DB_"), "postgresql://127.0.0.1/build"),
)
_ADDRESS = re.compile(r"_(?:URL|URI|ENDPOINT|DSN)$")
_IN_PAGES = re.compile(r"NEXT_PUBLIC_|NUXT_|VITE_|PUBLIC_|REACT_APP_|EXPO_PUBLIC_|GATSBY_")
"""Prefixes of variables whose values end up in the pages, which a placeholder would spoil."""
_OF_THE_PLATFORM = {"PORT", "HOST", "NODE_ENV", "CI", "HOSTNAME", "HOME", "PATH"}


def build_values(app: App) -> dict[str, str]:
    """Return placeholders for the variables that the build of the application may read."""
    values = placeholders(app) if uses_prisma(app) else {}
    if app.framework in _PRERENDERING:
        for variable in app.module.variables:
            usable = re.fullmatch(r"[A-Z][A-Z0-9_]*", variable.name) and not _IN_PAGES.match(variable.name)
            if variable.required and usable and variable.name not in _OF_THE_PLATFORM:
                values.setdefault(variable.name, _placeholder(variable.name))
    return values


def _placeholder(name: str) -> str:
    known = next((value for pattern, value in _DATABASES if pattern.search(name) and _ADDRESS.search(name)), None)
    return known or ("http://127.0.0.1" if _ADDRESS.search(name) else "placeholder-for-the-build")
