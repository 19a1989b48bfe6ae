"""pip's requirements files: which one is for production, and what it includes."""

from __future__ import annotations

import posixpath
import re

from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.recipe import copy

PRINT_DEPENDENCIES = (
    "import importlib, sys; new = sys.version_info >= (3, 11); "
    "tomllib = importlib.import_module('tomllib' if new else 'pip._vendor.tomli'); "
    "project = tomllib.load(open('pyproject.toml', 'rb')).get('project', {}); "
    "print(*project.get('dependencies', []), sep='\\n')"
)
"""A program that prints what pyproject.toml depends on, for any Python."""


def requirements(app: App) -> str | None:
    """Return the module's requirements file for production, relative to its folder."""
    prefix = "" if app.module.path == "." else f"{app.module.path}/"
    own = [path.removeprefix(prefix) for path in app.manifests if path.startswith(prefix)]
    names = [name for name in own if "requirements" in name and name.endswith(".txt")]
    ranked = sorted(
        names,
        key=lambda name: (
            not re.search(r"^requirements\.txt$|prod", name),
            "dev" in name or "test" in name,
            name.count("/"),
            name,
        ),
    )
    return ranked[0] if ranked else None


def included(app: App, name: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the files that a requirements file includes, itself first, relative to the module."""
    text = app.tree.text(app.inside(name))
    if text is None or name in seen or len(seen) > 20:
        return ()
    folder = name.rpartition("/")[0]
    named = re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*([\w./-]+)", text, re.MULTILINE)
    paths = [posixpath.normpath(posixpath.join(folder, target)) for target in named]
    inner = [file for path in paths if not path.startswith("..") for file in included(app, path, seen | {name})]
    return tuple(dict.fromkeys((name, *inner)))


def with_included(app: App, name: str) -> str:
    """Return the text of a requirements file and of all that it includes."""
    return "\n".join(app.tree.text(app.inside(file)) or "" for file in included(app, name))


def copy_included(app: App) -> tuple[str, ...]:
    """COPY instructions for what a requirements file includes."""
    name = requirements(app)
    files = [app.inside(file) for file in included(app, name)] if name else []
    return tuple(copy([file], f"./{file}") for file in files if file not in app.manifests)


def declares(app: App, name: str) -> bool:
    """Return whether a manifest of the module, or what it includes, names a package."""
    file = requirements(app)
    texts = [with_included(app, file)] if file else []
    texts += [app.tree.text(path) or "" for path in app.manifests if not path.endswith(".lock")]
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", re.IGNORECASE)
    return any(word.search(text) for text in texts) or (name == "uvicorn" and any("fastapi[" in text for text in texts))
