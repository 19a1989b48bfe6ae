"""Maven: the modules that poms name, from the root's down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST = 500


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the reactor of the tree's root; None if the root has no modules."""
    members: dict[str, WorkspaceMember] = {}
    waiting = ["."]
    while waiting and len(members) < _MOST:
        folder = waiting.pop()
        pom = tree.xml(inside(folder, "pom.xml"))
        if folder in members or pom is None:
            continue
        members[folder] = _member(folder, pom)
        modules = [(found.text or "").strip().removesuffix("pom.xml").strip("/") for found in _named(pom, "module")]
        waiting += [inside(folder, path) for path in modules if path and ".." not in path]
    return PackageWorkspace(tuple(members.values()), existing(tree, "pom.xml")) if len(members) > 1 else None


def _member(folder: str, pom: Element) -> WorkspaceMember:
    needs = {_artifact(child) for kind in ("dependency", "parent") for child in _named(pom, kind)}
    return WorkspaceMember(folder, inside(folder, "pom.xml"), _artifact(pom) or folder, frozenset(needs), builds=True)


def _artifact(element: Element) -> str:
    """Return the artifact that an element names itself."""
    return next(((child.text or "").strip() for child in element if _tag(child) == "artifactId"), "")


def _named(pom: Element, name: str) -> Iterator[Element]:
    return (child for child in pom.iter() if _tag(child) == name)


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
