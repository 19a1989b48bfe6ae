"""Gradle: the projects that settings.gradle includes."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.ecosystems.facets.generation.workspace import (
    PackageWorkspace,
    WorkspaceMember,
    existing,
    inside,
)

_BUILDS = ("build.gradle.kts", "build.gradle")
_SETTINGS = ("settings.gradle.kts", "settings.gradle")


def read(tree: ContextTree) -> PackageWorkspace | None:
    """Read the build of the tree's root; None if it includes no projects."""
    settings = existing(tree, *_SETTINGS)
    text = tree.text(settings[0]) or "" if settings else ""
    included = re.findall(r"\binclude\s*\(?\s*((?:[\"'][\w:./-]+[\"']\s*,?\s*)+)", text)
    names = [name.strip(":") for found in included for name in re.findall(r"[\"']([\w:./-]+)[\"']", found)]
    if not names:
        return None
    folders = [".", *(name.replace(":", "/") for name in dict.fromkeys(names) if ".." not in name)]
    members = tuple(member for folder in folders if (member := _member(tree, folder)))
    root = existing(tree, *_SETTINGS, *_BUILDS, "gradle.properties", "gradle/libs.versions.toml")
    return PackageWorkspace(members, root)


def _member(tree: ContextTree, folder: str) -> WorkspaceMember | None:
    manifest = next(iter(existing(tree, *(inside(folder, name) for name in _BUILDS))), None)
    if manifest is None:
        return None
    text = tree.text(manifest) or ""
    needs = {name.strip(":") for name in re.findall(r"project\(\s*(?:path\s*[:=]\s*)?[\"']([\w:./-]+)[\"']", text)}
    needs |= {_dashed(name) for name in re.findall(r"\bprojects\.([\w.]+)", text)}
    return WorkspaceMember(
        folder, manifest, "." if folder == "." else folder.replace("/", ":"), frozenset(needs), builds=True
    )


def _dashed(accessor: str) -> str:
    """Return the path behind a type-safe accessor: `projects.shared.coreModel` is `shared:core-model`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"-{found[1].lower()}", accessor).replace(".", ":")
