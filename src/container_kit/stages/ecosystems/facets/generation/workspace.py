"""Members of a workspace and what they need of each other."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree


@dataclass(frozen=True, slots=True)
class WorkspaceMember:
    """One part of a workspace."""

    path: str
    """Its folder; `.` is the root."""
    manifest: str
    """Relative to the root."""
    name: str
    """By which others ask for it."""
    needs: frozenset[str]
    """Names of what it asks for, members or not."""
    builds: bool = False
    """True if others need what its own build makes."""


@dataclass(frozen=True, slots=True)
class PackageWorkspace:
    """What a lockfile or a build at the root covers."""

    members: tuple[WorkspaceMember, ...]
    shared: tuple[str, ...] = ()
    """Files at the root that every build reads, such as the lockfile; each exists."""
    ties_all: bool = True
    """True if a lockfile or a list at the root is held against the manifests of all members."""

    def member(self, path: str) -> WorkspaceMember | None:
        """Return the member in a folder."""
        return next((member for member in self.members if member.path == path), None)

    def manifests(self, path: str) -> tuple[str, ...]:
        """Return the manifests that the build of the member in a folder reads, the root's first."""
        members = self.members if self.ties_all else self.needed(path)
        return tuple(dict.fromkeys((*self.shared, *(member.manifest for member in members))))

    def needed(self, path: str) -> tuple[WorkspaceMember, ...]:
        """Return the member in a folder and all that it needs, each after what it needs itself."""
        by_name = {member.name: member for member in self.members}
        ordered: dict[str, WorkspaceMember] = {}
        open_ones: set[str] = set()

        def visit(member: WorkspaceMember) -> None:
            if member.path in ordered or member.path in open_ones:
                return
            open_ones.add(member.path)
            for name in sorted(member.needs & by_name.keys()):
                visit(by_name[name])
            ordered[member.path] = member

        start = self.member(path)
        if start:
            visit(start)
        return tuple(ordered.values())


def existing(tree: ContextTree, *names: str) -> tuple[str, ...]:
    """Return the files that exist."""
    return tuple(name for name in names if tree.exists(name))


def inside(folder: str, name: str) -> str:
    """Return the path of a file in a folder; `.` is the root."""
    return name if folder == "." else f"{folder}/{name}"
