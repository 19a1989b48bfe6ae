"""Go: the modules that go.work uses."""

from __future__ import annotations

from dataclasses import replace

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)

_DEEPEST = 5
_MOST_SOURCES = 300


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the workspace of the tree's root; None if there is no go.work."""
    text = tree.text("go.work")
    if text is None:
        return None
    blocks = [
        *re.findall(r"^use\s*\((.*?)\)", text, re.DOTALL | re.MULTILINE),
        *re.findall(r"^use\s+([^\s(]+)", text, re.MULTILINE),
    ]
    folders = [word.removeprefix("./").strip("/") or "." for block in blocks for word in re.findall(r"[\w./-]+", block)]
    members = tuple(member for folder in dict.fromkeys(folders) if (member := _member(tree, folder)))
    members = tuple(replace(member, needs=member.needs | _imported(tree, member, members)) for member in members)
    sums = [inside(member.path, "go.sum") for member in members]
    return PackageWorkspace(members, existing(tree, "go.work", "go.work.sum", *sums))


def _imported(tree: ContextTree, member: WorkspaceMember, members: tuple[WorkspaceMember, ...]) -> frozenset[str]:
    """Return the other members that a member's sources import: inside a workspace go.mod need not require them."""
    patterns = [inside(member.path, f"{'*/' * depth}*.go") for depth in range(_DEEPEST)]
    sources = [file for pattern in patterns for file in tree.files(pattern)][:_MOST_SOURCES]
    text = "\n".join(tree.text(file) or "" for file in sources)
    return frozenset(
        other.name for other in members if other != member and re.search(rf'"{re.escape(other.name)}["/]', text)
    )


def _member(tree: ContextTree, folder: str) -> WorkspaceMember | None:
    text = None if ".." in folder else tree.text(inside(folder, "go.mod"))
    if text is None:
        return None
    name = re.search(r"^module\s+(\S+)", text, re.MULTILINE)
    needs = frozenset(re.findall(r"^\s*(?:require\s+)?([\w.-]+(?:/[\w.~-]+)*)\s+v\d", text, re.MULTILINE))
    return WorkspaceMember(folder, inside(folder, "go.mod"), name[1] if name else folder, needs, builds=True)
