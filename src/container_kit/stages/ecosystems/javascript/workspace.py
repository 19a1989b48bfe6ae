"""npm, Yarn, pnpm and Bun: folders by patterns, in package.json or pnpm-workspace.yaml."""

from __future__ import annotations

from typing import Any

from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)

_DEPENDENCIES = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
_SHARED = (
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    ".yarnrc.yml",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lock",
    "bun.lockb",
)


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the workspace of the tree's root; None if it does not exist."""
    patterns = _patterns(tree)
    if not patterns:
        return None
    included = [pattern for pattern in patterns if not pattern.startswith("!")]
    excluded = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    left_out = set(tree.folders(excluded, "package.json"))
    folders = [folder for folder in tree.folders(included, "package.json") if folder not in left_out]
    members = tuple(_member(tree, folder) for folder in dict.fromkeys((".", *folders)))
    return PackageWorkspace(members, existing(tree, "package.json", *_SHARED))


def _patterns(tree: ContextTree) -> list[str]:
    declared: Any = tree.json("package.json").get("workspaces", [])
    if isinstance(declared, dict):
        declared = declared.get("packages", [])
    found = [*declared] if isinstance(declared, list) else []
    packages = tree.yaml("pnpm-workspace.yaml").get("packages", [])
    found += packages if isinstance(packages, list) else []
    return [str(pattern).removeprefix("./") for pattern in found]


def _member(tree: ContextTree, folder: str) -> WorkspaceMember:
    package = tree.json(inside(folder, "package.json"))
    scripts = package.get("scripts", {})
    needs = {str(name) for kind in _DEPENDENCIES for name in _names(package.get(kind))}
    return WorkspaceMember(
        path=folder,
        manifest=inside(folder, "package.json"),
        name=str(package.get("name") or folder),
        needs=frozenset(needs),
        builds=isinstance(scripts, dict) and "build" in scripts,
    )


def _names(table: Any) -> list[str]:
    return list(table) if isinstance(table, dict) else []
