"""Workspaces: which members a lockfile or build covers, and which of them one module needs. One file an ecosystem."""

from __future__ import annotations

from container_kit.stages.ecosystems.dotnet import workspace as dotnet
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import Workspace, WorkspaceMember
from container_kit.stages.ecosystems.go import workspace as go
from container_kit.stages.ecosystems.javascript import workspace as node
from container_kit.stages.ecosystems.jvm import workspace_gradle as gradle
from container_kit.stages.ecosystems.jvm import workspace_maven as maven
from container_kit.stages.ecosystems.python import workspace as uv
from container_kit.stages.ecosystems.rust import workspace as cargo

__all__ = ["Workspace", "WorkspaceMember", "workspace_of"]

_READERS = {
    "npm": node.read,
    "yarn": node.read,
    "pnpm": node.read,
    "bun": node.read,
    "uv": uv.read,
    "cargo": cargo.read,
    "maven": maven.read,
    "gradle": gradle.read,
    "go": go.read,
    "nuget": dotnet.read,
}


def workspace_of(tree: ContextTree, manager: str, path: str) -> Workspace | None:
    """Read the workspace that a module is a member of; None where it is none, or another tool ties it together.

    Args:
        tree: Its root is the workspace's.
        manager: The module's package manager.
        path: The module's folder; `.` is the root.
    """
    reader = _READERS.get(manager)
    workspace = reader(tree) if reader else None
    return workspace if workspace and workspace.member(path) else None
