"""uv: members by patterns in the root's pyproject.toml."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the workspace of the tree's root; None if it does not exist."""
    table: Any = tree.toml("pyproject.toml").get("tool", {})
    table = table.get("uv", {}).get("workspace", {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict) or not table.get("members"):
        return None
    left_out = set(tree.folders(_texts(table.get("exclude")), "pyproject.toml"))
    folders = [
        folder for folder in tree.folders(_texts(table.get("members")), "pyproject.toml") if folder not in left_out
    ]
    members = tuple(_member(tree, folder) for folder in dict.fromkeys((".", *folders)))
    return PackageWorkspace(members, existing(tree, "pyproject.toml", "uv.lock"))


def _member(tree: ContextTree, folder: str) -> WorkspaceMember:
    manifest = inside(folder, "pyproject.toml")
    project: Any = tree.toml(manifest).get("project", {})
    project = project if isinstance(project, dict) else {}
    needs = frozenset(_name(text) for text in _texts(project.get("dependencies")))
    return WorkspaceMember(folder, manifest, _name(str(project.get("name") or folder)), needs, builds=True)


def _name(requirement: str) -> str:
    """Return the name in a requirement as indexes compare it."""
    match = re.match(r"\s*([A-Za-z0-9][\w.-]*)", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else requirement


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
