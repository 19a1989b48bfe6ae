""".NET: projects that refer to each other by path; there is no list of them that a build needs."""

from __future__ import annotations

import posixpath

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import PackageWorkspace, WorkspaceMember, existing

_MOST = 500
_SHARED = (
    "Directory.Build.props",
    "Directory.Build.targets",
    "Directory.Packages.props",
    "NuGet.config",
    "nuget.config",
    "global.json",
)


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read all projects of the tree, two folders deep; None if there is but one."""
    projects = [
        path
        for pattern in ("*", "*/*", "*/*/*")
        for path in tree.files(f"{pattern}proj")
        if re.search(r"\.(?:cs|fs|vb)proj$", path)
    ]
    members = tuple(_member(tree, path) for path in projects[:_MOST])
    return PackageWorkspace(members, existing(tree, *_SHARED), ties_all=False) if len(members) > 1 else None


def _member(tree: ContextTree, path: str) -> WorkspaceMember:
    folder = posixpath.dirname(path)
    references = re.findall(r"<ProjectReference\s+Include=\"([^\"]+)\"", tree.text(path) or "")
    needs = {posixpath.normpath(posixpath.join(folder, reference.replace("\\", "/"))) for reference in references}
    return WorkspaceMember(folder or ".", path, path, frozenset(needs), builds=True)
