"""Cargo: members by patterns in the root's Cargo.toml."""

from __future__ import annotations

from typing import Any

from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)

_DEPENDENCIES = ("dependencies", "build-dependencies", "dev-dependencies")


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the workspace of the tree's root; None if it does not exist."""
    root = tree.toml("Cargo.toml")
    table: Any = root.get("workspace")
    if not isinstance(table, dict):
        return None
    patterns = [str(pattern) for pattern in table.get("members", [])]
    left_out = set(tree.folders([str(pattern) for pattern in table.get("exclude", [])], "Cargo.toml"))
    folders = [folder for folder in tree.folders(patterns, "Cargo.toml") if folder not in left_out]
    own = ["."] if "package" in root else []
    members = tuple(_member(tree, folder) for folder in dict.fromkeys((*own, *folders)))
    return PackageWorkspace(members, existing(tree, "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"))


def _member(tree: ContextTree, folder: str) -> WorkspaceMember:
    manifest = inside(folder, "Cargo.toml")
    crate = tree.toml(manifest)
    package: Any = crate.get("package", {})
    needs: set[str] = set()
    for kind in _DEPENDENCIES:
        table: Any = crate.get(kind, {})
        for name, value in table.items() if isinstance(table, dict) else ():
            needs.add(str(value.get("package", name)) if isinstance(value, dict) else str(name))
    return WorkspaceMember(folder, manifest, str(package.get("name", folder)), frozenset(needs), builds=True)
