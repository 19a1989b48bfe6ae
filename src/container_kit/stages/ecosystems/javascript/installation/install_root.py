"""The folder whose manifest and lock file an installation uses, and the files in it."""

from __future__ import annotations

from typing import Any

from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.formats.dockerignore import DockerIgnore, PatternError

_LARGEST_LOCK = 16_000_000
"""Bytes."""


def install_root(app: App) -> str:
    """Return the folder in which packages are installed: the module's, or the root of its workspace."""
    return "." if app.in_workspace else app.module.path


def root_file(app: App, name: str) -> str:
    """Return the path, relative to the context, of a file in that folder."""
    root = install_root(app)
    return name if root == "." else f"{root}/{name}"


def manifests(app: App) -> dict[str, dict[str, Any]]:
    """Return the manifests that the installation reads, by the path of their folder inside the install root."""
    root = install_root(app)
    if app.workspace:
        return {member.path: app.tree.json(member.manifest) for member in app.workspace.members}
    return {".": app.tree.json(root_file(app, "package.json"))} if root else {}


def dependencies(manifest: dict[str, Any], *kinds: str) -> dict[str, str]:
    """Return the dependencies of these kinds with their ranges."""
    tables = [manifest.get(kind) for kind in kinds]
    return {
        str(name): requested
        for table in tables
        if isinstance(table, dict)
        for name, requested in table.items()
        if isinstance(requested, str)
    }


def all_dependencies(app: App) -> dict[str, str]:
    """Return the dependencies of the module and of the install root, development packages included."""
    kinds = ("peerDependencies", "optionalDependencies", "devDependencies", "dependencies")
    root = dependencies(app.tree.json(root_file(app, "package.json")), *kinds)
    return root | dependencies(app.tree.json(app.inside("package.json")), *kinds)


def lock_text(app: App, name: str) -> str:
    """Return the text of a lock file in the install root; empty if it is missing or too large to read here."""
    return app.tree.text(root_file(app, name), _LARGEST_LOCK) or ""


def brings_packages(app: App) -> bool:
    """Return whether the host's installed packages would be copied: the project's own `.dockerignore` keeps them."""
    ignored, folder = app.tree.text(".dockerignore"), root_file(app, "node_modules")
    if ignored is None or not app.tree.exists(folder):
        return False
    try:
        return DockerIgnore.parse(ignored).find(folder) is None
    except PatternError:
        return False
